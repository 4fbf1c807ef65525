package localstripe

import (
	"slices"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"
)

func date(month time.Month, day, hour int) time.Time {
	return time.Date(2025, month, day, hour, 0, 0, 0, time.UTC)
}

func TestRenewal(t *testing.T) {
	t.Run("TheDraftIsPaidAnHourLater", func(t *testing.T) {
		w := open(t)
		sub := w.subscribe(w.payer("pm_card_visa"), w.plan(1000, "month", 1), 5)
		mark := w.lastEvent()
		w.advance(newYear.AddDate(0, 1, -1))
		sameStrings(t, "days before", w.kinds(mark), []string{"invoice.upcoming"})
		upcoming := w.eventsAfter(mark)[0]
		same(t, "it has no id", upcoming.Data.Object["id"], nil)
		same(t, "what will be due", upcoming.Data.Object["amount_due"], any(float64(5000)))
		mark = upcoming.ID
		w.advance(newYear.AddDate(0, 1, 0))
		sameStrings(t, "at the period's end", w.kinds(mark), []string{"customer.subscription.updated", "invoice.created"})
		updated := w.eventsAfter(mark)[0]
		same(t, "previous end", updated.Data.PreviousAttributes["current_period_end"], any(float64(sub.CurrentPeriodEnd)))
		if updated.Request.ID != "" {
			t.Error("a renewal has no request")
		}
		draft := w.inv(w.sub(sub.ID).LatestInvoice.ID)
		same(t, "draft", draft.Status, stripe.InvoiceStatusDraft)
		same(t, "reason", draft.BillingReason, stripe.InvoiceBillingReasonSubscriptionCycle)
		same(t, "line period", draft.Lines.Data[0].Period.Start, sub.CurrentPeriodEnd)
		mark = w.lastEvent()
		w.advance(newYear.AddDate(0, 1, 0).Add(time.Hour))
		sameStrings(t, "an hour later", w.kinds(mark), []string{
			"invoice.updated", "invoice.finalized", "payment_intent.created", "charge.succeeded", "payment_intent.succeeded", "invoice.updated",
			"invoice.paid", "invoice.payment_succeeded",
		})
		same(t, "paid", w.inv(draft.ID).Paid, true)
	})

	t.Run("AnAnchorOnThe31stKeepsToTheMonthsEnd", func(t *testing.T) {
		w := openAt(t, date(time.January, 31, 10))
		sub := w.subscribe(w.payer("pm_card_visa"), w.plan(1000, "month", 1), 1)
		for _, end := range []time.Time{date(time.February, 28, 10), date(time.March, 31, 10), date(time.April, 30, 10), date(time.May, 31, 10)} {
			same(t, "period end", time.Unix(w.sub(sub.ID).CurrentPeriodEnd, 0).UTC(), end)
			w.advance(end)
		}
	})

	t.Run("ThreeMonthsAndYears", func(t *testing.T) {
		w := openAt(t, date(time.November, 30, 10))
		u := w.payer("pm_card_visa")
		quarterly, yearly := w.subscribe(u, w.plan(1000, "month", 3), 1), w.subscribe(u, w.plan(1000, "year", 1), 1)
		same(t, "quarter", time.Unix(quarterly.CurrentPeriodEnd, 0).UTC(), time.Date(2026, 2, 28, 10, 0, 0, 0, time.UTC))
		same(t, "year", time.Unix(yearly.CurrentPeriodEnd, 0).UTC(), time.Date(2026, 11, 30, 10, 0, 0, 0, time.UTC))
		w.advance(time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC))
		same(t, "next quarter", time.Unix(w.sub(quarterly.ID).CurrentPeriodEnd, 0).UTC(), time.Date(2026, 5, 30, 10, 0, 0, 0, time.UTC))
	})

	t.Run("SendInvoiceIsPaidByHandOrPastDue", func(t *testing.T) {
		w := open(t)
		u := must(w.api.Customers.New(&stripe.CustomerParams{Email: stripe.String("pay@example.com")}))(t)
		sub := w.subscribe(u, w.plan(1000, "month", 1), 5, func(in *stripe.SubscriptionParams) {
			in.CollectionMethod, in.DaysUntilDue = stripe.String("send_invoice"), stripe.Int64(14)
		})
		same(t, "status", sub.Status, stripe.SubscriptionStatusActive)
		w.advance(newYear.Add(2 * time.Hour))
		inv := w.inv(sub.LatestInvoice.ID)
		same(t, "open", inv.Status, stripe.InvoiceStatusOpen)
		same(t, "due", inv.DueDate, newYear.Add(time.Hour).AddDate(0, 0, 14).Unix())
		w.advance(newYear.AddDate(0, 0, 15))
		same(t, "status", w.sub(sub.ID).Status, stripe.SubscriptionStatusPastDue)
		must(w.api.Invoices.Pay(inv.ID, &stripe.InvoicePayParams{PaidOutOfBand: stripe.Bool(true)}))(t)
		same(t, "status", w.sub(sub.ID).Status, stripe.SubscriptionStatusActive)
	})
}

