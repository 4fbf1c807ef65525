package webhooks

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
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

// recorder puts deliveries into the inbox.
type recorder struct {
	pool  *pgxpool.Pool
	stage func(ctx context.Context, tx pgx.Tx, args []billing.EventArgs) error
}

// record puts the deliveries into the inbox and stages a job for each new one,
// all in one transaction, and answers each in its place. An error means that
// nothing of them was recorded, or, if the connection broke at the commit, that
// nobody knows: both are right to answer with "send it again", since the id
// decides then.
//
// Several deliveries must come in the order of their ids, see billing.RecordEvent.
func (r recorder) record(ctx context.Context, deliveries []delivery) ([]outcome, error) {
	outcomes := make([]outcome, len(deliveries))
	err := pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		var fresh []billing.EventArgs
		for i, d := range deliveries {
			isNew, err := billing.RecordEvent(ctx, tx, d.event)
			if err != nil {
				return err
			}
			outcomes[i] = known
			if isNew {
				outcomes[i] = recorded
				fresh = append(fresh, d.event.Args())
			}
		}
		if len(fresh) == 0 {
			return nil
		}
		if err := r.stage(ctx, tx, fresh); err != nil {
			return fmt.Errorf("staging jobs: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("recording deliveries: %w", err)
	}
	return outcomes, nil
}
