package billing

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// KnownEvents tells which events of the given ids the inbox holds.
func KnownEvents(ctx context.Context, db DB, ids []string) (map[string]bool, error) {
	known := map[string]bool{}
	rows, err := db.Query(ctx, `SELECT id FROM event_ids WHERE id = ANY($1)`, ids)
	if err != nil {
		return nil, fmt.Errorf("looking events up: %w", err)
	}
	var id string
	if _, err := pgx.ForEachRow(rows, []any{&id}, func() error { known[id] = true; return nil }); err != nil {
		return nil, fmt.Errorf("looking events up: %w", err)
	}
	return known, nil
}