func TestDunning(t *testing.T) {
	// failing is a subscription whose renewal has just failed.
	failing := func(t *testing.T, then string) (*world, *stripe.Customer, *stripe.Subscription) {
		w := open(t)
		u := w.payer("pm_card_visa")
		sub := w.subscribe(u, w.plan(1000, "month", 1), 5)
		w.giveCard(u.ID, "pm_card_chargeCustomerFail")
		if err := w.SetDunning(Dunning{Retries: []time.Duration{24 * time.Hour, 48 * time.Hour}, Then: then}); err != nil {
			t.Fatal(err)
		}
		w.advance(newYear.AddDate(0, 1, 0).Add(time.Hour))
		return w, u, sub
	}

	t.Run("AFailureIsPastDueAndTriedAgain", func(t *testing.T) {
		w, u, sub := failing(t, "canceled")
		same(t, "status", w.sub(sub.ID).Status, stripe.SubscriptionStatusPastDue)
		inv := w.inv(w.sub(sub.ID).LatestInvoice.ID)
		same(t, "attempts", inv.AttemptCount, 1)
		same(t, "next", inv.NextPaymentAttempt, newYear.AddDate(0, 1, 1).Add(time.Hour).Unix())
		w.giveCard(u.ID, "pm_card_visa")
		mark := w.lastEvent()
		w.advance(newYear.AddDate(0, 1, 2))
		same(t, "status", w.sub(sub.ID).Status, stripe.SubscriptionStatusActive)
		for _, kind := range []string{"invoice.paid", "customer.subscription.updated"} {
			same(t, kind, slices.Contains(w.kinds(mark), kind), true)
		}
	})

	for then, status := range map[string]stripe.SubscriptionStatus{
		"canceled": stripe.SubscriptionStatusCanceled, "unpaid": stripe.SubscriptionStatusUnpaid, "past_due": stripe.SubscriptionStatusPastDue,
	} {
		t.Run("WhenAllAttemptsHaveFailed/"+then, func(t *testing.T) {
			w, _, sub := failing(t, then)
			w.advance(newYear.AddDate(0, 1, 5))
			after := w.sub(sub.ID)
			same(t, "status", after.Status, status)
			same(t, "attempts", w.inv(after.LatestInvoice.ID).AttemptCount, 3)
			if then == "canceled" {
				same(t, "reason", after.CancellationDetails.Reason, stripe.SubscriptionCancellationDetailsReasonPaymentFailed)
			}
		})
	}

	t.Run("UnpaidDraftsOnAndComesBackWhenTheLatestInvoiceIsPaid", func(t *testing.T) {
		w, u, sub := failing(t, "unpaid")
		w.advance(newYear.AddDate(0, 2, 0).Add(3 * time.Hour))
		latest := w.inv(w.sub(sub.ID).LatestInvoice.ID)
		same(t, "draft", latest.Status, stripe.InvoiceStatusDraft)
		same(t, "auto_advance", latest.AutoAdvance, false)
		w.giveCard(u.ID, "pm_card_visa")
		must(w.api.Invoices.Pay(latest.ID, nil))(t)
		same(t, "status", w.sub(sub.ID).Status, stripe.SubscriptionStatusActive)
	})

	t.Run("ALostCardIsNotTriedAgain", func(t *testing.T) {
		w, u, sub := failing(t, "past_due")
		card := w.giveCard(u.ID, "pm_card_visa")
		if err := w.SetCard(card.ID, "pm_card_visa_chargeDeclinedLostCard"); err != nil {
			t.Fatal(err)
		}
		w.advance(newYear.AddDate(0, 1, 2))
		mark := w.lastEvent()
		w.advance(newYear.AddDate(0, 1, 5))
		same(t, "no charge", slices.Contains(w.kinds(mark), "charge.failed"), false)
		same(t, "attempts", w.inv(w.sub(sub.ID).LatestInvoice.ID).AttemptCount, 3)
	})
}

