package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/teams"
)

// attemptsMax is how often a write is begun anew that lost against another one.
const attemptsMax = 4

// writer is an operation that changes something, in the transaction that also remembers
// its answer.
type writer[I, T any] func(ctx context.Context, tx pgx.Tx, c *call, in *I) (T, error)

// place finds the book that a request names, in which its key is unique. 0 is that of
// requests that name none; noBook of those whose book isn't there yet.
type place[I any] func(ctx context.Context, db billing.DB, in *I) (int64, error)

const noBook = -1

// nowhere is the place of requests that name no team and no user.
func nowhere[I any](context.Context, billing.DB, *I) (int64, error) { return 0, nil }

func teamBook(ctx context.Context, db billing.DB, id string) (int64, error) {
	team, err := teams.GetTeam(ctx, db, id)
	if errors.Is(err, teams.ErrTeamUnknown) {
		return noBook, nil
	}
	return team.BookID, err
}

func userBook(ctx context.Context, db billing.DB, id string) (int64, error) {
	user, err := teams.GetUser(ctx, db, id)
	if errors.Is(err, teams.ErrUserUnknown) {
		return noBook, nil
	}
	return user.BookID, err
}

// write registers an operation that changes something and isn't a spend.
func write[I, T any](s *Server, sp spec, at place[I], do writer[I, T]) {
	sp.refusals = append(slices.Clone(sp.refusals), 409)
	op := sp.operation()
	huma.Register(s.huma, op, func(ctx context.Context, in *I) (*written[T], error) {
		c := callOf(ctx)
		o := &once{
			Server: s, c: c, sp: &sp,
			place: func(ctx context.Context, db billing.DB) (int64, error) { return at(ctx, db, in) },
			do: func(ctx context.Context, tx pgx.Tx) ([]byte, error) {
				v, err := do(ctx, tx, c, in)
				if err != nil {
					return nil, err
				}
				return encode(v)
			},
		}
		raw, replayed, err := o.run(ctx)
		if err != nil {
			return nil, fail(c, err)
		}
		if c.after != nil {
			c.after()
		}
		return wrote[T](sp.status, raw, replayed), nil
	})
}

func wrote[T any](status int, raw []byte, replayed bool) *written[T] {
	out := &written[T]{Status: status, Body: document[T]{raw}}
	if replayed {
		out.Replayed = "true"
	}
	return out
}

// once is one write that is done once, however often it is asked for.
type once struct {
	*Server
	c     *call
	sp    *spec
	place func(context.Context, billing.DB) (int64, error)
	do    func(context.Context, pgx.Tx) ([]byte, error)
}

// run gives the answer: the first one if the key was used before.
func (o *once) run(ctx context.Context) (raw []byte, replayed bool, err error) {
	for range attemptsMax {
		raw, reused := o.first(ctx)
		if raw != nil {
			return raw, true, nil
		}
		if reused != nil && !isRefusal(reused) {
			return nil, false, reused
		}
		raw, err = o.attempt(ctx, reused)
		if err == nil {
			return raw, false, nil
		}
		if tryAgain(err) {
			continue
		}
		// It may be refused because the same request was first by a moment.
		if isRefusal(err) && reused == nil {
			if raw, _ := o.first(ctx); raw != nil {
				return raw, true, nil
			}
		}
		return nil, false, err
	}
	p := problem("busy", "")
	p.cause = err
	return nil, false, p
}

// first gives the remembered answer to the key, nil if it is new, and the refusal if it
// was another request's.
func (o *once) first(ctx context.Context) ([]byte, error) {
	book, err := o.place(ctx, o.cfg.Pool)
	if err != nil || book == noBook {
		return nil, err
	}
	stored, err := teams.AnsweredRequest(ctx, o.cfg.Pool, o.key(book), o.c.at)
	if stored == nil || err != nil {
		return nil, err
	}
	var a remembered
	if err := json.Unmarshal(stored, &a); err != nil {
		return nil, fmt.Errorf("reading the first answer: %w", err)
	}
	return a.open(o.c)
}

func (o *once) key(book int64) teams.RequestKey {
	return teams.RequestKey{Book: book, Key: o.c.key, Hash: o.c.hash}
}

// errOnlyTried ends an attempt that was only to learn of a refusal.
var errOnlyTried = errors.New("only tried")

// attempt does it. With a key that was another request's it does nothing but find out
// whether something is refused that comes before that (S4).
func (o *once) attempt(ctx context.Context, reused error) (raw []byte, err error) {
	err = pgx.BeginFunc(ctx, o.cfg.Pool, func(tx pgx.Tx) (err error) {
		if raw, err = o.do(ctx, tx); err != nil {
			return err
		}
		if reused != nil {
			return errOnlyTried
		}
		return o.remember(ctx, tx, raw)
	})
	if reused == nil || !errors.Is(err, errOnlyTried) && before(err) {
		return raw, err
	}
	return nil, reused
}

func (o *once) remember(ctx context.Context, tx pgx.Tx, raw []byte) error {
	book, err := o.place(ctx, tx)
	if err != nil {
		return err
	}
	if book == noBook {
		return errors.New("a write whose book doesn't exist")
	}
	a, err := closed(o.c, o.sp, raw)
	if err != nil {
		return err
	}
	stored, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	return teams.RememberRequest(ctx, tx, o.key(book), stored, o.c.at)
}

func isRefusal(err error) bool { return problemOf(err).Status < 500 }

// before tells whether a refusal comes before that of a reused key.
func before(err error) bool {
	status := problemOf(err).Status
	return status == 404 || status == 403 || status >= 500
}
