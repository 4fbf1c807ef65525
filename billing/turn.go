package billing

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"purser/ledger"
)

// turn ends a period, once (B8): what is owed of its lot is taken first, then the old
// lots roll as far as the rule lets them, and the rest expires. It counts as of the
// period's end.
func (s *State) turn(sub *Sub, p *Period) error {
	if err := s.collectOwed(sub, p); err != nil {
		return err
	}
	at := s.turnInstant(sub, p)
	p.TurnedAt, p.dirty = &at, true
	p.TurnRule, p.TurnSeats = s.turnRule(sub, p)
	candidates := s.toTurn(sub, p)
	roll, rest := splitTurn(p, candidates)
	for _, d := range roll {
		if err := s.roll(sub, p, d, at); err != nil {
			return err
		}
	}
	return s.expireDraws(sub, p, rest, at)
}

// turnInstant is when a turn counts: at the period's end, or when the subscription
// ended if that was before it.
func (s *State) turnInstant(sub *Sub, p *Period) time.Time {
	if end := sub.Facts.endedAt(); end != nil && end.Before(p.End) && p.GrantedAt == nil {
		return later(*end, p.Start)
	}
	return p.End
}

// collectOwed takes what is owed of the period's lot from what is left of it, wherever
// it lies. What even that lacks is carried to the next grant where the plan prorates or
// the period was cut, and forgotten otherwise (B10, B11).
func (s *State) collectOwed(sub *Sub, p *Period) error {
	if p.Owed == 0 {
		return nil
	}
	taken, err := s.takeBack(sub, p, s.Book.Take, p.Owed, p.End, "owed at the turn of the period")
	if err != nil {
		return err
	}
	p.Owed -= taken
	if p.CutAt != nil || p.Figures.Proration {
		s.carry(sub, p.Owed)
	}
	p.Owed = 0
	return nil
}

// carry remembers what is set off against the next grant: of an ended subscription,
// against the first grant of the customer's next one.
func (s *State) carry(sub *Sub, owed int64) {
	sub.dirty = true
	if sub.Facts.Status.Ended() && sub.customerOwed != nil {
		sub.customerOwed.now += owed
		return
	}
	sub.Owed += owed
}

// turnRule is the rollover of the new period's plan, with its seats. Nothing rolls out
// of a trial, nor where no period follows.
func (s *State) turnRule(sub *Sub, p *Period) (*Rollover, int64) {
	next := sub.period(p.Number + 1)
	if p.Trial || next == nil || sub.Facts.Status.Ended() {
		return nil, 0
	}
	f := next.Figures
	if !f.Mapped() {
		f = p.Figures
	}
	rule := f.Rollover
	return &rule, f.seats(sub.Facts.Items)
}

// toTurn gives what is free of the period's lots, the oldest first; of one age the main
// account's first, then the allocations' in the order in which they were made (B9).
func (s *State) toTurn(sub *Sub, p *Period) []*ledger.Portion {
	var out []*ledger.Portion
	for _, portion := range s.Book.Portions() {
		l := portion.Lot
		if l.Series == sub.Facts.ID && l.Step <= p.Number && portion.Free() > 0 {
			out = append(out, portion)
		}
	}
	slices.SortStableFunc(out, func(a, b *ledger.Portion) int {
		return cmp.Or(a.Lot.FirstGrantedAt.Compare(b.Lot.FirstGrantedAt), cmp.Compare(a.Account.ID, b.Account.ID),
			cmp.Compare(a.Lot.ID, b.Lot.ID))
	})
	return out
}

// splitTurn says what rolls and what expires: pure arithmetic over portions in order of
// age. What exceeds the room expires, the first first.
func splitTurn(p *Period, portions []*ledger.Portion) (roll, rest []ledger.Draw) {
	var eligible int64
	for _, portion := range portions {
		if p.rolls(portion.Lot) {
			eligible += portion.Free()
		}
	}
	excess := max(0, eligible-p.rollRoom())
	for _, portion := range portions {
		free := portion.Free()
		if !p.rolls(portion.Lot) {
			rest = append(rest, ledger.Draw{Portion: portion, Credits: free})
			continue
		}
		over := min(excess, free)
		excess -= over
		if over > 0 {
			rest = append(rest, ledger.Draw{Portion: portion, Credits: over})
		}
		if free > over {
			roll = append(roll, ledger.Draw{Portion: portion, Credits: free - over})
		}
	}
	return roll, rest
}

