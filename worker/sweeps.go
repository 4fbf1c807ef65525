package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// Timeout gives sweeps longer than events: after a long absence there is much to do.
func (s *sweepWorker[T]) Timeout(*river.Job[T]) time.Duration { return 15 * time.Minute }

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

// dueChunk is how many books are looked up at a time.
const dueChunk = 500

// SettleDue settles every book in which something is due and reports how many it
// settled. A book that somebody else has locked is left to them; one that fails is
// reported and doesn't hold the others up.
func (w *Worker) SettleDue(ctx context.Context) (int, error) {
	done, at := 0, w.cfg.Now()
	var failed error
	seen := map[int64]bool{}
	for {
		books, err := w.dueBooks(ctx, at)
		if err != nil {
			return done, err
		}
		fresh := 0
		for _, book := range books {
			if seen[book] {
				continue
			}
			seen[book] = true
			fresh++
			settled, err := w.settleBook(ctx, book, at)
			if err != nil {
				failed = errors.Join(failed, fmt.Errorf("book %d: %w", book, err))
			}
			if settled {
				done++
			}
		}
		if fresh == 0 || ctx.Err() != nil {
			return done, errors.Join(failed, ctx.Err())
		}
	}
}

func (w *Worker) dueBooks(ctx context.Context, at time.Time) ([]int64, error) {
	turning, err := billing.DueBooks(ctx, w.db, at, dueChunk)
	if err != nil {
		return nil, err
	}
	ending, err := ledger.DueBooks(ctx, w.db, at, dueChunk)
	return append(turning, ending...), err
}

func (w *Worker) settleBook(ctx context.Context, book int64, at time.Time) (settled bool, err error) {
	err = pgx.BeginFunc(ctx, w.db, func(tx pgx.Tx) error {
		settled, err = billing.SettleBook(ctx, tx, w.cfg.Catalog, book, at)
		return err
	})
	return settled, err
}

// How the sweep over Stripe's event list goes back: a little before the last event it
// saw, since Stripe may list an event later than its second; at the first start a day.
const (
	sweepOverlap = 10 * time.Minute
	firstSweep   = 24 * time.Hour
	sweepCursor  = "stripe"
)

// SweepEvents reads Stripe's event list since the last one seen, as pointers, and stages
// what never reached us (E3). It reports how many were missing.
func (w *Worker) SweepEvents(ctx context.Context) (int, error) {
	now := w.cfg.Now()
	since := now.Add(-firstSweep)
	cursor, found, err := billing.EventCursor(ctx, w.db, sweepCursor)
	if err != nil {
		return 0, err
	}
	if found {
		since = cursor.CreatedAt.Add(-sweepOverlap)
	}
	missing := 0
	err = w.cfg.Stripe.EventsSince(ctx, since, func(body []byte) error {
		event, err := billing.ParseEvent(body)
		if err != nil {
			w.cfg.Logger.WarnContext(ctx, "an event in Stripe's list can't be read", slog.Any("error", err))
			return nil
		}
		event.Origin, event.ReceivedAt = billing.FromSweep, now
		recorded, err := w.recordEvent(ctx, event)
		if recorded {
			missing++
		}
		cursor = billing.SweepCursor{EventID: event.ID, CreatedAt: event.CreatedAt, SweptAt: now}
		return err
	})
	if err != nil {
		return missing, fmt.Errorf("reading Stripe's event list: %w", err)
	}
	if cursor.EventID == "" {
		return missing, nil
	}
	return missing, billing.SaveEventCursor(ctx, w.db, sweepCursor, cursor)
}

func (w *Worker) recordEvent(ctx context.Context, event billing.Event) (recorded bool, err error) {
	err = pgx.BeginFunc(ctx, w.db, func(tx pgx.Tx) error {
		if recorded, err = billing.RecordEvent(ctx, tx, event); err != nil || !recorded {
			return err
		}
		return w.stage(ctx, tx, []billing.EventArgs{event.Args()})
	})
	return recorded, err
}

// SweepPurchases asks Stripe about purchases that no event told of.
func (w *Worker) SweepPurchases(ctx context.Context) (int, error) {
	due, err := billing.DuePurchases(ctx, w.db, w.cfg.Now(), 200)
	if err != nil {
		return 0, err
	}
	var failed error
	for _, p := range due {
		if err := w.askAbout(ctx, p); err != nil {
			failed = errors.Join(failed, fmt.Errorf("purchase %s: %w", p.ID, err))
		}
	}
	return len(due), failed
}

// askAbout settles one purchase by what Stripe says. One without a session was written
// just before we stopped: nobody got a page to pay on. Should Stripe have made the
// session after all, the event of its payment still settles the purchase by its id.
func (w *Worker) askAbout(ctx context.Context, p billing.Purchase) error {
	if p.SessionID == nil {
		return pgx.BeginFunc(ctx, w.db, func(tx pgx.Tx) error {
			return billing.PurchaseLost(ctx, tx, p.ID, "Stripe was never heard to open it, so nobody got a page to pay on")
		})
	}
	_, err := w.book.fetchAndApply(ctx, billing.Target{Kind: billing.TargetCheckout, ID: *p.SessionID},
		func(tx pgx.Tx, out billing.Outcome) error {
			if out.State == billing.EventIgnored {
				return billing.PurchaseLost(ctx, tx, p.ID, out.Reason)
			}
			return w.stage(ctx, tx, out.Reopen)
		})
	return err
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
			Args:       billing.RefreshArgs{SubscriptionID: id},
			InsertOpts: &river.InsertOpts{Queue: queueEvents, MaxAttempts: eventAttempts},
		}
	}
	if _, err := w.client.InsertManyFast(ctx, many); err != nil {
		return 0, fmt.Errorf("staging refreshes: %w", err)
	}
	return len(ids), nil
}

// partitionsAhead is how many months of the inbox are made in advance.
const partitionsAhead = 3

// MakePartitions makes the inbox's coming months.
func (w *Worker) MakePartitions(ctx context.Context) (int, error) {
	made, err := billing.EnsureEventPartitions(ctx, w.db, w.cfg.Now(), partitionsAhead)
	if err != nil {
		return 0, err
	}
	return len(made.Created), nil
}
