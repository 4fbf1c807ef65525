package worker

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"purser/billing"
)

// TestStop isn't parallel, so that the goroutines it finds are its own.
func TestStop(t *testing.T) {
	t.Run("AStoppedWorkerLeavesNoGoroutineBehind", func(t *testing.T) {
		d, _ := acme(t, 5) // with its database and connections, which stay until the test ends
		warm(d)
		before := goleak.IgnoreCurrent()
		for range 2 {
			_, stop := d.start()
			d.stageAll(20)
			d.until("all is worked", func() bool { return d.count(`SELECT count(*) FROM events WHERE state = 'received'`) == 0 })
			stop()
		}
		goleak.VerifyNone(t, before, goleak.IgnoreTopFunction("github.com/jackc/pgx/v5/pgxpool.(*Pool).backgroundHealthCheck"))
	})

	t.Run("WhatRunsIsFinishedAndWhatWaitsStays", func(t *testing.T) {
		d, team := acme(t, 5)
		slow := d.fake.holdNext("sub_1")
		w := d.worker(func(c *Config) { c.EventWorkers = 1 })
		ok(t, w.Start(context.WithoutCancel(t.Context())))
		d.stageAll(3)
		<-slow.arrived
		var stopping sync.WaitGroup
		stopping.Go(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
			defer cancel()
			if err := w.Stop(ctx); err != nil {
				t.Error(err)
			}
		})
		d.until("the worker has begun to stop", func() bool {
			select {
			case <-w.client.Stopped():
				return true
			default:
				return d.count(`SELECT count(*) FROM river_leader`) == 0
			}
		})
		close(slow.release)
		stopping.Wait()
		same(t, "running jobs", d.count(`SELECT count(*) FROM river_job WHERE state = 'running'`), 0)
		same(t, "B12: what ran was finished", figures(d.read(team.BookID)), figures(seatsOf(5)))
		done, waits := d.count(`SELECT count(*) FROM events WHERE state = 'done'`), d.count(`SELECT count(*) FROM river_job WHERE kind = 'stripe_event' AND state = 'available'`)
		if done < 1 || done+waits != 3 {
			t.Errorf("%d events are done and %d wait, of 3", done, waits)
		}
		d.start()
		d.until("the next one works the rest", func() bool { return d.count(`SELECT count(*) FROM events WHERE state = 'done'`) == 3 })
	})

	t.Run("AJobThatDoesNotEndInTimeGoesBackWhole", func(t *testing.T) {
		d, team := acme(t, 5)
		stuck := make(chan struct{})
		d.fake.gate = func(string) { <-stuck }
		w := d.worker(func(c *Config) { c.EventWorkers = 1 })
		ok(t, w.Start(context.WithoutCancel(t.Context())))
		d.stageAll(1)
		d.until("it fetches", func() bool { return d.fake.fetched("sub_1") == 1 })
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 50*time.Millisecond)
		defer cancel()
		if err := w.Stop(ctx); err == nil {
			t.Error("it stopped in time although a job was stuck")
		}
		same(t, "entries", d.count(`SELECT count(*) FROM entries`), 0)
		d.fake.mu.Lock()
		d.fake.gate = nil
		d.fake.mu.Unlock()
		close(stuck)
		<-w.client.Stopped()
		d.start()
		d.until("the event is worked", func() bool { return d.count(`SELECT count(*) FROM events WHERE state = 'done'`) == 1 })
		same(t, "B12", figures(d.read(team.BookID)), figures(seatsOf(5)))
		d.audit()
	})
}

// warm opens all of a pool's connections, so that none is taken for a leak.
func warm(d *desk) {
	d.t.Helper()
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() { d.exec(`SELECT pg_sleep(0.05)`) })
	}
	all.Wait()
}

// stageAll puts events for the subscription into the inbox, with their jobs.
func (d *desk) stageAll(n int) {
	d.t.Helper()
	stage, err := NewStager(d.pool, quiet())
	ok(d.t, err)
	d.inTx(func(tx pgx.Tx) error {
		var args []billing.EventArgs
		for range n {
			event := d.makeEvent("customer.subscription.updated", "sub_1", "cus_1")
			if _, err := billing.RecordEvent(d.t.Context(), tx, event); err != nil {
				return fmt.Errorf("recording: %w", err)
			}
			args = append(args, event.Args())
		}
		return stage.Events(d.t.Context(), tx, args)
	})
}
