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
	for _, before := range c.usage.where(func(u *usageRecord) bool { return u.item == it && u.at == at }) {
		if action == "increment" {
			before.quantity += quantity
		} else {
			before.quantity = quantity
		}
		return before.render(c.Server), nil
	}
	u := &usageRecord{id: c.Server.id("mbur"), item: it, at: at, quantity: quantity, created: it.sub.clock().now}
	c.usage.add(u)
	return u.render(c.Server), nil
}

// used sums an item's records within a period, in the way its price says.
func (s *Server) used(it *item, from, to int64) int64 {
	total, latest := int64(0), int64(-1)
	for _, u := range s.usage.order {
		ever := it.price.recurring.aggregate == "last_ever" && u.at < to
		if u.item != it || !ever && (u.at < from || u.at >= to) {
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
