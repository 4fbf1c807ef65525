package billing

import (
	"fmt"
	"time"

	"purser/ledger"
)

// settleMax bounds how many things one settling does: decades of monthly turns for
// many subscriptions. Reaching it means that something is due for ever.
const settleMax = 100_000

// step is one thing that is due at an instant.
type step struct {
	at   time.Time
	rank int // of steps at one instant: holds end, lots end, a period turns, a grant
	do   func(at time.Time) error
}

// The order of what falls due at one instant.
const (
	rankHold = iota
	rankLot
	rankTurn
	rankGrant
)

// Settle does everything that has fallen due, in the order of time, and then lets the
// current period follow the subscription as it stands. Settling twice is the same as
// settling once.
func (s *State) Settle(at time.Time) error {
	for _, sub := range s.Subs {
		if err := s.openPeriods(sub, at); err != nil {
			return fmt.Errorf("opening periods of %s: %w", sub.Facts.ID, err)
		}
	}
	for n := 0; ; n++ {
		next, ok := s.nextStep(at)
		if !ok {
			break
		}
		if n == settleMax {
			return fmt.Errorf("settling book %d: no end of what is due at %s", s.Book.ID, stamp(next.at))
		}
		if err := next.do(next.at); err != nil {
			return fmt.Errorf("settling book %d at %s: %w", s.Book.ID, stamp(next.at), err)
		}
	}
	for _, sub := range s.Subs {
		if err := s.recompute(sub, at); err != nil {
			return fmt.Errorf("recomputing %s: %w", sub.Facts.ID, err)
		}
		if err := s.redate(sub, at); err != nil {
			return fmt.Errorf("dating the lots of %s: %w", sub.Facts.ID, err)
		}
	}
	if err := s.joinReturned(at); err != nil {
		return err
	}
	start, _, _ := s.CurrentPeriod(at)
	s.Book.SetWindow(start)
	return nil
}

// nextStep finds the earliest thing that is due by at.
func (s *State) nextStep(at time.Time) (step, bool) {
	var best step
	found := false
	offer := func(c step) {
		if c.at.After(at) {
			return
		}
		if !found || c.at.Before(best.at) || c.at.Equal(best.at) && c.rank < best.rank {
			best, found = c, true
		}
	}
	if due := s.Book.NextDue(); due != nil {
		offer(step{*due, rankHold, s.expire})
	}
	for _, sub := range s.Subs {
		if p := s.firstUnturned(sub); p != nil {
			offer(step{s.turnAt(sub, p), rankTurn, func(time.Time) error { return s.turn(sub, p) }})
		}
		if p := s.firstGrantable(sub, at); p != nil {
			offer(step{p.Start, rankGrant, func(time.Time) error { return s.grant(sub, p) }})
		}
	}
	return best, found
}

// expire ends the holds and then the lots whose time has come. What a hold gives back
// to a lot whose period has turned joins that turn.
func (s *State) expire(at time.Time) error {
	s.Book.ExpireHolds(at)
	if err := s.joinReturned(at); err != nil {
		return err
	}
	s.Book.ExpireLots(at)
	return nil
}

func (s *State) firstUnturned(sub *Sub) *Period {
	for _, p := range sub.Periods {
		if p.TurnedAt == nil {
			return p
		}
	}
	return nil
}

func (s *State) firstGrantable(sub *Sub, at time.Time) *Period {
	for _, p := range sub.Periods {
		if p.GrantedAt == nil && s.grantable(sub, p, at) {
			return p
		}
	}
	return nil
}

// grantable tells whether a period may be granted now (B6, B7).
func (s *State) grantable(sub *Sub, p *Period, at time.Time) bool {
	if p.Start.After(at) || !p.Figures.Mapped() || sub.Facts.Status.Ended() {
		return false
	}
	if p.Trial {
		return sub.Facts.Status == StatusTrialing && p.End.After(at)
	}
	switch sub.Facts.Status {
	case StatusActive, StatusTrialing:
		return p.Figures.GrantRule == GrantRulePeriodStart || sub.covered(s.Catalog, p)
	case StatusPastDue, StatusUnpaid, StatusPaused:
		// Nothing new; but what was paid for, a year say, was paid for.
		return sub.covered(s.Catalog, p)
	}
	return false
}

