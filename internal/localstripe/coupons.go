package localstripe

import (
	"math/big"
	"strings"
	"time"
)

// coupon takes something off: a part or an amount, once, for some months, or for ever.
type coupon struct {
	id, name, currency, duration string
	percent                      string // decimal; empty when an amount is taken off
	amount, months               int64
	redeemBy, redemptionsMax     int64
	redeemed, created            int64
	metadata                     map[string]string
	deleted                      bool
}

func (k *coupon) identity() string { return k.id }
func (k *coupon) createdAt() int64 { return k.created }

func (k *coupon) render(s *Server) obj {
	if k.deleted {
		return obj{"id": k.id, "object": "coupon", "deleted": true}
	}
	var percent any
	if k.percent != "" {
		percent, _ = rat(k.percent).Float64()
	}
	return obj{
		"id": k.id, "object": "coupon", "amount_off": orNil(k.amount), "created": k.created, "currency": orNil(k.currency),
		"duration": k.duration, "duration_in_months": orNil(k.months), "livemode": false, "max_redemptions": orNil(k.redemptionsMax),
		"metadata": renderMetadata(k.metadata), "name": orNil(k.name), "percent_off": percent, "redeem_by": orNil(k.redeemBy),
		"times_redeemed": k.redeemed, "valid": k.valid(s.clock.now),
	}
}

func (k *coupon) valid(now int64) bool {
	return !k.deleted && (k.redeemBy == 0 || now < k.redeemBy) && (k.redemptionsMax == 0 || k.redeemed < k.redemptionsMax)
}

// off is what the coupon takes of an amount.
func (k *coupon) off(amount int64) int64 {
	if k.percent == "" {
		return min(k.amount, max(0, amount))
	}
	return cents(new(big.Rat).Mul(big.NewRat(amount, 100), rat(k.percent)))
}

// discount is a coupon at work on a customer or a subscription.
type discount struct {
	id, customer, subscription, promotion string
	coupon                                *coupon
	start, end                            int64
}

func (d *discount) render(s *Server) any {
	if d == nil {
		return nil
	}
	return obj{
		"id": d.id, "object": "discount", "checkout_session": nil, "coupon": d.coupon.render(s), "customer": orNil(d.customer),
		"end": orNil(d.end), "invoice": nil, "invoice_item": nil, "promotion_code": orNil(d.promotion), "start": d.start,
		"subscription": orNil(d.subscription),
	}
}

func (d *discount) holds(at int64) bool { return d != nil && (d.end == 0 || at < d.end) }

// newDiscount redeems a coupon, or a promotion code's.
func (s *Server) newDiscount(couponID, codeID string, now int64) (*discount, error) {
	if code, ok := s.codes.get(codeID); ok {
		couponID = code.coupon.id
	} else if codeID != "" {
		return nil, noSuch(400, "promotion code", codeID, "promotion_code")
	}
	if couponID == "" {
		return nil, nil
	}
	k, ok := s.coupons.get(couponID)
	if !ok || !k.valid(now) {
		return nil, noSuch(400, "coupon", couponID, "coupon")
	}
	k.redeemed++
	d := &discount{id: s.id("di"), coupon: k, start: now, promotion: codeID}
	if k.duration == "repeating" {
		d.end = addMonths(time.Unix(now, 0).UTC(), int(k.months)).Unix()
	}
	return d, nil
}

// offs is what a discount takes of each line. Prorations carry theirs in their amount.
func (inv *invoice) offs() []int64 {
	offs := make([]int64, len(inv.lines))
	if inv.discount == nil {
		return offs
	}
	k := inv.discount.coupon
	left := k.amount
	for i, l := range inv.lines {
		switch {
		case l.proration || l.amount <= 0:
		case k.percent != "":
			offs[i] = k.off(l.amount)
		default:
			offs[i] = min(left, l.amount)
			left -= offs[i]
		}
	}
	return offs
}

func (inv *invoice) off() int64 {
	sum := int64(0)
	for _, o := range inv.offs() {
		sum += o
	}
	return sum
}

// discountOf is the discount that an invoice of a subscription gets: its own, else the customer's.
func discountOf(u *customer, sub *subscription) *discount {
	if sub != nil && sub.discount.holds(u.clock.now) {
		return sub.discount
	}
	if u.discount.holds(u.clock.now) {
		return u.discount
	}
	return nil
}

// useUp ends a discount that holds once.
func (s *Server) useUp(inv *invoice) {
	d := inv.discount
	if d == nil || d.coupon.duration != "once" || inv.off() == 0 {
		return
	}
	if inv.sub != nil && inv.sub.discount == d {
		inv.sub.discount = nil
	}
	if inv.customer.discount == d {
		inv.customer.discount = nil
	}
}

func createCoupon(c *call) (any, error) {
	k := &coupon{
		id: c.str("id"), name: c.str("name"), currency: strings.ToLower(c.str("currency")), amount: c.count("amount_off"),
		duration: c.oneOf("duration", "once", "repeating", "forever"), months: c.count("duration_in_months"), percent: c.str("percent_off"),
		redeemBy: c.int("redeem_by"), redemptionsMax: c.count("max_redemptions"), created: c.clock.now, metadata: c.metadata(nil),
	}
	if (k.percent == "") == (k.amount == 0) {
		c.fail(missingParam("percent_off"))
	}
	if k.percent != "" && (rat(k.percent).Sign() <= 0 || rat(k.percent).Cmp(big.NewRat(100, 1)) > 0) {
		c.fail(invalid("percent_off", "Invalid percent_off: must be above 0 and at most 100."))
	}
	if k.amount != 0 && k.currency == "" {
		c.fail(missingParam("currency"))
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	if _, taken := c.coupons.get(k.id); taken {
		return nil, invalidCode("resource_already_exists", "id", "Coupon already exists.")
	}
	if k.id == "" {
		k.id = c.token(8)
	}
	c.coupons.add(k)
	c.tell(c.clock, "coupon.created", k)
	return k.render(c.Server), nil
}

func (s *Server) coupon(id string) (*coupon, error) {
	k, ok := s.coupons.get(id)
	if !ok || k.deleted {
		return nil, noSuch(404, "coupon", id, "coupon")
	}
	return k, nil
}

func getCoupon(c *call) (any, error) {
	k, err := c.coupon(c.id())
	if err != nil {
		return nil, err
	}
	return k.render(c.Server), c.finish()
}

func updateCoupon(c *call) (any, error) {
	k, err := c.coupon(c.id())
	if err != nil {
		return nil, err
	}
	name, metadata := c.text("name", k.name), c.metadata(k.metadata)
	if err := c.finish(); err != nil {
		return nil, err
	}
	c.change(c.clock, "coupon.updated", k, func() { k.name, k.metadata = name, metadata })
	return k.render(c.Server), nil
}

func deleteCoupon(c *call) (any, error) {
	k, err := c.coupon(c.id())
	if err != nil {
		return nil, err
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	c.tell(c.clock, "coupon.deleted", k)
	k.deleted = true
	return k.render(c.Server), nil
}

func listCoupons(c *call) (any, error) {
	pg := c.page()
	if err := c.finish(); err != nil {
		return nil, err
	}
	return answerList(c.Server, pg, "/v1/coupons", c.coupons.where(func(k *coupon) bool { return !k.deleted }))
}
