package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
	"purser/teams"
)

// teamCreateCommand makes a team.
type teamCreateCommand struct {
	ID          string        `arg:"" help:"The team's id in your product."`
	Owner       string        `required:"" placeholder:"USER" help:"The user who owns it, made at this mention."`
	Name        string        `required:"" help:"The team's name."`
	Description string        `help:"What the team is for."`
	Show        showFlags     `embed:""`
	Catalog     catalogFlags  `embed:""`
	Database    databaseFlags `embed:""`
}

// teamView is a team with the subscriptions that live on it.
type teamView struct {
	teams.Team
	Subscriptions []billing.SubscriptionRow `json:"subscriptions"`
}

// Run makes it. The owner's oldest subscription that is on the personal account and
// whose plan allows teams comes with it (T2).
func (c *teamCreateCommand) Run(ctx context.Context, p *program) error {
	catalog, err := c.Catalog.load()
	if err != nil {
		return err
	}
	return c.Database.use(ctx, p, func(db *pgxpool.Pool) error {
		var view teamView
		err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) (err error) {
			in := teams.TeamIn{ID: c.ID, OwnerID: c.Owner, Name: c.Name, Description: c.Description}
			if _, err := teams.CreateTeam(ctx, tx, catalog, in, p.now()); err != nil {
				return err
			}
			view, err = readTeam(ctx, tx, c.ID)
			return err
		})
		if err != nil {
			return fmt.Errorf("creating team %q: %w", c.ID, err)
		}
		return view.print(p, c.Show.JSON)
	})
}

// teamShowCommand shows a team.
type teamShowCommand struct {
	ID       string        `arg:"" help:"The team's id."`
	Show     showFlags     `embed:""`
	Database databaseFlags `embed:""`
}

// Run shows.
func (c *teamShowCommand) Run(ctx context.Context, p *program) error {
	return c.Database.use(ctx, p, func(db *pgxpool.Pool) error {
		var view teamView
		err := readOnly(ctx, db, func(tx pgx.Tx) (err error) {
			view, err = readTeam(ctx, tx, c.ID)
			return err
		})
		if err != nil {
			return err
		}
		return view.print(p, c.Show.JSON)
	})
}

func readTeam(ctx context.Context, tx pgx.Tx, id string) (view teamView, err error) {
	if view.Team, err = teams.GetTeam(ctx, tx, id); err != nil {
		return view, err
	}
	view.Subscriptions, err = billing.ListSubscriptions(ctx, tx, billing.SubscriptionFilter{TeamID: id, Limit: ofUserMax})
	return view, err
}

func (v teamView) print(p *program, asJSON bool) error {
	lines := [][]string{
		{"team", v.ID}, {"name", v.Name}, {"description", v.Description}, {"owner", v.OwnerID}, {"sharing", v.Sharing},
		{"since", stamp(v.CreatedAt)},
	}
	if v.FallBack {
		lines = append(lines, []string{"falls back", "yes: members who are out of credits go on with their own"})
	}
	if v.SuspendedAt != nil {
		lines = append(lines, []string{"suspended", stamp(*v.SuspendedAt)})
	}
	if v.ClosedAt != nil {
		lines = append(lines, []string{"closed", stamp(*v.ClosedAt)})
	}
	for _, s := range v.Subscriptions {
		lines = append(lines, []string{"subscription", s.ID + " (" + string(s.Status) + ", " + s.State + ")"})
	}
	return printThing(p, asJSON, v, lines)
}

// teamListCommand lists teams.
type teamListCommand struct {
	Owner    string        `placeholder:"USER" help:"Only teams of this owner."`
	List     listFlags     `embed:""`
	Database databaseFlags `embed:""`
}

// Run lists.
func (c *teamListCommand) Run(ctx context.Context, p *program) error {
	if err := c.List.check(); err != nil {
		return err
	}
	return c.Database.use(ctx, p, func(db *pgxpool.Pool) error {
		list, err := teams.ListTeams(ctx, db, c.Owner, c.List.After, c.List.Limit+1)
		if err != nil {
			return err
		}
		return paged(list, c.List.Limit, func(t teams.Team) string { return t.ID }).print(p, c.List.JSON,
			[]string{"TEAM", "NAME", "OWNER", "SINCE"},
			func(t teams.Team) []string { return []string{t.ID, t.Name, t.OwnerID, stamp(t.CreatedAt)} })
	})
}
