package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
	"purser/teams"
)

// errDemoWrong says that a figure was not what the rules say.
var errDemoWrong = errors.New("the demo's figures are not what the rules say")

type demoOptions struct {
	JSON        bool
	DatabaseURL string // "": a private PostgreSQL in a temporary directory
	Logger      *slog.Logger
}

// runDemo raises a stage in a temporary directory, tells the story, and leaves nothing.
func runDemo(ctx context.Context, out io.Writer, opts demoOptions) (err error) {
	dir, err := temporaryDir()
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	st, err := raiseStage(ctx, stageConfig{
		DatabaseURL: opts.DatabaseURL, DataDir: filepath.Join(dir, "postgres"), Listen: "127.0.0.1:0", Logger: opts.Logger,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.strike(ctx)) }()
	t := &telling{stage: st, out: out, json: opts.JSON}
	return t.tell(ctx)
}

// temporaryDir makes a directory that a PostgreSQL of another user can reach.
func temporaryDir() (string, error) {
	dir, err := os.MkdirTemp("", "purser-")
	if err != nil {
		return "", fmt.Errorf("making a temporary directory: %w", err)
	}
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // the server drops to another user, who must pass
		return "", fmt.Errorf("opening the temporary directory: %w", err)
	}
	return dir, nil
}

