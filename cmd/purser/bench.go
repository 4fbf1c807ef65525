package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"purser/billing"
)

// Bounds of a measurement. What it writes stays on the disk until it ends.
const (
	benchPoolsMax   = 100_000
	benchClientsMax = 4096
	benchSecondsMax = 600
)

// benchWarm is how long each measurement runs before it counts: statements are prepared
// and connections opened by then.
const benchWarm = time.Second

// bounded is a flag with the numbers that it may have.
type bounded struct {
	name    string
	got, to int
}

// checkBounds refuses what isn't between 1 and its bound.
func checkBounds(flags ...bounded) error {
	for _, f := range flags {
		if f.got < 1 || f.got > f.to {
			return usage("%s must be between 1 and %d, not %d", f.name, f.to, f.got)
		}
	}
	return nil
}

// bench is a measurement under way, on a database of its own: nobody's should be filled
// with what it writes.
type bench struct {
	db       *database
	catalog  *billing.Catalog
	now      func() time.Time
	progress io.Writer // where somebody watches

	pools   int // teams, each with a pool of its own
	members int // of each team
	clients int
	count   time.Duration // how long each measurement takes

	start    time.Time       // when the teams were made
	bonuses  []time.Duration // the lives of the lots beside the monthly one
	renewed  bool            // whether the month after the first is paid, too
	turned   bool            // whether their first month has turned before others are made in their image
	classes  int             // of lots that a history drew on
	token    string          // of the API key
	template benchTemplate
}

// benchRun makes a database for one run, does what is to be measured, and leaves nothing.
// All that is compared is measured on one database in one run: machines and their other
// work differ more than programs do.
func benchRun(ctx context.Context, p *program, do func(b *bench) error) error {
	dir, err := temporaryDir()
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	db, err := openDatabase(ctx, "", filepath.Join(dir, "postgres"), p.logger())
	if err != nil {
		return err
	}
	defer db.Close()
	b := &bench{
		db: db, catalog: billing.DemoCatalog(), now: p.now, progress: progressOf(p), pools: 1, members: 2, clients: 1, classes: 1, count: benchWarm,
		start: p.now().UTC().Truncate(time.Second), bonuses: []time.Duration{90 * 24 * time.Hour, 180 * 24 * time.Hour},
	}
	defer b.say("")
	return do(b)
}

func progressOf(p *program) io.Writer {
	if terminal(p.err) {
		return p.err
	}
	return io.Discard
}

// say shows what is being done, in place of what was shown before.
func (b *bench) say(format string, args ...any) {
	_, _ = fmt.Fprintf(b.progress, "\r\x1b[K"+format, args...)
}

// during shows that something goes on, and for how long yet.
func (b *bench) during(what string, whole time.Duration, do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	begun := b.now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		b.say("%s: %d of %d s", what, int(b.now().Sub(begun).Seconds()), int(whole.Seconds()))
		select {
		case err := <-done:
			return err
		case <-tick.C:
		}
	}
}

// durable looks that the database keeps what it acknowledges.
func (b *bench) durable(ctx context.Context) error {
	for _, setting := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
		var value string
		if err := b.db.Pool.QueryRow(ctx, `SELECT current_setting($1)`, setting).Scan(&value); err != nil {
			return fmt.Errorf("reading %s: %w", setting, err)
		}
		if value != "on" {
			return fmt.Errorf("%s is %s: what isn't durable isn't worth measuring", setting, value)
		}
	}
	return nil
}

// settle lets the database finish what was written before, so that no measurement pays
// for another's.
func (b *bench) settle(ctx context.Context) error {
	b.say("settling the database")
	for _, sql := range []string{`VACUUM ANALYZE`, `CHECKPOINT`} {
		if _, err := b.db.Pool.Exec(ctx, sql); err != nil {
			return fmt.Errorf("settling the database: %w", err)
		}
	}
	return nil
}

// benchFigures are what every measurement has: how fast, how fast is what it is compared
// with, and how long one takes.
type benchFigures struct {
	PerSecond         float64 `json:"per_second"`
	P50               float64 `json:"p50_ms"`
	P99               float64 `json:"p99_ms"`
	BaselinePerSecond float64 `json:"baseline_per_second"`
	BaselineP50       float64 `json:"baseline_p50_ms"`
	BaselineP99       float64 `json:"baseline_p99_ms"`
	FloorPerSecond    float64 `json:"floor_per_second,omitempty"`
	Ratio             float64 `json:"ratio"`
}

// took takes in what the two load generators counted.
func (f *benchFigures) took(measured, baseline benchLoad) {
	f.PerSecond, f.P50, f.P99 = measured.PerSecond, measured.P50, measured.P99
	f.BaselinePerSecond, f.BaselineP50, f.BaselineP99 = baseline.PerSecond, baseline.P50, baseline.P99
	f.Ratio = ratio(measured.PerSecond, baseline.PerSecond)
}

// ratio is how many times a figure is another, 0 where there is nothing to compare with.
func ratio(a, b float64) float64 {
	if b <= 0 {
		return 0
	}
	return rounded(a / b)
}

// rounded leaves two digits after the point, and of what is under a tenth two that tell: more
// would be noise, and 0 would say that there was nothing.
func rounded(n float64) float64 {
	unit := 100.0
	for n != 0 && math.Abs(n)*unit < 10 && unit < 1e12 {
		unit *= 10
	}
	return math.Round(unit*n) / unit
}

func number(n float64) string       { return thousands(int64(math.Round(n))) }
func milliseconds(n float64) string { return fmt.Sprintf("%.2f ms", n) }

// rows are the lines of a table that compares the two and the floor.
func (f *benchFigures) rows(measured, baseline, floor string) [][]string {
	rows := [][]string{
		{measured, number(f.PerSecond), milliseconds(f.P50), milliseconds(f.P99)},
		{baseline, number(f.BaselinePerSecond), milliseconds(f.BaselineP50), milliseconds(f.BaselineP99)},
	}
	if floor != "" {
		rows = append(rows, []string{floor, number(f.FloorPerSecond)})
	}
	return rows
}

var benchHead = []string{"WHAT", "PER SECOND", "P50", "P99"}

// benchFailed is what made the clients stop, if anything did.
func benchFailed(what, whats string, loads ...benchLoad) error {
	var failed int64
	first := ""
	for _, l := range loads {
		failed += l.Errors
		if first == "" {
			first = l.FirstError
		}
	}
	if failed == 0 {
		return nil
	}
	return fmt.Errorf("%s failed; the first: %s", count(failed, what, whats), first)
}
