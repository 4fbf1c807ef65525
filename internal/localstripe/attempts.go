package localstripe

// attempting says how an attempt at an open invoice is made.
type attempting struct {
	automatic     bool // by the clock: of the others only the first moves the retry schedule
	offSession    bool // nobody is there whom the bank could ask
	authenticated bool // the bank has asked, and been answered
}

// tryInvoice makes one attempt to take what an open invoice asks for. All ways to pay meet here: the clock's, the
// API's and the hosted page's. The error is the refusal; what follows from it has been done and told of.
func (s *Server) tryInvoice(inv *invoice, m *paymentMethod, how attempting) *apiError {
	if inv.status != "open" {
		return nil
	}
	inv.attempted = true
	inv.counted = how.automatic || inv.attempts == 0
	if inv.counted {
		inv.attempts++
	}
	if m == nil {
		s.failed(inv)
		return invalidCode("resource_missing", "",
			"This customer has no attached payment source or default payment method. Please consider adding a default payment method.")
	}
	return s.outcome(inv, s.attempt(inv.intent, m, how.offSession, how.authenticated))
}

// outcome does for an invoice what its payment has come to.
func (s *Server) outcome(inv *invoice, refusal *apiError) *apiError {
	switch {
	case refusal != nil:
		s.failed(inv)
	case inv.intent.status == "processing":
		s.undecided(inv)
	}
	return refusal
}

// undecided is for a payment whose outcome comes days later: nothing is tried meanwhile, and a subscription whose
// first payment it is begins at once.
func (s *Server) undecided(inv *invoice) {
	inv.counted = true // whatever was planned gives way, so a failure has to plan anew
	s.change(inv.clock(), "invoice.updated", inv, func() { inv.nextAttempt = 0 })
	if sub := inv.sub; sub != nil && sub.status == "incomplete" && inv.reason == "subscription_create" {
		s.activate(sub)
	}
}

// payable refuses a second payment while the first one is under way.
func (inv *invoice) payable() error {
	if inv.status == "open" && inv.intent != nil && inv.intent.status == "processing" {
		return invalidCode("payment_intent_unexpected_state", "", "This invoice's payment is processing.")
	}
	return nil
}

// collect attempts what nobody is there for, as renewals, finalised invoices and /pay do. A bank that asks is an error
// too, and leaves the payment waiting for its owner.
func (s *Server) collect(inv *invoice, m *paymentMethod, how attempting) *apiError {
	how.offSession = how.offSession && (m == nil || m.does.authenticates != "always")
	if refusal := s.tryInvoice(inv, m, how); refusal != nil {
		return refusal
	}
	if inv.status != "open" || inv.intent.status != "requires_action" {
		return nil
	}
	s.tell(inv.clock(), "invoice.payment_action_required", inv)
	s.failed(inv)
	return &apiError{
		status: 402, kind: "card_error", code: "invoice_payment_intent_requires_action", intent: inv.intent,
		message: "This payment requires additional user action before it can be completed successfully. Payment can be completed using the PaymentIntent associated with the invoice.",
	}
}

// collectUnasked is an attempt that the clock makes, so that no caller waits for its outcome. A refusal isn't lost:
// collect has counted the attempt, told of it by invoice.payment_failed, and planned the retry or given up.
func (s *Server) collectUnasked(inv *invoice) {
	_ = s.collect(inv, s.methodOf(inv), attempting{automatic: true, offSession: true})
}

// answered goes on with a payment that requires_action, once its owner has answered the bank. It is no new attempt.
func (s *Server) answered(pi *paymentIntent, ok bool) *apiError {
	var refusal *apiError
	if ok {
		refusal = s.attempt(pi, pi.method, false, true)
	} else {
		refusal = s.refuse(pi, pi.method, &apiError{
			status: 402, kind: "card_error", code: "payment_intent_authentication_failure",
			message: authenticationFailed,
		})
	}
	if inv := pi.invoice; inv != nil && inv.status == "open" {
		return s.outcome(inv, refusal)
	}
	return refusal
}

// Authenticate answers the bank's question about a payment that requires_action, as its owner would. A card that is
// refused after all is an error; an answer of no is none.
func (s *Server) Authenticate(id string, ok bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cause = cause{}
	pi, err := s.intent(id, "id")
	if err != nil {
		return err
	}
	if pi.status != "requires_action" {
		return invalidCode("payment_intent_unexpected_state", "", "This PaymentIntent waits for no authentication: it is %s.", pi.status)
	}
	if refusal := s.answered(pi, ok); refusal != nil && ok {
		return refusal
	}
	return nil
}
