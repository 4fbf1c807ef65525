package billing

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
)

// DueBooks gives books in which something of billing's is due, the most overdue first.
func DueBooks(ctx context.Context, db DB, at time.Time, limit int) ([]int64, error) {
	rows, err := db.Query(ctx, `
		SELECT book_id FROM subscriptions
		WHERE due_at <= $1 AND book_id IS NOT NULL GROUP BY book_id ORDER BY min(due_at), book_id LIMIT $2`, at, limit)
	if err != nil {
		return nil, fmt.Errorf("listing what is due: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("listing what is due: %w", err)
	}
	return ids, nil
}

// SettleBook settles one book and writes it, unless somebody else has it locked: then
// that one settles it too, and false is returned.
func SettleBook(ctx context.Context, tx pgx.Tx, c *Catalog, book int64, at time.Time) (bool, error) {
	free, err := ledger.TryLock(ctx, tx, book)
	if err != nil || !free {
		return false, err
	}
	state, err := OpenState(ctx, tx, c, at, ledger.Want{Book: book})
	if err != nil {
		return false, err
	}
	if err := state.Settle(at); err != nil {
		return false, err
	}
	return true, Save(ctx, tx, state)
}

// UnmappedNow gives subscriptions that were kept as unmapped and whose prices the
// catalogue knows by now.
func UnmappedNow(ctx context.Context, db DB, c *Catalog) ([]string, error) {
	rows, err := db.Query(ctx, `SELECT facts FROM subscriptions WHERE state = 'unmapped' ORDER BY created_at, id LIMIT 1000`)
	if err != nil {
		return nil, fmt.Errorf("listing unmapped subscriptions: %w", err)
	}
	subs, err := pgx.CollectRows(rows, pgx.RowTo[Subscription])
	if err != nil {
		return nil, fmt.Errorf("listing unmapped subscriptions: %w", err)
	}
	var ids []string
	for _, sub := range subs {
		if figure(c, sub.Items, nil).Mapped() {
			ids = append(ids, sub.ID)
		}
	}
	return ids, nil
}
