package api

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
	"purser/internal/gather"
	"purser/teams"
)

const (
	laneCount    = 4
	laneBatchMax = 128
	laneKeyMax   = 20 // of one team's, while other teams spend, too
	laneTimeout  = 10 * time.Second
	laneRetries  = 2000 // a few milliseconds each, while somebody else has the book
)

// lanes serve spends, holds and what settles them: those that come while the commit
// before is under way are decided together, each with its own answer.
type lanes struct {
	pool     *pgxpool.Pool
	catalog  *billing.Catalog
	now      func() time.Time
	stage    func(ctx context.Context, tx pgx.Tx, books []int64) error
	places   teams.Places
	gatherer *gather.Gatherer[teams.SpendIn, *teams.SpendOut] // nil: a transaction each
}

// openLanes gives each lane a connection of its own, so that reads can't keep a batch
// waiting.
func openLanes(ctx context.Context, cfg Config) (*lanes, error) {
	l := &lanes{pool: cfg.Pool, catalog: cfg.Catalog, now: cfg.Now, stage: cfg.StageTopUps}
	if cfg.Alone {
		return l, nil
	}
	own := cfg.Pool.Config()
	own.MaxConns, own.MinConns, own.MinIdleConns = laneCount, 0, 0
	own.AfterConnect = planOnce(own.AfterConnect)
	var err error
	if l.pool, err = pgxpool.NewWithConfig(ctx, own); err != nil {
		return nil, err
	}
	l.gatherer = gather.New(gather.Config{Lanes: laneCount, BatchMax: laneBatchMax, KeyMax: laneKeyMax, QueueMax: cfg.QueueMax, Timeout: laneTimeout, RetryMax: laneRetries}, l.serve)
	return l, nil
}

// planOnce has a lane's connection plan each statement once and follow indexes only: its
// few statements look up single rows of tables that grow for ever, and planning them anew
// for every batch was the largest single cost.
func planOnce(before func(context.Context, *pgx.Conn) error) func(context.Context, *pgx.Conn) error {
	return func(ctx context.Context, conn *pgx.Conn) error {
		if before != nil {
			if err := before(ctx, conn); err != nil {
				return err
			}
		}
		_, err := conn.Exec(ctx, `SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off`)
		if err != nil {
			return fmt.Errorf("setting up a lane's connection: %w", err)
		}
		return nil
	}
}

func (l *lanes) close(ctx context.Context) error {
	if l.gatherer == nil {
		return nil
	}
	err := l.gatherer.Close(ctx)
	// With a batch still under way the pool's own Close would wait for it.
	if err == nil {
		l.pool.Close()
	}
	return err
}

// do has one request decided.
func (l *lanes) do(ctx context.Context, in teams.SpendIn) (*teams.SpendOut, error) {
	if l.gatherer == nil {
		answers, err := l.serve(ctx, []teams.SpendIn{in})
		if err != nil {
			return nil, err
		}
		if answers[0].Again {
			return nil, teams.ErrAgain
		}
		return answers[0].Value, answers[0].Err
	}
	return l.gatherer.Do(ctx, laneKey(in.TeamID, in.UserID), in)
}

// laneKey is whose requests are served in order: a team's, or a user's own.
func laneKey(team, user string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(team))
	if team == "" {
		_, _ = h.Write([]byte("user " + user))
	}
	return h.Sum64()
}

// full tells whether a request of a team's, or of a user's own, would be refused now.
func (l *lanes) full(team, user string) bool {
	return l.gatherer != nil && l.gatherer.Full(laneKey(team, user))
}

type laneAnswers = []gather.Answer[*teams.SpendOut]

// serve decides a batch in one transaction. A commit whose answer got lost, or a deadlock,
// is settled by asking once more: what was posted answers for its key (L6).
func (l *lanes) serve(ctx context.Context, batch []teams.SpendIn) (answers laneAnswers, err error) {
	for range 2 {
		answers, err = l.decide(ctx, batch)
		if err == nil || ctx.Err() != nil || !databaseAway(err) && !tryAgain(err) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("deciding %d requests: %w", len(batch), err)
	}
	return answers, nil
}

// decide decides a batch in two round trips, one that locks and loads the books it is about
// and one that writes and commits. Where it isn't known which books that are, or there are
// more than was known, one before tells.
func (l *lanes) decide(ctx context.Context, batch []teams.SpendIn) (laneAnswers, error) {
	d, err := l.travel(ctx, batch, &l.places)
	if errors.Is(err, teams.ErrMisplaced) {
		d, err = l.travel(ctx, batch, nil)
	}
	if err != nil {
		return nil, err
	}
	results := d.Results
	if len(d.Low) > 0 {
		if results, err = l.stageLow(ctx, batch); err != nil {
			return nil, err
		}
	}
	answers := make(laneAnswers, len(results))
	for i, r := range results {
		answers[i] = gather.Answer[*teams.SpendOut]{Value: r.Out, Err: r.Err, Again: errors.Is(r.Err, teams.ErrAgain)}
	}
	return answers, nil
}

func (l *lanes) travel(ctx context.Context, batch []teams.SpendIn, places *teams.Places) (d *teams.Decided, err error) {
	err = travel(ctx, l.pool, func(t *trip) (err error) {
		d, err = teams.Decide(ctx, t, l.catalog, batch, l.now(), places)
		if err != nil || len(d.Low) > 0 {
			return err
		}
		return t.commit(ctx, &d.Writes)
	})
	return d, err
}

// stageLow decides a batch after which some book runs low anew, in a transaction that a
// job can be staged in. That is seldom: a book runs low once for each top-up.
func (l *lanes) stageLow(ctx context.Context, batch []teams.SpendIn) (results []teams.SpendResult, err error) {
	err = pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error {
		var low []int64
		if results, low, err = teams.SpendMany(ctx, tx, l.catalog, batch, l.now()); err != nil || len(low) == 0 {
			return err
		}
		return l.stage(ctx, tx, low)
	})
	return results, err
}
