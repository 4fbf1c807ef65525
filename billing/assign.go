package billing

import (
	"context"
	"errors"
	"fmt"
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
	if sub == nil || len(to.Subs) > 0 {
		return "", Save(ctx, tx, states...)
	}
	if err := assign(from, to, sub, by, at); err != nil {
		return "", err
	}
	if err := errors.Join(from.Settle(at), to.Settle(at)); err != nil {
		return "", err
	}
	sub.TeamID = team.TeamID
	_, err = tx.Exec(ctx, `UPDATE subscriptions SET book_id = $2, team_id = $3 WHERE id = $1`, sub.Facts.ID, team.BookID, team.TeamID)
	if err != nil {
		return "", fmt.Errorf("assigning %s: %w", sub.Facts.ID, err)
	}
	return sub.Facts.ID, Save(ctx, tx, states...)
}

// assignable is the oldest subscription that has not ended and whose plan allows teams.
func (s *State) assignable() *Sub {
	for _, sub := range s.Subs {
		if sub.State == "placed" && sub.TeamID == "" && !sub.Facts.Status.Ended() && teamCapable(s.Catalog, &sub.Facts) {
			return sub
		}
	}
	return nil
}

// assign carries a subscription with its lots, and all purchased lots beside it, from
// one settled book to another.
func assign(from, to *State, sub *Sub, by string, at time.Time) error {
	account, _ := to.Book.Account(ledger.Main)
	source, _ := from.Book.Account(ledger.Main)
	for _, portion := range from.Book.Portions() {
		lot := portion.Lot
		if lot.Series != sub.Facts.ID && lot.Source != ledger.Purchase {
			continue
		}
		draws := from.Book.TakeFrom(lot, source, portion.Free())
		if len(draws) == 0 {
			continue
		}
		_, in, err := ledger.Carry(from.Book, to.Book, ledger.Request{
			Key: fmt.Sprintf("assign:%s:%d:%d", sub.Facts.ID, lot.ID, from.Book.NextNumber()), Actor: by, At: at,
			Memo: "subscription " + sub.Facts.ID + " assigned",
		}, ledger.CarryIn{Kind: ledger.KindAssignment, From: source, To: account, Draws: draws})
		if err != nil {
			return fmt.Errorf("carrying lot %d: %w", lot.ID, err)
		}
		sub.follow(lot, in, to.Book)
	}
	from.Subs = without(from.Subs, sub)
	to.Subs = append(to.Subs, sub)
	sub.dirty = true
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
