package teams

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"purser/billing"
)

// People gives the users of these ids, by id; of an id that is no user's there is none.
// Whoever may see a member's row may see the member's name.
func People(ctx context.Context, db billing.DB, ids []string) (map[string]User, error) {
	rows, err := db.Query(ctx, `SELECT `+userColumns+` FROM users WHERE id = ANY($1)`, ids)
	if err != nil {
		return nil, fmt.Errorf("reading who they are: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[User])
	if err != nil {
		return nil, fmt.Errorf("reading who they are: %w", err)
	}
	people := make(map[string]User, len(list))
	for _, u := range list {
		people[u.ID] = u
	}
	return people, nil
}
