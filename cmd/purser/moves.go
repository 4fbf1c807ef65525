package main

import (
	"context"

	"purser/api"
	"purser/teams"
)

// moveFlags are those of every move of credits.
type moveFlags struct {
	Reason  string   `help:"Why, in at most 500 characters."`
	Preview bool     `help:"Show what it would do, and do nothing."`
	Act     actFlags `embed:"" json:"-"`
}

// allocateCommand sets credits of the pool aside for a member.
type allocateCommand struct {
	Team    string    `arg:"" help:"The team's id."`
	User    string    `arg:"" help:"The member."`
	Credits int64     `arg:"" help:"How many credits."`
	Move    moveFlags `embed:""`
}

// Run allocates.
func (c *allocateCommand) Run(ctx context.Context, p *program) error {
	return c.Move.run(ctx, p, "allocating", c, c.Team, teams.MoveIn{From: pool(), To: member(c.User), Credits: c.Credits})
}

// reclaimCommand takes a member's unspent allocation back.
type reclaimCommand struct {
	Team    string    `arg:"" help:"The team's id."`
	User    string    `arg:"" help:"The member."`
	Credits *int64    `arg:"" optional:"" help:"How many credits. Default: all that is free."`
	Move    moveFlags `embed:""`
}

// Run reclaims.
func (c *reclaimCommand) Run(ctx context.Context, p *program) error {
	in := teams.MoveIn{From: member(c.User), To: pool(), All: c.Credits == nil}
	if c.Credits != nil {
		in.Credits = *c.Credits
	}
	return c.Move.run(ctx, p, "reclaiming", c, c.Team, in)
}

// transferCommand moves credits between members, or from the pool to one.
type transferCommand struct {
	Team    string    `arg:"" help:"The team's id."`
	Credits int64     `arg:"" help:"How many credits."`
	From    string    `placeholder:"USER" help:"From this member's allocation. Default: from the pool."`
	To      string    `required:"" placeholder:"USER" help:"To this member's allocation."`
	Move    moveFlags `embed:""`
}

// Run transfers.
func (c *transferCommand) Run(ctx context.Context, p *program) error {
	in := teams.MoveIn{From: pool(), To: member(c.To), Credits: c.Credits}
	if c.From != "" {
		in.From = member(c.From)
	}
	return c.Move.run(ctx, p, "transferring", c, c.Team, in)
}

// contributeCommand puts a user's own credits into a team's pool.
type contributeCommand struct {
	Team    string    `arg:"" help:"The team's id."`
	User    string    `arg:"" help:"Whose credits: an admin of the team or its owner."`
	Credits int64     `arg:"" help:"How many credits."`
	Move    moveFlags `embed:""`
}

// Run contributes.
func (c *contributeCommand) Run(ctx context.Context, p *program) error {
	return c.Move.run(ctx, p, "contributing", c, c.Team, teams.MoveIn{
		From: teams.Place{Kind: teams.PlacePersonal, User: c.User}, To: pool(), Credits: c.Credits,
	})
}

func pool() teams.Place { return teams.Place{Kind: teams.PlacePool} }

func member(user string) teams.Place { return teams.Place{Kind: teams.PlaceMember, User: user} }

func (f moveFlags) run(ctx context.Context, p *program, doing string, command any, team string, in teams.MoveIn) error {
	in.TeamID, in.Reason = team, f.Reason
	if f.Preview {
		return f.Act.By.look(ctx, p, doing, func(ctx context.Context, a *acting) (any, error) {
			in.By = a.by
			out, err := teams.Preview(ctx, a.tx, a.catalog, in, a.at)
			if err != nil {
				return nil, err
			}
			return api.ShowMove(team, out), nil
		})
	}
	return f.Act.act(ctx, p, deed{doing: doing, command: command, team: team, do: func(ctx context.Context, a *acting) (any, bool, error) {
		in.By, in.Key, in.Hash = a.by, a.key, a.hash
		out, err := teams.Move(ctx, a.tx, a.catalog, in, a.at)
		if err != nil {
			return nil, false, err
		}
		return api.ShowMove(team, out), out.Replayed, nil
	}})
}