func TestTrial(t *testing.T) {
	trial := func(w *world, card, missing string) *stripe.Subscription {
		var u *stripe.Customer
		if card == "" {
			u = must(w.api.Customers.New(&stripe.CustomerParams{}))(w.t)
		} else {
			u = w.payer(card)
		}
		return w.subscribe(u, w.plan(1000, "month", 1), 5, func(in *stripe.SubscriptionParams) {
			in.TrialPeriodDays = stripe.Int64(14)
			in.TrialSettings = &stripe.SubscriptionTrialSettingsParams{
				EndBehavior: &stripe.SubscriptionTrialSettingsEndBehaviorParams{MissingPaymentMethod: stripe.String(missing)},
			}
		})
	}

	t.Run("WithACardItBecomesActive", func(t *testing.T) {
		w := open(t)
		sub := trial(w, "pm_card_visa", "create_invoice")
		same(t, "status", sub.Status, stripe.SubscriptionStatusTrialing)
		inv := w.inv(sub.LatestInvoice.ID)
		same(t, "total", inv.Total, 0)
		same(t, "paid", inv.Paid, true)
		mark := w.lastEvent()
		w.advance(newYear.AddDate(0, 0, 11))
		sameStrings(t, "before its end", w.kinds(mark), []string{"invoice.upcoming", "customer.subscription.trial_will_end"})
		w.advance(newYear.AddDate(0, 0, 14))
		after := w.sub(sub.ID)
		same(t, "status", after.Status, stripe.SubscriptionStatusActive)
		same(t, "period end", after.CurrentPeriodEnd, newYear.AddDate(0, 1, 14).Unix())
		w.advance(newYear.AddDate(0, 0, 14).Add(time.Hour))
		same(t, "paid", w.inv(after.LatestInvoice.ID).AmountPaid, 5000)
	})

	for missing, want := range map[string]stripe.SubscriptionStatus{
		"create_invoice": stripe.SubscriptionStatusPastDue, "cancel": stripe.SubscriptionStatusCanceled, "pause": stripe.SubscriptionStatusPaused,
	} {
		t.Run("WithoutACard/"+missing, func(t *testing.T) {
			w := open(t)
			sub := trial(w, "", missing)
			w.advance(newYear.AddDate(0, 0, 14).Add(2 * time.Hour))
			same(t, "status", w.sub(sub.ID).Status, want)
			if missing != "pause" {
				return
			}
			w.giveCard(sub.Customer.ID, "pm_card_visa")
			mark := w.lastEvent()
			resumed := must(w.api.Subscriptions.Resume(sub.ID, &stripe.SubscriptionResumeParams{}))(t)
			same(t, "status", resumed.Status, stripe.SubscriptionStatusActive)
			same(t, "told", slices.Contains(w.kinds(mark), "customer.subscription.resumed"), true)
		})
	}

	t.Run("EndedByHandItBillsAtOnce", func(t *testing.T) {
		w := open(t)
		sub := trial(w, "pm_card_visa", "create_invoice")
		w.advance(newYear.AddDate(0, 0, 3))
		after := must(w.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{TrialEndNow: stripe.Bool(true)}))(t)
		same(t, "status", after.Status, stripe.SubscriptionStatusActive)
		same(t, "period end", after.CurrentPeriodEnd, newYear.AddDate(0, 1, 3).Unix())
		same(t, "paid", w.inv(after.LatestInvoice.ID).AmountPaid, 5000)
	})

	t.Run("SeatsChangeWithoutProrations", func(t *testing.T) {
		w := open(t)
		sub := trial(w, "pm_card_visa", "create_invoice")
		mark := w.lastEvent()
		w.setSeats(sub, 9)
		sameStrings(t, "events", w.kinds(mark), []string{"customer.subscription.updated"})
	})
}

