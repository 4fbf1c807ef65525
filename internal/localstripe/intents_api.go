package localstripe

import "strings"

// confirming is what creating and confirming share.
type confirming struct {
	method     string
	offSession bool
	returnURL  string
	future     string
	receipt    string
	shipping   obj
}

func (p *params) confirming() confirming {
	in := confirming{
		method: p.str("payment_method"), returnURL: p.str("return_url"), future: p.str("setup_future_usage"), receipt: p.str("receipt_email"),
		shipping: p.hash("shipping", nil),
	}
	switch off := p.str("off_session"); off {
	case "", "false":
	case "true", "one_off", "recurring":
		in.offSession = true
	default:
		p.fail(invalid("off_session", "Invalid off_session: %s", off))
	}
	if in.future != "" {
		p.oneOf("setup_future_usage", "off_session", "on_session")
	}
	p.ignore("payment_method_options", "mandate_data", "use_stripe_sdk", "error_on_requires_action")
	return in
}

func createIntent(c *call) (any, error) {
	in, confirm := c.confirming(), c.bool("confirm")
	amount, currency, customerID := c.count("amount"), strings.ToLower(c.required("currency")), c.str("customer")
	c.required("amount")
	kinds, description, metadata := c.strings("payment_method_types"), c.str("description"), c.metadata(nil)
	automatic := c.at("automatic_payment_methods").bool("enabled") || len(kinds) == 0
	c.ignore("automatic_payment_methods", "statement_descriptor", "statement_descriptor_suffix", "confirmation_method")
	c.oneOf("capture_method", "automatic", "automatic_async")
	if amount == 0 {
		c.fail(invalidCode("parameter_invalid_integer", "amount", "This value must be greater than or equal to 1."))
	}
	if in.offSession && !confirm {
		c.fail(invalid("off_session", "You can only set `off_session` when `confirm` is true."))
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	at := c.clock
	var u *customer
	if customerID != "" {
		found, err := c.customer(customerID, "customer")
		if err != nil {
			return nil, err
		}
		u, at = found, found.clock
	}
	m, err := c.methodFor(u, in.method, "payment_method")
	if err != nil {
		return nil, err
	}
	if confirm && m == nil {
		return nil, invalidCode("payment_intent_unexpected_state", "", "You cannot confirm this PaymentIntent because it's missing a payment method.")
	}
	pi := c.newIntent(at, amount, currency, customerID)
	pi.description, pi.metadata, pi.automatic, pi.setupFuture = description, metadata, automatic, in.future
	pi.receiptEmail, pi.returnURL, pi.shipping = in.receipt, in.returnURL, in.shipping
	if len(kinds) > 0 {
		pi.kinds = kinds
	}
	if m != nil {
		pi.method, pi.status = m, "requires_confirmation"
	}
	c.intents.add(pi)
	c.tell(at, "payment_intent.created", pi)
	if confirm {
		return c.confirm(pi, m, in)
	}
	return pi.render(c.Server), nil
}

// confirm charges the card and answers 402 when it is refused. An invoice counts it as an attempt.
func (s *Server) confirm(pi *paymentIntent, m *paymentMethod, in confirming) (any, error) {
	var refusal *apiError
	if inv := pi.invoice; inv != nil && inv.status == "open" {
		refusal = s.tryInvoice(inv, m, attempting{offSession: in.offSession})
	} else {
		refusal = s.attempt(pi, m, in.offSession, false)
	}
	if refusal != nil {
		return nil, refusal
	}
	return pi.render(s), nil
}

func (s *Server) intent(id, param string) (*paymentIntent, error) {
	pi, ok := s.intents.get(id)
	if !ok {
		return nil, noSuch(paramStatus(param), "payment_intent", id, "intent")
	}
	return pi, nil
}

func getIntent(c *call) (any, error) {
	pi, err := c.intent(c.id(), "id")
	if err != nil {
		return nil, err
	}
	c.ignore("client_secret")
	return pi.render(c.Server), c.finish()
}

func updateIntent(c *call) (any, error) {
	pi, err := c.intent(c.id(), "id")
	if err != nil {
		return nil, err
	}
	metadata, description := c.metadata(pi.metadata), c.text("description", pi.description)
	receipt, methodID := c.text("receipt_email", pi.receiptEmail), c.str("payment_method")
	if err := c.finish(); err != nil {
		return nil, err
	}
	u, _ := c.customers.get(pi.customer)
	m, err := c.methodFor(u, methodID, "payment_method")
	if err != nil {
		return nil, err
	}
	pi.metadata, pi.description, pi.receiptEmail = metadata, description, receipt
	if m != nil {
		pi.method, pi.status = m, "requires_confirmation"
	}
	return pi.render(c.Server), nil
}

func confirmIntent(c *call) (any, error) {
	pi, err := c.intent(c.id(), "id")
	if err != nil {
		return nil, err
	}
	in := c.confirming()
	c.ignore("client_secret", "payment_method_types")
	if err := c.finish(); err != nil {
		return nil, err
	}
	if pi.status == "succeeded" || pi.status == "canceled" || pi.status == "processing" {
		return nil, invalidCode("payment_intent_unexpected_state", "",
			"You cannot confirm this PaymentIntent because it has a status of %s.", pi.status)
	}
	u, _ := c.customers.get(pi.customer)
	m, err := c.methodFor(u, in.method, "payment_method")
	if err != nil {
		return nil, err
	}
	if m == nil {
		m = pi.method
	}
	if m == nil {
		return nil, invalidCode("payment_intent_unexpected_state", "", "You cannot confirm this PaymentIntent because it's missing a payment method.")
	}
	pi.returnURL = in.returnURL
	if in.future != "" {
		pi.setupFuture = in.future
	}
	return c.confirm(pi, m, in)
}

func cancelIntent(c *call) (any, error) {
	pi, err := c.intent(c.id(), "id")
	if err != nil {
		return nil, err
	}
	reason := c.str("cancellation_reason")
	if err := c.finish(); err != nil {
		return nil, err
	}
	if pi.status == "succeeded" || pi.status == "canceled" || pi.status == "processing" {
		return nil, invalidCode("payment_intent_unexpected_state", "",
			"You cannot cancel this PaymentIntent because it has a status of %s.", pi.status)
	}
	if pi.invoice != nil {
		return nil, invalid("", "You cannot cancel this PaymentIntent because it belongs to an invoice; void the invoice instead.")
	}
	c.cancelIntent(pi, reason)
	return pi.render(c.Server), nil
}

func listIntents(c *call) (any, error) {
	pg, customerID := c.page(), c.str("customer")
	if err := c.finish(); err != nil {
		return nil, err
	}
	return answerList(c.Server, pg, "/v1/payment_intents", c.intents.where(func(pi *paymentIntent) bool {
		return customerID == "" && pi.clock.id == "" || customerID != "" && pi.customer == customerID
	}))
}
