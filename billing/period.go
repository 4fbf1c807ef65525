package billing

import (
	"fmt"
	"math"
	"time"

	"purser/ledger"
)

// Period is a credit month [Start, End) of one subscription (B4). Its number is the
// step of its lots: what carries that number is ended by this period's turn.
type Period struct {
	Number  int64
	Start   time.Time
	End     time.Time
	FullEnd time.Time // where it would have ended, had it not been cut
	Trial   bool
	Figures *Figures
	Seats   int64

	Target    int64 // T: the last settled target
	TargetMax int64 // of a trial: by the seats at its start
	Owed      int64 // O: what was to be taken back and wasn't there
	Granted   int64
	TakenBack int64
	Grants    int // grant keys used
	TakeBacks int
	LotOrigin string // of its monthly lot, once there is one

	GrantedAt *time.Time
	CutAt     *time.Time
	TurnedAt  *time.Time
	TurnRule  *Rollover // nil: nothing rolled, nor will
	TurnSeats int64
	Rolled    int64

	dirty bool
}

func (p *Period) span() span { return span{p.Start, p.End} }

// netGrant is what rule B9's percentage counts from.
func (p *Period) netGrant() int64 { return p.Granted - p.TakenBack }

// elapsed is the part of a target that a cut period keeps.
func (p *Period) elapsed(target int64) int64 {
	if p.CutAt == nil {
		return target
	}
	return part(target, p.End.Sub(p.Start), p.FullEnd.Sub(p.Start), false)
}

// share is what a change at that instant is worth (B10): all of it, or with proration
// by the time left, rounded down when it is granted and up when it is taken.
func (p *Period) share(x int64, at time.Time, take bool) int64 {
	if !p.Figures.Proration {
		return x
	}
	return part(x, p.FullEnd.Sub(at), p.FullEnd.Sub(p.Start), take)
}

// rollRoom is how much more may join the turn that ended this period.
func (p *Period) rollRoom() int64 {
	if p.TurnRule == nil {
		return 0
	}
	return max(0, p.TurnRule.capOf(p.TurnSeats, p.netGrant())-p.Rolled)
}

// capOf is the most that rolls in one turn (B9).
func (r Rollover) capOf(seats, netGrant int64) int64 {
	switch r.Mode {
	case RolloverAll:
		return math.MaxInt64
	case RolloverCap:
		return times(r.CapPerSeat, max(seats, 1))
	case RolloverPercent:
		return percentOf(netGrant, r.Percent)
	}
	return 0
}

// survives tells whether a lot may survive one more turn.
func (r Rollover) survives(l *ledger.Lot) bool {
	return r.MaxAgeTurns == 0 || l.TurnsSurvived < r.MaxAgeTurns
}

// PaidLine is a line of a paid invoice.
type PaidLine struct {
	InvoiceID string    `json:"invoice_id"`
	PriceID   string    `json:"price_id"`
	LookupKey string    `json:"lookup_key,omitempty"`
	Quantity  int64     `json:"quantity"`
	Amount    int64     `json:"amount"`
	Proration bool      `json:"proration,omitempty"`
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
}

// Sub is a subscription with its periods and what was paid for it.
type Sub struct {
	Facts   Subscription
	State   string // placed or unmapped
	Reason  string
	TeamID  string
	Paid    []PaidLine
	Owed    int64 // carried to the next grant
	Periods []*Period

	customerOwed *customerOwed
	dirty        bool
	due          *time.Time
}

// last gives the latest period.
func (s *Sub) last() *Period {
	if len(s.Periods) == 0 {
		return nil
	}
	return s.Periods[len(s.Periods)-1]
}

// period gives a period by its number. Periods that were over long ago aren't loaded.
func (s *Sub) period(number int64) *Period {
	for i := len(s.Periods) - 1; i >= 0; i-- {
		if s.Periods[i].Number == number {
			return s.Periods[i]
		}
	}
	return nil
}

// current gives the period that the clock stands in.
func (s *Sub) current(at time.Time) *Period {
	for i := len(s.Periods) - 1; i >= 0; i-- {
		if s.Periods[i].span().contains(at) {
			return s.Periods[i]
		}
	}
	return nil
}

// grantKey makes the key of the next grant for a period's start, counted on across the
// periods that share it (B5).
func (s *Sub) grantKey(p *Period) string {
	n := 0
	for _, other := range s.Periods {
		if other.Start.Equal(p.Start) {
			n += other.Grants
		}
	}
	return fmt.Sprintf("grant:%s:%s:%d", s.Facts.ID, stamp(p.Start), n)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// covered tells whether what was paid covers the whole period (B7): a line of a plan's
// price, not of a proration, in an invoice that is paid.
func (s *Sub) covered(c *Catalog, p *Period) bool {
	for _, l := range s.Paid {
		if !l.Proration && !l.From.After(p.Start) && !l.To.Before(p.FullEnd) &&
			planName(c, l.PriceID, l.LookupKey, p.Figures) != "" {
			return true
		}
	}
	return false
}

// paidQuantities are the quantities that were paid for within a period, for plans
// whose increases wait for their invoice.
func (s *Sub) paidQuantities(c *Catalog, p *Period, f *Figures) map[string]int64 {
	q := map[string]int64{}
	for _, l := range s.Paid {
		name := planName(c, l.PriceID, l.LookupKey, f)
		if name != "" && l.Amount >= 0 && l.From.Before(p.End) && l.To.After(p.Start) {
			q[name] = max(q[name], l.Quantity)
		}
	}
	return q
}

// moneyBack tells whether cancelling gave money back for the rest of the period: a
// credit for unused time up to its end, with nothing charged in its place.
func (s *Sub) moneyBack(c *Catalog, p *Period, ended time.Time) bool {
	back := false
	for _, l := range s.Paid {
		if !l.Proration || l.To.Before(p.FullEnd) || l.From.Before(ended.Add(-time.Minute)) ||
			planName(c, l.PriceID, l.LookupKey, p.Figures) == "" {
			continue
		}
		if l.Amount > 0 {
			return false
		}
		back = back || l.Amount < 0
	}
	return back
}
