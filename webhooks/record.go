package webhooks

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
	"purser/internal/gather"
)

// delivery is a verified event on its way into the inbox.
type delivery struct{ event billing.Event }

// outcome is what became of a delivery, in one stable word.
type outcome string

// The outcomes that are acknowledged.
const (
	recorded outcome = "recorded" // new: in the inbox, its job staged
	known    outcome = "known"    // its id was in the inbox; nothing changed
)

// Bounds of gathering. A batch is one transaction, so few lanes are enough; a body may
// have a MiB, and what waits is held in memory.
const (
	laneCount = 2
	laneMax   = 128
	queueMax  = 1024
)

// recorder puts deliveries into the inbox.
type recorder struct {
	pool     *pgxpool.Pool
	stage    func(ctx context.Context, tx pgx.Tx, args []billing.EventArgs) error
	gatherer *gather.Gatherer[delivery, outcome] // nil: a transaction each
}

// newRecorder has deliveries that come while the commit before is under way recorded
// together, each with its own answer.
func newRecorder(c Config) *recorder {
	r := &recorder{pool: c.Pool, stage: c.Stage}
	if !c.Alone {
		r.gatherer = gather.New(gather.Config{
			Lanes: laneCount, BatchMax: laneMax, QueueMax: cmp.Or(max(c.QueueMax, 0), queueMax), Timeout: c.Timeout,
		}, r.serve)
	}
	return r
}

// record puts one delivery into the inbox and stages its job. An error means that
// nothing was recorded, or, if the connection broke at the commit, that nobody knows:
// both are right to answer with "send it again", since the id decides then.
func (r *recorder) record(ctx context.Context, d delivery) (outcome, error) {
	if r.gatherer == nil {
		outcomes, err := r.recordAll(ctx, []delivery{d})
		if err != nil {
			return "", err
		}
		return outcomes[0], nil
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(d.event.ID))
	return r.gatherer.Do(ctx, h.Sum64(), d)
}

// serve records a batch.
func (r *recorder) serve(ctx context.Context, batch []delivery) ([]gather.Answer[outcome], error) {
	outcomes, err := r.recordAll(ctx, batch)
	if err != nil {
		return nil, err
	}
	answers := make([]gather.Answer[outcome], len(outcomes))
	for i, o := range outcomes {
		answers[i].Value = o
	}
	return answers, nil
}

// recordAll records deliveries and stages a job for each new one, all in one
// transaction, and answers each in its place.
func (r *recorder) recordAll(ctx context.Context, deliveries []delivery) ([]outcome, error) {
	events := make([]billing.Event, len(deliveries))
	for i, d := range deliveries {
		events[i] = d.event
	}
	outcomes := make([]outcome, len(deliveries))
	err := pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		fresh, err := billing.RecordEvents(ctx, tx, events)
		if err != nil {
			return err
		}
		var args []billing.EventArgs
		for i, isNew := range fresh {
			outcomes[i] = known
			if isNew {
				outcomes[i] = recorded
				args = append(args, events[i].Args())
			}
		}
		if len(args) == 0 {
			return nil
		}
		if err := r.stage(ctx, tx, args); err != nil {
			return fmt.Errorf("staging jobs: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("recording deliveries: %w", err)
	}
	return outcomes, nil
}
