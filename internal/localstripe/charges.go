package localstripe

// charge is one attempt to take money.
type charge struct {
	id, currency, status, description string
	amount, refunded, created         int64
	intent                            *paymentIntent
	method                            *paymentMethod
	refusal                           *apiError
	transaction                       string
	metadata                          map[string]string
	disputed                          bool
	dispute                           *dispute
	clock                             *clock
}

func (h *charge) identity() string { return h.id }
func (h *charge) createdAt() int64 { return h.created }

func (h *charge) render(s *Server) obj {
	captured := int64(0)
	if h.status == "succeeded" {
		captured = h.amount
	}
	o := obj{
		"id": h.id, "object": "charge", "amount": h.amount, "amount_captured": captured, "amount_refunded": h.refunded,
		"application": nil, "application_fee": nil, "application_fee_amount": nil, "balance_transaction": orNil(h.transaction),
		"billing_details": h.method.billingDetails(), "calculated_statement_descriptor": "LOCAL STRIPE",
		"captured": h.status == "succeeded", "created": h.created, "currency": h.currency, "customer": orNil(h.intent.customer),
		"description": orNil(h.description), "destination": nil, "dispute": idOrNil(h.dispute), "disputed": h.disputed,
		"failure_balance_transaction": nil, "failure_code": nil, "failure_message": nil, "fraud_details": obj{},
		"invoice": orNil(h.intent.invoiceID()), "livemode": false, "metadata": renderMetadata(h.metadata), "on_behalf_of": nil,
		"order": nil, "outcome": h.outcome(), "paid": h.status == "succeeded", "payment_intent": h.intent.id,
		"payment_method": h.method.id, "payment_method_details": h.method.chargeDetails(h.amount), "radar_options": obj{},
		"receipt_email": orNil(h.intent.receiptEmail), "receipt_number": nil, "receipt_url": nil,
		"refunded": h.status == "succeeded" && h.amount > 0 && h.refunded == h.amount, "review": nil, "shipping": hashOrNil(h.intent.shipping), "source": nil,
		"source_transfer": nil, "statement_descriptor": nil, "statement_descriptor_suffix": nil, "status": h.status,
		"transfer_data": nil, "transfer_group": nil,
	}
	if h.status == "succeeded" {
		o["receipt_url"] = s.url + "/receipts/" + h.id
	}
	if h.refusal != nil {
		o["failure_code"], o["failure_message"] = h.refusal.code, h.refusal.message
	}
	return o
}

func (h *charge) outcome() obj {
	if h.refusal == nil {
		return obj{
			"network_status": "approved_by_network", "reason": nil, "risk_level": "normal", "risk_score": int64(20),
			"seller_message": "Payment complete.", "type": "authorized",
		}
	}
	reason := h.refusal.declineCode
	if reason == "" {
		reason = h.refusal.code
	}
	return obj{
		"network_status": "declined_by_network", "reason": reason, "risk_level": "normal", "risk_score": int64(20),
		"seller_message": "The bank did not return any further details with this decline.", "type": "issuer_declined",
	}
}

func (m *paymentMethod) chargeDetails(amount int64) obj {
	if m.kind == "sepa_debit" {
		details := m.sepa()
		delete(details, "generated_from")
		details["mandate"] = nil
		return obj{"type": m.kind, m.kind: details}
	}
	if m.kind == "us_bank_account" {
		return obj{"type": m.kind, m.kind: obj{
			"account_holder_type": "individual", "account_type": "checking", "bank_name": "STRIPE TEST BANK",
			"fingerprint": m.fingerprint, "last4": m.does.last4, "routing_number": "110000000",
		}}
	}
	return obj{"type": "card", "card": obj{
		"amount_authorized": amount, "brand": m.does.brand, "checks": cardChecks(), "country": "US", "exp_month": m.expMonth,
		"exp_year": m.expYear, "extended_authorization": obj{"status": "disabled"}, "fingerprint": m.fingerprint, "funding": "credit",
		"incremental_authorization": obj{"status": "unavailable"}, "installments": nil, "last4": m.does.last4, "mandate": nil,
		"multicapture": obj{"status": "unavailable"}, "network": m.does.brand, "network_token": obj{"used": false},
		"overcapture": obj{"maximum_amount_capturable": amount, "status": "unavailable"}, "three_d_secure": nil, "wallet": nil,
	}}
}

// newCharge is the attempt; how it ended is told by whoever made it.
func (s *Server) newCharge(pi *paymentIntent, m *paymentMethod, refusal *apiError) *charge {
	h := &charge{
		id: s.id("ch"), currency: pi.currency, status: "succeeded", description: pi.description, amount: pi.amount,
		created: pi.clock.now, intent: pi, method: m, refusal: refusal, metadata: pi.metadata, clock: pi.clock,
	}
	if refusal != nil {
		h.status = "failed"
	} else {
		h.transaction = s.id("txn")
	}
	s.charges.add(h)
	pi.latest = h
	return h
}

func getCharge(c *call) (any, error) {
	h, ok := c.charges.get(c.id())
	if !ok {
		return nil, noSuch(404, "charge", c.id(), "id")
	}
	return h.render(c.Server), c.finish()
}

func updateCharge(c *call) (any, error) {
	h, ok := c.charges.get(c.id())
	if !ok {
		return nil, noSuch(404, "charge", c.id(), "id")
	}
	metadata, description := c.metadata(h.metadata), c.text("description", h.description)
	if err := c.finish(); err != nil {
		return nil, err
	}
	c.change(h.clock, "charge.updated", h, func() { h.metadata, h.description = metadata, description })
	return h.render(c.Server), nil
}

func listCharges(c *call) (any, error) {
	pg, customerID, intentID := c.page(), c.str("customer"), c.str("payment_intent")
	if err := c.finish(); err != nil {
		return nil, err
	}
	return answerList(c.Server, pg, "/v1/charges", c.charges.where(func(h *charge) bool {
		return (customerID+intentID != "" || h.clock.id == "") && (customerID == "" || h.intent.customer == customerID) && (intentID == "" || h.intent.id == intentID)
	}))
}
