package localstripe

// refund gives money of a charge back.
type refund struct {
	id, status, reason, failure string
	charge                      *charge
	amount, created             int64
	metadata                    map[string]string
}

func (f *refund) identity() string { return f.id }
func (f *refund) createdAt() int64 { return f.created }

func (f *refund) render(*Server) obj {
	o := obj{
		"id": f.id, "object": "refund", "amount": f.amount, "balance_transaction": nil, "charge": f.charge.id, "created": f.created,
		"currency": f.charge.currency, "destination_details": obj{"card": obj{"type": "refund"}, "type": "card"},
		"metadata": renderMetadata(f.metadata), "payment_intent": f.charge.intent.id, "reason": orNil(f.reason), "receipt_number": nil,
		"source_transfer_reversal": nil, "status": f.status, "transfer_reversal": nil,
	}
	if f.failure != "" {
		o["failure_reason"] = f.failure
	}
	return o
}

func createRefund(c *call) (any, error) {
	chargeID, intentID, amount, asked := c.str("charge"), c.str("payment_intent"), c.count("amount"), c.has("amount")
	reason, metadata := c.str("reason"), c.metadata(nil)
	if reason != "" {
		c.oneOf("reason", "duplicate", "fraudulent", "requested_by_customer")
	}
	if chargeID == "" && intentID == "" {
		c.fail(missingParam("charge"))
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	h, err := c.chargeToRefund(chargeID, intentID)
	if err != nil {
		return nil, err
	}
	left := h.amount - h.refunded
	switch {
	case !asked:
		amount = left
	case amount == 0 || amount > left && left > 0:
		return nil, invalid("amount", "Refund amount (%s) is greater than unrefunded amount on charge (%s)", money(h.currency, amount), money(h.currency, left))
	}
	if left == 0 {
		return nil, invalidCode("charge_already_refunded", "", "Charge %s has already been refunded.", h.id)
	}
	if d := h.dispute; d != nil && !d.inquiry() {
		return nil, invalidCode("charge_disputed", "", "Charge %s has been charged back; cannot issue a refund.", h.id)
	}
	return c.refund(h, amount, reason, metadata).render(c.Server), nil
}

func (s *Server) chargeToRefund(chargeID, intentID string) (*charge, error) {
	if chargeID == "" {
		pi, err := s.intent(intentID, "payment_intent")
		if err != nil {
			return nil, err
		}
		if pi.status != "succeeded" {
			return nil, invalid("payment_intent", "This PaymentIntent (%s) does not have a successful charge to refund.", pi.id)
		}
		return pi.latest, nil
	}
	h, ok := s.charges.get(chargeID)
	if !ok {
		return nil, noSuch(400, "charge", chargeID, "charge")
	}
	if h.status != "succeeded" {
		return nil, invalid("charge", "Charge %s has not been captured; it cannot be refunded.", h.id)
	}
	return h, nil
}

// refundSettles is when a refund that was pending succeeds, or one that looked good fails.
const refundSettles = 24 * 3600

// refund tells of it by charge.refunded: this version has no refund.* events for cards.
func (s *Server) refund(h *charge, amount int64, reason string, metadata map[string]string) *refund {
	f := &refund{id: s.id("re"), status: "succeeded", reason: reason, charge: h, amount: amount, created: h.clock.now, metadata: metadata}
	if h.method.does.pendingRefund {
		f.status = "pending"
	}
	s.refunds.add(f)
	s.change(h.clock, "charge.refunded", h, func() { h.refunded += amount })
	if d := h.dispute; d != nil && d.inquiry() && h.refunded == h.amount {
		s.closeDispute(d, "warning_closed")
	}
	if h.method.does.pendingRefund || h.method.does.refundFails {
		h.clock.at(h.clock.now+refundSettles, func() { s.settleRefund(f) })
	}
	return f
}

func (s *Server) settleRefund(f *refund) {
	h := f.charge
	if !h.method.does.refundFails {
		s.change(h.clock, "charge.refund.updated", f, func() { f.status = "succeeded" })
		return
	}
	s.failRefund(f, "expired_or_canceled_card")
}

// failRefund brings the money back to the account: the charge counts it as refunded no longer.
func (s *Server) failRefund(f *refund, why string) {
	h := f.charge
	before := f.render(s)
	f.status, f.failure = "failed", why
	h.refunded -= f.amount
	s.changed(h.clock, "charge.refund.updated", f, before)
}

// FailRefund makes a refund fail, as banks do days later.
func (s *Server) FailRefund(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cause = cause{}
	f, ok := s.refunds.get(id)
	if !ok || f.status == "failed" || f.status == "canceled" {
		return noSuch(404, "refund", id, "id")
	}
	s.failRefund(f, "unknown")
	return nil
}

func getRefund(c *call) (any, error) {
	f, ok := c.refunds.get(c.id())
	if !ok {
		return nil, noSuch(404, "refund", c.id(), "id")
	}
	return f.render(c.Server), c.finish()
}

func updateRefund(c *call) (any, error) {
	f, ok := c.refunds.get(c.id())
	if !ok {
		return nil, noSuch(404, "refund", c.id(), "id")
	}
	metadata := c.metadata(f.metadata)
	if err := c.finish(); err != nil {
		return nil, err
	}
	c.change(f.charge.clock, "charge.refund.updated", f, func() { f.metadata = metadata })
	return f.render(c.Server), nil
}

func listRefunds(c *call) (any, error) {
	pg, chargeID, intentID := c.page(), c.str("charge"), c.str("payment_intent")
	if err := c.finish(); err != nil {
		return nil, err
	}
	return answerList(c.Server, pg, "/v1/refunds", c.refunds.where(func(f *refund) bool {
		return (chargeID == "" || f.charge.id == chargeID) && (intentID == "" || f.charge.intent.id == intentID)
	}))
}
