package localstripe

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v76"
)

// topUp is an invoice of its own for two packs, open and to be paid by nobody but who made it.
func (w *world) topUp(u *stripe.Customer) *stripe.Invoice {
	w.t.Helper()
	inv := w.topUpDraft(u)
	return must(w.api.Invoices.FinalizeInvoice(inv.ID, &stripe.InvoiceFinalizeInvoiceParams{AutoAdvance: stripe.Bool(false)}))(w.t)
}

func (w *world) topUpDraft(u *stripe.Customer) *stripe.Invoice {
	w.t.Helper()
	inv := must(w.api.Invoices.New(&stripe.InvoiceParams{
		Customer: stripe.String(u.ID), AutoAdvance: stripe.Bool(false), Currency: stripe.String("usd"),
		PendingInvoiceItemsBehavior: stripe.String("exclude"), Metadata: map[string]string{"purchase": "p1"},
		CollectionMethod: stripe.String("charge_automatically"),
	}))(w.t)
	must(w.api.InvoiceItems.New(&stripe.InvoiceItemParams{
		Customer: stripe.String(u.ID), Invoice: stripe.String(inv.ID), Price: stripe.String(w.pack(900).ID), Quantity: stripe.Int64(2),
	}))(w.t)
	return inv
}

func (w *world) payTopUp(inv *stripe.Invoice, method string) (*stripe.Invoice, error) {
	in := &stripe.InvoicePayParams{OffSession: stripe.Bool(true)}
	if method != "" {
		in.PaymentMethod = stripe.String(method)
	}
	return w.api.Invoices.Pay(inv.ID, in)
}

// withPayment fetches an invoice as whoever settles a purchase does.
func (w *world) withPayment(id string) *stripe.Invoice {
	w.t.Helper()
	in := &stripe.InvoiceParams{}
	in.AddExpand("payment_intent")
	return must(w.api.Invoices.Get(id, in))(w.t)
}

