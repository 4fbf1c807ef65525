package billing

import "time"

// PaidLine is a line of a paid invoice. When it was paid may be unknown.
type PaidLine struct {
	InvoiceID string     `json:"invoice_id"`
	PriceID   string     `json:"price_id"`
	LookupKey string     `json:"lookup_key,omitempty"`
	Quantity  int64      `json:"quantity"`
	Amount    int64      `json:"amount"`
	Proration bool       `json:"proration,omitempty"`
	From      time.Time  `json:"from"`
	To        time.Time  `json:"to"`
	PaidAt    *time.Time `json:"paid_at,omitempty"`
}

// covered tells whether what was paid covers the whole period (B7), and since when: a
// line of a plan's price, not of a proration, in an invoice that is paid. Of an ended
// subscription only what was paid before its end counts (B6), whenever we heard of
// either.
func (s *Sub) covered(c *Catalog, p *Period) (since time.Time, ok bool) {
	end := s.Facts.endedAt()
	for _, l := range s.Paid {
		if l.Proration || l.From.After(p.Start) || l.To.Before(p.End) || planOfPrice(c, l.PriceID, l.LookupKey, p.Figures) == "" {
			continue
		}
		if end != nil && (l.PaidAt == nil || l.PaidAt.After(*end)) {
			continue
		}
		paid := p.Start
		if l.PaidAt != nil {
			paid = later(paid, *l.PaidAt)
		}
		if !ok || paid.Before(since) {
			since, ok = paid, true
		}
	}
	return since, ok
}

// paidQuantities are the quantities that were paid for within a period, for plans
// whose increases wait for their invoice: of each price what was paid for last.
func (s *Sub) paidQuantities(c *Catalog, p *Period, f *Figures) map[string]int64 {
	latest := map[string]PaidLine{}
	for _, l := range s.Paid {
		if l.Amount < 0 || !l.From.Before(p.End) || !l.To.After(p.Start) {
			continue
		}
		known, seen := latest[l.PriceID]
		if !seen || l.From.After(known.From) || l.From.Equal(known.From) && l.Quantity > known.Quantity {
			latest[l.PriceID] = l
		}
	}
	q := map[string]int64{}
	for _, l := range latest {
		if name := planOfPrice(c, l.PriceID, l.LookupKey, f); name != "" {
			q[name] = min(q[name]+min(max(l.Quantity, 0), CreditsMax), CreditsMax)
		}
	}
	return q
}

// moneyBack tells whether cancelling gave money back for the rest of the period: a
// credit for unused time up to its end, with nothing charged in its place.
func (s *Sub) moneyBack(c *Catalog, p *Period, ended time.Time) bool {
	back := false
	for _, l := range s.Paid {
		// Stripe counts the unused time from the second in which it was asked to cancel.
		if !l.Proration || l.To.Before(p.FullEnd) || l.From.Before(ended.Add(-time.Minute)) ||
			planOfPrice(c, l.PriceID, l.LookupKey, p.Figures) == "" {
			continue
		}
		if l.Amount > 0 {
			return false
		}
		back = back || l.Amount < 0
	}
	return back
}