// freeAddress turns port 0 into a port that is free now.
func freeAddress(listen string) (string, error) {
	address, err := net.ResolveTCPAddr("tcp", listen)
	if err != nil {
		return "", fmt.Errorf("reading the address %s: %w", listen, err)
	}
	l, err := net.ListenTCP("tcp", address)
	if err != nil {
		return "", fmt.Errorf("listening on %s: %w", listen, err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}

// telling is a story under way.
type telling struct {
	*stage
	out  io.Writer
	json bool

	team         teams.Team
	customer     string
	subscription string
	item         string
	hold         string
	step         int
	seen         int64    // the last entry of the team's book that was told of
	calls        []string // of the step, over the API
	wrong        []string
}

// chapter is one step of the story: what happens at Stripe or in the product, and the
// figures that the rules demand afterwards.
type chapter struct {
	name  string
	title string
	why   string
	do    func(context.Context, *telling) error
	want  figures
}

// figures are what a chapter's pool must be.
type figures struct {
	Seats                            int64
	Monthly, Purchased, Rollover     int64
	Used, Held, Allocated, Available int64
	Silent                           bool // nothing may be posted
}

func (t *telling) tell(ctx context.Context) error {
	if !t.json {
		t.printf("purser demo: a private PostgreSQL, a local Stripe and purser in one process, over real HTTP.\n")
		t.printf("Plan \"team\": 1,000 credits a seat each month; at the turn up to 500 a seat roll over.\n")
	}
	for _, c := range story {
		if err := t.play(ctx, c); err != nil {
			return fmt.Errorf("step %q: %w", c.name, err)
		}
	}
	differences, err := t.audit(ctx)
	if err != nil {
		return err
	}
	if len(t.wrong) > 0 || differences > 0 {
		return errDemoWrong
	}
	return nil
}

func (t *telling) play(ctx context.Context, c chapter) error {
	t.step++
	t.calls = nil
	if err := c.do(ctx, t); err != nil {
		return err
	}
	if err := t.settled(ctx); err != nil {
		return err
	}
	pool, err := t.pool(ctx, t.team.BookID)
	if err != nil {
		return err
	}
	lines, err := ledger.History(ctx, t.db.Pool, t.team.BookID, t.seen, 1000)
	if err != nil {
		return err
	}
	if len(lines) > 0 {
		t.seen = lines[len(lines)-1].Sequence
	}
	t.compare(c, pool, lines)
	if t.json {
		return t.printJSON(c, pool)
	}
	t.printStep(c, pool, lines)
	return nil
}

// compare notes every figure that differs from what the rules say.
func (t *telling) compare(c chapter, pool billing.Pool, lines []ledger.Line) {
	check := func(name string, got, want int64) {
		if got != want {
			t.wrong = append(t.wrong, fmt.Sprintf("%s: %s is %d, the rules say %d", c.name, name, got, want))
		}
	}
	w := c.want
	check("seats", pool.Seats, w.Seats)
	check("monthly", pool.Monthly, w.Monthly)
	check("purchased", pool.Purchased, w.Purchased)
	check("rollover", pool.Rollover, w.Rollover)
	check("used", pool.Used, w.Used)
	check("held", pool.Held, w.Held)
	check("allocated", pool.Allocated, w.Allocated)
	check("available", pool.Available, w.Available)
	check("total", pool.Total, w.Monthly+w.Purchased+w.Rollover)
	check("total by source", pool.Monthly+pool.Purchased+pool.Rollover+pool.Bonus+pool.Contributed, pool.Total)
	check("debt", pool.Debt, 0)
	if w.Silent {
		check("entries posted", int64(len(lines)), 0)
	}
}

// stepLine is a step as --json prints it.
type stepLine struct {
	Step           string    `json:"step"`
	At             time.Time `json:"at"`
	Seats          int64     `json:"seats"`
	MonthlyPerSeat int64     `json:"monthly_per_seat"`
	Pool           poolLine  `json:"pool"`
	Debt           int64     `json:"debt"`
}

type poolLine struct {
	Total       int64 `json:"total"`
	Monthly     int64 `json:"monthly"`
	Purchased   int64 `json:"purchased"`
	Rollover    int64 `json:"rollover"`
	Bonus       int64 `json:"bonus"`
	Contributed int64 `json:"contributed"`
	Used        int64 `json:"used"`
	Held        int64 `json:"held"`
	Allocated   int64 `json:"allocated"`
	Frozen      int64 `json:"frozen"`
	Available   int64 `json:"available"`
}

func (t *telling) printJSON(c chapter, p billing.Pool) error {
	line, err := json.Marshal(stepLine{
		Step: c.name, At: t.stripe.Now(), Seats: p.Seats, MonthlyPerSeat: p.MonthlyPerSeat, Debt: p.Debt,
		Pool: poolLine{
			Total: p.Total, Monthly: p.Monthly, Purchased: p.Purchased, Rollover: p.Rollover, Bonus: p.Bonus,
			Contributed: p.Contributed, Used: p.Used, Held: p.Held, Allocated: p.Allocated, Frozen: p.Frozen, Available: p.Available,
		},
	})
	if err != nil {
		return fmt.Errorf("printing a step: %w", err)
	}
	t.printf("%s\n", line)
	return nil
}

func (t *telling) printStep(c chapter, p billing.Pool, lines []ledger.Line) {
	t.printf("\n%d. %s  (%s)\n   %s\n", t.step, c.title, t.stripe.Now().Format("2 Jan 2006 15:04"), c.why)
	for _, call := range t.calls {
		t.printf("   %s\n", call)
	}
	if len(lines) == 0 {
		t.printf("   purser posted: nothing\n")
	}
	for i, l := range lines {
		if i == 12 {
			t.printf("     … and %d more\n", len(lines)-i)
			break
		}
		t.printf("%s\n", strings.TrimRight(fmt.Sprintf("   purser posted: %-15s %7s  %s", l.Kind, thousands(l.Credits), l.Memo), " "))
	}
	const row = "   %6s  %9s =%9s +%10s +%9s  =%8s +%6s +%10s +%10s\n"
	t.printf(row, "seats", "pool", "monthly", "purchased", "rollover", "used", "held", "allocated", "available")
	t.printf(row, thousands(p.Seats), thousands(p.Total), thousands(p.Monthly), thousands(p.Purchased), thousands(p.Rollover),
		thousands(p.Used), thousands(p.Held), thousands(p.Allocated), thousands(p.Available))
	for _, wrong := range t.wrong {
		t.printf("   WRONG: %s\n", wrong)
	}
}

func (t *telling) printf(format string, args ...any) { _, _ = fmt.Fprintf(t.out, format, args...) }

// thousands writes a number with commas.
func thousands(n int64) string {
	if n < 0 {
		return "-" + thousands(-n)
	}
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

// audit proves the whole database and prints the last line.
func (t *telling) audit(ctx context.Context) (int64, error) {
	var summary ledger.Summary
	err := pgx.BeginTxFunc(ctx, t.db.Pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) (err error) {
		summary, err = ledger.Audit(ctx, tx, func(d ledger.Difference) error {
			t.wrong = append(t.wrong, d.String())
			return nil
		})
		return err
	})
	if err != nil {
		return 0, err
	}
	differences := summary.Differences
	for _, wrong := range t.wrong {
		_, _ = fmt.Fprintln(os.Stderr, "wrong:", wrong)
	}
	if t.json {
		line, err := json.Marshal(map[string]any{"audit": map[string]any{"differences": differences, "entries": summary.Entries, "postings": summary.Postings}})
		if err != nil {
			return 0, fmt.Errorf("printing the audit: %w", err)
		}
		t.printf("%s\n", line)
		return differences, nil
	}
	t.printf("\naudit: %d differences\n", differences)
	return differences, nil
}

// until moves Stripe's clock.
func (t *telling) until(ctx context.Context, to time.Time) error {
	if err := t.stripe.Advance(ctx, to); err != nil {
		return fmt.Errorf("moving the clock: %w", err)
	}
	return nil
}
