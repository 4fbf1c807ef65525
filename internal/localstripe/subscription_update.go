package localstripe

func updateSubscription(c *call) (any, error) {
	sub, err := c.subscription(c.id(), "id")
	if err != nil {
		return nil, err
	}
	spec := c.changeSpec()
	spec.items = c.itemSpecs("items")
	spec.anchorNow = c.oneOf("billing_cycle_anchor", "unchanged", "now") == "now"
	if spec.trialNow = c.str("trial_end") == "now"; !spec.trialNow {
		spec.trialEnd = c.int("trial_end")
	}
	if c.has("cancel_at_period_end") {
		v := c.bool("cancel_at_period_end")
		spec.cancelAtEnd = &v
	}
	if c.has("cancel_at") {
		v := c.int("cancel_at")
		spec.cancelAt = &v
	}
	with := c.discounting()
	spec.fill = c.plainFields(sub)
	if err := c.finish(); err != nil {
		return nil, err
	}
	if sub.over() {
		return nil, invalid("", "A canceled subscription can only update its cancellation_details.")
	}
	if err := c.discountSubscription(sub, with); err != nil {
		return nil, err
	}
	if err := c.changeSubscription(sub, spec); err != nil {
		return nil, err
	}
	return sub.render(c.Server), nil
}

// discountSubscription changes a subscription's discount before anything is billed.
func (s *Server) discountSubscription(sub *subscription, with discounting) error {
	if !with.given {
		return nil
	}
	d, err := s.newDiscount(with.coupon, with.code, sub.clock().now)
	if err != nil {
		return err
	}
	if d != nil {
		d.customer, d.subscription = sub.customer.id, sub.id
	}
	before, was := sub.render(s), sub.discount
	sub.discount = d
	s.discountEvent(sub.clock(), was, d)
	s.changed(sub.clock(), "customer.subscription.updated", sub, before)
	return nil
}

// plainFields reads what changes nothing of the bill.
func (c *call) plainFields(sub *subscription) func(*subscription) error {
	metadata, description, method := c.metadata(sub.metadata), c.text("description", sub.description), c.text("default_payment_method", sub.defaultMethod)
	collection, days := sub.collection, sub.daysUntilDue
	if c.has("collection_method") {
		collection = c.oneOf("collection_method", "charge_automatically", "send_invoice")
	}
	if c.has("days_until_due") {
		days = c.count("days_until_due")
	}
	missing, save := sub.missingMethod, sub.saveMethod
	if c.has("trial_settings") {
		missing = c.at("trial_settings", "end_behavior").oneOf("missing_payment_method", "create_invoice", "cancel", "pause")
	}
	if c.has("payment_settings", "save_default_payment_method") {
		save = c.at("payment_settings").oneOf("save_default_payment_method", "off", "on_subscription")
	}
	comment, feedback := c.text("", sub.cancellation.comment), sub.cancellation.feedback
	if c.has("cancellation_details") {
		comment, feedback = c.at("cancellation_details").text("comment", comment), c.at("cancellation_details").text("feedback", feedback)
	}
	pause, touched := c.pauseCollection()
	c.at("payment_settings").ignore("payment_method_types", "payment_method_options")
	c.ignore("automatic_tax")
	return func(next *subscription) error {
		if method != sub.defaultMethod && method != "" {
			m, err := c.methodFor(sub.customer, method, "default_payment_method")
			if err != nil {
				return err
			}
			if m.customer == "" {
				return invalidCode("resource_missing", "default_payment_method",
					"The customer does not have a payment method with the ID %s. The payment method must be attached to the customer.", method)
			}
		}
		next.metadata, next.description, next.defaultMethod, next.collection, next.daysUntilDue = metadata, description, method, collection, days
		next.missingMethod, next.saveMethod, next.cancellation.comment, next.cancellation.feedback = missing, save, comment, feedback
		if touched {
			next.pause = pause
		}
		return nil
	}
}

func (c *call) pauseCollection() (*pauseCollection, bool) {
	k := c.at("pause_collection")
	if k.given && k.value == "" {
		return nil, true
	}
	if !c.has("pause_collection") {
		return nil, false
	}
	k.required("behavior")
	return &pauseCollection{
		behavior: k.oneOf("behavior", "keep_as_draft", "mark_uncollectible", "void"), resumesAt: k.int("resumes_at"),
	}, true
}

