package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// historyMax bounds one page of a book's history.
const historyMax = 1000

// Line is an entry as a history shows it, without its postings.
type Line struct {
	Sequence  int64     `json:"sequence"`
	Kind      EntryKind `json:"kind"`
	Key       string    `json:"key"`
	Actor     string    `json:"actor"`
	At        time.Time `json:"at"`
	CreatedAt time.Time `json:"created_at"`
	Credits   int64     `json:"credits"`
	Holder    string    `json:"holder,omitempty"`
	Memo      string    `json:"memo,omitempty"`
	Reference string    `json:"reference,omitempty"`
}

// History gives a book's entries after a sequence number, the oldest first.
func History(ctx context.Context, q interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}, book, after int64, limit int) ([]Line, error) {
	rows, err := q.Query(ctx, `
		SELECT sequence, kind, key, actor, at, created_at, credits, holder_id, memo, reference
		FROM entries WHERE book_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3`, book, after, min(limit, historyMax))
	if err != nil {
		return nil, fmt.Errorf("reading the history: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Line])
	if err != nil {
		return nil, fmt.Errorf("reading the history: %w", err)
	}
	return list, nil
}
