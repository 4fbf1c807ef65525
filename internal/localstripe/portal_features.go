package localstripe

import "slices"

// portalFeatures are what a configuration switches on, and how far.
type portalFeatures struct {
	customer                    bool
	customerFields              []string
	invoices, method, pause     bool
	cancel, reasons             bool
	cancelMode, cancelProration string
	reasonOptions               []string
	update                      bool
	updates                     []string // "price", "quantity", "promotion_code"
	products                    []portalProduct
	proration                   string // empty: as the default configuration does
}

// portalProduct is a product to which the portal lets customers switch, at the prices named.
type portalProduct struct {
	id     string
	prices []string
}

func newPortalFeatures() portalFeatures {
	return portalFeatures{cancelMode: "at_period_end", cancelProration: "none", proration: "none"}
}

// render leaves the products out: Stripe answers them to those only who expand them.
func (f *portalFeatures) render() obj {
	proration := f.proration
	if proration == "" {
		proration = "create_prorations"
	}
	return obj{
		"customer_update": obj{"allowed_updates": anyList(f.customerFields), "enabled": f.customer},
		"invoice_history": obj{"enabled": f.invoices}, "payment_method_update": obj{"enabled": f.method},
		"subscription_cancel": obj{
			"cancellation_reason": obj{"enabled": f.reasons, "options": anyList(f.reasonOptions)},
			"enabled":             f.cancel, "mode": f.cancelMode, "proration_behavior": f.cancelProration,
		},
		"subscription_pause": obj{"enabled": f.pause},
		"subscription_update": obj{
			"default_allowed_updates": anyList(f.updates), "enabled": f.update, "proration_behavior": proration,
		},
	}
}

func (f *portalFeatures) renderProducts() any {
	if len(f.products) == 0 {
		return nil
	}
	list := []any{}
	for _, p := range f.products {
		list = append(list, obj{"prices": anyList(p.prices), "product": p.id})
	}
	return list
}

// switched reads a boolean that may be left as it was.
func (p *params) switched(b *bool, name string) {
	if p.has(name) {
		*b = p.bool(name)
	}
}

// chosen reads a list of known words that may be left as it was; an empty value empties it.
func (p *params) chosen(list *[]string, name string, known ...string) {
	if !p.has(name) {
		return
	}
	*list = p.strings(name)
	for _, word := range *list {
		if !slices.Contains(known, word) {
			p.fail(invalid(p.at(name).path, "Invalid %s: %s", p.at(name).path, word))
		}
	}
}

func (p *params) picked(word *string, name string, known ...string) {
	if p.has(name) {
		*word = p.oneOf(name, known...)
	}
}

func (f *portalFeatures) fill(p *params) {
	p.at("customer_update").switched(&f.customer, "enabled")
	p.at("customer_update").chosen(&f.customerFields, "allowed_updates", "address", "email", "name", "phone", "shipping", "tax_id")
	p.at("invoice_history").switched(&f.invoices, "enabled")
	p.at("payment_method_update").switched(&f.method, "enabled")
	p.at("subscription_pause").switched(&f.pause, "enabled")
	f.fillCancel(p.at("subscription_cancel"))
	f.fillUpdate(p.at("subscription_update"))
}

func (f *portalFeatures) fillCancel(p *params) {
	p.switched(&f.cancel, "enabled")
	p.picked(&f.cancelMode, "mode", "at_period_end", "immediately")
	p.picked(&f.cancelProration, "proration_behavior", "none", "create_prorations", "always_invoice")
	p.at("cancellation_reason").switched(&f.reasons, "enabled")
	p.at("cancellation_reason").chosen(&f.reasonOptions, "options", "customer_service", "low_quality", "missing_features", "other",
		"switched_service", "too_complex", "too_expensive", "unused")
}

func (f *portalFeatures) fillUpdate(p *params) {
	p.switched(&f.update, "enabled")
	p.chosen(&f.updates, "default_allowed_updates", "price", "promotion_code", "quantity")
	p.picked(&f.proration, "proration_behavior", "none", "create_prorations", "always_invoice")
	if p.has("products") {
		f.products = nil
		for _, entry := range p.list("products") {
			f.products = append(f.products, portalProduct{id: entry.required("product"), prices: entry.strings("prices")})
		}
	}
	if f.update && (len(f.products) == 0 || len(f.updates) == 0) {
		p.fail(invalid(p.path+"[products]", "To let customers update subscriptions, name products with their prices and what may be updated."))
	}
}

// sells says whether a subscription may be switched to a price.
func (f *portalFeatures) sells(p *price) bool {
	if len(f.products) == 0 {
		return true
	}
	return slices.ContainsFunc(f.products, func(listed portalProduct) bool {
		return listed.id == p.product.id && slices.Contains(listed.prices, p.id)
	})
}
