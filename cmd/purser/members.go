package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/api"
	"purser/billing"
	"purser/teams"
)

// limitText is a limit as it is written on the command line.
type limitText teams.Limit

// UnmarshalText reads it.
func (l *limitText) UnmarshalText(text []byte) (err error) {
	var credits string
	var capped bool
	l.Kind, credits, capped = strings.Cut(string(text), ":")
	if capped {
		l.Credits, err = strconv.ParseInt(credits, 10, 64)
	}
	if err != nil || capped != (l.Kind == teams.LimitPeriod || l.Kind == teams.LimitTotal) || !capped && l.Kind != teams.LimitNone {
		return errors.New("a limit is none, period:N or total:N")
	}
	return nil
}

func (l *limitText) limit() teams.Limit {
	if l == nil {
		return teams.Limit{Kind: teams.LimitNone}
	}
	return teams.Limit(*l)
}

// memberListCommand lists members with their figures.
type memberListCommand struct {
	Team string  `arg:"" help:"The team's id."`
	By   byFlags `embed:""`
}

// Run lists.
func (c *memberListCommand) Run(ctx context.Context, p *program) error {
	fields := []string{"user_id", "role", "access", "limit_state", "allocated", "remaining", "used", "held", "available"}
	return list(ctx, p, c.By, fields, func(ctx context.Context, a *acting) (page[api.Member], error) {
		view, err := teams.View(ctx, a.tx, a.catalog, c.Team, a.by, a.at)
		if err != nil {
			return page[api.Member]{}, err
		}
		return page[api.Member]{Items: mapped(view.Members, api.ShowMember)}, nil
	})
}

// memberShowCommand answers which features and which credits a member has.
type memberShowCommand struct {
	Team string  `arg:"" help:"The team's id."`
	User string  `arg:"" help:"The member."`
	By   byFlags `embed:""`
}

// Run shows.
func (c *memberShowCommand) Run(ctx context.Context, p *program) error {
	return c.By.look(ctx, p, "asking for the member", func(ctx context.Context, a *acting) (any, error) {
		answer, err := teams.Ask(ctx, a.tx, a.catalog, c.Team, c.User, a.by, a.at)
		if err != nil {
			return nil, err
		}
		return api.ShowAccess(answer), nil
	})
}

// memberExplainCommand says why a member has what a member has (N2).
type memberExplainCommand struct {
	Team string  `arg:"" help:"The team's id."`
	User string  `arg:"" help:"The member."`
	By   byFlags `embed:""`
}

// memberExplained is the explanation as it is shown.
type memberExplained struct {
	UserID    string             `json:"user_id"`
	Why       billing.Sayings    `json:"why"`
	Next      []billing.Forecast `json:"next"`
	Available int64              `json:"available"`
}

// Run explains.
func (c *memberExplainCommand) Run(ctx context.Context, p *program) error {
	return c.By.look(ctx, p, "explaining the member", func(ctx context.Context, a *acting) (any, error) {
		e, err := teams.ExplainMember(ctx, a.tx, a.catalog, c.Team, c.User, a.by, a.at)
		if err != nil {
			return nil, err
		}
		return memberExplained{UserID: c.User, Why: e.Why, Next: e.Next, Available: e.Access.Available}, nil
	})
}

// memberSetCommand changes members, all or nothing.
type memberSetCommand struct {
	Team   string     `arg:"" help:"The team's id."`
	Users  []string   `arg:"" help:"The members. All of them are changed, or none."`
	Role   string     `enum:",admin,member" default:"" placeholder:"ROLE" help:"admin or member. Left out, it stays as it is."`
	Access string     `enum:",seat,credits,personal" default:"" placeholder:"TYPE" help:"seat, credits or personal. Left out, it stays as it is."`
	Limit  *limitText `placeholder:"LIMIT" help:"What the member may draw from the pool: none, or period:N or total:N for a cap of N credits in each period or in all. Left out, it stays as it is."`
	Act    actFlags   `embed:"" json:"-"`
}

// Run changes.
func (c *memberSetCommand) Run(ctx context.Context, p *program) error {
	if c.Role == "" && c.Access == "" && c.Limit == nil {
		return usage("say what to change: --role, --access or --limit")
	}
	change := teams.Change{}
	if c.Role != "" {
		role := teams.Role(c.Role)
		change.Role = &role
	}
	if c.Access != "" {
		access := teams.Access(c.Access)
		change.Access = &access
	}
	if c.Limit != nil {
		limit := c.Limit.limit()
		change.Limit = &limit
	}
	return c.Act.changeMembers(ctx, p, "changing members", c, c.Team, c.Users, change)
}

// memberRemoveCommand takes members out of a team.
type memberRemoveCommand struct {
	Team  string   `arg:"" help:"The team's id."`
	Users []string `arg:"" help:"The members. What is unspent of their allocations returns to the pool."`
	Act   actFlags `embed:"" json:"-"`
}

// Run removes.
func (c *memberRemoveCommand) Run(ctx context.Context, p *program) error {
	return c.Act.changeMembers(ctx, p, "removing members", c, c.Team, c.Users, teams.Change{Remove: true})
}

func (f actFlags) changeMembers(ctx context.Context, p *program, doing string, command any, team string, users []string, change teams.Change) error {
	return f.act(ctx, p, deed{doing: doing, command: command, team: team, do: func(ctx context.Context, a *acting) (any, bool, error) {
		rows := make([]teams.Change, len(users))
		for i, user := range users {
			rows[i] = change
			rows[i].UserID = user
		}
		results, ok, err := teams.ChangeMembers(ctx, a.tx, a.catalog, team, rows, a.by, a.at)
		if err != nil {
			return nil, false, err
		}
		if !ok {
			return nil, false, rowsRefused(results)
		}
		return api.ShowChanged(results), false, nil
	}})
}

// rowsRefused names each row that is refused.
func rowsRefused(results []teams.ChangeResult) error {
	var all []error
	for _, r := range results {
		if r.Err != nil {
			all = append(all, fmt.Errorf("%s: %w", r.UserID, r.Err))
		}
	}
	return fmt.Errorf("%d of %d rows are refused, so none is changed: %w", len(all), len(results), errors.Join(all...))
}

// switchFlags name a member whose way of paying changes.
type switchFlags struct {
	Team string   `arg:"" help:"The team's id."`
	User string   `arg:"" help:"The member."`
	Act  actFlags `embed:"" json:"-"`
}

// memberGoPersonalCommand lets a member pay personally.
type memberGoPersonalCommand struct {
	Switch switchFlags `embed:""`
}

// Run switches.
func (c *memberGoPersonalCommand) Run(ctx context.Context, p *program) error {
	return c.Switch.run(ctx, p, c, teams.GoPersonal)
}

// memberGoBackCommand lets a member return to the team's credits.
type memberGoBackCommand struct {
	Switch switchFlags `embed:""`
}

// Run switches.
func (c *memberGoBackCommand) Run(ctx context.Context, p *program) error {
	return c.Switch.run(ctx, p, c, teams.GoBack)
}

func (f switchFlags) run(ctx context.Context, p *program, command any,
	do func(context.Context, pgx.Tx, *billing.Catalog, string, string, teams.Actor, time.Time) (teams.Member, error),
) error {
	return f.Act.act(ctx, p, deed{doing: "switching the access", command: command, team: f.Team, do: func(ctx context.Context, a *acting) (any, bool, error) {
		m, err := do(ctx, a.tx, a.catalog, f.Team, f.User, a.by, a.at)
		return api.ShowSettings(m), false, err
	}})
}
