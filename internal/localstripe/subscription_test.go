package localstripe

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"
)

func TestSubscription(t *testing.T) {
	t.Run("AGoodCardMakesItActiveAtOnce", func(t *testing.T) {
		w := open(t)
		u, p := w.payer("pm_card_visa"), w.plan(1000, "month", 1)
		mark := w.lastEvent()
		sub := w.subscribe(u, p, 5)
		same(t, "status", sub.Status, stripe.SubscriptionStatusActive)
		same(t, "period", time.Unix(sub.CurrentPeriodEnd, 0).UTC(), newYear.AddDate(0, 1, 0))
		same(t, "seats", sub.Items.Data[0].Quantity, 5)
		same(t, "price", sub.Items.Data[0].Price.ID, p.ID)
		inv := w.inv(sub.LatestInvoice.ID)
		same(t, "paid", inv.Paid, true)
		same(t, "amount", inv.AmountPaid, 5000)
		same(t, "reason", inv.BillingReason, stripe.InvoiceBillingReasonSubscriptionCreate)
		same(t, "period_start is not the service period", inv.PeriodStart, inv.PeriodEnd)
		l := inv.Lines.Data[0]
		same(t, "line price", l.Price.ID, p.ID)
		same(t, "line type", l.Type, stripe.InvoiceLineItemTypeSubscription)
		same(t, "line item", l.SubscriptionItem.ID, sub.Items.Data[0].ID)
		same(t, "line period", l.Period.End, sub.CurrentPeriodEnd)
		same(t, "line quantity", l.Quantity, 5)
		sameStrings(t, "events", w.kinds(mark), []string{
			"customer.subscription.created", "customer.updated", "invoice.created", "invoice.finalized", "payment_intent.created",
			"charge.succeeded", "payment_intent.succeeded", "invoice.paid", "invoice.payment_succeeded",
		})
		for _, e := range w.eventsAfter(mark) {
			same(t, "one second", e.Created, newYear.Unix())
			if e.Type == "invoice.created" {
				same(t, "status in invoice.created", e.Data.Object["status"], any("paid"))
			}
			if e.Request == nil || e.Request.ID == "" || e.Request.IdempotencyKey == "" {
				t.Errorf("%s does not name its request", e.Type)
			}
		}
	})

	t.Run("DefaultIncompleteWaitsForItsFirstPayment", func(t *testing.T) {
		w := open(t)
		u, p := w.payer("pm_card_visa"), w.plan(1000, "month", 1)
		sub := w.subscribe(u, p, 2, func(in *stripe.SubscriptionParams) {
			in.PaymentBehavior = stripe.String("default_incomplete")
			in.AddExpand("latest_invoice.payment_intent")
		})
		same(t, "status", sub.Status, stripe.SubscriptionStatusIncomplete)
		pi := sub.LatestInvoice.PaymentIntent
		if pi == nil || pi.ClientSecret == "" {
			t.Fatal("the payment intent is not expanded")
		}
		mark := w.lastEvent()
		paid := must(w.api.PaymentIntents.Confirm(pi.ID, &stripe.PaymentIntentConfirmParams{PaymentMethod: stripe.String("pm_card_visa")}))(t)
		same(t, "payment", paid.Status, stripe.PaymentIntentStatusSucceeded)
		same(t, "status", w.sub(sub.ID).Status, stripe.SubscriptionStatusActive)
		for _, e := range w.eventsAfter(mark) {
			if e.Type == "customer.subscription.updated" {
				same(t, "previous status", e.Data.PreviousAttributes["status"], any("incomplete"))
				return
			}
		}
		t.Error("no customer.subscription.updated")
	})

	t.Run("AFirstPaymentThatNeverComesExpires", func(t *testing.T) {
		w := open(t)
		u, p := w.payer("pm_card_chargeCustomerFail"), w.plan(1000, "month", 1)
		sub := w.subscribe(u, p, 2)
		same(t, "status", sub.Status, stripe.SubscriptionStatusIncomplete)
		w.advance(newYear.Add(23 * time.Hour))
		same(t, "status", w.sub(sub.ID).Status, stripe.SubscriptionStatusIncompleteExpired)
		same(t, "invoice", w.inv(sub.LatestInvoice.ID).Status, stripe.InvoiceStatusVoid)
	})

	t.Run("ErrorIfIncompleteChangesNothing", func(t *testing.T) {
		w := open(t)
		u, p := w.payer("pm_card_chargeCustomerFail"), w.plan(1000, "month", 1)
		mark := w.lastEvent()
		_, err := w.api.Subscriptions.New(&stripe.SubscriptionParams{
			Customer: stripe.String(u.ID), PaymentBehavior: stripe.String("error_if_incomplete"),
			Items: []*stripe.SubscriptionItemsParams{{Price: stripe.String(p.ID)}},
		})
		refused := stripeError(t, err)
		same(t, "status", refused.HTTPStatusCode, 402)
		same(t, "code", refused.Code, stripe.ErrorCodeCardDeclined)
		sameStrings(t, "events", w.kinds(mark), nil)
	})

	t.Run("TheEleventhItemIsBehindItsURL", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_visa")
		in := &stripe.SubscriptionParams{Customer: stripe.String(u.ID)}
		for range 12 {
			in.Items = append(in.Items, &stripe.SubscriptionItemsParams{Price: stripe.String(w.plan(100, "month", 1).ID)})
		}
		sub := must(w.api.Subscriptions.New(in))(t)
		same(t, "embedded", len(sub.Items.Data), 10)
		same(t, "has_more", sub.Items.HasMore, true)
		list := w.api.SubscriptionItems.List(&stripe.SubscriptionItemListParams{Subscription: stripe.String(sub.ID)})
		n := 0
		for list.Next() {
			n++
		}
		same(t, "listed", n, 12)
	})

	t.Run("MeteredItemsHaveNoQuantity", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_visa")
		metered := must(w.api.Prices.New(&stripe.PriceParams{
			Currency: stripe.String("usd"), UnitAmountDecimal: stripe.Float64(0.5), ProductData: &stripe.PriceProductDataParams{Name: stripe.String("Calls")},
			Recurring: &stripe.PriceRecurringParams{Interval: stripe.String("month"), UsageType: stripe.String("metered")},
		}))(t)
		sub := must(w.api.Subscriptions.New(&stripe.SubscriptionParams{
			Customer: stripe.String(u.ID), Items: []*stripe.SubscriptionItemsParams{{Price: stripe.String(metered.ID)}, {Price: stripe.String(w.plan(1000, "month", 1).ID), Quantity: stripe.Int64(3)}},
		}))(t)
		var raw struct {
			Items struct{ Data []map[string]any }
		}
		if err := json.Unmarshal(sub.LastResponse.RawJSON, &raw); err != nil {
			t.Fatal(err)
		}
		if _, there := raw.Items.Data[0]["quantity"]; there {
			t.Error("a metered item has a quantity")
		}
		must(w.api.UsageRecords.New(&stripe.UsageRecordParams{
			SubscriptionItem: stripe.String(sub.Items.Data[0].ID), Quantity: stripe.Int64(1001), Timestamp: stripe.Int64(newYear.Unix() + 60),
		}))(t)
		w.advance(newYear.AddDate(0, 1, 0).Add(2 * time.Hour))
		inv := w.inv(w.sub(sub.ID).LatestInvoice.ID)
		same(t, "usage is rounded to cents", inv.Total, 3000+501)
	})
}

func stripeError(t *testing.T, err error) *stripe.Error {
	t.Helper()
	var refused *stripe.Error
	if !errors.As(err, &refused) {
		t.Fatalf("not an error of Stripe's: %v", err)
	}
	return refused
}
