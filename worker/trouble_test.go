package worker

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/internal/localstripe"
)

func TestTrouble(t *testing.T) {
	t.Parallel()
	t.Run("E2_WhatStripeRefusesIsTriedAgain_SetAsideWithAReason_AndReplayed", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		team := w.team("acme", "olga")
		w.stripe.SetDelivery(localstripe.Faults{Drop: []string{"customer.created", "customer.updated", "payment*", "invoice*", "charge*"}})
		w.subscribe(w.customer("purser_user", "olga"), "team_monthly", 5, "metadata[purser_team]", "acme")
		w.stripe.Disturb(localstripe.Trouble{Method: "GET", Path: "/v1/", Times: 1000, Status: 500})
		w.flush()
		w.exec(`UPDATE river_job SET max_attempts = 2`) // of 20, which take half a day
		w.start()
		w.until("the event is set aside", func() bool { return w.count(`SELECT count(*) FROM events WHERE state = 'failed'`) == 1 })
		list, err := billing.ListEvents(t.Context(), w.pool, billing.EventFilter{States: []billing.EventState{billing.EventFailed}})
		ok(t, err)
		if !strings.Contains(list[0].Reason, "fetching") || !strings.Contains(list[0].Reason, "500") {
			t.Errorf("the reason is %q", list[0].Reason)
		}
		w.until("the queue gave it up after two attempts", func() bool {
			return w.count(`SELECT count(*) FROM river_job WHERE args->>'event_id' = $1 AND state = 'discarded' AND attempt = 2`, list[0].ID) == 1
		})
		w.stripe.Soothe()
		w.replay(billing.EventFilter{States: []billing.EventState{billing.EventFailed}})
		w.settled()
		same(t, "B12", figures(w.read(team.BookID)), figures(seatsOf(5)))
		w.audit()
	})

	t.Run("E2_WhatMakesUsPanicIsSetAsideTooAndHurtsNothingElse", func(t *testing.T) {
		t.Parallel()
		d, team := acme(t, 5)
		d.fake.gate = func(id string) {
			if id == "sub_odd" {
				panic("it is too odd")
			}
		}
		d.start()
		stage, err := NewStager(d.pool, quiet())
		ok(t, err)
		for _, event := range []billing.Event{
			d.makeEvent("customer.subscription.created", "sub_odd", "cus_1"), d.makeEvent("customer.subscription.created", "sub_1", "cus_1"),
		} {
			d.inTx(func(tx pgx.Tx) error {
				if _, err := billing.RecordEvent(t.Context(), tx, event); err != nil {
					return err
				}
				if err := stage.Events(t.Context(), tx, []billing.EventArgs{event.Args()}); err != nil {
					return err
				}
				_, err := tx.Exec(t.Context(), `UPDATE river_job SET max_attempts = 1 WHERE kind = 'stripe_event'`) // of 20
				return err
			})
		}
		d.until("both are worked", func() bool { return d.count(`SELECT count(*) FROM events WHERE state = 'received'`) == 0 })
		same(t, "set aside, and why", d.count(`SELECT count(*) FROM events WHERE state = 'failed' AND reason LIKE '%too odd%'`), 1)
		same(t, "B12 of the other", figures(d.read(team.BookID)), figures(seatsOf(5)))
	})

	t.Run("E2_ASlowStripeIsTriedAgainAndThenAnswered", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		team := w.team("acme", "olga")
		w.stripe.Disturb(localstripe.Trouble{Method: "GET", Path: "/v1/subscriptions/", Times: 1, Delay: time.Hour})
		w.stripe.Disturb(localstripe.Trouble{Method: "GET", Path: "/v1/subscriptions/", Times: 1}) // cut
		w.start(func(c *Config) { c.Stripe = impatient{w.api} })
		w.subscribe(w.customer("purser_user", "olga"), "team_monthly", 5, "metadata[purser_team]", "acme")
		w.settled()
		same(t, "B12", figures(w.read(team.BookID)), figures(seatsOf(5)))
		if n := w.count(`SELECT max(attempt) FROM river_job WHERE kind = 'stripe_event'`); n < 2 {
			t.Errorf("nothing was tried again: %d attempt", n)
		}
		w.audit()
	})

	t.Run("E2_EveryFailedEventCanBeReplayedAsOftenAsWanted", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		team := w.team("acme", "olga")
		w.start()
		w.subscribe(w.customer("purser_user", "olga"), "team_monthly", 5, "metadata[purser_team]", "acme")
		w.settled()
		before := w.count(`SELECT count(*) FROM entries`)
		for range 3 {
			w.replay(billing.EventFilter{Types: []string{"customer.subscription.created", "invoice.paid", "customer.created"}})
			w.settled()
		}
		same(t, "B5: entries", w.count(`SELECT count(*) FROM entries`), before)
		same(t, "B12", figures(w.read(team.BookID)), figures(seatsOf(5)))
	})
}

// impatient gives Stripe a fifth of a second.
type impatient struct{ billing.Stripe }

func (i impatient) FetchSubscription(ctx context.Context, id string) (billing.Fetched, error) {
	ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	return i.Stripe.FetchSubscription(ctx, id)
}

// replay reopens events and stages them, as the operator's command does.
func (w *world) replay(f billing.EventFilter) {
	w.t.Helper()
	stage, err := NewStager(w.pool, quiet())
	ok(w.t, err)
	w.inTx(func(tx pgx.Tx) error {
		args, err := billing.ReopenEvents(w.t.Context(), tx, f)
		if err != nil {
			return err
		}
		if len(args) == 0 {
			w.t.Error("nothing to replay")
		}
		return stage.Events(w.t.Context(), tx, args)
	})
}
