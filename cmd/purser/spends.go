package main

import (
	"context"
	"time"

	"purser/api"
	"purser/ledger"
	"purser/teams"
)

// spendCommand spends a member's credits.
type spendCommand struct {
	Team      string   `arg:"" help:"The team's id."`
	User      string   `arg:"" help:"The member."`
	Credits   int64    `arg:"" help:"How many credits."`
	Reference string   `help:"Yours; entries can be found by it."`
	Memo      string   `help:"What for."`
	Act       actFlags `embed:"" json:"-"`
}

// Run spends.
func (c *spendCommand) Run(ctx context.Context, p *program) error {
	in := teams.SpendIn{Op: teams.OpSpend, TeamID: c.Team, UserID: c.User, Credits: c.Credits, Reference: c.Reference, Memo: c.Memo}
	return c.Act.spend(ctx, p, "spending", c, "", in)
}

// reverseCommand gives a spend back.
type reverseCommand struct {
	Team    string   `arg:"" help:"The team's id."`
	Spend   string   `arg:"" help:"The spend or capture: ent_…"`
	Credits *int64   `arg:"" optional:"" help:"How many credits. Default: all that wasn't reversed yet."`
	Memo    string   `help:"Why."`
	Act     actFlags `embed:"" json:"-"`
}

// Run reverses.
func (c *reverseCommand) Run(ctx context.Context, p *program) error {
	return c.Act.settle(ctx, p, "reversing", c, c.Spend, c.Credits, teams.SpendIn{Op: teams.OpReverse, TeamID: c.Team, Memo: c.Memo})
}

// holdMakeCommand holds a member's credits for a while.
type holdMakeCommand struct {
	Team      string        `arg:"" help:"The team's id."`
	User      string        `arg:"" help:"The member."`
	Credits   int64         `arg:"" help:"How many credits."`
	For       time.Duration `default:"15m" help:"After which time the hold ends by itself; at most 24h."`
	Reference string        `help:"Yours; entries can be found by it."`
	Memo      string        `help:"What for."`
	Act       actFlags      `embed:"" json:"-"`
}

// Run holds.
func (c *holdMakeCommand) Run(ctx context.Context, p *program) error {
	in := teams.SpendIn{
		Op: teams.OpHold, TeamID: c.Team, UserID: c.User, Credits: c.Credits, TTL: c.For, Reference: c.Reference, Memo: c.Memo,
	}
	return c.Act.spend(ctx, p, "holding", c, "", in)
}

// holdCaptureCommand uses a hold.
type holdCaptureCommand struct {
	Team    string   `arg:"" help:"The team's id."`
	Hold    string   `arg:"" help:"The hold: hold_…"`
	Credits *int64   `arg:"" optional:"" help:"How many credits; the rest is released. Default: all that is held."`
	Memo    string   `help:"What for."`
	Act     actFlags `embed:"" json:"-"`
}

// Run captures.
func (c *holdCaptureCommand) Run(ctx context.Context, p *program) error {
	return c.Act.settle(ctx, p, "capturing", c, c.Hold, c.Credits, teams.SpendIn{Op: teams.OpCapture, TeamID: c.Team, Memo: c.Memo})
}

// holdReleaseCommand gives a hold back.
type holdReleaseCommand struct {
	Team string   `arg:"" help:"The team's id."`
	Hold string   `arg:"" help:"The hold: hold_…"`
	Act  actFlags `embed:"" json:"-"`
}

// Run releases.
func (c *holdReleaseCommand) Run(ctx context.Context, p *program) error {
	return c.Act.settle(ctx, p, "releasing", c, c.Hold, nil, teams.SpendIn{Op: teams.OpRelease, TeamID: c.Team})
}

// holdListCommand lists open holds.
type holdListCommand struct {
	Team   string  `arg:"" help:"The team's id."`
	Member string  `placeholder:"USER" help:"Only this member's."`
	Limit  int     `default:"50" help:"How many to show, 1 to 500."`
	By     byFlags `embed:""`
}

// Run lists those on the team's credits, the first to end first.
func (c *holdListCommand) Run(ctx context.Context, p *program) error {
	if err := (listFlags{Limit: c.Limit}).check(); err != nil {
		return err
	}
	fields := []string{"id", "user_id", "credits", "at", "expires_at", "memo", "reference"}
	return list(ctx, p, c.By, fields, func(ctx context.Context, a *acting) (page[api.HoldState], error) {
		rows, err := teams.ListHolds(ctx, a.tx, teams.Spender{TeamID: c.Team}, a.by, ledger.OpenHoldsFilter{Holder: c.Member, At: a.at, Limit: c.Limit})
		return page[api.HoldState]{Items: mapped(rows, api.ShowHold)}, err
	})
}

// settle captures, releases or reverses what an id names; without an amount, the whole.
func (f actFlags) settle(ctx context.Context, p *program, doing string, command any, id string, credits *int64, in teams.SpendIn) error {
	parse := map[bool]func(string) (ledger.EntryRef, bool){true: api.ParseSpend, false: api.ParseHold}[in.Op == teams.OpReverse]
	ref, ok := parse(id)
	if !ok {
		return usage("%q can't be the id of what is to be settled: hold_… or ent_…, as it was answered", plain(id))
	}
	in.Of, in.Whole = ref, credits == nil && in.Op != teams.OpRelease
	if credits != nil {
		in.Credits = *credits
	}
	return f.spend(ctx, p, doing, command, id, in)
}

// spend decides one request. The ledger remembers its answer with the key.
func (f actFlags) spend(ctx context.Context, p *program, doing string, command any, of string, in teams.SpendIn) error {
	return f.act(ctx, p, deed{doing: doing, command: command, team: in.TeamID, ledger: true, do: func(ctx context.Context, a *acting) (any, bool, error) {
		in.By, in.Key, in.Hash = a.by, a.key, a.hash
		out, err := teams.Spend(ctx, a.tx, a.catalog, in, a.at)
		if err != nil {
			return nil, false, err
		}
		return api.ShowSpend(in.Op, of, out), out.Replayed, nil
	}})
}
