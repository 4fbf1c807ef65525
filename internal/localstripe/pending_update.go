package localstripe

// pendingUpdate is a change that waits for its invoice to be paid (payment_behavior=pending_if_incomplete).
type pendingUpdate struct {
	plan    *changePlan
	invoice *invoice
	expires int64
}

func (p *pendingUpdate) render(s *Server) any {
	if p == nil {
		return nil
	}
	items := []any{}
	for _, it := range p.plan.items {
		items = append(items, it.render(s))
	}
	var anchor any
	if p.plan.restarts {
		anchor = p.plan.next.anchor
	}
	return obj{
		"billing_cycle_anchor": anchor, "expires_at": p.expires, "subscription_items": items,
		"trial_end": nil, "trial_from_plan": nil,
	}
}

// hold bills a change that cannot be paid now, and leaves the subscription as it was until it is.
func (s *Server) hold(sub *subscription, plan *changePlan) {
	s.together(func() {
		before := sub.render(s)
		inv := s.newInvoice(sub.customer, sub, "subscription_update", false)
		for _, i := range plan.prorations {
			i.customer = sub.customer
			s.addItem(i)
			s.take(inv, i)
		}
		if plan.restarts {
			for _, l := range plan.newPeriodLines(sub) {
				s.addLine(inv, l)
			}
		}
		sub.latest = inv
		sub.pending = &pendingUpdate{plan: plan, invoice: inv, expires: sub.clock().now + incompleteLife}
		s.changed(sub.clock(), "customer.subscription.updated", sub, before)
		s.billNow(inv)
	})
	held := sub.pending
	if held == nil {
		return
	}
	sub.clock().at(held.expires, func() {
		if sub.pending == held {
			s.void(held.invoice)
		}
	})
}

// pendingDone applies the change when its invoice was paid, and forgets it when the invoice is gone.
func (s *Server) pendingDone(sub *subscription, paid bool) {
	held := sub.pending
	before := sub.render(s)
	if !paid {
		sub.pending = nil
		s.changed(sub.clock(), "customer.subscription.updated", sub, before)
		s.tell(sub.clock(), "customer.subscription.pending_update_expired", sub)
		return
	}
	held.plan.next.latest = held.invoice
	s.adopt(sub, &changePlan{next: held.plan.next, items: held.plan.items})
	sub.pending = nil
	s.changed(sub.clock(), "customer.subscription.updated", sub, before)
	s.tell(sub.clock(), "customer.subscription.pending_update_applied", sub)
	s.schedulePeriod(sub)
}
