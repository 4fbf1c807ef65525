package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/pprof"
	"time"

	"golang.org/x/sync/errgroup"

	"purser/billing"
	"purser/worker"
)

// benchTurnCommand measures the month's turn.
type benchTurnCommand struct {
	Teams      int       `default:"2000" help:"How many teams turn, each with three lots, the next month paid; at most 300,000, for which 20 GB of disk are needed."`
	Clients    int       `default:"16" help:"How many clients spend from another team meanwhile."`
	Rate       int       `default:"200" help:"How many spends a second they ask for."`
	Seconds    int       `default:"5" help:"How long spends are measured, alone and during a turn."`
	CPUProfile string    `name:"cpuprofile" placeholder:"FILE" help:"Write a CPU profile of the turn, for go tool pprof."`
	Show       showFlags `embed:""`
}

// benchTurnMax bounds the teams: more than twice as many are made.
const benchTurnMax = 300_000

// benchTurnTogether is how many teams turn in each second in which others spend, or fewer:
// on a machine that is faster than that, spends are measured for a shorter time.
const benchTurnTogether = 2_000

// benchTurnLeast is how long spends are measured at least, even where so few teams turn that
// they are done before it is over.
const benchTurnLeast = time.Second / 2

// turning is how many teams turn while others spend.
func (c *benchTurnCommand) turning() int { return min(c.Teams/2, benchTurnTogether*(c.Seconds+1)) }

// benchTurnReport is what was measured. A second is one of teams turned.
type benchTurnReport struct {
	Teams             int     `json:"teams"`
	Chunk             int     `json:"chunk"` // teams in one transaction
	Rows              int64   `json:"rows"`  // that the turn made and changed
	Seconds           float64 `json:"seconds"`
	BaselineSeconds   float64 `json:"baseline_seconds"`
	PerSecond         float64 `json:"per_second"`
	BaselinePerSecond float64 `json:"baseline_per_second"`
	Ratio             float64 `json:"ratio"` // of the times: how much longer than bare SQL
	MemoryMiB         float64 `json:"peak_memory_mib"`

	// Of 1,000 teams, as each of the two went on: what grows with what is done already shows here.
	Pace         benchTenths `json:"seconds_per_1000"`
	BaselinePace benchTenths `json:"baseline_seconds_per_1000"`

	P50         float64 `json:"p50_ms"` // of spends during a turn
	P99         float64 `json:"p99_ms"`
	IdleP50     float64 `json:"baseline_p50_ms"`
	IdleP99     float64 `json:"baseline_p99_ms"`
	SpendsRatio float64 `json:"spends_ratio"` // of the two p99

	Differences int64 `json:"differences"`
}

// Run turns the month of many teams, and audits what came of it.
func (c *benchTurnCommand) Run(ctx context.Context, p *program) error {
	err := checkBounds(bounded{"--teams", c.Teams, benchTurnMax}, bounded{"--clients", c.Clients, benchClientsMax},
		bounded{"--rate", c.Rate, benchRateMax}, bounded{"--seconds", c.Seconds, benchSecondsMax})
	if err != nil {
		return err
	}
	r := &benchTurnReport{Teams: c.Teams, Chunk: worker.SettleTogether}
	err = benchRun(ctx, p, func(b *bench) error {
		// Those that turn; as many for bare SQL; some that turn while others spend; and one
		// that spends.
		b.pools, b.members, b.clients, b.count = 2*c.Teams+c.turning()+2, 2, c.Clients, time.Duration(c.Seconds)*time.Second
		b.start = benchMonthAgo(b.start)
		b.bonuses, b.renewed = []time.Duration{20 * 24 * time.Hour, 180 * 24 * time.Hour}, true
		return c.measure(ctx, b, r)
	})
	if err != nil {
		return err
	}
	if err := r.print(p, c.Show.JSON); err != nil {
		return err
	}
	if r.Differences > 0 {
		return errFound
	}
	return nil
}

// benchMonthAgo is when a month began that is over by less than another one, on whatever day
// that is asked: counted back from the 31st of March it is February's last day.
func benchMonthAgo(now time.Time) time.Time { return billing.AddMonths(now.AddDate(0, 0, -1), -1) }

