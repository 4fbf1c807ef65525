package localstripe

import "strconv"

// price says what something costs, once or every so often.
type price struct {
	id, currency, lookupKey, nickname, taxBehavior string
	product                                        *product
	active                                         bool
	unit                                           string // decimal minor units; empty when tiered
	tiersMode                                      string // graduated, volume or empty
	tiers                                          []tier
	divideBy                                       int64 // of transform_quantity; 0 is none
	round                                          string
	recurring                                      *recurring
	metadata                                       map[string]string
	created                                        int64
}

type recurring struct {
	interval, usage, aggregate string
	count, trialDays           int64
}

// tier holds up to a quantity; 0 is without end.
type tier struct {
	upTo       int64
	unit, flat string
}

func (p *price) identity() string { return p.id }
func (p *price) createdAt() int64 { return p.created }

// metered prices bill what was used, when the period is over.
func (p *price) metered() bool { return p.recurring != nil && p.recurring.usage == "metered" }

func (p *price) render(*Server) obj {
	kind, recurringHash := "one_time", any(nil)
	if r := p.recurring; r != nil {
		kind = "recurring"
		recurringHash = obj{
			"aggregate_usage": orNil(r.aggregate), "interval": r.interval, "interval_count": r.count,
			"trial_period_days": orNil(r.trialDays), "usage_type": r.usage,
		}
	}
	return obj{
		"id": p.id, "object": "price", "active": p.active, "billing_scheme": p.scheme(), "created": p.created,
		"currency": p.currency, "custom_unit_amount": nil, "livemode": false, "lookup_key": orNil(p.lookupKey),
		"metadata": renderMetadata(p.metadata), "nickname": orNil(p.nickname), "product": p.product.id,
		"recurring": recurringHash, "tax_behavior": p.taxBehavior, "tiers_mode": orNil(p.tiersMode),
		"transform_quantity": p.transform("divide_by"), "type": kind,
		"unit_amount": wholeOrNil(p.unit), "unit_amount_decimal": orNil(p.unit),
	}
}

func (p *price) scheme() string {
	if p.tiersMode != "" {
		return "tiered"
	}
	return "per_unit"
}

func (p *price) transform(name string) any {
	if p.divideBy == 0 {
		return nil
	}
	return obj{name: p.divideBy, "round": p.round}
}

// wholeOrNil gives a decimal as a number when it is whole: Stripe answers null for parts of a cent.
func wholeOrNil(decimal string) any {
	n, err := strconv.ParseInt(decimal, 10, 64)
	if err != nil {
		return nil
	}
	return n
}

// renderPlan is the same price in its older shape, which items, lines and subscriptions still carry.
func (p *price) renderPlan() any {
	r := p.recurring
	if r == nil {
		return nil
	}
	return obj{
		"id": p.id, "object": "plan", "active": p.active, "aggregate_usage": orNil(r.aggregate), "amount": wholeOrNil(p.unit),
		"amount_decimal": orNil(p.unit), "billing_scheme": p.scheme(), "created": p.created, "currency": p.currency,
		"interval": r.interval, "interval_count": r.count, "livemode": false, "metadata": renderMetadata(p.metadata),
		"nickname": orNil(p.nickname), "product": p.product.id, "tiers_mode": orNil(p.tiersMode),
		"transform_usage": p.transform("divide_by"), "trial_period_days": orNil(r.trialDays), "usage_type": r.usage,
	}
}

// renderTiers is only there when it is expanded.
func (p *price) renderTiers() []any {
	list := []any{}
	for _, t := range p.tiers {
		list = append(list, obj{
			"flat_amount": wholeOrNil(t.flat), "flat_amount_decimal": orNil(t.flat), "unit_amount": wholeOrNil(t.unit),
			"unit_amount_decimal": orNil(t.unit), "up_to": orNil(t.upTo),
		})
	}
	return list
}

// expandable gives the fields that an object has only when they are asked for.
func (s *Server) expandable(o obj, name string) (any, bool) {
	id, _ := o["id"].(string)
	if o["object"] == "price" && name == "tiers" {
		if p, ok := s.prices.get(id); ok && p.tiersMode != "" {
			return p.renderTiers(), true
		}
		return nil, true
	}
	if o["object"] == "checkout.session" && name == "line_items" {
		if session, ok := s.sessions.get(id); ok {
			return session.renderItems(s), true
		}
	}
	if o["object"] == "charge" && name == "refunds" {
		list := []any{}
		for _, f := range s.refunds.where(func(f *refund) bool { return f.charge.id == id }) {
			list = append([]any{f.render(s)}, list...)
		}
		return embedded("/v1/charges/"+id+"/refunds", list), true
	}
	if o["object"] == "customer" && name == "subscriptions" {
		list := []any{}
		for _, sub := range s.subscriptions.where(func(sub *subscription) bool { return sub.customer.id == id && !sub.over() }) {
			list = append(list, sub.render(s))
		}
		return embedded("/v1/customers/"+id+"/subscriptions", list), true
	}
	return nil, false
}
