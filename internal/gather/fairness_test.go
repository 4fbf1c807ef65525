package gather_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"purser/internal/gather"
)

func TestFairness(t *testing.T) {
	t.Run("AQuietKeyIsInTheNextBatchOfABusyLane", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{Lanes: 1, BatchMax: 10}, nil)
			d.busy(t, 1)
			for n := range 2000 {
				d.call(t.Context(), item{1, n})
			}
			quiet := d.calls(t, item{2, 0}, item{3, 0})
			d.reopen()
			answered(t, quiet, []item{{2, 0}, {3, 0}})
			second := d.seen()[1]
			if !slices.Contains(second, item{2, 0}) || !slices.Contains(second, item{3, 0}) || len(second) != 10 {
				t.Errorf("second batch: %v", second)
			}
		})
	})
	t.Run("TwoLoudKeysShareABatchEvenly", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{Lanes: 1, BatchMax: 10}, nil)
			d.busy(t, 3)
			d.calls(t, numbered(1, 100)...)
			d.calls(t, numbered(2, 20)...)
			d.reopen()
			synctest.Wait()
			ofTwo := 0
			for _, in := range d.seen()[1] {
				if in.key == 2 {
					ofTwo++
				}
			}
			if ofTwo != 5 {
				t.Errorf("%d of 10 are key 2's: %v", ofTwo, d.seen()[1])
			}
		})
	})
	t.Run("ALoudKeysBatchesAreShortWhileOthersAreAbout", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{Lanes: 1, BatchMax: 10, KeyMax: 4}, nil)
			d.busy(t, 1)
			loud := numbered(1, 20)
			replies := d.calls(t, loud...)
			quiet := d.calls(t, item{2, 0})
			d.reopen()
			answered(t, append(replies, quiet...), append(loud, item{2, 0}))
			// The quiet key goes along or alone; the loud one is short from then on.
			for _, batch := range d.seen()[1:] {
				ofLoud := 0
				for _, in := range batch {
					if in.key == 1 {
						ofLoud++
					}
				}
				if ofLoud > 4 {
					t.Errorf("%d of a batch are the loud key's: %v", ofLoud, d.sizes())
				}
			}
		})
	})
	t.Run("AKeyAloneFillsItsBatches", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{Lanes: 1, BatchMax: 10, KeyMax: 4}, nil)
			d.calls(t, item{2, 0}, item{3, 0}) // others were about
			for n := range 100 {
				answered(t, d.calls(t, item{1, n}), []item{{1, n}})
			}
			before := len(d.seen())
			d.busy(t, 1)
			loud := numbered(1, 20)
			replies := d.calls(t, loud...)
			d.reopen()
			answered(t, replies, loud)
			equal(t, "sizes", d.sizes()[before:], []int{1, 10, 10})
		})
	})
	// A batch costs a commit and something per request, and 600 callers saturate a loud
	// key. While a lane is left the quiet key doesn't notice.
	t.Run("AQuietKeysP99BesideALoudOneIsAtMostThreeTimesIdle", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			idle := quietP99(t, 0, 0)
			for loud := range 3 {
				beside := quietP99(t, loud+1, 600)
				t.Logf("p99 idle %s, beside %d loud keys %s", idle, loud+1, beside)
				if beside > 3*idle {
					t.Errorf("p99 is %s beside %d loud keys, %s idle", beside, loud+1, idle)
				}
			}
		})
	})
}

// quietP99 measures, in the bubble's time, how long the calls of a quiet key take
// beside some loud keys with so many callers each, none of which ever pauses.
func quietP99(t *testing.T, loud, callers int) time.Duration {
	t.Helper()
	g := gather.New(gather.Config{}, func(_ context.Context, batch []item) (answers, error) {
		time.Sleep(time.Millisecond + time.Duration(len(batch))*50*time.Microsecond)
		return echo(batch), nil
	})
	ctx, stop := context.WithCancel(t.Context())
	for key := range loud {
		for range callers {
			go func() {
				for ctx.Err() == nil {
					g.Do(ctx, uint64(key), item{uint64(key), 0})
				}
			}()
		}
	}
	var took []time.Duration
	for n := range 500 {
		// Calls come at all phases of the loud batches.
		time.Sleep(7 * time.Millisecond * time.Duration(n%11) / 10)
		before := time.Now()
		if _, err := g.Do(t.Context(), 1000, item{1000, n}); err != nil {
			t.Error(err)
		}
		took = append(took, time.Since(before))
	}
	stop()
	if err := g.Close(t.Context()); err != nil {
		t.Error(err)
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}
