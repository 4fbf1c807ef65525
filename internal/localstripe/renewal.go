package localstripe

// draftLife is how long a renewal's invoice can be changed before it is finalised.
const draftLife = 3600

// turn is what happens when a subscription's period is over.
func (s *Server) turn(sub *subscription) {
	now := sub.clock().now
	switch {
	case sub.status == "incomplete" && sub.cancelAt != 0 && sub.cancelAt <= now:
		s.cancelNow(sub, cancellation{reason: "cancellation_requested"})
		s.void(sub.latest)
		return
	case sub.status == "incomplete":
		return
	case sub.cancelAt != 0 && sub.cancelAt <= now:
		s.lastInvoice(sub)
		s.cancelNow(sub, cancellation{reason: "cancellation_requested", comment: sub.cancellation.comment, feedback: sub.cancellation.feedback})
		return
	case sub.status == "paused":
		return
	case sub.status == "trialing" && s.subscriptionMethod(sub) == nil && sub.collection == "charge_automatically":
		if s.endTrialWithoutMethod(sub) {
			return
		}
	}
	s.renew(sub)
}

// renew begins the next period and drafts its invoice.
func (s *Server) renew(sub *subscription) {
	before := sub.render(s)
	oldStart, oldEnd := sub.periodStart, sub.periodEnd
	if sub.status == "trialing" {
		sub.status = "active"
	}
	sub.periodStart = oldEnd
	sub.periodEnd = sub.periodEndAfter(oldEnd)
	inv := s.newInvoice(sub.customer, sub, "subscription_cycle", true)
	inv.periodStart, inv.periodEnd = oldStart, oldEnd
	s.addPeriodLines(inv, sub, oldStart, oldEnd)
	s.useUp(inv)
	sub.latest = inv
	inv.nextAttempt = inv.created + draftLife
	if sub.status == "unpaid" || sub.collection == "send_invoice" {
		inv.nextAttempt = 0
	}
	inv.autoAdvance = sub.status != "unpaid"
	s.changed(sub.clock(), "customer.subscription.updated", sub, before)
	s.schedulePeriod(sub)
	if sub.pause != nil && sub.pause.behavior == "keep_as_draft" {
		inv.autoAdvance, inv.nextAttempt = false, 0
	}
	s.tell(inv.clock(), "invoice.created", inv)
	s.scheduleFinalize(inv)
}

// addPeriodLines bills the period that begins, and what metered prices measured in the one that ends.
func (s *Server) addPeriodLines(inv *invoice, sub *subscription, usedFrom, usedTo int64) {
	for _, it := range sub.items {
		if it.price.metered() {
			s.addLine(inv, s.usageLine(it, usedFrom, usedTo))
			continue
		}
		s.addLine(inv, sub.periodLine(it))
	}
}

// periodLine is an item's whole period, or its share when cancel_at cuts the period short.
func (sub *subscription) periodLine(it *item) *line {
	natural := sub.recurring().after(sub.anchor, sub.periodStart)
	l := &line{
		description: itemDescription(it), currency: sub.currency, start: sub.periodStart, end: sub.periodEnd, price: it.price,
		quantity: it.quantity, sub: sub, item: it, metadata: sub.metadata, amount: cents(it.price.amount(it.quantity)),
	}
	if sub.periodEnd < natural {
		whole := natural - sub.recurring().before(sub.anchor, natural)
		l.amount = share(it.price.amount(it.quantity), sub.periodEnd-sub.periodStart, whole)
		l.proration = true
	}
	return l
}

// before is the moment of the rhythm that precedes one of its moments.
func (r *recurring) before(anchor, moment int64) int64 {
	n := int64(0)
	for r.step(anchor, n) >= moment {
		n--
	}
	for r.step(anchor, n+1) < moment {
		n++
	}
	return r.step(anchor, n)
}

// scheduleFinalize plans the end of a draft.
func (s *Server) scheduleFinalize(inv *invoice) {
	s.finalizeAt(inv, inv.created+draftLife)
}

// draftLifeMax is how long an unacknowledged invoice.created can hold an invoice up.
const draftLifeMax = 72 * 3600

func (s *Server) finalizeAt(inv *invoice, at int64) {
	inv.clock().at(at, func() {
		switch {
		case inv.status != "draft" || !inv.autoAdvance:
		case at < inv.created+draftLifeMax && s.unheard(inv):
			s.finalizeAt(inv, at+draftLife)
		default:
			s.finalizeAndCollect(inv)
		}
	})
}

// unheard: some endpoint has not acknowledged that the invoice was created.
func (s *Server) unheard(inv *invoice) bool {
	for i := len(s.events.order) - 1; i >= 0; i-- {
		if e := s.events.order[i]; e.kind == "invoice.created" && e.object["id"] == inv.id {
			return s.out.waits(e.id)
		}
	}
	return false
}

func (s *Server) finalizeAndCollect(inv *invoice) {
	s.finalize(inv)
	if inv.status != "open" {
		return
	}
	if inv.sub != nil && inv.sub.pause != nil {
		s.paused(inv)
		return
	}
	if inv.collection == "send_invoice" {
		s.send(inv)
		return
	}
	if inv.autoAdvance {
		s.collectUnasked(inv)
	}
}

// paused does with an invoice what pause_collection asks for.
func (s *Server) paused(inv *invoice) {
	switch inv.sub.pause.behavior {
	case "void":
		s.void(inv)
	case "mark_uncollectible":
		s.giveUpInvoice(inv)
	}
}

// send is for customers who pay by themselves; what isn't paid by its due date is past due.
func (s *Server) send(inv *invoice) {
	s.tell(inv.clock(), "invoice.sent", inv)
	inv.clock().at(inv.dueDate, func() {
		if inv.status != "open" || inv.sub == nil || inv.sub.over() {
			return
		}
		if sub := inv.sub; sub.status == "active" && sub.latest == inv {
			s.change(sub.clock(), "customer.subscription.updated", sub, func() { sub.status = "past_due" })
		}
	})
}

func (s *Server) subscriptionMethod(sub *subscription) *paymentMethod {
	return s.methodOf(&invoice{customer: sub.customer, sub: sub})
}

// endTrialWithoutMethod cancels or pauses where the subscription says so; otherwise it bills on.
func (s *Server) endTrialWithoutMethod(sub *subscription) bool {
	switch sub.missingMethod {
	case "cancel":
		s.cancelNow(sub, cancellation{reason: "cancellation_requested"})
		return true
	case "pause":
		s.change(sub.clock(), "customer.subscription.updated", sub, func() { sub.status = "paused" })
		s.tell(sub.clock(), "customer.subscription.paused", sub)
		return true
	}
	return false
}

// scheduleTrial plans the warning three days before a trial's end, or gives it at once when that is over.
func (s *Server) scheduleTrial(sub *subscription) {
	end := sub.trialEnd
	if end == 0 {
		return
	}
	warn := func() {
		if sub.trialEnd == end && sub.status == "trialing" {
			s.tell(sub.clock(), "customer.subscription.trial_will_end", sub)
		}
	}
	if at := end - 3*86400; at > sub.clock().now {
		sub.clock().at(at, warn)
		return
	}
	warn()
}
