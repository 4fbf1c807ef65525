package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"purser/billing"
)

// eventWorker works one event of the inbox.
type eventWorker struct {
	river.WorkerDefaults[billing.EventArgs]
	w *Worker
}

func (e *eventWorker) NextRetry(job *river.Job[billing.EventArgs]) time.Time {
	return job.AttemptedAt.Add(retryAfter(job.JobRow))
}

func (e *eventWorker) Work(ctx context.Context, job *river.Job[billing.EventArgs]) error {
	started := job.AttemptedAt
	event, err := billing.GetEvent(ctx, e.w.db, job.Args.EventID)
	if errors.Is(err, billing.ErrEventUnknown) {
		return river.JobCancel(err)
	}
	if err != nil {
		return err
	}
	if event.SettledAt != nil {
		return nil
	}
	outcome, err := e.w.workEvent(ctx, event, func(tx pgx.Tx) error { return complete(ctx, tx, job) })
	log := e.w.cfg.Logger.With(slog.String("event", event.ID), slog.String("type", event.Type), slog.String("object", event.ObjectID),
		slog.Int("attempt", job.Attempt))
	if err != nil {
		log.WarnContext(ctx, "event failed", slog.Any("error", err))
		return e.setAside(ctx, job, event, err)
	}
	log.InfoContext(ctx, "event worked", slog.String("state", string(outcome.State)), slog.String("reason", outcome.Reason),
		slog.Duration("waited", started.Sub(job.CreatedAt)))
	return nil
}

// setAside marks an event that was tried to the end as failed, so that an operator sees
// it and can replay it (E2). The job's own error goes back to River either way.
func (e *eventWorker) setAside(ctx context.Context, job *river.Job[billing.EventArgs], event billing.Event, cause error) error {
	if job.Attempt < job.MaxAttempts {
		return cause
	}
	ctx = context.WithoutCancel(ctx)
	err := e.w.inTx(ctx, func(tx pgx.Tx) error {
		return billing.SettleWorked(ctx, tx, event, billing.EventFailed, cause.Error(), e.w.cfg.Now())
	})
	return errors.Join(cause, err)
}

func complete[T river.JobArgs](ctx context.Context, tx pgx.Tx, job *river.Job[T]) error {
	if job.State != rivertype.JobStateRunning {
		return nil
	}
	if _, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job); err != nil {
		return fmt.Errorf("completing the job: %w", err)
	}
	return nil
}

// workEvent works one event and settles it in the transaction that books it.
func (w *Worker) workEvent(ctx context.Context, event billing.Event, complete func(pgx.Tx) error) (billing.Outcome, error) {
	settle := func(tx pgx.Tx, out billing.Outcome) error {
		if err := w.stage(ctx, tx, out.Reopen); err != nil {
			return err
		}
		if err := billing.SettleWorked(ctx, tx, event, out.State, out.Reason, w.cfg.Now()); err != nil {
			return err
		}
		return complete(tx)
	}
	target := billing.TargetOf(event)
	if target.Kind == billing.TargetNone {
		out := billing.Outcome{State: billing.EventIgnored, Reason: target.Reason}
		return out, w.inTx(ctx, func(tx pgx.Tx) error { return settle(tx, out) })
	}
	// A burst of events for one object needs few fetches: what was fetched and applied
	// after this event had come tells of it already.
	leave, err := w.turns.take(ctx, target.ID)
	if err != nil {
		return billing.Outcome{}, fmt.Errorf("waiting for another fetch of %s: %w", target.ID, err)
	}
	defer leave()
	applied, err := billing.AppliedSince(ctx, w.db, target.ID, event.Ticket)
	if err != nil {
		return billing.Outcome{}, err
	}
	if applied {
		leave()
		out := billing.Outcome{State: billing.EventDone, Reason: "a later fetch was applied already"}
		return out, w.inTx(ctx, func(tx pgx.Tx) error { return settle(tx, out) })
	}
	return w.book.fetchAndApply(ctx, target, settle)
}

// refreshWorker fetches and books a subscription that no event tells of.
type refreshWorker struct {
	river.WorkerDefaults[billing.RefreshArgs]
	w *Worker
}

func (r *refreshWorker) NextRetry(job *river.Job[billing.RefreshArgs]) time.Time {
	return job.AttemptedAt.Add(retryAfter(job.JobRow))
}

func (r *refreshWorker) Work(ctx context.Context, job *river.Job[billing.RefreshArgs]) error {
	out, err := r.w.book.fetchAndApply(ctx, billing.Target{Kind: billing.TargetSubscription, ID: job.Args.SubscriptionID},
		func(tx pgx.Tx, out billing.Outcome) error {
			if err := r.w.stage(ctx, tx, out.Reopen); err != nil {
				return err
			}
			return complete(ctx, tx, job)
		})
	if err != nil {
		return err
	}
	r.w.cfg.Logger.InfoContext(ctx, "subscription refreshed", slog.String("subscription", job.Args.SubscriptionID),
		slog.String("state", string(out.State)))
	return nil
}
