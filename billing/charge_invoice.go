package billing

import (
	"slices"
	"time"

	"purser/ledger"
)

// monthMax is the longest that a credit month is, clocks that change included.
const monthMax = 31*24*time.Hour + time.Hour

// forInvoice says what an invoice of a subscription brought (R3): of which period what
// was granted net is to be taken back in proportion to the invoice's plan lines. It
// reports whether there is a period that it paid for and that wasn't granted yet.
func (r *refunding) forInvoice(c *Catalog, charge Charge, sub *Sub, periods []*Period) (waits bool) {
	lines := planLines(c, charge.Lines, periods)
	paid, prorated := paidFor(lines)
	for _, l := range lines {
		r.cost += l.Amount
	}
	periods = slices.DeleteFunc(slices.Clone(periods), func(p *Period) bool {
		return p.Trial || !p.Start.Before(paid.end) || !p.End.After(paid.start) || !prorated && p.Start.Before(paid.start)
	})
	r.paid = paid
	if len(periods) > 0 {
		r.paid.start = earlier(paid.start, periods[0].Start)
	}
	r.roots = append(r.roots, rootsOf(periods)...)
	slices.Sort(r.roots)
	r.roots = slices.Compact(r.roots)
	p := answers(periods, paid, r.at)
	if p == nil {
		return len(periods) > 0 && !sub.Facts.Status.Ended()
	}
	if prorated {
		r.cost += sub.paidBeside(c, charge.InvoiceID, p)
	}
	r.whole = min(max(0, p.netGrant()-p.Owed), CreditsMax)
	r.root = ledger.Root(p.LotOrigin)
	return false
}

// planLines are the lines that pay for a plan, by the catalogue or by what a period was
// granted by.
func planLines(c *Catalog, lines []InvoiceLine, periods []*Period) []InvoiceLine {
	return slices.DeleteFunc(slices.Clone(lines), func(l InvoiceLine) bool {
		if planOfPrice(c, l.PriceID, l.LookupKey, nil) != "" {
			return false
		}
		return !slices.ContainsFunc(periods, func(p *Period) bool { return planOfPrice(c, l.PriceID, l.LookupKey, p.Figures) != "" })
	})
}

// paidFor is the time that plan lines pay for. An invoice that bills a change in
// mid-period has prorated lines only.
func paidFor(lines []InvoiceLine) (paid span, prorated bool) {
	whole := slices.DeleteFunc(slices.Clone(lines), func(l InvoiceLine) bool { return l.Proration })
	if len(whole) == 0 {
		return paidSpan(lines), true
	}
	return paidSpan(whole), false
}

// answers chooses the period that answers for an invoice: the month that it paid for, or
// of a longer time the current one. Only what was granted can answer.
func answers(periods []*Period, paid span, at time.Time) *Period {
	var chosen *Period
	for _, p := range periods {
		if p.GrantedAt == nil {
			continue
		}
		if chosen == nil || paid.end.Sub(paid.start) > monthMax && !p.Start.After(at) {
			chosen = p
		}
	}
	return chosen
}

// paidBeside is what other invoices cost that paid for the same period: one that bills a
// change alone bought a share of what the period brought, and not all of it.
func (s *Sub) paidBeside(c *Catalog, invoice string, p *Period) int64 {
	var sum int64
	for _, l := range s.Paid {
		if l.InvoiceID != invoice && l.From.Before(p.End) && l.To.After(p.Start) && planOfPrice(c, l.PriceID, l.LookupKey, p.Figures) != "" {
			sum += l.Amount
		}
	}
	return max(0, sum)
}
