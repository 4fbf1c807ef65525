package localstripe

// schedule changes a subscription phase by phase.
type schedule struct {
	id, status, endBehavior                 string
	customer                                *customer
	sub                                     *subscription
	released                                string // the subscription that it let go
	phases                                  []*phase
	created, canceledAt, completedAt, freed int64
	metadata                                map[string]string
}

// phase is one stretch of a schedule.
type phase struct {
	items                 []itemSpec
	prices                []*price
	start, end            int64
	iterations, trialEnd  int64
	proration, collection string
	metadata              map[string]string
	hasMetadata           bool
}

func (k *schedule) identity() string { return k.id }
func (k *schedule) createdAt() int64 { return k.created }
func (k *schedule) clock() *clock    { return k.customer.clock }

func (k *schedule) render(*Server) obj {
	phases := []any{}
	for _, p := range k.phases {
		phases = append(phases, p.render())
	}
	var current any
	if p := k.current(); p != nil && k.status == "active" {
		current = obj{"start_date": p.start, "end_date": p.end}
	}
	return obj{
		"id": k.id, "object": "subscription_schedule", "application": nil, "canceled_at": orNil(k.canceledAt),
		"completed_at": orNil(k.completedAt), "created": k.created, "current_phase": current, "customer": k.customer.id,
		"default_settings": obj{
			"application_fee_percent": nil, "automatic_tax": obj{"enabled": false, "liability": nil}, "billing_cycle_anchor": "automatic",
			"billing_thresholds": nil, "collection_method": "charge_automatically", "default_payment_method": nil, "description": nil,
			"invoice_settings": obj{"account_tax_ids": nil, "days_until_due": nil, "issuer": obj{"type": "self"}},
			"on_behalf_of":     nil, "transfer_data": nil,
		},
		"end_behavior": k.endBehavior, "livemode": false, "metadata": renderMetadata(k.metadata), "phases": phases,
		"released_at": orNil(k.freed), "released_subscription": orNil(k.released), "status": k.status,
		"subscription": idOrNil(k.sub), "test_clock": orNil(k.clock().id),
	}
}

func (p *phase) render() obj {
	items := []any{}
	for i, spec := range p.items {
		o := obj{
			"billing_thresholds": nil, "metadata": obj{}, "plan": p.prices[i].id, "price": p.prices[i].id, "tax_rates": []any{},
		}
		if !p.prices[i].metered() {
			o["quantity"] = spec.seats()
		}
		items = append(items, o)
	}
	return obj{
		"add_invoice_items": []any{}, "application_fee_percent": nil, "billing_cycle_anchor": nil, "billing_thresholds": nil,
		"collection_method": orNil(p.collection), "coupon": nil, "currency": p.prices[0].currency, "default_payment_method": nil,
		"default_tax_rates": []any{}, "description": nil, "end_date": p.end, "invoice_settings": nil, "items": items,
		"metadata": renderMetadata(p.metadata), "on_behalf_of": nil, "proration_behavior": p.proration, "start_date": p.start,
		"transfer_data": nil, "trial_end": orNil(p.trialEnd),
	}
}

func (spec itemSpec) seats() int64 {
	if spec.hasQuantity {
		return spec.quantity
	}
	return 1
}

func (k *schedule) current() *phase {
	now := k.clock().now
	for _, p := range k.phases {
		if p.start <= now && now < p.end {
			return p
		}
	}
	return nil
}

func (k *schedule) last() *phase { return k.phases[len(k.phases)-1] }

// over: it changes nothing any more.
func (k *schedule) over() bool { return k.status != "not_started" && k.status != "active" }