func TestCancel(t *testing.T) {
	t.Run("AtPeriodEndAndUndone", func(t *testing.T) {
		w := open(t)
		sub := w.subscribe(w.payer("pm_card_visa"), w.plan(1000, "month", 1), 5)
		set := must(w.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{CancelAtPeriodEnd: stripe.Bool(true)}))(t)
		same(t, "cancel_at", set.CancelAt, sub.CurrentPeriodEnd)
		same(t, "status", set.Status, stripe.SubscriptionStatusActive)
		undone := must(w.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{CancelAtPeriodEnd: stripe.Bool(false)}))(t)
		same(t, "cancel_at", undone.CancelAt, 0)
		must(w.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{CancelAtPeriodEnd: stripe.Bool(true)}))(t)
		mark := w.lastEvent()
		w.advance(newYear.AddDate(0, 2, 0))
		sameStrings(t, "events", w.kinds(mark), []string{"customer.subscription.deleted"})
		after := w.sub(sub.ID)
		same(t, "status", after.Status, stripe.SubscriptionStatusCanceled)
		same(t, "ended", after.EndedAt, sub.CurrentPeriodEnd)
		same(t, "reason", after.CancellationDetails.Reason, stripe.SubscriptionCancellationDetailsReasonCancellationRequested)
	})

	t.Run("AtADateWithinThePeriodCutsIt", func(t *testing.T) {
		w := open(t)
		sub := w.subscribe(w.payer("pm_card_visa"), w.plan(3100, "month", 1), 5)
		set := must(w.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{CancelAt: stripe.Int64(midMonth.Unix())}))(t)
		same(t, "period end", set.CurrentPeriodEnd, midMonth.Unix())
		w.advance(midMonth)
		same(t, "status", w.sub(sub.ID).Status, stripe.SubscriptionStatusCanceled)
		same(t, "credit", must(w.api.Customers.Get(sub.Customer.ID, nil))(t).Balance, -5*1600)
	})

	t.Run("AtOnceWithProrationAndAnInvoice", func(t *testing.T) {
		w := open(t)
		sub := w.subscribe(w.payer("pm_card_visa"), w.plan(3100, "month", 1), 5)
		w.advance(midMonth)
		over := must(w.api.Subscriptions.Cancel(sub.ID, &stripe.SubscriptionCancelParams{Prorate: stripe.Bool(true), InvoiceNow: stripe.Bool(true)}))(t)
		same(t, "status", over.Status, stripe.SubscriptionStatusCanceled)
		same(t, "credit", must(w.api.Customers.Get(sub.Customer.ID, nil))(t).Balance, -5*1600)
		_, err := w.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{Description: stripe.String("again")})
		same(t, "no change any more", stripeError(t, err).HTTPStatusCode, 400)
		list := w.api.Subscriptions.List(&stripe.SubscriptionListParams{Customer: stripe.String(sub.Customer.ID)})
		same(t, "listed", list.Next(), false)
		list = w.api.Subscriptions.List(&stripe.SubscriptionListParams{Customer: stripe.String(sub.Customer.ID), Status: stripe.String("all")})
		same(t, "listed with status=all", list.Next(), true)
	})

	t.Run("PauseCollectionNeverChangesTheStatus", func(t *testing.T) {
		for behavior, want := range map[string]stripe.InvoiceStatus{
			"void": stripe.InvoiceStatusVoid, "keep_as_draft": stripe.InvoiceStatusDraft, "mark_uncollectible": stripe.InvoiceStatusUncollectible,
		} {
			w := open(t)
			sub := w.subscribe(w.payer("pm_card_visa"), w.plan(1000, "month", 1), 5)
			must(w.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{PauseCollection: &stripe.SubscriptionPauseCollectionParams{Behavior: stripe.String(behavior)}}))(t)
			w.advance(newYear.AddDate(0, 1, 1))
			after := w.sub(sub.ID)
			same(t, "status", after.Status, stripe.SubscriptionStatusActive)
			same(t, behavior, w.inv(after.LatestInvoice.ID).Status, want)
		}
	})
}
