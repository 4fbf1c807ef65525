package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
	"purser/billing/stripeapi"
	"purser/internal/localstripe"
	"purser/internal/pgtest"
	"purser/teams"
	"purser/webhooks"
)

// jan15 is where the clocks of most tests stand first.
var jan15 = time.Date(2026, 1, 15, 9, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// patience is how long a test waits for what must come: on a machine that does much else,
// some hundred deliveries take a while.
const patience = 2 * time.Minute

// world is a local Stripe that sells the demo catalogue, and purser beside it: a database,
// the receiver on a real port, and as many workers as a test makes. Stripe's clock is
// everybody's.
type world struct {
	t       testing.TB
	pool    *pgxpool.Pool
	catalog *billing.Catalog
	stripe  *localstripe.Server
	api     *stripeapi.Client
	hook    *httptest.Server
	secret  string
	url     string // of the database
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, catalog: billing.DemoCatalog()}
	w.openDatabase()
	var err error
	w.stripe, err = localstripe.Start(localstripe.Config{Start: jan15, Wall: time.Now, Seed: 1})
	ok(t, err)
	t.Cleanup(func() { ok(t, w.stripe.Close()) })
	w.api, err = stripeapi.New(stripeapi.Config{
		Key: w.stripe.Key(), BaseURL: w.stripe.URL(), Now: time.Now, RequestsPerSecond: 10_000, MaxRetries: -1,
	})
	ok(t, err)
	t.Cleanup(w.api.Close)
	w.receive()
	w.sell()
	return w
}

func (w *world) openDatabase() {
	w.url = pgtest.URL(w.t)
	w.pool = connect(w.t, w.url)
	_, err := billing.EnsureEventPartitions(w.t.Context(), w.pool, jan15, 3)
	ok(w.t, err)
}

func connect(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(url)
	ok(t, err)
	cfg.MaxConns = 16
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	ok(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// receive opens the receiver and tells Stripe of it. Stripe has to know the endpoint
// before the receiver can know its secret.
func (w *world) receive() {
	var handler http.Handler
	w.hook = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { handler.ServeHTTP(rw, r) }))
	w.t.Cleanup(w.hook.Close)
	var made struct{ Secret string }
	w.post("/v1/webhook_endpoints", url.Values{
		"url": {w.hook.URL}, "enabled_events[]": {"*"}, "api_version": {localstripe.APIVersion},
	}, &made)
	w.secret = made.Secret
	stage, err := NewStager(w.pool, quiet())
	ok(w.t, err)
	handler = webhooks.New(webhooks.Config{Pool: w.pool, Stage: stage.Events, Secrets: []string{w.secret}, Now: time.Now, Logger: quiet()})
}

// sell makes the catalogue's prices at Stripe.
func (w *world) sell() {
	sell := func(title string, p billing.Price) {
		form := url.Values{
			"product_data[name]": {title}, "lookup_key": {p.LookupKey}, "currency": {p.Currency}, "unit_amount": {fmt.Sprint(p.UnitAmount)},
		}
		if p.Interval != "" {
			form.Set("recurring[interval]", p.Interval)
			form.Set("recurring[interval_count]", fmt.Sprint(p.IntervalCount))
		}
		w.post("/v1/prices", form, nil)
	}
	for _, plan := range w.catalog.Plans {
		for _, price := range plan.Prices {
			sell(plan.Title, price)
		}
	}
	for _, pack := range w.catalog.Packs {
		sell(pack.Title, pack.Price)
	}
}

// worker builds a worker that isn't started.
func (w *world) worker(change ...func(*Config)) *Worker {
	w.t.Helper()
	cfg := Config{
		Pool: w.pool, Catalog: w.catalog, Stripe: w.api, Now: w.stripe.Now, Logger: quiet(), EventWorkers: 8, Schedules: rarely,
	}
	for _, c := range change {
		c(&cfg)
	}
	made, err := New(cfg)
	ok(w.t, err)
	return made
}

// never doesn't come while a test runs. A date would, on one day: the queue goes by the
// real time.
const never = "@every 1000h"

// rarely keeps the sweeps to their one run at the start, so that tests run them when
// they mean to.
var rarely = Schedules{
	Settle: never, Events: never, Purchases: never, TopUps: never, Expiring: never, Unmapped: never, Partitions: never, Reconcile: never,
}

// start starts a worker that stops with the test, or before.
func (w *world) start(change ...func(*Config)) (started *Worker, stop func()) {
	w.t.Helper()
	made := w.worker(change...)
	ok(w.t, made.Start(context.WithoutCancel(w.t.Context())))
	stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(w.t.Context()), patience)
		defer cancel()
		ok(w.t, made.Stop(ctx))
	})
	w.t.Cleanup(stop)
	return made, stop
}

