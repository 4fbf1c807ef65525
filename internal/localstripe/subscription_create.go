package localstripe

func createSubscription(c *call) (any, error) {
	customerID := c.required("customer")
	spec := c.subscriptionSpec()
	if err := c.finish(); err != nil {
		return nil, err
	}
	u, err := c.customer(customerID, "customer")
	if err != nil {
		return nil, err
	}
	sub, refusal, err := c.subscribe(u, spec)
	if err != nil {
		return nil, err
	}
	if refusal != nil && spec.behavior == "error_if_incomplete" {
		return nil, refusal
	}
	return sub.render(c.Server), nil
}

// subscribe creates a subscription and bills its first period. The refusal is the card's; the subscription
// is then incomplete, or, with error_if_incomplete, was never made.
func (s *Server) subscribe(u *customer, spec subscriptionSpec) (*subscription, *apiError, error) {
	sub, err := s.prepare(u, spec)
	if err != nil {
		return nil, nil, err
	}
	extras, err := s.prepareExtras(sub, spec.extras)
	if err != nil {
		return nil, nil, err
	}
	m := s.subscriptionMethod(sub)
	automatic := sub.collection == "charge_automatically" && s.firstOwed(sub) > 0
	if automatic && m == nil && spec.behavior != "default_incomplete" {
		return nil, nil, invalidCode("resource_missing", "",
			"This customer has no attached payment source or default payment method. Please consider adding a default payment method. For more information, visit https://stripe.com/docs/billing/subscriptions/payment-methods-setting#payment-method-priority.")
	}
	if automatic && spec.behavior == "error_if_incomplete" && m.does.refusal() != nil {
		return nil, m.does.refusal(), nil
	}
	s.open(sub)
	return sub, s.firstInvoice(sub, spec, extras, m), nil
}

// firstOwed foretells the first invoice, as far as the subscription itself goes.
func (s *Server) firstOwed(sub *subscription) int64 {
	inv := &invoice{customer: sub.customer, discount: discountOf(sub.customer, sub)}
	for _, it := range sub.items {
		if !it.price.metered() && sub.trialEnd == 0 {
			inv.lines = append(inv.lines, sub.periodLine(it))
		}
	}
	return inv.total()
}

// prepare builds the subscription without telling anyone.
func (s *Server) prepare(u *customer, spec subscriptionSpec) (*subscription, error) {
	if err := s.roomForSubscription(u); err != nil {
		return nil, err
	}
	now := u.clock.now
	sub := &subscription{
		customer: u, status: "incomplete", created: now, start: now, periodStart: now, anchor: now, description: spec.description,
		collection: spec.collection, daysUntilDue: spec.daysUntilDue, metadata: spec.metadata, missingMethod: spec.missingMethod,
		saveMethod: spec.saveMethod, cancelAt: spec.cancelAt,
	}
	for _, entry := range spec.items {
		it, err := s.resolveNew(sub, entry)
		if err != nil {
			return nil, err
		}
		sub.items = append(sub.items, it)
	}
	if err := fitTogether(sub.items); err != nil {
		return nil, err
	}
	sub.currency = sub.items[0].price.currency
	if u.currency != "" && u.currency != sub.currency {
		return nil, invalid("", "You cannot combine currencies on a single customer. This customer has a subscription, coupon, or invoice items with currency %s.", u.currency)
	}
	m, err := s.methodFor(u, spec.method, "default_payment_method")
	if err != nil {
		return nil, err
	}
	if m != nil {
		if m.customer == "" {
			return nil, invalidCode("resource_missing", "default_payment_method",
				"The customer does not have a payment method with the ID %s. The payment method must be attached to the customer.", spec.method)
		}
		sub.defaultMethod = m.id
	}
	if err := sub.setPeriod(spec); err != nil {
		return nil, err
	}
	sub.discount, err = s.newDiscount(spec.discount.coupon, spec.discount.code, now)
	return sub, err
}

