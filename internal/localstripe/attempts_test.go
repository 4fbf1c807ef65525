package localstripe

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"
)

// renewed is a subscription whose first renewal was tried with a card.
func renewed(t *testing.T, card string) (*world, *stripe.Customer, *stripe.Subscription) {
	t.Helper()
	w := open(t)
	u := w.payer("pm_card_visa")
	sub := w.subscribe(u, w.plan(1000, "month", 1), 5)
	w.giveCard(u.ID, card)
	w.advance(newYear.AddDate(0, 1, 0).Add(time.Hour))
	return w, u, w.sub(sub.ID)
}

func TestAttempts(t *testing.T) {
	t.Run("WhileARetryByBankDebitIsUnderWayNoNextOneIsPlanned", func(t *testing.T) {
		w, u, sub := renewed(t, "pm_card_chargeCustomerFail")
		first := w.inv(sub.LatestInvoice.ID)
		same(t, "the retry", first.NextPaymentAttempt, newYear.AddDate(0, 1, 3).Add(time.Hour).Unix())
		w.giveCard(u.ID, "pm_usBankAccount_insufficientFunds")
		mark := w.lastEvent()
		w.advance(newYear.AddDate(0, 1, 3).Add(2 * time.Hour))
		sameStrings(t, "events", w.kinds(mark), []string{"payment_intent.processing", "invoice.updated"})
		under := w.inv(first.ID)
		same(t, "attempts", under.AttemptCount, 2)
		same(t, "next", under.NextPaymentAttempt, 0)
		_, err := w.api.Invoices.Pay(first.ID, nil)
		same(t, "no second payment beside it", stripeError(t, err).Code, stripe.ErrorCodePaymentIntentUnexpectedState)
		w.advance(newYear.AddDate(0, 1, 7).Add(2 * time.Hour))
		failed := w.inv(first.ID)
		same(t, "attempts", failed.AttemptCount, 2)
		same(t, "next", failed.NextPaymentAttempt, newYear.AddDate(0, 1, 12).Add(time.Hour).Unix())
		same(t, "status", w.sub(sub.ID).Status, stripe.SubscriptionStatusPastDue)
	})

	t.Run("ByHandAfterTheFirstTheyDontMoveTheSchedule", func(t *testing.T) {
		w, _, sub := renewed(t, "pm_card_chargeCustomerFail")
		before := w.inv(sub.LatestInvoice.ID)
		w.advance(newYear.AddDate(0, 1, 1))
		for range 5 {
			_, err := w.api.Invoices.Pay(before.ID, nil)
			same(t, "declined", stripeError(t, err).HTTPStatusCode, 402)
		}
		after := w.inv(before.ID)
		same(t, "attempts", after.AttemptCount, 1)
		same(t, "next", after.NextPaymentAttempt, before.NextPaymentAttempt)
		same(t, "status", w.sub(sub.ID).Status, stripe.SubscriptionStatusPastDue)
	})

	t.Run("ARefusedAuthenticationFailsTheInvoiceWhicheverWay", func(t *testing.T) {
		for name, refuse := range map[string]func(w *world, inv *stripe.Invoice) error{
			"control": func(w *world, inv *stripe.Invoice) error { return w.Authenticate(inv.PaymentIntent.ID, false) },
			"hosted page": func(w *world, inv *stripe.Invoice) error {
				same(w.t, "page", fetch(w.t, inv.HostedInvoiceURL, url.Values{"authenticated": {"false"}}).status, http.StatusPaymentRequired)
				return nil
			},
			"the bank's page": func(w *world, inv *stripe.Invoice) error {
				fetch(w.t, w.URL()+"/_local/authenticate/"+inv.PaymentIntent.ID, url.Values{"ok": {"false"}})
				return nil
			},
		} {
			t.Run(name, func(t *testing.T) {
				w, _, sub := renewed(t, "pm_card_authenticationRequired")
				inv := w.inv(sub.LatestInvoice.ID)
				same(t, "past due already", sub.Status, stripe.SubscriptionStatusPastDue)
				mark := w.lastEvent()
				if err := refuse(w, inv); err != nil {
					t.Fatal(err)
				}
				sameStrings(t, "events", w.kinds(mark), []string{"charge.failed", "payment_intent.payment_failed", "invoice.payment_failed"})
				after := w.inv(inv.ID)
				same(t, "attempts", after.AttemptCount, 1)
				same(t, "next", after.NextPaymentAttempt, inv.NextPaymentAttempt)
			})
		}
	})

	t.Run("AnAuthenticationOnSessionThatFailsMakesARenewalPastDue", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_visa")
		sub := w.subscribe(u, w.plan(1000, "month", 1), 5)
		if err := w.SetDunning(Dunning{Then: "past_due"}); err != nil {
			t.Fatal(err)
		}
		w.advance(newYear.AddDate(0, 1, 0))
		inv := must(w.api.Invoices.FinalizeInvoice(w.sub(sub.ID).LatestInvoice.ID, &stripe.InvoiceFinalizeInvoiceParams{AutoAdvance: stripe.Bool(false)}))(t)
		pi := must(w.api.PaymentIntents.Confirm(inv.PaymentIntent.ID, &stripe.PaymentIntentConfirmParams{PaymentMethod: stripe.String("pm_card_authenticationRequired")}))(t)
		same(t, "asked", pi.Status, stripe.PaymentIntentStatusRequiresAction)
		same(t, "not failed yet", w.sub(sub.ID).Status, stripe.SubscriptionStatusActive)
		if err := w.Authenticate(pi.ID, false); err != nil {
			t.Fatal(err)
		}
		same(t, "failed", w.sub(sub.ID).Status, stripe.SubscriptionStatusPastDue)
	})

	t.Run("AFirstPaymentByBankDebitActivatesAtOnceAndFailsLater", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_usBankAccount_insufficientFunds")
		sub := w.subscribe(u, w.plan(1000, "month", 1), 5)
		same(t, "at once", sub.Status, stripe.SubscriptionStatusActive)
		same(t, "invoice", w.inv(sub.LatestInvoice.ID).Status, stripe.InvoiceStatusOpen)
		w.advance(newYear.AddDate(0, 0, 5))
		same(t, "then", w.sub(sub.ID).Status, stripe.SubscriptionStatusPastDue)
	})

	t.Run("ACheckoutOfASubscriptionByBankDebitIsUnpaidUntilTheMoneyComes", func(t *testing.T) {
		w := open(t)
		plan := w.plan(1000, "month", 1)
		cs := w.checkout(func(in *stripe.CheckoutSessionParams) {
			in.Mode, in.PaymentIntentData = stripe.String("subscription"), nil
			in.LineItems = []*stripe.CheckoutSessionLineItemParams{{Price: stripe.String(plan.ID), Quantity: stripe.Int64(4)}}
		})
		if err := w.PaySession(t.Context(), cs.ID, Payment{Method: "pm_usBankAccount_success"}); err != nil {
			t.Fatal(err)
		}
		after := w.session(cs.ID)
		same(t, "payment", after.PaymentStatus, stripe.CheckoutSessionPaymentStatusUnpaid)
		same(t, "subscription", w.sub(after.Subscription.ID).Status, stripe.SubscriptionStatusActive)
		mark := w.lastEvent()
		w.advance(newYear.AddDate(0, 0, 5))
		got := w.kinds(mark)
		for _, kind := range []string{"checkout.session.async_payment_succeeded", "invoice.paid"} {
			same(t, kind, slices.Contains(got, kind), true)
		}
		same(t, "payment", w.session(cs.ID).PaymentStatus, stripe.CheckoutSessionPaymentStatusPaid)
	})
}
