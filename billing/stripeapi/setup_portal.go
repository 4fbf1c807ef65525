package stripeapi

import (
	"fmt"
	"slices"

	"github.com/stripe/stripe-go/v76"
)

// portalProductsMax is how many products Stripe's portal offers.
const portalProductsMax = 10

// portalProration has the portal ask for the money for more seats at once: their credits come at once, too.
const portalProration = "always_invoice"

var portalUpdates = []string{"price", "quantity"}

// planPortal plans the configuration that lets customers change seats, switch between the plans that are
// sold by the seat, cancel at the period's end, change their card and see their invoices. What it doesn't
// name stays as its owner set it.
func planPortal(sold []row, found Found) Change {
	c := Change{Kind: KindPortal, Name: "portal"}
	if len(sold) > portalProductsMax {
		c.Note = fmt.Sprintf("Stripe's portal offers %d products at most: the plans after these can't be switched to", portalProductsMax)
		sold = sold[:portalProductsMax]
	}
	c.catalog = sold
	is, own := found.portal(sold)
	if !own && is.ID == "" {
		c.Verb = Create
		c.Details = []string{offered(sold)}
		c.portal = portalParams(FoundPortal{})
		// Stripe wants the business profile named, and an empty headline is none.
		c.portal.BusinessProfile = &stripe.BillingPortalConfigurationBusinessProfileParams{Headline: stripe.String("")}
		c.portal.Metadata = map[string]string{metadataSetup: setupPortal}
		return c
	}
	c.ID, c.Default = is.ID, !own
	c.Verb, c.Details = Keep, is.differences(sold)
	if len(c.Details) > 0 {
		c.Verb, c.portal = Update, portalParams(is)
	}
	return c
}

// portal finds our configuration, the newest if there are several. The account's default one does as
// well if somebody has set it up so.
func (f Found) portal(sold []row) (FoundPortal, bool) {
	for _, p := range f.Portals {
		if p.Own {
			return p, true
		}
	}
	for _, p := range f.Portals {
		if p.Default && len(p.differences(sold)) == 0 {
			return p, false
		}
	}
	return FoundPortal{}, false
}

func offered(sold []row) string {
	if len(sold) == 0 {
		return "no plan is sold by the seat, so that nothing can be changed in it but cards and cancelling"
	}
	return fmt.Sprintf("seats and plan can be changed among %d products", len(sold))
}

// differences says in what a configuration isn't as it should be. That it allows more is no difference.
func (p FoundPortal) differences(sold []row) []string {
	var all []string
	if p.Cancel != "at_period_end" {
		all = append(all, differs("subscription_cancel", p.Cancel, "at_period_end"))
	}
	if !p.PaymentMethod {
		all = append(all, differs("payment_method_update", "off", "on"))
	}
	if !p.History {
		all = append(all, differs("invoice_history", "off", "on"))
	}
	if len(sold) == 0 {
		return all
	}
	if !p.Update {
		all = append(all, differs("subscription_update", "off", "on"))
	}
	for _, update := range portalUpdates {
		if !slices.Contains(p.Allowed, update) {
			all = append(all, differs("changes of "+update, "refused", "allowed"))
		}
	}
	if p.Proration != portalProration {
		all = append(all, differs("proration", p.Proration, portalProration))
	}
	return append(all, p.catalogDifferences(sold)...)
}

func (p FoundPortal) catalogDifferences(sold []row) []string {
	var all []string
	named := map[string]bool{}
	for _, r := range sold {
		named[r.product.id] = true
		is, ok := p.Products[r.product.id]
		if r.product.id == "" || !ok {
			all = append(all, "offers no "+r.product.name)
			continue
		}
		for _, price := range r.prices {
			if price.id == "" || !slices.Contains(is, price.id) {
				all = append(all, "offers no "+price.name)
			}
		}
		for _, id := range is {
			if !slices.ContainsFunc(r.prices, func(price ref) bool { return price.id == id }) {
				all = append(all, "offers "+id+", which isn't for sale")
			}
		}
	}
	for id := range p.Products {
		if !named[id] {
			all = append(all, "offers "+id+", which isn't for sale by the seat")
		}
	}
	slices.Sort(all)
	return all
}

// portalParams is what the configuration is to say. The products come in when their ids are known.
func portalParams(is FoundPortal) *stripe.BillingPortalConfigurationParams {
	on := stripe.Bool(true)
	allowed := slices.Clone(portalUpdates)
	if slices.Contains(is.Allowed, "promotion_code") {
		allowed = append(allowed, "promotion_code")
	}
	return &stripe.BillingPortalConfigurationParams{Features: &stripe.BillingPortalConfigurationFeaturesParams{
		InvoiceHistory:      &stripe.BillingPortalConfigurationFeaturesInvoiceHistoryParams{Enabled: on},
		PaymentMethodUpdate: &stripe.BillingPortalConfigurationFeaturesPaymentMethodUpdateParams{Enabled: on},
		SubscriptionCancel: &stripe.BillingPortalConfigurationFeaturesSubscriptionCancelParams{
			Enabled: on, Mode: stripe.String("at_period_end"),
		},
		SubscriptionUpdate: &stripe.BillingPortalConfigurationFeaturesSubscriptionUpdateParams{
			Enabled: on, DefaultAllowedUpdates: stripe.StringSlice(allowed), ProrationBehavior: stripe.String(portalProration),
		},
	}}
}
