package gather_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"purser/internal/gather"
)

func TestBatch(t *testing.T) {
	t.Run("OfALoneCallerIsOneAndWaitsForNothing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{}, nil)
			before := time.Now()
			for n := range 3 {
				if got, err := d.Do(t.Context(), 1, item{1, n}); got != n || err != nil {
					t.Errorf("got %d, %v", got, err)
				}
			}
			equal(t, "sizes", d.sizes(), []int{1, 1, 1})
			if waited := time.Since(before); waited != 0 {
				t.Errorf("waited %s", waited)
			}
		})
	})
	t.Run("GathersAllWhoComeWhileTheOneBeforeRuns", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{}, nil)
			d.busy(t, 1)
			items := numbered(1, 100)
			replies := d.calls(t, items...)
			d.reopen()
			answered(t, replies, items)
			equal(t, "sizes", d.sizes(), []int{1, 100})
			equal(t, "second batch", d.seen()[1], items)
		})
	})
	t.Run("HoldsNoMoreThanBatchMax", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{BatchMax: 40}, nil)
			d.busy(t, 1)
			items := numbered(1, 100)
			replies := d.calls(t, items...)
			d.reopen()
			answered(t, replies, items)
			equal(t, "sizes", d.sizes(), []int{1, 40, 40, 20})
		})
	})
	t.Run("IsCountedBySize", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{BatchMax: 40}, nil)
			d.busy(t, 1)
			items := numbered(1, 83)
			replies := d.calls(t, items...)
			if stats := d.Stats(); stats.Queued != 83 || stats.Running != 1 {
				t.Errorf("while running: %+v", stats)
			}
			d.reopen()
			answered(t, replies, items)
			synctest.Wait()
			stats := d.Stats()
			equal(t, "sizes of 1, 2, 4 … 64", stats.Sizes, []uint64{1, 0, 1, 0, 0, 0, 2})
			if stats.Queued != 0 || stats.Running != 0 || stats.Batches != 4 || stats.Requests != 84 {
				t.Errorf("afterwards: %+v", stats)
			}
		})
	})
}

func TestLanes(t *testing.T) {
	t.Run("AreTakenByAnyKeyThatIsFree", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{Lanes: 3}, nil)
			d.close()
			// Of the same remainder, so that a hash would have put them together.
			items := []item{{0, 0}, {3, 1}, {6, 2}, {9, 3}}
			replies := d.calls(t, items...)
			if stats := d.Stats(); stats.Running != 3 || stats.Queued != 1 {
				t.Errorf("got %+v", stats)
			}
			d.reopen()
			answered(t, replies, items)
		})
	})
	t.Run("ShareTheKeysThatOnceMet", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{Lanes: 4}, nil)
			d.close()
			var replies []*reply
			for key := range uint64(4) {
				replies = append(replies, d.call(t.Context(), item{key, 0}))
			}
			// All lanes are busy: these wait together.
			for key := range uint64(36) {
				replies = append(replies, d.call(t.Context(), item{4 + key, 0}))
			}
			d.reopen()
			answered(t, replies, make([]item, len(replies)))
			for _, size := range d.sizes() {
				if size > 10 {
					t.Errorf("one lane took %d of 40 keys", size)
				}
			}
		})
	})
}

func TestIdleLane(t *testing.T) {
	t.Run("TakesWhatAnotherLaneLeaves", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			// A batch waits at the gate that its first request names.
			gates := []chan struct{}{make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{})}
			d := open(gather.Config{Lanes: 2}, func(_ context.Context, batch []item) (answers, error) {
				<-gates[batch[0].n]
				return echo(batch), nil
			})
			items := []item{{8, 0}, {9, 1}, {1, 2}, {2, 2}, {3, 1}, {4, 1}, {1, 3}, {2, 3}}
			replies := d.calls(t, items[:6]...)
			close(gates[0]) // keys 1 and 2 meet in a batch
			synctest.Wait()
			close(gates[1]) // keys 3 and 4 go through, and their lane is idle
			synctest.Wait()
			replies = append(replies, d.calls(t, items[6:]...)...)
			if stats := d.Stats(); stats.Running != 1 || stats.Queued != 2 {
				t.Fatalf("before: %+v", stats)
			}
			close(gates[2])
			synctest.Wait()
			if stats := d.Stats(); stats.Running != 2 || stats.Queued != 0 {
				t.Errorf("keys 1 and 2 don't run side by side: %+v", stats)
			}
			close(gates[3])
			answered(t, replies, items)
		})
	})
}

