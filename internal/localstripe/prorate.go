package localstripe

// credits gives back the unused time of items, from a moment to the period's end.
func (s *Server) credits(sub *subscription, items []*item, from int64) []*invoiceItem {
	var found []*invoiceItem
	for _, it := range items {
		if i := sub.proration(it, from, sub.periodEnd, -1); i != nil {
			i.credits = s.lineOf(sub, it)
			found = append(found, i)
		}
	}
	return found
}

// proration bills (or, with sign −1, credits) a stretch of the period for an item, to the second.
func (sub *subscription) proration(it *item, from, to, sign int64) *invoiceItem {
	if it.price.metered() || to <= from {
		return nil
	}
	which := "Remaining"
	if sign < 0 {
		which = "Unused"
	}
	amount := share(it.price.amount(it.quantity), to-from, sub.wholePeriod())
	if d := discountOf(sub.customer, sub); d != nil && d.coupon.percent != "" {
		amount -= d.coupon.off(amount)
	}
	return &invoiceItem{
		customer: sub.customer, sub: sub, item: it, price: it.price, unit: it.price.unit, currency: sub.currency, quantity: it.quantity,
		amount: sign * amount, proration: true, start: from, end: to,
		description: prorationDescription(which, it.price, it.quantity, from), metadata: map[string]string{},
	}
}

// wholePeriod is the length that an item's full price pays for: longer than the period when cancel_at or an
// anchor cut it.
func (sub *subscription) wholePeriod() int64 {
	natural := sub.recurring().after(sub.anchor, sub.periodStart)
	return natural - sub.recurring().before(sub.anchor, natural)
}

// lineOf is the line that billed an item for the current period.
func (s *Server) lineOf(sub *subscription, it *item) *line {
	for i := len(s.invoices.order) - 1; i >= 0; i-- {
		inv := s.invoices.order[i]
		if inv.sub != sub {
			continue
		}
		for _, l := range inv.lines {
			if l.item != nil && l.item.id == it.id && l.amount >= 0 && l.end == sub.periodEnd {
				return l
			}
		}
	}
	return nil
}
