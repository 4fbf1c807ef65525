package billing

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
)

// readHome finds whose customers a user's are.
func readHome(ctx context.Context, db DB, userID string, book int64) (*home, error) {
	customers, err := Customers(ctx, db, userID)
	if err != nil {
		return nil, err
	}
	h := &home{userID: userID, bookID: book, pays: map[string]bool{}}
	for _, o := range customers {
		h.pays[o.CustomerID] = true
	}
	return h, nil
}

// ClosingBooks names the books that closing a team touches beside its own: the personal
// ones of those who own subscriptions in it.
func ClosingBooks(ctx context.Context, db DB, team int64) ([]int64, error) {
	rows, err := db.Query(ctx, `
		SELECT DISTINCT c.book_id FROM subscriptions s JOIN customers c ON c.id = s.customer_id WHERE s.book_id = $1`, team)
	if err != nil {
		return nil, fmt.Errorf("reading whose subscriptions are in the team: %w", err)
	}
	books, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("reading whose subscriptions are in the team: %w", err)
	}
	return books, nil
}

// FindClosing works out what becomes of a team's credits if it closes now. The state is
// the team's, settled; it stays as it is.
func FindClosing(ctx context.Context, db DB, s *State, ownerID string, personal int64) (*Closing, error) {
	c := &Closing{}
	if err := c.readHomes(ctx, db, s, ownerID, personal); err != nil {
		return nil, err
	}
	rows, err := db.Query(ctx, `SELECT lot_id FROM held_back WHERE book_id = $1`, s.Book.ID)
	if err != nil {
		return nil, fmt.Errorf("reading what is held back: %w", err)
	}
	lots, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("reading what is held back: %w", err)
	}
	c.heldBack = map[int64]bool{}
	for _, lot := range lots {
		c.heldBack[lot] = true
	}
	err = db.QueryRow(ctx, `
		SELECT count(*) FILTER (WHERE kind = 'checkout'), count(*) FILTER (WHERE kind = 'auto') > 0
		FROM purchases WHERE book_id = $1 AND state IN ('created', 'open', 'processing')`, s.Book.ID).Scan(&c.Purchases, &c.Buying)
	if err != nil {
		return nil, fmt.Errorf("counting open purchases: %w", err)
	}
	c.decide(s)
	return c, nil
}

// readHomes finds the owners of the team's subscriptions, those that have ended included,
// and the team's own.
func (c *Closing) readHomes(ctx context.Context, db DB, s *State, ownerID string, personal int64) error {
	add := func(userID string, book int64) (*home, error) {
		for _, h := range c.homes {
			if h.userID == userID {
				return h, nil
			}
		}
		h, err := readHome(ctx, db, userID, book)
		if err == nil {
			c.homes = append(c.homes, h)
		}
		return h, err
	}
	for _, sub := range s.Subs {
		owner, err := CustomerOwner(ctx, db, sub.Facts.CustomerID)
		if err != nil {
			return err
		}
		h, err := add(owner.UserID, owner.BookID)
		if err != nil {
			return err
		}
		h.subs = append(h.subs, sub)
	}
	_, err := add(ownerID, personal)
	return err
}

// Close does what was worked out, under the locks of all books concerned: it empties the
// team's book, and reports how much has ended.
func (c *Closing) Close(ctx context.Context, tx pgx.Tx, catalog *Catalog, team Slot, by string, at time.Time) (int64, error) {
	for _, h := range c.homes {
		if err := h.sendHome(ctx, tx, catalog, team, by, at); err != nil {
			return 0, err
		}
	}
	state, err := OpenState(ctx, tx, catalog, at, ledger.Want{Book: team.BookID})
	if err != nil {
		return 0, err
	}
	if err := state.Settle(at); err != nil {
		return 0, err
	}
	ended, err := c.endRest(state.Book, by, at)
	if err != nil {
		return 0, err
	}
	if err := Save(ctx, tx, state); err != nil {
		return 0, err
	}
	return ended, switchOff(ctx, tx, team.BookID, by, at)
}