// TestTopUp holds the calls of an automatic purchase: an invoice that is made, filled, finalised and paid off session.
func TestTopUp(t *testing.T) {
	t.Run("IsPaidWithTheDefaultCard", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_visa")
		// What waits for the next renewal has no place on it.
		must(w.api.InvoiceItems.New(&stripe.InvoiceItemParams{Customer: stripe.String(u.ID), Amount: stripe.Int64(77), Currency: stripe.String("usd")}))(t)
		inv := w.topUp(u)
		same(t, "due", inv.AmountDue, 1800)
		same(t, "lines", len(inv.Lines.Data), 1)
		same(t, "quantity", inv.Lines.Data[0].Quantity, 2)
		mark := w.lastEvent()
		paid := must(w.payTopUp(inv, ""))(t)
		same(t, "status", paid.Status, stripe.InvoiceStatusPaid)
		same(t, "amount", paid.AmountPaid, 1800)
		same(t, "when", paid.StatusTransitions.PaidAt, newYear.Unix())
		sameStrings(t, "events", w.kinds(mark), []string{
			"charge.succeeded", "payment_intent.succeeded", "invoice.updated", "invoice.paid", "invoice.payment_succeeded",
		})
		_, err := w.payTopUp(inv, "")
		same(t, "again", stripeError(t, err).Code, stripe.ErrorCode("invoice_already_paid"))
		same(t, "charged once", w.withPayment(inv.ID).PaymentIntent.AmountReceived, 1800)
	})

	t.Run("OrWithTheCardThatIsNamed", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_chargeCustomerFail")
		other := must(w.api.PaymentMethods.Attach("pm_card_mastercard", &stripe.PaymentMethodAttachParams{Customer: stripe.String(u.ID)}))(t)
		inv := w.topUp(u)
		must(w.payTopUp(inv, other.ID))(t)
		same(t, "by", w.withPayment(inv.ID).PaymentIntent.PaymentMethod.ID, other.ID)
		same(t, "the default stays", must(w.api.Customers.Get(u.ID, nil))(t).InvoiceSettings.DefaultPaymentMethod.ID == other.ID, false)
		stranger := must(w.api.PaymentMethods.Attach("pm_card_visa", &stripe.PaymentMethodAttachParams{Customer: stripe.String(w.payer("pm_card_visa").ID)}))(t)
		_, err := w.payTopUp(w.topUp(u), stranger.ID)
		same(t, "somebody else's", stripeError(t, err).HTTPStatusCode, 400)
	})

	t.Run("DeclinedItStaysOpenAndSaysWhy", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_visa")
		card := u0(w, u)
		if err := w.SetCard(card, "pm_card_visa_chargeDeclinedInsufficientFunds"); err != nil {
			t.Fatal(err)
		}
		inv := w.topUp(u)
		_, err := w.payTopUp(inv, "")
		refused := stripeError(t, err)
		same(t, "status", refused.HTTPStatusCode, 402)
		same(t, "type", refused.Type, stripe.ErrorTypeCard)
		same(t, "code", refused.Code, stripe.ErrorCodeCardDeclined)
		same(t, "decline code", refused.DeclineCode, stripe.DeclineCodeInsufficientFunds)
		same(t, "the payment", refused.PaymentIntent.ID, inv.PaymentIntent.ID)
		after := w.withPayment(inv.ID)
		same(t, "invoice", after.Status, stripe.InvoiceStatusOpen)
		same(t, "attempts", after.AttemptCount, 1)
		same(t, "no retry is planned", after.NextPaymentAttempt, 0)
		same(t, "payment", after.PaymentIntent.Status, stripe.PaymentIntentStatusRequiresPaymentMethod)
		why := after.PaymentIntent.LastPaymentError
		same(t, "why", why.Code, stripe.ErrorCodeCardDeclined)
		same(t, "why exactly", why.DeclineCode, stripe.DeclineCodeInsufficientFunds)
		same(t, "with which card", why.PaymentMethod.ID, card)
		w.advance(newYear.AddDate(0, 1, 0))
		same(t, "nobody tried again", w.inv(inv.ID).AttemptCount, 1)

		if err := w.SetCard(card, "pm_card_visa"); err != nil {
			t.Fatal(err)
		}
		same(t, "paid later", must(w.payTopUp(inv, ""))(t).Status, stripe.InvoiceStatusPaid)
		if w.withPayment(inv.ID).PaymentIntent.LastPaymentError != nil {
			t.Error("a payment that succeeded still names an error")
		}
	})

	t.Run("TheBankAsksAndThePageAnswers", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_authenticationRequired")
		inv := w.topUp(u)
		mark := w.lastEvent()
		_, err := w.payTopUp(inv, "")
		refused := stripeError(t, err)
		same(t, "status", refused.HTTPStatusCode, 402)
		same(t, "code", refused.Code, stripe.ErrorCodeInvoicePaymentIntentRequiresAction)
		sameStrings(t, "events", w.kinds(mark), []string{"payment_intent.requires_action", "invoice.payment_action_required", "invoice.payment_failed"})
		after := w.withPayment(inv.ID)
		same(t, "invoice", after.Status, stripe.InvoiceStatusOpen)
		same(t, "payment", after.PaymentIntent.Status, stripe.PaymentIntentStatusRequiresAction)
		same(t, "asks on the page", strings.Contains(fetch(t, after.HostedInvoiceURL, nil).body, "Confirm payment"), true)
		same(t, "confirmed", fetch(t, after.HostedInvoiceURL, url.Values{"authenticated": {"true"}}).status, http.StatusOK)
		same(t, "paid", w.inv(inv.ID).Paid, true)
	})

	t.Run("WithoutAPaymentMethodNothingIsTried", func(t *testing.T) {
		w := open(t)
		u := must(w.api.Customers.New(&stripe.CustomerParams{}))(t)
		inv := w.topUp(u)
		_, err := w.payTopUp(inv, "")
		same(t, "status", stripeError(t, err).HTTPStatusCode, 400)
		same(t, "attempts", w.inv(inv.ID).AttemptCount, 0)
		same(t, "the page takes a card", fetch(t, inv.HostedInvoiceURL, url.Values{"payment_method": {"pm_card_visa"}}).status, http.StatusOK)
		same(t, "paid", w.inv(inv.ID).Paid, true)
	})

	t.Run("VoidItTakesNoMoneyAnyMore", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_chargeCustomerFail")
		inv := w.topUp(u)
		if _, err := w.payTopUp(inv, ""); err == nil {
			t.Fatal("the card was not refused")
		}
		same(t, "void", must(w.api.Invoices.VoidInvoice(inv.ID, nil))(t).Status, stripe.InvoiceStatusVoid)
		same(t, "payment", w.withPayment(inv.ID).PaymentIntent.Status, stripe.PaymentIntentStatusCanceled)
		_, err := w.payTopUp(inv, "pm_card_visa")
		same(t, "pay", stripeError(t, err).HTTPStatusCode, 400)
		same(t, "page", fetch(t, inv.HostedInvoiceURL, url.Values{"payment_method": {"pm_card_visa"}}).status, http.StatusPaymentRequired)
		_, err = w.api.Invoices.VoidInvoice(inv.ID, nil)
		same(t, "void again", stripeError(t, err).HTTPStatusCode, 400)
	})

	t.Run("ADraftIsDeletedAndNotVoided", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_visa")
		inv := w.topUpDraft(u)
		_, err := w.api.Invoices.VoidInvoice(inv.ID, nil)
		same(t, "void", stripeError(t, err).HTTPStatusCode, 400)
		same(t, "deleted", must(w.api.Invoices.Del(inv.ID, nil))(t).Deleted, true)
		_, err = w.api.Invoices.Get(inv.ID, nil)
		same(t, "gone", stripeError(t, err).HTTPStatusCode, 404)
		list := w.api.InvoiceItems.List(&stripe.InvoiceItemListParams{Customer: stripe.String(u.ID), Pending: stripe.Bool(true)})
		same(t, "its item goes with it", list.Next(), false)
		open := w.topUp(u)
		_, err = w.api.Invoices.Del(open.ID, nil)
		same(t, "an open one stays", stripeError(t, err).HTTPStatusCode, 400)
	})

	t.Run("EachStepRepeatedWithItsKeyIsDoneOnce", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_chargeCustomerFail")
		inv := w.topUp(u)
		pay := func() *stripe.Error {
			in := &stripe.InvoicePayParams{OffSession: stripe.Bool(true)}
			in.SetIdempotencyKey("pay-p1")
			_, err := w.api.Invoices.Pay(inv.ID, in)
			return stripeError(t, err)
		}
		first, mark := pay(), w.lastEvent()
		w.giveCard(u.ID, "pm_card_visa")
		again := pay()
		same(t, "the same answer, whatever card there is now", again.ChargeID, first.ChargeID)
		same(t, "no attempt", contains(w.kinds(mark), "charge.succeeded"), false)
		same(t, "a new key is a new attempt", must(w.payTopUp(inv, ""))(t).Status, stripe.InvoiceStatusPaid)
	})
}
