package localstripe

import "strings"

func (s *Server) invoice(id, param string) (*invoice, error) {
	inv, ok := s.invoices.get(id)
	if !ok {
		return nil, noSuch(paramStatus(param), "invoice", id, "invoice")
	}
	return inv, nil
}

func (s *Server) invoiceIn(id string, statuses ...string) (*invoice, error) {
	inv, err := s.invoice(id, "id")
	if err != nil {
		return nil, err
	}
	if matchesAny(statuses, inv.status) {
		return inv, nil
	}
	switch inv.status {
	case "paid":
		return nil, invalidCode("invoice_already_paid", "", "Invoice is already paid")
	case "open":
		return nil, invalid("", "This invoice is already finalized, you can't re-finalize a non-draft invoice.")
	}
	return nil, invalidCode("invoice_not_editable", "", "This is not possible for an invoice that is %s.", inv.status)
}

func createInvoice(c *call) (any, error) {
	customerID, subID := c.required("customer"), c.str("subscription")
	collection := c.oneOf("collection_method", "charge_automatically", "send_invoice")
	include := c.oneOf("pending_invoice_items_behavior", "exclude", "include") == "include"
	description, metadata, method, days := c.str("description"), c.metadata(nil), c.str("default_payment_method"), c.count("days_until_due")
	currency, footer, auto, dueDate := strings.ToLower(c.str("currency")), c.str("footer"), c.bool("auto_advance"), c.int("due_date")
	c.ignore("automatic_tax", "payment_settings", "statement_descriptor", "custom_fields")
	if collection == "send_invoice" && days == 0 && dueDate == 0 {
		c.fail(invalid("days_until_due", "If invoice collection_method is set to 'send_invoice', you must provide days_until_due or due_date."))
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	u, err := c.customer(customerID, "customer")
	if err != nil {
		return nil, err
	}
	var sub *subscription
	if subID != "" {
		if sub, err = c.subscription(subID, "subscription"); err != nil {
			return nil, err
		}
	}
	m, err := c.methodFor(u, method, "default_payment_method")
	if err != nil {
		return nil, err
	}
	inv := c.newInvoiceDraft(u, sub, include)
	inv.collection, inv.description, inv.metadata, inv.daysUntilDue, inv.footer = collection, description, metadata, days, footer
	inv.autoAdvance = auto
	if m != nil {
		inv.defaultMethod = m.id
	}
	if dueDate != 0 {
		inv.daysUntilDue = (dueDate - u.clock.now) / 86400
	}
	if currency != "" {
		inv.currency = currency
	} else if inv.currency == "" {
		inv.currency = "usd"
	}
	if auto {
		inv.nextAttempt = inv.created + draftLife
		c.scheduleFinalize(inv)
	}
	c.tell(inv.clock(), "invoice.created", inv)
	return inv.render(c.Server), nil
}

// newInvoiceDraft leaves pending items alone unless they are asked for, as this version does.
func (s *Server) newInvoiceDraft(u *customer, sub *subscription, include bool) *invoice {
	inv := s.newInvoice(u, nil, "manual", false)
	inv.sub = sub
	if sub != nil {
		inv.subMetadata = sub.metadata
	}
	if include {
		for _, i := range s.waiting(u, sub, true) {
			s.take(inv, i)
		}
	}
	return inv
}

func getInvoice(c *call) (any, error) {
	inv, err := c.invoice(c.id(), "id")
	if err != nil {
		return nil, err
	}
	return inv.render(c.Server), c.finish()
}

func updateInvoice(c *call) (any, error) {
	inv, err := c.invoice(c.id(), "id")
	if err != nil {
		return nil, err
	}
	after := *inv
	after.metadata, after.description, after.footer = c.metadata(inv.metadata), c.text("description", inv.description), c.text("footer", inv.footer)
	after.defaultMethod = c.text("default_payment_method", inv.defaultMethod)
	if c.has("auto_advance") {
		after.autoAdvance = c.bool("auto_advance")
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	if after.autoAdvance && !inv.autoAdvance {
		switch inv.status {
		case "draft":
			c.scheduleFinalize(inv)
		case "open":
			inv.clock().at(inv.clock().now, func() { c.collectUnasked(inv) })
		}
	}
	c.change(inv.clock(), "invoice.updated", inv, func() { *inv = after })
	return inv.render(c.Server), nil
}

func deleteInvoice(c *call) (any, error) {
	inv, err := c.invoiceIn(c.id(), "draft")
	if err != nil {
		return nil, err
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	if inv.sub != nil && inv.reason != "manual" {
		return nil, invalid("", "You can't delete invoices created by subscriptions.")
	}
	c.tell(inv.clock(), "invoice.deleted", inv)
	inv.status = "deleted"
	c.invoices.remove(inv.id)
	return obj{"id": inv.id, "object": "invoice", "deleted": true}, nil
}

func finalizeInvoice(c *call) (any, error) {
	inv, err := c.invoiceIn(c.id(), "draft")
	if err != nil {
		return nil, err
	}
	auto := inv.autoAdvance
	if c.has("auto_advance") {
		auto = c.bool("auto_advance")
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	inv.autoAdvance = auto
	c.Server.finalize(inv)
	if auto && inv.status == "open" {
		if inv.collection == "send_invoice" {
			c.send(inv)
		} else {
			// Stripe collects within the hour; here that is the clock's next move.
			due := inv.clock().now
			inv.clock().at(due, func() {
				if inv.autoAdvance && !inv.attempted {
					c.collectUnasked(inv)
				}
			})
		}
	}
	return inv.render(c.Server), nil
}

func payInvoice(c *call) (any, error) {
	inv, err := c.invoiceIn(c.id(), "draft", "open", "uncollectible")
	if err != nil {
		return nil, err
	}
	method, outOfBand, offSession := c.str("payment_method"), c.bool("paid_out_of_band"), !c.has("off_session") || c.bool("off_session")
	c.ignore("forgive")
	if err := c.finish(); err != nil {
		return nil, err
	}
	m, err := c.methodFor(inv.customer, method, "payment_method")
	if err != nil {
		return nil, err
	}
	if err := inv.payable(); err != nil {
		return nil, err
	}
	if inv.status == "draft" {
		c.Server.finalize(inv)
	}
	inv.status = map[bool]string{true: "open", false: inv.status}[inv.status == "uncollectible"]
	if inv.status == "paid" {
		return inv.render(c.Server), nil
	}
	if outOfBand {
		c.settle(inv, true)
		return inv.render(c.Server), nil
	}
	if m == nil {
		m = c.methodOf(inv)
	}
	if m == nil {
		return nil, invalidCode("resource_missing", "", "There is no default payment method set on this Customer, and no payment method was given. Please provide one.")
	}
	if refusal := c.collect(inv, m, attempting{offSession: offSession}); refusal != nil {
		return nil, refusal
	}
	return inv.render(c.Server), nil
}

func (s *Server) void(inv *invoice) {
	if inv == nil || inv.status != "open" && inv.status != "uncollectible" {
		return
	}
	before := inv.render(s)
	inv.status, inv.voidedAt, inv.nextAttempt, inv.autoAdvance = "void", inv.clock().now, 0, false
	s.changed(inv.clock(), "invoice.updated", inv, before)
	s.tell(inv.clock(), "invoice.voided", inv)
	s.cancelIntent(inv.intent, "void_invoice")
	s.closed(inv)
}

func (s *Server) giveUpInvoice(inv *invoice) {
	before := inv.render(s)
	inv.status, inv.uncollectibleAt, inv.nextAttempt, inv.autoAdvance = "uncollectible", inv.clock().now, 0, false
	s.changed(inv.clock(), "invoice.updated", inv, before)
	s.tell(inv.clock(), "invoice.marked_uncollectible", inv)
	s.closed(inv)
}

func voidInvoice(c *call) (any, error) {
	inv, err := c.invoiceIn(c.id(), "open", "uncollectible")
	if err != nil {
		return nil, err
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	c.Server.void(inv)
	return inv.render(c.Server), nil
}

func markUncollectible(c *call) (any, error) {
	inv, err := c.invoiceIn(c.id(), "open")
	if err != nil {
		return nil, err
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	c.giveUpInvoice(inv)
	return inv.render(c.Server), nil
}

func sendInvoice(c *call) (any, error) {
	inv, err := c.invoiceIn(c.id(), "draft", "open")
	if err != nil {
		return nil, err
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	if inv.status == "draft" {
		c.Server.finalize(inv)
	}
	c.send(inv)
	return inv.render(c.Server), nil
}

func listInvoices(c *call) (any, error) {
	pg, customerID, subID, status := c.page(), c.str("customer"), c.str("subscription"), c.str("status")
	collection, due := c.str("collection_method"), c.timeRange("due_date")
	if err := c.finish(); err != nil {
		return nil, err
	}
	return answerList(c.Server, pg, "/v1/invoices", c.invoices.where(func(inv *invoice) bool {
		return (customerID+subID != "" || inv.clock().id == "") && (customerID == "" || inv.customer.id == customerID) && (subID == "" || inv.sub != nil && inv.sub.id == subID) &&
			(status == "" || inv.status == status) && (collection == "" || inv.collection == collection) && due.holds(inv.dueDate)
	}))
}

func listLines(c *call) (any, error) {
	pg := c.page()
	inv, err := c.invoice(c.id(), "id")
	if err != nil {
		return nil, err
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	return answerOrdered(c.Server, pg, "/v1/invoices/"+inv.id+"/lines", inv.lines)
}
