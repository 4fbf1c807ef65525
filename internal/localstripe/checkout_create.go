package localstripe

const (
	sessionLife    = 24 * 3600
	sessionLifeMin = 30 * 60
)

type lineSpec struct {
	priceID  string
	inline   *inlinePrice
	quantity int64
	path     string
}

func (p *params) lineSpecs() []lineSpec {
	var specs []lineSpec
	for _, entry := range p.list("line_items") {
		spec := lineSpec{priceID: entry.str("price"), inline: entry.inlinePrice("price_data"), quantity: entry.count("quantity"), path: entry.path}
		entry.ignore("adjustable_quantity", "tax_rates", "dynamic_tax_rates")
		specs = append(specs, spec)
	}
	return specs
}

func createSession(c *call) (any, error) {
	cs := &checkoutSession{
		mode: c.required("mode"), status: "open", paymentStatus: "unpaid", customerEmail: c.str("customer_email"),
		reference: c.str("client_reference_id"), successURL: c.str("success_url"), cancelURL: c.str("cancel_url"),
		metadata: c.metadata(nil), expires: c.int("expires_at"), locale: c.str("locale"), promotions: c.bool("allow_promotion_codes"),
		kinds: c.strings("payment_method_types"), creation: c.str("customer_creation"), collection: c.str("payment_method_collection"),
	}
	customerID, lines := c.str("customer"), c.lineSpecs()
	c.readModeData(cs)
	for _, entry := range c.list("discounts") {
		cs.discount = entry.discounting()
	}
	cs.subscription.discount = cs.discount
	c.oneOf("ui_mode", "hosted")
	c.ignore("automatic_tax", "billing_address_collection", "consent_collection", "customer_update", "custom_text", "submit_type",
		"payment_method_options", "phone_number_collection", "tax_id_collection")
	if cs.mode != "payment" && cs.mode != "subscription" {
		c.fail(invalid("mode", "The local Stripe has the modes payment and subscription, not %q.", cs.mode))
	}
	if cs.successURL == "" {
		c.fail(missingParam("success_url"))
	}
	if len(lines) == 0 {
		c.fail(missingParam("line_items"))
	}
	if customerID != "" && cs.customerEmail != "" {
		c.fail(invalid("customer_email", "You may only specify one of these parameters: customer, customer_email."))
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	if customerID != "" {
		u, err := c.customer(customerID, "customer")
		if err != nil {
			return nil, err
		}
		cs.customer = u
	}
	if err := c.fillSession(cs, lines); err != nil {
		return nil, err
	}
	return c.openSession(cs)
}

// readModeData reads payment_intent_data, subscription_data and invoice_creation.
func (c *call) readModeData(cs *checkoutSession) {
	intent, sub, creation := c.at("payment_intent_data"), c.at("subscription_data"), c.at("invoice_creation")
	if cs.mode == "subscription" {
		if c.has("payment_intent_data") {
			c.fail(invalid("payment_intent_data", "You can not pass `payment_intent_data` in `subscription` mode."))
		}
		cs.subscription = sub.subscriptionSpec()
		cs.subscription.behavior = "default_incomplete"
		cs.collection = map[bool]string{true: cs.collection, false: "always"}[cs.collection != ""]
		return
	}
	if c.has("subscription_data") {
		c.fail(invalid("subscription_data", "You can not pass `subscription_data` in `payment` mode."))
	}
	cs.intentSpec, cs.intentMetadata = intent, intent.metadata(nil)
	for _, name := range []string{"description", "setup_future_usage", "receipt_email"} {
		intent.at(name)
	}
	cs.shipping = intent.hash("shipping", nil)
	intent.oneOf("capture_method", "automatic", "automatic_async")
	cs.withInvoice = creation.bool("enabled")
	cs.invoiceMetadata = creation.at("invoice_data").metadata(nil)
	if cs.collection == "" {
		cs.collection = "if_required"
	}
	if cs.creation == "" {
		cs.creation = "if_required"
	}
}

// fillSession finds the prices and checks that they suit the mode.
func (s *Server) fillSession(cs *checkoutSession, lines []lineSpec) error {
	periodic := false
	for _, spec := range lines {
		p, err := s.priceOrInline(spec.priceID, spec.inline)
		if err != nil {
			return err
		}
		switch {
		case p == nil:
			return missingParam(spec.path + "[price]")
		case spec.quantity == 0 && !p.metered():
			return invalidCode("parameter_missing", spec.path+"[quantity]", "Quantity is required. Add `quantity` to `%s`", spec.path)
		case p.recurring != nil && cs.mode == "payment":
			return invalid(spec.path, "You must provide one-time prices in `payment` mode. To accept recurring prices, use `subscription` mode.")
		case cs.currency != "" && cs.currency != p.currency:
			return invalid(spec.path, "All prices on a Checkout Session must have the same currency.")
		}
		cs.currency = p.currency
		periodic = periodic || p.recurring != nil
		cs.lines = append(cs.lines, &sessionLine{id: s.id("li"), price: p, quantity: spec.quantity})
		entry := itemSpec{priceID: p.id, quantity: spec.quantity, hasQuantity: !p.metered(), metadata: newParams(), path: spec.path}
		if p.recurring == nil {
			cs.subscription.extras = append(cs.subscription.extras, entry)
		} else {
			cs.subscription.items = append(cs.subscription.items, entry)
		}
	}
	if err := s.checkDiscount(cs); err != nil {
		return err
	}
	if cs.mode == "subscription" && !periodic {
		return invalid("line_items", "You must provide at least one recurring price in `subscription` mode when using prices.")
	}
	return nil
}

// checkDiscount finds the session's coupon, which is redeemed when the session is paid.
func (s *Server) checkDiscount(cs *checkoutSession) error {
	couponID := cs.discount.coupon
	if code, ok := s.codes.get(cs.discount.code); ok {
		couponID = code.coupon.id
	} else if cs.discount.code != "" {
		return noSuch(400, "promotion code", cs.discount.code, "discounts[0][promotion_code]")
	}
	if couponID == "" {
		return nil
	}
	k, ok := s.coupons.get(couponID)
	if !ok || !k.valid(s.clock.now) {
		return noSuch(400, "coupon", couponID, "discounts[0][coupon]")
	}
	cs.coupon = k
	return nil
}

func (s *Server) openSession(cs *checkoutSession) (any, error) {
	at := cs.clock(s)
	cs.created = at.now
	switch {
	case cs.expires == 0:
		cs.expires = at.now + sessionLife
	case cs.expires < at.now+sessionLifeMin || cs.expires > at.now+sessionLife:
		return nil, invalid("expires_at", "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation.")
	}
	if len(cs.kinds) == 0 {
		cs.kinds = []string{"card"}
	}
	cs.id = "cs_test_" + s.token(58)
	s.sessions.add(cs)
	at.at(cs.expires, func() { s.expireSession(cs) })
	return cs.render(s), nil
}
