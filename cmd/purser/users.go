package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
	"purser/teams"
)

// ofUserMax is how many customers, teams and subscriptions of one are shown.
const ofUserMax = 100

// userSetCommand makes a user, or changes one's attributes.
type userSetCommand struct {
	ID       string        `arg:"" help:"The user's id in your product."`
	Email    string        `placeholder:"ADDRESS" help:"The e-mail address. Left out, it stays as it is."`
	Name     string        `help:"The name. Left out, it stays as it is."`
	Show     showFlags     `embed:""`
	Database databaseFlags `embed:""`
}

// Run makes or changes.
func (c *userSetCommand) Run(ctx context.Context, p *program) error {
	return c.Database.use(ctx, p, func(db *pgxpool.Pool) error {
		var user teams.User
		err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) (err error) {
			if _, err := teams.EnsureUser(ctx, tx, c.ID, p.now()); err != nil {
				return err
			}
			user, err = teams.SetUser(ctx, tx, c.ID, c.Email, c.Name)
			return err
		})
		if err != nil {
			return fmt.Errorf("setting user %q: %w", c.ID, err)
		}
		return printThing(p, c.Show.JSON, user, userLines(user))
	})
}

func userLines(u teams.User) [][]string {
	return [][]string{{"user", u.ID}, {"e-mail", u.Email}, {"name", u.Name}, {"since", stamp(u.CreatedAt)}}
}

// userShowCommand shows a user.
type userShowCommand struct {
	ID       string        `arg:"" help:"The user's id."`
	Show     showFlags     `embed:""`
	Database databaseFlags `embed:""`
}

// userView is a user with all that hangs on one.
type userView struct {
	teams.User
	Customers     []customerView            `json:"customers"`
	Teams         []teams.Team              `json:"teams"`
	Subscriptions []billing.SubscriptionRow `json:"subscriptions"`
}

// Run shows.
func (c *userShowCommand) Run(ctx context.Context, p *program) error {
	return c.Database.use(ctx, p, func(db *pgxpool.Pool) error {
		var view userView
		err := readOnly(ctx, db, func(tx pgx.Tx) (err error) {
			view, err = readUser(ctx, tx, c.ID)
			return err
		})
		if err != nil {
			return err
		}
		lines := userLines(view.User)
		for _, customer := range view.Customers {
			lines = append(lines, []string{"customer", customer.ID})
		}
		for _, team := range view.Teams {
			lines = append(lines, []string{"owns team", team.ID})
		}
		for _, s := range view.Subscriptions {
			lines = append(lines, []string{"subscription", s.ID + " (" + string(s.Status) + ", " + s.State + ")"})
		}
		return printThing(p, c.Show.JSON, view, lines)
	})
}

func readUser(ctx context.Context, tx pgx.Tx, id string) (view userView, err error) {
	if view.User, err = teams.GetUser(ctx, tx, id); err != nil {
		return view, err
	}
	owners, err := billing.Customers(ctx, tx, id)
	if err != nil {
		return view, err
	}
	view.Customers = mapped(owners, viewCustomer)
	if view.Teams, err = teams.ListTeams(ctx, tx, id, "", ofUserMax); err != nil {
		return view, err
	}
	view.Subscriptions, err = billing.ListSubscriptions(ctx, tx, billing.SubscriptionFilter{UserID: id, Limit: ofUserMax})
	return view, err
}

// userListCommand lists users.
type userListCommand struct {
	List     listFlags     `embed:""`
	Database databaseFlags `embed:""`
}

// Run lists.
func (c *userListCommand) Run(ctx context.Context, p *program) error {
	if err := c.List.check(); err != nil {
		return err
	}
	return c.Database.use(ctx, p, func(db *pgxpool.Pool) error {
		users, err := teams.ListUsers(ctx, db, c.List.After, c.List.Limit+1)
		if err != nil {
			return err
		}
		return paged(users, c.List.Limit, func(u teams.User) string { return u.ID }).print(p, c.List.JSON,
			[]string{"USER", "E-MAIL", "NAME", "SINCE"},
			func(u teams.User) []string { return []string{u.ID, u.Email, u.Name, stamp(u.CreatedAt)} })
	})
}
