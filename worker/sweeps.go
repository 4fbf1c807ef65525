package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"purser/billing"
	"purser/ledger"
)

// sweepWorker runs a sweep as a job.
type sweepWorker[T river.JobArgs] struct {
	river.WorkerDefaults[T]
	w    *Worker
	name string
	run  func(context.Context) (int, error)
}

func sweep[T river.JobArgs](w *Worker, run func(context.Context) (int, error), args T) *sweepWorker[T] {
	return &sweepWorker[T]{w: w, name: args.Kind(), run: run}
}

// Timeout gives sweeps longer than events: after a long absence there is much to do. It is
// no longer than a job may run before it is taken for dead, since a sweep whose process
// died keeps the next one of its kind waiting until then. What is left undone, that does.
func (s *sweepWorker[T]) Timeout(*river.Job[T]) time.Duration { return s.w.cfg.RescueAfter }

func (s *sweepWorker[T]) Work(ctx context.Context, _ *river.Job[T]) error {
	n, err := s.run(ctx)
	if err != nil {
		s.w.cfg.Logger.WarnContext(ctx, "sweep failed", slog.String("sweep", s.name), slog.Int("done", n), slog.Any("error", err))
		return err
	}
	if n > 0 {
		s.w.cfg.Logger.InfoContext(ctx, "sweep done", slog.String("sweep", s.name), slog.Int("done", n))
	}
	return nil
}

// dueMax is how many books are looked up at a time. Every look-up begins with the most
// overdue, and where an old snapshot is open, of a backup say, it passes all that the ones
// before have settled: so there are few.
const dueMax = 5_000

// SettleTogether is how many books are settled in one transaction: enough that its commit
// and round trips are shared by many, few enough that nobody waits long for their locks.
const SettleTogether = 50

// SettleDue settles every book in which something is due and reports how many it
// settled. A book that somebody else has locked is left to them; one that fails is
// reported and doesn't hold the others up.
func (w *Worker) SettleDue(ctx context.Context) (int, error) {
	done, limit := 0, dueMax
	var failed error
	seen := map[int64]bool{}
	for ctx.Err() == nil {
		books, more, err := w.dueBooks(ctx, limit, seen)
		if err != nil {
			return done, errors.Join(failed, err)
		}
		if len(books) == 0 && !more {
			return done, errors.Join(failed, w.followHeldBack(ctx))
		}
		if len(books) == 0 {
			limit *= 2 // all that were looked up are locked or failing: look behind them
			continue
		}
		for some := range slices.Chunk(books, SettleTogether) {
			settled, err := w.settleBooks(ctx, some)
			done += settled
			failed = errors.Join(failed, err)
		}
	}
	return done, errors.Join(failed, ctx.Err())
}

// dueBooks gives the most overdue books that were not seen yet, and tells whether there
// may be more than it looked up.
func (w *Worker) dueBooks(ctx context.Context, limit int, seen map[int64]bool) (fresh []int64, more bool, err error) {
	at := w.cfg.Now()
	turning, err := billing.DueBooks(ctx, w.db, at, limit)
	if err != nil {
		return nil, false, err
	}
	ending, err := ledger.DueBooks(ctx, w.db, at, limit)
	if err != nil {
		return nil, false, err
	}
	for _, book := range append(turning, ending...) {
		if !seen[book] {
			seen[book] = true
			fresh = append(fresh, book)
		}
	}
	return fresh, len(turning) == limit || len(ending) == limit, nil
}

// settleBooks settles some books together, or each by itself if that fails.
func (w *Worker) settleBooks(ctx context.Context, books []int64) (done int, err error) {
	err = w.inTx(ctx, func(tx pgx.Tx) error {
		due, err := billing.SettleBooks(ctx, tx, w.cfg.Catalog, books, w.cfg.Now)
		done = len(due)
		return err
	})
	switch {
	case err == nil:
		return done, nil
	case len(books) == 1:
		return 0, fmt.Errorf("book %d: %w", books[0], err)
	}
	done, err = 0, nil
	for _, book := range books {
		if ctx.Err() != nil {
			break
		}
		one, failed := w.settleBooks(ctx, []int64{book})
		done, err = done+one, errors.Join(err, failed)
	}
	return done, err
}

// SweepUnmapped has subscriptions fetched again whose price the catalogue knows by now.
func (w *Worker) SweepUnmapped(ctx context.Context) (int, error) {
	ids, err := billing.UnmappedNow(ctx, w.db, w.cfg.Catalog)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	many := make([]river.InsertManyParams, len(ids))
	for i, id := range ids {
		many[i] = river.InsertManyParams{
			Args: billing.RefreshArgs{SubscriptionID: id},
			// One at a time for each: what is dropped meanwhile, the next tick asks for again.
			InsertOpts: &river.InsertOpts{Queue: queueEvents, MaxAttempts: eventAttempts, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: unended}},
		}
	}
	inserted, err := w.client.InsertMany(ctx, many)
	if err != nil {
		return 0, fmt.Errorf("staging refreshes: %w", err)
	}
	staged := 0
	for _, job := range inserted {
		if !job.UniqueSkippedAsDuplicate {
			staged++
		}
	}
	return staged, nil
}

// partitionsAhead is how many months of the inbox are made in advance.
const partitionsAhead = 3

// MakePartitions makes the inbox's coming months, and drops those that it needn't keep.
func (w *Worker) MakePartitions(ctx context.Context) (int, error) {
	made, err := billing.EnsureEventPartitions(ctx, w.db, w.cfg.Now(), partitionsAhead)
	if err != nil || w.cfg.EventsKeep == 0 {
		return len(made.Created), err
	}
	retired, err := billing.RetireEvents(ctx, w.db, w.cfg.Now(), w.cfg.EventsKeep)
	if len(retired.Dropped) > 0 || retired.Deleted > 0 {
		w.cfg.Logger.InfoContext(ctx, "old events dropped", slog.Any("months", retired.Dropped), slog.Int64("others", retired.Deleted))
	}
	if len(retired.Open) > 0 {
		w.cfg.Logger.WarnContext(ctx, "old events stay, since some of their months are not done: see purser events list", slog.Any("months", retired.Open))
	}
	return len(made.Created) + len(retired.Dropped), err
}
