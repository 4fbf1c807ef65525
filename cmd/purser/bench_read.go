package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// benchReadCommand measures reads of a pool with a long history.
type benchReadCommand struct {
	Spends  int       `default:"100000" help:"How many spends are behind the pool that is read; at most 20,000,000."`
	Clients int       `default:"16" help:"How many read at once; at most 4,096."`
	Seconds int       `default:"5" help:"How long each of the two measurements takes; at most 600."`
	Show    showFlags `embed:""`
}

// benchReadReport is what was measured: a pool with a history against one without.
type benchReadReport struct {
	Spends  int `json:"spends"`
	Clients int `json:"clients"`
	Seconds int `json:"seconds"`
	benchFigures
	P99Ratio float64 `json:"p99_ratio"`
}

// benchPostingsMax bounds how much history a measurement writes first.
const benchPostingsMax = 20_000_000

// Run measures.
func (c *benchReadCommand) Run(ctx context.Context, p *program) error {
	err := checkBounds(bounded{"--spends", c.Spends, benchPostingsMax}, bounded{"--clients", c.Clients, benchClientsMax},
		bounded{"--seconds", c.Seconds, benchSecondsMax})
	if err != nil {
		return err
	}
	r := &benchReadReport{Spends: c.Spends, Clients: c.Clients, Seconds: c.Seconds}
	err = benchRun(ctx, p, func(b *bench) error {
		b.pools, b.members, b.clients, b.count = 2, benchSpenders, c.Clients, time.Duration(c.Seconds)*time.Second
		return r.measure(ctx, b)
	})
	if err != nil {
		return err
	}
	return r.print(p, c.Show.JSON)
}

// measure reads both pools from one server, by turns, so that both meet the machine at its
// best and at its worst.
func (r *benchReadReport) measure(ctx context.Context, b *bench) error {
	if err := b.prepare(ctx); err != nil {
		return err
	}
	if err := b.history(ctx, 0, 1, r.Spends); err != nil {
		return err
	}
	if err := b.settle(ctx); err != nil {
		return err
	}
	s, err := b.serve(ctx, benchServing{})
	if err != nil {
		return err
	}
	long, empty := b.order(s, benchRead, "a long history"), b.order(s, benchRead, "no history")
	long.First, long.Pools, empty.First, empty.Pools = 0, 1, 1, 1
	full, err := b.generate(ctx, long)
	none := benchLoad{}
	if err == nil {
		none, err = b.generate(ctx, empty)
	}
	if err = errors.Join(err, s.stop(ctx)); err != nil {
		return err
	}
	r.took(full, none)
	r.P99Ratio = ratio(full.P99, none.P99)
	return benchFailed("read", "reads", full, none)
}

func (r *benchReadReport) print(p *program, asJSON bool) error {
	if asJSON {
		return printJSON(p.out, r)
	}
	if err := printTable(p.out, benchHead, r.rows("pool with "+thousands(int64(r.Spends))+" spends", "pool with none", "")); err != nil {
		return err
	}
	_, err := fmt.Fprintf(p.out, "\n%s, %s each; 99 of 100 take at most %.2f times as long\n", count(r.Clients, "client", "clients"),
		count(r.Seconds, "second", "seconds"), r.P99Ratio)
	return err
}
