package billing

import (
	"fmt"
	"time"
)

// stepsMax bounds how many things one settling does: decades of turns and grants of
// many subscriptions. Reaching it means that something is due for ever.
const stepsMax = 10_000

// clockSkewMax is how far our clock may be behind Stripe's. A period that Stripe says
// runs is granted although by our clock it is about to begin.
const clockSkewMax = 5 * time.Minute

// step is one thing that is due at an instant: a period turns, or is granted.
type step struct {
	at time.Time
	do func() error
}

// Settle does everything that has fallen due, in the order of time, and then lets the
// current period follow the subscription as it stands. Settling twice is the same as
// settling once.
func (s *State) Settle(at time.Time) error {
	s.at = at
	for _, sub := range s.Subs {
		if err := s.openPeriods(sub, at); err != nil {
			return fmt.Errorf("opening periods of %s: %w", sub.Facts.ID, err)
		}
	}
	if err := s.catchUp(at); err != nil {
		return fmt.Errorf("settling book %d: %w", s.Book.ID, err)
	}
	for _, sub := range s.Subs {
		if err := s.recompute(sub, at); err != nil {
			return fmt.Errorf("recomputing %s: %w", sub.Facts.ID, err)
		}
		sub.leaveDebt()
	}
	if err := s.redate(at); err != nil {
		return fmt.Errorf("dating the lots of book %d: %w", s.Book.ID, err)
	}
	start, _, _ := s.CurrentPeriod(at)
	s.Book.SetWindow(start)
	return nil
}

// catchUp does what has fallen due by an instant, step by step. What ends by itself
// before a step ends before it.
func (s *State) catchUp(at time.Time) error {
	for range stepsMax {
		next, ok := s.nextStep(at)
		if !ok {
			return s.expire(at)
		}
		if err := s.expire(next.at); err != nil {
			return err
		}
		if err := next.do(); err != nil {
			return fmt.Errorf("at %s: %w", stamp(next.at), err)
		}
	}
	return fmt.Errorf("there is no end of what is due by %s", stamp(at))
}

// nextStep finds the earliest turn or grant that is due by at. Of two at one instant the
// turn comes first.
func (s *State) nextStep(at time.Time) (step, bool) {
	var best step
	found := false
	offer := func(t time.Time, do func() error) {
		if !t.After(at) && (!found || t.Before(best.at)) {
			best, found = step{t, do}, true
		}
	}
	for _, sub := range s.Subs {
		if p := s.firstUnturned(sub); p != nil {
			offer(s.turnAt(sub, p), func() error { return s.turn(sub, p) })
		}
	}
	for _, sub := range s.Subs {
		for _, p := range sub.Periods {
			if due, ok := s.grantAt(sub, p, at); ok {
				offer(due, func() error { return s.grant(sub, p) })
			}
		}
	}
	return best, found
}

// expire ends the holds and the lots whose time has come, each dated by its own end.
// What a hold gives back to a lot whose period has turned joins that turn.
func (s *State) expire(at time.Time) error {
	due := s.Book.NextDue()
	if due == nil || due.After(at) {
		return s.joinTurns(at)
	}
	s.Book.ExpireLots(at)
	joined := at
	if s.Book.ExpireHolds(at) > 0 {
		entries := s.Book.Entries()
		joined = entries[len(entries)-1].At
	}
	if err := s.joinTurns(joined); err != nil {
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

// grantAt tells whether a period may be granted by now, and since when (B6, B7). A
// payment that came after another turn was due comes after that turn, whenever we heard
// of it.
func (s *State) grantAt(sub *Sub, p *Period, at time.Time) (time.Time, bool) {
	end := sub.Facts.endedAt()
	if p.GrantedAt != nil || p.Start.After(at.Add(clockSkewMax)) || !p.Figures.Mapped() || end != nil && !p.Start.Before(*end) {
		return at, false
	}
	if p.Trial {
		return earlier(p.Start, at), sub.Facts.Status == StatusTrialing && p.End.After(at)
	}
	switch sub.Facts.Status {
	case StatusActive:
		if p.startsByItself(at) {
			return earlier(p.Start, at), true
		}
	case StatusTrialing, StatusPastDue, StatusUnpaid, StatusPaused, StatusCanceled:
		// Nothing new; but what was paid for, a year say, was paid for.
	default:
		return at, false
	}
	paid, ok := sub.covered(s.Catalog, p)
	return earlier(paid, at), ok
}

// startsByItself tells whether the period is granted when it begins, paid or not.
func (p *Period) startsByItself(at time.Time) bool {
	return p.Figures.Rules().GrantRule == GrantRulePeriodStart && (!p.Figures.Lapsed || at.Before(p.End))
}

// turnAt is when a period turns by the clock alone; the next period's grant may turn it
// before. A turn that was due before a subscription ended counts as done. After that the
// granted credit month runs to its end, and what is left of anything else ends with the
// subscription (B6).
func (s *State) turnAt(sub *Sub, p *Period) time.Time {
	end := sub.Facts.endedAt()
	switch {
	case end == nil:
		return s.lotEnd(sub, p)
	case !p.graceEnd().After(*end):
		return p.graceEnd()
	case p.GrantedAt != nil && !p.Start.After(*end):
		return p.End
	}
	return earlier(later(*end, p.Start), p.End)
}

// lotEnd is when the lots of a period end (B8): with a grace for the renewal's payment,
// or at the end itself when no renewal is waited for.
func (s *State) lotEnd(sub *Sub, p *Period) time.Time {
	end := sub.Facts.cancelSet()
	if sub.Facts.Status.Ended() || end != nil && !p.End.Before(*end) {
		return p.End
	}
	return p.graceEnd()
}

// graceEnd is how long a period waits for the renewal's payment.
func (p *Period) graceEnd() time.Time {
	if rules := p.Figures.Rules(); !p.Trial && rules.GrantRule != GrantRulePeriodStart {
		return p.End.Add(rules.RenewalGrace)
	}
	return p.End
}
