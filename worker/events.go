package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"purser/billing"
	"purser/internal/gather"
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
	event, err := e.w.together.event(ctx, job.Args.EventID)
	if errors.Is(err, billing.ErrEventUnknown) {
		return river.JobCancel(err)
	}
	if err != nil {
		return err
	}
	if event.SettledAt != nil {
		return nil
	}
	outcome, err := e.try(ctx, event)
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

// try works an event. One that makes us panic fails like any other: it is tried again, and
// then set aside.
func (e *eventWorker) try(ctx context.Context, event billing.Event) (out billing.Outcome, err error) {
	defer func() {
		if value := recover(); value != nil {
			failed := &gather.Panic{Value: value, Stack: debug.Stack()}
			e.w.cfg.Logger.ErrorContext(ctx, "working an event panicked", slog.String("event", event.ID), slog.String("stack", string(failed.Stack)))
			err = failed
		}
	}()
	return e.w.workEvent(ctx, event)
}

// setAside marks an event that was tried to the end as failed, so that an operator sees
// it and can replay it (E2). The job's own error goes back to River either way.
func (e *eventWorker) setAside(ctx context.Context, job *river.Job[billing.EventArgs], event billing.Event, cause error) error {
	if job.Attempt < job.MaxAttempts {
		return cause
	}
	ctx = context.WithoutCancel(ctx)
	err := e.w.inTx(ctx, func(tx pgx.Tx) error {
		return billing.SettleWorked(ctx, tx, e.w.cfg.Now(), billing.Worked{Event: event, State: billing.EventFailed, Reason: cause.Error()})
	})
	return errors.Join(cause, err)
}

// workEvent works one event and settles it in the transaction that books it. That makes a
// second attempt, after a crash, find nothing to do: so the job itself is completed
// afterwards, together with others, which costs the queue's indexes far less.
func (w *Worker) workEvent(ctx context.Context, event billing.Event) (billing.Outcome, error) {
	target := billing.TargetOf(event)
	if target.Kind == billing.TargetNone {
		out := billing.Outcome{State: billing.EventIgnored, Reason: target.Reason}
		return out, w.together.settle(ctx, event, out)
	}
	// A burst of events for one object needs few fetches: what was fetched and applied
	// after this event had come tells of it already.
	leave, err := w.turns.take(ctx, target.ID)
	if err != nil {
		return billing.Outcome{}, fmt.Errorf("waiting for another fetch of %s: %w", target.ID, err)
	}
	defer leave()
	ticket, err := w.together.ticket(ctx, target.ID, event)
	if err != nil {
		return billing.Outcome{}, err
	}
	if ticket.Applied {
		leave()
		out := billing.Outcome{State: billing.EventDone, Reason: "a later fetch was applied already"}
		return out, w.together.settle(ctx, event, out)
	}
	return w.book.fetchWith(ctx, target, ticket.Number, func(tx pgx.Tx, out billing.Outcome) error {
		if err := w.stage(ctx, tx, out.Reopen); err != nil {
			return err
		}
		return billing.SettleWorked(ctx, tx, w.cfg.Now(), billing.Worked{Event: event, State: out.State, Reason: out.Reason})
	}, func(in billing.ApplyIn) (billing.Outcome, error) { return w.together.apply(ctx, event, in) })
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
		r.w.book.stageReopened(ctx))
	if err != nil {
		return err
	}
	r.w.cfg.Logger.InfoContext(ctx, "subscription refreshed", slog.String("subscription", job.Args.SubscriptionID),
		slog.String("state", string(out.State)))
	return nil
}
