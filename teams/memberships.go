package teams

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"purser/billing"
)

// Membership is a team that a user owns or belongs to, with what the user has there (T14).
type Membership struct {
	Team      Team
	Member    Member
	Allocated int64 // in the user's allocation, held ones included
	Remaining int64 // of it, what is free
}

// Memberships gives a user's teams by id, after a given one. The transaction should be
// REPEATABLE READ; nothing is written. Each team costs a look into its book.
func Memberships(ctx context.Context, tx pgx.Tx, c *billing.Catalog, userID, after string, limit int, at instant) ([]Membership, error) {
	rows, err := tx.Query(ctx, `SELECT `+memberColumns+` FROM members WHERE user_id = $1 AND team_id > $2 ORDER BY team_id LIMIT $3`,
		userID, after, limit)
	if err != nil {
		return nil, fmt.Errorf("listing the teams of %q: %w", userID, err)
	}
	members, err := pgx.CollectRows(rows, pgx.RowToStructByName[Member])
	if err != nil {
		return nil, fmt.Errorf("listing the teams of %q: %w", userID, err)
	}
	list := make([]Membership, 0, len(members))
	for _, m := range members {
		team, err := GetTeam(ctx, tx, m.TeamID)
		if err != nil {
			return nil, err
		}
		state, err := viewOf(ctx, tx, c, team.BookID, at)
		if err != nil {
			return nil, err
		}
		of := Membership{Team: team, Member: m}
		if allocation, ok := state.Book.AllocationOf(userID); ok {
			of.Remaining = allocation.Available(at)
			of.Allocated = of.Remaining + allocation.Held
		}
		list = append(list, of)
	}
	return list, nil
}
