package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
	"purser/teams"
	"purser/worker"
)

// customerLinkCommand makes a user the owner of a Stripe customer (B14).
type customerLinkCommand struct {
	Customer string        `arg:"" help:"The customer's id at Stripe: cus_…"`
	User     string        `arg:"" help:"The user, made at this mention."`
	By       string        `default:"operator" placeholder:"NAME" help:"Who links them."`
	Show     showFlags     `embed:""`
	Database databaseFlags `embed:""`
}

// Run links, and stages the events that waited for it in the same transaction, so that a
// worker books them.
func (c *customerLinkCommand) Run(ctx context.Context, p *program) error {
	if len(c.Customer) > 255 || c.Customer != plain(c.Customer) || c.Customer == "" {
		return usage("%q can't be the id of a customer at Stripe", plain(c.Customer))
	}
	return c.Database.use(ctx, p, func(db *pgxpool.Pool) error {
		stage, err := worker.NewStager(db, p.logger())
		if err != nil {
			return err
		}
		linked := struct {
			customerView
			Staged int `json:"events_staged"`
		}{}
		err = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			args, err := c.link(ctx, tx, p.now())
			if err != nil {
				return err
			}
			owner, err := billing.CustomerOwner(ctx, tx, c.Customer)
			if err != nil {
				return err
			}
			linked.customerView, linked.Staged = viewCustomer(owner), len(args)
			return stage.Events(ctx, tx, args)
		})
		if err != nil {
			return fmt.Errorf("linking %s to user %q: %w", c.Customer, c.User, err)
		}
		return printThing(p, c.Show.JSON, linked, [][]string{
			{"customer", linked.ID}, {"user", linked.UserID}, {"since", stamp(linked.LinkedAt)},
			{"events staged", fmt.Sprint(linked.Staged)},
		})
	})
}

// link gives the events that waited.
func (c *customerLinkCommand) link(ctx context.Context, tx pgx.Tx, at time.Time) ([]billing.EventArgs, error) {
	user, err := teams.EnsureUser(ctx, tx, c.User, at)
	if err != nil {
		return nil, err
	}
	return billing.LinkCustomer(ctx, tx, c.Customer, user.ID, user.BookID, c.By, at)
}

// customerListCommand lists linked customers.
type customerListCommand struct {
	User     string        `placeholder:"ID" help:"Only customers of this user."`
	List     listFlags     `embed:""`
	Database databaseFlags `embed:""`
}

// customerView is a linked customer as it is shown.
type customerView struct {
	ID        string     `json:"id"`
	UserID    string     `json:"user_id"`
	LinkedBy  string     `json:"linked_by"`
	LinkedAt  time.Time  `json:"linked_at"`
	DeletedAt *time.Time `json:"deleted_at,omitempty"` // at Stripe
	// Credits that a cancelled subscription left owing, set off against the next first grant.
	Owed int64 `json:"owed"`
}

func viewCustomer(o billing.Owner) customerView {
	return customerView{
		ID: o.CustomerID, UserID: o.UserID, LinkedBy: o.LinkedBy, LinkedAt: o.LinkedAt.UTC(), DeletedAt: o.DeletedAt, Owed: o.Owed,
	}
}

// Run lists.
func (c *customerListCommand) Run(ctx context.Context, p *program) error {
	if err := c.List.check(); err != nil {
		return err
	}
	return c.Database.use(ctx, p, func(db *pgxpool.Pool) error {
		owners, err := billing.ListCustomers(ctx, db, c.User, c.List.After, c.List.Limit+1)
		if err != nil {
			return err
		}
		return paged(mapped(owners, viewCustomer), c.List.Limit, func(v customerView) string { return v.ID }).print(p, c.List.JSON,
			[]string{"CUSTOMER", "USER", "LINKED", "BY", "DELETED"},
			func(v customerView) []string {
				return []string{v.ID, v.UserID, stamp(v.LinkedAt), v.LinkedBy, stampOr(v.DeletedAt, "")}
			})
	})
}
