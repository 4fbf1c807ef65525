package api_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/api"
	"purser/internal/pgtest"
)

// alone gives each spend a transaction of its own.
func alone(c *api.Config) { c.Alone = true }

// bothWays runs a test with gathered spends and with a transaction for each: they must not
// differ but in speed.
func bothWays(t *testing.T, do func(t *testing.T, w *world)) {
	t.Helper()
	t.Run("Gathered", func(t *testing.T) {
		t.Parallel()
		do(t, newWorld(t))
	})
	t.Run("Alone", func(t *testing.T) {
		t.Parallel()
		do(t, newWorld(t, alone))
	})
}

// Connections that break at any moment, also at a commit, cost nobody a credit and nobody
// pays twice: whoever got no answer asks again with the same key.
func TestBrokenConnections(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, w *world) {
		const callers, each = 8, 10
		w.Team("acme", "ann", 1000)
		w.expectAway(func() {
			var broken atomic.Int64
			// One connection breaks for each answer, so that there is progress.
			answered := make(chan struct{}, callers*each)
			answered <- struct{}{}
			var killer sync.WaitGroup
			killer.Go(func() {
				for range answered {
					tag, err := w.DB.Exec(t.Context(), `
						SELECT pg_terminate_backend(pid) FROM pg_stat_activity
						WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle' LIMIT 1`)
					if err == nil {
						broken.Add(tag.RowsAffected())
					}
				}
			})
			var wg sync.WaitGroup
			for caller := range callers {
				wg.Go(func() {
					for n := range each {
						w.untilDone(request{
							method: "POST", path: "/v1/teams/acme/spends", body: object{"user_id": "ann", "credits": 1}, key: fmt.Sprintf("k-%d-%d", caller, n),
						})
						if n < each-1 {
							answered <- struct{}{}
						}
					}
				})
			}
			wg.Wait()
			close(answered)
			killer.Wait()
			if broken.Load() == 0 {
				t.Error("no connection was broken: the test shows nothing")
			}
		})
		w.becomesReachable()
		if p := w.pool("acme"); p.Used != callers*each {
			t.Errorf("used %d of %d asked for", p.Used, callers*each)
		}
	})
}

// becomesReachable waits until the pool has got rid of its broken connections.
func (w *world) becomesReachable() {
	w.T.Helper()
	ctx, cancel := context.WithTimeout(w.T.Context(), 20*time.Second)
	defer cancel()
	for pings := 0; pings < 20; pings++ {
		if w.DB.Ping(ctx) != nil {
			w.DB.Reset()
			pings = 0
		}
		if ctx.Err() != nil {
			w.T.Fatal("the database doesn't come back")
		}
	}
}

// untilDone asks again, with the same key, as long as it is told to.
func (w *world) untilDone(r request) {
	for range 1000 {
		out, err := w.try(r)
		switch {
		case err != nil:
			w.T.Error(err)
			return
		case out.status == http.StatusCreated:
			return
		case out.status != http.StatusServiceUnavailable:
			w.T.Errorf("%d %s", out.status, out.raw)
			return
		}
	}
	w.T.Error("it never went through")
}

// A database that is away is told as such, and nothing of it is told.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Team("acme", "ann", 10)
	w.get("/v1/teams/acme/pool").ok(200)
	w.expectAway(func() {
		limits := []string{`ALTER DATABASE %s ALLOW_CONNECTIONS false`, `ALTER DATABASE %s ALLOW_CONNECTIONS true`}
		name := w.DB.Config().ConnConfig.Database
		elsewhere := w.maintenance()
		set := func(sql string) {
			if _, err := elsewhere.Exec(t.Context(), fmt.Sprintf(sql, name)); err != nil {
				t.Fatal(err)
			}
		}
		set(limits[0])
		if _, err := elsewhere.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, name); err != nil {
			t.Fatal(err)
		}
		for _, r := range []request{
			{method: "GET", path: "/v1/teams/acme/pool"},
			{method: "GET", path: "/v1/teams/acme/entries?format=csv"},
			{method: "POST", path: "/v1/teams/acme/spends", body: object{"user_id": "ann", "credits": 1}},
			{method: "POST", path: "/v1/teams/acme/allocations", body: object{"user_id": "ann", "credits": 1}},
			{method: "POST", path: "/v1/teams", body: object{"id": "x", "owner_id": "x", "name": "x"}},
			{method: "GET", path: "/v1/users", auth: "pk_unknown_secret"},
		} {
			p := w.do(r)
			p.refused(503, "database_away")
			for _, inside := range []string{name, "connect", "SQLSTATE", "pgx", "terminat"} {
				if strings.Contains(string(p.raw), inside) {
					t.Errorf("%s tells of %q: %s", p.what, inside, p.raw)
				}
			}
		}
		set(limits[1])
	})
	w.becomesReachable()
	w.post("/v1/teams/acme/spends", object{"user_id": "ann", "credits": 1}).ok(201)
}

// maintenance is a connection to another database of the same server.
func (w *world) maintenance() *pgxpool.Pool {
	w.T.Helper()
	return pgtest.Empty(w.T)
}

// A book that somebody else holds keeps its own spends waiting and no others.
func TestLockedBook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	team := w.Team("slow", "sue", 100)
	w.Team("fast", "fay", 100)
	tx, err := w.DB.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `SELECT FROM books WHERE id = $1 FOR UPDATE`, team.BookID); err != nil {
		t.Fatal(err)
	}
	w.expectAway(func() { w.keepsWaiting(t, tx) })
}

// keepsWaiting spends from a book that a transaction has locked, and from another one.
func (w *world) keepsWaiting(t *testing.T, locked pgx.Tx) {
	t.Helper()
	waiting := make(chan reply, 1)
	go func() {
		for {
			r, err := w.try(request{method: "POST", path: "/v1/teams/slow/spends", body: object{"user_id": "sue", "credits": 1}, key: "slow"})
			if err != nil {
				t.Error(err)
			}
			// Where the others take long it is told after a second that the book is busy.
			if r.status == http.StatusServiceUnavailable && strings.Contains(string(r.raw), `"busy"`) {
				continue
			}
			waiting <- r
			return
		}
	}()
	for range 20 {
		w.post("/v1/teams/fast/spends", object{"user_id": "fay", "credits": 1 + rand.Int64N(3)}).ok(201)
	}
	select {
	case r := <-waiting:
		t.Fatalf("it didn't wait: %d %s", r.status, r.raw)
	default:
	}
	if err := locked.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := <-waiting
	r.ok(201)
}
