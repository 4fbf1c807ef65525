package worker

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
	"purser/teams"
)

// three is a desk with three teams, each with five seats that are booked.
func three(t *testing.T) (*desk, *Worker, []teams.Team) {
	t.Helper()
	d := newDesk(t)
	w := d.worker()
	var made []teams.Team
	for _, name := range []string{"acme", "bolt", "cove"} {
		d.linked("cus_"+name, "owner-"+name)
		made = append(made, d.teamOf(name, "owner-"+name))
		d.fake.sell("sub_"+name, "cus_"+name, "team_monthly", 5, jan15)
		work(t, w, d.event("customer.subscription.created", "sub_"+name, "cus_"+name))
	}
	return d, w, made
}

// fetched is an event of a subscription, with what a fetch for it brought.
func (d *desk) fetched(w *Worker, sub string) booking {
	d.t.Helper()
	event, err := billing.GetEvent(d.t.Context(), w.db, d.event("customer.subscription.updated", sub, "cus_"+strings.TrimPrefix(sub, "sub_")))
	ok(d.t, err)
	ticket, err := w.together.ticket(d.t.Context(), sub, event)
	ok(d.t, err)
	same(d.t, "applied", ticket.Applied, false)
	said, err := d.fake.FetchSubscription(d.t.Context(), sub)
	ok(d.t, err)
	return booking{event: event, in: &billing.ApplyIn{Fetched: said, Ticket: ticket.Number, Now: w.cfg.Now}}
}

func (d *desk) state(id string) billing.EventState {
	d.t.Helper()
	event, err := billing.GetEvent(d.t.Context(), d.pool, id)
	ok(d.t, err)
	return event.State
}

