package stripeapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/stripe/stripe-go/v76"

	"purser/billing"
)

// Found is what an account holds of what setting up is about.
type Found struct {
	Prices    []FoundPrice    // those that the catalogue names, archived ones too
	Products  []FoundProduct  // theirs, and those that purser made
	Portals   []FoundPortal   // the active ones, the newest first
	Endpoints []FoundEndpoint // the newest first
	// Denied are the kinds that the key may not read. What is said of them is worth nothing.
	Denied []ObjectKind
}

// FoundPrice is a price as it is.
type FoundPrice struct {
	ID, LookupKey, ProductID string
	Active, Live             bool
	Interval                 string // "" of a price that is paid once
	IntervalCount            int
	UnitAmount               int64
	Currency                 string
	TaxBehavior              string
	Odd                      string // why its amount isn't quantity × unit amount; "" if it is
	Replaces                 []string
}

// FoundProduct is a product as it is.
type FoundProduct struct {
	ID, Name   string
	Active     bool
	Plan, Pack string // for which purser made it
}

// FoundPortal is a configuration of the billing portal.
type FoundPortal struct {
	ID                     string
	Own, Default, Live     bool
	Cancel                 string // off, at_period_end or immediately
	PaymentMethod, History bool
	Update                 bool
	Allowed                []string            // which updates
	Proration              string              // of updates
	Products               map[string][]string // prices by product
}

// FoundEndpoint is a webhook endpoint.
type FoundEndpoint struct {
	ID, URL, Version   string // Version is "" where the account's default counts
	Events             []string
	Own, Enabled, Live bool
}

// Survey reads what an account holds of what it is to hold. What the key may not read is no error: it
// stands in Denied.
func (c *Client) Survey(ctx context.Context, s Setup) (Found, error) {
	var found Found
	for _, part := range []struct {
		kind ObjectKind
		read func(context.Context, Setup, *Found) error
	}{
		{KindPrice, c.surveyPrices}, {KindProduct, c.surveyProducts}, {KindPortal, c.surveyPortals}, {KindEndpoint, c.surveyEndpoints},
	} {
		err := part.read(ctx, s, &found)
		switch {
		case isDenied(err):
			found.Denied = append(found.Denied, part.kind)
		case err != nil:
			return Found{}, fmt.Errorf("reading every %s: %w", part.kind, err)
		}
	}
	return found, nil
}

func isDenied(err error) bool {
	refused, ok := errors.AsType[*Error](err)
	return ok && refused.Status == http.StatusForbidden
}

// lookupKeysMax is how many keys Stripe takes at once.
const lookupKeysMax = 10

func (c *Client) surveyPrices(ctx context.Context, s Setup, found *Found) error {
	var keys []string
	for _, g := range s.groups() {
		for _, p := range g.prices {
			if p.LookupKey != "" {
				keys = append(keys, p.LookupKey)
				continue
			}
			params := &stripe.PriceParams{}
			params.AddExpand("product")
			price, err := get[stripe.Price](ctx, c, "/v1/prices/%s", p.ID, params)
			if errors.Is(err, billing.ErrStripeGone) {
				continue
			}
			if err != nil {
				return err
			}
			found.add(price)
		}
	}
	for some := range slices.Chunk(keys, lookupKeysMax) {
		params := &stripe.PriceListParams{LookupKeys: stripe.StringSlice(some)}
		params.AddExpand("data.product")
		prices, err := listAll[stripe.Price](ctx, c, "/v1/prices", params)
		if err != nil {
			return err
		}
		for _, price := range prices {
			found.add(price)
		}
	}
	return nil
}

// add notes a price with its product.
func (f *Found) add(from *stripe.Price) {
	p := toFoundPrice(from)
	f.Prices = append(f.Prices, p)
	if from.Product != nil && from.Product.Object != "" {
		f.addProduct(from.Product)
	}
}

func (f *Found) addProduct(from *stripe.Product) {
	if !slices.ContainsFunc(f.Products, func(p FoundProduct) bool { return p.ID == from.ID }) {
		f.Products = append(f.Products, FoundProduct{
			ID: from.ID, Name: from.Name, Active: from.Active, Plan: from.Metadata[metadataPlan], Pack: from.Metadata[metadataPack],
		})
	}
}

