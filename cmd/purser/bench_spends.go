package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
	"slices"
	"time"
)

// benchSpendsCommand measures spends.
type benchSpendsCommand struct {
	Pools      int       `default:"1" help:"How many teams to spend from, each with a pool of its own; at most 100,000."`
	Clients    int       `default:"64" help:"How many spend at once, each waiting for its answer; at most 4,096."`
	Seconds    int       `default:"10" help:"How long each of the measurements takes; at most 600."`
	Processes  int       `default:"1" help:"With more than one, spends are measured once more with as many servers on the one database, the clients spread over them; at most 4."`
	CPUProfile string    `name:"cpuprofile" placeholder:"FILE" help:"Write a CPU profile of the first measurement's server, for go tool pprof."`
	Show       showFlags `embed:""`
}

func (c *benchSpendsCommand) check() error {
	return checkBounds(bounded{"--pools", c.Pools, benchPoolsMax}, bounded{"--clients", c.Clients, benchClientsMax},
		bounded{"--seconds", c.Seconds, benchSecondsMax}, bounded{"--processes", c.Processes, benchProcessesMax})
}

// Run measures, and audits what came of it.
func (c *benchSpendsCommand) Run(ctx context.Context, p *program) error {
	if err := c.check(); err != nil {
		return err
	}
	profile, err := openProfile(c.CPUProfile)
	if err != nil {
		return err
	}
	report := &benchReport{Pools: c.Pools, Clients: c.Clients, Seconds: c.Seconds, Processes: c.Processes}
	err = benchRun(ctx, p, func(b *bench) error {
		b.pools, b.members, b.clients, b.count = c.Pools, max(2, benchSpenders/c.Pools), c.Clients, time.Duration(c.Seconds)*time.Second
		return c.measure(ctx, b, report, profile)
	})
	if err != nil {
		return err
	}
	if err := report.print(p, c.Show.JSON); err != nil {
		return err
	}
	return report.verdict()
}

// openProfile makes the file that a profile is wanted in, if any.
func openProfile(name string) (*os.File, error) {
	if name == "" {
		return nil, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, fmt.Errorf("making the profile: %w", err)
	}
	return f, nil
}

func (c *benchSpendsCommand) measure(ctx context.Context, b *bench, r *benchReport, profile *os.File) error {
	if err := b.prepare(ctx); err != nil {
		return err
	}
	gathered, err := profiled(profile, func() (benchLoad, error) { return b.load(ctx, benchSpend, false) })
	if err != nil {
		return err
	}
	var several benchLoad
	if c.Processes > 1 {
		if several, err = b.loadSeveral(ctx, benchSpend, c.Processes); err != nil {
			return err
		}
	}
	alone, err := b.load(ctx, benchSpend, true)
	if err != nil {
		return err
	}
	if r.FloorPerSecond, err = b.floor(ctx, floorSpend); err != nil {
		return err
	}
	r.took(gathered, alone, several)
	if r.Differences, err = b.audit(ctx); err != nil {
		return err
	}
	r.Booked, err = b.booked(ctx)
	return err
}

// profiled runs one measurement under the profiler, if a profile is wanted.
func profiled[R any](to *os.File, measure func() (R, error)) (got R, err error) {
	if to == nil {
		return measure()
	}
	if err := pprof.StartCPUProfile(to); err != nil {
		return got, fmt.Errorf("profiling: %w", err)
	}
	got, err = measure()
	pprof.StopCPUProfile()
	return got, errors.Join(err, to.Close())
}

// benchReport is what was measured of spends.
type benchReport struct {
	Pools   int `json:"pools"`
	Clients int `json:"clients"`
	Seconds int `json:"seconds"`
	benchFigures

	Processes        int     `json:"processes"` // the three below are of several
	SeveralPerSecond float64 `json:"several_per_second,omitempty"`
	SeveralP50       float64 `json:"several_p50_ms,omitempty"`
	SeveralP99       float64 `json:"several_p99_ms,omitempty"`

	Spends      int64 `json:"spends"`  // acknowledged, warming up included
	Retries     int64 `json:"retries"` // after a 503, with the same key
	Errors      int64 `json:"errors"`
	Credits     int64 `json:"credits_acknowledged"`
	Booked      int64 `json:"credits_booked"`
	Differences int64 `json:"differences"`

	failed error
}

// took takes in what the load generators counted.
func (r *benchReport) took(gathered, alone, several benchLoad) {
	r.benchFigures.took(gathered, alone)
	r.SeveralPerSecond, r.SeveralP50, r.SeveralP99 = several.PerSecond, several.P50, several.P99
	for _, l := range []benchLoad{gathered, alone, several} {
		r.Spends += l.Acknowledged
		r.Retries += l.Retries
		r.Errors += l.Errors
	}
	r.Credits = r.Spends * benchCredits
	r.failed = benchFailed("spend", "spends", gathered, alone, several)
}

func (r *benchReport) print(p *program, asJSON bool) error {
	if asJSON {
		return printJSON(p.out, r)
	}
	rows := r.rows("spends, gathered", "spends, a transaction each", "UPDATE and INSERT, no HTTP, no rules")
	if r.Processes > 1 {
		rows = slices.Insert(rows, 1, []string{
			fmt.Sprintf("the same in %d processes", r.Processes), number(r.SeveralPerSecond), milliseconds(r.SeveralP50), milliseconds(r.SeveralP99),
		})
	}
	err := printTable(p.out, benchHead, rows)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.out, "\n%s, %s, %s each; gathered is %.2f times as fast\n%s, %s, %s; %s acknowledged, %s booked\naudit: %s\n",
		count(r.Pools, "pool", "pools"), count(r.Clients, "client", "clients"), count(r.Seconds, "second", "seconds"), r.Ratio,
		count(r.Spends, "spend", "spends"), count(r.Retries, "retry", "retries"), count(r.Errors, "error", "errors"), count(r.Credits, "credit", "credits"),
		count(r.Booked, "credit", "credits"), count(r.Differences, "difference", "differences"))
	return err
}

// verdict fails unless every spend was answered, and booked once.
func (r *benchReport) verdict() error {
	switch {
	case r.Errors > 0:
		return r.failed
	case r.Differences > 0 || r.Booked != r.Credits:
		return errFound
	}
	return nil
}