// setPeriod lays the anchor and the first period.
func (sub *subscription) setPeriod(spec subscriptionSpec) error {
	now := sub.clock().now
	if spec.trialDays > 0 && spec.trialEnd == 0 {
		spec.trialEnd = now + spec.trialDays*86400
	}
	switch {
	case spec.trialEnd != 0 && spec.trialEnd <= now:
		return invalid("trial_end", "Invalid timestamp: must be an integer Unix timestamp in the future.")
	case spec.trialEnd != 0:
		sub.trialStart, sub.trialEnd, sub.anchor, sub.periodEnd = now, spec.trialEnd, spec.trialEnd, spec.trialEnd
		if spec.anchor > spec.trialEnd {
			sub.anchor = spec.anchor
		}
	case spec.anchor != 0 && spec.anchor <= now:
		return invalid("billing_cycle_anchor", "billing_cycle_anchor cannot be in the past.")
	case spec.anchor != 0:
		if spec.anchor > sub.recurring().after(now, now) {
			return invalid("billing_cycle_anchor", "billing_cycle_anchor cannot be later than next natural billing date for plan.")
		}
		sub.anchor = spec.anchor
	}
	if sub.cancelAt != 0 && sub.cancelAt <= now {
		return invalid("cancel_at", "Invalid timestamp: must be an integer Unix timestamp in the future.")
	}
	if sub.trialEnd == 0 {
		sub.periodEnd = sub.periodEndAfter(now)
	} else if sub.cancelAt != 0 {
		sub.periodEnd = min(sub.periodEnd, sub.cancelAt)
	}
	if spec.cancelAtEnd {
		sub.cancelAtPeriodEnd, sub.cancelAt, sub.canceledAt = true, sub.periodEnd, now
		sub.cancellation.reason = "cancellation_requested"
	}
	return nil
}

// prepareExtras reads add_invoice_items: one-time prices on the first invoice.
func (s *Server) prepareExtras(sub *subscription, specs []itemSpec) ([]*invoiceItem, error) {
	var extras []*invoiceItem
	for _, spec := range specs {
		p, err := s.priceOrInline(spec.priceID, spec.inline)
		if err != nil {
			return nil, err
		}
		if p == nil {
			return nil, missingParam(spec.path + "[price]")
		}
		quantity := int64(1)
		if spec.hasQuantity {
			quantity = spec.quantity
		}
		now := sub.clock().now
		extras = append(extras, &invoiceItem{
			customer: sub.customer, sub: sub, price: p, currency: p.currency, quantity: quantity, amount: cents(p.amount(quantity)),
			unit: p.unit, description: p.product.name, start: now, end: now, metadata: map[string]string{},
		})
	}
	return extras, nil
}

// open gives the subscription its ids and plans its future.
func (s *Server) open(sub *subscription) {
	sub.id = s.id("sub")
	if sub.discount != nil {
		sub.discount.customer, sub.discount.subscription = sub.customer.id, sub.id
	}
	for _, it := range sub.items {
		s.openItem(it)
	}
	s.subscriptions.add(sub)
	s.schedulePeriod(sub)
}

func (s *Server) openItem(it *item) {
	it.id = "si_" + s.token(14)
	s.items.add(it)
}

// firstInvoice bills what begins: the period, or nothing for a trial. All its events appear together.
func (s *Server) firstInvoice(sub *subscription, spec subscriptionSpec, extras []*invoiceItem, m *paymentMethod) *apiError {
	var refusal *apiError
	sub.fresh = true
	s.together(func() {
		s.tell(sub.clock(), "customer.subscription.created", sub)
		s.discountEvent(sub.clock(), nil, sub.discount)
		if u := sub.customer; u.currency == "" {
			s.change(u.clock, "customer.updated", u, func() { u.currency = sub.currency })
		}
		for _, extra := range extras {
			s.addItem(extra)
		}
		inv := s.newInvoice(sub.customer, sub, "subscription_create", true)
		sub.latest = inv
		s.addFirstLines(inv, sub, spec.proration == "none")
		s.useUp(inv)
		s.tell(inv.clock(), "invoice.created", inv)
		switch {
		case sub.collection == "send_invoice" || spec.drafts && sub.trialEnd == 0:
			s.activate(sub)
			s.scheduleFinalize(inv)
		default:
			s.finalize(inv)
			if inv.status == "open" && spec.behavior != "default_incomplete" {
				refusal = s.collect(inv, m, attempting{})
			}
		}
	})
	sub.fresh = false
	if sub.status == "incomplete" {
		s.scheduleExpiry(sub)
	}
	s.scheduleTrial(sub)
	return refusal
}

func (s *Server) addFirstLines(inv *invoice, sub *subscription, free bool) {
	for _, it := range sub.items {
		l := sub.periodLine(it)
		switch {
		case it.price.metered():
			l.amount, l.quantity = cents(it.price.amount(0)), 0
		case sub.trialEnd != 0:
			l.amount, l.description = 0, "Trial period for "+it.price.product.name
		case free && l.proration:
			continue
		}
		s.addLine(inv, l)
	}
}

// incompleteLife is how long a first payment may take.
const incompleteLife = 23 * 3600

func (s *Server) scheduleExpiry(sub *subscription) {
	sub.clock().at(sub.created+incompleteLife, func() {
		if sub.status != "incomplete" {
			return
		}
		s.change(sub.clock(), "customer.subscription.updated", sub, func() {
			sub.status, sub.endedAt = "incomplete_expired", sub.clock().now
		})
		s.void(sub.latest)
	})
}
