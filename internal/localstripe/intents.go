package localstripe

// paymentIntent is one payment and all attempts at it.
type paymentIntent struct {
	id, secret, currency, customer, description, receiptEmail, status string
	amount, received, created, canceledAt                             int64
	cancelReason, setupFuture, returnURL                              string
	method                                                            *paymentMethod
	latest                                                            *charge
	invoice                                                           *invoice
	session                                                           *checkoutSession
	failure                                                           *apiError
	kinds                                                             []string
	automatic                                                         bool // automatic_payment_methods
	metadata                                                          map[string]string
	shipping                                                          obj
	clock                                                             *clock
}

func (pi *paymentIntent) identity() string { return pi.id }
func (pi *paymentIntent) createdAt() int64 { return pi.created }

func (pi *paymentIntent) invoiceID() string {
	if pi.invoice == nil {
		return ""
	}
	return pi.invoice.id
}

func (pi *paymentIntent) render(s *Server) obj {
	return obj{
		"id": pi.id, "object": "payment_intent", "amount": pi.amount, "amount_capturable": int64(0),
		"amount_details": obj{"tip": obj{}}, "amount_received": pi.received, "application": nil, "application_fee_amount": nil,
		"automatic_payment_methods": pi.automaticMethods(), "canceled_at": orNil(pi.canceledAt),
		"cancellation_reason": orNil(pi.cancelReason), "capture_method": "automatic", "client_secret": pi.secret,
		"confirmation_method": "automatic", "created": pi.created, "currency": pi.currency, "customer": orNil(pi.customer),
		"description": orNil(pi.description), "invoice": orNil(pi.invoiceID()), "last_payment_error": pi.lastError(s),
		"latest_charge": idOrNil(pi.latest), "livemode": false, "metadata": renderMetadata(pi.metadata),
		"next_action": pi.nextAction(s), "on_behalf_of": nil, "payment_method": idOrNil(pi.method),
		"payment_method_configuration_details": nil, "payment_method_options": obj{}, "payment_method_types": anyList(pi.kinds),
		"processing": nil, "receipt_email": orNil(pi.receiptEmail), "review": nil, "setup_future_usage": orNil(pi.setupFuture),
		"shipping": hashOrNil(pi.shipping), "source": nil, "statement_descriptor": nil, "statement_descriptor_suffix": nil, "status": pi.status,
		"transfer_data": nil, "transfer_group": nil,
	}
}

func (pi *paymentIntent) automaticMethods() any {
	if !pi.automatic {
		return nil
	}
	return obj{"allow_redirects": "always", "enabled": true}
}

// idOrNil renders a reference.
func idOrNil[T interface {
	comparable
	entity
}](v T) any {
	var none T
	if v == none {
		return nil
	}
	return v.identity()
}

func (pi *paymentIntent) lastError(s *Server) any {
	if pi.failure == nil {
		return nil
	}
	o := pi.failure.render(s)["error"].(obj)
	delete(o, "payment_intent")
	return o
}

func (pi *paymentIntent) nextAction(s *Server) any {
	if pi.status != "requires_action" {
		return nil
	}
	if pi.returnURL != "" {
		return obj{"type": "redirect_to_url", "redirect_to_url": obj{"return_url": pi.returnURL, "url": s.url + "/_local/authenticate/" + pi.id}}
	}
	return obj{"type": "use_stripe_sdk", "use_stripe_sdk": obj{
		"type": "three_d_secure_redirect", "stripe_js": s.url + "/_local/authenticate/" + pi.id, "source": "src_" + pi.id,
	}}
}

func (s *Server) newIntent(c *clock, amount int64, currency, customerID string) *paymentIntent {
	id := s.id("pi")
	return &paymentIntent{
		id: id, secret: id + "_secret_" + s.token(25), amount: amount, currency: currency, customer: customerID,
		status: "requires_payment_method", kinds: []string{"card"}, created: c.now, clock: c, metadata: map[string]string{},
	}
}