// sendHome carries to a user's personal account what goes there: with each of the user's
// subscriptions what was granted for it, and with the first one all else.
func (h *home) sendHome(ctx context.Context, tx pgx.Tx, c *Catalog, team Slot, by string, at time.Time) error {
	for i, sub := range h.subs {
		m, err := openMoving(ctx, tx, c, team.BookID, h.bookID, by, at)
		if err != nil {
			return err
		}
		now := m.from.Sub(sub.Facts.ID)
		if now == nil {
			return ErrMoved
		}
		m.pays = h.pays
		goes := func(l *ledger.Lot) bool { return l.Series == sub.Facts.ID || i == 0 && h.owns(l) }
		if err := m.move(ctx, tx, now, Slot{BookID: h.bookID}, "unassigned", goes); err != nil {
			return err
		}
	}
	if len(h.subs) > 0 {
		return nil
	}
	m, err := openMoving(ctx, tx, c, team.BookID, h.bookID, by, at)
	if err != nil {
		return err
	}
	m.pays = h.pays
	if _, err := m.carryAll(nil, "closed", h.owns); err != nil {
		return err
	}
	if err := m.movePurchases(ctx, tx); err != nil {
		return err
	}
	if err := m.settle(); err != nil {
		return err
	}
	return Save(ctx, tx, m.from, m.to)
}

// endRest ends what is left in the team's book and doesn't follow a subscription. What is
// frozen ends as soon as it is thawed.
func (c *Closing) endRest(b *ledger.Book, by string, at time.Time) (int64, error) {
	var lots []*ledger.Lot
	for _, p := range b.Portions() {
		if !c.heldBack[p.Lot.ID] && !slices.Contains(lots, p.Lot) {
			lots = append(lots, p.Lot)
		}
	}
	var ended int64
	request := func(lot *ledger.Lot) ledger.Request {
		return ledger.Request{Key: fmt.Sprintf("closed:%d:%d", lot.ID, b.NextNumber()), Actor: by, At: at, Memo: "the team was closed"}
	}
	for _, lot := range lots {
		for draws := b.Take(lot, ledger.CreditsMax); len(draws) > 0; draws = b.Take(lot, ledger.CreditsMax) {
			if _, err := b.ExpireDraws(request(lot), draws); err != nil {
				return 0, fmt.Errorf("ending lot %d: %w", lot.ID, err)
			}
			ended += ledger.Sum(draws)
		}
		frozen := unheldOf(b, lot)
		if frozen == 0 {
			continue
		}
		end := later(at, lot.EffectiveAt)
		if _, err := b.Redate(request(lot), lot, &end); err != nil {
			return 0, fmt.Errorf("ending lot %d: %w", lot.ID, err)
		}
		ended += frozen
	}
	return ended, nil
}

func unheldOf(b *ledger.Book, lot *ledger.Lot) (credits int64) {
	for _, p := range b.Portions() {
		if p.Lot == lot {
			credits += p.Balance - p.Held
		}
	}
	return credits
}

// switchOff switches automatic top-up off for a book that is to stay empty.
func switchOff(ctx context.Context, tx pgx.Tx, book int64, by string, at time.Time) error {
	_, err := tx.Exec(ctx, `
		UPDATE auto_top_ups SET is_on = false, state = 'off', reason = 'team_closed', in_flight = NULL, declines = 0,
			series_at = NULL, check_at = NULL, changed_by = $2, changed_at = $3
		WHERE book_id = $1`, book, by, at)
	if err != nil {
		return fmt.Errorf("switching automatic top-up off: %w", err)
	}
	return nil
}

// UnpaidBuyers names those whose purchases for a book aren't paid.
func UnpaidBuyers(ctx context.Context, db DB, book int64) ([]string, error) {
	rows, err := db.Query(ctx, `SELECT DISTINCT user_id FROM purchases WHERE book_id = $1 AND state <> 'paid' ORDER BY user_id`, book)
	if err != nil {
		return nil, fmt.Errorf("reading whose purchases are open: %w", err)
	}
	users, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("reading whose purchases are open: %w", err)
	}
	return users, nil
}

// RedirectPurchases has the credits of a user's purchases go to another book, should they
// still be paid: whatever state they are in, Stripe may tell of a payment (P4). The caller
// has the first book's lock. The purchases stay in the history of whom they were for.
func RedirectPurchases(ctx context.Context, tx pgx.Tx, book int64, userID string, to int64) error {
	_, err := tx.Exec(ctx, `UPDATE purchases SET book_id = $3 WHERE book_id = $1 AND user_id = $2 AND state <> 'paid'`, book, userID, to)
	if err != nil {
		return fmt.Errorf("redirecting the purchases of %q: %w", userID, err)
	}
	return nil
}
