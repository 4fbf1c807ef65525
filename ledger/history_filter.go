package ledger

import (
	"context"
	"errors"
	"fmt"

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
