package localstripe

// cancelNow ends a subscription. Its invoices are no longer collected by themselves.
func (s *Server) cancelNow(sub *subscription, why cancellation) {
	now := sub.clock().now
	sub.status, sub.endedAt, sub.cancellation, sub.pending = "canceled", now, why, nil
	if sub.canceledAt == 0 {
		sub.canceledAt = now
	}
	s.tell(sub.clock(), "customer.subscription.deleted", sub)
	s.subscriptionGone(sub, why.reason)
	for _, inv := range s.invoices.where(func(inv *invoice) bool {
		return inv.sub == sub && inv.autoAdvance && (inv.status == "open" || inv.status == "draft")
	}) {
		s.change(inv.clock(), "invoice.updated", inv, func() { inv.autoAdvance, inv.nextAttempt = false, 0 })
	}
}

// lastInvoice bills what a subscription that ends still owes: usage and pending items.
func (s *Server) lastInvoice(sub *subscription) {
	var usage []*line
	for _, it := range sub.items {
		if it.price.metered() && s.used(it, sub.periodStart, sub.periodEnd) > 0 {
			usage = append(usage, s.usageLine(it, sub.periodStart, sub.clock().now))
		}
	}
	if len(usage) == 0 && len(s.waiting(sub.customer, sub, false)) == 0 {
		return
	}
	inv := s.newInvoice(sub.customer, sub, "subscription_cycle", false)
	for _, l := range usage {
		s.addLine(inv, l)
	}
	inv.periodStart, inv.periodEnd = sub.periodStart, sub.clock().now
	sub.latest = inv
	s.billNow(inv)
}

func cancelSubscription(c *call) (any, error) {
	sub, err := c.subscription(c.id(), "id")
	if err != nil {
		return nil, err
	}
	why := cancellation{
		reason: "cancellation_requested", comment: c.str("cancellation_details", "comment"), feedback: c.str("cancellation_details", "feedback"),
	}
	prorate, invoiceNow := c.bool("prorate"), c.bool("invoice_now")
	if err := c.finish(); err != nil {
		return nil, err
	}
	if sub.over() {
		return nil, noSuch(404, "subscription", sub.id, "id")
	}
	if prorate && sub.status != "trialing" && sub.status != "incomplete" {
		for _, credit := range c.credits(sub, sub.items, sub.clock().now) {
			c.addItem(credit)
		}
	}
	if invoiceNow {
		c.lastInvoice(sub)
	}
	first := sub.status == "incomplete"
	c.cancelNow(sub, why)
	if first {
		c.void(sub.latest)
	}
	return sub.render(c.Server), nil
}

func resumeSubscription(c *call) (any, error) {
	sub, err := c.subscription(c.id(), "id")
	if err != nil {
		return nil, err
	}
	anchor := c.oneOf("billing_cycle_anchor", "now", "unchanged")
	c.oneOf("proration_behavior", "create_prorations", "always_invoice", "none")
	c.ignore("proration_date")
	if err := c.finish(); err != nil {
		return nil, err
	}
	if sub.status != "paused" {
		return nil, invalid("", "This subscription cannot be resumed because it is not paused.")
	}
	now := sub.clock().now
	before := sub.render(c.Server)
	if anchor == "now" {
		sub.anchor = now
	}
	sub.periodStart = now
	sub.periodEnd = sub.periodEndAfter(now)
	c.changed(sub.clock(), "customer.subscription.updated", sub, before)
	inv := c.newInvoice(sub.customer, sub, "subscription_update", true)
	for _, it := range sub.items {
		if !it.price.metered() {
			c.addLine(inv, sub.periodLine(it))
		}
	}
	sub.latest, sub.resuming = inv, inv
	c.schedulePeriod(sub)
	if refusal := c.tryBilling(inv); refusal != nil {
		inv.clock().at(now+incompleteLife, func() {
			if inv.status == "open" && sub.status == "paused" {
				c.Server.void(inv)
			}
		})
	}
	return sub.render(c.Server), nil
}

func (s *Server) resumed(sub *subscription) {
	sub.resuming = nil
	s.change(sub.clock(), "customer.subscription.updated", sub, func() { sub.status = "active" })
	s.tell(sub.clock(), "customer.subscription.resumed", sub)
}
