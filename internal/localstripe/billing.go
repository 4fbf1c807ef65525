package localstripe

// newInvoice is a draft with everything that waits for it.
func (s *Server) newInvoice(u *customer, sub *subscription, reason string, loose bool) *invoice {
	now := u.clock.now
	inv := &invoice{
		id: s.id("in"), status: "draft", reason: reason, collection: "charge_automatically", customer: u, sub: sub,
		created: now, periodStart: now, periodEnd: now, autoAdvance: true, metadata: map[string]string{}, currency: u.currency,
	}
	if sub != nil {
		inv.collection, inv.daysUntilDue, inv.currency = sub.collection, sub.daysUntilDue, sub.currency
		inv.subMetadata = sub.metadata
		inv.discount = discountOf(u, sub)
	}
	for _, i := range s.waiting(u, sub, loose) {
		s.take(inv, i)
	}
	s.invoices.add(inv)
	return inv
}

// addLine puts a position of the subscription itself on an invoice.
func (s *Server) addLine(inv *invoice, l *line) {
	l.id, l.invoice = s.id("il"), inv
	inv.lines = append(inv.lines, l)
}

// finalize fixes an invoice: its number, what the balance pays, and the payment that it asks for.
func (s *Server) finalize(inv *invoice) {
	before := inv.render(s)
	u := inv.customer
	wasCustomer := u.render(s)
	inv.startingBalance = u.balance
	after, due := settleBalance(u.balance, inv.total())
	inv.applied = inv.total() - due
	u.balance = after
	inv.endingBalance = &after
	inv.status, inv.finalizedAt = "open", inv.clock().now
	inv.number = u.invoicePrefix + "-" + pad(u.invoiceSequence)
	u.invoiceSequence++
	inv.nextAttempt = 0
	if inv.collection == "send_invoice" {
		inv.dueDate = inv.clock().now + inv.daysUntilDue*86400
	}
	if due > 0 {
		pi := s.newIntent(inv.clock(), due, inv.currency, u.id)
		pi.invoice, inv.intent, pi.description = inv, pi, intentDescription(inv)
		if inv.reason == "subscription_create" {
			// The card that pays the first invoice is kept for the next ones.
			pi.setupFuture = "off_session"
		}
		s.intents.add(pi)
	}
	if inv.startingBalance != after {
		s.changed(u.clock, "customer.updated", u, wasCustomer)
	}
	if s.batch == nil {
		s.changed(inv.clock(), "invoice.updated", inv, before)
	}
	s.tell(inv.clock(), "invoice.finalized", inv)
	if inv.intent != nil {
		s.tell(inv.clock(), "payment_intent.created", inv.intent)
	}
	if due == 0 {
		s.settle(inv, false)
	}
}

func intentDescription(inv *invoice) string {
	switch inv.reason {
	case "subscription_create":
		return "Subscription creation"
	case "subscription_update", "subscription_cycle":
		return "Subscription update"
	}
	return inv.description
}

func pad(n int64) string {
	digits := itoa(n)
	for len(digits) < 4 {
		digits = "0" + digits
	}
	return digits
}

// settle marks an invoice paid and lets its subscription know.
func (s *Server) settle(inv *invoice, outOfBand bool) {
	before := inv.render(s)
	inv.status, inv.paidAt, inv.paidAmount, inv.nextAttempt, inv.outOfBand = "paid", inv.clock().now, inv.due(), 0, outOfBand
	inv.attempted, inv.autoAdvance = true, false
	if outOfBand {
		s.cancelIntent(inv.intent, "void_invoice")
	}
	if s.batch == nil {
		s.changed(inv.clock(), "invoice.updated", inv, before)
	}
	s.tell(inv.clock(), "invoice.paid", inv)
	if !outOfBand {
		s.tell(inv.clock(), "invoice.payment_succeeded", inv)
	}
	s.closed(inv)
}

// closed tells a subscription that an invoice is paid, void or uncollectible: each ends what it waited for.
func (s *Server) closed(inv *invoice) {
	sub := inv.sub
	if sub == nil || sub.over() {
		return
	}
	switch {
	case sub.status == "incomplete" && inv.reason == "subscription_create" && inv.status == "paid":
		s.activate(sub)
	case (sub.status == "past_due" || sub.status == "unpaid") && sub.latest == inv:
		s.activate(sub)
	case sub.status == "paused" && sub.resuming == inv && inv.status == "paid":
		s.resumed(sub)
	case sub.pending != nil && sub.pending.invoice == inv:
		s.pendingDone(sub, inv.status == "paid")
	}
}

func (s *Server) activate(sub *subscription) {
	do := func() {
		sub.status = "active"
		if sub.trialEnd > sub.clock().now {
			sub.status = "trialing"
		}
		if m := sub.latest.intent; sub.saveMethod == "on_subscription" && m != nil && m.method != nil {
			sub.defaultMethod = m.method.id
		}
	}
	if sub.fresh {
		do()
	} else {
		s.change(sub.clock(), "customer.subscription.updated", sub, do)
	}
	if u := sub.customer; u.delinquent {
		s.change(u.clock, "customer.updated", u, func() { u.delinquent = false })
	}
}

// methodOf is the payment method that an invoice is charged to.
func (s *Server) methodOf(inv *invoice) *paymentMethod {
	candidates := []string{inv.defaultMethod}
	if inv.sub != nil {
		candidates = append(candidates, inv.sub.defaultMethod)
	}
	for _, id := range append(candidates, inv.customer.defaultMethod) {
		if m, ok := s.methods.get(id); ok && m.customer == inv.customer.id {
			return m
		}
	}
	return nil
}

// billNow bills what stands whether or not its invoice is paid. A refusal isn't lost: collect has told of it by
// invoice.payment_failed, and what it means for the subscription was done there.
func (s *Server) billNow(inv *invoice) {
	_ = s.tryBilling(inv)
}

// tryBilling tells of an invoice, finalises it and collects it in one go, as changes that bill at once do. The error
// is the refusal.
func (s *Server) tryBilling(inv *invoice) *apiError {
	var refusal *apiError
	s.together(func() {
		s.tell(inv.clock(), "invoice.created", inv)
		if inv.collection == "send_invoice" || inv.sub != nil && inv.sub.pause != nil {
			s.scheduleFinalize(inv)
			return
		}
		s.finalize(inv)
		refusal = s.collect(inv, s.methodOf(inv), attempting{offSession: true})
	})
	return refusal
}
