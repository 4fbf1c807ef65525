package localstripe

import "context"

// Payment is what a person enters on the payment page.
type Payment struct {
	Method        string `json:"payment_method"` // one of Stripe's test methods; default pm_card_visa
	Email         string `json:"email"`
	Authenticated bool   `json:"authenticated"` // the bank's question has been answered
}

// PaySession pays a Checkout session as a person on its page would. A refused card is an error, and the
// session stays open.
func (s *Server) PaySession(_ context.Context, id string, with Payment) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cause = cause{}
	cs, err := s.session(id)
	if err != nil {
		return err
	}
	return s.pay(cs, with)
}

func (s *Server) pay(cs *checkoutSession, with Payment) error {
	if cs.status != "open" {
		return invalid("", "This Checkout Session is %s and can no longer be paid.", cs.status)
	}
	if with.Method == "" {
		with.Method = "pm_card_visa"
	}
	var m *paymentMethod
	if cs.needsMethod() {
		found, err := s.methodFor(cs.customer, with.Method, "payment_method")
		if err != nil {
			return err
		}
		m = found
	}
	cs.payerEmail = with.Email
	if cs.mode == "subscription" {
		return s.paySubscription(cs, m, with)
	}
	return s.payOnce(cs, m, with)
}

func (cs *checkoutSession) needsMethod() bool { return cs.total() > 0 || cs.collection == "always" }

func (s *Server) payOnce(cs *checkoutSession, m *paymentMethod, with Payment) error {
	future := cs.intentSpec.str("setup_future_usage")
	if cs.total() == 0 {
		s.payer(cs)
		cs.status, cs.paymentStatus = "complete", "no_payment_required"
		s.tell(cs.clock(s), "checkout.session.completed", cs)
		return nil
	}
	if cs.creation == "always" || future != "" || cs.withInvoice {
		s.payer(cs)
	}
	pi := s.sessionIntent(cs)
	if refusal := s.attempt(pi, m, false, with.Authenticated); refusal != nil {
		return refusal
	}
	if pi.status == "requires_action" {
		return &apiError{status: 402, kind: "card_error", code: "authentication_required", message: "The bank asks for authentication.", intent: pi}
	}
	cs.status, cs.intent = "complete", pi
	if pi.status == "succeeded" {
		cs.paymentStatus = "paid"
		s.invoiceSession(cs)
	}
	s.tell(cs.clock(s), "checkout.session.completed", cs)
	return nil
}

// sessionIntent is made at the first attempt and used by the next ones.
func (s *Server) sessionIntent(cs *checkoutSession) *paymentIntent {
	if cs.trying != nil {
		return cs.trying
	}
	customerID := ""
	if cs.customer != nil {
		customerID = cs.customer.id
	}
	pi := s.newIntent(cs.clock(s), cs.total(), cs.currency, customerID)
	pi.metadata, pi.session, pi.kinds = cs.intentMetadata, cs, cs.kinds
	pi.description, pi.setupFuture = cs.intentSpec.str("description"), cs.intentSpec.str("setup_future_usage")
	pi.receiptEmail, pi.shipping = cs.intentSpec.str("receipt_email"), cs.shipping
	s.intents.add(pi)
	cs.trying = pi
	s.tell(pi.clock, "payment_intent.created", pi)
	return pi
}

// invoiceSession writes the invoice of a payment that has been made, if the session is to have one (invoice_creation).
func (s *Server) invoiceSession(cs *checkoutSession) {
	if !cs.withInvoice {
		return
	}
	s.together(func() {
		inv := s.newInvoice(cs.customer, nil, "manual", false)
		inv.currency, inv.metadata, inv.autoAdvance = cs.currency, cs.invoiceMetadata, false
		for _, l := range cs.lines {
			i := &invoiceItem{
				customer: cs.customer, price: l.price, currency: cs.currency, quantity: l.quantity, amount: cents(l.price.amount(l.quantity)),
				unit: l.price.unit, description: l.price.product.name, start: inv.created, end: inv.created, metadata: map[string]string{},
			}
			s.addItem(i)
			s.take(inv, i)
		}
		inv.discount = nil // the customer's was no part of what was paid
		if cs.coupon != nil {
			inv.discount = &discount{id: s.id("di"), coupon: cs.coupon, start: inv.created, customer: cs.customer.id}
		}
		cs.invoice = inv
		s.tell(inv.clock(), "invoice.created", inv)
		inv.status, inv.finalizedAt, inv.intent = "open", inv.created, cs.trying
		inv.number = cs.customer.invoicePrefix + "-" + pad(cs.customer.invoiceSequence)
		cs.customer.invoiceSequence++
		cs.trying.invoice = inv
		s.tell(inv.clock(), "invoice.finalized", inv)
		s.settle(inv, false)
	})
}

// payer is the session's customer, made when there is none.
func (s *Server) payer(cs *checkoutSession) *customer {
	if cs.customer != nil {
		return cs.customer
	}
	email := cs.payerEmail
	if email == "" {
		email = cs.customerEmail
	}
	u := &customer{taxExempt: "none", invoiceSequence: 1, clock: s.clock, locales: []string{}, email: email, metadata: map[string]string{}}
	// Without a payment method nothing can refuse.
	_ = s.openCustomer(u, "")
	cs.customer = u
	return u
}

// paySubscription subscribes as Checkout does: incomplete first, then active.
func (s *Server) paySubscription(cs *checkoutSession, m *paymentMethod, with Payment) error {
	if m != nil {
		if refusal := m.does.refusal(); refusal != nil && !m.does.slow {
			return refusal
		}
		if m.does.authenticates != "" && !with.Authenticated {
			return &apiError{status: 402, kind: "card_error", code: "authentication_required", message: "The bank asks for authentication."}
		}
	}
	u := s.payer(cs)
	spec := cs.subscription
	if m != nil {
		m.authenticated = true
		s.attach(m, u)
		spec.method = m.id
	}
	sub, _, err := s.subscribe(u, spec)
	if err != nil {
		return err
	}
	sub.session, cs.sub, cs.invoice = cs, sub, sub.latest
	if sub.latest.status == "open" {
		sub.latest.intent.session = cs
		if refusal := s.tryInvoice(sub.latest, m, attempting{authenticated: true}); refusal != nil {
			return refusal
		}
	}
	cs.status = "complete"
	switch {
	case cs.total() == 0:
		cs.paymentStatus = "no_payment_required"
	case sub.latest.status == "paid":
		cs.paymentStatus = "paid" // a bank debit is unpaid until its money comes
	}
	s.tell(cs.clock(s), "checkout.session.completed", cs)
	return nil
}

// sessionPaid is for payments that arrive after the session was complete.
func (s *Server) sessionPaid(cs *checkoutSession) {
	if cs.status == "complete" && cs.paymentStatus == "unpaid" {
		cs.paymentStatus = "paid"
		s.invoiceSession(cs)
		s.tell(cs.clock(s), "checkout.session.async_payment_succeeded", cs)
	}
}
