package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
)

// subscriptionsListCommand lists subscriptions. Those that are unmatched wait for their
// customer to be linked, those that are unmapped for their price to be in the catalogue.
type subscriptionsListCommand struct {
	State    string        `enum:",placed,unmatched,unmapped" default:"" placeholder:"STATE" help:"Only those placed, unmatched (customer unknown) or unmapped (no price in the catalogue)."`
	Team     string        `placeholder:"ID" help:"Only those of this team."`
	User     string        `placeholder:"ID" help:"Only those that this user owns."`
	List     listFlags     `embed:""`
	Database databaseFlags `embed:""`
}

// Run lists.
func (c *subscriptionsListCommand) Run(ctx context.Context, p *program) error {
	if err := c.List.check(); err != nil {
		return err
	}
	return c.Database.use(ctx, p, func(db *pgxpool.Pool) error {
		list, err := billing.ListSubscriptions(ctx, db, billing.SubscriptionFilter{
			State: c.State, TeamID: c.Team, UserID: c.User, After: c.List.After, Limit: c.List.Limit + 1,
		})
		if err != nil {
			return err
		}
		return paged(list, c.List.Limit, func(s billing.SubscriptionRow) string { return s.ID }).print(p, c.List.JSON,
			[]string{"SUBSCRIPTION", "STATE", "STATUS", "TEAM", "USER", "CUSTOMER", "ITEMS", "DUE", "REASON"},
			func(s billing.SubscriptionRow) []string {
				return []string{
					s.ID, s.State, string(s.Status), s.TeamID, s.UserID, s.CustomerID, items(s.Items), stampOr(s.DueAt, ""), s.Reason,
				}
			})
	})
}

// items writes what was bought as Stripe names it: what isn't mapped is found by that.
func items(list []billing.Item) string {
	texts := make([]string, len(list))
	for i, item := range list {
		price := item.LookupKey
		if price == "" {
			price = item.PriceID
		}
		texts[i] = fmt.Sprintf("%s×%d", price, item.Quantity)
	}
	return strings.Join(texts, " ")
}
