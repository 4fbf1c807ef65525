package localstripe

import "strings"

// dispute is a customer's complaint to the bank. One that begins with warning_ is an inquiry: no money has
// moved yet.
type dispute struct {
	id, status, reason string
	charge             *charge
	amount, created    int64
	due                int64
	evidence           map[string]string
	submissions        int64
	transactions       []any
	metadata           map[string]string
}

func (d *dispute) identity() string { return d.id }
func (d *dispute) createdAt() int64 { return d.created }

func (d *dispute) inquiry() bool { return strings.HasPrefix(d.status, "warning_") }
func (d *dispute) closed() bool {
	return d.status == "won" || d.status == "lost" || d.status == "warning_closed"
}

var evidenceFields = []string{
	"access_activity_log", "billing_address", "cancellation_policy", "cancellation_policy_disclosure", "cancellation_rebuttal",
	"customer_communication", "customer_email_address", "customer_name", "customer_purchase_ip", "customer_signature",
	"duplicate_charge_documentation", "duplicate_charge_explanation", "duplicate_charge_id", "product_description", "receipt",
	"refund_policy", "refund_policy_disclosure", "refund_refusal_explanation", "service_date", "service_documentation",
	"shipping_address", "shipping_carrier", "shipping_date", "shipping_documentation", "shipping_tracking_number",
	"uncategorized_file", "uncategorized_text",
}

func (d *dispute) render(*Server) obj {
	evidence := obj{}
	for _, field := range evidenceFields {
		evidence[field] = orNil(d.evidence[field])
	}
	return obj{
		"id": d.id, "object": "dispute", "amount": d.amount, "balance_transactions": deepCopy(d.transactions), "charge": d.charge.id,
		"created": d.created, "currency": d.charge.currency, "evidence": evidence,
		"evidence_details": obj{
			"due_by": d.due, "has_evidence": len(d.evidence) > 0, "past_due": false, "submission_count": d.submissions,
		},
		"is_charge_refundable": d.inquiry() && !d.closed(), "livemode": false, "metadata": renderMetadata(d.metadata),
		"payment_intent": d.charge.intent.id, "payment_method_details": obj{
			"card": obj{"brand": "visa", "network_reason_code": "10.4"}, "type": "card",
		},
		"reason": d.reason, "status": d.status,
	}
}

// Dispute says how a dispute is opened.
type Dispute struct {
	Inquiry bool   `json:"inquiry"`
	Amount  int64  `json:"amount"` // 0: all that the charge took
	Reason  string `json:"reason"` // default fraudulent
}

// OpenDispute disputes a charge and answers the dispute's id.
func (s *Server) OpenDispute(chargeID string, how Dispute) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cause = cause{}
	h, ok := s.charges.get(chargeID)
	if !ok || h.status != "succeeded" {
		return "", noSuch(404, "charge", chargeID, "id")
	}
	if h.dispute != nil {
		return "", invalid("charge", "Charge %s is disputed already.", chargeID)
	}
	status := "needs_response"
	if how.Inquiry {
		status = "warning_needs_response"
	}
	return s.openDispute(h, status, how.Amount, how.Reason).id, nil
}

// disputeTime is how long there is to answer a dispute.
const disputeTime = 14 * 86400

func (s *Server) openDispute(h *charge, status string, amount int64, reason string) *dispute {
	if amount == 0 {
		amount = h.amount
	}
	if reason == "" {
		reason = "fraudulent"
	}
	d := &dispute{
		id: s.id("dp"), status: status, reason: reason, charge: h, amount: amount, created: h.clock.now,
		due: h.clock.now + disputeTime, metadata: map[string]string{}, transactions: []any{},
	}
	h.dispute, h.disputed = d, true
	s.disputes.add(d)
	s.tell(h.clock, "charge.dispute.created", d)
	if !d.inquiry() {
		s.withdraw(d)
	}
	h.clock.at(d.due, func() { s.overdue(d) })
	return d
}

// overdue closes a dispute that nobody answered.
func (s *Server) overdue(d *dispute) {
	switch d.status {
	case "needs_response":
		s.closeDispute(d, "lost")
	case "warning_needs_response":
		s.closeDispute(d, "warning_closed")
	}
}

const disputeFee = 1500

func (s *Server) withdraw(d *dispute) {
	d.transactions = append(d.transactions, s.transaction(d, -d.amount, disputeFee))
	s.tell(d.charge.clock, "charge.dispute.funds_withdrawn", d)
}

