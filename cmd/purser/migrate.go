package main

import (
	"context"
	"fmt"

	"purser/migrations"
)

// migrateCommand brings the database to this binary's version.
type migrateCommand struct {
	Check    bool          `help:"Change nothing; exit 1 if there is something to do."`
	Database databaseFlags `embed:""`
}

// Run migrates. Any number of processes may do so at once.
func (c *migrateCommand) Run(ctx context.Context, p *program) error {
	db, err := c.Database.open(ctx, p.logger())
	if err != nil {
		return err
	}
	defer db.Close()
	before, err := migrations.Check(ctx, db.Pool)
	if err != nil {
		return err
	}
	if before.Current() {
		_, err := fmt.Fprintf(p.out, "the database is up to date: version %d\n", before.Applied)
		return err
	}
	if c.Check {
		_, _ = fmt.Fprintf(p.out, "the database is at version %d and this binary needs %d; run: purser migrate\n", before.Applied, before.Latest)
		return errFound
	}
	if err := migrations.Up(ctx, db.Pool); err != nil {
		return err
	}
	after, err := migrations.Check(ctx, db.Pool)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.out, "migrated from version %d to %d\n", before.Applied, after.Applied)
	return err
}
