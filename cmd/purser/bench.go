package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime/pprof"
	"time"

	"purser/billing"
)

// benchSpendsCommand measures spends. It takes no database: nobody's own should be filled
// with them.
type benchSpendsCommand struct {
	Pools      int       `default:"1" help:"How many teams to spend from, each with a pool of its own; at most 100,000."`
	Clients    int       `default:"64" help:"How many spend at once, each waiting for its answer; at most 4,096."`
	Seconds    int       `default:"10" help:"How long each of the three measurements takes; at most 600."`
	CPUProfile string    `name:"cpuprofile" placeholder:"FILE" help:"Write a CPU profile of the first measurement's server, for go tool pprof."`
	Show       showFlags `embed:""`
}

// Bounds of a measurement. What it writes stays on the disk until it ends.
const (
	benchPoolsMax   = 100_000
	benchClientsMax = 4096
	benchSecondsMax = 600
)

// benchWarm is how long each measurement runs before it counts: statements are prepared
// and connections opened by then.
const benchWarm = time.Second

func (c *benchSpendsCommand) check() error {
	for _, f := range []struct {
		name    string
		got, to int
	}{{"--pools", c.Pools, benchPoolsMax}, {"--clients", c.Clients, benchClientsMax}, {"--seconds", c.Seconds, benchSecondsMax}} {
		if f.got < 1 || f.got > f.to {
			return usage("%s must be between 1 and %d, not %d", f.name, f.to, f.got)
		}
	}
	return nil
}

// Run measures, and audits what came of it.
func (c *benchSpendsCommand) Run(ctx context.Context, p *program) error {
	if err := c.check(); err != nil {
		return err
	}
	profile, err := c.openProfile()
	if err != nil {
		return err
	}
	report, err := c.measure(ctx, p, profile)
	if err != nil {
		return err
	}
	if err := report.print(p, c.Show.JSON); err != nil {
		return err
	}
	return report.verdict()
}

func (c *benchSpendsCommand) openProfile() (*os.File, error) {
	if c.CPUProfile == "" {
		return nil, nil
	}
	f, err := os.Create(c.CPUProfile)
	if err != nil {
		return nil, fmt.Errorf("making the profile: %w", err)
	}
	return f, nil
}

// measure does all that is measured on one database in one run, so that the figures may
// be compared: machines and their other work differ more than programs do.
func (c *benchSpendsCommand) measure(ctx context.Context, p *program, profile *os.File) (_ *benchReport, err error) {
	dir, err := temporaryDir()
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	db, err := openDatabase(ctx, "", filepath.Join(dir, "postgres"), p.logger())
	if err != nil {
		return nil, err
	}
	defer db.Close()
	b := &bench{command: c, db: db, catalog: billing.DemoCatalog(), now: p.now, progress: io.Discard}
	if terminal(p.err) {
		b.progress = p.err
	}
	defer b.say("")
	if err := b.prepare(ctx); err != nil {
		return nil, err
	}
	r := &benchReport{Pools: c.Pools, Clients: c.Clients, Seconds: c.Seconds}
	gathered, err := b.profiled(profile, func() (benchLoad, error) { return b.spends(ctx, false) })
	if err != nil {
		return nil, err
	}
	alone, err := b.spends(ctx, true)
	if err != nil {
		return nil, err
	}
	if r.FloorPerSecond, err = b.floor(ctx); err != nil {
		return nil, err
	}
	r.took(gathered, alone)
	return r, b.audit(ctx, r)
}

// profiled runs one measurement under the profiler, if a profile is wanted.
func (b *bench) profiled(to *os.File, measure func() (benchLoad, error)) (benchLoad, error) {
	if to == nil {
		return measure()
	}
	if err := pprof.StartCPUProfile(to); err != nil {
		return benchLoad{}, fmt.Errorf("profiling: %w", err)
	}
	load, err := measure()
	pprof.StopCPUProfile()
	return load, errors.Join(err, to.Close())
}

// benchReport is what was measured.
type benchReport struct {
	Pools   int `json:"pools"`
	Clients int `json:"clients"`
	Seconds int `json:"seconds"`

	PerSecond         float64 `json:"per_second"`
	P50               float64 `json:"p50_ms"`
	P99               float64 `json:"p99_ms"`
	BaselinePerSecond float64 `json:"baseline_per_second"`
	BaselineP50       float64 `json:"baseline_p50_ms"`
	BaselineP99       float64 `json:"baseline_p99_ms"`
	FloorPerSecond    float64 `json:"floor_per_second"`
	Ratio             float64 `json:"ratio"`

	Spends      int64 `json:"spends"`  // acknowledged, warming up included
	Retries     int64 `json:"retries"` // after a 503, with the same key
	Errors      int64 `json:"errors"`
	Credits     int64 `json:"credits_acknowledged"`
	Booked      int64 `json:"credits_booked"`
	Differences int64 `json:"differences"`

	firstError string
}

// took takes in what the two load generators counted.
func (r *benchReport) took(gathered, alone benchLoad) {
	r.PerSecond, r.P50, r.P99 = gathered.PerSecond, gathered.P50, gathered.P99
	r.BaselinePerSecond, r.BaselineP50, r.BaselineP99 = alone.PerSecond, alone.P50, alone.P99
	if alone.PerSecond > 0 {
		r.Ratio = rounded(gathered.PerSecond / alone.PerSecond)
	}
	r.Spends = gathered.Acknowledged + alone.Acknowledged
	r.Retries = gathered.Retries + alone.Retries
	r.Errors = gathered.Errors + alone.Errors
	r.Credits = r.Spends * benchCredits
	r.firstError = gathered.FirstError
	if r.firstError == "" {
		r.firstError = alone.FirstError
	}
}

func (r *benchReport) print(p *program, asJSON bool) error {
	if asJSON {
		return printJSON(p.out, r)
	}
	number := func(n float64) string { return thousands(int64(math.Round(n))) }
	milliseconds := func(n float64) string { return fmt.Sprintf("%.2f ms", n) }
	err := printTable(p.out, []string{"WHAT", "PER SECOND", "P50", "P99"}, [][]string{
		{"spends, gathered", number(r.PerSecond), milliseconds(r.P50), milliseconds(r.P99)},
		{"spends, a transaction each", number(r.BaselinePerSecond), milliseconds(r.BaselineP50), milliseconds(r.BaselineP99)},
		{"UPDATE and INSERT, no HTTP, no rules", number(r.FloorPerSecond)},
	})
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
		return fmt.Errorf("%s failed; the first: %s", count(r.Errors, "spend", "spends"), r.firstError)
	case r.Differences > 0 || r.Booked != r.Credits:
		return errFound
	}
	return nil
}