func TestOrder(t *testing.T) {
	t.Run("OfAKeyIsOrderOfArrival", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{Lanes: 4, BatchMax: 7}, nil)
			d.close()
			var items []item
			for n := range 50 {
				items = append(items, item{1, n}, item{2, n}, item{3, n})
			}
			replies := d.calls(t, items...)
			d.reopen()
			answered(t, replies, items)
			next := map[uint64]int{}
			for _, batch := range d.seen() {
				for _, in := range batch {
					if in.n != next[in.key] {
						t.Fatalf("key %d: %d came when %d was due", in.key, in.n, next[in.key])
					}
					next[in.key]++
				}
			}
		})
	})
}

// ward fails the test when a key is in two running batches or out of order.
type ward struct {
	mu    sync.Mutex
	held  map[uint64]bool
	last  map[item]int // by key and caller
	calls int
}

func (w *ward) enter(t *testing.T, batch []item, callers int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	mine := map[uint64]bool{}
	for _, in := range batch {
		if w.held[in.key] && !mine[in.key] {
			t.Errorf("key %d is in two batches at once", in.key)
		}
		w.held[in.key], mine[in.key] = true, true
		caller := item{in.key, in.n % callers}
		if in.n/callers != w.last[caller] {
			t.Errorf("caller %v: call %d after %d", caller, in.n/callers, w.last[caller])
		}
		w.last[caller]++
		w.calls++
	}
}

func (w *ward) leave(batch []item) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, in := range batch {
		delete(w.held, in.key)
	}
}

func TestManyCallersAtOnce(t *testing.T) {
	t.Run("EachGetTheirOwnAnswerAndNoKeyRunsTwice", func(t *testing.T) {
		const callers, rounds, keys = 64, 200, 7
		w := &ward{held: map[uint64]bool{}, last: map[item]int{}}
		// Some batches fail as a whole, before anything is done.
		g := gather.New(gather.Config{BatchMax: 16}, func(_ context.Context, batch []item) (answers, error) {
			if len(batch)%5 == 0 {
				return nil, context.DeadlineExceeded
			}
			w.enter(t, batch, callers)
			defer w.leave(batch)
			return echo(batch), nil
		})
		var wg sync.WaitGroup
		for caller := range callers {
			wg.Go(func() {
				for round := range rounds {
					n := round*callers + caller
					if got, err := g.Do(t.Context(), uint64(caller%keys), item{uint64(caller % keys), n}); got != n || err != nil {
						t.Errorf("%d got %d, %v", n, got, err)
					}
				}
			})
		}
		wg.Wait()
		if err := g.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if w.calls != callers*rounds {
			t.Errorf("served %d of %d", w.calls, callers*rounds)
		}
	})
	t.Run("ComeToAnEndWhateverHappens", func(t *testing.T) {
		const callers, rounds = 32, 200
		g := gather.New(gather.Config{BatchMax: 16, RetryAfter: time.Microsecond, RetryMax: 3, QueueMax: 24},
			func(_ context.Context, batch []item) (answers, error) {
				switch dice := rand.IntN(10); dice {
				case 0:
					panic("dice")
				case 1:
					return nil, context.DeadlineExceeded
				case 2:
					return nil, nil
				}
				out := echo(batch)
				for i := range out {
					out[i].Again = rand.IntN(4) == 0
				}
				return out, nil
			})
		var wg sync.WaitGroup
		for caller := range callers {
			wg.Go(func() {
				for n := range rounds {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(200))*time.Microsecond)
					if got, err := g.Do(ctx, uint64(caller%5), item{0, n}); err == nil && got != n {
						t.Errorf("%d got %d", n, got)
					}
					cancel()
				}
			})
		}
		wg.Wait()
		if err := g.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if stats := g.Stats(); stats.Queued != 0 || stats.Running != 0 {
			t.Errorf("left behind: %+v", stats)
		}
	})
}
