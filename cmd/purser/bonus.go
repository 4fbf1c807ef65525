package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
	"purser/ledger"
	"purser/teams"
)

// bonusFlags say whose credits are meant and why (L11).
type bonusFlags struct {
	Account accountFlags `embed:""`
	Member  string       `placeholder:"USER" help:"With --team: the allocation of this member instead of the pool."`
	Key     string       `required:"" help:"An idempotency key: the same request again with the same key gives the first answer."`
	Memo    string       `required:"" help:"Why."`
	By      string       `default:"operator" placeholder:"NAME" help:"Who asks."`

	Show     showFlags     `embed:""`
	Catalog  catalogFlags  `embed:""`
	Database databaseFlags `embed:""`
}

// bonusGrantCommand grants bonus credits.
type bonusGrantCommand struct {
	Credits int64      `arg:"" help:"How many credits."`
	Expires *time.Time `placeholder:"TIME" help:"When they end, as 2026-12-31T00:00:00Z. Default: never."`
	Bonus   bonusFlags `embed:""`
}

// Run grants.
func (c *bonusGrantCommand) Run(ctx context.Context, p *program) error {
	in := billing.BonusIn{Credits: c.Credits}
	if c.Expires != nil {
		at := c.Expires.UTC()
		in.ExpiresAt = &at
	}
	return c.Bonus.run(ctx, p, "granting a bonus", in, billing.GrantBonus)
}

// bonusTakeCommand takes bonus credits back.
type bonusTakeCommand struct {
	Credits int64      `arg:"" help:"How many credits."`
	Grant   string     `placeholder:"KEY" help:"Take them from the grant with this key, wherever in the team they lie. Default: from any bonus in the account."`
	Bonus   bonusFlags `embed:""`
}

// Run takes back.
func (c *bonusTakeCommand) Run(ctx context.Context, p *program) error {
	return c.Bonus.run(ctx, p, "taking a bonus back", billing.BonusIn{Credits: c.Credits, Grant: c.Grant}, billing.TakeBonus)
}

// change is one of billing's two.
type change func(context.Context, pgx.Tx, *billing.Catalog, billing.BonusIn, time.Time) (*ledger.Entry, error)

func (f bonusFlags) run(ctx context.Context, p *program, doing string, in billing.BonusIn, do change) error {
	if err := f.Account.check(); err != nil {
		return err
	}
	if f.Member != "" && f.Account.Team == "" {
		return usage("--member goes with --team")
	}
	catalog, err := f.Catalog.load()
	if err != nil {
		return err
	}
	in.Holder, in.Key, in.Actor, in.Memo = f.Member, f.Key, f.By, f.Memo
	return f.Database.use(ctx, p, func(db *pgxpool.Pool) error {
		var entry *ledger.Entry
		at := p.now()
		err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			if in.Book, err = f.book(ctx, tx); err != nil {
				return err
			}
			entry, err = do(ctx, tx, catalog, in, at)
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", doing, err)
		}
		return printThing(p, f.Show.JSON, viewEntry(entry), [][]string{
			{"entry", fmt.Sprintf("%d of book %d", entry.Sequence, entry.Book)}, {"kind", string(entry.Kind)},
			{"credits", thousands(entry.Credits)}, {"at", stamp(entry.At)}, {"memo", entry.Memo}, {"again", again(entry.Replayed)},
		})
	})
}

// book finds the book. Of an allocation it locks it first, since a member who leaves
// meanwhile has none.
func (f bonusFlags) book(ctx context.Context, tx pgx.Tx) (int64, error) {
	book, err := f.Account.book(ctx, tx)
	if err != nil || f.Member == "" {
		return book, err
	}
	if err := ledger.Lock(ctx, tx, book); err != nil {
		return 0, err
	}
	_, err = teams.GetMember(ctx, tx, f.Account.Team, f.Member)
	return book, err
}

func again(replayed bool) string {
	if replayed {
		return "yes: this key had been used for the same request, and nothing was posted now"
	}
	return ""
}

// entryView is an entry as it is shown.
type entryView struct {
	Book     int64     `json:"book"`
	Sequence int64     `json:"sequence"`
	Kind     string    `json:"kind"`
	Credits  int64     `json:"credits"`
	At       time.Time `json:"at"`
	Memo     string    `json:"memo"`
	Replayed bool      `json:"replayed"`
}

func viewEntry(e *ledger.Entry) entryView {
	return entryView{e.Book, e.Sequence, string(e.Kind), e.Credits, e.At.UTC(), e.Memo, e.Replayed}
}
