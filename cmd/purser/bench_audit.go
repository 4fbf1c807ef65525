package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
)

// benchAuditRounds is how often each is run, in turn; the best counts. The first run finds
// in memory what was written last, later ones what was read last.
const benchAuditRounds = 3

// benchAuditCommand measures the audit.
type benchAuditCommand struct {
	Postings int       `default:"500000" help:"How many postings to audit; at most 20,000,000."`
	Pools    int       `default:"100" help:"Among how many teams they are; at most 100,000."`
	Classes  int       `default:"1" help:"From how many classes of lots the spends drew, 1 or 2: of two, usage can't be told from sums."`
	Turned   bool      `help:"Let the teams' month have turned before, as bench turn leaves them: most entries are then grants, rollovers and expiries."`
	Show     showFlags `embed:""`
}

// benchAuditReport is what was measured, each figure in postings per second. The baseline
// adds up all that the audit must read: the rows and columns of entries, postings and the
// ledger's small tables, each once. The narrow sum adds up postings alone, by book, lot and
// pair of accounts: a proof of balances needs no more, an audit does.
type benchAuditReport struct {
	Postings          int64   `json:"postings"`
	Pools             int     `json:"pools"`
	Seconds           float64 `json:"seconds"`
	PerSecond         float64 `json:"per_second"`
	BaselinePerSecond float64 `json:"baseline_per_second"`
	Ratio             float64 `json:"ratio"`
	NarrowPerSecond   float64 `json:"postings_alone_per_second"`
	NarrowRatio       float64 `json:"postings_alone_ratio"`
	MemoryMiB         float64 `json:"peak_memory_mib"`    // of this process, while it audits
	BackendMiB        float64 `json:"backend_memory_mib"` // of the database's process that it asks, as often looked at
	Differences       int64   `json:"differences"`
}