// settled waits until Stripe has delivered everything and purser has worked it.
func (w *world) settled() {
	w.t.Helper()
	w.flush()
	w.until("the inbox is worked", func() bool { return w.count(`SELECT count(*) FROM events WHERE state = 'received'`) == 0 })
}

// rested waits until the sweeps of the start have run, for tests that keep events from
// purser, or run the sweeps when they mean to.
func (w *world) rested() {
	w.t.Helper()
	w.until("the sweeps of the start have run", func() bool {
		return w.count(`
			SELECT count(*) FILTER (WHERE kind = 'sweep_events' AND state = 'completed') - count(*) FILTER (WHERE state <> 'completed')
			FROM river_job WHERE queue = 'sweeps'`) > 0
	})
}

func (w *world) flush() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	ok(w.t, w.stripe.Flush(ctx))
}

// until polls for something that must come true.
func (w *world) until(what string, true func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(patience)
	for !true() {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited in vain: %s\n%s", what, w.inbox())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// inbox lists the events that aren't done, for a test that fails.
func (w *world) inbox() string {
	rows, err := w.pool.Query(w.t.Context(), `
		SELECT e.type, e.object_id, e.state, e.reason, COALESCE((SELECT string_agg(j.state || ' ' || COALESCE(j.errors[cardinality(j.errors)]->>'error', ''), '; ')
		       FROM river_job j WHERE j.args->>'event_id' = e.id), '')
		FROM events e WHERE state NOT IN ('done', 'ignored') ORDER BY ticket`)
	if err != nil {
		return err.Error()
	}
	lines, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
		var kind, object, state, reason, job string
		err := row.Scan(&kind, &object, &state, &reason, &job)
		return strings.Join([]string{kind, object, state, reason, job}, " | "), err
	})
	if err != nil {
		return err.Error()
	}
	return strings.Join(lines, "\n")
}

func (w *world) count(sql string, args ...any) int64 {
	w.t.Helper()
	var n int64
	ok(w.t, w.pool.QueryRow(w.t.Context(), sql, args...).Scan(&n))
	return n
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	_, err := w.pool.Exec(w.t.Context(), sql, args...)
	ok(w.t, err)
}

// inTx runs what a test does itself in a transaction.
func (w *world) inTx(do func(tx pgx.Tx) error) {
	w.t.Helper()
	ok(w.t, pgx.BeginFunc(w.t.Context(), w.pool, do))
}

// team makes a team of a user's.
func (w *world) team(id, owner string) (team teams.Team) {
	w.t.Helper()
	w.inTx(func(tx pgx.Tx) (err error) {
		team, err = teams.CreateTeam(w.t.Context(), tx, w.catalog, teams.TeamIn{ID: id, OwnerID: owner, Name: id}, w.stripe.Now())
		return err
	})
	return team
}

func (w *world) user(id string) (user teams.User) {
	w.t.Helper()
	w.inTx(func(tx pgx.Tx) (err error) {
		user, err = teams.EnsureUser(w.t.Context(), tx, id, w.stripe.Now())
		return err
	})
	return user
}

// link tells purser whose customer it is, as the product's backend would.
func (w *world) link(customer, user string) {
	w.t.Helper()
	stage, err := NewStager(w.pool, quiet())
	ok(w.t, err)
	w.inTx(func(tx pgx.Tx) error {
		u, err := teams.EnsureUser(w.t.Context(), tx, user, w.stripe.Now())
		if err != nil {
			return err
		}
		reopened, err := billing.LinkCustomer(w.t.Context(), tx, customer, u.ID, u.BookID, "test", w.stripe.Now())
		if err != nil {
			return err
		}
		return stage.Events(w.t.Context(), tx, reopened)
	})
}

// post asks the local Stripe for something, as the product's backend or a person would.
func (w *world) post(path string, form url.Values, into any) {
	w.t.Helper()
	w.ask(http.MethodPost, path, form, into)
}

func (w *world) ask(method, path string, form url.Values, into any) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.stripe.URL()+path, strings.NewReader(form.Encode()))
	ok(w.t, err)
	req.Header.Set("Authorization", "Bearer "+w.stripe.Key())
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	ok(w.t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	ok(w.t, err)
	if res.StatusCode >= 300 {
		w.t.Fatalf("asking Stripe for %s: %s: %s", path, res.Status, body)
	}
	if into != nil {
		ok(w.t, json.Unmarshal(body, into))
	}
}

func quiet() *slog.Logger {
	if os.Getenv("PURSER_TEST_LOG") != "" {
		return slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return slog.New(slog.DiscardHandler)
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is\n%v\nand should be\n%v", what, got, want)
	}
}
