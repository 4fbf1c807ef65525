package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"purser/billing"
)

// benchFollower is purser as it is served, beside a local Stripe in which subscriptions
// change.
type benchFollower struct {
	*stage
	away      *benchStripe
	b         *bench
	perSecond float64
	watch     *benchWatch
	subs      []benchSold
}

// follower raises a stage in a database of its own, with subscriptions.
func (b *bench) follower(ctx context.Context, name string, perSecond float64, subscriptions int) (*benchFollower, error) {
	b.say("starting a local Stripe")
	if err := b.db.local.EnsureDatabase(ctx, name); err != nil {
		return nil, err
	}
	f := &benchFollower{b: b, perSecond: perSecond, watch: &benchWatch{now: b.now, received: map[string]time.Time{}, fetches: map[string]int{}}}
	var err error
	if f.away, err = startBenchStripe(ctx); err != nil {
		return nil, err
	}
	f.stage, err = raiseStage(ctx, stageConfig{
		Stripe:      f.away.stripeAt,
		DatabaseURL: b.db.local.URL(name), Listen: "127.0.0.1:0", Logger: slog.New(f.watch), PerSecond: perSecond,
		Watch: func(s billing.Stripe) billing.Stripe { f.watch.Stripe = s; return f.watch },
	})
	if err != nil {
		return nil, errors.Join(err, f.away.close())
	}
	if err = f.swept(ctx); err == nil {
		err = f.sell(ctx, subscriptions)
	}
	if err == nil {
		err = f.worked(ctx)
	}
	if err != nil {
		f.stop(ctx)
		return nil, err
	}
	return f, nil
}

// stop ends all of it. What it couldn't end in time goes with its database.
func (f *benchFollower) stop(ctx context.Context) {
	_ = f.strike(ctx)
	_ = f.away.close()
}

// swept waits until the list of events has been read, as is done once at every start: that
// would be measured, too.
func (f *benchFollower) swept(ctx context.Context) error {
	return f.until(ctx, func() (bool, error) {
		_, done, err := billing.EventCursor(ctx, f.db.Pool, "stripe")
		return done, err
	})
}

// sell makes subscriptions, each of a customer whose metadata names its user.
func (f *benchFollower) sell(ctx context.Context, subscriptions int) error {
	price, err := f.price(ctx, "team_monthly")
	if err != nil {
		return err
	}
	for n := range subscriptions {
		f.b.say("selling subscriptions: %s of %s", thousands(int64(n)), thousands(int64(subscriptions)))
		var customer, card struct{ ID string }
		if err := f.post(ctx, "/v1/customers", url.Values{"metadata[purser_user]": {fmt.Sprint("user-", n)}}, &customer); err != nil {
			return err
		}
		if err := f.post(ctx, "/v1/payment_methods/pm_card_visa/attach", url.Values{"customer": {customer.ID}}, &card); err != nil {
			return err
		}
		var sub struct {
			ID    string
			Items struct{ Data []struct{ ID string } }
		}
		if err := f.post(ctx, "/v1/subscriptions", url.Values{
			"customer": {customer.ID}, "items[0][price]": {price}, "items[0][quantity]": {"5"}, "default_payment_method": {card.ID},
		}, &sub); err != nil {
			return err
		}
		f.subs = append(f.subs, benchSold{sub.ID, sub.Items.Data[0].ID})
	}
	return nil
}

// follow lets subscriptions change at a rate, and measures each event from its receipt
// until what it tells was booked.
func (f *benchFollower) follow(ctx context.Context, rate int) (benchFollowed, error) {
	followed := benchFollowed{Rate: rate, PerSecond: f.perSecond}
	f.b.say("warming up")
	order := benchChanges{Subscriptions: f.subs, First: len(f.subs), Count: len(f.subs)}
	if err := f.away.change(order); err != nil {
		return followed, err
	}
	if err := f.worked(ctx); err != nil {
		return followed, err
	}
	f.watch.forget()
	before, err := f.cpu(ctx)
	if err != nil {
		return followed, err
	}
	order.First, order.Count, order.Rate = 2*len(f.subs), int(f.b.count.Seconds())*rate, rate
	err = f.b.during(fmt.Sprintf("following %d events a second", rate), f.b.count, func() error { return f.away.change(order) })
	if err != nil {
		return followed, err
	}
	if err := f.worked(ctx); err != nil {
		return followed, err
	}
	after, err := f.cpu(ctx)
	took := f.watch.took()
	followed.Events, followed.P50, followed.P99 = len(took), quantile(took, 50), quantile(took, 99)
	followed.CPU = after.each(before, len(took))
	return followed, err
}

