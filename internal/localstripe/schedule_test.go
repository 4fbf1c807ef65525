package localstripe

import (
	"slices"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"
)

func (w *world) schedule(u *stripe.Customer, p *stripe.Price, end string, seats ...int64) *stripe.SubscriptionSchedule {
	w.t.Helper()
	in := &stripe.SubscriptionScheduleParams{
		Customer: stripe.String(u.ID), StartDateNow: stripe.Bool(true), EndBehavior: stripe.String(end),
	}
	for _, n := range seats {
		in.Phases = append(in.Phases, &stripe.SubscriptionSchedulePhaseParams{
			Iterations: stripe.Int64(1), Items: []*stripe.SubscriptionSchedulePhaseItemParams{{Price: stripe.String(p.ID), Quantity: stripe.Int64(n)}},
		})
	}
	return must(w.api.SubscriptionSchedules.New(in))(w.t)
}

func TestSchedule(t *testing.T) {
	t.Run("EachPhaseSetsItsSeatsAndTheEndReleases", func(t *testing.T) {
		w := open(t)
		k := w.schedule(w.payer("pm_card_visa"), w.plan(1000, "month", 1), "release", 5, 8)
		same(t, "status", k.Status, stripe.SubscriptionScheduleStatusActive)
		sub := w.sub(k.Subscription.ID)
		same(t, "subscription", sub.Status, stripe.SubscriptionStatusActive)
		same(t, "schedule", sub.Schedule.ID, k.ID)
		same(t, "seats", sub.Items.Data[0].Quantity, 5)
		w.advance(newYear.Add(time.Hour))
		same(t, "the draft is paid an hour later", w.inv(sub.LatestInvoice.ID).AmountPaid, 5000)
		w.advance(newYear.AddDate(0, 1, 0).Add(2 * time.Hour))
		second := w.sub(sub.ID)
		same(t, "seats of the second phase", second.Items.Data[0].Quantity, 8)
		same(t, "nothing to prorate at a period's end", len(w.inv(second.LatestInvoice.ID).Lines.Data), 1)
		same(t, "billed", w.inv(second.LatestInvoice.ID).AmountPaid, 8000)
		same(t, "same item", second.Items.Data[0].ID, sub.Items.Data[0].ID)
		mark := w.lastEvent()
		w.advance(newYear.AddDate(0, 2, 0).Add(2 * time.Hour))
		same(t, "completed", must(w.api.SubscriptionSchedules.Get(k.ID, nil))(t).Status, stripe.SubscriptionScheduleStatusCompleted)
		for _, kind := range []string{"subscription_schedule.expiring", "subscription_schedule.completed"} {
			same(t, kind, slices.Contains(w.kinds(mark), kind), true)
		}
		after := w.sub(sub.ID)
		same(t, "goes on", after.Status, stripe.SubscriptionStatusActive)
		if after.Schedule != nil {
			t.Error("still scheduled")
		}
	})

	t.Run("TheEndCancels", func(t *testing.T) {
		w := open(t)
		k := w.schedule(w.payer("pm_card_visa"), w.plan(1000, "month", 1), "cancel", 5)
		w.advance(newYear.AddDate(0, 1, 0).Add(2 * time.Hour))
		same(t, "status", w.sub(k.Subscription.ID).Status, stripe.SubscriptionStatusCanceled)
	})

	t.Run("OfARunningSubscriptionAndReleased", func(t *testing.T) {
		w := open(t)
		p := w.plan(1000, "month", 1)
		sub := w.subscribe(w.payer("pm_card_visa"), p, 5)
		k := must(w.api.SubscriptionSchedules.New(&stripe.SubscriptionScheduleParams{FromSubscription: stripe.String(sub.ID)}))(t)
		same(t, "phase ends with the period", k.Phases[0].EndDate, sub.CurrentPeriodEnd)
		must(w.api.SubscriptionSchedules.Release(k.ID, nil))(t)
		if w.sub(sub.ID).Schedule != nil {
			t.Error("still scheduled")
		}
	})

	t.Run("CanceledItTakesItsSubscriptionAlong", func(t *testing.T) {
		w := open(t)
		k := w.schedule(w.payer("pm_card_visa"), w.plan(1000, "month", 1), "release", 5)
		over := must(w.api.SubscriptionSchedules.Cancel(k.ID, nil))(t)
		same(t, "status", over.Status, stripe.SubscriptionScheduleStatusCanceled)
		same(t, "subscription", w.sub(k.Subscription.ID).Status, stripe.SubscriptionStatusCanceled)
	})
}
