package localstripe

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"
)

// charge pays with a saved card while its owner is away.
func (w *world) charge(u *stripe.Customer, method string, cents int64) (*stripe.PaymentIntent, error) {
	return w.api.PaymentIntents.New(&stripe.PaymentIntentParams{
		Amount: stripe.Int64(cents), Currency: stripe.String("usd"), Customer: stripe.String(u.ID), PaymentMethod: stripe.String(method),
		OffSession: stripe.Bool(true), Confirm: stripe.Bool(true), Metadata: map[string]string{"purchase": "p1"},
	})
}

func TestPaymentIntent(t *testing.T) {
	t.Run("OffSessionWithAGoodCard", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_visa")
		mark := w.lastEvent()
		pi := must(w.charge(u, u0(w, u), 500))(t)
		same(t, "status", pi.Status, stripe.PaymentIntentStatusSucceeded)
		same(t, "received", pi.AmountReceived, 500)
		sameStrings(t, "events", w.kinds(mark), []string{"payment_intent.created", "charge.succeeded", "payment_intent.succeeded"})
		h := must(w.api.Charges.Get(pi.LatestCharge.ID, nil))(t)
		same(t, "metadata is copied to the charge", h.Metadata["purchase"], "p1")
		same(t, "paid", h.Paid, true)
	})

	t.Run("OffSessionDeclined", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_visa")
		card := u0(w, u)
		if err := w.SetCard(card, "pm_card_chargeDeclinedInsufficientFunds"); err != nil {
			t.Fatal(err)
		}
		mark := w.lastEvent()
		_, err := w.charge(u, card, 500)
		refused := stripeError(t, err)
		same(t, "status", refused.HTTPStatusCode, 402)
		same(t, "code", refused.Code, stripe.ErrorCodeCardDeclined)
		same(t, "decline code", refused.DeclineCode, stripe.DeclineCodeInsufficientFunds)
		if refused.PaymentIntent == nil {
			t.Fatal("the error holds no payment")
		}
		same(t, "left", refused.PaymentIntent.Status, stripe.PaymentIntentStatusRequiresPaymentMethod)
		same(t, "last error", refused.PaymentIntent.LastPaymentError.DeclineCode, stripe.DeclineCodeInsufficientFunds)
		sameStrings(t, "events", w.kinds(mark), []string{"payment_intent.created", "charge.failed", "payment_intent.payment_failed"})
	})

	t.Run("OffSessionTheBankAsks", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_authenticationRequired")
		_, err := w.charge(u, u0(w, u), 500)
		refused := stripeError(t, err)
		same(t, "code", refused.Code, stripe.ErrorCodeAuthenticationRequired)
		pi := must(w.api.PaymentIntents.Confirm(refused.PaymentIntent.ID, &stripe.PaymentIntentConfirmParams{PaymentMethod: stripe.String(u0(w, u))}))(t)
		same(t, "on session", pi.Status, stripe.PaymentIntentStatusRequiresAction)
		if err := w.Authenticate(pi.ID, true); err != nil {
			t.Fatal(err)
		}
		same(t, "authenticated", must(w.api.PaymentIntents.Get(pi.ID, nil))(t).Status, stripe.PaymentIntentStatusSucceeded)
	})

	t.Run("CanceledItTakesNoMoney", func(t *testing.T) {
		w := open(t)
		pi := must(w.api.PaymentIntents.New(&stripe.PaymentIntentParams{Amount: stripe.Int64(100), Currency: stripe.String("usd")}))(t)
		same(t, "canceled", must(w.api.PaymentIntents.Cancel(pi.ID, nil))(t).Status, stripe.PaymentIntentStatusCanceled)
		_, err := w.api.PaymentIntents.Confirm(pi.ID, &stripe.PaymentIntentConfirmParams{PaymentMethod: stripe.String("pm_card_visa")})
		same(t, "code", stripeError(t, err).Code, stripe.ErrorCodePaymentIntentUnexpectedState)
	})

	t.Run("MostDecliningCardsCannotBeAttached", func(t *testing.T) {
		w := open(t)
		u := must(w.api.Customers.New(&stripe.CustomerParams{}))(t)
		_, err := w.api.PaymentMethods.Attach("pm_card_chargeDeclined", &stripe.PaymentMethodAttachParams{Customer: stripe.String(u.ID)})
		same(t, "status", stripeError(t, err).HTTPStatusCode, 402)
	})

	t.Run("ARenewalByBankDebitThatFailsDaysLaterIsAFailedPayment", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_visa")
		sub := w.subscribe(u, w.plan(1000, "month", 1), 1)
		w.giveCard(u.ID, "pm_usBankAccount_insufficientFunds")
		w.advance(newYear.AddDate(0, 1, 0).Add(2 * time.Hour))
		same(t, "while the bank is silent", w.sub(sub.ID).Status, stripe.SubscriptionStatusActive)
		mark := w.lastEvent()
		w.advance(newYear.AddDate(0, 1, 4).Add(2 * time.Hour))
		sameStrings(t, "events", w.kinds(mark), []string{
			"charge.failed", "payment_intent.payment_failed", "invoice.updated", "invoice.payment_failed", "customer.updated",
			"customer.subscription.updated",
		})
		same(t, "then", w.sub(sub.ID).Status, stripe.SubscriptionStatusPastDue)
		inv := w.inv(w.sub(sub.ID).LatestInvoice.ID)
		same(t, "attempts", inv.AttemptCount, 1)
		same(t, "tried again", inv.NextPaymentAttempt, newYear.AddDate(0, 1, 7).Add(time.Hour).Unix())
	})
}

