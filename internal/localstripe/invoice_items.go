package localstripe

import "strings"

// invoiceItem waits for the next invoice, or has been put on one.
type invoiceItem struct {
	id, currency, description string
	customer                  *customer
	sub                       *subscription
	item                      *item
	invoice                   *invoice
	amount, quantity          int64
	price                     *price
	unit                      string
	start, end, date          int64
	proration, deleted        bool
	credits                   *line
	metadata                  map[string]string
}

func (i *invoiceItem) identity() string { return i.id }
func (i *invoiceItem) createdAt() int64 { return i.date }

func (i *invoiceItem) render(s *Server) obj {
	if i.deleted {
		return obj{"id": i.id, "object": "invoiceitem", "deleted": true}
	}
	o := obj{
		"id": i.id, "object": "invoiceitem", "amount": i.amount, "currency": i.currency, "customer": i.customer.id, "date": i.date,
		"description": orNil(i.description), "discountable": !i.proration, "discounts": []any{}, "invoice": idOrNil(i.invoice),
		"livemode": false, "metadata": renderMetadata(i.metadata), "period": obj{"end": i.end, "start": i.start}, "plan": nil,
		"price": nil, "proration": i.proration, "quantity": i.quantity, "subscription": idOrNil(i.sub), "tax_rates": []any{},
		"test_clock": orNil(i.customer.clock.id), "unit_amount": wholeOrNil(i.unit), "unit_amount_decimal": orNil(i.unit),
	}
	if i.price != nil {
		o["price"], o["plan"] = i.price.render(s), i.price.renderPlan()
	}
	if i.item != nil {
		o["subscription_item"] = i.item.id
	}
	return o
}

// waiting gives a customer's items that no invoice has taken yet: those of the subscription, and with
// loose also those of none.
func (s *Server) waiting(u *customer, sub *subscription, loose bool) []*invoiceItem {
	return s.invoiceItems.where(func(i *invoiceItem) bool {
		return i.customer == u && i.invoice == nil && !i.deleted && (sub != nil && i.sub == sub || loose && i.sub == nil)
	})
}

// addItem keeps a pending item and tells of it.
func (s *Server) addItem(i *invoiceItem) {
	i.id, i.date = s.id("ii"), i.customer.clock.now
	s.invoiceItems.add(i)
	s.tell(i.customer.clock, "invoiceitem.created", i)
}

// take puts an item on an invoice.
func (s *Server) take(inv *invoice, i *invoiceItem) {
	i.invoice = inv
	l := i.line(inv)
	l.id = s.id("il")
	inv.lines = append(inv.lines, l)
}

func (i *invoiceItem) line(inv *invoice) *line {
	return &line{
		invoice: inv, description: i.description, currency: i.currency, amount: i.amount, start: i.start, end: i.end,
		price: i.price, quantity: i.quantity, proration: i.proration, credits: i.credits, sub: i.sub, item: i.item, from: i,
		metadata: i.metadata,
	}
}

func createInvoiceItem(c *call) (any, error) {
	customerID, invoiceID, subID, priceID := c.required("customer"), c.str("invoice"), c.str("subscription"), c.str("price")
	i := &invoiceItem{
		currency: strings.ToLower(c.str("currency")), description: c.str("description"), quantity: 1, metadata: c.metadata(nil),
		amount: c.int("amount"), unit: c.decimal("unit_amount"),
	}
	amounts, units := c.has("amount"), i.unit != ""
	if c.has("quantity") {
		i.quantity = c.count("quantity")
	}
	i.start, i.end = c.at("period").int("start"), c.at("period").int("end")
	fresh := c.inlinePrice("price_data")
	c.ignore("discountable", "tax_behavior", "tax_code")
	if err := c.finish(); err != nil {
		return nil, err
	}
	if err := c.resolveItem(i, customerID, invoiceID, subID); err != nil {
		return nil, err
	}
	switch p, err := c.priceOrInline(priceID, fresh); {
	case err != nil:
		return nil, err
	case p != nil && p.recurring != nil:
		return nil, invalid("price", "The price specified is set to `type=recurring` but this field only accepts prices with `type=one_time`.")
	case p != nil:
		i.price, i.currency, i.unit, i.amount = p, p.currency, p.unit, cents(p.amount(i.quantity))
		if i.description == "" {
			i.description = p.product.name
		}
	case units:
		i.amount = cents(rat(i.unit)) * i.quantity
	case amounts:
		i.unit = itoa(i.amount)
	default:
		return nil, missingParam("amount")
	}
	if i.currency == "" {
		return nil, missingParam("currency")
	}
	c.addItem(i)
	if i.invoice != nil {
		c.change(i.customer.clock, "invoice.updated", i.invoice, func() { c.take(i.invoice, i) })
	}
	return i.render(c.Server), nil
}

// resolveItem finds what an item is for.
func (s *Server) resolveItem(i *invoiceItem, customerID, invoiceID, subID string) error {
	u, err := s.customer(customerID, "customer")
	if err != nil {
		return err
	}
	i.customer = u
	if i.start == 0 && i.end == 0 {
		i.start, i.end = u.clock.now, u.clock.now
	}
	if invoiceID != "" {
		inv, err := s.invoice(invoiceID, "invoice")
		if err != nil {
			return err
		}
		if inv.status != "draft" || inv.customer != u {
			return invalidCode("invoice_not_editable", "invoice", "This invoice can no longer be edited, or is not the customer's.")
		}
		i.invoice = inv
	}
	if subID != "" {
		sub, err := s.subscription(subID, "subscription")
		if err != nil {
			return err
		}
		i.sub = sub
	}
	return nil
}

func getInvoiceItem(c *call) (any, error) {
	i, ok := c.invoiceItems.get(c.id())
	if !ok {
		return nil, noSuch(404, "invoiceitem", c.id(), "invoiceitem")
	}
	return i.render(c.Server), c.finish()
}

func deleteInvoiceItem(c *call) (any, error) {
	i, ok := c.invoiceItems.get(c.id())
	if !ok || i.deleted {
		return nil, noSuch(404, "invoiceitem", c.id(), "invoiceitem")
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	if i.invoice != nil && i.invoice.status != "draft" {
		return nil, invalidCode("invoice_not_editable", "", "This invoice item is already attached to a finalized invoice and cannot be deleted.")
	}
	c.tell(i.customer.clock, "invoiceitem.deleted", i)
	if inv := i.invoice; inv != nil {
		c.change(i.customer.clock, "invoice.updated", inv, func() { inv.drop(i) })
	}
	i.deleted = true
	return i.render(c.Server), nil
}

func (inv *invoice) drop(i *invoiceItem) {
	kept := []*line{}
	for _, l := range inv.lines {
		if l.from != i {
			kept = append(kept, l)
		}
	}
	inv.lines = kept
}

func listInvoiceItems(c *call) (any, error) {
	pg, customerID, invoiceID := c.page(), c.str("customer"), c.str("invoice")
	pending, asked := c.bool("pending"), c.has("pending")
	if err := c.finish(); err != nil {
		return nil, err
	}
	return answerList(c.Server, pg, "/v1/invoiceitems", c.invoiceItems.where(func(i *invoiceItem) bool {
		return !i.deleted && (customerID+invoiceID != "" || i.customer.clock.id == "") && (customerID == "" || i.customer.id == customerID) && (invoiceID == "" || i.invoice != nil && i.invoice.id == invoiceID) &&
			(!asked || (i.invoice == nil) == pending)
	}))
}
