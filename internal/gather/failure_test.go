package gather_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"purser/internal/gather"
)

var errRefused = errors.New("refused")

// poisoned fails every batch that holds the number 13.
func poisoned(_ context.Context, batch []item) (answers, error) {
	if slices.ContainsFunc(batch, func(in item) bool { return in.n == 13 }) {
		return nil, errRefused
	}
	return echo(batch), nil
}

func TestFailure(t *testing.T) {
	t.Run("OfABatchOfOneIsItsCallersError", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{}, poisoned)
			r := d.call(t.Context(), item{1, 13})
			failed(t, r, errRefused)
			if r.err.Error() != errRefused.Error() {
				t.Errorf("something was added: %v", r.err)
			}
			equal(t, "sizes", d.sizes(), []int{1})
		})
	})
	t.Run("OfABatchOfManyIsTriedAgainOneByOneInOrder", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{}, poisoned)
			d.busy(t, 1)
			items := []item{{1, 12}, {1, 13}, {1, 14}}
			replies := d.calls(t, items...)
			d.reopen()
			answered(t, []*reply{replies[0], replies[2]}, []item{items[0], items[2]})
			failed(t, replies[1], errRefused)
			equal(t, "sizes", d.sizes(), []int{1, 3, 1, 1, 1})
			equal(t, "order", slices.Concat(d.seen()[2:]...), items)
			if stats := d.Stats(); stats.Batches != 2 || stats.Alone != 3 {
				t.Errorf("got %+v", stats)
			}
		})
	})
	t.Run("OfOneAnswerConcernsNobodyElse", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{}, func(_ context.Context, batch []item) (answers, error) {
				out := echo(batch)
				out[0].Err = errRefused
				return out, nil
			})
			first := d.busy(t, 1)
			replies := d.calls(t, item{1, 1}, item{1, 2})
			d.reopen()
			failed(t, first, errRefused)
			failed(t, replies[0], errRefused)
			answered(t, replies[1:], []item{{1, 2}})
			equal(t, "sizes", d.sizes(), []int{1, 2})
		})
	})
	t.Run("OfADatabaseThatHangsHoldsALaneForTwoTimeoutsAtMost", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{Timeout: time.Second}, func(ctx context.Context, batch []item) (answers, error) {
				if batch[0].n < 0 {
					return echo(batch), nil
				}
				<-ctx.Done()
				return nil, ctx.Err()
			})
			d.busy(t, 1)
			replies := d.calls(t, numbered(1, 100)...)
			before := time.Now()
			d.reopen()
			for _, r := range replies {
				failed(t, r, context.DeadlineExceeded)
			}
			if held := time.Since(before); held != 2*time.Second {
				t.Errorf("held for %s", held)
			}
			// The first one used up the time of all.
			equal(t, "sizes", d.sizes(), []int{1, 100, 1})
		})
	})
	t.Run("OfAWrongNumberOfAnswersIsAnErrorAndNotRepeated", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{}, func(_ context.Context, batch []item) (answers, error) {
				return make(answers, 2), nil
			})
			replies := append(d.calls(t, item{1, 0}), d.busy(t, 1))
			replies = append(replies, d.calls(t, numbered(1, 3)...)...)
			d.reopen()
			for _, r := range replies {
				if <-r.done; r.err == nil || !strings.Contains(r.err.Error(), "got 2 answers for ") {
					t.Errorf("got %d, %v", r.value, r.err)
				}
			}
			equal(t, "sizes", d.sizes(), []int{1, 1, 3})
		})
	})
}

func TestPanic(t *testing.T) {
	panics := func(_ context.Context, batch []item) (answers, error) {
		if slices.ContainsFunc(batch, func(in item) bool { return in.n == 13 }) {
			panic(errRefused)
		}
		return echo(batch), nil
	}
	t.Run("IsItsCallersErrorAndTheLaneGoesOn", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{Lanes: 1}, panics)
			r := d.call(t.Context(), item{1, 13})
			failed(t, r, errRefused)
			var p *gather.Panic
			if !errors.As(r.err, &p) || !strings.Contains(string(p.Stack), "failure_test.go") {
				t.Errorf("it doesn't say where: %v", r.err)
			}
			answered(t, d.calls(t, item{1, 1}), []item{{1, 1}})
		})
	})
	t.Run("ConcernsOnlyWhoCausedIt", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{Lanes: 1}, panics)
			d.busy(t, 1)
			replies := d.calls(t, item{1, 12}, item{1, 13}, item{2, 14})
			d.reopen()
			failed(t, replies[1], errRefused)
			answered(t, []*reply{replies[0], replies[2]}, []item{{1, 12}, {2, 14}})
		})
	})
}

