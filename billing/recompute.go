package billing

import (
	"fmt"
	"time"

	"purser/ledger"
)

func takeBackKey(sub *Sub, p *Period) string {
	return fmt.Sprintf("take_back:%s:%d:%d", sub.Facts.ID, p.Number, p.TakeBacks)
}

// grant makes a period's base grant, once (B5). The periods before it turn first, so
// that what is left of them rolls over into it.
func (s *State) grant(sub *Sub, p *Period) error {
	for _, earlier := range sub.Periods {
		if earlier.Number < p.Number && earlier.TurnedAt == nil {
			if err := s.turn(sub, earlier); err != nil {
				return err
			}
		}
	}
	items := sub.Facts.Items
	p.Seats = p.Figures.seats(items)
	p.Target = p.elapsed(p.Figures.target(items, p.Trial))
	credits := p.Target
	if p.Trial {
		p.TargetMax = p.Target
	} else {
		credits -= s.setOff(sub, p)
	}
	at := p.Start
	p.GrantedAt, p.dirty = &at, true
	return s.issue(sub, p, credits, at, fmt.Sprintf("the period of %s, %d seats", stamp(p.Start), p.Seats))
}

// setOff lets what was carried from a cut period reduce this one's grant. What exceeds
// the grant stays owed in it.
func (s *State) setOff(sub *Sub, p *Period) int64 {
	owed := sub.Owed
	if sub.customerOwed != nil && !sub.everGranted(p) {
		owed += sub.customerOwed.now
		sub.customerOwed.now = 0
	}
	off := min(owed, p.Target)
	p.Owed = owed - off
	sub.Owed, sub.dirty = 0, true
	return off
}

func (s *Sub) everGranted(before *Period) bool {
	for _, p := range s.Periods {
		if p != before && p.GrantedAt != nil && !p.Trial {
			return true
		}
	}
	return len(s.Periods) > 0 && s.Periods[0].Number > 1
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
		Source: source, Origin: p.LotOrigin, EffectiveAt: p.Start, ExpiresAt: &end, Series: sub.Facts.ID, Step: p.Number,
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
	if p == nil || p.GrantedAt == nil || p.TurnedAt != nil || !recomputes(sub.Facts.Status, p) {
		return nil
	}
	f := union(figure(s.Catalog, sub.Facts.Items, p.Figures), p.Figures)
	target := s.targetNow(sub, p, f)
	if f.Lead() != p.Figures.Lead() || len(f.Plans) != len(p.Figures.Plans) {
		p.dirty = true
	}
	p.Figures = f
	if seats := f.seats(sub.Facts.Items); seats != p.Seats {
		p.Seats, p.dirty = seats, true
	}
	switch {
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

// union keeps the figures of plans that the subscription no longer has, so that one
// which comes back within the period counts as it did. The leading plan stays first.
func union(now, prior *Figures) *Figures {
	if !now.Mapped() {
		kept := *prior
		return &kept
	}
	for _, p := range prior.Plans {
		if now.plan(p.Name) == nil {
			now.Plans = append(now.Plans, p)
		}
	}
	for price, plan := range prior.Prices {
		if now.Prices[price] == "" {
			now.Prices[price] = plan
		}
	}
	return now
}

// targetNow is the target by the subscription as it stands. A trial never counts more
// seats than it began with, and a plan may let increases wait for their invoice.
func (s *State) targetNow(sub *Sub, p *Period, f *Figures) int64 {
	q := f.quantities(sub.Facts.Items)
	target := f.targetOf(q, p.Trial)
	if p.Trial {
		return min(target, p.TargetMax)
	}
	if target <= p.Target || f.Increase != IncreasePaid {
		return target
	}
	paid := sub.paidQuantities(s.Catalog, p, f)
	for name := range q {
		q[name] = min(q[name], paid[name])
	}
	return max(p.Target, min(target, f.targetOf(q, false)))
}

func (s *State) increase(sub *Sub, p *Period, target int64, at time.Time) error {
	due := p.share(target-p.Target, at, false)
	off := min(p.Owed, due)
	p.Owed -= off
	p.Target, p.dirty = target, true
	return s.issue(sub, p, due-off, at, fmt.Sprintf("%d seats from now on", p.Seats))
}

func (s *State) decrease(sub *Sub, p *Period, target int64, at time.Time) error {
	due := p.share(p.Target-target, at, true)
	p.Target, p.dirty = target, true
	var taken int64
	if p.Figures.SeatDecrease != SeatDecreaseNextPeriod {
		pool, _ := s.Book.Account(ledger.Main)
		inPool := func(lot *ledger.Lot, credits int64) []ledger.Draw { return s.Book.TakeFrom(lot, pool, credits) }
		var err error
		if taken, err = s.takeBack(sub, p, inPool, due, at, fmt.Sprintf("%d seats from now on", p.Seats)); err != nil {
			return err
		}
	}
	p.Owed += due - taken
	return nil
}