// rolls tells whether credits of a lot may roll in this period's turn at all.
func (p *Period) rolls(l *ledger.Lot) bool {
	return p.TurnRule != nil && (l.Source == ledger.Monthly || l.Source == ledger.Rollover) && p.TurnRule.survives(l)
}

// roll carries credits into the next period. They keep their start, so that they are
// drawn before the new month's, and end as those do.
func (s *State) roll(sub *Sub, p *Period, d ledger.Draw, at time.Time) error {
	next := sub.period(p.Number + 1)
	lot := d.Portion.Lot
	end := later(s.lotEnd(sub, next), lot.EffectiveAt)
	origin := fmt.Sprintf("rollover:%d:%d:%s", lot.ID, d.Portion.Account.ID, stamp(next.Start))
	key := origin
	if _, made := s.Book.Lot(origin); made {
		key = fmt.Sprintf("%s:%d", origin, s.Book.NextNumber())
	}
	_, err := s.Book.Roll(ledger.Request{Key: key, Actor: actor, At: at, Memo: "rolled over into the period of " + stamp(next.Start)},
		d.Portion, d.Credits, ledger.LotIn{
			Source: ledger.Rollover, Origin: origin, EffectiveAt: lot.EffectiveAt, FirstGrantedAt: lot.FirstGrantedAt,
			ExpiresAt: &end, Series: lot.Series, Step: next.Number, TurnsSurvived: lot.TurnsSurvived + 1,
		})
	if err != nil {
		return fmt.Errorf("rolling over: %w", err)
	}
	p.Rolled += d.Credits
	p.dirty = true
	return nil
}

// expireDraws ends what doesn't roll, one entry for each lot.
func (s *State) expireDraws(sub *Sub, p *Period, draws []ledger.Draw, at time.Time) error {
	for len(draws) > 0 {
		lot := draws[0].Portion.Lot
		mine := slices.DeleteFunc(slices.Clone(draws), func(d ledger.Draw) bool { return d.Portion.Lot != lot })
		draws = slices.DeleteFunc(draws, func(d ledger.Draw) bool { return d.Portion.Lot == lot })
		if _, err := s.Book.ExpireDraws(ledger.Request{
			Key:   fmt.Sprintf("expiry:%d:%s:%d:%d", lot.ID, sub.Facts.ID, p.Number, s.Book.NextNumber()),
			Actor: actor, At: at, Memo: "the period has turned",
		}, mine); err != nil {
			return fmt.Errorf("expiring what did not roll: %w", err)
		}
	}
	return nil
}

// joinReturned lets what came free in lots whose period has turned join that turn, as
// far as its room goes; the rest expires (L8). Across two turns it joins each in order,
// since what joined the first lies in a lot of the second.
func (s *State) joinReturned(at time.Time) error {
	for range settleMax {
		sub, p, portion := s.returned()
		if portion == nil {
			return nil
		}
		free := portion.Free()
		var rolled int64
		if p.rolls(portion.Lot) {
			rolled = min(free, p.rollRoom())
		}
		if rolled > 0 {
			if err := s.roll(sub, p, ledger.Draw{Portion: portion, Credits: rolled}, at); err != nil {
				return err
			}
		}
		if free > rolled {
			rest := []ledger.Draw{{Portion: portion, Credits: free - rolled}}
			if err := s.expireDraws(sub, p, rest, at); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("book %d: no end of what joins past turns", s.Book.ID)
}

func (s *State) returned() (*Sub, *Period, *ledger.Portion) {
	for _, portion := range s.Book.Portions() {
		if portion.Lot.Series == "" || portion.Free() == 0 {
			continue
		}
		sub := s.Sub(portion.Lot.Series)
		if sub == nil {
			continue
		}
		if p := sub.period(portion.Lot.Step); p != nil && p.TurnedAt != nil {
			return sub, p, portion
		}
	}
	return nil, nil, nil
}
