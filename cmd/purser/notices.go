package main

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"purser/api"
	"purser/teams"
)

// noticesListCommand lists what somebody should hear of (N1).
type noticesListCommand struct {
	Account  accountFlags  `embed:""`
	List     listFlags     `embed:""`
	Database databaseFlags `embed:""`
}

// Run lists, the oldest first.
func (c *noticesListCommand) Run(ctx context.Context, p *program) error {
	everything := c.Account.Team == "" && c.Account.User == ""
	if !everything {
		if err := c.Account.check(); err != nil {
			return err
		}
	}
	if err := c.List.check(); err != nil {
		return err
	}
	after, ok := api.ParseNotice(c.List.After)
	if c.List.After != "" && !ok {
		return usage("--after must be a notice's id, as the list shows it")
	}
	return c.Database.use(ctx, p, func(db *pgxpool.Pool) (err error) {
		var rows []teams.Notice
		if everything {
			rows, err = teams.AllNotices(ctx, db, after, c.List.Limit+1)
		} else {
			rows, err = teams.Notices(ctx, db, c.Account.Team, c.Account.User, teams.Actor{}, after, c.List.Limit+1)
		}
		if err != nil {
			return err
		}
		fields := []string{"id", "at", "kind", "team_id", "user_id", "data"}
		return paged(mapped(rows, api.ShowNotice), c.List.Limit, func(n api.Notice) string { return n.ID }).
			print(p, c.List.JSON, heads(fields), func(n api.Notice) []string { return cells(n, fields) })
	})
}