// attempt charges a PaymentIntent and tells of it. The error is the card's refusal; the state is kept.
func (s *Server) attempt(pi *paymentIntent, m *paymentMethod, offSession, authenticated bool) *apiError {
	before := pi.render(s)
	pi.method, pi.failure = m, nil
	needs := m.does.authenticates == "always" || m.does.authenticates == "on_session" && !offSession && !m.authenticated
	switch {
	case needs && !authenticated && !offSession:
		pi.status = "requires_action"
		s.changed(pi.clock, "payment_intent.requires_action", pi, before)
		return nil
	case needs && !authenticated:
		return s.refuse(pi, m, &apiError{
			status: 402, kind: "card_error", code: "authentication_required", declineCode: "authentication_required", message: authenticationMsg,
		})
	case m.does.slow:
		pi.status = "processing"
		s.tell(pi.clock, "payment_intent.processing", pi)
		pi.clock.at(pi.clock.now+slowPayment, func() { s.settleSlow(pi, m) })
		return nil
	}
	if refusal := m.does.refusal(); refusal != nil {
		return s.refuse(pi, m, refusal)
	}
	s.succeed(pi, m)
	return nil
}

// slowPayment is how long a bank debit takes.
const slowPayment = 4 * 24 * 3600

func (s *Server) settleSlow(pi *paymentIntent, m *paymentMethod) {
	if pi.status != "processing" {
		return
	}
	if m.does.slowlyRefused {
		s.decline(pi, m, m.does.refusal())
		// The attempt was counted when it began; that it failed is known only now.
		if inv := pi.invoice; inv != nil && inv.status == "open" {
			s.failed(inv)
		}
		return
	}
	s.succeed(pi, m)
}

// refuse declines an attempt and gives the error for the caller who waits for it; it holds the PaymentIntent.
func (s *Server) refuse(pi *paymentIntent, m *paymentMethod, refusal *apiError) *apiError {
	s.decline(pi, m, refusal)
	outward := *refusal
	outward.intent = pi
	return &outward
}

// decline keeps a refusal in the PaymentIntent and tells of it. Where nobody waits for an answer, that is all there is to do.
func (s *Server) decline(pi *paymentIntent, m *paymentMethod, refusal *apiError) {
	h := s.newCharge(pi, m, refusal)
	refusal.charge, refusal.method = h.id, m
	pi.status, pi.failure, pi.method = "requires_payment_method", refusal, nil
	s.tell(pi.clock, "charge.failed", h)
	s.tell(pi.clock, "payment_intent.payment_failed", pi)
	if pi.session != nil && pi.session.paymentStatus == "unpaid" && pi.session.status == "complete" {
		s.tell(pi.clock, "checkout.session.async_payment_failed", pi.session)
	}
}

// succeed takes the money, and settles what the payment was for.
func (s *Server) succeed(pi *paymentIntent, m *paymentMethod) {
	h := s.newCharge(pi, m, nil)
	pi.status, pi.received, pi.method, pi.failure = "succeeded", pi.amount, m, nil
	m.authenticated = m.authenticated || pi.setupFuture == "off_session"
	if u, ok := s.customers.get(pi.customer); ok && pi.setupFuture != "" {
		s.attach(m, u)
	}
	s.tell(pi.clock, "charge.succeeded", h)
	s.tell(pi.clock, "payment_intent.succeeded", pi)
	if pi.session != nil {
		s.sessionPaid(pi.session)
	}
	if inv := pi.invoice; inv != nil && inv.status == "open" {
		s.settle(inv, false)
	}
	if status := m.does.dispute; status != "" {
		s.openDispute(h, status, 0, "")
	}
}

func (s *Server) cancelIntent(pi *paymentIntent, reason string) {
	if pi == nil || pi.status == "succeeded" || pi.status == "canceled" {
		return
	}
	pi.status, pi.canceledAt, pi.cancelReason = "canceled", pi.clock.now, reason
	s.tell(pi.clock, "payment_intent.canceled", pi)
}
