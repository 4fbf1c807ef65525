package localstripe

// setupIntent readies a payment method for later, without money.
type setupIntent struct {
	id, secret, status, customer, usage, description string
	method                                           *paymentMethod
	failure                                          *apiError
	metadata                                         map[string]string
	created                                          int64
	clock                                            *clock
}

func (si *setupIntent) identity() string { return si.id }
func (si *setupIntent) createdAt() int64 { return si.created }

func (si *setupIntent) render(s *Server) obj {
	o := obj{
		"id": si.id, "object": "setup_intent", "application": nil, "automatic_payment_methods": nil, "cancellation_reason": nil,
		"client_secret": si.secret, "created": si.created, "customer": orNil(si.customer), "description": orNil(si.description),
		"flow_directions": nil, "last_setup_error": nil, "latest_attempt": nil, "livemode": false, "mandate": nil,
		"metadata": renderMetadata(si.metadata), "next_action": nil, "on_behalf_of": nil, "payment_method": idOrNil(si.method),
		"payment_method_configuration_details": nil, "payment_method_options": obj{}, "payment_method_types": []any{"card"},
		"single_use_mandate": nil, "status": si.status, "usage": si.usage,
	}
	if si.failure != nil {
		failure := si.failure.render(s)["error"].(obj)
		o["last_setup_error"] = failure
	}
	if si.status == "requires_action" {
		o["next_action"] = obj{"type": "use_stripe_sdk", "use_stripe_sdk": obj{"type": "three_d_secure_redirect"}}
	}
	return o
}

func createSetup(c *call) (any, error) {
	customerID, methodID, confirm := c.str("customer"), c.str("payment_method"), c.bool("confirm")
	usage, description, metadata := c.oneOf("usage", "off_session", "on_session"), c.str("description"), c.metadata(nil)
	c.ignore("payment_method_types", "automatic_payment_methods", "return_url", "mandate_data", "payment_method_options")
	if err := c.finish(); err != nil {
		return nil, err
	}
	si := &setupIntent{status: "requires_payment_method", customer: customerID, usage: usage, description: description, metadata: metadata, clock: c.clock}
	var u *customer
	if customerID != "" {
		found, err := c.customer(customerID, "customer")
		if err != nil {
			return nil, err
		}
		u, si.clock = found, found.clock
	}
	m, err := c.methodFor(u, methodID, "payment_method")
	if err != nil {
		return nil, err
	}
	if m != nil {
		si.method, si.status = m, "requires_confirmation"
	}
	si.id, si.created = c.Server.id("seti"), si.clock.now
	si.secret = si.id + "_secret_" + c.token(25)
	c.setups.add(si)
	c.tell(si.clock, "setup_intent.created", si)
	if confirm {
		return c.confirmSetup(si, false)
	}
	return si.render(c.Server), nil
}

func (s *Server) confirmSetup(si *setupIntent, authenticated bool) (any, error) {
	if si.method == nil {
		return nil, invalidCode("setup_intent_unexpected_state", "", "You cannot confirm this SetupIntent because it's missing a payment method.")
	}
	if refusal := si.method.attachable(); refusal != nil {
		before := si.render(s)
		si.failure, si.status = si.method.does.refusal(), "requires_payment_method"
		si.method = nil
		s.changed(si.clock, "setup_intent.setup_failed", si, before)
		return nil, refusal
	}
	if si.method.does.authenticates != "" && !authenticated {
		s.change(si.clock, "setup_intent.requires_action", si, func() { si.status = "requires_action" })
		return si.render(s), nil
	}
	si.method.authenticated = si.usage == "off_session"
	si.status, si.failure = "succeeded", nil
	if u, ok := s.customers.get(si.customer); ok {
		s.attach(si.method, u)
	}
	s.tell(si.clock, "setup_intent.succeeded", si)
	return si.render(s), nil
}

func (s *Server) setup(id string) (*setupIntent, error) {
	si, ok := s.setups.get(id)
	if !ok {
		return nil, noSuch(404, "setupintent", id, "intent")
	}
	return si, nil
}

func getSetup(c *call) (any, error) {
	si, err := c.setup(c.id())
	if err != nil {
		return nil, err
	}
	c.ignore("client_secret")
	return si.render(c.Server), c.finish()
}

func confirmSetup(c *call) (any, error) {
	si, err := c.setup(c.id())
	if err != nil {
		return nil, err
	}
	methodID := c.str("payment_method")
	c.ignore("return_url", "mandate_data", "client_secret", "payment_method_options")
	if err := c.finish(); err != nil {
		return nil, err
	}
	if si.status == "succeeded" || si.status == "canceled" {
		return nil, invalidCode("setup_intent_unexpected_state", "", "You cannot confirm this SetupIntent because it has a status of %s.", si.status)
	}
	u, _ := c.customers.get(si.customer)
	m, err := c.methodFor(u, methodID, "payment_method")
	if err != nil {
		return nil, err
	}
	if m != nil {
		si.method = m
	}
	return c.confirmSetup(si, false)
}

func cancelSetup(c *call) (any, error) {
	si, err := c.setup(c.id())
	if err != nil {
		return nil, err
	}
	c.ignore("cancellation_reason")
	if err := c.finish(); err != nil {
		return nil, err
	}
	if si.status == "succeeded" || si.status == "canceled" {
		return nil, invalidCode("setup_intent_unexpected_state", "", "You cannot cancel this SetupIntent because it has a status of %s.", si.status)
	}
	si.status = "canceled"
	c.tell(si.clock, "setup_intent.canceled", si)
	return si.render(c.Server), nil
}

func listSetups(c *call) (any, error) {
	pg, customerID := c.page(), c.str("customer")
	if err := c.finish(); err != nil {
		return nil, err
	}
	return answerList(c.Server, pg, "/v1/setup_intents", c.setups.where(func(si *setupIntent) bool {
		return customerID == "" || si.customer == customerID
	}))
}
