package localstripe

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"
)

func TestClock(t *testing.T) {
	t.Run("StopsAtEachDueMomentInOrder", func(t *testing.T) {
		w := open(t)
		w.subscribe(w.payer("pm_card_visa"), w.plan(1000, "month", 1), 1)
		w.checkout()
		var stops []time.Time
		w.OnAdvance(func(at time.Time) { stops = append(stops, at) })
		w.advance(newYear.AddDate(0, 1, 1))
		want := []time.Time{newYear.AddDate(0, 0, 1), newYear.AddDate(0, 1, -7), newYear.AddDate(0, 1, 0), newYear.AddDate(0, 1, 0).Add(time.Hour), newYear.AddDate(0, 1, 1)}
		if !slices.Equal(stops, want) {
			t.Errorf("stops: %v", stops)
		}
		same(t, "now", w.Now(), newYear.AddDate(0, 1, 1))
	})

	t.Run("NeverGoesBackNorOnItsOwn", func(t *testing.T) {
		w := open(t)
		if err := w.Advance(t.Context(), newYear.Add(-time.Second)); err == nil {
			t.Error("the clock went back")
		}
		same(t, "now", w.Now(), newYear)
	})

	t.Run("AnEndedContextStopsIt", func(t *testing.T) {
		w := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := w.Advance(ctx, newYear.AddDate(1, 0, 0)); err == nil {
			t.Error("the clock moved")
		}
	})

	t.Run("ATestClockMovesItsOwnCustomersOnly", func(t *testing.T) {
		w := open(t)
		clock := must(w.api.TestHelpersTestClocks.New(&stripe.TestHelpersTestClockParams{FrozenTime: stripe.Int64(newYear.Unix())}))(t)
		u := must(w.api.Customers.New(&stripe.CustomerParams{TestClock: stripe.String(clock.ID)}))(t)
		w.giveCard(u.ID, "pm_card_visa")
		p := w.plan(1000, "month", 1)
		mine, other := w.subscribe(u, p, 1), w.subscribe(w.payer("pm_card_visa"), p, 1)
		to := newYear.AddDate(0, 1, 0).Add(2 * time.Hour)
		must(w.api.TestHelpersTestClocks.Advance(clock.ID, &stripe.TestHelpersTestClockAdvanceParams{FrozenTime: stripe.Int64(to.Unix())}))(t)
		deadline := time.Now().Add(30 * time.Second)
		for must(w.api.TestHelpersTestClocks.Get(clock.ID, nil))(t).Status != stripe.TestHelpersTestClockStatusReady {
			if time.Now().After(deadline) {
				t.Fatal("the clock never got ready")
			}
		}
		same(t, "mine", w.sub(mine.ID).CurrentPeriodStart, newYear.AddDate(0, 1, 0).Unix())
		same(t, "paid", w.inv(w.sub(mine.ID).LatestInvoice.ID).Paid, true)
		same(t, "the other", w.sub(other.ID).CurrentPeriodStart, newYear.Unix())
		same(t, "the default clock", w.Now(), newYear)
		must(w.api.TestHelpersTestClocks.Del(clock.ID, nil))(t)
		same(t, "canceled with its clock", w.sub(mine.ID).Status, stripe.SubscriptionStatusCanceled)
		same(t, "deleted", must(w.api.Customers.Get(u.ID, nil))(t).Deleted, true)
	})
}

// TestAYear follows one subscription from its trial to its end, with an endpoint that must hear of all.
func TestAYear(t *testing.T) {
	w := openAt(t, date(time.January, 31, 9))
	r := w.receiver("*")
	u := w.payer("pm_card_visa")
	p := w.plan(2800, "month", 1)
	sub := w.subscribe(u, p, 5, func(in *stripe.SubscriptionParams) { in.TrialEnd = stripe.Int64(date(time.February, 28, 9).Unix()) })
	paid := func(month time.Month, day int) int64 {
		w.advance(date(month, day, 11))
		inv := w.inv(w.sub(sub.ID).LatestInvoice.ID)
		same(t, month.String()+" is paid", inv.Paid, true)
		return inv.AmountPaid
	}
	same(t, "the trial's end bills", paid(time.February, 28), 5*2800)
	same(t, "March", paid(time.March, 28), 5*2800)
	w.advance(date(time.April, 11, 9))
	w.setSeats(sub, 7)
	// 17 of 31 days are left: 5 seats give back 7,677.4 cents and 7 cost 10,748.4.
	same(t, "April with prorations", paid(time.April, 28), 7*2800-7677+10748)
	w.giveCard(u.ID, "pm_card_chargeCustomerFail")
	w.advance(date(time.May, 28, 11))
	same(t, "past due", w.sub(sub.ID).Status, stripe.SubscriptionStatusPastDue)
	w.giveCard(u.ID, "pm_card_visa")
	same(t, "recovered", paid(time.June, 2), 7*2800)
	same(t, "active", w.sub(sub.ID).Status, stripe.SubscriptionStatusActive)
	w.advance(date(time.July, 1, 9))
	yearly := w.plan(28000, "year", 1)
	must(w.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{
		Items: []*stripe.SubscriptionItemsParams{{ID: stripe.String(sub.Items.Data[0].ID), Price: stripe.String(yearly.ID), Quantity: stripe.Int64(7)}},
	}))(t)
	same(t, "yearly from today", w.sub(sub.ID).CurrentPeriodEnd, date(time.July, 1, 9).AddDate(1, 0, 0).Unix())
	must(w.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{CancelAtPeriodEnd: stripe.Bool(true)}))(t)
	w.advance(date(time.July, 2, 9).AddDate(1, 0, 0))
	same(t, "over", w.sub(sub.ID).Status, stripe.SubscriptionStatusCanceled)
	w.flush()

	heard := map[string]bool{}
	for _, e := range r.received() {
		heard[e.ID] = true
	}
	for _, e := range w.eventsAfter("") {
		if e.Type != "webhook_endpoint.created" && !heard[e.ID] {
			t.Errorf("%s was never delivered", e.Type)
		}
	}
}

// TestConcurrentUse is for the race detector: callers, deliveries and the clock at once.
func TestConcurrentUse(t *testing.T) {
	w := open(t)
	r := w.receiver("*")
	p := w.plan(1000, "month", 1)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			u := w.payer("pm_card_visa")
			sub := w.subscribe(u, p, 1)
			for seats := range int64(5) {
				w.setSeats(sub, seats+2)
			}
		})
	}
	wait.Go(func() {
		for day := range 40 {
			w.advance(newYear.AddDate(0, 0, day))
		}
	})
	wait.Wait()
	w.flush()
	same(t, "heard all", len(r.received()), len(w.eventsAfter("")))
}
