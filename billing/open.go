package billing

import (
	"reflect"
	"time"
)

// openMax is how many months of one subscription are caught up, ten years of them. What
// an absurd date asks for beyond that is left out.
const openMax = 120

// openPeriods follows the calendar: it takes in what Stripe changed of the latest
// period, opens every period that has begun, and keeps those that aren't granted yet at
// today's figures.
func (s *State) openPeriods(sub *Sub, at time.Time) error {
	if sub.Facts.Status == StatusIncomplete || sub.Facts.Status == StatusIncompleteExpired {
		return nil
	}
	if sub.last() == nil && !s.openFirst(sub, at) {
		return nil
	}
	s.dropGuesses(sub)
	for {
		if err := s.adopt(sub); err != nil {
			return err
		}
		start, ok := s.nextStart(sub, at)
		if !ok {
			break
		}
		s.open(sub, start, at)
	}
	f := figure(s.Catalog, sub.Facts.Items, nil)
	for _, p := range sub.Periods {
		p.refresh(f, &sub.Facts, at)
	}
	return nil
}

// openFirst takes a subscription in from its current period on, so that one which runs
// for years is granted no years. Our clock may be a little behind Stripe's.
func (s *State) openFirst(sub *Sub, at time.Time) bool {
	if !figure(s.Catalog, sub.Facts.Items, nil).Mapped() {
		return false
	}
	m, _ := sub.Facts.month(later(at, sub.Facts.PeriodStart))
	if !s.goesOn(sub, m.start) {
		return false
	}
	s.open(sub, m.start, at)
	return true
}

// nextStart gives when the next period begins, if that is by now. After a trial it may
// be later than the trial's end: a subscription that was paused then begins anew when
// it is resumed.
func (s *State) nextStart(sub *Sub, at time.Time) (time.Time, bool) {
	last := sub.last()
	start := last.End
	if last.Trial {
		start = later(start, sub.Facts.begins())
	}
	if start.After(at) || !s.goesOn(sub, start) {
		return start, false
	}
	if AddMonths(start, openMax).Before(at) {
		m, _ := sub.Facts.month(at)
		return later(start, m.start), true
	}
	return start, true
}

// goesOn tells whether a period of the subscription begins at that instant. While it is
// paused since its trial ended, nothing runs at Stripe either.
func (s *State) goesOn(sub *Sub, at time.Time) bool {
	if end := sub.Facts.endedAt(); end != nil && !at.Before(*end) {
		return false
	}
	if end := sub.Facts.cancelSet(); end != nil && !at.Before(*end) {
		return false
	}
	last := sub.last()
	return last == nil || !last.Trial || sub.Facts.Status != StatusPaused
}

// open adds the period that begins at start.
func (s *State) open(sub *Sub, start, at time.Time) {
	m, trial := sub.Facts.month(start)
	p := &Period{Number: 1, Start: start, Figures: &Figures{}, dirty: true}
	if last := sub.last(); last != nil {
		p.Number = last.Number + 1
	}
	p.moveTo(m, trial)
	p.refresh(figure(s.Catalog, sub.Facts.Items, nil), &sub.Facts, at)
	sub.Periods = append(sub.Periods, p)
	sub.dirty = true
}

// refresh keeps a period that isn't granted yet at today's catalogue and seats. One
// that was cut keeps what it had until then.
func (p *Period) refresh(f *Figures, facts *Subscription, at time.Time) {
	if p.GrantedAt != nil || p.CutAt != nil {
		return
	}
	now := *f
	now.Lapsed = p.Figures.Lapsed || !p.Start.After(at) && lapses(facts.Status)
	seats, target := now.seats(facts.Items), p.elapsed(now.target(facts.Items, p.Trial))
	if p.Seats != seats || p.Target != target || !reflect.DeepEqual(&now, p.Figures) {
		p.Figures, p.Seats, p.Target, p.dirty = &now, seats, target, true
	}
}

// lapses are the statuses that grant nothing new, though the subscription goes on.
func lapses(status Status) bool {
	return status == StatusPastDue || status == StatusUnpaid || status == StatusPaused
}
