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
	m, err := openMoving(ctx, tx, c, personal, team.BookID, by, at)
	if err != nil {
		return "", err
	}
	sub := m.from.assignable()
	if sub == nil || m.to.living() != nil {
		return "", Save(ctx, tx, m.from, m.to)
	}
	return sub.Facts.ID, m.move(ctx, tx, sub, team, "assigned", boughtOrOf(sub))
}

// Assign puts one of the owner's personal subscriptions into a team. With it go its lots
// and all purchased lots of the owner's personal account; nothing is granted again.
func Assign(ctx context.Context, tx pgx.Tx, c *Catalog, subID string, personal int64, team Slot, by string, at time.Time) error {
	m, err := openMoving(ctx, tx, c, personal, team.BookID, by, at)
	if err != nil {
		return err
	}
	sub := m.from.Sub(subID)
	there := m.to.Sub(subID)
	switch {
	case there != nil && !there.Facts.Status.Ended():
		return ErrTeamTaken // by this very one
	case sub == nil || sub.Facts.Status.Ended():
		return ErrNotUnassigned
	case m.to.living() != nil:
		return ErrTeamTaken
	case !teamCapable(c, &sub.Facts):
		return ErrPlanNoTeams
	}
	return m.move(ctx, tx, sub, team, "assigned", boughtOrOf(sub))
}

// boughtOrOf are the lots that an assigned subscription takes along.
func boughtOrOf(sub *Sub) func(*ledger.Lot) bool {
	return func(l *ledger.Lot) bool { return l.Series == sub.Facts.ID || l.Source == ledger.Purchase }
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

// living is the subscription of a team's book that has not ended.
func (s *State) living() *Sub {
	for _, sub := range s.Subs {
		if !sub.Facts.Status.Ended() {
			return sub
		}
	}
	return nil
}

// moving carries a subscription from one book to another: the only thing that carries
// credits out of a team's book.
type moving struct {
	from, to *State
	by       string
	at       time.Time
	pays     map[string]bool // the customers whose purchases go along; nil: all
}

func openMoving(ctx context.Context, tx pgx.Tx, c *Catalog, from, to int64, by string, at time.Time) (*moving, error) {
	m, err := loadMoving(ctx, tx, c, from, to, by, at)
	if err != nil {
		return nil, err
	}
	return m, m.settle()
}

// loadMoving is openMoving with nothing settled yet.
func loadMoving(ctx context.Context, tx pgx.Tx, c *Catalog, from, to int64, by string, at time.Time) (*moving, error) {
	states, err := OpenStates(ctx, tx, c, at, ledger.Want{Book: from}, ledger.Want{Book: to})
	if err != nil {
		return nil, err
	}
	return &moving{from: states[0], to: states[1], by: by, at: at}, nil
}

func (m *moving) settle() error { return errors.Join(m.from.Settle(m.at), m.to.Settle(m.at)) }

// move carries a subscription, the lots that go with it wherever they lie, and the debts
// that those caused, to the main account of the other book. What is held stays until its
// hold settles; see FollowHeldBack.
func (m *moving) move(ctx context.Context, tx pgx.Tx, sub *Sub, to Slot, how string, goes func(*ledger.Lot) bool) error {
	lots, err := m.carryAll(sub, how, goes)
	if err != nil {
		return err
	}
	if err := m.holdBack(ctx, tx, sub, lots); err != nil {
		return err
	}
	m.from.Subs = without(m.from.Subs, sub)
	m.to.Subs = append(m.to.Subs, sub)
	if to.TeamID != "" {
		m.to.Tell(NoticeSubAssigned, "", NoticeData{"subscription_id": sub.Facts.ID, "by": m.by})
	} else {
		m.from.Tell(NoticeSubRemoved, "", NoticeData{"subscription_id": sub.Facts.ID, "by": m.by})
	}
	sub.TeamID, sub.dirty = to.TeamID, true
	if err := m.settle(); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE subscriptions SET book_id = $2, team_id = $3 WHERE id = $1`, sub.Facts.ID, to.BookID, to.TeamID)
	if err != nil {
		return fmt.Errorf("moving %s: %w", sub.Facts.ID, err)
	}
	if err := m.movePurchases(ctx, tx); err != nil {
		return err
	}
	return Save(ctx, tx, m.from, m.to)
}

// carryAll carries the lots that go and the debts that those caused, for a subscription
// or, without one, for whoever owns the other book. It gives the lots.
func (m *moving) carryAll(sub *Sub, how string, goes func(*ledger.Lot) bool) ([]*ledger.Lot, error) {
	lots := m.lots(goes)
	for _, lot := range lots {
		if err := m.carry(sub, lot, how); err != nil {
			return nil, err
		}
	}
	for _, debt := range m.from.Book.Debts() {
		lot := m.from.Book.DebtLot(debt.Cause)
		if lot == nil || !goes(lot) && !sub.caused(debt) { // carried with an older debt of the same cause, or stays
			continue
		}
		if _, _, err := ledger.CarryDebt(m.from.Book, m.to.Book, m.request(sub, how, lot), debt.Cause); err != nil {
			return nil, fmt.Errorf("carrying the debt for %s: %w", debt.Cause, err)
		}
	}
	return lots, nil
}

// lots are those that go, in the order in which they lie.
func (m *moving) lots(goes func(*ledger.Lot) bool) []*ledger.Lot {
	var lots []*ledger.Lot
	seen := map[*ledger.Lot]bool{}
	for _, portion := range m.from.Book.Portions() {
		if lot := portion.Lot; goes(lot) && !seen[lot] {
			seen[lot] = true
			lots = append(lots, lot)
		}
	}
	return lots
}

// carry carries what isn't held of one lot, wherever it lies; what is frozen stays frozen.
func (m *moving) carry(sub *Sub, lot *ledger.Lot, how string) error {
	account, _ := m.to.Book.Account(ledger.Main)
	for draws := m.from.Book.Unheld(lot); len(draws) > 0; draws = m.from.Book.Unheld(lot) {
		_, in, err := ledger.Carry(m.from.Book, m.to.Book, m.request(sub, how, lot),
			ledger.CarryIn{Kind: ledger.KindAssignment, To: account, Draws: draws})
		if err != nil {
			return fmt.Errorf("carrying lot %d: %w", lot.ID, err)
		}
		if sub != nil {
			sub.follow(lot, in, m.to.Book)
		}
	}
	return nil
}

func (m *moving) request(sub *Sub, how string, lot *ledger.Lot) ledger.Request {
	name, memo := "", "what a member bought or put in went home"
	if sub != nil {
		name, memo = sub.Facts.ID, "subscription "+sub.Facts.ID+" "+how
	}
	return ledger.Request{Key: fmt.Sprintf("%s:%s:%d:%d", how, name, lot.ID, m.from.Book.NextNumber()), Actor: m.by, At: m.at, Memo: memo}
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
