package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
)

// poolExplainCommand says why a pool is what it is and what comes next (N2).
type poolExplainCommand struct {
	Team     string        `arg:"" optional:"" help:"The team's id."`
	User     string        `placeholder:"ID" help:"A user's personal account instead."`
	At       time.Time     `placeholder:"TIME" help:"As seen from this instant. Default: now."`
	Show     showFlags     `embed:""`
	Catalog  catalogFlags  `embed:""`
	Database databaseFlags `embed:""`
}

// Run explains.
func (c *poolExplainCommand) Run(ctx context.Context, p *program) error {
	account := accountFlags{Team: c.Team, User: c.User}
	if err := account.check(); err != nil {
		return usage("name a team, or a user with --user: purser pool explain TEAM")
	}
	catalog, err := c.Catalog.load()
	if err != nil {
		return err
	}
	at := c.At
	if at.IsZero() {
		at = p.now()
	}
	return c.Database.use(ctx, p, func(db *pgxpool.Pool) error {
		var e *billing.Explanation
		err := readOnly(ctx, db, func(tx pgx.Tx) error {
			owner, err := account.find(ctx, tx)
			if err != nil {
				return err
			}
			e, err = billing.Explain(ctx, tx, catalog, owner.book, at.UTC())
			return err
		})
		if err != nil {
			return err
		}
		if c.Show.JSON {
			return printJSON(p.out, e)
		}
		for _, sentence := range e.Sentences {
			_, _ = fmt.Fprintln(p.out, sentence)
		}
		return nil
	})
}