func (s *Server) transaction(d *dispute, amount, fee int64) obj {
	return obj{
		"id": s.id("txn"), "object": "balance_transaction", "amount": amount, "available_on": d.charge.clock.now,
		"created": d.charge.clock.now, "currency": d.charge.currency, "description": "Chargeback for " + d.charge.id,
		"exchange_rate": nil, "fee": fee, "fee_details": []any{obj{
			"amount": fee, "application": nil, "currency": d.charge.currency, "description": "Dispute fee", "type": "stripe_fee",
		}},
		"net": amount - fee, "reporting_category": "dispute", "source": d.id, "status": "available", "type": "adjustment",
	}
}

// CloseDispute ends a dispute: won, lost, or warning_closed for an inquiry. needs_response turns an inquiry
// into a dispute.
func (s *Server) CloseDispute(id, status string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cause = cause{}
	d, ok := s.disputes.get(id)
	if !ok {
		return noSuch(404, "dispute", id, "id")
	}
	allowed := map[string]bool{"won": !d.inquiry(), "lost": !d.inquiry(), "warning_closed": d.inquiry(), "needs_response": d.inquiry()}
	if d.closed() || !allowed[status] {
		return invalid("status", "A dispute that is %s cannot become %s.", d.status, status)
	}
	if status == "needs_response" {
		s.change(d.charge.clock, "charge.dispute.updated", d, func() { d.status = status })
		s.withdraw(d)
		return nil
	}
	s.closeDispute(d, status)
	return nil
}

func (s *Server) closeDispute(d *dispute, status string) {
	s.change(d.charge.clock, "charge.dispute.closed", d, func() { d.status = status })
	if status == "won" {
		d.transactions = append(d.transactions, s.transaction(d, d.amount, 0))
		s.tell(d.charge.clock, "charge.dispute.funds_reinstated", d)
	}
}

func getDispute(c *call) (any, error) {
	d, ok := c.disputes.get(c.id())
	if !ok {
		return nil, noSuch(404, "dispute", c.id(), "id")
	}
	return d.render(c.Server), c.finish()
}

func listDisputes(c *call) (any, error) {
	pg, chargeID, intentID := c.page(), c.str("charge"), c.str("payment_intent")
	if err := c.finish(); err != nil {
		return nil, err
	}
	return answerList(c.Server, pg, "/v1/disputes", c.disputes.where(func(d *dispute) bool {
		return (chargeID == "" || d.charge.id == chargeID) && (intentID == "" || d.charge.intent.id == intentID)
	}))
}

// updateDispute takes evidence. Stripe's magic words decide the dispute at once.
func updateDispute(c *call) (any, error) {
	d, ok := c.disputes.get(c.id())
	if !ok {
		return nil, noSuch(404, "dispute", c.id(), "id")
	}
	metadata, evidence := c.metadata(d.metadata), map[string]string{}
	for _, field := range evidenceFields {
		if value := c.at("evidence").str(field); value != "" {
			evidence[field] = value
		}
	}
	submit := !c.has("submit") || c.bool("submit")
	if err := c.finish(); err != nil {
		return nil, err
	}
	if d.closed() {
		return nil, invalid("", "This dispute is already closed.")
	}
	submitted := submit && len(evidence) > 0
	c.change(d.charge.clock, "charge.dispute.updated", d, func() {
		d.metadata = metadata
		if len(evidence) > 0 {
			d.evidence = evidence
		}
		if submitted {
			d.submissions++
			d.status = map[bool]string{true: "warning_under_review", false: "under_review"}[d.inquiry()]
		}
	})
	switch text := evidence["uncategorized_text"]; {
	case submitted && text == "winning_evidence" && d.inquiry(), submitted && text == "losing_evidence" && d.inquiry():
		c.closeDispute(d, "warning_closed")
	case submitted && text == "winning_evidence":
		c.closeDispute(d, "won")
	case submitted && text == "losing_evidence":
		c.closeDispute(d, "lost")
	}
	return d.render(c.Server), nil
}

func closeDispute(c *call) (any, error) {
	d, ok := c.disputes.get(c.id())
	if !ok {
		return nil, noSuch(404, "dispute", c.id(), "id")
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	if d.closed() {
		return nil, invalid("", "This dispute is already closed.")
	}
	c.closeDispute(d, map[bool]string{true: "warning_closed", false: "lost"}[d.inquiry()])
	return d.render(c.Server), nil
}
