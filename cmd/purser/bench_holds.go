package main

import (
	"context"
	"fmt"
	"time"
)

// benchHoldsCommand measures holds with their captures.
type benchHoldsCommand struct {
	Pools   int       `default:"1" help:"How many teams to hold credits of, each with a pool of its own; at most 100,000."`
	Clients int       `default:"64" help:"How many hold and capture at once; at most 4,096."`
	Seconds int       `default:"5" help:"How long each of the three measurements takes; at most 600."`
	Show    showFlags `embed:""`
}

// benchHoldsReport is what was measured of pairs of a hold and its capture.
type benchHoldsReport struct {
	Pools   int `json:"pools"`
	Clients int `json:"clients"`
	Seconds int `json:"seconds"`
	benchFigures
	Pairs       int64 `json:"pairs"` // acknowledged, warming up included
	Booked      int64 `json:"credits_booked"`
	Differences int64 `json:"differences"`
}

// Run measures, and audits what came of it.
func (c *benchHoldsCommand) Run(ctx context.Context, p *program) error {
	err := checkBounds(bounded{"--pools", c.Pools, benchPoolsMax}, bounded{"--clients", c.Clients, benchClientsMax},
		bounded{"--seconds", c.Seconds, benchSecondsMax})
	if err != nil {
		return err
	}
	r := &benchHoldsReport{Pools: c.Pools, Clients: c.Clients, Seconds: c.Seconds}
	err = benchRun(ctx, p, func(b *bench) error {
		b.pools, b.members, b.clients, b.count = c.Pools, max(2, benchSpenders/c.Pools), c.Clients, time.Duration(c.Seconds)*time.Second
		return r.measure(ctx, b)
	})
	if err != nil {
		return err
	}
	if err := r.print(p, c.Show.JSON); err != nil {
		return err
	}
	if r.Differences > 0 || r.Booked != r.Pairs*benchCredits {
		return errFound
	}
	return nil
}

func (r *benchHoldsReport) measure(ctx context.Context, b *bench) error {
	if err := b.prepare(ctx); err != nil {
		return err
	}
	gathered, err := b.load(ctx, benchHold, false)
	if err != nil {
		return err
	}
	alone, err := b.load(ctx, benchHold, true)
	if err != nil {
		return err
	}
	if r.FloorPerSecond, err = b.floor(ctx, floorPair); err != nil {
		return err
	}
	r.took(gathered, alone)
	r.Pairs = gathered.Acknowledged + alone.Acknowledged
	if r.Differences, err = b.audit(ctx); err != nil {
		return err
	}
	if r.Booked, err = b.booked(ctx); err != nil {
		return err
	}
	return benchFailed("pair", "pairs", gathered, alone)
}

func (r *benchHoldsReport) print(p *program, asJSON bool) error {
	if asJSON {
		return printJSON(p.out, r)
	}
	err := printTable(p.out, benchHead, r.rows("hold and capture, gathered", "hold and capture, a transaction each", "twice UPDATE and INSERT, no HTTP, no rules"))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.out, "\n%s, %s, %s each; gathered is %.2f times as fast, and %.2f times the two plain transactions\n%s; audit: %s\n",
		count(r.Pools, "pool", "pools"), count(r.Clients, "client", "clients"), count(r.Seconds, "second", "seconds"), r.Ratio,
		ratio(r.PerSecond, r.FloorPerSecond), count(r.Pairs, "pair", "pairs"), count(r.Differences, "difference", "differences"))
	return err
}