// follow plans the starts and ends of all phases, and the warning before the last.
func (s *Server) follow(k *schedule) {
	for i, p := range k.phases {
		if p.start > k.clock().now {
			k.clock().at(p.start, func() {
				if !k.over() && i < len(k.phases) && k.phases[i] == p {
					s.enter(k, p)
				}
			})
		}
	}
	last := k.last()
	k.clock().at(last.end-7*86400, func() {
		if k.status == "active" && k.last() == last {
			s.tell(k.clock(), "subscription_schedule.expiring", k)
		}
	})
	k.clock().at(last.end, func() {
		if k.status == "active" && k.last() == last {
			s.complete(k)
		}
	})
}

// enter begins a phase: with a new subscription, or by changing the one there is.
func (s *Server) enter(k *schedule, p *phase) {
	var err error
	if k.sub == nil {
		err = s.begin(k, p)
	} else {
		err = s.changeSubscription(k.sub, changeSpec{
			items: p.against(k.sub), proration: p.proration, fill: func(next *subscription) error {
				if p.hasMetadata {
					next.metadata = p.metadata
				}
				return nil
			},
		})
		if err == nil {
			s.tell(k.clock(), "subscription_schedule.updated", k)
		}
	}
	if err != nil {
		s.log.Error("local Stripe: a schedule's phase cannot begin", "schedule", k.id, "error", err)
	}
}

// begin starts the subscription. Its first invoice is a draft for an hour, as all that nobody asked for.
func (s *Server) begin(k *schedule, p *phase) error {
	spec := subscriptionSpec{
		items: p.items, trialEnd: p.trialEnd, proration: p.proration, collection: "charge_automatically", behavior: "default_incomplete",
		metadata: map[string]string{}, missingMethod: "create_invoice", saveMethod: "off", drafts: true,
	}
	if p.hasMetadata {
		spec.metadata = p.metadata
	}
	sub, _, err := s.subscribe(k.customer, spec)
	if err != nil {
		return err
	}
	k.sub, k.status = sub, "active"
	sub.schedule = k
	return nil
}

// against says how the subscription's items become the phase's: by price, or, one for one, in place.
func (p *phase) against(sub *subscription) []itemSpec {
	if len(p.items) == 1 && len(sub.items) == 1 {
		spec := p.items[0]
		spec.id = sub.items[0].id
		if !p.prices[0].metered() {
			spec.quantity, spec.hasQuantity = spec.seats(), true
		}
		return []itemSpec{spec}
	}
	var specs []itemSpec
	kept := map[string]bool{}
	for i, spec := range p.items {
		for _, it := range sub.items {
			if it.price == p.prices[i] {
				spec.id, kept[it.id] = it.id, true
			}
		}
		specs = append(specs, spec)
	}
	for _, it := range sub.items {
		if !kept[it.id] {
			specs = append(specs, itemSpec{id: it.id, remove: true, metadata: newParams()})
		}
	}
	return specs
}

// complete ends the schedule when its last phase is over.
func (s *Server) complete(k *schedule) {
	sub := k.sub
	before := k.render(s)
	k.status, k.completedAt = "completed", k.clock().now
	if k.endBehavior == "cancel" {
		s.cancelNow(sub, cancellation{reason: "cancellation_requested"})
	} else {
		s.letGo(k)
	}
	s.changed(k.clock(), "subscription_schedule.completed", k, before)
}

// letGo leaves the subscription to itself.
func (s *Server) letGo(k *schedule) {
	sub := k.sub
	if sub == nil {
		return
	}
	s.change(sub.clock(), "customer.subscription.updated", sub, func() { sub.schedule = nil })
	k.released, k.sub = sub.id, nil
}

// subscriptionGone ends the schedule of a subscription that was canceled by other means.
func (s *Server) subscriptionGone(sub *subscription, reason string) {
	k := sub.schedule
	if k == nil || k.over() {
		return
	}
	kind := "subscription_schedule.canceled"
	if reason == "payment_failed" {
		kind = "subscription_schedule.aborted"
	}
	s.change(k.clock(), kind, k, func() { k.status, k.canceledAt = "canceled", k.clock().now })
}