// burst delivers many events of few subscriptions as fast as they are accepted, and counts
// how often Stripe is asked.
func (f *benchFollower) burst(ctx context.Context, events int) (benchBurst, error) {
	f.watch.forget()
	ids := make([]string, len(f.subs))
	for i, s := range f.subs {
		ids[i] = s.ID
	}
	begun := f.b.now()
	load, err := f.b.generate(ctx, benchOrder{
		Address: strings.TrimPrefix(f.svc.URL(), "http://"), Kind: benchEvent, Secret: f.secret, Prefix: "burst", Objects: ids, Clients: f.b.clients, Pools: 1,
		Members: 1, Total: events, Count: benchSecondsMax * time.Second,
	})
	if err != nil {
		return benchBurst{}, err
	}
	if err := f.worked(ctx); err != nil {
		return benchBurst{}, err
	}
	burst := benchBurst{Events: int(load.Acknowledged), Objects: len(ids), Seconds: rounded(f.b.now().Sub(begun).Seconds())}
	f.watch.mu.Lock()
	defer f.watch.mu.Unlock()
	for _, n := range f.watch.fetches {
		burst.Fetches += n
		burst.FetchesMax = max(burst.FetchesMax, n)
	}
	return burst, benchFailed("delivery", "deliveries", load)
}

// worked waits until Stripe has delivered and purser has worked everything.
func (f *benchFollower) worked(ctx context.Context) error {
	if err := f.at.control(ctx, "/deliveries/flush", nil); err != nil {
		return fmt.Errorf("waiting for Stripe's deliveries: %w", err)
	}
	return f.until(ctx, func() (bool, error) {
		counts, err := billing.CountEvents(ctx, f.db.Pool, billing.EventReceived)
		f.b.say("working events: %s left", thousands(counts[billing.EventReceived]))
		return counts[billing.EventReceived] == 0, err
	})
}

// until asks now and then, until it is so.
func (f *benchFollower) until(ctx context.Context, so func() (bool, error)) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if done, err := so(); err != nil || done {
			return err
		}
		select {
		case <-tick.C:
		case err := <-f.svc.Failed():
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// benchWatch reads in the log when events came and when they were worked, which is after
// the commit, and sees what Stripe is asked for.
type benchWatch struct {
	billing.Stripe
	now   func() time.Time
	attrs []slog.Attr // of a logger made of this one
	whole *benchWatch // the one that it was made of

	mu       sync.Mutex
	received map[string]time.Time
	times    []time.Duration
	early    map[string]time.Time // worked before their delivery's line was written
	fetches  map[string]int
}

func (w *benchWatch) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.received, w.early, w.times, w.fetches = map[string]time.Time{}, map[string]time.Time{}, nil, map[string]int{}
}

func (w *benchWatch) took() []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(slices.Values(w.times))
}

// FetchSubscription counts.
func (w *benchWatch) FetchSubscription(ctx context.Context, id string) (billing.Fetched, error) {
	w.mu.Lock()
	w.fetches[id]++
	w.mu.Unlock()
	return w.Stripe.FetchSubscription(ctx, id)
}

// Enabled wants what is written in a service's daily work.
func (w *benchWatch) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo
}

// WithAttrs keeps the attributes, as the event's id may be among them.
func (w *benchWatch) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &benchWatch{attrs: slices.Concat(w.attrs, attrs), whole: w.root()}
}

// WithGroup is of no use here.
func (w *benchWatch) WithGroup(string) slog.Handler { return w }

func (w *benchWatch) root() *benchWatch {
	if w.whole != nil {
		return w.whole
	}
	return w
}

// Handle notes when an event came and when it was worked.
func (w *benchWatch) Handle(_ context.Context, line slog.Record) error {
	if line.Message != "stripe delivery" && line.Message != "event worked" {
		return nil
	}
	id, lasted := "", time.Duration(0)
	see := func(a slog.Attr) bool {
		switch a.Key {
		case "event":
			id = a.Value.String()
		case "duration":
			lasted = a.Value.Duration()
		}
		return true
	}
	for _, a := range w.attrs {
		see(a)
	}
	line.Attrs(see)
	w.root().note(id, line.Message == "event worked", lasted)
	return nil
}

// note pairs an event's receipt with its end, in whichever order they are told.
func (w *benchWatch) note(id string, worked bool, lasted time.Duration) {
	at := w.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.early == nil {
		w.early = map[string]time.Time{}
	}
	if worked {
		if came, ok := w.received[id]; ok {
			w.times = append(w.times, at.Sub(came))
		} else {
			w.early[id] = at
		}
		return
	}
	came := at.Add(-lasted)
	w.received[id] = came
	if ended, ok := w.early[id]; ok {
		w.times = append(w.times, ended.Sub(came))
	}
}