func toFoundPrice(from *stripe.Price) FoundPrice {
	p := FoundPrice{
		ID: from.ID, LookupKey: from.LookupKey, Active: from.Active, Live: from.Livemode, UnitAmount: from.UnitAmount,
		Currency: string(from.Currency), TaxBehavior: string(from.TaxBehavior), Odd: odd(from),
	}
	if from.Product != nil {
		p.ProductID = from.Product.ID
	}
	if from.Recurring != nil {
		p.Interval, p.IntervalCount = string(from.Recurring.Interval), int(from.Recurring.IntervalCount)
	}
	if list := from.Metadata[metadataReplaces]; list != "" {
		p.Replaces = strings.Split(list, ",")
	}
	return p
}

// odd says why a price isn't simply an amount for each unit.
func odd(p *stripe.Price) string {
	switch {
	case p.BillingScheme == stripe.PriceBillingSchemeTiered:
		return "it is tiered"
	case p.Recurring != nil && p.Recurring.UsageType == stripe.PriceRecurringUsageTypeMetered:
		return "it is metered"
	case p.TransformQuantity != nil:
		return "it divides the quantity"
	case p.CustomUnitAmount != nil:
		return "the buyer chooses its amount"
	case p.UnitAmountDecimal != float64(p.UnitAmount):
		return "its amount isn't whole"
	}
	return ""
}

// surveyProducts looks for products that purser made and that have no price yet, as after a run that was
// cut short. Where every plan and pack has a price there is nothing to look for, in however many products.
func (c *Client) surveyProducts(ctx context.Context, s Setup, found *Found) error {
	if !slices.ContainsFunc(s.groups(), func(g group) bool { return g.needsProduct(*found) }) {
		return nil
	}
	products, err := listAll[stripe.Product](ctx, c, "/v1/products", &stripe.ProductListParams{})
	if err != nil {
		return err
	}
	for _, p := range products {
		if p.Metadata[metadataPlan] != "" || p.Metadata[metadataPack] != "" {
			found.addProduct(p)
		}
	}
	return nil
}

func (c *Client) surveyPortals(ctx context.Context, _ Setup, found *Found) error {
	params := &stripe.BillingPortalConfigurationListParams{Active: stripe.Bool(true)}
	params.AddExpand("data.features.subscription_update.products")
	configurations, err := listAll[stripe.BillingPortalConfiguration](ctx, c, "/v1/billing_portal/configurations", params)
	if err != nil {
		return err
	}
	for _, from := range configurations {
		found.Portals = append(found.Portals, toFoundPortal(from))
	}
	return nil
}

func toFoundPortal(from *stripe.BillingPortalConfiguration) FoundPortal {
	p := FoundPortal{
		ID: from.ID, Own: from.Metadata[metadataSetup] == setupPortal, Default: from.IsDefault, Live: from.Livemode,
		Cancel: "off", Products: map[string][]string{},
	}
	f := from.Features
	if f == nil {
		return p
	}
	if f.SubscriptionCancel != nil && f.SubscriptionCancel.Enabled {
		p.Cancel = string(f.SubscriptionCancel.Mode)
	}
	p.PaymentMethod = f.PaymentMethodUpdate != nil && f.PaymentMethodUpdate.Enabled
	p.History = f.InvoiceHistory != nil && f.InvoiceHistory.Enabled
	if u := f.SubscriptionUpdate; u != nil {
		p.Update, p.Proration = u.Enabled, string(u.ProrationBehavior)
		for _, allowed := range u.DefaultAllowedUpdates {
			p.Allowed = append(p.Allowed, string(allowed))
		}
		for _, product := range u.Products {
			p.Products[product.Product] = product.Prices
		}
	}
	return p
}

func (c *Client) surveyEndpoints(ctx context.Context, _ Setup, found *Found) error {
	endpoints, err := listAll[stripe.WebhookEndpoint](ctx, c, "/v1/webhook_endpoints", &stripe.WebhookEndpointListParams{})
	if err != nil {
		return err
	}
	for _, from := range endpoints {
		found.Endpoints = append(found.Endpoints, FoundEndpoint{
			ID: from.ID, URL: from.URL, Version: from.APIVersion, Events: from.EnabledEvents, Live: from.Livemode,
			Own: from.Metadata[metadataSetup] == setupEndpoint, Enabled: from.Status == "enabled",
		})
	}
	return nil
}

// OtherMode names an object of another mode than the key's. An account answers with objects of one mode
// only, so whoever answered isn't the account that the key seems to be of.
func (f Found) OtherMode(live bool) (what string, ok bool) {
	for _, p := range f.Prices {
		if p.Live != live {
			return "price " + p.ID, true
		}
	}
	for _, p := range f.Portals {
		if p.Live != live {
			return "billing portal " + p.ID, true
		}
	}
	for _, e := range f.Endpoints {
		if e.Live != live {
			return "webhook endpoint " + e.ID, true
		}
	}
	return "", false
}
