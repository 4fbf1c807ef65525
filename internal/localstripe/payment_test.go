package localstripe

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
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

func TestRefund(t *testing.T) {
	t.Run("ChargeRefundedIsCumulative", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_visa")
		pi := must(w.charge(u, u0(w, u), 1000))(t)
		mark := w.lastEvent()
		for _, amount := range []int64{300, 700} {
			must(w.api.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(pi.ID), Amount: stripe.Int64(amount)}))(t)
		}
		events := w.eventsAfter(mark)
		same(t, "events", len(events), 2)
		same(t, "refunded", events[1].Data.Object["amount_refunded"], any(float64(1000)))
		same(t, "refunded before", events[1].Data.PreviousAttributes["amount_refunded"], any(float64(300)))
		same(t, "whole", events[1].Data.Object["refunded"], any(true))
		_, err := w.api.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(pi.ID)})
		same(t, "again", stripeError(t, err).Code, stripe.ErrorCodeChargeAlreadyRefunded)
		list := w.api.Refunds.List(&stripe.RefundListParams{PaymentIntent: stripe.String(pi.ID)})
		same(t, "listed", list.Next() && list.Next() && !list.Next(), true)
		h := &stripe.ChargeParams{}
		h.AddExpand("refunds")
		same(t, "expanded", len(must(w.api.Charges.Get(pi.LatestCharge.ID, h))(t).Refunds.Data), 2)
	})

	t.Run("AFailedRefundBringsTheMoneyBack", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_refundFail")
		pi := must(w.charge(u, u0(w, u), 1000))(t)
		f := must(w.api.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(pi.ID)}))(t)
		same(t, "at first", f.Status, stripe.RefundStatusSucceeded)
		mark := w.lastEvent()
		w.advance(newYear.AddDate(0, 0, 2))
		sameStrings(t, "events", w.kinds(mark), []string{"charge.refund.updated"})
		same(t, "then", must(w.api.Refunds.Get(f.ID, nil))(t).Status, stripe.RefundStatusFailed)
		same(t, "refunded", must(w.api.Charges.Get(pi.LatestCharge.ID, nil))(t).AmountRefunded, 0)
	})
}

func TestDispute(t *testing.T) {
	t.Run("ADisputeTakesTheMoneyAndWinningBringsItBack", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_createDispute")
		mark := w.lastEvent()
		pi := must(w.charge(u, u0(w, u), 1000))(t)
		list := w.api.Disputes.List(&stripe.DisputeListParams{PaymentIntent: stripe.String(pi.ID)})
		same(t, "disputed", list.Next(), true)
		d := list.Dispute()
		same(t, "status", d.Status, stripe.DisputeStatusNeedsResponse)
		_, err := w.api.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(pi.ID)})
		same(t, "no refund", stripeError(t, err).Code, stripe.ErrorCode("charge_disputed"))
		won := must(w.api.Disputes.Update(d.ID, &stripe.DisputeParams{Evidence: &stripe.DisputeEvidenceParams{UncategorizedText: stripe.String("winning_evidence")}}))(t)
		same(t, "won", won.Status, stripe.DisputeStatusWon)
		var got []string
		for _, kind := range w.kinds(mark) {
			if strings.HasPrefix(kind, "charge.dispute") {
				got = append(got, strings.TrimPrefix(kind, "charge.dispute."))
			}
		}
		sameStrings(t, "events", got, []string{"created", "funds_withdrawn", "updated", "closed", "funds_reinstated"})
	})

	t.Run("AnInquiryMovesNoMoneyAndARefundEndsIt", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_visa")
		pi := must(w.charge(u, u0(w, u), 1000))(t)
		mark := w.lastEvent()
		id, err := w.OpenDispute(pi.LatestCharge.ID, Dispute{Inquiry: true})
		if err != nil {
			t.Fatal(err)
		}
		must(w.api.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(pi.ID)}))(t)
		same(t, "closed", must(w.api.Disputes.Get(id, nil))(t).Status, stripe.DisputeStatusWarningClosed)
		sameStrings(t, "events", w.kinds(mark), []string{"charge.dispute.created", "charge.refunded", "charge.dispute.closed"})
	})

	t.Run("UnansweredItIsLost", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_visa")
		pi := must(w.charge(u, u0(w, u), 1000))(t)
		id, err := w.OpenDispute(pi.LatestCharge.ID, Dispute{Amount: 400})
		if err != nil {
			t.Fatal(err)
		}
		w.advance(newYear.AddDate(0, 1, 0))
		d := must(w.api.Disputes.Get(id, nil))(t)
		same(t, "status", d.Status, stripe.DisputeStatusLost)
		same(t, "amount", d.Amount, 400)
	})
}

