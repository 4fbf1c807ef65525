package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
	"purser/teams"
)

// poolShowCommand shows a pool or a personal account (B12).
type poolShowCommand struct {
	Pool     poolFlags     `embed:""`
	At       time.Time     `placeholder:"TIME" help:"As it will stand at this instant if nothing else happens. Default: now."`
	Show     showFlags     `embed:""`
	Catalog  catalogFlags  `embed:""`
	Database databaseFlags `embed:""`
}

// Run shows.
func (c *poolShowCommand) Run(ctx context.Context, p *program) error {
	catalog, err := c.Catalog.load()
	if err != nil {
		return err
	}
	view := poolView{TeamID: c.Pool.Team, UserID: c.Pool.User}
	err = c.Pool.read(ctx, p, c.Database, "show", func(tx pgx.Tx, book int64) (err error) {
		view.Pool, err = billing.ReadPool(ctx, tx, catalog, book, atOr(c.At, p))
		return err
	})
	if err != nil {
		return err
	}
	if c.Show.JSON {
		return printJSON(p.out, view)
	}
	return view.print(p)
}

// poolFlags name a team's pool or a user's personal account.
type poolFlags struct {
	Team string `arg:"" optional:"" help:"The team's id."`
	User string `placeholder:"ID" help:"A user's personal account instead."`
}

// read finds the book of the pool and looks at it in a transaction that only reads.
func (f poolFlags) read(ctx context.Context, p *program, database databaseFlags, verb string, look func(tx pgx.Tx, book int64) error) error {
	account := accountFlags(f)
	if err := account.check(); err != nil {
		return usage("name a team, or a user with --user: purser pool %s TEAM", verb)
	}
	return database.use(ctx, p, func(db *pgxpool.Pool) error {
		return readOnly(ctx, db, func(tx pgx.Tx) error {
			book, err := account.book(ctx, tx)
			if err != nil {
				return err
			}
			return look(tx, book)
		})
	})
}

// book is the book of the team or the user that the flags name.
func (f accountFlags) book(ctx context.Context, db billing.DB) (int64, error) {
	if f.Team != "" {
		team, err := teams.GetTeam(ctx, db, f.Team)
		return team.BookID, err
	}
	user, err := teams.GetUser(ctx, db, f.User)
	return user.BookID, err
}

// atOr is the instant asked for, or now.
func atOr(asked time.Time, p *program) time.Time {
	if asked.IsZero() {
		return p.now()
	}
	return asked.UTC()
}

// poolView is a pool with whose it is.
type poolView struct {
	TeamID string `json:"team_id,omitempty"`
	UserID string `json:"user_id,omitempty"`
	billing.Pool
}

func (v poolView) print(p *program) error {
	whose := "team " + v.TeamID
	if v.TeamID == "" {
		whose = "user " + v.UserID
	}
	plan := "no subscription"
	if v.Plan != "" {
		plan = fmt.Sprintf("plan %s, %s, %s × %s credits a month", v.Plan, v.Status, count(v.Seats, "seat", "seats"), thousands(v.MonthlyPerSeat))
	}
	_, err := fmt.Fprintf(p.out, "%s: %s\nperiod %s to %s, as of %s\n\ntotal %s\n", plain(whose), plain(plan), stamp(v.PeriodStart),
		stamp(v.PeriodEnd), stamp(v.At), thousands(v.Total))
	if err != nil {
		return err
	}
	err = printTable(p.out, nil, [][]string{
		{"  = monthly", thousands(v.Monthly), "  = used", thousands(v.Used)},
		{"  + purchased", thousands(v.Purchased), "  + held", thousands(v.Held)},
		{"  + rollover", thousands(v.Rollover), "  + allocated", thousands(v.Allocated)},
		{"  + bonus", thousands(v.Bonus), "  + frozen", thousands(v.Frozen)},
		{"  + contributed", thousands(v.Contributed), "  + available", thousands(v.Available)},
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.out, "debt %s, upcoming %s\n\n", thousands(v.Debt), thousands(v.Upcoming))
	if err != nil || len(v.Lots) == 0 {
		return err
	}
	rows := make([][]string, len(v.Lots))
	for i, l := range v.Lots {
		frozen := ""
		if l.Frozen {
			frozen = "frozen"
		}
		rows[i] = []string{
			fmt.Sprint(l.Lot), l.Source, thousands(l.Granted), thousands(l.Remaining), thousands(l.Held), stamp(l.EffectiveAt),
			stampOr(l.ExpiresAt, "never"), l.Origin, frozen,
		}
	}
	return printTable(p.out, []string{"LOT", "SOURCE", "GRANTED", "REMAINING", "HELD", "FROM", "ENDS", "ORIGIN"}, rows)
}
