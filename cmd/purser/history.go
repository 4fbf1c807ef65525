package main

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/api"
	"purser/ledger"
)

// historyCommand lists what happened to credits.
type historyCommand struct {
	Team      string             `arg:"" optional:"" help:"The team's id."`
	User      string             `placeholder:"ID" help:"A user's personal account instead."`
	Member    string             `placeholder:"USER" help:"Only what concerns this member."`
	Kinds     []ledger.EntryKind `name:"kind" placeholder:"KINDS" help:"Only these kinds, such as spend,transfer."`
	Reference string             `help:"Only entries with exactly this reference."`
	From      *time.Time         `placeholder:"TIME" help:"Only entries that count from this instant on."`
	To        *time.Time         `placeholder:"TIME" help:"Only entries that count before this instant."`
	CSV       bool               `name:"csv" help:"Print all that match as CSV."`
	List      listFlags          `embed:""`
	Database  databaseFlags      `embed:""`
}

// Run lists, the newest first.
func (c *historyCommand) Run(ctx context.Context, p *program) error {
	account := accountFlags{Team: c.Team, User: c.User}
	if account.check() != nil {
		return usage("name a team, or a user with --user: purser history TEAM")
	}
	if err := c.List.check(); err != nil {
		return err
	}
	f := ledger.HistoryFilter{Holder: c.Member, Kinds: c.Kinds, Reference: c.Reference, From: c.From, To: c.To, Limit: c.List.Limit + 1}
	if c.List.After != "" {
		ref, ok := api.ParseEntry(c.List.After)
		if !ok {
			return usage("--after must be an entry's id, as the list shows it")
		}
		f.Before = ref.Sequence
	}
	return c.Database.use(ctx, p, func(db *pgxpool.Pool) (err error) {
		if f.Book, err = account.book(ctx, db); err != nil {
			return err
		}
		if c.CSV {
			return c.file(ctx, p, db, f)
		}
		rows, err := entries(ctx, db, f)
		if err != nil {
			return err
		}
		fields := []string{"id", "at", "kind", "credits", "user_id", "actor", "memo", "reference"}
		return paged(rows, c.List.Limit, func(e api.Entry) string { return e.ID }).
			print(p, c.List.JSON, heads(fields), func(e api.Entry) []string { return cells(e, fields) })
	})
}

// fileChunk is how many entries of a file are read at once.
const fileChunk = 500

// file writes all that matches. No transaction is open while the reader is waited for.
func (c *historyCommand) file(ctx context.Context, p *program, db *pgxpool.Pool, f ledger.HistoryFilter) error {
	f.Limit = fileChunk
	for head := true; ; head = false {
		rows, err := entries(ctx, db, f)
		if err != nil {
			return err
		}
		if err := api.WriteCSV(p.out, head, rows); err != nil {
			return err
		}
		if len(rows) < f.Limit {
			return nil
		}
		ref, _ := api.ParseEntry(rows[len(rows)-1].ID)
		f.Before = ref.Sequence
	}
}

func entries(ctx context.Context, db *pgxpool.Pool, f ledger.HistoryFilter) (list []api.Entry, err error) {
	err = readOnly(ctx, db, func(tx pgx.Tx) error {
		rows, err := ledger.FilterHistory(ctx, tx, f)
		list = api.ShowEntries(f.Book, rows)
		return err
	})
	return list, err
}
