package billing

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
)

// DueBooks gives books in which something of billing's is due, the most overdue first.
// A book of several subscriptions may come several times: to gather them would mean to
// read all that is due for every few.
func DueBooks(ctx context.Context, db DB, at time.Time, limit int) ([]int64, error) {
	rows, err := db.Query(ctx, `
		SELECT book_id FROM subscriptions WHERE due_at <= $1 AND book_id IS NOT NULL ORDER BY due_at LIMIT $2`, at, limit)
	if err != nil {
		return nil, fmt.Errorf("listing what is due: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("listing what is due: %w", err)
	}
	return ids, nil
}

// SettleBooks settles those of the books that nobody else has locked, and gives back in
// which of them something was due. Whoever has the others locked settles them too. One
// book that can't be settled fails them all, so that the caller tries each by itself.
func SettleBooks(ctx context.Context, tx pgx.Tx, c *Catalog, books []int64, now func() time.Time) ([]int64, error) {
	free, err := ledger.LockFree(ctx, tx, books)
	if err != nil {
		return nil, err
	}
	wants := make([]ledger.Want, len(free))
	for i, book := range free {
		wants[i].Book = book
	}
	if len(wants) == 0 {
		return nil, nil
	}
	// Read after the locks: nobody has settled these books at a later instant.
	at := now()
	states, err := OpenStates(ctx, tx, c, at, wants...)
	if err != nil {
		return nil, err
	}
	var due []int64
	for _, s := range states {
		if s.isDue(at) {
			due = append(due, s.Book.ID)
		}
		if err := s.Settle(at); err != nil {
			return nil, err
		}
	}
	return due, Save(ctx, tx, states...)
}

// isDue tells whether the clock alone has something to do by an instant.
func (s *State) isDue(at time.Time) bool {
	if next := s.Book.NextDue(); next != nil && !next.After(at) {
		return true
	}
	return slices.ContainsFunc(s.Subs, func(sub *Sub) bool { return sub.due != nil && !sub.due.After(at) })
}

// UnmappedNow gives subscriptions that were kept as unmapped and whose prices the
// catalogue knows by now. There may be very many that it will never know, of other
// products, so the database looks through them.
func UnmappedNow(ctx context.Context, db DB, c *Catalog) ([]string, error) {
	ids, keys := []string{}, []string{}
	for _, plan := range c.Plans {
		for _, price := range plan.Prices {
			if price.ID != "" {
				ids = append(ids, price.ID)
			}
			if price.LookupKey != "" {
				keys = append(keys, price.LookupKey)
			}
		}
	}
	rows, err := db.Query(ctx, `
		SELECT facts FROM subscriptions
		WHERE state = 'unmapped' AND EXISTS (
			SELECT FROM jsonb_array_elements(facts->'items') item
			WHERE item->>'price_id' = ANY($1) OR item->>'lookup_key' = ANY($2))
		ORDER BY created_at, id LIMIT 1000`, ids, keys)
	if err != nil {
		return nil, fmt.Errorf("listing unmapped subscriptions: %w", err)
	}
	subs, err := pgx.CollectRows(rows, pgx.RowTo[Subscription])
	if err != nil {
		return nil, fmt.Errorf("listing unmapped subscriptions: %w", err)
	}
	var mapped []string
	for _, sub := range subs {
		if figure(c, sub.Items, nil).Mapped() {
			mapped = append(mapped, sub.ID)
		}
	}
	return mapped, nil
}
