package localstripe

import "strings"

// customer pays. Its balance below zero is credit, which the next invoice uses up.
type customer struct {
	id, email, name, description, phone string
	address, shipping                   obj
	metadata                            map[string]string
	balance                             int64
	currency                            string
	defaultMethod                       string
	invoicePrefix                       string
	invoiceSequence                     int64
	taxExempt                           string
	locales                             []string
	delinquent                          bool
	created                             int64
	clock                               *clock
	deleted                             bool
	discount                            *discount
}

func (u *customer) identity() string { return u.id }
func (u *customer) createdAt() int64 { return u.created }

func (u *customer) render(s *Server) obj {
	if u.deleted {
		return obj{"id": u.id, "object": "customer", "deleted": true}
	}
	return obj{
		"id": u.id, "object": "customer", "address": hashOrNil(u.address), "balance": u.balance, "created": u.created,
		"currency": orNil(u.currency), "default_source": nil, "delinquent": u.delinquent, "description": orNil(u.description),
		"discount": u.discount.render(s), "email": orNil(u.email), "invoice_prefix": u.invoicePrefix,
		"invoice_settings": obj{
			"custom_fields": nil, "default_payment_method": orNil(u.defaultMethod), "footer": nil, "rendering_options": nil,
		},
		"livemode": false, "metadata": renderMetadata(u.metadata), "name": orNil(u.name),
		"next_invoice_sequence": u.invoiceSequence, "phone": orNil(u.phone), "preferred_locales": anyList(u.locales),
		"shipping": hashOrNil(u.shipping), "tax_exempt": u.taxExempt, "test_clock": orNil(u.clock.id),
	}
}

func hashOrNil(o obj) any {
	if len(o) == 0 {
		return nil
	}
	return deepCopy(o)
}

// customer finds a living customer that a parameter names.
func (s *Server) customer(id, param string) (*customer, error) {
	u, ok := s.customers.get(id)
	if !ok || u.deleted {
		return nil, noSuch(paramStatus(param), "customer", id, param)
	}
	return u, nil
}

// paramStatus: an unknown id in the path is 404, in a parameter 400.
func paramStatus(param string) int {
	if param == "id" {
		return 404
	}
	return 400
}

// fill reads what creating and updating share.
func (u *customer) fill(p *params) {
	u.email, u.name, u.description, u.phone = p.text("email", u.email), p.text("name", u.name), p.text("description", u.description), p.text("phone", u.phone)
	u.address, u.shipping = p.hash("address", u.address), p.hash("shipping", u.shipping)
	u.metadata = p.metadata(u.metadata)
	if p.has("balance") {
		u.balance = p.int("balance")
	}
	if p.has("tax_exempt") {
		u.taxExempt = p.oneOf("tax_exempt", "none", "exempt", "reverse")
	}
	if p.has("preferred_locales") {
		u.locales = p.strings("preferred_locales")
	}
	u.defaultMethod = p.at("invoice_settings").text("default_payment_method", u.defaultMethod)
	u.invoicePrefix = strings.ToUpper(p.text("invoice_prefix", u.invoicePrefix))
}

// text reads a string that replaces what stood there; an empty one clears it.
func (p *params) text(name, before string) string {
	if k := p.at(name); k.given {
		return k.value
	}
	return before
}

// hash reads an object of strings, such as an address.
func (p *params) hash(name string, before obj) obj {
	k := p.at(name)
	switch {
	case k.given && k.value == "":
		return nil
	case len(k.names) == 0:
		return before
	}
	k.markAll()
	return k.tree()
}

func (p *params) tree() obj {
	o := obj{}
	for _, name := range p.names {
		if k := p.kids[name]; len(k.names) > 0 {
			o[name] = k.tree()
		} else {
			o[name] = k.value
		}
	}
	return o
}

