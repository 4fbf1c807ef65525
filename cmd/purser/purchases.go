package main

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"purser/api"
	"purser/billing"
)

// purchasesListCommand lists packs that somebody is buying or has bought.
type purchasesListCommand struct {
	Team     string        `placeholder:"ID" help:"Only those for this team's pool."`
	User     string        `placeholder:"ID" help:"Only those for this user's personal account."`
	Kind     string        `enum:",checkout,auto" default:"" placeholder:"KIND" help:"Only those that somebody pays on a page (checkout), or automatic top-ups (auto)."`
	State    string        `enum:",created,open,processing,paid,failed,expired" default:"" placeholder:"STATE" help:"Only those created, open, processing, paid, failed or expired."`
	List     listFlags     `embed:""`
	Database databaseFlags `embed:""`
}

// Run lists, the newest first.
func (c *purchasesListCommand) Run(ctx context.Context, p *program) error {
	if err := c.List.check(); err != nil {
		return err
	}
	return c.Database.use(ctx, p, func(db *pgxpool.Pool) error {
		rows, err := billing.ListPurchases(ctx, db, billing.PurchaseFilter{
			TeamID: c.Team, UserID: c.User, State: c.State, Kind: c.Kind, Before: c.List.After, Limit: c.List.Limit + 1,
		})
		if err != nil {
			return err
		}
		fields := []string{"id", "team_id", "user_id", "pack", "credits", "state", "created_by", "created_at", "paid_at", "attempt", "decline_code", "reason"}
		return paged(mapped(rows, api.ShowPurchase), c.List.Limit, func(v api.Purchase) string { return v.ID }).
			print(p, c.List.JSON, heads(fields), func(v api.Purchase) []string { return cells(v, fields) })
	})
}
