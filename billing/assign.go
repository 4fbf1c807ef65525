package billing

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
)

// AssignOldest assigns to a team the oldest subscription on a personal account whose
// plan allows teams, if there is one, and reports its id (T2). With it move its lots and
// all purchased lots of the account (T13's assign); nothing is granted again.
func AssignOldest(ctx context.Context, tx pgx.Tx, c *Catalog, personal int64, team Slot, by string, at time.Time) (string, error) {
	states, err := OpenStates(ctx, tx, c, at, ledger.Want{Book: personal}, ledger.Want{Book: team.BookID})
	if err != nil {
		return "", err
	}
	from, to := states[0], states[1]
	if err := errors.Join(from.Settle(at), to.Settle(at)); err != nil {
		return "", err
	}
	sub := from.assignable()
	if sub == nil || to.living() != nil {
		return "", Save(ctx, tx, states...)
	}
	goes := func(l *ledger.Lot) bool { return l.Series == sub.Facts.ID || l.Source == ledger.Purchase }
	if err := carrySub(from, to, sub, goes, by, at, "assigned"); err != nil {
		return "", err
	}
	return sub.Facts.ID, moveSub(ctx, tx, states, sub, team, at)
}

// assignable is the oldest subscription that has not ended and whose plan allows teams.
func (s *State) assignable() *Sub {
	for _, sub := range s.Subs {
		if sub.State == statePlaced && sub.TeamID == "" && !sub.Facts.Status.Ended() && teamCapable(s.Catalog, &sub.Facts) {
			return sub
		}
	}
	return nil
}

// follow lets the period whose lot was carried know it by its new origin.
func (s *Sub) follow(lot *ledger.Lot, arrived *ledger.Entry, book *ledger.Book) {
	for _, p := range s.Periods {
		if p.LotOrigin == lot.Origin && len(arrived.Postings) > 0 {
			if now, ok := book.LotByID(arrived.Postings[0].Lot); ok {
				p.LotOrigin, p.dirty = now.Origin, true
			}
		}
	}
}

func without(subs []*Sub, sub *Sub) []*Sub {
	kept := []*Sub{}
	for _, s := range subs {
		if s != sub {
			kept = append(kept, s)
		}
	}
	return kept
}
