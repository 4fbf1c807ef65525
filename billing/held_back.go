package billing

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
)

// HeldBack is a lot of which something was held when its subscription went to another
// book, or came back there later: from a spend that was reversed. What is free of it
// follows to where the subscription is then (T13).
type HeldBack struct {
	BookID         int64  `db:"book_id"`
	LotID          int64  `db:"lot_id"`
	SubscriptionID string `db:"subscription_id"`
}

// ListHeldBack lists what was held back, after a given one. Holds live a day at most, so
// there is never much.
func ListHeldBack(ctx context.Context, db DB, after HeldBack, limit int) ([]HeldBack, error) {
	rows, err := db.Query(ctx, `
		SELECT book_id, lot_id, subscription_id FROM held_back
		WHERE (book_id, lot_id) > ($1, $2) ORDER BY book_id, lot_id LIMIT $3`, after.BookID, after.LotID, limit)
	if err != nil {
		return nil, fmt.Errorf("listing what was held back: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[HeldBack])
	if err != nil {
		return nil, fmt.Errorf("listing what was held back: %w", err)
	}
	return list, nil
}

// FollowHeldBack lets what came free of a lot follow its subscription, and reports
// whether nothing of it is held back any more.
func FollowHeldBack(ctx context.Context, tx pgx.Tx, c *Catalog, h HeldBack, at time.Time) (done bool, err error) {
	place, err := Find(ctx, tx, h.SubscriptionID)
	if err != nil {
		return false, err
	}
	if place.BookID == h.BookID { // it has come back itself
		return true, forgetHeldBack(ctx, tx, h)
	}
	m, err := loadMoving(ctx, tx, c, h.BookID, place.BookID, actor, at)
	if err != nil {
		return false, err
	}
	sub := m.to.Sub(h.SubscriptionID)
	if sub == nil {
		return false, ErrMoved
	}
	if err := m.reach(ctx, tx, sub, h.LotID); err != nil {
		return false, err
	}
	if err := m.settle(); err != nil {
		return false, err
	}
	if lot, ok := m.from.Book.LotByID(h.LotID); ok {
		if err := m.carry(sub, lot, "followed"); err != nil {
			return false, err
		}
		done = !heldOf(m.from.Book, lot)
	} else {
		done = true
	}
	if err := m.settle(); err != nil {
		return false, err
	}
	if err := Save(ctx, tx, m.from, m.to); err != nil || !done {
		return false, err
	}
	return true, forgetHeldBack(ctx, tx, h)
}

// reach loads the periods that a lot has missed, if they are older than those at hand:
// what comes back to it joins all their turns (L8).
func (m *moving) reach(ctx context.Context, tx pgx.Tx, sub *Sub, lotID int64) error {
	lot, ok := m.from.Book.LotByID(lotID)
	if !ok || lot.Series != sub.Facts.ID || len(sub.Periods) == 0 || lot.Step >= sub.Periods[0].Number {
		return nil
	}
	return loadPeriodsFrom(ctx, tx, map[string]*Sub{sub.Facts.ID: sub}, map[string]int64{sub.Facts.ID: lot.Step})
}

// queueStrays has a sweep carry after their subscriptions what is free of lots of theirs in
// a book that they have left. There is hardly ever any.
func queueStrays(batch *pgx.Batch, states []*State) {
	var books, lots []int64
	var subs []string
	for _, s := range states {
		for lot := range s.Book.Lots() {
			if lot.Series != "" && s.Sub(lot.Series) == nil && unheldOf(s.Book, lot) > 0 {
				books, lots, subs = append(books, s.Book.ID), append(lots, lot.ID), append(subs, lot.Series)
			}
		}
	}
	if lots != nil {
		batch.Queue(`
			INSERT INTO held_back (book_id, lot_id, subscription_id)
			SELECT u.book_id, u.lot_id, s.id FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS u (book_id, lot_id, subscription_id)
			JOIN subscriptions s ON s.id = u.subscription_id
			ORDER BY u.book_id, u.lot_id
			ON CONFLICT (book_id, lot_id) DO NOTHING`, books, lots, subs)
	}
}

func forgetHeldBack(ctx context.Context, tx pgx.Tx, h HeldBack) error {
	if _, err := tx.Exec(ctx, `DELETE FROM held_back WHERE book_id = $1 AND lot_id = $2`, h.BookID, h.LotID); err != nil {
		return fmt.Errorf("forgetting what was held back: %w", err)
	}
	return nil
}

func heldOf(b *ledger.Book, lot *ledger.Lot) bool {
	for _, portion := range b.Portions() {
		if portion.Lot == lot && portion.Held > 0 {
			return true
		}
	}
	return false
}

// holdBack remembers the lots of which something stays held in the book that the
// subscription leaves.
func (m *moving) holdBack(ctx context.Context, tx pgx.Tx, sub *Sub, lots []*ledger.Lot) error {
	for _, lot := range lots {
		if !heldOf(m.from.Book, lot) {
			continue
		}
		_, err := tx.Exec(ctx, `
			INSERT INTO held_back (book_id, lot_id, subscription_id) VALUES ($1, $2, $3)
			ON CONFLICT (book_id, lot_id) DO UPDATE SET subscription_id = EXCLUDED.subscription_id`,
			m.from.Book.ID, lot.ID, sub.Facts.ID)
		if err != nil {
			return fmt.Errorf("remembering what is held back: %w", err)
		}
	}
	return nil
}
