package localstripe

// usageRecord says how much of a metered price was used.
type usageRecord struct {
	id       string
	item     *item
	at       int64
	quantity int64
	created  int64
}

func (u *usageRecord) identity() string { return u.id }
func (u *usageRecord) createdAt() int64 { return u.created }

func (u *usageRecord) render(*Server) obj {
	return obj{
		"id": u.id, "object": "usage_record", "livemode": false, "quantity": u.quantity, "subscription_item": u.item.id, "timestamp": u.at,
	}
}

func createUsage(c *call) (any, error) {
	it, ok := c.items.get(c.id())
	if !ok || it.deleted {
		return nil, noSuch(404, "subscription item", c.id(), "id")
	}
	quantity, action := c.count("quantity"), c.oneOf("action", "increment", "set")
	at := it.sub.clock().now
	if stamp := c.str("timestamp"); stamp != "" && stamp != "now" {
		at = c.int("timestamp")
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	if !it.price.metered() {
		return nil, invalid("", "Cannot create the usage record because the price is not metered.")
	}
	if u := c.usageAt(it, at); u != nil {
		if action == "set" {
			u.quantity = 0
		}
		u.quantity += quantity
		return u.render(c.Server), nil
	}
	u := &usageRecord{id: c.Server.id("mbur"), item: it, at: at, quantity: quantity, created: it.sub.clock().now}
	c.usage.add(u)
	return u.render(c.Server), nil
}

// usageAt is an item's record of an instant. There is one at most: what is reported of the same instant again is added
// to it, or takes its place.
func (s *Server) usageAt(it *item, at int64) *usageRecord {
	for _, u := range s.usage.order {
		if u.item == it && u.at == at {
			return u
		}
	}
	return nil
}

// used sums an item's records within a period, in the way its price says. Items are told apart by their ids, because a
// change that is worked out but not made, such as a preview, holds copies of them.
func (s *Server) used(it *item, from, to int64) int64 {
	total, latest := int64(0), int64(-1)
	for _, u := range s.usage.order {
		ever := it.price.recurring.aggregate == "last_ever" && u.at < to
		if u.item.id != it.id || !ever && (u.at < from || u.at >= to) {
			continue
		}
		switch it.price.recurring.aggregate {
		case "max":
			total = max(total, u.quantity)
		case "last_during_period", "last_ever":
			if u.at >= latest {
				total, latest = u.quantity, u.at
			}
		default:
			total += u.quantity
		}
	}
	return total
}

func (s *Server) usageLine(it *item, from, to int64) *line {
	quantity := s.used(it, from, to)
	return &line{
		description: itemDescription(&item{price: it.price, quantity: quantity}), currency: it.sub.currency, start: from, end: to,
		price: it.price, quantity: quantity, sub: it.sub, item: it, metadata: it.sub.metadata, amount: cents(it.price.amount(quantity)),
	}
}
