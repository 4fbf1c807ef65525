package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// benchGrowthCommand measures what a long life does to the ledger.
type benchGrowthCommand struct {
	Spends  int       `default:"1000000" help:"How many spends are behind the ledger in the end; at most 100,000,000. A million leave about 1 GB on the disk until it is over."`
	Pools   int       `default:"100" help:"How many pools share them: one of them has half; at most 100,000."`
	Clients int       `default:"64" help:"How many spend from that one at once, while that is measured; at most 4,096."`
	Seconds int       `default:"5" help:"How long each measurement of spends takes; at most 600."`
	Show    showFlags `embed:""`
}

// benchGrowthMax bounds how long a life may be.
const benchGrowthMax = 100_000_000

// benchGrowthSteps are the parts of the whole after which the ledger is looked at.
var benchGrowthSteps = []int{100, 10, 1}

// benchGrowthReport is what was measured.
type benchGrowthReport struct {
	Pools   int              `json:"pools"`
	Clients int              `json:"clients"`
	Steps   []benchGrown     `json:"steps"`
	Sizes   []benchRelation  `json:"relations"` // at the end
	Bytes   float64          `json:"bytes_per_spend"`
	P99     float64          `json:"p99_ratio"` // of the last step to the first
	before  map[string]int64 // what there was before the first spend
}

// benchGrown is the ledger at one size.
type benchGrown struct {
	Spends        int64   `json:"spends"`
	Bytes         int64   `json:"bytes"`
	Levels        int     `json:"index_levels"` // of the deepest; 0 where that can't be seen
	VacuumSeconds float64 `json:"vacuum_seconds"`
	PerSecond     float64 `json:"per_second"`
	P50           float64 `json:"p50_ms"`
	P99           float64 `json:"p99_ms"`
}

// benchRelation is a table or an index.
type benchRelation struct {
	Name   string  `json:"name"`
	Bytes  int64   `json:"bytes"`
	Each   float64 `json:"bytes_per_spend"`
	Levels int     `json:"index_levels,omitempty"`
}

// Run measures.
func (c *benchGrowthCommand) Run(ctx context.Context, p *program) error {
	err := checkBounds(bounded{"--spends", c.Spends, benchGrowthMax}, bounded{"--pools", c.Pools, benchPoolsMax},
		bounded{"--clients", c.Clients, benchClientsMax}, bounded{"--seconds", c.Seconds, benchSecondsMax})
	if err != nil {
		return err
	}
	r := &benchGrowthReport{Pools: c.Pools, Clients: c.Clients}
	err = benchRun(ctx, p, func(b *bench) error {
		b.pools, b.members, b.clients, b.count = c.Pools, max(2, benchSpenders/c.Pools), c.Clients, time.Duration(c.Seconds)*time.Second
		return r.measure(ctx, b, c.Spends)
	})
	if err != nil {
		return err
	}
	return r.print(p, c.Show.JSON)
}

func (r *benchGrowthReport) measure(ctx context.Context, b *bench, spends int) error {
	if err := b.prepare(ctx); err != nil {
		return err
	}
	var err error
	if r.before, _, err = b.grown(ctx); err != nil {
		return err
	}
	var written int64
	for _, part := range benchGrowthSteps {
		n := spends/part - int(written)
		if n <= 0 {
			continue
		}
		made, err := b.grow(ctx, n)
		if err != nil {
			return err
		}
		written += made
		step, err := r.look(ctx, b, written)
		if err != nil {
			return err
		}
		// What was spent to measure stays, too.
		written += step.made
		r.Steps = append(r.Steps, step.benchGrown)
	}
	first, last := r.Steps[0], r.Steps[len(r.Steps)-1]
	r.Bytes, r.P99 = rounded(float64(last.Bytes)/float64(last.Spends)), ratio(last.P99, first.P99)
	return nil
}

// grow writes about so many spends more: half of them to one pool, the others to the rest.
func (b *bench) grow(ctx context.Context, spends int) (made int64, err error) {
	hot, others := spends, 0
	if b.pools > 1 {
		others = max(1, spends/2/(b.pools-1))
		hot = max(1, spends-others*(b.pools-1))
	}
	if err := b.history(ctx, 0, 1, hot); err != nil {
		return 0, err
	}
	if others > 0 {
		err = b.history(ctx, 1, b.pools, others)
	}
	return int64(hot) + int64(others)*int64(b.pools-1), err
}

// benchLooked is what one look found, and how many spends it made itself.
type benchLooked struct {
	benchGrown
	made int64
}

