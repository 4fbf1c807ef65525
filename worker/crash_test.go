package worker

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
	"purser/billing/stripeapi"
	"purser/internal/localstripe"
)

// What a child is told by its environment.
const (
	dieAt       = "PURSER_TEST_DIE_AT"
	dieDatabase = "PURSER_TEST_DIE_DATABASE"
	dieStripe   = "PURSER_TEST_DIE_STRIPE"
	dieKey      = "PURSER_TEST_DIE_KEY"
	dieNow      = "PURSER_TEST_DIE_NOW"
	dieAfter    = "PURSER_TEST_DIE_AFTER" // set: reconcile, and die when the point is passed so often
)

// soak makes the tests wait where they otherwise help time along.
const soak = "PURSER_SOAK"

func TestCrash(t *testing.T) {
	t.Parallel()
	// fetched: Stripe was asked, nothing written. commit: everything written, nothing
	// committed. committed: everything committed, and the queue knows nothing of it.
	for _, point := range []string{"fetched", "commit", "committed"} {
		t.Run("P4_AWorkerKilledAt_"+point+"_IsHealedByTheNextOne", func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			team := w.team("acme", "olga")
			// One event alone, so that it is the one that kills.
			w.stripe.SetDelivery(localstripe.Faults{Drop: []string{"customer.created", "customer.updated", "payment*", "invoice*", "charge*"}})
			w.subscribe(w.customer("purser_user", "olga"), "team_monthly", 5, "metadata[purser_team]", "acme")
			w.flush()
			w.killChild(point)
			if point == "committed" {
				same(t, "B12", figures(w.read(team.BookID)), figures(fiveSeats))
			} else {
				same(t, "B5: grants of a worker that died", w.count(`SELECT count(*) FROM entries WHERE kind = 'grant'`), 0)
				// The sweeps of the start may have died with it; they are no part of this.
				same(t, "events that nobody works", w.count(`
					SELECT count(*) FROM river_job j JOIN events e ON e.id = j.args->>'event_id'
					WHERE j.state = 'running' AND e.state = 'received'`), 1)
			}
			if os.Getenv(soak) == "" {
				w.haste()
			}
			w.start(func(c *Config) { c.RescueAfter = 2 * time.Second })
			w.settled()
			w.until("no job is left", func() bool {
				return w.count(`SELECT count(*) FROM river_job WHERE kind = 'stripe_event' AND state <> 'completed'`) == 0
			})
			same(t, "B12", figures(w.read(team.BookID)), figures(fiveSeats))
			same(t, "B5: grants", w.count(`SELECT count(*) FROM entries WHERE kind = 'grant'`), 1)
			w.audit()
		})
	}
}

// fiveSeats is the pool of five seats of the plan team, untouched.
var fiveSeats = billing.Pool{Seats: 5, Total: 5000, Monthly: 5000, Available: 5000}

// haste spares a test the waits of the queue after a process died: a quarter of a minute
// until it is no longer taken for the leader, and the grace that a running job has.
func (w *world) haste() {
	w.exec(`DELETE FROM river_leader`)
	w.exec(`UPDATE river_job SET attempted_at = attempted_at - interval '1 minute' WHERE state = 'running'`)
}

// killChild has another process work events until it kills itself at the point. More may
// be variables that tell it otherwise.
func (w *world) killChild(point string, more ...string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0])
	child.Env = append(os.Environ(), dieAt+"="+point, dieDatabase+"="+w.url, dieStripe+"="+w.stripe.URL(), dieKey+"="+w.stripe.Key(),
		dieNow+"="+w.stripe.Now().Format(time.RFC3339))
	child.Env = append(child.Env, more...)
	out, err := child.CombinedOutput()
	status, exited := child.ProcessState.Sys().(syscall.WaitStatus)
	if !exited || !status.Signaled() || status.Signal() != syscall.SIGKILL {
		w.t.Fatalf("the child did not die at %s but ended with %v:\n%s", point, err, out)
	}
	w.buried()
}

// doomed is what the database knows a child's connections by.
const doomed = "doomed"

// buried waits until the database has noticed that a child is dead: what it had asked for
// last may still be carried out after its death.
func (w *world) buried() {
	w.t.Helper()
	w.until("the dead process's connections are gone", func() bool {
		return w.count(`SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()`, doomed) == 0
	})
}

// workAndDie is the child: a worker that works one event at a time and is gone at the
// first that reaches the point.
func workAndDie(point string) {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	ctx := context.Background()
	cfg, err := pgxpool.ParseConfig(os.Getenv(dieDatabase))
	fail(err)
	cfg.ConnConfig.RuntimeParams["application_name"] = doomed
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	fail(err)
	api, err := stripeapi.New(stripeapi.Config{Key: os.Getenv(dieKey), BaseURL: os.Getenv(dieStripe), Now: time.Now, RequestsPerSecond: 1000})
	fail(err)
	now, err := time.Parse(time.RFC3339, os.Getenv(dieNow))
	fail(err)
	var passed atomic.Int64
	after, _ := strconv.ParseInt(os.Getenv(dieAfter), 10, 64) // 0 without it
	w, err := New(Config{
		Pool: pool, Catalog: billing.DemoCatalog(), Stripe: api, Now: func() time.Time { return now }, Schedules: rarely, EventWorkers: 1,
		Between: func(at string) {
			if at == point && passed.Add(1) > after {
				fail(syscall.Kill(os.Getpid(), syscall.SIGKILL))
				select {}
			}
		},
	})
	fail(err)
	if os.Getenv(dieAfter) != "" {
		_, err = w.Reconcile(ctx, ReconcileIn{Apply: true}, func(billing.Difference) error { return nil })
		fail(err)
	} else {
		fail(w.Start(ctx))
		time.Sleep(patience / 2) // whoever waits for it to die is to see it end
	}
	fmt.Fprintln(os.Stderr, "nothing came to the point", point)
	os.Exit(1)
}
