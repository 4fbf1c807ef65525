package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// CountHolds counts the open holds that a book was asked for and that have not ended: its
// own ones, and those that another book pays (see Elsewhere). The caller knows since when
// a hold may still be open.
func CountHolds(ctx context.Context, q interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}, book int64, since, at time.Time) (count, credits int64, err error) {
	err = q.QueryRow(ctx, `
		SELECT count(*), COALESCE(sum(credits), 0)::bigint FROM (
			SELECT credits FROM holds WHERE book_id = $1 AND state = 'open' AND expires_at > $3
			UNION ALL
			SELECT h.credits
			FROM entries e JOIN holds h ON h.book_id = e.peer_book_id AND h.id = e.peer_sequence
			WHERE e.book_id = $1 AND e.at >= $2 AND e.kind = 'spend_elsewhere' AND h.state = 'open' AND h.expires_at > $3
		) AS open`, book, since, at).Scan(&count, &credits)
	if err != nil {
		return 0, 0, fmt.Errorf("counting open holds: %w", err)
	}
	return count, credits, nil
}

// Contributed gives what each person has put into a book, ever.
func Contributed(ctx context.Context, q interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}, book int64) (map[string]int64, error) {
	rows, err := q.Query(ctx, `
		SELECT l.contributor, sum(l.granted)::bigint
		FROM lots l JOIN entries e ON e.book_id = l.book_id AND e.sequence = l.created_entry
		WHERE l.book_id = $1 AND l.contributor <> '' AND e.kind = 'contribution_in' GROUP BY l.contributor`, book)
	if err != nil {
		return nil, fmt.Errorf("adding up contributions: %w", err)
	}
	put := map[string]int64{}
	var who string
	var credits int64
	if _, err := pgx.ForEachRow(rows, []any{&who, &credits}, func() error {
		put[who] = credits
		return nil
	}); err != nil {
		return nil, fmt.Errorf("adding up contributions: %w", err)
	}
	return put, nil
}
