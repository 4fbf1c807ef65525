package ledger

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Descendant is a lot that came of a purchase or a grant, in whatever book it lies.
type Descendant struct {
	Book   int64  `db:"book_id"`
	Origin string `db:"origin"`
}

// Descendants finds the lots that came of the first ones with those origins, these
// included, by book and number. Without a lock the answer may be outdated once it is
// used: whoever decides by it locks the books and asks again.
func Descendants(ctx context.Context, q interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}, roots []string) ([]Descendant, error) {
	rows, err := q.Query(ctx, `
		SELECT l.book_id, l.origin
		FROM unnest($1::text[]) AS w (root)
		CROSS JOIN LATERAL (SELECT book_id, id, origin FROM lots WHERE root_origin = w.root ORDER BY root_origin OFFSET 0) l
		ORDER BY l.book_id, l.id`, roots)
	if err != nil {
		return nil, fmt.Errorf("finding where lots went: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[Descendant])
	if err != nil {
		return nil, fmt.Errorf("finding where lots went: %w", err)
	}
	return found, nil
}