// TestTogether holds that events are booked together as each would be by itself.
func TestTogether(t *testing.T) {
	t.Parallel()

	t.Run("B10_ManyTakeTheRoundTripsOfOne", func(t *testing.T) {
		t.Parallel()
		d, _, made := three(t)
		counting, pool := d.counting()
		w := d.worker(func(c *Config) { c.Pool = pool })
		var batch []booking
		for i, team := range made {
			d.fake.seats("sub_"+team.ID, int64(6+i))
			batch = append(batch, d.fetched(w, "sub_"+team.ID))
		}
		ignored := d.event("product.created", "prod_1", "")
		event, err := billing.GetEvent(t.Context(), d.pool, ignored)
		ok(t, err)
		batch = append(batch, booking{event: event, out: billing.Outcome{State: billing.EventIgnored, Reason: "nothing is done for it"}})
		counting.sent = nil
		answers, err := w.together.bookAll(t.Context(), batch)
		ok(t, err)
		if most := 15; len(counting.sent) > most {
			t.Errorf("%d round trips for four events, and at most %d are needed:\n%s", len(counting.sent), most, strings.Join(counting.sent, "\n"))
		}
		for i, team := range made {
			same(t, "outcome", answers[i].Value.State, billing.EventDone)
			same(t, "event", d.state(batch[i].event.ID), billing.EventDone)
			same(t, "B12 of "+team.ID, figures(d.read(team.BookID)), figures(seatsOf(int64(6+i))))
		}
		same(t, "an event that tells of nothing", d.state(ignored), billing.EventIgnored)
		d.audit()
	})

	t.Run("OneThatCannotBeBookedHurtsNobodyElse", func(t *testing.T) {
		t.Parallel()
		d, w, made := three(t)
		d.fake.seats("sub_acme", 8)
		d.fake.seats("sub_bolt", 8)
		good, bad := d.fetched(w, "sub_acme"), d.fetched(w, "sub_bolt")
		bad.in.Fetched.Subscription.Metadata = map[string]string{"name": "\x00"} // which PostgreSQL refuses
		if _, err := w.together.bookAll(t.Context(), []booking{good, bad}); err == nil {
			t.Fatal("both were booked")
		}
		same(t, "B12 after both failed", figures(d.read(made[0].BookID)), figures(seatsOf(5)))
		same(t, "event", d.state(good.event.ID), billing.EventReceived)
		failed := make(chan error, 1)
		go func() {
			_, err := w.together.apply(t.Context(), bad.event, *bad.in)
			failed <- err
		}()
		_, err := w.together.apply(t.Context(), good.event, *good.in)
		ok(t, err)
		if err := <-failed; err == nil {
			t.Error("what PostgreSQL refuses was booked")
		}
		same(t, "B12", figures(d.read(made[0].BookID)), figures(seatsOf(8)))
		same(t, "B12 of the other", figures(d.read(made[1].BookID)), figures(seatsOf(5)))
		same(t, "E2: the other's event", d.state(bad.event.ID), billing.EventReceived)
		d.audit()
	})

	t.Run("ABookThatSomebodyElseHasIsLeftForLater", func(t *testing.T) {
		t.Parallel()
		d, w, made := three(t)
		d.fake.seats("sub_acme", 8)
		d.fake.seats("sub_bolt", 8)
		batch := []booking{d.fetched(w, "sub_acme"), d.fetched(w, "sub_bolt")}
		d.inTx(func(tx pgx.Tx) error {
			if err := ledger.Lock(t.Context(), tx, made[0].BookID); err != nil {
				return err
			}
			answers, err := w.together.bookAll(t.Context(), batch)
			ok(t, err)
			same(t, "the locked one is to be asked for again", answers[0].Again, true)
			same(t, "the free one is done", answers[1].Value.State, billing.EventDone)
			// A job that finds it locked for long waits by itself.
			if _, err := w.together.apply(t.Context(), batch[0].event, *batch[0].in); !errors.Is(err, errAlone) {
				t.Errorf("the error is %v", err)
			}
			return nil
		})
		same(t, "B12 of the free one", figures(d.read(made[1].BookID)), figures(seatsOf(8)))
		_, err := w.together.apply(t.Context(), batch[0].event, *batch[0].in)
		ok(t, err)
		same(t, "B12 of the locked one", figures(d.read(made[0].BookID)), figures(seatsOf(8)))
		d.audit()
	})

	t.Run("B3_TwoFetchesOfOneSubscriptionComeOneAfterTheOther", func(t *testing.T) {
		t.Parallel()
		d, w, made := three(t)
		d.fake.seats("sub_acme", 7)
		early := d.fetched(w, "sub_acme")
		d.fake.seats("sub_acme", 9)
		late := d.fetched(w, "sub_acme")
		answers, err := w.together.bookAll(t.Context(), []booking{late, early})
		ok(t, err)
		same(t, "the second is to be asked for again", answers[1].Again, true)
		same(t, "its event", d.state(early.event.ID), billing.EventReceived)
		out, err := w.together.apply(t.Context(), early.event, *early.in)
		ok(t, err)
		same(t, "what was overtaken is dropped", out.Stale, true)
		same(t, "its event", d.state(early.event.ID), billing.EventDone)
		same(t, "B12", figures(d.read(made[0].BookID)), figures(seatsOf(9)))
		d.audit()
	})

	t.Run("B13_OneWithoutAPlaceIsBookedByItself", func(t *testing.T) {
		t.Parallel()
		d, w, _ := three(t)
		d.linked("cus_dune", "owner-dune")
		team := d.teamOf("dune", "owner-dune")
		d.fake.sell("sub_dune", "cus_dune", "team_monthly", 5, jan15)
		d.fake.seats("sub_acme", 8)
		answers, err := w.together.bookAll(t.Context(), []booking{d.fetched(w, "sub_dune"), d.fetched(w, "sub_acme")})
		ok(t, err)
		if !errors.Is(answers[0].Err, errAlone) {
			t.Errorf("the error is %v", answers[0].Err)
		}
		same(t, "the other", answers[1].Value.State, billing.EventDone)
		same(t, "B13", work(t, w, d.event("customer.subscription.created", "sub_dune", "cus_dune")).State, billing.EventDone)
		same(t, "B12", figures(d.read(team.BookID)), figures(seatsOf(5)))
		d.audit()
	})
}