// lockedUntil serves batches as if somebody else had key locked for that long.
func lockedUntil(t *testing.T, key uint64, after time.Duration) serve {
	t.Helper()
	free := time.Now().Add(after)
	return func(_ context.Context, batch []item) (answers, error) {
		out := echo(batch)
		for i, in := range batch {
			if in.key == key && time.Now().Before(free) {
				out[i] = gather.Answer[int]{Again: true, Value: -1, Err: errRefused}
			}
		}
		return out, nil
	}
}

func TestLockedKey(t *testing.T) {
	t.Run("IsTriedAgainWithoutSpinning", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{RetryAfter: 5 * time.Millisecond}, lockedUntil(t, 1, 50*time.Millisecond))
			answered(t, d.calls(t, item{1, 1}), []item{{1, 1}})
			if tries := len(d.seen()); tries != 11 {
				t.Errorf("tried %d times in 50 ms", tries)
			}
			if stats := d.Stats(); stats.Again != 10 {
				t.Errorf("got %+v", stats)
			}
		})
	})
	t.Run("HoldsNoOtherKeyUp", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{Lanes: 1}, lockedUntil(t, 1, time.Second))
			before := time.Now()
			d.busy(t, 1)
			locked := d.calls(t, item{1, 1})
			items := numbered(2, 50)
			free := d.calls(t, items...)
			d.reopen()
			answered(t, free, items)
			for n := range 50 {
				answered(t, d.calls(t, item{3, n}), []item{{3, n}})
			}
			if waited := time.Since(before); waited != 0 {
				t.Errorf("they waited %s", waited)
			}
			answered(t, locked, []item{{1, 1}})
		})
	})
	t.Run("IsNextAfterItsRest", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			const rest = 5 * time.Millisecond
			d := open(gather.Config{Lanes: 1, BatchMax: 1, RetryAfter: rest}, lockedUntil(t, 1, rest))
			locked := d.calls(t, item{1, 1})
			d.busy(t, 2)
			items := numbered(3, 2)
			others := d.calls(t, items...)
			time.Sleep(rest)
			synctest.Wait()
			d.reopen()
			answered(t, append(locked, others...), append([]item{{1, 1}}, items...))
			equal(t, "order", slices.Concat(d.seen()...), []item{{1, 1}, {2, -1}, {1, 1}, {3, 0}, {3, 1}})
		})
	})
	t.Run("KeepsItsOrder", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			var served []item
			locked := lockedUntil(t, 1, 50*time.Millisecond)
			d := open(gather.Config{BatchMax: 4}, func(ctx context.Context, batch []item) (answers, error) {
				out, err := locked(ctx, batch)
				mu.Lock()
				defer mu.Unlock()
				for i, in := range batch {
					if !out[i].Again {
						served = append(served, in)
					}
				}
				return out, err
			})
			items := numbered(1, 10)
			answered(t, d.calls(t, items...), items)
			equal(t, "order", served, items)
		})
	})
	t.Run("KeepsItsOrderWhenTriedOneByOne", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var served []item
			locked := true
			d := open(gather.Config{Lanes: 1}, func(_ context.Context, batch []item) (answers, error) {
				out := echo(batch)
				switch {
				case len(batch) == 3:
					return nil, errRefused
				case locked && batch[0] == (item{1, 1}):
					locked = false
					out[0].Again = true
					return out, nil
				}
				served = append(served, batch...)
				return out, nil
			})
			d.busy(t, 1)
			items := []item{{1, 1}, {1, 2}, {2, 3}}
			replies := d.calls(t, items...)
			d.reopen()
			answered(t, replies, items)
			equal(t, "order", served, []item{{1, -1}, {2, 3}, {1, 1}, {1, 2}})
		})
	})
	t.Run("IsGivenUpAsBusyAfterRetryMax", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{RetryMax: 7}, lockedUntil(t, 1, time.Hour))
			failed(t, d.calls(t, item{1, 1})[0], gather.ErrBusy)
			if tries := len(d.seen()); tries != 8 {
				t.Errorf("tried %d times", tries)
			}
			answered(t, d.calls(t, item{2, 1}), []item{{2, 1}})
		})
	})
	t.Run("LetsItsCallersLeave", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{}, lockedUntil(t, 1, time.Hour))
			ctx, leave := context.WithCancel(t.Context())
			r := d.call(ctx, item{1, 1})
			leave()
			failed(t, r, context.Canceled)
			if err := d.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if stats := d.Stats(); stats.Dropped != 1 || stats.Queued != 0 {
				t.Errorf("got %+v", stats)
			}
		})
	})
}
