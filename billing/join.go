package billing

import (
	"fmt"
	"slices"
	"time"

	"purser/ledger"
)

// joinTurns lets what came free in lots whose period has turned join that turn, as far
// as its room goes; the rest expires (L8). Across two turns it joins each in order,
// since what joined the first lies in a lot of the second.
func (s *State) joinTurns(at time.Time) error {
	for {
		late := s.late()
		if len(late) == 0 {
			return nil
		}
		for _, l := range late {
			if err := s.settleTurn(l.sub, l.period, at, l.portions); err != nil {
				return err
			}
		}
	}
}

// lateFor is what came free after a period's turn.
type lateFor struct {
	sub      *Sub
	period   *Period
	portions []*ledger.Portion
}

func (s *State) late() []*lateFor {
	var late []*lateFor
	for _, portion := range s.Book.Portions() {
		if portion.Free() == 0 {
			continue
		}
		sub, p := s.turnedPeriod(portion.Lot)
		if p == nil {
			continue
		}
		i := slices.IndexFunc(late, func(l *lateFor) bool { return l.period == p })
		if i < 0 {
			i = len(late)
			late = append(late, &lateFor{sub: sub, period: p})
		}
		late[i].portions = append(late[i].portions, portion)
	}
	return late
}

// turnedPeriod gives the turned period that a lot belongs to: none while it runs.
func (s *State) turnedPeriod(lot *ledger.Lot) (*Sub, *Period) {
	if lot.Series == "" {
		return nil, nil
	}
	sub := s.Sub(lot.Series)
	if sub == nil {
		return nil, nil
	}
	if p := sub.period(lot.Step); p != nil && p.TurnedAt != nil {
		return sub, p
	}
	return nil, nil
}

// redate keeps the ends of the lots in step with their subscription: a set cancellation
// shortens them, undoing it restores them, a trial is extended.
func (s *State) redate(at time.Time) error {
	ends := map[*Period]time.Time{}
	for _, portion := range s.Book.Portions() {
		lot := portion.Lot
		sub := s.Sub(lot.Series)
		if lot.Series == "" || sub == nil {
			continue
		}
		p := sub.period(lot.Step)
		if p == nil || p.TurnedAt != nil {
			continue
		}
		end, known := ends[p]
		if !known {
			end = s.lotEnd(sub, p)
			ends[p] = end
		}
		end = later(end, lot.EffectiveAt)
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
