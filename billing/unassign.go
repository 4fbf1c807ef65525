package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
)

// Errors of assigning and unassigning.
var (
	ErrNotAssigned   = errors.New("the team has no subscription")
	ErrTeamTaken     = errors.New("the team has a subscription already")
	ErrNotUnassigned = errors.New("the subscription is not on its owner's personal account")
	ErrPlanNoTeams   = errors.New("the subscription's plan doesn't allow teams")
)

// Unassign takes a team's subscription back to its owner's personal account (T13). With
// it go what is unspent of the lots granted for it and of their rollovers, of packs that
// the owner's customers paid, and of what the owner put in, wherever in the team it lies.
// What others put in stays. Nothing is granted again. It reports the subscription's id.
func Unassign(ctx context.Context, tx pgx.Tx, c *Catalog, team Slot, owner string, personal int64, by string, at time.Time) (string, error) {
	states, err := OpenStates(ctx, tx, c, at, ledger.Want{Book: team.BookID}, ledger.Want{Book: personal})
	if err != nil {
		return "", err
	}
	from, to := states[0], states[1]
	if err := errors.Join(from.Settle(at), to.Settle(at)); err != nil {
		return "", err
	}
	sub := from.living()
	if sub == nil {
		return "", ErrNotAssigned
	}
	customers, err := Customers(ctx, tx, owner)
	if err != nil {
		return "", err
	}
	pays := map[string]bool{}
	for _, o := range customers {
		pays[o.CustomerID] = true
	}
	goes := func(l *ledger.Lot) bool {
		if l.Contributor != "" {
			return l.Contributor == owner
		}
		return l.Series == sub.Facts.ID || l.Source == ledger.Purchase && pays[l.Payer]
	}
	if err := carrySub(from, to, sub, goes, by, at, "unassigned"); err != nil {
		return "", err
	}
	return sub.Facts.ID, moveSub(ctx, tx, states, sub, Slot{BookID: personal}, at)
}

// Assign puts one of the owner's personal subscriptions into a team. With it go its lots
// and all purchased lots of the owner's personal account; nothing is granted again.
func Assign(ctx context.Context, tx pgx.Tx, c *Catalog, subID string, personal int64, team Slot, by string, at time.Time) error {
	states, err := OpenStates(ctx, tx, c, at, ledger.Want{Book: personal}, ledger.Want{Book: team.BookID})
	if err != nil {
		return err
	}
	from, to := states[0], states[1]
	if err := errors.Join(from.Settle(at), to.Settle(at)); err != nil {
		return err
	}
	sub := from.Sub(subID)
	switch {
	case sub == nil || sub.Facts.Status.Ended():
		return ErrNotUnassigned
	case to.living() != nil:
		return ErrTeamTaken
	case !teamCapable(c, &sub.Facts):
		return ErrPlanNoTeams
	}
	goes := func(l *ledger.Lot) bool { return l.Series == subID || l.Source == ledger.Purchase }
	if err := carrySub(from, to, sub, goes, by, at, "assigned"); err != nil {
		return err
	}
	return moveSub(ctx, tx, states, sub, team, at)
}

// living is the subscription of a team's book that has not ended.
func (s *State) living() *Sub {
	for _, sub := range s.Subs {
		if sub.State == "placed" && !sub.Facts.Status.Ended() {
			return sub
		}
	}
	return nil
}

// carrySub carries the lots that go with a subscription from one settled book to the
// other's main account, and the subscription itself.
func carrySub(from, to *State, sub *Sub, goes func(*ledger.Lot) bool, by string, at time.Time, how string) error {
	account, _ := to.Book.Account(ledger.Main)
	for _, portion := range from.Book.Portions() {
		lot := portion.Lot
		if !goes(lot) {
			continue
		}
		draws := from.Book.TakeFrom(lot, portion.Account, portion.Free())
		if len(draws) == 0 {
			continue
		}
		_, in, err := ledger.Carry(from.Book, to.Book, ledger.Request{
			Key: fmt.Sprintf("%s:%s:%d:%d", how, sub.Facts.ID, lot.ID, from.Book.NextNumber()), Actor: by, At: at,
			Memo: "subscription " + sub.Facts.ID + " " + how,
		}, ledger.CarryIn{Kind: ledger.KindAssignment, From: portion.Account, To: account, Draws: draws})
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

func moveSub(ctx context.Context, tx pgx.Tx, states []*State, sub *Sub, to Slot, at time.Time) error {
	for _, s := range states {
		if err := s.Settle(at); err != nil {
			return err
		}
	}
	sub.TeamID = to.TeamID
	_, err := tx.Exec(ctx, `UPDATE subscriptions SET book_id = $2, team_id = $3 WHERE id = $1`, sub.Facts.ID, to.BookID, to.TeamID)
	if err != nil {
		return fmt.Errorf("moving %s: %w", sub.Facts.ID, err)
	}
	return Save(ctx, tx, states...)
}
