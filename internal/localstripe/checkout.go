package localstripe

// checkoutSession is one visit to the payment page.
type checkoutSession struct {
	id, mode, status, paymentStatus                       string
	customer                                              *customer
	customerEmail, payerEmail, reference, locale          string
	successURL, cancelURL, currency, creation, collection string
	lines                                                 []*sessionLine
	metadata                                              map[string]string
	created, expires                                      int64
	intentSpec                                            *params // payment_intent_data
	intentMetadata                                        map[string]string
	shipping                                              obj
	subscription                                          subscriptionSpec
	withInvoice, promotions                               bool
	invoiceMetadata                                       map[string]string
	trying, intent                                        *paymentIntent // trying until the session is complete
	sub                                                   *subscription
	invoice                                               *invoice
	kinds                                                 []string
	discount                                              discounting
	coupon                                                *coupon
}

// sessionLine is one position of a session.
type sessionLine struct {
	id       string
	price    *price
	quantity int64
}

func (l *sessionLine) identity() string { return l.id }
func (l *sessionLine) createdAt() int64 { return 0 }

func (l *sessionLine) render(s *Server) obj {
	amount := cents(l.price.amount(l.quantity))
	return obj{
		"id": l.id, "object": "item", "amount_discount": int64(0), "amount_subtotal": amount, "amount_tax": int64(0),
		"amount_total": amount, "currency": l.price.currency, "description": l.price.product.name, "price": l.price.render(s),
		"quantity": l.quantity,
	}
}

func (cs *checkoutSession) identity() string { return cs.id }
func (cs *checkoutSession) createdAt() int64 { return cs.created }

// clock is the customer's, so that sessions of a test clock expire by it.
func (cs *checkoutSession) clock(s *Server) *clock {
	if cs.customer != nil {
		return cs.customer.clock
	}
	return s.clock
}

// total is what is paid today.
func (cs *checkoutSession) total() int64 { return cs.subtotal() - cs.off() }

func (cs *checkoutSession) off() int64 {
	if cs.coupon == nil {
		return 0
	}
	return cs.coupon.off(cs.subtotal())
}

// subtotal leaves out the prices of a trial: they are paid later.
func (cs *checkoutSession) subtotal() int64 {
	sum := int64(0)
	for _, l := range cs.lines {
		if l.price.recurring == nil || !cs.trial() && !l.price.metered() {
			sum += cents(l.price.amount(l.quantity))
		}
	}
	return sum
}

func (cs *checkoutSession) trial() bool {
	return cs.subscription.trialDays > 0 || cs.subscription.trialEnd > 0
}

func (cs *checkoutSession) render(s *Server) obj {
	total := cs.total()
	o := obj{
		"id": cs.id, "object": "checkout.session", "after_expiration": nil, "allow_promotion_codes": orNil(cs.promotions),
		"amount_subtotal": cs.subtotal(), "amount_total": total, "automatic_tax": obj{"enabled": false, "liability": nil, "status": nil},
		"billing_address_collection": nil, "cancel_url": orNil(cs.cancelURL), "client_reference_id": orNil(cs.reference),
		"client_secret": nil, "consent": nil, "consent_collection": nil, "created": cs.created, "currency": cs.currency,
		"currency_conversion": nil, "custom_fields": []any{}, "custom_text": obj{
			"after_submit": nil, "shipping_address": nil, "submit": nil, "terms_of_service_acceptance": nil,
		},
		"customer": idOrNil(cs.customer), "customer_creation": cs.creationRendered(), "customer_details": cs.details(),
		"customer_email": orNil(cs.customerEmail), "expires_at": cs.expires, "invoice": idOrNil(cs.invoice),
		"invoice_creation": cs.invoiceCreation(), "livemode": false, "locale": orNil(cs.locale),
		"metadata": renderMetadata(cs.metadata), "mode": cs.mode, "payment_intent": idOrNil(cs.intent), "payment_link": nil,
		"payment_method_collection": cs.collection, "payment_method_configuration_details": nil,
		"payment_method_options": obj{}, "payment_method_types": anyList(cs.kinds), "payment_status": cs.paymentStatus,
		"phone_number_collection": obj{"enabled": false}, "recovered_from": nil, "setup_intent": nil, "shipping_address_collection": nil,
		"shipping_cost": nil, "shipping_details": nil, "shipping_options": []any{}, "status": cs.status, "submit_type": nil,
		"subscription": idOrNil(cs.sub), "success_url": orNil(cs.successURL),
		"total_details": obj{"amount_discount": cs.off(), "amount_shipping": int64(0), "amount_tax": int64(0)},
		"ui_mode":       "hosted", "url": nil,
	}
	if cs.status == "open" {
		o["url"] = s.url + "/c/pay/" + cs.id
	}
	return o
}

