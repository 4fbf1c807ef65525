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
	Seats   int64 // of a trial: those it began with, which it never exceeds (B4)

	// T: the last settled target. Of a period that isn't granted yet: what it would be
	// granted by as things stand.
	Target    int64
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

// open tells whether the period may still change: it has neither turned nor been cut.
func (p *Period) open() bool { return p.TurnedAt == nil && p.CutAt == nil }

// netGrant is what rule B9's percentage counts from.
func (p *Period) netGrant() int64 { return p.Granted - p.TakenBack }

// elapsed is the part of a target that a period keeps that is shorter than its month.
func (p *Period) elapsed(target int64) int64 {
	return part(target, p.End.Sub(p.Start), p.FullEnd.Sub(p.Start), false)
}

// share is what a change at that instant is worth (B10): all of it, or with proration
// by the time left, rounded down when it is granted and up when it is taken. A trial's
// end may move, so its time left is no measure: there it is always all of it.
func (p *Period) share(x int64, at time.Time, take bool) int64 {
	if p.Trial || !p.Figures.Rules().Proration {
		return x
	}
	return part(x, p.End.Sub(at), p.End.Sub(p.Start), take)
}

// moveTo gives the period another end, which isn't a cut. The month that it is part of
// may have begun before it: when a cut is heard of after the cut period has turned.
// Then it is worth only its part of that month.
func (p *Period) moveTo(m span, trial bool) {
	full := m.end
	if !trial && m.start.Before(p.Start) {
		full = full.Add(p.Start.Sub(m.start))
	}
	if !p.End.Equal(m.end) || !p.FullEnd.Equal(full) || p.Trial != trial {
		p.End, p.FullEnd, p.Trial, p.dirty = m.end, full, trial, true
	}
}

// rollRoom is how much more may join the turn that ended this period.
func (p *Period) rollRoom() int64 {
	if p.TurnRule == nil {
		return 0
	}
	return max(0, p.TurnRule.capOf(p.TurnSeats, p.netGrant())-p.Rolled)
}

// rolls tells whether credits of a lot may roll in this period's turn at all (B9).
func (p *Period) rolls(l *ledger.Lot) bool {
	return p.TurnRule != nil && (l.Source == ledger.Monthly || l.Source == ledger.Rollover) && p.TurnRule.survives(l)
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
	if len(s.Periods) == 0 {
		return nil
	}
	i := number - s.Periods[0].Number
	if i < 0 || i >= int64(len(s.Periods)) {
		return nil
	}
	return s.Periods[i]
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

// everGranted tells whether a paid month was granted to the subscription already.
func (s *Sub) everGranted() bool {
	for _, p := range s.Periods {
		if p.GrantedAt != nil && !p.Trial {
			return true
		}
	}
	return len(s.Periods) > 0 && s.Periods[0].Number > 1
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
