package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// benchEventsCommand measures Stripe's events: how fast they are accepted, how soon after
// an event the pool is right, and how often Stripe is asked in a burst.
type benchEventsCommand struct {
	Clients       int       `default:"64" help:"How many deliver events at once; at most 4,096."`
	Seconds       int       `default:"5" help:"How long each measurement takes; at most 600."`
	Rate          int       `default:"80" help:"How many subscriptions a second change while Stripe is asked 80 times a second at most; at most 1,000."`
	LiftedRate    int       `default:"200" help:"How many a second change with that limit lifted; at most 1,000."`
	Burst         int       `default:"1000" help:"How many events the burst has; at most 100,000."`
	Subscriptions int       `default:"100" help:"How many subscriptions the burst tells of; at most 10,000."`
	Only          string    `enum:"all,accept,limited,lifted" default:"all" help:"Measure only one of: accept, how fast events are accepted; limited, within Stripe's limit, with the burst; lifted, beyond it."`
	CPUProfile    string    `name:"cpuprofile" placeholder:"FILE" help:"Write a CPU profile of purser while the limit is lifted, for go tool pprof."`
	Show          showFlags `embed:""`
}

// Stripe allows 100 reads a second, of which purser takes 80.
const (
	benchStripeLimit  = 80
	benchStripeLifted = 10_000
)

// benchEventsReport is what was measured.
type benchEventsReport struct {
	Clients int `json:"clients"`
	Seconds int `json:"seconds"`
	benchFigures
	Accepted int64           `json:"accepted"` // warming up included
	Followed []benchFollowed `json:"followed"`
	Burst    benchBurst      `json:"burst"`
}

// benchFollowed is how soon pools followed events that came at a rate.
type benchFollowed struct {
	Rate      int     `json:"rate"`
	PerSecond float64 `json:"stripe_per_second"` // that Stripe may be asked
	Events    int     `json:"events"`
	P50       float64 `json:"p50_ms"` // from an event's receipt until its pool was right
	P99       float64 `json:"p99_ms"`

	CPU benchCPU `json:"cpu_ms_per_event"`
}

// benchBurst is how often Stripe was asked in a burst.
type benchBurst struct {
	Events     int     `json:"events"`
	Objects    int     `json:"objects"`
	Fetches    int     `json:"fetches"`
	FetchesMax int     `json:"fetches_per_object_max"`
	Seconds    float64 `json:"seconds"` // until the last event was worked
}

// Run measures.
func (c *benchEventsCommand) Run(ctx context.Context, p *program) error {
	err := checkBounds(bounded{"--clients", c.Clients, benchClientsMax}, bounded{"--seconds", c.Seconds, benchSecondsMax},
		bounded{"--rate", c.Rate, 1000}, bounded{"--lifted-rate", c.LiftedRate, 1000}, bounded{"--burst", c.Burst, 100_000},
		bounded{"--subscriptions", c.Subscriptions, 10_000})
	if err != nil {
		return err
	}
	profile, err := openProfile(c.CPUProfile)
	if err != nil {
		return err
	}
	r := &benchEventsReport{Clients: c.Clients, Seconds: c.Seconds}
	err = benchRun(ctx, p, func(b *bench) error {
		b.clients, b.count = c.Clients, time.Duration(c.Seconds)*time.Second
		return r.measure(ctx, b, c, profile)
	})
	if err != nil {
		return err
	}
	return r.print(p, c.Show.JSON)
}

// measure measures what is wanted.
func (r *benchEventsReport) measure(ctx context.Context, b *bench, c *benchEventsCommand, profile *os.File) error {
	wanted := func(part string) bool { return c.Only == "all" || c.Only == part }
	if wanted("accept") {
		if err := r.accept(ctx, b); err != nil {
			return err
		}
	}
	if wanted("limited") {
		if err := r.limited(ctx, b, c); err != nil {
			return err
		}
	}
	if wanted("lifted") {
		return r.lifted(ctx, b, c, profile)
	}
	return nil
}

// accept measures the receiver alone: no job is worked.
func (r *benchEventsReport) accept(ctx context.Context, b *bench) error {
	if err := b.prepare(ctx); err != nil {
		return err
	}
	gathered, err := b.load(ctx, benchEvent, false)
	if err != nil {
		return err
	}
	alone, err := b.load(ctx, benchEvent, true)
	if err != nil {
		return err
	}
	if r.FloorPerSecond, err = b.floor(ctx, floorEvent); err != nil {
		return err
	}
	r.took(gathered, alone)
	r.Accepted = gathered.Acknowledged + alone.Acknowledged
	return benchFailed("delivery", "deliveries", gathered, alone)
}

// limited measures with as many requests a second as Stripe lets us make.
func (r *benchEventsReport) limited(ctx context.Context, b *bench, c *benchEventsCommand) error {
	f, err := b.follower(ctx, "limited", benchStripeLimit, c.Subscriptions)
	if err != nil {
		return err
	}
	defer f.stop(ctx)
	followed, err := f.follow(ctx, c.Rate)
	if err != nil {
		return err
	}
	r.Followed = append(r.Followed, followed)
	r.Burst, err = f.burst(ctx, c.Burst)
	return err
}

// lifted measures what purser itself could do.
func (r *benchEventsReport) lifted(ctx context.Context, b *bench, c *benchEventsCommand, profile *os.File) error {
	f, err := b.follower(ctx, "lifted", benchStripeLifted, c.Subscriptions)
	if err != nil {
		return err
	}
	defer f.stop(ctx)
	followed, err := profiled(profile, func() (benchFollowed, error) { return f.follow(ctx, c.LiftedRate) })
	r.Followed = append(r.Followed, followed)
	return err
}

func (r *benchEventsReport) print(p *program, asJSON bool) error {
	if asJSON {
		return printJSON(p.out, r)
	}
	var rows [][]string
	if r.Accepted > 0 {
		rows = r.rows("events accepted, gathered", "events accepted, a transaction each", "INSERT, no HTTP, no job")
	}
	for _, f := range r.Followed {
		what := fmt.Sprintf("event to pool, Stripe asked %s times a second at most", thousands(int64(f.PerSecond)))
		rows = append(rows, []string{what, number(float64(f.Rate)), milliseconds(f.P50), milliseconds(f.P99)})
	}
	if err := printTable(p.out, benchHead, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(p.out, "\n%s, %s each\n%s", count(r.Clients, "client", "clients"), count(r.Seconds, "second", "seconds"), r.more())
	return err
}

// more tells what has no place in a table.
func (r *benchEventsReport) more() (text string) {
	if r.Accepted > 0 {
		text = fmt.Sprintf("gathered is %.2f times as fast\n", r.Ratio)
	}
	for _, f := range r.Followed {
		text += fmt.Sprintf("time of a core for an event at %d a second: purser %.2f ms, PostgreSQL %.2f ms, the local Stripe and the load %.2f ms\n",
			f.Rate, f.CPU.Purser, f.CPU.PostgreSQL, f.CPU.Stripe)
	}
	if b := r.Burst; b.Events > 0 {
		text += fmt.Sprintf("burst: %s of %s in %.1f s with %s, at most %d for one\n", count(b.Events, "event", "events"),
			count(b.Objects, "subscription", "subscriptions"), b.Seconds, count(b.Fetches, "fetch", "fetches"), b.FetchesMax)
	}
	return text
}
