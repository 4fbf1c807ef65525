package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
	"purser/worker"
)

// eventsReplayCommand has events worked again (E2).
type eventsReplayCommand struct {
	IDs      []string         `arg:"" optional:"" name:"id" help:"The events' ids. Without any, a filter has to say which."`
	Filter   eventFilterFlags `embed:""`
	Show     showFlags        `embed:""`
	Database databaseFlags    `embed:""`
}

// replayPage is how many events are taken back in one transaction.
const replayPage = 500

// settled are the states that a filter may take events back from. An event that is
// received has its job already.
var settled = []billing.EventState{
	billing.EventDone, billing.EventIgnored, billing.EventUnmatched, billing.EventUnmapped, billing.EventFailed,
}

// Run takes events back to received and stages their jobs, page by page, each page in a
// transaction of its own. A worker fetches the objects anew, so a replay of what was
// applied changes nothing.
func (c *eventsReplayCommand) Run(ctx context.Context, p *program) error {
	if len(c.IDs) == 0 && c.Filter.empty() {
		return usage("name the events to replay, or choose them: --state failed, --type, --customer, --object, --since, --until")
	}
	for _, state := range c.Filter.State {
		if state == string(billing.EventReceived) {
			return usage("events that are received have their jobs already; to stage them once more, name their ids")
		}
	}
	return c.Database.use(ctx, p, func(db *pgxpool.Pool) error {
		r := replayer{db: db}
		var err error
		if r.stage, err = worker.NewStager(db, p.logger()); err != nil {
			return err
		}
		if len(c.IDs) > 0 {
			err = r.byID(ctx, c.IDs)
		} else {
			err = r.byFilter(ctx, c.Filter.filter())
		}
		if err != nil {
			return fmt.Errorf("replaying, after %s: %w", count(r.staged, "event", "events"), err)
		}
		return printThing(p, c.Show.JSON, map[string]int{"events_staged": r.staged}, [][]string{
			{"staged " + count(r.staged, "event", "events") + "; purser events list shows what becomes of them"},
		})
	})
}

type replayer struct {
	db     *pgxpool.Pool
	stage  *worker.Stager
	staged int
}

// byID replays just these events, whatever their states, all or none.
func (r *replayer) byID(ctx context.Context, ids []string) error {
	if len(ids) > replayPage {
		return usage("at most %d ids at once", replayPage)
	}
	for _, id := range ids {
		if _, err := billing.GetEvent(ctx, r.db, id); err != nil {
			return err
		}
	}
	return r.reopen(ctx, billing.EventFilter{IDs: ids, Limit: replayPage})
}

// byFilter walks once through what the filter chooses, newest first. What fails again
// meanwhile isn't taken twice.
func (r *replayer) byFilter(ctx context.Context, filter billing.EventFilter) error {
	filter.Limit = replayPage
	if len(filter.States) == 0 {
		filter.States = settled
	}
	for {
		events, err := billing.ListEvents(ctx, r.db, filter)
		if err != nil || len(events) == 0 {
			return err
		}
		ids := make([]string, len(events))
		for i, e := range events {
			ids[i] = e.ID
		}
		if err := r.reopen(ctx, billing.EventFilter{IDs: ids, States: filter.States, Limit: replayPage}); err != nil {
			return err
		}
		filter.After = events[len(events)-1].Position()
	}
}

func (r *replayer) reopen(ctx context.Context, filter billing.EventFilter) error {
	return pgx.BeginFunc(ctx, r.db, func(tx pgx.Tx) error {
		args, err := billing.ReopenEvents(ctx, tx, filter)
		if err != nil {
			return err
		}
		if err := r.stage.Events(ctx, tx, args); err != nil {
			return err
		}
		r.staged += len(args)
		return nil
	})
}
