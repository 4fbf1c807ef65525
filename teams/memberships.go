package teams

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
)

// Membership is a team that a user owns or belongs to, with what the user has there (T14).
type Membership struct {
	Team       Team
	Member     Member
	Allocation Allocation
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
		start, _, _ := state.CurrentPeriod(at)
		usage, err := ledger.UsageSince(ctx, tx, state.Book, start)
		if err != nil {
			return nil, err
		}
		var used int64
		for _, u := range usage {
			if u.Holder == userID {
				used = u.Allocation
			}
		}
		list = append(list, Membership{Team: team, Member: m, Allocation: allocationOf(state.Book, userID, used, at)})
	}
	return list, nil
}
