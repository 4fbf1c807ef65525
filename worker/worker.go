// Package worker answers what is to be done when an event arrives or a moment comes:
// it fetches from Stripe, and then books.
//
// Events are wake-up calls. A job takes a ticket, fetches the object as it is now with
// no transaction open, and then books it in one transaction that also settles the event:
// either all of it happened or none. A job that is worked again finds its event settled.
// Sweeps tick often and ask the database what is due, so that a tick that was missed costs
// nothing.
package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"purser/billing"
)

// The queues. Sweeps have their own, so that a flood of events doesn't hold the clock up.
const (
	queueEvents = "stripe"
	queueSweeps = "sweeps"
)

// eventAttempts is how often an event's job is tried before the event is set aside:
// with the waits of retryAfter, for about half a day.
const eventAttempts = 20

// eventWorkers is how many events are worked at once. Most of them wait, for Stripe or for
// the batch before theirs, with nothing in hand.
const eventWorkers = 100

// eventCooldown is how often the queue is asked for events at most: those that came since
// the last time are fetched together.
const eventCooldown = 20 * time.Millisecond

// stageCooldown is how soon after one another staged jobs are told of, so that they are
// fetched at once. Those that aren't told of wait for the next that is, or for a second.
const stageCooldown = time.Millisecond

// stageByCopy is how many jobs are worth a COPY, which takes a round trip more.
const stageByCopy = 50

// jobTimeout bounds one job: a fetch with its retries and one transaction. River wants a
// job to have ended before it may be taken for dead.
const jobTimeout = time.Minute

// Config is what a worker needs.
type Config struct {
	Pool    *pgxpool.Pool
	Catalog *billing.Catalog
	Stripe  billing.Stripe
	Now     func() time.Time         // purser's clock; River keeps the real one
	NewID   func(kind string) string // makes ids that carry their kind; nil: random ones
	Logger  *slog.Logger

	Schedules    Schedules
	EventWorkers int           // jobs for events at once; 0: 100
	EventsKeep   int           // months of events to keep beside the present one, at least billing.EventsKeepMin; 0: all
	RescueAfter  time.Duration // a job of a dead process is tried again after that; 0: 5 min
	// Between is called between the fetch and the transaction, in tests that kill the
	// process there.
	Between func(point string)
}

// database is the pool, or in tests that undo what they did an open transaction.
type database interface {
	billing.DB
	Begin(ctx context.Context) (pgx.Tx, error)
}

// Worker runs the jobs.
type Worker struct {
	cfg    Config
	db     database
	client *river.Client[pgx.Tx]
	book   *booker
	turns  turns

	together *together
}

// New builds a worker that has not started yet. A schedule that can't be parsed is an
// error here, at start.
func New(cfg Config) (*Worker, error) {
	cfg = cfg.withDefaults()
	w := &Worker{cfg: cfg, db: cfg.Pool}
	w.book, w.together = &booker{Worker: w}, newTogether(w)
	workers := river.NewWorkers()
	river.AddWorker(workers, &eventWorker{w: w})
	river.AddWorker(workers, &refreshWorker{w: w})
	river.AddWorker(workers, &topUpWorker{w: w})
	periodic, err := w.addSweeps(workers)
	if err != nil {
		return nil, err
	}
	w.client, err = river.NewClient(riverpgxv5.New(cfg.Pool), &river.Config{
		Logger:  cfg.Logger,
		Workers: workers,
		// Of jobs that are staged closer together only the first is told of.
		FetchCooldown: stageCooldown,
		Queues: map[string]river.QueueConfig{
			queueEvents: {MaxWorkers: cfg.EventWorkers, FetchCooldown: eventCooldown},
			queueSweeps: {MaxWorkers: 4, FetchCooldown: 100 * time.Millisecond},
		},
		PeriodicJobs:                periodic,
		JobTimeout:                  min(jobTimeout, cfg.RescueAfter),
		RescueStuckJobsAfter:        cfg.RescueAfter,
		SoftStopTimeout:             20 * time.Second,
		CompletedJobRetentionPeriod: 24 * time.Hour,
		FetchOnlyKnownKinds:         true,
	})
	if err != nil {
		return nil, fmt.Errorf("preparing the job queue: %w", err)
	}
	return w, nil
}

