package stripeapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/form"
)

// Changed is what a run has done.
type Changed struct {
	Changes []Change // those that were carried out or needed nothing, with the ids of what was made
	// Secret signs the events of an endpoint that was made. Stripe tells it this once.
	Secret string
}

// Change carries out what was planned, one after the other, and stops at the first that fails: what was
// done until then comes back with the error, and a run after that finds it.
//
// The name of the run is a part of each idempotency key, so that a call whose answer was lost is safe to
// repeat. Another run has other keys on purpose: Stripe would answer the same key with what an earlier run
// made, even after somebody has deleted it.
func (c *Client) Change(ctx context.Context, changes []Change, run string) (Changed, error) {
	var done Changed
	ids := map[ref]string{}
	for _, change := range changes {
		secret, err := c.carryOut(ctx, &change, ids, run)
		if err != nil {
			return done, fmt.Errorf("setting up %s %s: %w", change.Kind, change.Name, err)
		}
		if secret != "" {
			done.Secret = secret
		}
		ids[ref{kind: change.Kind, name: change.Name}] = change.ID
		done.Changes = append(done.Changes, change)
	}
	return done, nil
}

func (c *Client) carryOut(ctx context.Context, change *Change, ids map[ref]string, run string) (secret string, err error) {
	known := func(r ref) string {
		if r.id != "" {
			return r.id
		}
		return ids[r]
	}
	switch {
	case change.product != nil:
		change.ID, err = written[stripe.Product](ctx, c, "/v1/products", change.ID, change.product, run, func(v *stripe.Product) string { return v.ID })
	case change.price != nil:
		if change.Verb == Create {
			change.price.Product = stripe.String(known(change.productOf))
		}
		change.ID, err = written[stripe.Price](ctx, c, "/v1/prices", change.ID, change.price, run, func(v *stripe.Price) string { return v.ID })
	case change.portal != nil:
		fillPortal(change, known)
		change.ID, err = written[stripe.BillingPortalConfiguration](ctx, c, "/v1/billing_portal/configurations", change.ID, change.portal, run,
			func(v *stripe.BillingPortalConfiguration) string { return v.ID })
	case change.endpoint != nil:
		change.ID, err = written[stripe.WebhookEndpoint](ctx, c, "/v1/webhook_endpoints", change.ID, change.endpoint, run, func(v *stripe.WebhookEndpoint) string {
			secret = v.Secret
			return v.ID
		})
	}
	return secret, err
}

// fillPortal names the products. Without any, subscriptions can't be changed in a new portal: the feature is
// off, and its lists are empty, which isn't the same as left out. In one that there is, it stays as it is.
func fillPortal(change *Change, known func(ref) string) {
	params := change.portal.Features.SubscriptionUpdate
	switch {
	case len(change.catalog) == 0 && change.Verb == Update:
		change.portal.Features.SubscriptionUpdate = nil
		return
	case len(change.catalog) == 0:
		params.Enabled, params.ProrationBehavior = stripe.Bool(false), nil
		params.DefaultAllowedUpdates = []*string{}
		params.Products = []*stripe.BillingPortalConfigurationFeaturesSubscriptionUpdateProductParams{}
		return
	}
	for _, r := range change.catalog {
		var prices []string
		for _, p := range r.prices {
			prices = append(prices, known(p))
		}
		params.Products = append(params.Products, &stripe.BillingPortalConfigurationFeaturesSubscriptionUpdateProductParams{
			Product: stripe.String(known(r.product)), Prices: stripe.StringSlice(prices),
		})
	}
}

// written makes an object, or changes the one with the id.
func written[T any](ctx context.Context, c *Client, path, id string, params any, run string, identify func(*T) string) (string, error) {
	if id != "" {
		path = stripe.FormatURLPath(path+"/%s", id)
	}
	made, err := post[T](ctx, c, path, params, setupKey(run, path, encode(params)))
	if err != nil {
		return id, err
	}
	return identify(made), nil
}

func setupKey(run, path string, values *form.Values) string {
	sum := sha256.Sum256([]byte(path + "?" + values.Encode()))
	return "purser-setup-" + run + "-" + hex.EncodeToString(sum[:12])
}
