package localstripe

// invoice says what is owed for what, and whether it has been paid.
type invoice struct {
	id, status, reason, collection, number, description, defaultMethod, currency string
	customer                                                                     *customer
	sub                                                                          *subscription
	subMetadata                                                                  map[string]string
	lines                                                                        []*line
	created, periodStart, periodEnd, dueDate, nextAttempt                        int64
	finalizedAt, paidAt, voidedAt, uncollectibleAt                               int64
	startingBalance, applied, paidAmount                                         int64
	endingBalance                                                                *int64
	attempted, autoAdvance, outOfBand                                            bool
	counted                                                                      bool // the attempt under way moves the retry schedule
	attempts                                                                     int64
	intent                                                                       *paymentIntent
	metadata                                                                     map[string]string
	daysUntilDue                                                                 int64
	footer                                                                       string
	discount                                                                     *discount
}

func (inv *invoice) identity() string { return inv.id }
func (inv *invoice) createdAt() int64 { return inv.created }
func (inv *invoice) clock() *clock    { return inv.customer.clock }

// total is what the lines come to, less the discount.
func (inv *invoice) total() int64 { return inv.subtotal() - inv.off() }

func (inv *invoice) subtotal() int64 {
	sum := int64(0)
	for _, l := range inv.lines {
		sum += l.amount
	}
	return sum
}

// due is what the customer has to pay once the balance has been set off. A draft foretells it.
func (inv *invoice) due() int64 {
	if inv.status == "draft" {
		_, due := settleBalance(inv.customer.balance, inv.total())
		return due
	}
	return max(0, inv.total()-inv.applied)
}

// settleBalance sets a total off against a balance: credit (below zero) pays, debt is added, and a total
// below zero becomes credit.
func settleBalance(balance, total int64) (after, due int64) {
	owed := balance + total
	if owed < 0 {
		return owed, 0
	}
	return 0, owed
}

func (inv *invoice) render(s *Server) obj {
	total, due := inv.total(), inv.due()
	remaining := due - inv.paidAmount
	balance := inv.startingBalance
	if inv.status == "draft" {
		balance = inv.customer.balance
	}
	var ending any
	if inv.endingBalance != nil {
		ending = *inv.endingBalance
	}
	o := obj{
		"object": "invoice", "account_country": "US", "account_name": accountName, "account_tax_ids": nil,
		"amount_due": due, "amount_paid": inv.paidAmount, "amount_remaining": remaining, "amount_shipping": int64(0),
		"application": nil, "application_fee_amount": nil, "attempt_count": inv.attempts, "attempted": inv.attempted,
		"auto_advance": inv.autoAdvance, "automatic_tax": obj{"enabled": false, "liability": nil, "status": nil},
		"billing_reason": inv.reason, "charge": inv.chargeID(), "collection_method": inv.collection, "created": inv.created,
		"currency": inv.currency, "custom_fields": nil, "customer": inv.customer.id,
		"customer_address": hashOrNil(inv.customer.address), "customer_email": orNil(inv.customer.email),
		"customer_name": orNil(inv.customer.name), "customer_phone": orNil(inv.customer.phone),
		"customer_shipping": hashOrNil(inv.customer.shipping), "customer_tax_exempt": inv.customer.taxExempt, "customer_tax_ids": []any{},
		"default_payment_method": orNil(inv.defaultMethod), "default_source": nil, "default_tax_rates": []any{},
		"description": orNil(inv.description), "discount": inv.discount.render(s), "discounts": inv.discountIDs(), "due_date": orNil(inv.dueDate),
		"effective_at": orNil(inv.finalizedAt), "ending_balance": ending, "footer": orNil(inv.footer), "from_invoice": nil,
		"hosted_invoice_url": nil, "invoice_pdf": nil, "issuer": obj{"type": "self"}, "last_finalization_error": nil,
		"latest_revision": nil, "lines": inv.renderLines(s), "livemode": false, "metadata": renderMetadata(inv.metadata),
		"next_payment_attempt": orNil(inv.nextAttempt), "number": orNil(inv.number), "on_behalf_of": nil,
		"paid": inv.status == "paid", "paid_out_of_band": inv.outOfBand, "payment_intent": idOrNil(inv.intent),
		"payment_settings": obj{"default_mandate": nil, "payment_method_options": nil, "payment_method_types": nil},
		"period_end":       inv.periodEnd, "period_start": inv.periodStart, "post_payment_credit_notes_amount": int64(0),
		"pre_payment_credit_notes_amount": int64(0), "quote": nil, "receipt_number": nil, "rendering": nil,
		"rendering_options": nil, "shipping_cost": nil, "shipping_details": nil, "starting_balance": balance,
		"statement_descriptor": nil, "status": inv.status, "status_transitions": obj{
			"finalized_at": orNil(inv.finalizedAt), "marked_uncollectible_at": orNil(inv.uncollectibleAt),
			"paid_at": orNil(inv.paidAt), "voided_at": orNil(inv.voidedAt),
		},
		"subscription": idOrNil(inv.sub), "subscription_details": obj{"metadata": nil}, "subtotal": inv.subtotal(),
		"subtotal_excluding_tax": inv.subtotal(), "tax": nil, "test_clock": orNil(inv.clock().id), "total": total,
		"total_discount_amounts": inv.discountAmounts(inv.off()), "total_excluding_tax": total, "total_tax_amounts": []any{}, "transfer_data": nil,
		"webhooks_delivered_at": orNil(inv.created),
	}
	if inv.id != "" {
		o["id"] = inv.id
	}
	if inv.sub != nil {
		o["subscription_details"] = obj{"metadata": renderMetadata(inv.subMetadata)}
	}
	if inv.finalizedAt != 0 && inv.id != "" {
		o["hosted_invoice_url"], o["invoice_pdf"] = s.url+"/i/"+inv.id, s.url+"/i/"+inv.id
	}
	return o
}

