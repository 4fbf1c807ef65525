package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// HashOfKey gives the hash of the request that a key of a book was used for.
func HashOfKey(ctx context.Context, q interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}, book int64, key string) (hash []byte, found bool, err error) {
	err = q.QueryRow(ctx, `SELECT request_hash FROM entries WHERE book_id = $1 AND key = $2`, book, key).Scan(&hash)
	switch {
	case err == nil:
		return hash, true, nil
	case errors.Is(err, pgx.ErrNoRows):
		return nil, false, nil
	}
	return nil, false, fmt.Errorf("looking key %q up: %w", key, err)
}

// LeftOf is what may still be reversed of a spend or capture, if it is one that was
// loaded.
func (b *Book) LeftOf(sequence int64) (credits int64, ok bool) {
	u, ok := b.undoable[sequence]
	if !ok || u.entry.Kind != KindSpend && u.entry.Kind != KindCapture {
		return 0, false
	}
	return u.entry.Credits - u.reversed, true
}

// HeldBy gives what each holder holds in a book, by open holds that have not ended.
func HeldBy(ctx context.Context, q interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}, book int64, at time.Time) (map[string]int64, error) {
	rows, err := q.Query(ctx, `
		SELECT holder_id, sum(credits)::bigint FROM holds
		WHERE book_id = $1 AND state = 'open' AND expires_at > $2 GROUP BY holder_id`, book, at)
	if err != nil {
		return nil, fmt.Errorf("reading what is held: %w", err)
	}
	held := map[string]int64{}
	var holder string
	var credits int64
	if _, err := pgx.ForEachRow(rows, []any{&holder, &credits}, func() error {
		held[holder] = credits
		return nil
	}); err != nil {
		return nil, fmt.Errorf("reading what is held: %w", err)
	}
	return held, nil
}