// inTx runs one transaction.
func (w *Worker) inTx(ctx context.Context, do func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, w.db, do)
}

// stage stages jobs for events in a transaction.
func (w *Worker) stage(ctx context.Context, tx pgx.Tx, args []billing.EventArgs) error {
	return stage(ctx, w.client, tx, args)
}

func (cfg Config) withDefaults() Config {
	if cfg.EventWorkers == 0 {
		cfg.EventWorkers = eventWorkers
	}
	if cfg.RescueAfter == 0 {
		cfg.RescueAfter = 5 * time.Minute
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.NewID == nil {
		cfg.NewID = func(kind string) string { return kind + "_" + strings.ToLower(rand.Text()) }
	}
	if cfg.Between == nil {
		cfg.Between = func(string) {}
	}
	return cfg
}

// Start begins to work. It returns at once; Stop ends it.
func (w *Worker) Start(ctx context.Context) error {
	if err := w.together.open(ctx); err != nil {
		return fmt.Errorf("opening connections for events: %w", err)
	}
	if err := w.client.Start(ctx); err != nil {
		return fmt.Errorf("starting the job queue: %w", err)
	}
	return nil
}

// Stop takes no more jobs and waits for those that run; what hasn't ended in time goes
// back to the queue.
func (w *Worker) Stop(ctx context.Context) error {
	if err := w.client.Stop(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("stopping the job queue: %w", err)
	}
	if err := w.together.close(ctx); err != nil {
		return fmt.Errorf("finishing what was begun: %w", err)
	}
	return nil
}

// Stager stages jobs in a transaction, for processes that insert and never work.
type Stager struct{ client *river.Client[pgx.Tx] }

// NewStager prepares to stage jobs.
func NewStager(pool *pgxpool.Pool, logger *slog.Logger) (*Stager, error) {
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Logger: logger, FetchCooldown: stageCooldown})
	if err != nil {
		return nil, fmt.Errorf("preparing the job queue: %w", err)
	}
	return &Stager{client}, nil
}

// Events stages jobs for events.
func (s *Stager) Events(ctx context.Context, tx pgx.Tx, args []billing.EventArgs) error {
	return stage(ctx, s.client, tx, args)
}

// TopUps stages the decision of automatic top-ups whose credits ran low.
func (s *Stager) TopUps(ctx context.Context, tx pgx.Tx, books []int64) error {
	return stageTopUps(ctx, s.client, tx, books)
}

// stage inserts one job an event. They are not unique: River's uniqueness covers running
// jobs, so an event that arrives while its like is worked would be lost.
func stage(ctx context.Context, client *river.Client[pgx.Tx], tx pgx.Tx, args []billing.EventArgs) error {
	if len(args) == 0 {
		return nil
	}
	many := make([]river.InsertManyParams, len(args))
	for i, a := range args {
		many[i] = river.InsertManyParams{Args: a, InsertOpts: &river.InsertOpts{Queue: queueEvents, MaxAttempts: eventAttempts}}
	}
	insert := func() (err error) { _, err = client.InsertManyTx(ctx, tx, many); return err }
	if len(many) > stageByCopy {
		insert = func() (err error) { _, err = client.InsertManyFastTx(ctx, tx, many); return err }
	}
	if err := insert(); err != nil {
		return fmt.Errorf("staging jobs: %w", err)
	}
	return nil
}

// retryAfter doubles the wait with every attempt, up to an hour. It spreads the jobs a
// little, by their ids, so that what failed together isn't tried again together.
func retryAfter(job *rivertype.JobRow) time.Duration {
	wait := min(time.Second<<min(job.Attempt, 20), time.Hour)
	return wait + wait/256*time.Duration(job.ID%64)
}
