package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// benchFairCommand measures whether a loud team makes a quiet one wait, and what becomes
// of more than the server can do.
type benchFairCommand struct {
	Clients int       `default:"256" help:"How many clients the loud team has; at most 4,095."`
	Rate    int       `default:"20000" help:"How many spends a second are asked for in the flood, whether or not they are answered; at most 100,000."`
	Queue   int       `default:"64" help:"How many spends may wait in the flood."`
	Seconds int       `default:"5" help:"How long each of the three measurements takes; at most 600."`
	Show    showFlags `embed:""`
}

// benchFairReport is what was measured: one client of a quiet pool alone, the same beside
// a loud pool, and a flood against a short queue.
type benchFairReport struct {
	Clients int `json:"clients"`
	Seconds int `json:"seconds"`

	P50         float64 `json:"p50_ms"` // of the quiet pool, beside the loud one
	P99         float64 `json:"p99_ms"`
	IdleP50     float64 `json:"baseline_p50_ms"` // of the quiet pool, alone
	IdleP99     float64 `json:"baseline_p99_ms"`
	Ratio       float64 `json:"ratio"` // of the two p99
	LoudPerSecs float64 `json:"loud_per_second"`
	LoudP99     float64 `json:"loud_p99_ms"`

	Flood benchFloodReport `json:"flood"`
}

// benchFloodReport is what became of more than the server can do.
type benchFloodReport struct {
	Rate      int     `json:"rate"`
	Queue     int     `json:"queue"`
	PerSecond float64 `json:"per_second"` // acknowledged
	Refused   int64   `json:"refused"`    // with 503 and Retry-After
	P99       float64 `json:"p99_ms"`     // of those acknowledged, since they were to be asked for
	MemoryMiB float64 `json:"peak_memory_mib"`
}

// Run measures.
func (c *benchFairCommand) Run(ctx context.Context, p *program) error {
	err := checkBounds(bounded{"--clients", c.Clients, benchClientsMax - 1}, bounded{"--seconds", c.Seconds, benchSecondsMax},
		bounded{"--rate", c.Rate, benchRateMax}, bounded{"--queue", c.Queue, benchRateMax})
	if err != nil {
		return err
	}
	r := &benchFairReport{Clients: c.Clients, Seconds: c.Seconds, Flood: benchFloodReport{Rate: c.Rate, Queue: c.Queue}}
	err = benchRun(ctx, p, func(b *bench) error {
		b.pools, b.members, b.clients, b.count = 2, benchSpenders, c.Clients, time.Duration(c.Seconds)*time.Second
		return r.measure(ctx, b)
	})
	if err != nil {
		return err
	}
	return r.print(p, c.Show.JSON)
}

func (r *benchFairReport) measure(ctx context.Context, b *bench) error {
	if err := b.prepare(ctx); err != nil {
		return err
	}
	if err := b.settle(ctx); err != nil {
		return err
	}
	s, err := b.serve(ctx, benchServing{})
	if err != nil {
		return err
	}
	if err := errors.Join(r.fairness(ctx, b, s), s.stop(ctx)); err != nil {
		return err
	}
	if err := b.settle(ctx); err != nil {
		return err
	}
	if s, err = b.serve(ctx, benchServing{queue: r.Flood.Queue}); err != nil {
		return err
	}
	return errors.Join(r.flood(ctx, b, s), s.stop(ctx))
}

// fairness asks for the quiet pool alone, and then beside the loud one, which begins before
// and ends after it.
func (r *benchFairReport) fairness(ctx context.Context, b *bench, s *benchServer) error {
	quiet := b.order(s, benchSpend, "quiet-alone")
	quiet.First, quiet.Pools, quiet.Clients = 1, 1, 1
	idle, err := b.generate(ctx, quiet)
	if err != nil {
		return err
	}
	loud := b.order(s, benchSpend, "loud")
	loud.Pools, loud.Count = 1, quiet.Count+quiet.Warm
	type outcome struct {
		load benchLoad
		err  error
	}
	others := make(chan outcome, 1)
	go func() {
		load, err := generate(ctx, loud)
		others <- outcome{load, err}
	}()
	quiet.Prefix, quiet.Warm = "quiet-beside-loud", 2*quiet.Warm
	beside, err := b.generate(ctx, quiet)
	o := <-others
	if err := errors.Join(err, o.err); err != nil {
		return err
	}
	r.IdleP50, r.IdleP99, r.P50, r.P99 = idle.P50, idle.P99, beside.P50, beside.P99
	r.Ratio = ratio(beside.P99, idle.P99)
	r.LoudPerSecs, r.LoudP99 = o.load.PerSecond, o.load.P99
	return benchFailed("spend", "spends", idle, beside, o.load)
}

// flood asks for more than the server can do, whether or not it answers.
func (r *benchFairReport) flood(ctx context.Context, b *bench, s *benchServer) error {
	order := b.order(s, benchFlood, "flood")
	order.Rate, order.Clients = r.Flood.Rate, 1024
	resetPeak()
	load, err := b.generate(ctx, order)
	if err != nil {
		return err
	}
	r.Flood.PerSecond, r.Flood.P99, r.Flood.Refused, r.Flood.MemoryMiB = load.PerSecond, load.P99, load.Refused, peakMiB()
	return benchFailed("spend", "spends", load)
}

func (r *benchFairReport) print(p *program, asJSON bool) error {
	if asJSON {
		return printJSON(p.out, r)
	}
	err := printTable(p.out, benchHead, [][]string{
		{"quiet pool, alone", "", milliseconds(r.IdleP50), milliseconds(r.IdleP99)},
		{"quiet pool, beside a loud one", "", milliseconds(r.P50), milliseconds(r.P99)},
		{"loud pool, " + count(r.Clients, "client", "clients"), number(r.LoudPerSecs), "", milliseconds(r.LoudP99)},
		{"flood of " + thousands(int64(r.Flood.Rate)) + "/s, queue of " + thousands(int64(r.Flood.Queue)), number(r.Flood.PerSecond), "", milliseconds(r.Flood.P99)},
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.out, "\nthe quiet pool's p99 is %.2f times that of before; of the flood %s refused with Retry-After, %.0f MiB at most\n",
		r.Ratio, count(r.Flood.Refused, "spend was", "spends were"), r.Flood.MemoryMiB)
	return err
}
