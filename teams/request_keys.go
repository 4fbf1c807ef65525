package teams

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
)

// requestKeyLife is how long a key of a write that posts nothing is remembered (L6).
const requestKeyLife = 30 * 24 * time.Hour

// forgetStep is how many keys that are too old each new one clears away. So the table
// stays as large as a month of writes, and no sweep is needed.
const forgetStep = 4

// RequestKey is a request's idempotency key, in the book that the request names; book 0
// is that of requests that name none.
type RequestKey struct {
	Book int64
	Key  string
	Hash []byte
}

// ledgerKey is a request's key as the ledger keeps it. It keeps apart what clients choose
// and what the rules make: a grant's key, say, must be free when the grant is due.
func ledgerKey(key string) string {
	if key == "" {
		return "" // the ledger refuses it
	}
	return requestKeys + key
}

const requestKeys = "request:"

// ClientKey gives the key that a client chose, of one as the ledger keeps it, and nothing
// of a key that the rules made.
func ClientKey(key string) string {
	if client, ok := strings.CutPrefix(key, requestKeys); ok {
		return client
	}
	return ""
}

type bookKey struct {
	book int64
	key  string
}

// ErrKeyRaced says that the same key came twice at once and the other one was first. The
// transaction must be rolled back; the key then has an answer.
var ErrKeyRaced = errors.New("the same idempotency key came twice at once")

// AnsweredRequest gives what was remembered of an answer to a key that was used before,
// and nil when it is new. Used for another request it is refused.
func AnsweredRequest(ctx context.Context, db billing.DB, k RequestKey, at time.Time) (json.RawMessage, error) {
	var hash []byte
	var answer json.RawMessage
	err := db.QueryRow(ctx, `
		SELECT request_hash, answer FROM request_keys WHERE book_id = $1 AND key = $2 AND created_at > $3`,
		k.Book, k.Key, at.Add(-requestKeyLife)).Scan(&hash, &answer)
	if err == nil {
		if !bytes.Equal(hash, k.Hash) {
			return nil, asRefusal(ledger.ErrKeyReused)
		}
		return answer, nil
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("looking the idempotency key up: %w", err)
	}
	// The same key may have posted something.
	posted, found, err := ledger.HashOfKey(ctx, db, k.Book, ledgerKey(k.Key))
	if err != nil {
		return nil, err
	}
	if found && !bytes.Equal(posted, k.Hash) {
		return nil, asRefusal(ledger.ErrKeyReused)
	}
	return nil, nil
}

// RememberRequest stores the answer to a request that succeeded, in its transaction.
func RememberRequest(ctx context.Context, tx pgx.Tx, k RequestKey, answer json.RawMessage, at time.Time) error {
	old := at.Add(-requestKeyLife)
	tag, err := tx.Exec(ctx, `
		INSERT INTO request_keys AS r (book_id, key, request_hash, answer, created_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (book_id, key) DO UPDATE SET request_hash = EXCLUDED.request_hash, answer = EXCLUDED.answer,
			created_at = EXCLUDED.created_at
		WHERE r.created_at <= $6`, k.Book, k.Key, k.Hash, answer, at, old)
	if err != nil {
		return fmt.Errorf("remembering the idempotency key: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return ErrKeyRaced
	}
	_, err = tx.Exec(ctx, `
		DELETE FROM request_keys WHERE (book_id, key) IN (
			SELECT book_id, key FROM request_keys WHERE created_at <= $1 ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)`, old, forgetStep)
	if err != nil {
		return fmt.Errorf("forgetting old idempotency keys: %w", err)
	}
	return nil
}

// queueTaken finds which of some keys were used for writes that post nothing.
func queueTaken(batch *pgx.Batch, books []int64, keys []string, at time.Time, taken map[bookKey]bool) {
	batch.Queue(`
		SELECT w.book_id, w.key FROM unnest($1::bigint[], $2::text[]) AS w (book_id, key)
		CROSS JOIN LATERAL (
			SELECT FROM request_keys WHERE book_id = w.book_id AND key = w.key AND created_at > $3 LIMIT 1) k`,
		books, keys, at.Add(-requestKeyLife)).Query(func(rows pgx.Rows) error {
		var k bookKey
		_, err := pgx.ForEachRow(rows, []any{&k.book, &k.key}, func() error {
			taken[k] = true
			return nil
		})
		return err
	})
}
