package worker

import (
	"sync"
	"testing"
	"time"

	"purser/billing"
	"purser/teams"
)

// acme is a desk with one team, whose subscription's first event isn't worked yet.
func acme(t testing.TB, seats int64) (*desk, teams.Team) {
	t.Helper()
	d := newDesk(t)
	d.linked("cus_1", "olga")
	team := d.teamOf("acme", "olga")
	d.fake.sell("sub_1", "cus_1", "team_monthly", seats, jan15)
	return d, team
}

// held is a fetch that waits at the gate.
type held struct{ arrived, release chan struct{} }

// holdNext makes the next fetch of an object wait until it is released.
func (f *fake) holdNext(id string) held {
	h := held{make(chan struct{}), make(chan struct{})}
	var once sync.Once
	f.mu.Lock()
	f.gate = func(fetched string) {
		if fetched != id {
			return
		}
		first := false
		once.Do(func() { first = true })
		if first {
			close(h.arrived)
			<-h.release
		}
	}
	f.mu.Unlock()
	return h
}

// inBackground works an event and gives its outcome when it is done.
func inBackground(t testing.TB, w *Worker, id string) <-chan billing.Outcome {
	t.Helper()
	event, err := billing.GetEvent(t.Context(), w.db, id)
	ok(t, err)
	done := make(chan billing.Outcome, 1)
	go func() {
		defer close(done)
		out, err := w.workEvent(t.Context(), event)
		if err != nil {
			t.Errorf("working %s: %v", id, err)
		}
		done <- out
	}()
	return done
}

func TestOvertake(t *testing.T) {
	t.Parallel()
	for _, change := range []struct {
		name     string
		from, to int64
	}{{"SeatsAdded", 5, 8}, {"SeatsRemoved", 8, 5}} {
		t.Run("B3_TheLaterStateWins_WhenTheEarlierFetchArrivesLast_"+change.name, func(t *testing.T) {
			t.Parallel()
			d, team := acme(t, change.from)
			one, two := d.worker(), d.worker()
			first := d.event("customer.subscription.created", "sub_1", "cus_1")
			slow := d.fake.holdNext("sub_1")
			done := inBackground(t, one, first)
			<-slow.arrived
			d.fake.seats("sub_1", change.to)
			same(t, "the later event", work(t, two, d.event("customer.subscription.updated", "sub_1", "cus_1")).State, billing.EventDone)
			same(t, "B12", figures(d.read(team.BookID)), figures(seatsOf(change.to)))
			close(slow.release)
			out := <-done
			same(t, "the earlier fetch is dropped", out.Stale, true)
			same(t, "its event", out.State, billing.EventDone)
			same(t, "B12", figures(d.read(team.BookID)), figures(seatsOf(change.to)))
			d.audit()
		})
		t.Run("B3_TheLaterStateWins_WhenTheEarlierFetchArrivesFirst_"+change.name, func(t *testing.T) {
			t.Parallel()
			d, team := acme(t, change.from)
			one, two := d.worker(), d.worker()
			first := d.event("customer.subscription.created", "sub_1", "cus_1")
			slow := d.fake.holdNext("sub_1")
			early := inBackground(t, one, first)
			<-slow.arrived
			d.fake.seats("sub_1", change.to)
			second := d.event("customer.subscription.updated", "sub_1", "cus_1")
			slower := d.fake.holdNext("sub_1")
			late := inBackground(t, two, second)
			<-slower.arrived
			close(slow.release)
			same(t, "the earlier fetch is applied", (<-early).Stale, false)
			same(t, "B12 by the earlier fetch", figures(d.read(team.BookID)), figures(seatsOf(change.from)))
			close(slower.release)
			same(t, "the later fetch is applied", (<-late).Stale, false)
			same(t, "B12", figures(d.read(team.BookID)), figures(seatsOf(change.to)))
			d.audit()
		})
	}

	t.Run("B3_AnEventWhoseObjectWasFetchedLaterIsDoneWithoutAFetch", func(t *testing.T) {
		t.Parallel()
		d, _ := acme(t, 5)
		w := d.worker()
		first, second := d.event("customer.subscription.created", "sub_1", "cus_1"), d.event("customer.subscription.updated", "sub_1", "cus_1")
		paid := d.event("invoice.paid", "in_sub_1_1", "cus_1")
		work(t, w, first)
		for _, id := range []string{second, paid} {
			same(t, "state", work(t, w, id).State, billing.EventDone)
		}
		same(t, "fetches of the subscription", d.fake.fetched("sub_1"), 1)
		same(t, "fetches of the invoice that came with it", d.fake.fetched("in_sub_1_1"), 0)
		work(t, w, d.event("customer.subscription.updated", "sub_1", "cus_1"))
		same(t, "fetches once another event has come", d.fake.fetched("sub_1"), 2)
	})

	t.Run("B5_ManyWorkersAtOnceOnOneNewSubscriptionGrantOnce", func(t *testing.T) {
		t.Parallel()
		d, team := acme(t, 5)
		var done []<-chan billing.Outcome
		for range 6 {
			done = append(done, inBackground(t, d.worker(), d.event("customer.subscription.created", "sub_1", "cus_1")))
		}
		for _, one := range done {
			same(t, "state", (<-one).State, billing.EventDone)
		}
		same(t, "B5: grants", d.count(`SELECT count(*) FROM entries WHERE kind = 'grant'`), 1)
		same(t, "B12", figures(d.read(team.BookID)), figures(seatsOf(5)))
		d.audit()
	})

	t.Run("B4_AClockBehindStripesGrantsTheMonthThatStripeSays", func(t *testing.T) {
		t.Parallel()
		d, team := acme(t, 5)
		d.now = jan15.Add(-3 * time.Second)
		work(t, d.worker(), d.event("customer.subscription.created", "sub_1", "cus_1"))
		d.now = jan15.Add(time.Minute)
		settle(t, d.worker())
		same(t, "B12", figures(d.read(team.BookID)), figures(seatsOf(5)))
		same(t, "periods", d.count(`SELECT count(*) FROM periods WHERE start_at = $1`, jan15), 1)
		same(t, "periods of a month that was never sold", d.count(`SELECT count(*) FROM periods WHERE start_at < $1`, jan15), 0)
		d.audit()
	})

	t.Run("B3_ABurstForOneObjectNeedsFewFetches", func(t *testing.T) {
		t.Parallel()
		d, team := acme(t, 5)
		const burst = 50
		d.stageAll(burst)
		d.start(func(c *Config) { c.EventWorkers = 20 })
		d.until("the burst is worked", func() bool { return d.count(`SELECT count(*) FROM events WHERE state = 'done'`) == burst })
		t.Logf("%d events, %d fetches", burst, d.fake.fetched("sub_1"))
		if n := d.fake.fetched("sub_1"); n > 2 {
			t.Errorf("%d events for one object, all there before the first was worked, needed %d fetches", burst, n)
		}
		same(t, "B12", figures(d.read(team.BookID)), figures(seatsOf(5)))
	})
}

// seatsOf is the untouched pool of so many seats of the plan team.
func seatsOf(n int64) billing.Pool {
	return billing.Pool{Seats: n, Total: 1000 * n, Monthly: 1000 * n, Available: 1000 * n}
}
