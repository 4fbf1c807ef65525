package localstripe

// paymentMethod is a card, or a bank account, that belongs to at most one customer.
type paymentMethod struct {
	id, kind      string
	does          behaviour
	customer      string
	authenticated bool // set up for off-session use
	billing       obj
	metadata      map[string]string
	created       int64
	expMonth      int64
	expYear       int64
	fingerprint   string
}

func (m *paymentMethod) identity() string { return m.id }
func (m *paymentMethod) createdAt() int64 { return m.created }

func (m *paymentMethod) render(*Server) obj {
	o := obj{
		"id": m.id, "object": "payment_method", "billing_details": m.billingDetails(), "created": m.created,
		"customer": orNil(m.customer), "livemode": false, "metadata": renderMetadata(m.metadata), "type": m.kind,
	}
	if m.kind == "sepa_debit" {
		o["sepa_debit"] = m.sepa()
		return o
	}
	if m.kind == "us_bank_account" {
		o["us_bank_account"] = obj{
			"account_holder_type": "individual", "account_type": "checking", "bank_name": "STRIPE TEST BANK",
			"financial_connections_account": nil, "fingerprint": m.fingerprint, "last4": m.does.last4, "networks": nil,
			"routing_number": "110000000", "status_details": obj{},
		}
		return o
	}
	o["card"] = obj{
		"brand": m.does.brand, "checks": cardChecks(), "country": "US", "display_brand": m.does.brand, "exp_month": m.expMonth,
		"exp_year": m.expYear, "fingerprint": m.fingerprint, "funding": "credit", "generated_from": nil, "last4": m.does.last4,
		"networks":             obj{"available": []any{m.does.brand}, "preferred": nil},
		"three_d_secure_usage": obj{"supported": true}, "wallet": nil,
	}
	return o
}

func (m *paymentMethod) sepa() obj {
	return obj{
		"bank_code": "19043", "branch_code": "", "country": "AT", "fingerprint": m.fingerprint,
		"generated_from": obj{"charge": nil, "setup_attempt": nil}, "last4": m.does.last4,
	}
}

func cardChecks() obj {
	return obj{"address_line1_check": nil, "address_postal_code_check": nil, "cvc_check": "pass"}
}

func (m *paymentMethod) billingDetails() obj {
	o := obj{
		"address": obj{"city": nil, "country": nil, "line1": nil, "line2": nil, "postal_code": nil, "state": nil},
		"email":   nil, "name": nil, "phone": nil,
	}
	for name, value := range m.billing {
		if inner, ok := value.(obj); ok {
			for part, v := range inner {
				o["address"].(obj)[part] = v
			}
			continue
		}
		o[name] = value
	}
	return o
}

// newMethod makes a payment method that does what one of Stripe's test methods does.
func (s *Server) newMethod(does behaviour) *paymentMethod {
	m := &paymentMethod{
		id: s.id("pm"), kind: "card", does: does, created: s.clock.now, expMonth: 12,
		expYear: int64(s.yearNow() + 4), fingerprint: s.token(16),
	}
	if does.slow {
		m.kind = does.brand
	}
	s.methods.add(m)
	return m
}

// methodFor finds a payment method, or makes one of a test name, that the customer may use. The empty id
// gives nil.
func (s *Server) methodFor(u *customer, id, param string) (*paymentMethod, error) {
	if id == "" {
		return nil, nil
	}
	if does, ok := behaviours[id]; ok {
		return s.newMethod(does), nil
	}
	m, ok := s.methods.get(id)
	if !ok {
		return nil, noSuch(paramStatus(param), "PaymentMethod", id, param)
	}
	if m.customer != "" && (u == nil || m.customer != u.id) {
		return nil, invalid(param, "The provided PaymentMethod (%s) belongs to another customer.", id)
	}
	return m, nil
}

func (s *Server) attach(m *paymentMethod, u *customer) {
	if m.customer == u.id {
		return
	}
	m.customer = u.id
	s.tell(u.clock, "payment_method.attached", m)
}

// attachable says whether a card lets itself be attached: most cards that decline don't.
func (m *paymentMethod) attachable() error {
	if m.does.refusesAttach {
		refusal := m.does.refusal()
		refusal.method = m
		return refusal
	}
	return nil
}

