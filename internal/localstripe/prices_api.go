package localstripe

import (
	"math/big"
	"strconv"
	"strings"
)

// fillNew reads what only creating may set.
func (p *price) fillNew(in *params) {
	p.currency = strings.ToLower(in.required("currency"))
	p.unit = in.decimal("unit_amount")
	p.taxBehavior = in.oneOf("tax_behavior", "unspecified", "inclusive", "exclusive")
	if in.has("recurring") {
		p.recurring = in.at("recurring").recurring()
	}
	tiered := in.oneOf("billing_scheme", "per_unit", "tiered") == "tiered"
	if tiered {
		p.tiersMode = in.oneOf("tiers_mode", "graduated", "volume")
		p.tiers = in.tiers()
	}
	if !tiered && p.unit == "" {
		in.fail(missingParam(in.at("unit_amount").path))
	}
	if in.has("transform_quantity") {
		t := in.at("transform_quantity")
		p.divideBy, p.round = t.count("divide_by"), t.oneOf("round", "up", "down")
	}
}

func (p *params) recurring() *recurring {
	r := &recurring{
		interval: p.oneOf("interval", "month", "year", "week", "day"), usage: p.oneOf("usage_type", "licensed", "metered"),
		count: max(1, p.count("interval_count")), trialDays: p.count("trial_period_days"),
	}
	p.required("interval")
	if r.usage == "metered" {
		r.aggregate = p.oneOf("aggregate_usage", "sum", "last_during_period", "last_ever", "max")
	}
	return r
}

// decimal reads an amount from name or from name_decimal, as digits without superfluous zeros.
func (p *params) decimal(name string) string {
	whole, exact := p.at(name), p.at(name+"_decimal")
	switch {
	case exact.given && exact.value != "":
		if _, ok := new(big.Rat).SetString(exact.value); !ok {
			p.fail(invalid(exact.path, "Invalid decimal: %s", exact.value))
		}
		if strings.Contains(exact.value, ".") {
			return strings.TrimSuffix(strings.TrimRight(exact.value, "0"), ".")
		}
		return exact.value
	case whole.given && whole.value != "":
		return strconv.FormatInt(p.count(name), 10)
	}
	return ""
}

func (p *params) tiers() []tier {
	var tiers []tier
	for _, entry := range p.list("tiers") {
		t := tier{unit: entry.decimal("unit_amount"), flat: entry.decimal("flat_amount")}
		if entry.required("up_to") != "inf" {
			t.upTo = entry.count("up_to")
		}
		tiers = append(tiers, t)
	}
	if len(tiers) == 0 || tiers[len(tiers)-1].upTo != 0 {
		p.fail(invalid("tiers", "The last tier must have up_to = inf."))
	}
	return tiers
}

func (p *price) fill(in *params) {
	p.nickname = in.text("nickname", p.nickname)
	p.metadata = in.metadata(p.metadata)
	if in.has("active") {
		p.active = in.bool("active")
	}
}

