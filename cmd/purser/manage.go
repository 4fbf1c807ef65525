package main

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/api"
	"purser/teams"
)

// teamSetCommand changes a team's attributes.
type teamSetCommand struct {
	ID          string   `arg:"" help:"The team's id."`
	Name        *string  `help:"The name. Left out, it stays as it is."`
	Description *string  `help:"What the team is for. Left out, it stays as it is."`
	Sharing     *string  `placeholder:"HOW" help:"pool: members may draw from the pool; balances: only from their own allocation. Left out, it stays as it is."`
	FallBack    *bool    `negatable:"" help:"Whether members who are out of credits go on with their own. Left out, it stays as it is."`
	Act         actFlags `embed:"" json:"-"`
}

// Run changes.
func (c *teamSetCommand) Run(ctx context.Context, p *program) error {
	return c.Act.act(ctx, p, deed{doing: "changing the team", command: c, team: c.ID, do: func(ctx context.Context, a *acting) (any, bool, error) {
		t, err := teams.ChangeTeam(ctx, a.tx, a.catalog, c.ID, teams.TeamChange{
			Name: c.Name, Description: c.Description, Sharing: c.Sharing, FallBack: c.FallBack,
		}, a.by, a.at)
		return api.ShowTeam(t), false, err
	}})
}

// teamHandOverCommand hands a team over.
type teamHandOverCommand struct {
	ID   string   `arg:"" help:"The team's id."`
	User string   `arg:"" help:"The member who becomes the owner; the old one becomes an admin."`
	Act  actFlags `embed:"" json:"-"`
}

// Run hands over.
func (c *teamHandOverCommand) Run(ctx context.Context, p *program) error {
	return c.Act.act(ctx, p, deed{doing: "handing the team over", command: c, team: c.ID, do: func(ctx context.Context, a *acting) (any, bool, error) {
		if err := teams.HandOver(ctx, a.tx, a.catalog, c.ID, c.User, a.by, a.at); err != nil {
			return nil, false, err
		}
		t, err := teams.GetTeam(ctx, a.tx, c.ID)
		return api.ShowTeam(t), false, err
	}})
}

// teamCloseCommand closes a team (T16).
type teamCloseCommand struct {
	ID      string   `arg:"" help:"The team's id."`
	Expires int64    `help:"How many credits will expire by it, as --preview says: exactly so many are given up."`
	Preview bool     `help:"Show what it would do, and do nothing."`
	Act     actFlags `embed:"" json:"-"`
}

// Run closes it for good, or shows what would become of its credits.
func (c *teamCloseCommand) Run(ctx context.Context, p *program) error {
	if c.Preview {
		return c.Act.By.look(ctx, p, "closing the team", func(ctx context.Context, a *acting) (any, error) {
			closing, err := teams.PreviewClose(ctx, a.tx, a.catalog, c.ID, a.by, a.at)
			if err != nil {
				return nil, err
			}
			return api.ShowClosing(closing), nil
		})
	}
	return c.Act.act(ctx, p, deed{doing: "closing the team", command: c, team: c.ID, do: func(ctx context.Context, a *acting) (any, bool, error) {
		closing, err := teams.Close(ctx, a.tx, a.catalog, teams.CloseIn{TeamID: c.ID, By: a.by, Expires: c.Expires}, a.at)
		if err != nil {
			return nil, false, err
		}
		return api.ShowClosing(closing), false, nil
	}})
}

// suspendFlags name whom an operator suspends or resumes (T16). Again changes nothing, so
// there is no key.
type suspendFlags struct {
	ID       string        `arg:"" help:"The id in your product."`
	Show     showFlags     `embed:""`
	Database databaseFlags `embed:""`
}

// teamSuspendCommand stops all spending of a team.
type teamSuspendCommand struct {
	Suspend suspendFlags `embed:""`
}

// teamResumeCommand lets a team go on.
type teamResumeCommand struct {
	Suspend suspendFlags `embed:""`
}

// userSuspendCommand stops all spending of a user.
type userSuspendCommand struct {
	Suspend suspendFlags `embed:""`
}

// userResumeCommand lets a user go on.
type userResumeCommand struct {
	Suspend suspendFlags `embed:""`
}

// Run suspends the team.
func (c *teamSuspendCommand) Run(ctx context.Context, p *program) error {
	return c.Suspend.team(ctx, p, true)
}

// Run resumes the team.
func (c *teamResumeCommand) Run(ctx context.Context, p *program) error {
	return c.Suspend.team(ctx, p, false)
}

// Run suspends the user.
func (c *userSuspendCommand) Run(ctx context.Context, p *program) error {
	return c.Suspend.user(ctx, p, true)
}

// Run resumes the user.
func (c *userResumeCommand) Run(ctx context.Context, p *program) error {
	return c.Suspend.user(ctx, p, false)
}

func (f suspendFlags) team(ctx context.Context, p *program, suspended bool) error {
	return f.run(ctx, p, func(ctx context.Context, tx pgx.Tx, at time.Time) (any, error) {
		if err := teams.SuspendTeam(ctx, tx, f.ID, suspended, at); err != nil {
			return nil, err
		}
		return teams.GetTeam(ctx, tx, f.ID)
	})
}

func (f suspendFlags) user(ctx context.Context, p *program, suspended bool) error {
	return f.run(ctx, p, func(ctx context.Context, tx pgx.Tx, at time.Time) (any, error) {
		if err := teams.SuspendUser(ctx, tx, f.ID, suspended, at); err != nil {
			return nil, err
		}
		return teams.GetUser(ctx, tx, f.ID)
	})
}

func (f suspendFlags) run(ctx context.Context, p *program, do func(context.Context, pgx.Tx, time.Time) (any, error)) error {
	return f.Database.use(ctx, p, func(db *pgxpool.Pool) error {
		var view any
		err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) (err error) {
			view, err = do(ctx, tx, p.now())
			return err
		})
		if err != nil {
			return err
		}
		return printShown(p, f.Show.JSON, view)
	})
}
