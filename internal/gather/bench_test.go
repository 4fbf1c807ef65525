package gather_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"purser/internal/gather"
)

// BenchmarkDo measures what gathering itself costs, with a function that does nothing
// and with one that takes as long as a fast commit.
func BenchmarkDo(b *testing.B) {
	for _, cost := range []time.Duration{0, time.Millisecond} {
		for _, callers := range []int{1, 64, 256} {
			for _, keys := range []int{1, 64} {
				if keys > callers {
					continue
				}
				b.Run(fmt.Sprintf("takes=%s/callers=%d/keys=%d", cost, callers, keys), func(b *testing.B) {
					benchmark(b, cost, callers, keys)
				})
			}
		}
	}
}

func benchmark(b *testing.B, cost time.Duration, callers, keys int) {
	g := gather.New(gather.Config{}, func(_ context.Context, batch []item) (answers, error) {
		if cost > 0 {
			time.Sleep(cost)
		}
		return make(answers, len(batch)), nil
	})
	b.ReportAllocs()
	var wg sync.WaitGroup
	for caller := range callers {
		key := uint64(caller % keys)
		wg.Go(func() {
			for n := caller; n < b.N; n += callers {
				if _, err := g.Do(b.Context(), key, item{key, n}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	stats := g.Stats()
	b.ReportMetric(float64(stats.Requests)/float64(stats.Batches), "requests/batch")
}