func createPrice(c *call) (any, error) {
	p := &price{active: true}
	p.fillNew(c.params)
	p.fill(c.params)
	p.lookupKey = c.str("lookup_key")
	transfer := c.bool("transfer_lookup_key")
	productID, fresh := c.str("product"), &product{active: true, images: []string{}, created: c.clock.now, updated: c.clock.now}
	if c.has("product_data") {
		c.at("product_data").required("name")
		fresh.fill(c.at("product_data"))
	} else if productID == "" {
		c.fail(missingParam("product"))
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	if productID != "" {
		d, err := c.product(productID, "product")
		if err != nil {
			return nil, err
		}
		fresh = d
	}
	if err := c.freeLookupKey(p.lookupKey, transfer, nil); err != nil {
		return nil, err
	}
	if fresh.id == "" {
		fresh.id = "prod_" + c.token(14)
		c.products.add(fresh)
		c.tell(c.clock, "product.created", fresh)
	}
	p.product = fresh
	c.openPrice(p)
	return p.render(c.Server), nil
}

// freeLookupKey takes a key away from the price that has it, when that is wanted.
func (s *Server) freeLookupKey(key string, transfer bool, forPrice *price) error {
	if key == "" {
		return nil
	}
	for _, other := range s.prices.where(func(o *price) bool { return o.lookupKey == key && o != forPrice }) {
		if !transfer {
			return invalid("lookup_key", "A price (`%s`) already uses that lookup key.", other.id)
		}
		s.change(s.clock, "price.updated", other, func() { other.lookupKey = "" })
	}
	return nil
}

func (s *Server) openPrice(p *price) {
	p.id, p.created = s.id("price"), s.clock.now
	s.prices.add(p)
	s.tell(s.clock, "price.created", p)
}

func (s *Server) price(id, param string) (*price, error) {
	p, ok := s.prices.get(id)
	if !ok {
		return nil, noSuch(paramStatus(param), "price", id, param)
	}
	return p, nil
}

func getPrice(c *call) (any, error) {
	p, err := c.price(c.id(), "id")
	if err != nil {
		return nil, err
	}
	return p.render(c.Server), c.finish()
}

func updatePrice(c *call) (any, error) {
	p, err := c.price(c.id(), "id")
	if err != nil {
		return nil, err
	}
	after := *p
	after.fill(c.params)
	after.lookupKey = c.text("lookup_key", p.lookupKey)
	after.taxBehavior = c.text("tax_behavior", p.taxBehavior)
	transfer := c.bool("transfer_lookup_key")
	if err := c.finish(); err != nil {
		return nil, err
	}
	if err := c.freeLookupKey(after.lookupKey, transfer, p); err != nil {
		return nil, err
	}
	c.change(c.clock, "price.updated", p, func() { *p = after })
	return p.render(c.Server), nil
}

func listPrices(c *call) (any, error) {
	pg, keys, ofProduct, currency := c.page(), c.strings("lookup_keys"), c.str("product"), c.str("currency")
	active, asked, kind := c.bool("active"), c.has("active"), c.str("type")
	interval, usage := c.str("recurring", "interval"), c.str("recurring", "usage_type")
	if err := c.finish(); err != nil {
		return nil, err
	}
	return answerList(c.Server, pg, "/v1/prices", c.prices.where(func(p *price) bool {
		r := p.recurring
		if (interval != "" || usage != "") && (r == nil || interval != "" && r.interval != interval || usage != "" && r.usage != usage) {
			return false
		}
		return (len(keys) == 0 || p.lookupKey != "" && matchesAny(keys, p.lookupKey)) && (ofProduct == "" || p.product.id == ofProduct) &&
			(!asked || p.active == active) && (currency == "" || p.currency == currency) && (kind == "" || (kind == "recurring") == (r != nil))
	}))
}

// inlinePrice is a price that a request describes on the spot.
type inlinePrice struct {
	price     *price
	productID string
	product   *product
	param     string
}

// inlinePrice reads price_data; without one it gives nil.
func (p *params) inlinePrice(name string) *inlinePrice {
	if !p.has(name) {
		return nil
	}
	k := p.at(name)
	in := &inlinePrice{price: &price{}, productID: k.str("product"), param: k.path}
	in.price.fillNew(k)
	if k.has("product_data") {
		k.at("product_data").required("name")
		in.product = &product{images: []string{}}
		in.product.fill(k.at("product_data"))
	} else if in.productID == "" {
		p.fail(missingParam(k.path + "[product]"))
	}
	return in
}

// priceOrInline finds the price that is named, or makes the one that is described, or gives nil.
func (s *Server) priceOrInline(id string, in *inlinePrice) (*price, error) {
	if id != "" {
		p, err := s.price(id, "price")
		if err == nil && !p.active {
			return nil, invalid("price", "The price specified is inactive. This field only accepts active prices.")
		}
		return p, err
	}
	if in == nil {
		return nil, nil
	}
	in.price.product = in.product
	if in.product == nil {
		d, err := s.product(in.productID, in.param+"[product]")
		if err != nil {
			return nil, err
		}
		in.price.product = d
	} else if in.product.id == "" {
		in.product.id, in.product.created, in.product.updated = "prod_"+s.token(14), s.clock.now, s.clock.now
		s.products.add(in.product)
		s.tell(s.clock, "product.created", in.product)
	}
	s.openPrice(in.price)
	return in.price, nil
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