// u0 is a customer's first card.
func u0(w *world, u *stripe.Customer) string {
	w.t.Helper()
	list := w.api.PaymentMethods.List(&stripe.PaymentMethodListParams{Customer: stripe.String(u.ID), Type: stripe.String("card")})
	if !list.Next() {
		w.t.Fatal("the customer has no card")
	}
	return list.PaymentMethod().ID
}

func TestManualInvoice(t *testing.T) {
	// draft is an invoice of one pack that nobody collects by itself.
	draft := func(w *world, u *stripe.Customer) *stripe.Invoice {
		inv := must(w.api.Invoices.New(&stripe.InvoiceParams{
			Customer: stripe.String(u.ID), AutoAdvance: stripe.Bool(false), Metadata: map[string]string{"purchase": "p1"}, Currency: stripe.String("usd"),
		}))(w.t)
		must(w.api.InvoiceItems.New(&stripe.InvoiceItemParams{
			Customer: stripe.String(u.ID), Invoice: stripe.String(inv.ID), Price: stripe.String(w.pack(900).ID), Quantity: stripe.Int64(2),
		}))(w.t)
		return inv
	}

	t.Run("IsFinalisedAndPaid", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_visa")
		inv := draft(w, u)
		open := must(w.api.Invoices.FinalizeInvoice(inv.ID, nil))(t)
		same(t, "open", open.Status, stripe.InvoiceStatusOpen)
		same(t, "due", open.AmountDue, 1800)
		same(t, "line", open.Lines.Data[0].Type, stripe.InvoiceLineItemTypeInvoiceItem)
		same(t, "attempt", open.NextPaymentAttempt, 0)
		w.advance(newYear.AddDate(0, 0, 10))
		same(t, "left alone", w.inv(inv.ID).Status, stripe.InvoiceStatusOpen)
		paid := must(w.api.Invoices.Pay(inv.ID, nil))(t)
		same(t, "paid", paid.Paid, true)
		same(t, "metadata", paid.Metadata["purchase"], "p1")
		same(t, "reason", paid.BillingReason, stripe.InvoiceBillingReasonManual)
	})

	t.Run("DeclinedItStaysOpenWithoutDunning", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_chargeCustomerFail")
		inv := draft(w, u)
		must(w.api.Invoices.FinalizeInvoice(inv.ID, nil))(t)
		_, err := w.api.Invoices.Pay(inv.ID, nil)
		same(t, "code", stripeError(t, err).Code, stripe.ErrorCodeCardDeclined)
		after := w.inv(inv.ID)
		same(t, "status", after.Status, stripe.InvoiceStatusOpen)
		same(t, "next", after.NextPaymentAttempt, 0)
		mark := w.lastEvent()
		same(t, "void", must(w.api.Invoices.VoidInvoice(inv.ID, nil))(t).Status, stripe.InvoiceStatusVoid)
		sameStrings(t, "events", w.kinds(mark), []string{"invoice.updated", "invoice.voided", "payment_intent.canceled"})
	})

	t.Run("TheHostedPagePaysIt", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_authenticationRequired")
		inv := draft(w, u)
		open := must(w.api.Invoices.FinalizeInvoice(inv.ID, nil))(t)
		_, err := w.api.Invoices.Pay(inv.ID, nil)
		same(t, "the bank asks", stripeError(t, err).HTTPStatusCode, 402)
		same(t, "asks on the page", strings.Contains(fetch(t, open.HostedInvoiceURL, nil).body, "Confirm payment"), true)
		same(t, "confirmed", fetch(t, open.HostedInvoiceURL, url.Values{"authenticated": {"true"}}).status, http.StatusOK)
		same(t, "paid", w.inv(inv.ID).Paid, true)
	})

	t.Run("FinalisedByItselfAfterAnHour", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_visa")
		inv := draft(w, u)
		must(w.api.Invoices.Update(inv.ID, &stripe.InvoiceParams{AutoAdvance: stripe.Bool(true)}))(t)
		w.advance(newYear.Add(time.Hour))
		same(t, "paid", w.inv(inv.ID).Paid, true)
	})
}

func TestSetup(t *testing.T) {
	w := open(t)
	u := must(w.api.Customers.New(&stripe.CustomerParams{}))(t)
	si := must(w.api.SetupIntents.New(&stripe.SetupIntentParams{
		Customer: stripe.String(u.ID), PaymentMethod: stripe.String("pm_card_visa"), Confirm: stripe.Bool(true),
		AutomaticPaymentMethods: &stripe.SetupIntentAutomaticPaymentMethodsParams{Enabled: stripe.Bool(true), AllowRedirects: stripe.String("never")},
	}))(t)
	same(t, "status", si.Status, stripe.SetupIntentStatusSucceeded)
	same(t, "attached", u0(w, u), si.PaymentMethod.ID)
}
