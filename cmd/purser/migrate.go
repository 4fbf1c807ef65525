package main

import (
	"context"
	"fmt"

	"purser/migrations"
)

// migrateCommand brings the database to this binary's version.
type migrateCommand struct {
	Check    bool          `help:"Change nothing; exit 1 if there is something to do."`
	Citus    bool          `help:"Then distribute the new database's ledger over a Citus cluster by book, to try its schema there: see docs/scaling.md."`
	Database databaseFlags `embed:""`
}

// Run migrates. Any number of processes may do so at once.
func (c *migrateCommand) Run(ctx context.Context, p *program) error {
	if c.Check && c.Citus {
		return usage("--check changes nothing and --citus does: name one of them")
	}
	db, err := c.Database.open(ctx, p.logger())
	if err != nil {
		return err
	}
	defer db.Close()
	if err := c.migrate(ctx, p, db); err != nil || !c.Citus {
		return err
	}
	done, err := migrations.Distribute(ctx, db.Pool)
	if err != nil {
		return err
	}
	text := "the ledger was distributed before\n"
	if done {
		text = fmt.Sprintf("distributed %s by book\n", count(len(migrations.ByBook()), "table", "tables"))
	}
	_, err = fmt.Fprint(p.out, text)
	return err
}

func (c *migrateCommand) migrate(ctx context.Context, p *program, db *database) error {
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
