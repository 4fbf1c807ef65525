package stripeapi

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A process that stood still for a while, as a machine's load or its sleep has it, finds that
// the turns of all who wait have come.
func TestPace_E4_WhoWakesLateLeavesWithNoMoreThanStripeAllows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const callers, allowed = 200, 25
		still := time.Now().Add(12 * time.Second)
		p := newPace(Config{RequestsPerSecond: 20, Now: time.Now, Sleep: func(_ context.Context, d time.Duration) error {
			time.Sleep(max(d, time.Until(still)))
			return nil
		}})
		var mu sync.Mutex
		var left []time.Time
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				if err := p.wait(t.Context(), http.MethodGet); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				left = append(left, time.Now())
			})
		}
		all.Wait()
		slices.SortFunc(left, time.Time.Compare)
		for i := allowed; i < len(left); i++ {
			if within := left[i].Sub(left[i-allowed]); within < time.Second {
				t.Fatalf("%d left within %s", allowed+1, within)
			}
		}
		if took := left[len(left)-1].Sub(still); took > 30*time.Second {
			t.Errorf("the last left %s after it went on", took)
		}
	})
}
