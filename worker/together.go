package worker

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

// together has the jobs that run at the same time go to the database together: what comes
// while the round trip or the commit before is under way shares the next. Stripe is asked
// by each job itself, in between.
type together struct {
	*Worker
	lanes   *pgxpool.Pool // nil until it is opened: the worker's own connections
	events  *gather.Gatherer[string, billing.Event]
	tickets *gather.Gatherer[billing.Wanted, billing.Ticket]
	books   *gather.Gatherer[booking, billing.Outcome]
}

// Bounds of gathering. Two at once are enough to be never without work; more would only
// make each smaller.
const (
	lanesEach     = 2
	laneMax       = 50
	laneTimeout   = 20 * time.Second
	lockedRetries = 20 // a few milliseconds each; then a job waits for the book's lock by itself
)

// booking is what became of one event: the outcome, or a fetch whose booking tells it.
type booking struct {
	event billing.Event
	in    *billing.ApplyIn
	out   billing.Outcome
}

// errAlone says that an event has to be booked by itself.
var errAlone = errors.New("it can't be booked together with others")

func newTogether(w *Worker) *together {
	t := &together{Worker: w}
	cfg := gather.Config{Lanes: lanesEach, BatchMax: laneMax, Timeout: laneTimeout, RetryMax: lockedRetries}
	t.events = gather.New(cfg, t.readEvents)
	t.tickets = gather.New(cfg, t.takeTickets)
	t.books = gather.New(cfg, t.bookAll)
	return t
}

// open gives the lanes connections of their own, which plan each statement once and follow
// indexes only: what is looked up are single rows of tables that grow for ever, and to
// plan it anew for every batch costs more than to do it.
func (t *together) open(ctx context.Context) (err error) {
	own := t.cfg.Pool.Config()
	own.MaxConns, own.MinConns, own.MinIdleConns = 2*lanesEach, 0, 0
	before := own.AfterConnect
	own.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		if before != nil {
			if err := before(ctx, conn); err != nil {
				return err
			}
		}
		_, err := conn.Exec(ctx, `SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off`)
		return err
	}
	t.lanes, err = pgxpool.NewWithConfig(ctx, own)
	return err
}

// close waits for what is under way. Nobody asks any more.
func (t *together) close(ctx context.Context) error {
	err := errors.Join(t.events.Close(ctx), t.tickets.Close(ctx), t.books.Close(ctx))
	// With a batch still under way the pool's own Close would wait for it.
	if err == nil && t.lanes != nil {
		t.lanes.Close()
	}
	return err
}

// database is what the lanes go to.
func (t *together) database() database {
	if t.lanes != nil {
		return t.lanes
	}
	return t.db
}

// laneOf spreads by id.
func laneOf(id string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id))
	return h.Sum64()
}

// answersOf is an answer for each, in its place.
func answersOf[Out any](values []Out) []gather.Answer[Out] {
	answers := make([]gather.Answer[Out], len(values))
	for i, v := range values {
		answers[i].Value = v
	}
	return answers
}

// event reads an event.
func (t *together) event(ctx context.Context, id string) (billing.Event, error) {
	return t.events.Do(ctx, laneOf(id), id)
}

func (t *together) readEvents(ctx context.Context, ids []string) ([]gather.Answer[billing.Event], error) {
	known, err := billing.GetEvents(ctx, t.database(), ids)
	if err != nil {
		return nil, err
	}
	answers := make([]gather.Answer[billing.Event], len(ids))
	for i, id := range ids {
		event, there := known[id]
		answers[i].Value = event
		if !there {
			answers[i].Err = fmt.Errorf("reading event %s: %w", id, billing.ErrEventUnknown)
		}
	}
	return answers, nil
}

// ticket finds out whether an object is to be fetched for an event, and with which ticket.
func (t *together) ticket(ctx context.Context, objectID string, event billing.Event) (billing.Ticket, error) {
	return t.tickets.Do(ctx, laneOf(objectID), billing.Wanted{ObjectID: objectID, Since: event.Ticket})
}

