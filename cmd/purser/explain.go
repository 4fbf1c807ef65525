package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
)

// poolExplainCommand says why a pool is what it is and what comes next (N2).
type poolExplainCommand struct {
	Pool     poolFlags     `embed:""`
	At       time.Time     `placeholder:"TIME" help:"As seen from this instant. Default: now."`
	Show     showFlags     `embed:""`
	Catalog  catalogFlags  `embed:""`
	Database databaseFlags `embed:""`
}

// Run explains.
func (c *poolExplainCommand) Run(ctx context.Context, p *program) error {
	catalog, err := c.Catalog.load()
	if err != nil {
		return err
	}
	var e *billing.Explanation
	err = c.Pool.read(ctx, p, c.Database, "explain", func(tx pgx.Tx, book int64) (err error) {
		e, err = billing.Explain(ctx, tx, catalog, book, atOr(c.At, p))
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
}