// openPeriods follows the calendar: it takes in what Stripe changed of the latest
// period and then opens every period that has begun. A subscription that we never heard
// of is taken in from its current period on.
func (s *State) openPeriods(sub *Sub, at time.Time) error {
	if sub.Facts.Status == StatusIncomplete || sub.Facts.Status == StatusIncompleteExpired {
		return nil
	}
	if sub.last() == nil {
		if sub.Facts.Status.Ended() || !figure(s.Catalog, sub.Facts.Items, nil).Mapped() {
			return nil
		}
		m, _ := sub.Facts.month(at)
		s.open(sub, m.start)
	}
	if err := s.adopt(sub); err != nil {
		return err
	}
	for last := sub.last(); !last.End.After(at) && s.goesOn(sub, last.End); last = sub.last() {
		s.open(sub, last.End)
		if err := s.adopt(sub); err != nil {
			return err
		}
	}
	return nil
}

// goesOn tells whether a period of the subscription begins at that instant.
func (s *State) goesOn(sub *Sub, at time.Time) bool {
	if end := sub.Facts.endedAt(); end != nil && !at.Before(*end) {
		return false
	}
	if end := sub.Facts.cancelSet(); end != nil && !at.Before(*end) {
		return false
	}
	return true
}

// open adds the period that begins at start.
func (s *State) open(sub *Sub, start time.Time) {
	m, trial := sub.Facts.month(start)
	p := &Period{
		Start: start, End: m.end, FullEnd: m.end, Trial: trial, Number: 1, dirty: true,
		Figures: figure(s.Catalog, sub.Facts.Items, nil),
	}
	if last := sub.last(); last != nil {
		p.Number = last.Number + 1
	}
	sub.Periods = append(sub.Periods, p)
}

// lotEnd is when the lots of a period end (B8): with a grace for the renewal's
// payment, or at the end itself when no renewal is waited for.
func (s *State) lotEnd(sub *Sub, p *Period) time.Time {
	if s.endsHard(sub, p) {
		return p.End
	}
	return p.End.Add(p.Figures.RenewalGrace)
}

// endsHard tells whether a period turns at its end, without grace.
func (s *State) endsHard(sub *Sub, p *Period) bool {
	if p.Trial || p.Figures.GrantRule == GrantRulePeriodStart || sub.Facts.Status.Ended() {
		return true
	}
	end := sub.Facts.cancelSet()
	return end != nil && !p.End.Before(*end)
}

// turnAt is when a period turns by the clock alone; the next period's grant may turn it
// before. Of an ended subscription the granted credit month runs to its end; what is
// left of anything else ends with the subscription.
func (s *State) turnAt(sub *Sub, p *Period) time.Time {
	if end := sub.Facts.endedAt(); end != nil {
		if p.GrantedAt != nil && p.End.After(*end) {
			return p.End
		}
		if p.End.Before(*end) && p.GrantedAt != nil {
			return p.End
		}
		return later(*end, p.Start)
	}
	return s.lotEnd(sub, p)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// redate keeps the ends of the lots in step with the subscription: a set cancellation
// shortens them, undoing it restores them, a trial is extended.
func (s *State) redate(sub *Sub, at time.Time) error {
	for _, portion := range s.Book.Portions() {
		lot := portion.Lot
		if lot.Series != sub.Facts.ID {
			continue
		}
		p := sub.period(lot.Step)
		if p == nil || p.TurnedAt != nil {
			continue
		}
		end := later(s.lotEnd(sub, p), lot.EffectiveAt)
		if lot.ExpiresAt != nil && lot.ExpiresAt.Equal(end) {
			continue
		}
		if _, err := s.Book.Redate(ledger.Request{
			Key: fmt.Sprintf("redate:%d:%s:%d", lot.ID, stamp(end), s.Book.NextNumber()), Actor: actor, At: at, Memo: "the period's end moved",
		}, lot, &end); err != nil {
			return err
		}
	}
	return nil
}
