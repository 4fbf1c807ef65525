package localstripe

// itemSpec is one entry of items[], as creating and updating take it.
type itemSpec struct {
	id, priceID string
	inline      *inlinePrice
	quantity    int64
	hasQuantity bool
	remove      bool
	metadata    *params
	path        string
}

const itemsMax = 20

func (p *params) itemSpecs(name string) []itemSpec {
	var specs []itemSpec
	for _, entry := range p.list(name) {
		specs = append(specs, entry.itemSpec())
	}
	if len(specs) > itemsMax {
		p.fail(invalid(name, "A subscription can have up to %d items.", itemsMax))
	}
	return specs
}

func (p *params) itemSpec() itemSpec {
	spec := itemSpec{
		id: p.str("id"), priceID: p.strOr(p.str("plan"), "price"), inline: p.inlinePrice("price_data"),
		hasQuantity: p.has("quantity"), quantity: p.count("quantity"), remove: p.bool("deleted"), metadata: p, path: p.path,
	}
	p.at("metadata").markAll()
	p.ignore("clear_usage", "tax_rates", "billing_thresholds")
	return spec
}

// subscriptionSpec is what creating a subscription takes, by the API or by Checkout.
type subscriptionSpec struct {
	items                                 []itemSpec
	trialEnd, trialDays, anchor, cancelAt int64
	trialNow, cancelAtEnd                 bool
	missingMethod, method, behavior       string
	proration, collection                 string
	daysUntilDue                          int64
	description, saveMethod               string
	metadata                              map[string]string
	extras                                []itemSpec // add_invoice_items
	discount                              discounting
	drafts                                bool // the first invoice is a draft for an hour
}

func (p *params) subscriptionSpec() subscriptionSpec {
	spec := subscriptionSpec{
		items: p.itemSpecs("items"), trialDays: p.count("trial_period_days"), anchor: p.int("billing_cycle_anchor"),
		cancelAt: p.int("cancel_at"), cancelAtEnd: p.bool("cancel_at_period_end"), method: p.str("default_payment_method"),
		behavior:     p.oneOf("payment_behavior", "allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete"),
		proration:    p.oneOf("proration_behavior", "create_prorations", "always_invoice", "none"),
		collection:   p.oneOf("collection_method", "charge_automatically", "send_invoice"),
		daysUntilDue: p.count("days_until_due"), description: p.str("description"), metadata: p.metadata(nil),
		missingMethod: p.at("trial_settings", "end_behavior").oneOf("missing_payment_method", "create_invoice", "cancel", "pause"),
		saveMethod:    p.at("payment_settings").oneOf("save_default_payment_method", "off", "on_subscription"),
		extras:        p.itemSpecs("add_invoice_items"), discount: p.discounting(),
	}
	spec.readTrialEnd(p)
	if spec.collection == "send_invoice" && !p.has("days_until_due") {
		p.fail(invalid("days_until_due", "If collection_method is set to 'send_invoice', you must provide days_until_due or due_date."))
	}
	if p.has("items") && spec.cancelAtEnd && spec.cancelAt != 0 {
		p.fail(invalid("cancel_at", "You may only set one of `cancel_at` and `cancel_at_period_end`."))
	}
	p.at("payment_settings").ignore("payment_method_types", "payment_method_options")
	p.ignore("off_session", "automatic_tax", "currency", "trial_from_plan")
	return spec
}

func (spec *subscriptionSpec) readTrialEnd(p *params) {
	if p.str("trial_end") == "now" {
		spec.trialNow = true
		return
	}
	spec.trialEnd = p.int("trial_end")
}

// resolve finds or makes the prices of specs that name new items, and checks that they fit together.
func (s *Server) resolveNew(sub *subscription, spec itemSpec) (*item, error) {
	p, err := s.priceOrInline(spec.priceID, spec.inline)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, missingParam(spec.path + "[price]")
	}
	if p.recurring == nil {
		return nil, invalid(spec.path+"[price]", "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.")
	}
	it := &item{sub: sub, price: p, quantity: 1, created: sub.clock().now, metadata: spec.metadata.metadata(nil)}
	if spec.hasQuantity {
		it.quantity = spec.quantity
	}
	if p.metered() {
		if spec.hasQuantity {
			return nil, invalid(spec.path+"[quantity]", "You cannot set the quantity for metered plans.")
		}
		it.quantity = 0
	}
	return it, nil
}

// fitTogether: one currency, one rhythm, and no price twice.
func fitTogether(items []*item) error {
	if len(items) == 0 {
		return missingParam("items")
	}
	seen := map[string]bool{}
	for _, it := range items {
		a, b := it.price.recurring, items[0].price.recurring
		if a.interval != b.interval || a.count != b.count {
			return invalid("items", "Currency and interval fields must match across all plans on this subscription. Found mismatch in interval field.")
		}
		if it.price.currency != items[0].price.currency {
			return invalid("items", "Currency and interval fields must match across all plans on this subscription. Found mismatch in currency field.")
		}
		if seen[it.price.id] {
			return invalid("items", "Cannot add multiple subscription items with the same plan: %s", it.price.id)
		}
		seen[it.price.id] = true
	}
	return nil
}
