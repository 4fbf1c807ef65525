package api_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// While many teams spend, requests of several go in one batch. A book that somebody else
// holds keeps its own spends waiting and no others, also those that would go along.
func TestLockedBookAmongMany(t *testing.T) {
	t.Parallel()
	const teams, callers = 20, 3
	w := newWorld(t)
	slow := w.Team("slow", "sue", 1_000_000)
	var stop atomic.Bool
	var wg sync.WaitGroup
	spends := func(team, user string) *atomic.Int64 {
		var answered atomic.Int64
		wg.Go(func() {
			for !stop.Load() {
				r, err := w.try(request{method: "POST", path: "/v1/teams/" + team + "/spends", body: object{"user_id": user, "credits": 1}})
				busy := team == "slow" && err == nil && r.status == 503 // its lock was held for longer than a lane waits
				if err != nil || r.status != 201 && !busy {
					t.Errorf("%s: %v %d %s", team, err, r.status, r.raw)
					return
				}
				answered.Add(1)
			}
		})
		return &answered
	}
	var others []*atomic.Int64
	for n := range teams {
		team, user := fmt.Sprint("fast", n), fmt.Sprint("fay", n)
		w.Team(team, user, 1_000_000)
		for range callers {
			others = append(others, spends(team, user))
		}
	}
	for range callers {
		spends("slow", "sue")
	}
	for range 5 {
		tx, err := w.DB.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), `SELECT FROM books WHERE id = $1 FOR UPDATE`, slow.BookID); err != nil {
			t.Fatal(err)
		}
		before := make([]int64, len(others))
		for i, answered := range others {
			before[i] = answered.Load()
		}
		// Those who wait for the locked book are refused after a lane's patience, which is ten seconds.
		deadline := time.Now().Add(time.Minute)
		waits := func(i int) bool { return others[i].Load() < before[i]+5 }
		for i := range others {
			for waits(i) && time.Now().Before(deadline) {
				time.Sleep(time.Millisecond)
			}
			if waits(i) {
				t.Errorf("another team's spends wait for the locked book: %d of 5 were answered", others[i].Load()-before[i])
				break
			}
		}
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	stop.Store(true)
	wg.Wait()
	if !slices.ContainsFunc(others, func(n *atomic.Int64) bool { return n.Load() > 0 }) {
		t.Error("nothing was answered: the test shows nothing")
	}
}