func (cs *checkoutSession) creationRendered() any {
	if cs.mode == "subscription" && cs.customer == nil {
		return "always"
	}
	return orNil(cs.creation)
}

func (cs *checkoutSession) details() any {
	email := cs.payerEmail
	if email == "" {
		email = cs.customerEmail
	}
	if cs.customer != nil && email == "" {
		email = cs.customer.email
	}
	if email == "" && cs.customer == nil && cs.status == "open" {
		return nil
	}
	return obj{"address": nil, "email": orNil(email), "name": nil, "phone": nil, "tax_exempt": "none", "tax_ids": nil}
}

func (cs *checkoutSession) invoiceCreation() any {
	if cs.mode != "payment" {
		return nil
	}
	return obj{"enabled": cs.withInvoice, "invoice_data": obj{
		"account_tax_ids": nil, "custom_fields": nil, "description": nil, "footer": nil, "issuer": nil,
		"metadata": renderMetadata(cs.invoiceMetadata), "rendering_options": nil,
	}}
}

func (cs *checkoutSession) renderItems(s *Server) obj {
	rendered := []any{}
	for _, l := range cs.lines {
		rendered = append(rendered, l.render(s))
	}
	return embedded("/v1/checkout/sessions/"+cs.id+"/line_items", rendered)
}

func (s *Server) session(id string) (*checkoutSession, error) {
	cs, ok := s.sessions.get(id)
	if !ok {
		return nil, noSuch(404, "checkout.session", id, "session")
	}
	return cs, nil
}

func getSession(c *call) (any, error) {
	cs, err := c.session(c.id())
	if err != nil {
		return nil, err
	}
	return cs.render(c.Server), c.finish()
}

func listSessions(c *call) (any, error) {
	pg, customerID, subID, intentID, status := c.page(), c.str("customer"), c.str("subscription"), c.str("payment_intent"), c.str("status")
	if err := c.finish(); err != nil {
		return nil, err
	}
	return answerList(c.Server, pg, "/v1/checkout/sessions", c.sessions.where(func(cs *checkoutSession) bool {
		return (customerID == "" || cs.customer != nil && cs.customer.id == customerID) && (subID == "" || cs.sub != nil && cs.sub.id == subID) &&
			(intentID == "" || cs.intent != nil && cs.intent.id == intentID) && (status == "" || cs.status == status)
	}))
}

func listSessionLines(c *call) (any, error) {
	pg := c.page()
	cs, err := c.session(c.id())
	if err != nil {
		return nil, err
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	return answerOrdered(c.Server, pg, "/v1/checkout/sessions/"+cs.id+"/line_items", cs.lines)
}

func expireSession(c *call) (any, error) {
	cs, err := c.session(c.id())
	if err != nil {
		return nil, err
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	if cs.status != "open" {
		return nil, invalid("", "Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session has a status of `%s`.", cs.status)
	}
	c.expireSession(cs)
	return cs.render(c.Server), nil
}

func (s *Server) expireSession(cs *checkoutSession) {
	if cs.status != "open" {
		return
	}
	cs.status = "expired"
	s.tell(cs.clock(s), "checkout.session.expired", cs)
	s.cancelIntent(cs.trying, "automatic")
}