func TestPortal(t *testing.T) {
	w := open(t)
	u := w.payer("pm_card_visa")
	sub := w.subscribe(u, w.plan(3100, "month", 1), 5)
	big := w.plan(6200, "month", 1)
	ps := must(w.api.BillingPortalSessions.New(&stripe.BillingPortalSessionParams{
		Customer: stripe.String(u.ID), ReturnURL: stripe.String("http://127.0.0.1/back"),
	}))(t)
	same(t, "seats shown", strings.Contains(fetch(t, ps.URL, nil).body, `value="5"`), true)
	change := ps.URL + "/subscriptions/" + sub.ID
	same(t, "more seats", fetch(t, change, url.Values{"do": {"update"}, "seats": {"8"}, "price": {sub.Items.Data[0].Price.ID}}).status, http.StatusSeeOther)
	same(t, "seats", w.sub(sub.ID).Items.Data[0].Quantity, 8)
	same(t, "another plan", fetch(t, change, url.Values{"do": {"update"}, "seats": {"8"}, "price": {big.ID}}).status, http.StatusSeeOther)
	same(t, "plan", w.sub(sub.ID).Items.Data[0].Price.ID, big.ID)
	same(t, "no seats", fetch(t, change, url.Values{"do": {"update"}, "seats": {"0"}}).status, http.StatusUnprocessableEntity)
	fetch(t, change, url.Values{"do": {"cancel"}})
	same(t, "ends", w.sub(sub.ID).CancelAtPeriodEnd, true)
	fetch(t, change, url.Values{"do": {"resume"}})
	same(t, "goes on", w.sub(sub.ID).CancelAtPeriodEnd, false)
	fetch(t, ps.URL+"/card", url.Values{"payment_method": {"pm_card_mastercard"}})
	card := must(w.api.Customers.Get(u.ID, nil))(t).InvoiceSettings.DefaultPaymentMethod.ID
	same(t, "card", must(w.api.PaymentMethods.Get(card, nil))(t).Card.Brand, stripe.PaymentMethodCardBrandMastercard)

	flow := must(w.api.BillingPortalSessions.New(&stripe.BillingPortalSessionParams{
		Customer: stripe.String(u.ID), FlowData: &stripe.BillingPortalSessionFlowDataParams{
			Type:               stripe.String("subscription_update"),
			SubscriptionUpdate: &stripe.BillingPortalSessionFlowDataSubscriptionUpdateParams{Subscription: stripe.String(sub.ID)},
			AfterCompletion: &stripe.BillingPortalSessionFlowDataAfterCompletionParams{
				Type: stripe.String("redirect"), Redirect: &stripe.BillingPortalSessionFlowDataAfterCompletionRedirectParams{ReturnURL: stripe.String("http://127.0.0.1/done")},
			},
		},
	}))(t)
	same(t, "flow", flow.Flow.SubscriptionUpdate.Subscription, sub.ID)
	done := fetch(t, flow.URL+"/subscriptions/"+sub.ID, url.Values{"do": {"update"}, "seats": {"9"}, "price": {big.ID}})
	same(t, "to", done.location, "http://127.0.0.1/done")
}

func TestTrouble(t *testing.T) {
	t.Run("ErrorsOnDemand", func(t *testing.T) {
		w := open(t)
		w.Disturb(Trouble{Method: "POST", Path: "/v1/customers", Status: 429, Times: 2})
		for range 2 {
			_, err := w.api.Customers.New(&stripe.CustomerParams{})
			same(t, "code", stripeError(t, err).Code, stripe.ErrorCodeRateLimit)
		}
		must(w.api.Customers.New(&stripe.CustomerParams{}))(t)
	})

	t.Run("AnAnswerThatIsLostWasStillCarriedOut", func(t *testing.T) {
		w := open(t)
		w.Disturb(Trouble{Method: "POST", Path: "/v1/customers", After: true})
		in := &stripe.CustomerParams{Params: stripe.Params{IdempotencyKey: stripe.String("k")}}
		_, err := w.api.Customers.New(in)
		var answered *stripe.Error
		if err == nil || errors.As(err, &answered) {
			t.Fatalf("an answer came: %v", err)
		}
		u := must(w.api.Customers.New(in))(t)
		same(t, "replayed", u.LastResponse.Header.Get("Idempotent-Replayed"), "true")
		same(t, "made once", slices.Equal(w.kinds(""), []string{"customer.created"}), true)
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