func (t *together) takeTickets(ctx context.Context, wanted []billing.Wanted) ([]gather.Answer[billing.Ticket], error) {
	tickets, err := billing.TakeTickets(ctx, t.database(), wanted)
	return answersOf(tickets), err
}

// settle settles an event whose outcome is known.
func (t *together) settle(ctx context.Context, event billing.Event, out billing.Outcome) error {
	_, err := t.books.Do(ctx, laneOf(event.ID), booking{event: event, out: out})
	return err
}

// apply books a fetch and settles its event. It is errAlone if that can't be done together
// with others, or its book was locked by somebody else for too long.
func (t *together) apply(ctx context.Context, event billing.Event, in billing.ApplyIn) (billing.Outcome, error) {
	out, err := t.books.Do(ctx, laneOf(in.Fetched.Subscription.ID), booking{event: event, in: &in})
	if errors.Is(err, gather.ErrBusy) || errors.Is(err, billing.ErrMoved) {
		err = errAlone
	}
	return out, err
}

// bookAll books fetches and settles events in one transaction: all of them or, if one can't
// be, each by itself.
func (t *together) bookAll(ctx context.Context, batch []booking) ([]gather.Answer[billing.Outcome], error) {
	answers := make([]gather.Answer[billing.Outcome], len(batch))
	err := pgx.BeginFunc(ctx, t.database(), func(tx pgx.Tx) error {
		if err := t.applyAll(ctx, tx, batch, answers); err != nil {
			return err
		}
		if err := t.settleAll(ctx, tx, batch, answers); err != nil {
			return err
		}
		t.cfg.Between("commit")
		return nil
	})
	return answers, err
}

// applyAll books the fetches among them, and lets teams follow.
func (t *together) applyAll(ctx context.Context, tx pgx.Tx, batch []booking, answers []gather.Answer[billing.Outcome]) error {
	var ins []billing.ApplyIn
	var places []int
	for i, b := range batch {
		answers[i].Value = b.out
		if b.in != nil {
			ins, places = append(ins, *b.in), append(places, i)
		}
	}
	if len(ins) == 0 {
		return nil
	}
	applied, err := billing.ApplyTogether(ctx, tx, t.cfg.Catalog, ins)
	if err != nil {
		return fmt.Errorf("booking %d fetches: %w", len(ins), err)
	}
	var done []billing.Outcome
	for n, a := range applied {
		i := places[n]
		answers[i].Value, answers[i].Again = a.Outcome, a.Locked
		switch {
		case a.Alone:
			answers[i].Err = errAlone
		case !a.Locked:
			done = append(done, a.Outcome)
		}
	}
	return t.followAll(ctx, tx, done)
}

// followAll lets teams follow what was bought. Mostly there is nothing to do for any.
func (t *together) followAll(ctx context.Context, tx pgx.Tx, done []billing.Outcome) error {
	at := t.cfg.Now()
	bought := map[string]int64{}
	for _, out := range done {
		if out.Team != "" {
			bought[out.Team] = out.Seats
		}
	}
	crowded, err := teams.Crowded(ctx, tx, bought, at)
	if err != nil {
		return err
	}
	for _, out := range done {
		if out.Placed || crowded[out.Team] {
			if err := t.Worker.book.followSubscription(ctx, tx, out, at); err != nil {
				return err
			}
		}
	}
	return nil
}

// settleAll settles the events of what was done.
func (t *together) settleAll(ctx context.Context, tx pgx.Tx, batch []booking, answers []gather.Answer[billing.Outcome]) error {
	var worked []billing.Worked
	var reopen []billing.EventArgs
	for i, a := range answers {
		if a.Err == nil && !a.Again {
			worked = append(worked, billing.Worked{Event: batch[i].event, State: a.Value.State, Reason: a.Value.Reason})
			reopen = append(reopen, a.Value.Reopen...)
		}
	}
	if len(worked) == 0 {
		return nil
	}
	if err := billing.SettleWorked(ctx, tx, t.cfg.Now(), worked...); err != nil {
		return err
	}
	return t.stage(ctx, tx, reopen)
}
