package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"purser/internal/pgtest"
)

// runAsPurser makes this test binary run main instead of tests, for tests that need
// purser as a process of its own.
const runAsPurser = "PURSER_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runAsPurser) != "" {
		main()
	}
	pgtest.Main(m)
}

// now is what the clock says in tests that have no other.
var now = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

// Secrets that no output may ever show.
const (
	testKey    = "sk_test_Q7fhJ2kLmN9pRsTuVwXy"
	testSecret = "whsec_Zt5rYeWq1aSdFgHjKl9"
	liveKey    = "sk_live_Bn4mVcXzLkJhGfDsApOi"
)

// cli runs the program's commands against one database, and looks into everything they
// print.
type cli struct {
	t   *testing.T
	db  *pgxpool.Pool
	env map[string]string
	now func() time.Time
}

// result is what one command left behind.
type result struct {
	code     int
	out, err string
}

// newCLI is a command line with a migrated database of its own and the demo's catalogue.
func newCLI(t *testing.T) *cli {
	t.Helper()
	db := pgtest.Pool(t)
	return &cli{t: t, db: db, now: func() time.Time { return now }, env: map[string]string{
		"PURSER_DATABASE_URL": db.Config().ConnString(), "PURSER_CATALOG": "demo",
		"PURSER_STRIPE_KEY": testKey, "PURSER_STRIPE_WEBHOOK_SECRETS": testSecret,
	}}
}

// bare is a command line without any setting.
func bare(t *testing.T) *cli {
	t.Helper()
	return &cli{t: t, now: func() time.Time { return now }, env: map[string]string{}}
}

// with is the same command line with one more variable.
func (c *cli) with(name, value string) *cli {
	other := *c
	other.env = map[string]string{name: value}
	for n, v := range c.env {
		if n != name {
			other.env[n] = v
		}
	}
	return &other
}

func (c *cli) run(args ...string) result {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	var out, err bytes.Buffer
	code := Main{Now: c.now}.Run(ctx, args, &out, &err, func(name string) string { return c.env[name] })
	r := result{code, out.String(), err.String()}
	c.noSecrets(r, args)
	return r
}

// noSecrets fails the test when an output shows a secret, or more than one line of error
// for one problem.
func (c *cli) noSecrets(r result, args []string) {
	c.t.Helper()
	for _, s := range []string{testKey, testSecret, liveKey, testPassword} {
		if strings.Contains(r.out+r.err, s) {
			c.t.Errorf("%v shows the secret %s:\n%s%s", args, s, r.out, r.err)
		}
	}
}

// ok runs a command that has to work and gives what it prints.
func (c *cli) ok(args ...string) string {
	c.t.Helper()
	r := c.run(args...)
	if r.code != exitDone || r.err != "" {
		c.t.Fatalf("purser %s: exit %d\n%s%s", strings.Join(args, " "), r.code, r.out, r.err)
	}
	return r.out
}

// fails runs a command that has to fail with that exit code and an error of one line in
// which each of the words stands.
func (c *cli) fails(code int, words []string, args ...string) {
	c.t.Helper()
	r := c.run(args...)
	if r.code != code {
		c.t.Errorf("purser %s: exit %d, not %d\n%s%s", strings.Join(args, " "), r.code, code, r.out, r.err)
	}
	if strings.Count(r.err, "\n") != 1 || !strings.HasPrefix(r.err, "purser: ") {
		c.t.Errorf("purser %s: its error isn't one line:\n%s", strings.Join(args, " "), r.err)
	}
	for _, w := range words {
		if !strings.Contains(r.err, w) {
			c.t.Errorf("purser %s: %q isn't in its error:\n%s", strings.Join(args, " "), w, r.err)
		}
	}
}

// decoded runs a command with --json and decodes what it prints.
func decoded[T any](c *cli, args ...string) T {
	c.t.Helper()
	var v T
	text := c.ok(append(args, "--json")...)
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		c.t.Fatalf("purser %s --json: %v\n%s", strings.Join(args, " "), err, text)
	}
	return v
}

// shows fails the test unless every pattern matches the text.
func shows(t *testing.T, text string, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile("(?m)" + p).MatchString(text) {
			t.Errorf("nothing in it matches %s:\n%s", p, text)
		}
	}
}