func createMethod(c *call) (any, error) {
	kind := c.required("type")
	does, known := behaviours["pm_card_visa"], kind == "card"
	if kind == "us_bank_account" || kind == "sepa_debit" {
		does, known = bankAccount(kind, c.at(kind).str("iban")), true
		c.ignore(kind)
	}
	if !known {
		c.fail(invalid("type", "The local Stripe has cards, us_bank_account and sepa_debit, not %s.", kind))
	}
	number, token := c.str("card", "number"), c.str("card", "token")
	if number != "" {
		does, known = behaviours[numbers[number]]
		if !known {
			c.fail(&apiError{status: 402, kind: "card_error", code: "incorrect_number", param: "number", message: "Your card number is incorrect."})
		}
	}
	if name, ok := tokens[token]; ok {
		does = behaviours[name]
	}
	month, year := c.at("card").int("exp_month"), c.at("card").int("exp_year")
	c.at("card").ignore("cvc")
	billing, metadata := c.hash("billing_details", nil), c.metadata(nil)
	if err := c.finish(); err != nil {
		return nil, err
	}
	m := c.newMethod(does)
	m.billing, m.metadata = billing, metadata
	if month > 0 {
		m.expMonth, m.expYear = month, year
	}
	return m.render(c.Server), nil
}

var tokens = map[string]string{
	"tok_visa": "pm_card_visa", "tok_mastercard": "pm_card_mastercard", "tok_chargeDeclined": "pm_card_chargeDeclined",
	"tok_chargeCustomerFail": "pm_card_chargeCustomerFail",
}

func (s *Server) method(id string) (*paymentMethod, error) {
	if does, ok := behaviours[id]; ok {
		return s.newMethod(does), nil
	}
	m, ok := s.methods.get(id)
	if !ok {
		return nil, noSuch(404, "PaymentMethod", id, "payment_method")
	}
	return m, nil
}

func getMethod(c *call) (any, error) {
	m, err := c.method(c.id())
	if err != nil {
		return nil, err
	}
	return m.render(c.Server), c.finish()
}

func updateMethod(c *call) (any, error) {
	m, err := c.method(c.id())
	if err != nil {
		return nil, err
	}
	after := *m
	after.metadata, after.billing = c.metadata(m.metadata), c.hash("billing_details", m.billing)
	if c.has("card") {
		after.expMonth, after.expYear = c.at("card").int("exp_month"), c.at("card").int("exp_year")
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	c.change(c.clock, "payment_method.updated", m, func() { *m = after })
	return m.render(c.Server), nil
}

func attachMethod(c *call) (any, error) {
	customerID := c.required("customer")
	if err := c.finish(); err != nil {
		return nil, err
	}
	u, err := c.customer(customerID, "customer")
	if err != nil {
		return nil, err
	}
	m, err := c.method(c.id())
	if err != nil {
		return nil, err
	}
	if m.customer != "" && m.customer != u.id {
		return nil, invalid("", "The payment method you provided has already been attached to a customer.")
	}
	if err := m.attachable(); err != nil {
		return nil, err
	}
	c.attach(m, u)
	return m.render(c.Server), nil
}

func detachMethod(c *call) (any, error) {
	m, err := c.method(c.id())
	if err != nil {
		return nil, err
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	if m.customer == "" {
		return nil, invalid("", "The payment method you provided is not attached to a customer so detachment is impossible.")
	}
	u, _ := c.customers.get(m.customer)
	c.change(u.clock, "payment_method.detached", m, func() { m.customer = "" })
	if u.defaultMethod == m.id {
		c.change(u.clock, "customer.updated", u, func() { u.defaultMethod = "" })
	}
	return m.render(c.Server), nil
}

func listMethods(c *call) (any, error) {
	pg, customerID, kind := c.page(), c.str("customer"), c.str("type")
	if c.request.PathValue("id") != "" {
		customerID = c.id()
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	return answerList(c.Server, pg, "/v1/payment_methods", c.methods.where(func(m *paymentMethod) bool {
		return m.customer != "" && m.customer == customerID && (kind == "" || m.kind == kind)
	}))
}
