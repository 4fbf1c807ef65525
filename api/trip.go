package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// trip is a transaction whose BEGIN goes along with its first statements and whose COMMIT
// with its last: neither waits for an answer of its own. An error in a batch keeps the
// server from running what was sent behind it, so COMMIT isn't reached.
type trip struct {
	conn  *pgxpool.Conn
	begun bool
}

// rollbackPatience is how long a connection may take to give up a transaction before it
// is closed instead.
const rollbackPatience = 5 * time.Second

// errNotCommitted is what a server says that answers COMMIT with ROLLBACK.
var errNotCommitted = errors.New("the transaction was rolled back instead")

// travel runs do in a trip. What do hasn't committed is rolled back.
func travel(ctx context.Context, pool *pgxpool.Pool, do func(t *trip) error) error {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("beginning: %w", err)
	}
	defer conn.Release() // one that is still within a transaction is closed by that
	err = do(&trip{conn: conn})
	if conn.Conn().PgConn().TxStatus() == 'I' || conn.Conn().IsClosed() {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackPatience)
	defer cancel()
	_, failed := conn.Exec(ctx, `ROLLBACK`)
	return errors.Join(err, failed)
}

// SendBatch sends a batch, behind BEGIN if it is the first.
func (t *trip) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	if t.begun {
		return t.conn.SendBatch(ctx, b)
	}
	t.begun = true
	var all pgx.Batch
	all.Queue(`BEGIN`)
	all.QueuedQueries = append(all.QueuedQueries, b.QueuedQueries...)
	results := t.conn.SendBatch(ctx, &all)
	_, _ = results.Exec() // an error stays with the results
	return results
}

// Query asks in the transaction.
func (t *trip) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if !t.begun {
		t.begun = true
		if _, err := t.conn.Exec(ctx, `BEGIN`); err != nil {
			return nil, fmt.Errorf("beginning: %w", err)
		}
	}
	return t.conn.Query(ctx, sql, args...)
}

// commit sends what is left to write, and commits.
func (t *trip) commit(ctx context.Context, b *pgx.Batch) error {
	committed := false
	b.Queue(`COMMIT`).Exec(func(tag pgconn.CommandTag) error {
		committed = tag.String() == "COMMIT"
		return nil
	})
	if err := t.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("writing and committing: %w", err)
	}
	if !committed {
		return errNotCommitted
	}
	return nil
}
