package api_test

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
)

// Of a hundred who want the last credit one gets it.
func TestLastCredit(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, w *world) {
		w.Team("acme", "ann", 1)
		var mu sync.Mutex
		statuses := map[int]int{}
		var wg sync.WaitGroup
		for n := range 100 {
			wg.Go(func() {
				r, err := w.try(request{method: "POST", path: "/v1/teams/acme/spends", body: object{"user_id": "ann", "credits": 1}, key: fmt.Sprintf("c%d", n)})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				statuses[r.status]++
			})
		}
		wg.Wait()
		if statuses[201] != 1 || statuses[402] != 99 {
			t.Errorf("got %v", statuses)
		}
		if p := w.pool("acme"); p.Used != 1 || p.Available != 0 {
			t.Errorf("the pool is %+v", p)
		}
	})
}

// Twenty who ask with one key are one spend.
func TestSameKeyAtOnce(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, w *world) {
		w.Team("acme", "ann", 100)
		answers := make([]reply, 20)
		var wg sync.WaitGroup
		for n := range answers {
			wg.Go(func() {
				var err error
				if answers[n], err = w.try(request{method: "POST", path: "/v1/teams/acme/spends", body: object{"user_id": "ann", "credits": 7}, key: "same"}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, a := range answers {
			if a.ok(201); !bytes.Equal(a.raw, answers[0].raw) {
				t.Errorf("%s and %s", a.raw, answers[0].raw)
			}
		}
		if p := w.pool("acme"); p.Used != 7 {
			t.Errorf("used %d", p.Used)
		}
	})
}