func (inv *invoice) chargeID() any {
	if inv.intent == nil {
		return nil
	}
	return idOrNil(inv.intent.latest)
}

func (inv *invoice) renderLines(s *Server) obj {
	rendered := []any{}
	for _, l := range inv.lines {
		rendered = append(rendered, l.render(s))
	}
	return embedded("/v1/invoices/"+inv.id+"/lines", rendered)
}

// line is one position of an invoice.
type line struct {
	id, description, currency string
	invoice                   *invoice
	amount                    int64
	start, end                int64
	price                     *price
	quantity                  int64
	proration                 bool
	credits                   *line // the line whose unused time this one gives back
	sub                       *subscription
	item                      *item
	from                      *invoiceItem // nil when it comes of the subscription itself
	metadata                  map[string]string
}

func (l *line) identity() string { return l.id }
func (l *line) createdAt() int64 { return l.invoice.created }

func (l *line) render(s *Server) obj {
	kind := "subscription"
	if l.from != nil {
		kind = "invoiceitem"
	}
	o := obj{
		"id": l.id, "object": "line_item", "amount": l.amount, "amount_excluding_tax": l.amount, "currency": l.currency,
		"description": orNil(l.description), "discount_amounts": l.discountAmounts(), "discountable": !l.proration, "discounts": []any{},
		"invoice": orNil(l.invoice.id), "livemode": false, "metadata": renderMetadata(l.metadata),
		"period": obj{"end": l.end, "start": l.start}, "plan": nil, "price": nil, "proration": l.proration,
		"proration_details": obj{"credited_items": l.creditedItems()}, "quantity": l.quantity,
		"subscription": idOrNil(l.sub), "tax_amounts": []any{}, "tax_rates": []any{}, "type": kind,
		"unit_amount_excluding_tax": nil,
	}
	if l.price != nil {
		o["price"], o["plan"], o["unit_amount_excluding_tax"] = l.price.render(s), l.price.renderPlan(), orNil(l.price.unit)
	}
	if l.from != nil {
		o["invoice_item"] = l.from.id
	}
	if l.item != nil {
		o["subscription_item"] = l.item.id
	}
	return o
}

func (inv *invoice) discountIDs() []any {
	if inv.discount == nil {
		return []any{}
	}
	return []any{inv.discount.id}
}

func (inv *invoice) discountAmounts(off int64) []any {
	if inv.discount == nil {
		return []any{}
	}
	return []any{obj{"amount": off, "discount": inv.discount.id}}
}

func (l *line) discountAmounts() []any {
	for i, off := range l.invoice.offs() {
		if l.invoice.lines[i] == l && off > 0 {
			return l.invoice.discountAmounts(off)
		}
	}
	return []any{}
}

func (l *line) creditedItems() any {
	if l.credits == nil {
		return nil
	}
	return obj{"invoice": l.credits.invoice.id, "invoice_line_items": []any{l.credits.id}}
}
