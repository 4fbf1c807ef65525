package gather_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"purser/internal/gather"
)

func TestCallerWhoLeaves(t *testing.T) {
	t.Run("BeforeTheBatchIsDroppedFromIt", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{}, nil)
			d.busy(t, 1)
			ctx, leave := context.WithCancel(t.Context())
			left := d.call(ctx, item{1, 1})
			stayed := d.call(t.Context(), item{1, 2})
			leave()
			// The gate is still shut: leaving waits for nobody.
			failed(t, left, context.Canceled)
			d.reopen()
			answered(t, []*reply{stayed}, []item{{1, 2}})
			equal(t, "second batch", d.seen()[1], []item{{1, 2}})
			if stats := d.Stats(); stats.Dropped != 1 {
				t.Errorf("got %+v", stats)
			}
		})
	})
	t.Run("DuringTheBatchReturnsAtOnceAndDoesNotCancelIt", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			finished := make(chan error, 1)
			d := open(gather.Config{}, func(ctx context.Context, batch []item) (answers, error) {
				finished <- ctx.Err()
				return echo(batch), nil
			})
			d.close()
			ctx, leave := context.WithCancel(t.Context())
			left := d.call(ctx, item{1, 1})
			leave()
			failed(t, left, context.Canceled)
			d.reopen()
			if err := <-finished; err != nil {
				t.Errorf("the batch's context ended: %v", err)
			}
		})
	})
	t.Run("ByItsDeadlineGetsThatError", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{}, nil)
			d.close()
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			before := time.Now()
			failed(t, d.call(ctx, item{1, 1}), context.DeadlineExceeded)
			if waited := time.Since(before); waited != 3*time.Second {
				t.Errorf("waited %s", waited)
			}
			d.reopen()
		})
	})
	t.Run("BeforeCallingIsNotQueued", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{}, nil)
			ctx, leave := context.WithCancel(t.Context())
			leave()
			failed(t, d.call(ctx, item{1, 1}), context.Canceled)
			if len(d.seen()) != 0 {
				t.Errorf("served %v", d.seen())
			}
		})
	})
	t.Run("WithAllOthersOfAKeyLeavesTheKeyUsable", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{Lanes: 1}, nil)
			d.busy(t, 1)
			ctx, leave := context.WithCancel(t.Context())
			d.call(ctx, item{2, 1})
			d.call(ctx, item{2, 2})
			leave()
			d.reopen()
			synctest.Wait()
			answered(t, d.calls(t, item{2, 3}), []item{{2, 3}})
			equal(t, "sizes", d.sizes(), []int{1, 1})
		})
	})
}

func TestFullQueue(t *testing.T) {
	t.Run("RefusesAtOnce", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{QueueMax: 20}, nil)
			d.busy(t, 1)
			items := numbered(1, 10)
			replies := d.calls(t, items...)
			refused := d.call(t.Context(), item{1, 10})
			if !refused.returned() {
				t.Error("it waits")
			}
			failed(t, refused, gather.ErrFull)
			d.reopen()
			answered(t, replies, items)
			if stats := d.Stats(); stats.Refused != 1 {
				t.Errorf("got %+v", stats)
			}
		})
	})
	t.Run("LeavesRoomForAQuietKey", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{QueueMax: 20, Lanes: 1}, nil)
			d.busy(t, 1)
			for n := range 100 {
				d.call(t.Context(), item{1, n})
			}
			for n := range 100 {
				d.call(t.Context(), item{2, n})
			}
			quiet := d.calls(t, item{3, 1})
			if quiet[0].returned() {
				t.Errorf("refused: %v", quiet[0].err)
			}
			d.reopen()
			answered(t, quiet, []item{{3, 1}})
		})
	})
	t.Run("IsToldOfBeforeAnybodyCalls", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{QueueMax: 20, Lanes: 1}, nil)
			d.busy(t, 1)
			for n := range 10 {
				if d.Full(1) {
					t.Errorf("full with %d waiting", n)
				}
				d.call(t.Context(), item{1, n})
			}
			if !d.Full(1) || d.Full(2) {
				t.Errorf("full for the loud key: %v, for the quiet one: %v", d.Full(1), d.Full(2))
			}
			d.reopen()
			synctest.Wait()
			if d.Full(1) {
				t.Error("full though nobody waits")
			}
		})
	})
	t.Run("OfOnePlaceTakesOne", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{QueueMax: 1}, nil)
			d.busy(t, 1)
			replies := d.calls(t, item{1, 1})
			failed(t, d.call(t.Context(), item{1, 2}), gather.ErrFull)
			d.reopen()
			answered(t, replies, []item{{1, 1}})
		})
	})
	t.Run("HasRoomAgainAfterwards", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{QueueMax: 2}, nil)
			d.busy(t, 1)
			d.calls(t, item{1, 1}, item{1, 2}, item{1, 3})
			d.reopen()
			synctest.Wait()
			answered(t, d.calls(t, item{1, 4}), []item{{1, 4}})
		})
	})
}

func TestClose(t *testing.T) {
	t.Run("FinishesWhatIsQueuedAndTakesNoMore", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{Lanes: 1}, nil)
			d.busy(t, 1)
			items := []item{{1, 1}, {2, 2}, {1, 3}}
			replies := d.calls(t, items...)
			closed := make(chan error, 2)
			for range 2 { // closing twice is no mistake
				go func() { closed <- d.Close(t.Context()) }()
			}
			synctest.Wait()
			failed(t, d.call(t.Context(), item{1, 4}), gather.ErrClosed)
			if len(closed) != 0 {
				t.Error("it returned while a batch was running")
			}
			d.reopen()
			answered(t, replies, items)
			for range 2 {
				if err := <-closed; err != nil {
					t.Error(err)
				}
			}
		})
	})
	t.Run("OfAnIdleOneReturnsAtOnce", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{}, nil)
			answered(t, d.calls(t, item{1, 1}), []item{{1, 1}})
			for range 2 {
				if err := d.Close(t.Context()); err != nil {
					t.Error(err)
				}
			}
			failed(t, d.call(t.Context(), item{1, 2}), gather.ErrClosed)
		})
	})
	t.Run("WaitsForALockedKey", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{RetryAfter: 5 * time.Millisecond}, lockedUntil(t, 1, 50*time.Millisecond))
			locked := d.call(t.Context(), item{1, 1})
			if err := d.Close(t.Context()); err != nil {
				t.Error(err)
			}
			answered(t, []*reply{locked}, []item{{1, 1}})
		})
	})
	t.Run("GivesUpWaitingWithItsContext", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(gather.Config{}, nil)
			served := d.busy(t, 1)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := d.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			d.reopen()
			answered(t, []*reply{served}, []item{{1, -1}})
		})
	})
}
