package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
	"purser/teams"
)

// byFlags say who asks. An operator may do everything; a user what that user's role allows.
type byFlags struct {
	As       string        `placeholder:"USER" help:"Act as this user, with that user's role in the team. Default: as the operator, whom no role limits."`
	Show     showFlags     `embed:""`
	Catalog  catalogFlags  `embed:""`
	Database databaseFlags `embed:""`
}

// actFlags are those of commands that change something over the rules of teams.
type actFlags struct {
	By  byFlags `embed:""`
	Who string  `name:"by" default:"operator" placeholder:"NAME" help:"Without --as: who is written into the history."`
	Key string  `help:"An idempotency key: the same command again with the same key gives the first answer. Default: a new one, which is printed."`
}

// acting is one command under way, in its transaction.
type acting struct {
	tx      pgx.Tx
	catalog *billing.Catalog
	by      teams.Actor
	at      time.Time
	key     string
	hash    []byte
}

// deed is what a command does.
type deed struct {
	doing   string // "allocating": how its errors begin
	command any    // with its arguments: what a repeated key is compared by
	team    string // whose book the key is unique in; "": of none
	ledger  bool   // the ledger remembers the answer, with what it posts
	do      func(ctx context.Context, a *acting) (view any, replayed bool, err error)
}

// secretive is an answer that holds a secret, which isn't remembered.
type secretive interface{ withoutSecret() any }

// act does it once, however often the command is repeated with its key.
func (f actFlags) act(ctx context.Context, p *program, d deed) error {
	a, err := f.By.begin(p, f.Who)
	if err != nil {
		return err
	}
	if a.key = f.Key; a.key == "" {
		a.key = newID("key")
	}
	if a.hash, err = hashOf(d.command, a.by); err != nil {
		return err
	}
	return f.By.Database.use(ctx, p, func(db *pgxpool.Pool) error {
		var view any
		var replayed bool
		err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) (err error) {
			a.tx = tx
			view, replayed, err = d.once(ctx, a)
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", d.doing, err)
		}
		return printDone(p, f.By.Show.JSON, view, a.key, replayed)
	})
}

func (d deed) once(ctx context.Context, a *acting) (any, bool, error) {
	if d.ledger {
		return d.do(ctx, a)
	}
	k := teams.RequestKey{Key: a.key, Hash: a.hash}
	if d.team != "" {
		team, err := teams.GetTeam(ctx, a.tx, d.team)
		if err != nil {
			return nil, false, err
		}
		k.Book = team.BookID
	}
	first, err := teams.AnsweredRequest(ctx, a.tx, k, a.at)
	if first != nil {
		return first, true, err
	}
	if err != nil {
		return nil, false, d.before(ctx, a, err)
	}
	view, replayed, err := d.do(ctx, a)
	if err != nil {
		return nil, false, err
	}
	kept := view
	if s, ok := view.(secretive); ok {
		kept = s.withoutSecret()
	}
	raw, err := json.Marshal(kept)
	if err != nil {
		return nil, false, fmt.Errorf("writing the answer: %w", err)
	}
	return view, replayed, teams.RememberRequest(ctx, a.tx, k, raw, a.at)
}

// before gives what is refused before a key that was used for another request: who may ask
// comes first (S4). Either way the transaction is taken back.
func (d deed) before(ctx context.Context, a *acting, reused error) error {
	var refusal *teams.Refusal
	if !errors.As(reused, &refusal) {
		return reused
	}
	_, _, err := d.do(ctx, a)
	if errors.As(err, &refusal) && (refusal.Class == teams.NotFound || refusal.Class == teams.Suspended || refusal.Class == teams.Forbidden) {
		return err
	}
	return reused
}

// hashOf is what a repeated key is compared by: the command, its arguments and who acts.
func hashOf(command any, by teams.Actor) ([]byte, error) {
	raw, err := json.Marshal(command)
	if err != nil {
		return nil, fmt.Errorf("reading the command: %w", err)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%T %s %q", command, raw, by.User))
	return sum[:], nil
}

func (f byFlags) begin(p *program, who string) (*acting, error) {
	catalog, err := f.Catalog.load()
	if err != nil {
		return nil, err
	}
	return &acting{catalog: catalog, by: teams.Actor{User: f.As, As: who}, at: p.now()}, nil
}

// errOnlyLooked takes a transaction back that was only for looking.
var errOnlyLooked = errors.New("only looked")

// look shows something. What do decides is taken back.
func (f byFlags) look(ctx context.Context, p *program, doing string, do func(ctx context.Context, a *acting) (any, error)) error {
	a, err := f.begin(p, "")
	if err != nil {
		return err
	}
	return f.Database.use(ctx, p, func(db *pgxpool.Pool) error {
		var view any
		err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) (err error) {
			a.tx = tx
			if view, err = do(ctx, a); err != nil {
				return err
			}
			return errOnlyLooked
		})
		if !errors.Is(err, errOnlyLooked) {
			return fmt.Errorf("%s: %w", doing, err)
		}
		return printShown(p, f.Show.JSON, view)
	})
}

// list shows rows as a table of some fields.
func list[T any](ctx context.Context, p *program, f byFlags, fields []string, read func(ctx context.Context, a *acting) (page[T], error)) error {
	a, err := f.begin(p, "")
	if err != nil {
		return err
	}
	return f.Database.use(ctx, p, func(db *pgxpool.Pool) error {
		var rows page[T]
		err := readOnly(ctx, db, func(tx pgx.Tx) (err error) {
			a.tx = tx
			rows, err = read(ctx, a)
			return err
		})
		if err != nil {
			return err
		}
		return rows.print(p, f.Show.JSON, heads(fields), func(row T) []string { return cells(row, fields) })
	})
}
