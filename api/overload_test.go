package api_test

import (
	"fmt"
	"sync"
	"testing"

	"purser/api"
)

// What waits is bounded: past that callers are told at once to come back, and those who
// came before them get their answer.
func TestOverload(t *testing.T) {
	t.Parallel()
	const callers = 60
	for _, c := range []struct {
		name   string
		limit  func(*api.Config)
		served int // at most, of those who come while nothing moves
	}{
		// Half of the places are for others than this team; a batch under way is as large.
		{"SpendsThatWait", func(c *api.Config) { c.QueueMax = 10 }, 20},
		{"RequestsUnderWay", func(c *api.Config) { c.RequestMax = 7 }, 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.limit)
			w.Team("acme", "ann", 1000)
			w.expectAway(func() { w.overload(t, callers, c.served) })
		})
	}
}

// overload has many spend while nothing moves, and looks who is told to come back. The
// whole table is locked: of a locked book alone those who wait would soon be told that it
// is busy, and how soon depends on the machine.
func (w *world) overload(t *testing.T, callers, served int) {
	t.Helper()
	locked, err := w.DB.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := locked.Exec(t.Context(), `LOCK TABLE books`); err != nil {
		t.Fatal(err)
	}
	answers := make(chan reply, callers)
	var all sync.WaitGroup
	for n := range callers {
		all.Go(func() {
			r, err := w.try(request{method: "POST", path: "/v1/teams/acme/spends", body: object{"user_id": "ann", "credits": 1}, key: fmt.Sprint("k-", n)})
			if err != nil {
				t.Error(err)
				return
			}
			answers <- r
		})
	}
	// Those past the limit are answered while the others wait for the lock.
	for range callers - served {
		r := <-answers
		r.refused(503, "overloaded")
		if r.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	if err := locked.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	all.Wait()
	close(answers)
	answered := 0
	for r := range answers {
		if r.status == 201 {
			answered++
		} else {
			r.refused(503, "overloaded")
		}
	}
	if answered == 0 || answered > served {
		t.Errorf("%d were served, want 1 to %d", answered, served)
	}
}