func createCustomer(c *call) (any, error) {
	u := &customer{taxExempt: "none", invoiceSequence: 1, clock: c.clock, locales: []string{}}
	if id := c.str("test_clock"); id != "" {
		k, ok := c.clocks.get(id)
		if !ok {
			c.fail(noSuch(400, "test clock", id, "test_clock"))
			k = c.clock
		}
		u.clock = k
	}
	u.fill(c.params)
	method := c.str("payment_method")
	if name, ok := tokens[c.str("source")]; ok {
		// A token of the older kind becomes a card all the same.
		method, u.defaultMethod = name, name
	} else if c.has("source") {
		c.fail(noSuch(400, "token", c.str("source"), "source"))
	}
	with := c.discounting()
	if err := c.finish(); err != nil {
		return nil, err
	}
	if err := c.openCustomer(u, method); err != nil {
		return nil, err
	}
	if err := c.discountCustomer(u, with); err != nil {
		return nil, err
	}
	return u.render(c.Server), nil
}

// openCustomer gives a new customer its id, its payment method and its event.
func (s *Server) openCustomer(u *customer, method string) error {
	if err := s.roomForCustomer(u.clock); err != nil {
		return err
	}
	u.created = u.clock.now
	u.id = "cus_" + s.token(14)
	if u.invoicePrefix == "" {
		u.invoicePrefix = strings.ToUpper(s.token(8))
	}
	attached, err := s.methodFor(u, method, "payment_method")
	if err != nil {
		return err
	}
	preferred := attached
	if u.defaultMethod != method {
		if preferred, err = s.methodFor(u, u.defaultMethod, "invoice_settings[default_payment_method]"); err != nil {
			return err
		}
	}
	for _, m := range []*paymentMethod{attached, preferred} {
		if m == nil {
			continue
		}
		if err := m.attachable(); err != nil {
			return err
		}
	}
	if preferred != nil && u.defaultMethod != "" {
		u.defaultMethod = preferred.id
	}
	s.customers.add(u)
	s.tell(u.clock, "customer.created", u)
	for _, m := range []*paymentMethod{attached, preferred} {
		if m != nil {
			s.attach(m, u)
		}
	}
	return nil
}

func getCustomer(c *call) (any, error) {
	u, ok := c.customers.get(c.id())
	if !ok {
		return nil, noSuch(404, "customer", c.id(), "id")
	}
	return u.render(c.Server), c.finish()
}

func updateCustomer(c *call) (any, error) {
	u, err := c.customer(c.id(), "id")
	if err != nil {
		return nil, err
	}
	after := *u
	after.fill(c.params)
	with := c.discounting()
	if err := c.finish(); err != nil {
		return nil, err
	}
	if after.defaultMethod != u.defaultMethod && after.defaultMethod != "" {
		m, err := c.methodFor(u, after.defaultMethod, "invoice_settings[default_payment_method]")
		if err != nil {
			return nil, err
		}
		if m.customer == "" {
			return nil, invalidCode("resource_missing", "invoice_settings[default_payment_method]",
				"The customer does not have a payment method with the ID %s. The payment method must be attached to the customer.", after.defaultMethod)
		}
		after.defaultMethod = m.id
	}
	if err := c.discountCustomer(u, with); err != nil {
		return nil, err
	}
	after.discount = u.discount
	c.change(u.clock, "customer.updated", u, func() { *u = after })
	return u.render(c.Server), nil
}

// deleteCustomer cancels the customer's subscriptions, as Stripe does.
func deleteCustomer(c *call) (any, error) {
	u, err := c.customer(c.id(), "id")
	if err != nil {
		return nil, err
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	c.removeCustomer(u)
	return u.render(c.Server), nil
}

func (s *Server) removeCustomer(u *customer) {
	for _, sub := range s.subscriptions.where(func(sub *subscription) bool { return sub.customer == u && !sub.over() }) {
		s.cancelNow(sub, cancellation{reason: "cancellation_requested"})
	}
	last := u.render(s)
	u.deleted = true
	s.emit(u.clock, "customer.deleted", last, nil)
}

func listCustomers(c *call) (any, error) {
	pg, email, clockID := c.page(), c.str("email"), c.str("test_clock")
	if err := c.finish(); err != nil {
		return nil, err
	}
	return answerList(c.Server, pg, "/v1/customers", c.customers.where(func(u *customer) bool {
		return !u.deleted && (email == "" || u.email == email) && u.clock.id == clockID
	}))
}