// changeSubscription plans the change, asks for the money first where the caller wants that, and makes it.
func (s *Server) changeSubscription(sub *subscription, spec changeSpec) error {
	if sub.status == "incomplete" && spec.bills() {
		return invalid("", "This subscription cannot be changed while its status is `incomplete`: only metadata and payment methods can be updated.")
	}
	plan, err := s.planChange(sub, spec)
	if err != nil {
		return err
	}
	if spec.trialNow && sub.status == "trialing" && s.subscriptionMethod(sub) == nil && sub.missingMethod != "create_invoice" {
		s.change(sub.clock(), "customer.subscription.updated", sub, func() { sub.trialEnd = sub.clock().now })
		s.endTrialWithoutMethod(sub)
		return nil
	}
	if plan.billNow && (spec.behavior == "error_if_incomplete" || spec.behavior == "pending_if_incomplete") {
		refusal := s.foresee(sub, plan)
		if refusal != nil && spec.behavior == "error_if_incomplete" {
			return refusal
		}
		if refusal != nil {
			s.hold(sub, plan)
			return nil
		}
	}
	s.together(func() { s.makeChange(sub, plan) })
	return nil
}

// foresee says whether the payment that a change asks for will be refused.
func (s *Server) foresee(sub *subscription, plan *changePlan) *apiError {
	total := int64(0)
	for _, l := range s.planLines(sub, plan) {
		total += l.amount
	}
	if _, due := settleBalance(sub.customer.balance, total); due == 0 || sub.collection == "send_invoice" {
		return nil
	}
	m := s.subscriptionMethod(sub)
	if m == nil {
		return invalidCode("resource_missing", "", "This customer has no attached payment source or default payment method.")
	}
	if m.does.authenticates == "always" {
		return &apiError{status: 402, kind: "card_error", code: "subscription_payment_intent_requires_action",
			message: "Payment for this subscription requires additional user action before it can be completed successfully."}
	}
	return m.does.refusal()
}

// planLines is what the invoice of a change would hold, besides what waits already.
func (s *Server) planLines(sub *subscription, plan *changePlan) []*line {
	var lines []*line
	for _, i := range plan.prorations {
		lines = append(lines, i.line(&invoice{}))
	}
	if plan.restarts {
		lines = append(lines, plan.newPeriodLines(sub)...)
	}
	return lines
}

func (plan *changePlan) newPeriodLines(sub *subscription) []*line {
	var lines []*line
	for _, it := range plan.next.items {
		if it.price.metered() {
			continue
		}
		l := plan.next.periodLine(it)
		l.sub = sub
		if plan.next.status == "trialing" {
			l.amount, l.description, l.proration = 0, "Trial period for "+it.price.product.name, false
		}
		lines = append(lines, l)
	}
	return lines
}

// makeChange writes the plan into the subscription, with all its events.
func (s *Server) makeChange(sub *subscription, plan *changePlan) {
	before := sub.render(s)
	oldStart, now := sub.periodStart, sub.clock().now
	usage := s.usageBefore(sub, plan, oldStart, now)
	s.adopt(sub, plan)
	for _, i := range plan.prorations {
		s.addItem(i)
	}
	var inv *invoice
	if plan.billNow {
		inv = s.newInvoice(sub.customer, sub, "subscription_update", false)
		for _, l := range usage {
			s.addLine(inv, l)
		}
		if plan.restarts {
			for _, l := range plan.newPeriodLines(sub) {
				s.addLine(inv, l)
			}
		}
		sub.latest = inv
	}
	s.changed(sub.clock(), "customer.subscription.updated", sub, before)
	s.schedulePeriod(sub)
	s.followPlan(sub, plan)
	if inv != nil {
		s.billNow(inv)
	}
}

// usageBefore bills what metered items measured when the period restarts.
func (s *Server) usageBefore(sub *subscription, plan *changePlan, from, to int64) []*line {
	var lines []*line
	for _, it := range sub.items {
		if plan.restarts && it.price.metered() && s.used(it, from, to) > 0 {
			lines = append(lines, s.usageLine(it, from, to))
		}
	}
	return lines
}

// adopt copies the plan's items into the ones that others point to.
func (s *Server) adopt(sub *subscription, plan *changePlan) {
	var items []*item
	for _, pair := range pairs(sub.items, plan.items) {
		switch {
		case pair.after == nil:
			pair.before.deleted = true
		case pair.before == nil:
			s.openItem(pair.after)
			items = append(items, pair.after)
		default:
			*pair.before = *pair.after
			items = append(items, pair.before)
		}
	}
	*sub = plan.next
	sub.items = items
	for _, i := range plan.prorations {
		for _, it := range items {
			if i.item != nil && i.item.id == it.id {
				i.item = it
			}
		}
	}
}

// followPlan plans what the new state leads to by itself.
func (s *Server) followPlan(sub *subscription, plan *changePlan) {
	if plan.spec.trialEnd != 0 {
		s.scheduleTrial(sub)
	}
	if pause := sub.pause; pause != nil && pause.resumesAt != 0 {
		sub.clock().at(pause.resumesAt, func() {
			if sub.pause == pause && !sub.over() {
				s.change(sub.clock(), "customer.subscription.updated", sub, func() { sub.pause = nil })
			}
		})
	}
}
