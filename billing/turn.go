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
	at := p.End
	if sub.Facts.Status.Ended() {
		at = earlier(at, s.turnAt(sub, p))
	}
	if err := s.collectOwed(sub, p, at); err != nil {
		return err
	}
	p.TurnedAt, p.dirty = &at, true
	p.TurnRule, p.TurnSeats = s.turnRule(sub, p)
	return s.settleTurn(sub, p, at, s.freeOf(sub, p))
}

// collectOwed takes what is owed of the period's lot from what is left of it, wherever
// it lies. What even that lacks is carried to the next grant where the plan prorates or
// the period was cut, and forgotten otherwise (B10, B11). Of a trial nothing is owed.
func (s *State) collectOwed(sub *Sub, p *Period, at time.Time) error {
	if p.Owed == 0 {
		return nil
	}
	if err := s.takeOwed(sub, p, at, "owed at the turn of the period"); err != nil {
		return err
	}
	if !p.Trial && (p.CutAt != nil || p.Figures.Rules().Proration) {
		sub.Owed += p.Owed
		sub.dirty = true
	}
	p.Owed, p.dirty = 0, true
	return nil
}

// leaveDebt hands what an ended subscription still owes to its customer, whose next
// subscription answers for it (B6).
func (s *Sub) leaveDebt() {
	if s.Facts.Status.Ended() && s.customerOwed != nil && s.Owed > 0 {
		s.customerOwed.now += s.Owed
		s.Owed, s.dirty = 0, true
	}
}

// turnRule is the rollover of the new period's plan, with its seats. Nothing rolls out
// of a trial, nor where no period follows; of an ended subscription only into a month
// that was granted before the end, or if the turn was due before it.
func (s *State) turnRule(sub *Sub, p *Period) (*Rollover, int64) {
	next := sub.period(p.Number + 1)
	if p.Trial || next == nil {
		return nil, 0
	}
	if end := sub.Facts.endedAt(); end != nil && p.graceEnd().After(*end) && next.GrantedAt == nil {
		if _, granted := s.grantAt(sub, next, next.Start); !granted {
			return nil, 0
		}
	}
	f := next.Figures
	if !f.Mapped() {
		f = p.Figures
	}
	rule := f.Rules().Rollover
	return &rule, f.seats(sub.Facts.Items)
}

// freeOf gives what is free of the lots that a period's turn ends.
func (s *State) freeOf(sub *Sub, p *Period) []*ledger.Portion {
	var out []*ledger.Portion
	for _, portion := range s.Book.Portions() {
		l := portion.Lot
		if l.Series == sub.Facts.ID && l.Step <= p.Number && portion.Free() > 0 {
			out = append(out, portion)
		}
	}
	return out
}

// settleTurn lets credits roll by a turn's rule as far as it has room, and ends the rest.
func (s *State) settleTurn(sub *Sub, p *Period, at time.Time, portions []*ledger.Portion) error {
	roll, rest := splitTurn(p, portions)
	s.tellTurn(p, roll, rest)
	for _, d := range roll {
		if err := s.roll(sub, p, d, at); err != nil {
			return err
		}
	}
	return s.expireDraws(sub, p, rest, at)
}

// tellTurn tells what rolled and what was lost (N1).
func (s *State) tellTurn(p *Period, roll, rest []ledger.Draw) {
	data := func(draws []ledger.Draw) NoticeData {
		return NoticeData{"credits": ledger.Sum(draws), "period_start": p.Start, "period_end": p.End}
	}
	if len(roll) > 0 {
		s.Tell(NoticeRolledOver, "", data(roll))
	}
	if len(rest) > 0 {
		s.Tell(NoticeForfeited, "", data(rest))
	}
}

// splitTurn says what rolls and what expires. What exceeds the room expires: the oldest
// first; of one age the main account's first, then the allocations' in the order in
// which they were made (B9).
func splitTurn(p *Period, portions []*ledger.Portion) (roll, rest []ledger.Draw) {
	slices.SortStableFunc(portions, func(a, b *ledger.Portion) int {
		return cmp.Or(a.Lot.FirstGrantedAt.Compare(b.Lot.FirstGrantedAt), cmp.Compare(a.Account.ID, b.Account.ID),
			cmp.Compare(a.Lot.ID, b.Lot.ID))
	})
	var eligible int64
	for _, portion := range portions {
		if p.rolls(portion.Lot) {
			eligible += portion.Free()
		}
	}
	excess := max(0, eligible-p.rollRoom())
	for _, portion := range portions {
		free := portion.Free()
		over := free
		if p.rolls(portion.Lot) {
			over = min(excess, free)
			excess -= over
		}
		if over > 0 {
			rest = append(rest, ledger.Draw{Portion: portion, Credits: over})
		}
		if free > over {
			roll = append(roll, ledger.Draw{Portion: portion, Credits: free - over})
		}
	}
	return roll, rest
}

// roll carries credits into the next period. They keep their start, so that they are
// drawn before the new month's, and end as those do. What joins a turn later adds to
// the lot that the turn made.
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
	var lots []*ledger.Lot
	of := map[*ledger.Lot][]ledger.Draw{}
	for _, d := range draws {
		lot := d.Portion.Lot
		if of[lot] == nil {
			lots = append(lots, lot)
		}
		of[lot] = append(of[lot], d)
	}
	for _, lot := range lots {
		if _, err := s.Book.ExpireDraws(ledger.Request{
			Key:   fmt.Sprintf("expiry:%d:%s:%d:%d", lot.ID, sub.Facts.ID, p.Number, s.Book.NextNumber()),
			Actor: actor, At: at, Memo: "the period has turned",
		}, of[lot]); err != nil {
			return fmt.Errorf("expiring what did not roll: %w", err)
		}
	}
	return nil
}
