package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
)

// benchAuditCommand measures the audit.
type benchAuditCommand struct {
	Postings int       `default:"500000" help:"How many postings to audit; at most 20,000,000."`
	Pools    int       `default:"100" help:"Among how many teams they are; at most 100,000."`
	Show     showFlags `embed:""`
}

// benchAuditReport is what was measured. A bare sum adds up the same postings by book, lot
// and pair of accounts, and looks at nothing else; a scan counts the rows of entries and
// postings, which the audit reads too.
type benchAuditReport struct {
	Postings          int64   `json:"postings"`
	Pools             int     `json:"pools"`
	Seconds           float64 `json:"seconds"`
	PerSecond         float64 `json:"per_second"`
	BaselinePerSecond float64 `json:"baseline_per_second"`
	Ratio             float64 `json:"ratio"`
	MemoryMiB         float64 `json:"peak_memory_mib"` // of this process, while it audits
	Differences       int64   `json:"differences"`
}

// Run writes postings and audits them.
func (c *benchAuditCommand) Run(ctx context.Context, p *program) error {
	err := checkBounds(bounded{"--postings", c.Postings, benchPostingsMax}, bounded{"--pools", c.Pools, benchPoolsMax})
	if err != nil {
		return err
	}
	r := &benchAuditReport{Pools: c.Pools}
	err = benchRun(ctx, p, func(b *bench) error {
		b.pools, b.members = c.Pools, 8
		return r.measure(ctx, b, max(1, c.Postings/c.Pools))
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

func (r *benchAuditReport) measure(ctx context.Context, b *bench, each int) error {
	if err := b.prepare(ctx); err != nil {
		return err
	}
	if err := b.history(ctx, 0, b.pools, each); err != nil {
		return err
	}
	if err := b.settle(ctx); err != nil {
		return err
	}
	// Each is run twice, so that both find in memory what fits there.
	var sum, audit time.Duration
	for range 2 {
		var err error
		if sum, err = b.bareSum(ctx); err != nil {
			return err
		}
		resetPeak()
		if audit, err = r.audit(ctx, b); err != nil {
			return err
		}
	}
	r.MemoryMiB = peakMiB()
	r.Seconds = rounded(audit.Seconds())
	r.PerSecond, r.BaselinePerSecond = rounded(float64(r.Postings)/audit.Seconds()), rounded(float64(r.Postings)/sum.Seconds())
	r.Ratio = ratio(r.PerSecond, r.BaselinePerSecond)
	return nil
}

func (r *benchAuditReport) audit(ctx context.Context, b *bench) (time.Duration, error) {
	b.say("auditing")
	begun := b.now()
	err := readOnly(ctx, b.db.Pool, func(tx pgx.Tx) error {
		sum, err := ledger.Audit(ctx, tx, func(ledger.Difference) error { return nil })
		r.Postings, r.Differences = sum.Postings, sum.Differences
		return err
	})
	return b.now().Sub(begun), err
}

// bareSum adds up the postings as anybody would who had to prove balances and nothing else.
func (b *bench) bareSum(ctx context.Context) (time.Duration, error) {
	b.say("adding up")
	begun := b.now()
	var groups int64
	err := readOnly(ctx, b.db.Pool, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, fmt.Sprintf(`
			SELECT count(*) FROM (SELECT book_id, lot_id, from_account, to_account, sum(credits) FROM %s GROUP BY 1, 2, 3, 4) sums`,
			"postings")).Scan(&groups)
	})
	if err != nil {
		return 0, fmt.Errorf("adding up: %w", err)
	}
	return b.now().Sub(begun), nil
}

func (r *benchAuditReport) print(p *program, asJSON bool) error {
	if asJSON {
		return printJSON(p.out, r)
	}
	err := printTable(p.out, []string{"WHAT", "POSTINGS PER SECOND"}, [][]string{
		{"audit", number(r.PerSecond)}, {"a bare sum by lot and accounts", number(r.BaselinePerSecond)},
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.out, "\n%s of %s in %.1f s, %.2f of the bare sum's rate; %.0f MiB at most; %s\n", count(r.Postings, "posting", "postings"),
		count(r.Pools, "pool", "pools"), r.Seconds, r.Ratio, r.MemoryMiB, count(r.Differences, "difference", "differences"))
	return err
}
