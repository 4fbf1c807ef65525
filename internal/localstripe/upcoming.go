package localstripe

// upcoming previews the next invoice, with or without a change. It changes nothing.
func upcomingInvoice(c *call) (any, error) {
	inv, err := c.preview()
	if err != nil {
		return nil, err
	}
	return inv.render(c.Server), nil
}

func upcomingLines(c *call) (any, error) {
	pg := c.page()
	inv, err := c.preview()
	if err != nil {
		return nil, err
	}
	return answerOrdered(c.Server, pg, "/v1/invoices/upcoming/lines", inv.lines)
}

func (c *call) preview() (*invoice, error) {
	customerID, subID := c.str("customer"), c.str("subscription")
	spec := changeSpec{
		items: c.itemSpecs("subscription_items"), date: c.int("subscription_proration_date"),
		proration: c.oneOf("subscription_proration_behavior", "create_prorations", "always_invoice", "none"),
		anchorNow: c.oneOf("subscription_billing_cycle_anchor", "unchanged", "now") == "now",
		trialNow:  c.str("subscription_trial_end") == "now", fill: func(*subscription) error { return nil },
	}
	if !spec.trialNow {
		spec.trialEnd = c.int("subscription_trial_end")
	}
	if c.has("subscription_cancel_at_period_end") {
		v := c.bool("subscription_cancel_at_period_end")
		spec.cancelAtEnd = &v
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	sub, err := c.previewed(customerID, subID)
	if err != nil {
		return nil, err
	}
	for _, entry := range spec.items {
		if entry.inline != nil {
			return nil, invalid(entry.path, "The local Stripe previews existing prices only.")
		}
	}
	plan, err := c.planChange(sub, spec)
	if err != nil {
		return nil, err
	}
	return c.previewInvoice(sub, plan)
}

func (s *Server) previewed(customerID, subID string) (*subscription, error) {
	if subID != "" {
		return s.subscription(subID, "subscription")
	}
	u, err := s.customer(customerID, "customer")
	if err != nil {
		return nil, err
	}
	live := s.subscriptions.where(func(sub *subscription) bool { return sub.customer == u && !sub.over() })
	if len(live) == 0 {
		return nil, noUpcoming(u)
	}
	return live[0], nil
}

func noUpcoming(u *customer) *apiError {
	return &apiError{
		status: 404, kind: invalidRequest, code: "invoice_upcoming_none", message: "No upcoming invoices for customer: " + u.id,
	}
}

// previewInvoice writes the invoice of the change itself when it bills at once, else the next renewal's.
func (s *Server) previewInvoice(sub *subscription, plan *changePlan) (*invoice, error) {
	u := sub.customer
	inv := &invoice{
		status: "draft", reason: "upcoming", collection: sub.collection, customer: u, sub: sub, subMetadata: sub.metadata,
		currency: sub.currency, created: sub.periodEnd, periodStart: sub.periodStart, periodEnd: sub.periodEnd,
		nextAttempt: sub.periodEnd + draftLife, autoAdvance: true, discount: discountOf(u, sub), metadata: map[string]string{},
	}
	add := func(l *line) {
		l.invoice, l.id = inv, "il_tmp_"+itoa(int64(len(inv.lines)+1))
		inv.lines = append(inv.lines, l)
	}
	for _, i := range s.waiting(u, sub, !plan.billNow) {
		add(i.line(inv))
	}
	for _, l := range s.planLines(sub, plan) {
		add(l)
	}
	if plan.billNow {
		inv.created, inv.nextAttempt = sub.clock().now, sub.clock().now
		return inv, nil
	}
	if sub.over() || plan.next.cancelAt != 0 && plan.next.cancelAt <= plan.next.periodEnd {
		if len(inv.lines) == 0 {
			return nil, noUpcoming(u)
		}
		return inv, nil
	}
	next := plan.next
	next.status, next.periodStart = "active", plan.next.periodEnd
	next.periodEnd = next.periodEndAfter(next.periodStart)
	for _, it := range next.items {
		l := s.upcomingLine(&next, it, plan.next.periodStart, plan.next.periodEnd)
		l.sub = sub
		add(l)
	}
	return inv, nil
}

func (s *Server) upcomingLine(next *subscription, it *item, from, to int64) *line {
	if it.price.metered() {
		return s.usageLine(it, from, to)
	}
	return next.periodLine(it)
}

// upcomingBefore is how long before a renewal it is foretold.
const upcomingBefore = 7 * 86400

// tellUpcoming sends invoice.upcoming, whose invoice has no id yet. Invoices that are sent aren't foretold.
func (s *Server) tellUpcoming(sub *subscription, end int64) {
	collected := sub.collection == "charge_automatically" && (sub.status == "active" || sub.status == "trialing" || sub.status == "past_due")
	if !collected || sub.periodEnd != end || sub.foretold == end || sub.cancelAt != 0 {
		return
	}
	plan, err := s.planChange(sub, changeSpec{fill: func(*subscription) error { return nil }})
	if err != nil {
		s.log.Error("local Stripe: foretelling an invoice", "subscription", sub.id, "error", err)
		return
	}
	inv, err := s.previewInvoice(sub, plan)
	if err != nil {
		return // nothing will be billed
	}
	sub.foretold = end
	s.emit(sub.clock(), "invoice.upcoming", inv.render(s), nil)
}
