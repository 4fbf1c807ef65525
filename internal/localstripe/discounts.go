package localstripe

import "strings"

// promotionCode is a word that customers type to get a coupon.
type promotionCode struct {
	id, code string
	coupon   *coupon
	active   bool
	created  int64
	metadata map[string]string
}

func (p *promotionCode) identity() string { return p.id }
func (p *promotionCode) createdAt() int64 { return p.created }

func (p *promotionCode) render(s *Server) obj {
	return obj{
		"id": p.id, "object": "promotion_code", "active": p.active, "code": p.code, "coupon": p.coupon.render(s), "created": p.created,
		"customer": nil, "expires_at": nil, "livemode": false, "max_redemptions": nil, "metadata": renderMetadata(p.metadata),
		"restrictions":   obj{"first_time_transaction": false, "minimum_amount": nil, "minimum_amount_currency": nil},
		"times_redeemed": int64(0),
	}
}

func createCode(c *call) (any, error) {
	p := &promotionCode{code: strings.ToUpper(c.str("code")), active: true, created: c.clock.now, metadata: c.metadata(nil)}
	couponID := c.required("coupon")
	if c.has("active") {
		p.active = c.bool("active")
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	k, err := c.coupon(couponID)
	if err != nil {
		return nil, err
	}
	p.coupon, p.id = k, c.Server.id("promo")
	if p.code == "" {
		p.code = strings.ToUpper(c.token(8))
	}
	c.codes.add(p)
	c.tell(c.clock, "promotion_code.created", p)
	return p.render(c.Server), nil
}

func updateCode(c *call) (any, error) {
	p, ok := c.codes.get(c.id())
	if !ok {
		return nil, noSuch(404, "promotion code", c.id(), "promotion_code")
	}
	active, metadata := p.active, c.metadata(p.metadata)
	if c.has("active") {
		active = c.bool("active")
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	c.change(c.clock, "promotion_code.updated", p, func() { p.active, p.metadata = active, metadata })
	return p.render(c.Server), nil
}

func listCodes(c *call) (any, error) {
	pg, code, couponID := c.page(), c.str("code"), c.str("coupon")
	active, asked := c.bool("active"), c.has("active")
	if err := c.finish(); err != nil {
		return nil, err
	}
	return answerList(c.Server, pg, "/v1/promotion_codes", c.codes.where(func(p *promotionCode) bool {
		return (code == "" || strings.EqualFold(p.code, code)) && (couponID == "" || p.coupon.id == couponID) && (!asked || p.active == active)
	}))
}

// discounting is the parameters coupon and promotion_code of a customer or a subscription.
type discounting struct {
	given        bool
	coupon, code string
}

func (p *params) discounting() discounting {
	return discounting{given: p.has("coupon") || p.has("promotion_code"), coupon: p.str("coupon"), code: p.str("promotion_code")}
}

// discountEvent tells of a discount that came, went or was replaced. A discount is no object of its own.
func (s *Server) discountEvent(c *clock, before, after *discount) {
	switch {
	case before == nil && after != nil:
		s.emit(c, "customer.discount.created", after.render(s).(obj), nil)
	case before != nil && after == nil:
		s.emit(c, "customer.discount.deleted", before.render(s).(obj), nil)
	case before != after:
		s.emit(c, "customer.discount.updated", after.render(s).(obj), previous(before.render(s).(obj), after.render(s).(obj)))
	}
}

// discountCustomer changes a customer's discount; with neither coupon nor code it goes.
func (s *Server) discountCustomer(u *customer, with discounting) error {
	if !with.given {
		return nil
	}
	d, err := s.newDiscount(with.coupon, with.code, u.clock.now)
	if err != nil {
		return err
	}
	if d != nil {
		d.customer = u.id
	}
	before := u.discount
	u.discount = d
	s.discountEvent(u.clock, before, d)
	return nil
}

func deleteCustomerDiscount(c *call) (any, error) {
	u, err := c.customer(c.id(), "id")
	if err != nil {
		return nil, err
	}
	return c.deleteDiscount(u.clock, &u.discount)
}

func deleteSubscriptionDiscount(c *call) (any, error) {
	sub, err := c.subscription(c.id(), "id")
	if err != nil {
		return nil, err
	}
	return c.deleteDiscount(sub.clock(), &sub.discount)
}

func (c *call) deleteDiscount(at *clock, where **discount) (any, error) {
	if err := c.finish(); err != nil {
		return nil, err
	}
	d := *where
	if d == nil {
		return nil, invalid("", "There is no discount to delete.")
	}
	*where = nil
	c.discountEvent(at, d, nil)
	gone := d.render(c.Server).(obj)
	gone["deleted"] = true
	delete(gone, "end")
	return gone, nil
}
