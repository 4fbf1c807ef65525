package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"purser/billing"
)

// How the sweep over Stripe's event list goes back: a little before the last event it
// saw, since Stripe may list an event later than its second; at the first start a day.
const (
	sweepOverlap = 10 * time.Minute
	firstSweep   = 24 * time.Hour
	sweepCursor  = "stripe"
	sweepPage    = 100 // events that are looked up in the inbox at a time
)

// strayAfter is how long an event may lie in the inbox before the sweep looks whether
// anybody works it.
const strayAfter = 10 * time.Minute

// SweepEvents reads Stripe's event list since the last one seen, as pointers, and stages
// what never reached us (E3), and what lies in the inbox with nobody to work it (E2). It
// reports how many there were.
func (w *Worker) SweepEvents(ctx context.Context) (int, error) {
	strays, err := w.restageStrays(ctx)
	if err != nil {
		return strays, err
	}
	since := w.cfg.Now().Add(-firstSweep)
	cursor, found, err := billing.EventCursor(ctx, w.db, sweepCursor)
	if err != nil {
		return strays, err
	}
	if found {
		since = cursor.CreatedAt.Add(-sweepOverlap)
	}
	page := sweptPage{Worker: w, at: w.cfg.Now()}
	err = w.cfg.Stripe.EventsSince(ctx, since, func(body []byte) error { return page.add(ctx, body) })
	if err == nil {
		err = page.record(ctx)
	}
	if err == nil && !found {
		// With nothing in the list yet, the next sweep still begins here, however late.
		err = billing.SaveEventCursor(ctx, w.db, sweepCursor, billing.SweepCursor{CreatedAt: since, SweptAt: page.at})
	}
	if err != nil {
		return strays + page.missing, fmt.Errorf("sweeping Stripe's event list: %w", err)
	}
	return strays + page.missing, nil
}

// sweptPage gathers events of Stripe's list, the oldest first, and records a page of
// them at a time.
type sweptPage struct {
	*Worker
	at      time.Time
	events  []billing.Event
	missing int
}

func (p *sweptPage) add(ctx context.Context, body []byte) error {
	event, err := billing.ParseEvent(body)
	if err != nil {
		p.cfg.Logger.WarnContext(ctx, "an event in Stripe's list can't be read", slog.Any("error", err))
		return nil
	}
	event.Origin, event.ReceivedAt = billing.FromSweep, p.at
	p.events = append(p.events, event)
	if len(p.events) < sweepPage {
		return nil
	}
	return p.record(ctx)
}

// record puts the page's unknown events into the inbox with their jobs, and moves the
// cursor to its end. Events that nothing is done for are left out: the list has those,
// too, that the endpoint never asked for.
func (p *sweptPage) record(ctx context.Context) error {
	if len(p.events) == 0 {
		return nil
	}
	last := p.events[len(p.events)-1]
	missing, err := p.unknown(ctx)
	if err != nil {
		return err
	}
	p.events = p.events[:0]
	if len(missing) > 0 {
		if err := p.inTx(ctx, func(tx pgx.Tx) error { return p.recordMissing(ctx, tx, missing) }); err != nil {
			return err
		}
	}
	return billing.SaveEventCursor(ctx, p.db, sweepCursor, billing.SweepCursor{EventID: last.ID, CreatedAt: last.CreatedAt, SweptAt: p.at})
}

// unknown gives the events of the page that the inbox lacks, in the order of their ids,
// as recording several at once demands.
func (p *sweptPage) unknown(ctx context.Context) ([]billing.Event, error) {
	var told []billing.Event
	var ids []string
	for _, event := range p.events {
		if billing.TargetOf(event).Kind != billing.TargetNone {
			told, ids = append(told, event), append(ids, event.ID)
		}
	}
	known, err := billing.KnownEvents(ctx, p.db, ids)
	if err != nil {
		return nil, err
	}
	told = slices.DeleteFunc(told, func(e billing.Event) bool { return known[e.ID] })
	slices.SortFunc(told, func(a, b billing.Event) int { return strings.Compare(a.ID, b.ID) })
	return told, nil
}

func (p *sweptPage) recordMissing(ctx context.Context, tx pgx.Tx, missing []billing.Event) error {
	var args []billing.EventArgs
	for _, event := range missing {
		recorded, err := billing.RecordEvent(ctx, tx, event)
		if err != nil {
			return err
		}
		if recorded { // else it was delivered just now
			args = append(args, event.Args())
		}
	}
	p.missing += len(args)
	return p.stage(ctx, tx, args)
}

// restageStrays stages events again that lie in the inbox without a job: the process
// that worked one for the last time was killed, say, and the queue gave the job up.
func (w *Worker) restageStrays(ctx context.Context) (int, error) {
	lying, err := billing.ListEvents(ctx, w.db, billing.EventFilter{
		States: []billing.EventState{billing.EventReceived}, Until: w.cfg.Now().Add(-strayAfter), Limit: 1000,
	})
	if err != nil || len(lying) == 0 {
		return 0, err
	}
	ids := make([]string, len(lying))
	for i, event := range lying {
		ids[i] = event.ID
	}
	jobs, err := w.client.JobList(ctx, river.NewJobListParams().Kinds(billing.EventArgs{}.Kind()).States(unended...).
		Where("args->>'event_id' = ANY(@ids::text[])", river.NamedArgs{"ids": ids}).First(10_000))
	if err != nil {
		return 0, fmt.Errorf("looking for the jobs of events: %w", err)
	}
	worked := map[string]bool{}
	for _, job := range jobs.Jobs {
		var of billing.EventArgs
		if err := json.Unmarshal(job.EncodedArgs, &of); err != nil {
			return 0, fmt.Errorf("reading job %d: %w", job.ID, err)
		}
		worked[of.EventID] = true
	}
	var args []billing.EventArgs
	for _, event := range lying {
		if !worked[event.ID] {
			args = append(args, event.Args())
		}
	}
	return len(args), w.inTx(ctx, func(tx pgx.Tx) error { return w.stage(ctx, tx, args) })
}