func (c *benchTurnCommand) measure(ctx context.Context, b *bench, r *benchTurnReport) error {
	if err := b.prepare(ctx); err != nil {
		return err
	}
	if err := b.putOff(ctx, c.Teams, b.pools, 10); err != nil {
		return err
	}
	if err := b.settle(ctx); err != nil {
		return err
	}
	pace := &benchPace{bench: b}
	w, err := worker.New(worker.Config{Pool: b.db.Pool, Catalog: b.catalog, Now: pace.now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if err := c.turn(ctx, b, w, pace, r); err != nil {
		return err
	}
	if err := c.meanwhile(ctx, b, w, pace, r); err != nil {
		return err
	}
	r.Differences, err = b.audit(ctx)
	return err
}

// putOff puts off by so many years what is due for some teams, or brings it back.
func (b *bench) putOff(ctx context.Context, from, to, years int) error {
	for _, table := range []struct{ name, book string }{{"books", "id"}, {"subscriptions", "book_id"}} {
		_, err := b.db.Pool.Exec(ctx, fmt.Sprintf(`
			UPDATE %s SET due_at = due_at + make_interval(years => $3) WHERE due_at IS NOT NULL AND %s BETWEEN $1 AND $2`, table.name, table.book),
			b.template.first+int64(from)*b.template.stride, b.template.first+int64(to)*b.template.stride-1, years)
		if err != nil {
			return fmt.Errorf("putting off what is due: %w", err)
		}
	}
	return nil
}

// turn turns the first teams and then writes the same rows for the next.
func (c *benchTurnCommand) turn(ctx context.Context, b *bench, w *worker.Worker, pace *benchPace, r *benchTurnReport) error {
	var since int64 // the transaction before the turn
	if err := b.db.Pool.QueryRow(ctx, `SELECT pg_current_xact_id()::xid::text::bigint`).Scan(&since); err != nil {
		return fmt.Errorf("looking for the last transaction: %w", err)
	}
	resetPeak()
	took, err := c.profiled(b, func() error { return b.turnAll(ctx, w, pace, c.Teams) })
	if err != nil {
		return err
	}
	r.MemoryMiB, r.Pace = peakMiB(), pace.tenths()
	bare := &benchBare{bench: b, teams: c.Teams, chunk: r.Chunk, pace: &benchPace{bench: b}}
	if err := bare.prepare(ctx, since); err != nil {
		return err
	}
	if err := b.settle(ctx); err != nil {
		return err
	}
	begun := b.now()
	if err := bare.write(ctx); err != nil {
		return err
	}
	baseline := b.now().Sub(begun)
	r.Rows, r.Seconds, r.BaselineSeconds = bare.rows, rounded(took.Seconds()), rounded(baseline.Seconds())
	r.PerSecond, r.BaselinePerSecond = rounded(float64(c.Teams)/took.Seconds()), rounded(float64(c.Teams)/baseline.Seconds())
	r.Ratio, r.BaselinePace = ratio(took.Seconds(), baseline.Seconds()), bare.pace.tenths()
	return nil
}

func (c *benchTurnCommand) profiled(b *bench, do func() error) (time.Duration, error) {
	if c.CPUProfile != "" {
		f, err := os.Create(c.CPUProfile)
		if err != nil {
			return 0, fmt.Errorf("making the profile: %w", err)
		}
		defer func() { _ = f.Close() }()
		if err := pprof.StartCPUProfile(f); err != nil {
			return 0, fmt.Errorf("profiling: %w", err)
		}
		defer pprof.StopCPUProfile()
	}
	begun := b.now()
	err := do()
	return b.now().Sub(begun), err
}

// turnAll settles what is due, as the worker's sweep does.
func (b *bench) turnAll(ctx context.Context, w *worker.Worker, pace *benchPace, teams int) error {
	pace.start("turning the month", worker.SettleTogether, teams)
	settled, err := w.SettleDue(ctx)
	if err == nil && settled < teams {
		err = fmt.Errorf("%d of %d teams turned", settled, teams)
	}
	return err
}

// meanwhile measures spends of a team with nothing else going on, and while others turn.
func (c *benchTurnCommand) meanwhile(ctx context.Context, b *bench, w *worker.Worker, pace *benchPace, r *benchTurnReport) error {
	if err := b.settle(ctx); err != nil {
		return err
	}
	s, err := b.serve(ctx, benchServing{})
	if err != nil {
		return err
	}
	order := b.order(s, benchSpend, "idle")
	order.First, order.Pools, order.Rate = b.pools-1, 1, c.Rate
	idle, err := b.generate(ctx, order)
	if err != nil {
		return errors.Join(err, s.stop(ctx))
	}
	order.Prefix, order.Warm = "turning", benchWarm/4
	from := 2 * c.Teams
	if err := b.putOff(ctx, from, b.pools-1, -10); err != nil {
		return errors.Join(err, s.stop(ctx))
	}
	// Not for longer than the turn goes on, but for long enough that some are asked for.
	turning := time.Duration(float64(c.turning()) / r.PerSecond * float64(time.Second))
	order.Count = min(order.Count, max(turning, benchTurnLeast))
	var during benchLoad
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { during, err = generate(ctx, order); return err })
	g.Go(func() error { return b.turnAll(ctx, w, pace, b.pools-1-from) })
	if err := errors.Join(g.Wait(), s.stop(ctx)); err != nil {
		return err
	}
	r.IdleP50, r.IdleP99, r.P50, r.P99 = idle.P50, idle.P99, during.P50, during.P99
	r.SpendsRatio = ratio(during.P99, idle.P99)
	return benchFailed("spend", "spends", idle, during)
}

func (r *benchTurnReport) print(p *program, asJSON bool) error {
	if asJSON {
		return printJSON(p.out, r)
	}
	err := printTable(p.out, benchHead, [][]string{
		{"teams turned", number(r.PerSecond)},
		{"the same rows by bare SQL", number(r.BaselinePerSecond)},
		{"spends of another team meanwhile", "", milliseconds(r.P50), milliseconds(r.P99)},
		{"the same with nothing else going on", "", milliseconds(r.IdleP50), milliseconds(r.IdleP99)},
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.out, "\n%s, %d in a transaction, %s: %.2f s, which is %.2f times bare SQL; %.0f MiB at most\n"+
		"1,000 teams took %.2f s in the first tenth and %.2f s in the last; by bare SQL %.2f s and %.2f s\naudit: %s\n",
		count(r.Teams, "team", "teams"), r.Chunk, count(r.Rows, "row", "rows"), r.Seconds, r.Ratio, r.MemoryMiB,
		r.Pace.First, r.Pace.Last, r.BaselinePace.First, r.BaselinePace.Last, count(r.Differences, "difference", "differences"))
	return err
}