func (r *benchGrowthReport) look(ctx context.Context, b *bench, spends int64) (*benchLooked, error) {
	l := &benchLooked{benchGrown: benchGrown{Spends: spends}}
	b.say("vacuuming %s spends", thousands(spends))
	begun := b.now()
	if _, err := b.db.Pool.Exec(ctx, fmt.Sprintf(`VACUUM %s, %s`, "entries", "postings")); err != nil {
		return nil, fmt.Errorf("vacuuming: %w", err)
	}
	l.VacuumSeconds = rounded(b.now().Sub(begun).Seconds())
	sizes, levels, err := b.grown(ctx)
	if err != nil {
		return nil, err
	}
	r.Sizes = nil
	for name, bytes := range sizes {
		bytes -= r.before[name]
		l.Bytes += bytes
		l.Levels = max(l.Levels, levels[name])
		r.Sizes = append(r.Sizes, benchRelation{Name: name, Bytes: bytes, Each: rounded(float64(bytes) / float64(spends)), Levels: levels[name]})
	}
	slices.SortFunc(r.Sizes, func(a, b benchRelation) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Name, b.Name))
	})
	load, err := b.spendFromFirst(ctx, fmt.Sprintf("behind-%d", spends))
	if err != nil {
		return nil, err
	}
	l.made, l.PerSecond, l.P50, l.P99 = load.Acknowledged, load.PerSecond, load.P50, load.P99
	return l, benchFailed("spend", "spends", load)
}

// spendFromFirst measures spends from the first team's pool, which has the longest past.
func (b *bench) spendFromFirst(ctx context.Context, prefix string) (benchLoad, error) {
	if err := b.settle(ctx); err != nil {
		return benchLoad{}, err
	}
	s, err := b.serve(ctx, benchServing{})
	if err != nil {
		return benchLoad{}, err
	}
	order := b.order(s, benchSpend, prefix)
	order.Pools = 1
	load, err := b.generate(ctx, order)
	return load, errors.Join(err, s.stop(ctx))
}

// grown measures the tables that grow with every spend, and their indexes: their bytes,
// and how many pages of an index one look-up reads.
func (b *bench) grown(ctx context.Context) (bytes map[string]int64, levels map[string]int, err error) {
	seen := `0`
	// The extension comes with PostgreSQL, though not in every package of it.
	if _, err := b.db.Pool.Exec(ctx, `CREATE EXTENSION IF NOT EXISTS pageinspect`); err == nil {
		seen = `CASE c.relkind WHEN 'i' THEN (SELECT level + 1 FROM bt_metap(c.oid::regclass::text)) ELSE 0 END`
	}
	rows, err := b.db.Pool.Query(ctx, `
		SELECT c.relname, pg_table_size(c.oid), `+seen+` FROM pg_class c
		WHERE c.oid = ANY($1::regclass[]) OR c.oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = ANY($1::regclass[]))`,
		[]string{"entries", "postings"})
	if err != nil {
		return nil, nil, fmt.Errorf("measuring tables: %w", err)
	}
	bytes, levels = map[string]int64{}, map[string]int{}
	var name string
	var size int64
	var level int
	_, err = pgx.ForEachRow(rows, []any{&name, &size, &level}, func() error {
		bytes[name], levels[name] = size, level
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("measuring tables: %w", err)
	}
	return bytes, levels, nil
}

func (r *benchGrowthReport) print(p *program, asJSON bool) error {
	if asJSON {
		return printJSON(p.out, r)
	}
	var steps [][]string
	for _, s := range r.Steps {
		steps = append(steps, []string{
			thousands(s.Spends), mebibytes(s.Bytes), fmt.Sprint(s.Levels), fmt.Sprintf("%.1f s", s.VacuumSeconds), number(s.PerSecond), milliseconds(s.P50), milliseconds(s.P99),
		})
	}
	if err := printTable(p.out, []string{"SPENDS BEHIND", "SIZE", "INDEX LEVELS", "VACUUM", "SPENDS PER SECOND", "P50", "P99"}, steps); err != nil {
		return err
	}
	relations := [][]string{}
	for _, s := range r.Sizes {
		relations = append(relations, []string{s.Name, mebibytes(s.Bytes), fmt.Sprintf("%.0f", s.Each), fmt.Sprint(s.Levels)})
	}
	_, _ = fmt.Fprintln(p.out)
	if err := printTable(p.out, []string{"TABLE OR INDEX", "SIZE", "BYTES A SPEND", "LEVELS"}, relations); err != nil {
		return err
	}
	_, err := fmt.Fprintf(p.out, "\n%s, %s; a spend leaves %.0f bytes, so a billion %.2f TB; 99 of 100 take at most %.2f times as long as at first\n",
		count(r.Pools, "pool", "pools"), count(r.Clients, "client", "clients"), r.Bytes, r.Bytes/1000, r.P99)
	return err
}

func mebibytes(n int64) string { return thousands(n>>20) + " MiB" }