// Run writes postings and audits them.
func (c *benchAuditCommand) Run(ctx context.Context, p *program) error {
	err := checkBounds(bounded{"--postings", c.Postings, benchPostingsMax}, bounded{"--pools", c.Pools, benchPoolsMax},
		bounded{"--classes", c.Classes, len(benchClasses)})
	if err != nil {
		return err
	}
	r := &benchAuditReport{Pools: c.Pools}
	err = benchRun(ctx, p, func(b *bench) error {
		b.pools, b.members, b.classes = c.Pools, 8, c.Classes
		if c.Turned {
			// The first bonus, from which is spent, outlives the month; another doesn't.
			b.members, b.turned, b.renewed, b.start = 2, true, true, b.start.AddDate(0, -1, -1)
			b.bonuses = []time.Duration{180 * 24 * time.Hour, 190 * 24 * time.Hour, 20 * 24 * time.Hour}
			b.bonuses = slices.Delete(b.bonuses, c.Classes, 2)
		}
		return r.measure(ctx, b, c.each())
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

// each is how many spends each team gets: of teams that have turned perhaps none.
func (c *benchAuditCommand) each() int {
	if c.Turned {
		return c.Postings / c.Pools
	}
	return max(1, c.Postings/c.Pools)
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
	var narrow, bare, audit time.Duration
	for range benchAuditRounds {
		once, err := b.addUp(ctx, "adding up postings", benchNarrowSum)
		if err != nil {
			return err
		}
		narrow = shorter(narrow, once)
		if once, err = b.addUp(ctx, "adding up all rows", benchBareSum); err != nil {
			return err
		}
		bare = shorter(bare, once)
		resetPeak()
		if once, err = r.audit(ctx, b); err != nil {
			return err
		}
		audit = shorter(audit, once)
		r.MemoryMiB = max(r.MemoryMiB, peakMiB())
	}
	per := func(took time.Duration) float64 { return rounded(float64(r.Postings) / took.Seconds()) }
	r.Seconds, r.PerSecond, r.BaselinePerSecond, r.NarrowPerSecond = rounded(audit.Seconds()), per(audit), per(bare), per(narrow)
	r.Ratio, r.NarrowRatio = ratio(r.PerSecond, r.BaselinePerSecond), ratio(r.PerSecond, r.NarrowPerSecond)
	return nil
}

// shorter is the shorter of two measurements; none is 0.
func shorter(best, took time.Duration) time.Duration {
	if best == 0 {
		return took
	}
	return min(best, took)
}

func (r *benchAuditReport) audit(ctx context.Context, b *bench) (time.Duration, error) {
	b.say("auditing")
	begun := b.now()
	err := readOnly(ctx, b.db.Pool, func(tx pgx.Tx) error {
		watch, err := watchBackend(ctx, tx)
		if err != nil {
			return err
		}
		defer func() { r.BackendMiB = max(r.BackendMiB, watch()) }()
		sum, err := ledger.Audit(ctx, tx, func(ledger.Difference) error { return nil })
		r.Postings, r.Differences = sum.Postings, sum.Differences
		return err
	})
	return b.now().Sub(begun), err
}

// benchNarrowSum adds up the postings as anybody would who had to prove balances and
// nothing else. What a subquery adds up and nobody asks for isn't added up, so all is asked.
var benchNarrowSum = fmt.Sprintf(`
	SELECT count(*), sum(credits) FROM (
		SELECT book_id, lot_id, from_account, to_account, sum(credits) AS credits FROM %s GROUP BY 1, 2, 3, 4) sums`, "postings")

// benchBareSum reads all that the audit must read, each table once, and every column that
// an audit compares; it adds up and compares nothing. Nothing is cheaper that has seen the
// same rows.
var benchBareSum = fmt.Sprintf(`
	SELECT (SELECT (count(*), sum(credits)) FROM (
		SELECT book_id, lot_id, from_account, to_account, sum(credits) AS credits FROM %[1]s GROUP BY 1, 2, 3, 4) sums)::text,
	       (SELECT (count(*), sum(n), sum(credits), sum(keys), sum(hashes), sum(holders), max(at), sum(undoes), sum(peers), sum(lots), max(ends_at)) FROM (
		SELECT book_id, count(kind) AS n, sum(credits) AS credits, sum(length(key)) AS keys, sum(length(request_hash)) AS hashes,
		       count(holder_id) AS holders, max(at) AS at, count(undoes) AS undoes, count(peer_book_id) + count(peer_sequence) AS peers,
		       count(lot_id) AS lots, max(ends_at) AS ends_at FROM %[2]s GROUP BY 1) sums)::text,
	       (SELECT (sum(balance), sum(held), count(is_open)) FROM %[3]s)::text, (SELECT (sum(balance), sum(held)) FROM %[4]s)::text,
	       (SELECT (sum(granted), count(root_origin), max(expires_at)) FROM %[5]s)::text,
	       (SELECT (sum(credits), sum(captured), max(expires_at)) FROM %[6]s)::text, (SELECT sum(credits) FROM %[7]s)::text,
	       (SELECT sum(credits - paid) FROM %[8]s)::text, (SELECT sum(monthly + purchased + rollover + bonus + contributed) FROM %[9]s)::text,
	       (SELECT sum(credits) FROM %[10]s)::text, (SELECT (max(sequence), max(due_at)) FROM %[11]s)::text`,
	"postings", "entries", "lot_balances", "accounts", "lots", "holds", "hold_draws", "debts", "usage", "drawn", "books")

// addUp runs a sum as the database plans it, with the memory for sums that the audit has.
func (b *bench) addUp(ctx context.Context, what, sql string) (time.Duration, error) {
	b.say("%s", what)
	begun := b.now()
	err := readOnly(ctx, b.db.Pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL work_mem = '64MB'`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, sql)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	return b.now().Sub(begun), nil
}

func (r *benchAuditReport) print(p *program, asJSON bool) error {
	if asJSON {
		return printJSON(p.out, r)
	}
	err := printTable(p.out, []string{"WHAT", "POSTINGS PER SECOND"}, [][]string{
		{"audit", number(r.PerSecond)},
		{"a bare sum of all that it reads", number(r.BaselinePerSecond)},
		{"a sum of the postings alone", number(r.NarrowPerSecond)},
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.out, "\n%s of %s in %.1f s, %.2f of the bare sum's rate (%.2f of that of postings alone); %.0f MiB at most, of the database's process %.0f; %s\n", count(r.Postings, "posting", "postings"),
		count(r.Pools, "pool", "pools"), r.Seconds, r.Ratio, r.NarrowRatio, r.MemoryMiB, r.BackendMiB, count(r.Differences, "difference", "differences"))
	return err
}
