package billing

import (
	"fmt"
	"reflect"
	"time"

	"purser/ledger"
)

func takeBackKey(sub *Sub, p *Period) string {
	return fmt.Sprintf("take_back:%s:%d:%d", sub.Facts.ID, p.Number, p.TakeBacks)
}

// grant makes a period's base grant, once (B5), by the target that the period was kept
// at until now. The periods before it turn first, so that what is left of them rolls
// over into it.
func (s *State) grant(sub *Sub, p *Period) error {
	for _, before := range sub.Periods {
		if before.Number < p.Number && before.TurnedAt == nil {
			if err := s.turn(sub, before); err != nil {
				return err
			}
		}
	}
	credits := p.Target
	if !p.Trial {
		credits -= s.setOff(sub, p)
	}
	at := p.Start
	p.GrantedAt, p.dirty = &at, true
	if sub.Facts.Status.Ended() && p.TurnedAt != nil && p.TurnedAt.Before(p.End) {
		// It ended with its subscription, since it wasn't known to be paid.
		p.TurnedAt = nil
	}
	if err := s.issue(sub, p, credits, at, fmt.Sprintf("the period of %s, %d seats", stamp(p.Start), p.Seats)); err != nil {
		return err
	}
	if p.TurnedAt != nil {
		return s.collectOwed(sub, p, at)
	}
	return nil
}

// setOff lets what was carried from earlier periods reduce this one's grant. What
// exceeds the grant stays owed in it. The first grant of a subscription also answers for
// what stayed owed in one of the same customer's that was canceled (B6).
func (s *State) setOff(sub *Sub, p *Period) int64 {
	owed := sub.Owed
	if sub.customerOwed != nil && !sub.everGranted() {
		owed += sub.customerOwed.now
		sub.customerOwed.now = 0
	}
	off := min(owed, p.Target)
	p.Owed = owed - off
	sub.Owed, sub.dirty = 0, true
	return off
}

// issue grants credits into the period's one lot, which the first of them makes.
func (s *State) issue(sub *Sub, p *Period, credits int64, at time.Time, memo string) error {
	if credits == 0 {
		return nil
	}
	key := sub.grantKey(p)
	if p.LotOrigin == "" {
		p.LotOrigin = key
	}
	p.Grants++
	p.Granted += credits
	p.dirty = true
	source := ledger.Monthly
	if p.Trial {
		source = ledger.Bonus
	}
	end := later(s.lotEnd(sub, p), p.Start)
	pool, _ := s.Book.Account(ledger.Main)
	_, err := s.Book.Grant(ledger.Request{Key: key, Actor: actor, At: at, Memo: memo}, pool, ledger.LotIn{
		Source: source, Origin: p.LotOrigin, RootOrigin: ledger.Root(p.LotOrigin), EffectiveAt: p.Start, ExpiresAt: &end, Series: sub.Facts.ID, Step: p.Number,
	}, credits)
	if err != nil {
		return fmt.Errorf("granting: %w", err)
	}
	return nil
}

// recompute lets the current period follow the subscription (B10, B11): more seats or a
// bigger plan grant the difference, fewer take it back. Only a granted period of a
// subscription in good standing is recomputed (B6).
func (s *State) recompute(sub *Sub, at time.Time) error {
	p := sub.current(at)
	if p == nil || p.GrantedAt == nil || !p.open() || !recomputes(sub.Facts.Status, p) {
		return nil
	}
	f := union(figure(s.Catalog, sub.Facts.Items, p.Figures), p.Figures)
	if !reflect.DeepEqual(f, p.Figures) {
		p.Figures, p.dirty = f, true
	}
	if seats := f.seats(sub.Facts.Items); seats != p.Seats && !p.Trial {
		p.Seats, p.dirty = seats, true
	}
	switch target := s.targetNow(sub, p); {
	case target > p.Target:
		return s.increase(sub, p, target, at)
	case target < p.Target:
		return s.decrease(sub, p, target, at)
	}
	return nil
}

func recomputes(status Status, p *Period) bool {
	return status == StatusActive && !p.Trial || status == StatusTrialing && p.Trial
}

// targetNow is the target by the subscription as it stands. A trial never counts more
// seats than it began with, and a plan may let increases wait for their invoice.
func (s *State) targetNow(sub *Sub, p *Period) int64 {
	q := p.Figures.quantities(sub.Facts.Items)
	if p.Trial {
		p.Figures.capSeats(q, p.Seats)
		return p.Figures.targetOf(q, true)
	}
	target := p.elapsed(p.Figures.targetOf(q, false))
	if target <= p.Target || p.Figures.Rules().Increase != IncreasePaid {
		return target
	}
	paid := sub.paidQuantities(s.Catalog, p, p.Figures)
	for name, bought := range q {
		if n, any := paid[name]; any {
			q[name] = min(bought, n)
		} else {
			delete(q, name)
		}
	}
	return max(p.Target, p.elapsed(p.Figures.targetOf(q, false)))
}

func (s *State) increase(sub *Sub, p *Period, target int64, at time.Time) error {
	due := p.moreBy(target-p.Target, at)
	off := min(p.Owed, due)
	p.Owed -= off
	p.Target, p.dirty = target, true
	return s.issue(sub, p, due-off, at, fmt.Sprintf("%d seats from now on", p.Seats))
}

// moreBy is what a rise of the target grants. Between plans that prorate and plans that
// don't, the whole of a rise would come on top of what a prorated fall before it left: there
// that comes first, so that seats that went and came back bring nothing twice (B10).
func (p *Period) moreBy(rise int64, at time.Time) int64 {
	var there int64
	if p.Figures.Mixed {
		there = min(rise, p.Figures.Kept)
	}
	due := p.share(rise-there, at, false)
	kept := min(p.Figures.Kept, rise-due)
	p.Figures.Kept -= kept
	p.Figures.Uncredited += rise - due - kept
	return due
}

// lessBy is what a fall of the target takes. Between plans that prorate and plans that
// don't, a share of the fall would be less than what the rise before it granted in full:
// there it is all that was granted, so that switching to and fro mints nothing, and loses
// nothing (B11).
func (p *Period) lessBy(fall int64, at time.Time) int64 {
	due := p.share(fall, at, true)
	if p.Figures.Mixed {
		due = fall - min(fall, p.Figures.Uncredited)
	}
	uncredited := min(p.Figures.Uncredited, fall-due)
	p.Figures.Uncredited -= uncredited
	p.Figures.Kept += fall - due - uncredited
	return due
}

// decrease takes back what is free of the period's lot in the main account, at once or
// at the turn. The rest is owed.
func (s *State) decrease(sub *Sub, p *Period, target int64, at time.Time) error {
	due := p.lessBy(p.Target-target, at)
	p.Target, p.dirty = target, true
	var taken int64
	if p.Figures.Rules().SeatDecrease != SeatDecreaseNextPeriod {
		var inMain []*ledger.Portion
		for _, portion := range s.lotOf(sub, p) {
			if portion.Account.ID == ledger.Main {
				inMain = append(inMain, portion)
			}
		}
		var err error
		if taken, err = s.takeBack(sub, p, inMain, due, at, fmt.Sprintf("%d seats from now on", p.Seats)); err != nil {
			return err
		}
	}
	p.Owed += due - taken
	return nil
}
