package localstripe

import (
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"
)

// midMonth lies 15 of 31 days after newYear: 16 of 31 are left.
var midMonth = newYear.AddDate(0, 0, 15)

func (w *world) setSeats(sub *stripe.Subscription, seats int64, change ...func(*stripe.SubscriptionParams)) *stripe.Subscription {
	w.t.Helper()
	params := &stripe.SubscriptionParams{
		Items: []*stripe.SubscriptionItemsParams{{ID: stripe.String(sub.Items.Data[0].ID), Quantity: stripe.Int64(seats)}},
	}
	for _, c := range change {
		c(params)
	}
	return must(w.api.Subscriptions.Update(sub.ID, params))(w.t)
}

func alwaysInvoice(in *stripe.SubscriptionParams) {
	in.ProrationBehavior = stripe.String("always_invoice")
}

func TestSeatChange(t *testing.T) {
	t.Run("CreateProrationsWaitForTheNextInvoice", func(t *testing.T) {
		w := open(t)
		sub := w.subscribe(w.payer("pm_card_visa"), w.plan(3100, "month", 1), 5)
		w.advance(midMonth)
		mark := w.lastEvent()
		after := w.setSeats(sub, 8)
		same(t, "seats", after.Items.Data[0].Quantity, 8)
		same(t, "item id", after.Items.Data[0].ID, sub.Items.Data[0].ID)
		same(t, "period", after.CurrentPeriodEnd, sub.CurrentPeriodEnd)
		sameStrings(t, "events", w.kinds(mark), []string{"invoiceitem.created", "invoiceitem.created", "customer.subscription.updated"})
		updated := w.eventsAfter(mark)[2]
		before := updated.Data.PreviousAttributes["items"].(map[string]any)["data"].([]any)[0].(map[string]any)
		same(t, "old seats in previous_attributes.items", before["quantity"], any(float64(5)))
		same(t, "old seats in previous_attributes.quantity", updated.Data.PreviousAttributes["quantity"], any(float64(5)))

		w.advance(newYear.AddDate(0, 1, 0))
		inv := w.inv(w.sub(sub.ID).LatestInvoice.ID)
		same(t, "draft", inv.Status, stripe.InvoiceStatusDraft)
		same(t, "lines", len(inv.Lines.Data), 3)
		credit, debit, renewal := inv.Lines.Data[0], inv.Lines.Data[1], inv.Lines.Data[2]
		same(t, "credit", credit.Amount, -5*1600)
		same(t, "debit", debit.Amount, 8*1600)
		same(t, "renewal", renewal.Amount, 8*3100)
		same(t, "credit seats", credit.Quantity, 5)
		same(t, "debit proration", debit.Proration, true)
		same(t, "debit type", debit.Type, stripe.InvoiceLineItemTypeInvoiceItem)
		same(t, "debit item", debit.SubscriptionItem.ID, sub.Items.Data[0].ID)
		same(t, "debit from", debit.Period.Start, midMonth.Unix())
		same(t, "debit until", debit.Period.End, sub.CurrentPeriodEnd)
		same(t, "renewal proration", renewal.Proration, false)
		same(t, "what was credited", credit.ProrationDetails.CreditedItems.Invoice, sub.LatestInvoice.ID)
	})

	t.Run("AlwaysInvoiceCollectsAtOnce", func(t *testing.T) {
		w := open(t)
		sub := w.subscribe(w.payer("pm_card_visa"), w.plan(3100, "month", 1), 5)
		w.advance(midMonth)
		after := w.setSeats(sub, 8, alwaysInvoice)
		inv := w.inv(after.LatestInvoice.ID)
		same(t, "reason", inv.BillingReason, stripe.InvoiceBillingReasonSubscriptionUpdate)
		same(t, "paid", inv.AmountPaid, 3*1600)
	})

	t.Run("ADecreaseWithAlwaysInvoiceBecomesCredit", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_visa")
		sub := w.subscribe(u, w.plan(3100, "month", 1), 5)
		w.advance(midMonth)
		inv := w.inv(w.setSeats(sub, 3, alwaysInvoice).LatestInvoice.ID)
		same(t, "total", inv.Total, -2*1600)
		same(t, "due", inv.AmountDue, 0)
		same(t, "paid", inv.Paid, true)
		same(t, "ending balance", inv.EndingBalance, -3200)
		same(t, "balance", must(w.api.Customers.Get(u.ID, nil))(t).Balance, -3200)
		w.advance(newYear.AddDate(0, 1, 0).Add(time.Hour))
		next := w.inv(w.sub(sub.ID).LatestInvoice.ID)
		same(t, "due after the credit", next.AmountDue, 3*3100-3200)
		same(t, "paid", next.AmountPaid, 3*3100-3200)
		same(t, "balance", must(w.api.Customers.Get(u.ID, nil))(t).Balance, 0)
	})

	t.Run("NoneTakesEffectWithoutMoney", func(t *testing.T) {
		w := open(t)
		sub := w.subscribe(w.payer("pm_card_visa"), w.plan(3100, "month", 1), 5)
		w.advance(midMonth)
		after := w.setSeats(sub, 8, func(in *stripe.SubscriptionParams) { in.ProrationBehavior = stripe.String("none") })
		same(t, "seats", after.Items.Data[0].Quantity, 8)
		w.advance(newYear.AddDate(0, 1, 0))
		same(t, "lines", len(w.inv(w.sub(sub.ID).LatestInvoice.ID).Lines.Data), 1)
	})

	t.Run("AFailedPaymentKeepsTheChangeAndIsPastDue", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_visa")
		sub := w.subscribe(u, w.plan(3100, "month", 1), 5)
		w.giveCard(u.ID, "pm_card_chargeCustomerFail")
		w.advance(midMonth)
		after := w.setSeats(sub, 8, alwaysInvoice)
		same(t, "seats", after.Items.Data[0].Quantity, 8)
		same(t, "status", after.Status, stripe.SubscriptionStatusPastDue)
	})

	t.Run("ErrorIfIncompleteKeepsTheOldSeats", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_visa")
		sub := w.subscribe(u, w.plan(3100, "month", 1), 5)
		w.giveCard(u.ID, "pm_card_chargeCustomerFail")
		_, err := w.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{
			ProrationBehavior: stripe.String("always_invoice"), PaymentBehavior: stripe.String("error_if_incomplete"),
			Items: []*stripe.SubscriptionItemsParams{{ID: stripe.String(sub.Items.Data[0].ID), Quantity: stripe.Int64(8)}},
		})
		same(t, "status", stripeError(t, err).HTTPStatusCode, 402)
		same(t, "seats", w.sub(sub.ID).Items.Data[0].Quantity, 5)
	})

	t.Run("PendingIfIncompleteWaitsForTheMoney", func(t *testing.T) {
		for _, paid := range []bool{true, false} {
			w := open(t)
			u := w.payer("pm_card_visa")
			sub := w.subscribe(u, w.plan(3100, "month", 1), 5)
			w.giveCard(u.ID, "pm_card_chargeCustomerFail")
			after := w.setSeats(sub, 8, alwaysInvoice, func(in *stripe.SubscriptionParams) { in.PaymentBehavior = stripe.String("pending_if_incomplete") })
			same(t, "seats", after.Items.Data[0].Quantity, 5)
			same(t, "status", after.Status, stripe.SubscriptionStatusActive)
			same(t, "seats to come", after.PendingUpdate.SubscriptionItems[0].Quantity, 8)
			mark := w.lastEvent()
			if paid {
				must(w.api.Invoices.Pay(after.LatestInvoice.ID, &stripe.InvoicePayParams{PaymentMethod: stripe.String("pm_card_visa")}))(t)
			} else {
				w.advance(newYear.Add(23 * time.Hour))
			}
			done := w.sub(sub.ID)
			if done.PendingUpdate != nil {
				t.Error("still pending")
			}
			same(t, "seats", done.Items.Data[0].Quantity, map[bool]int64{true: 8, false: 5}[paid])
			same(t, "told", contains(w.kinds(mark), map[bool]string{true: "customer.subscription.pending_update_applied", false: "customer.subscription.pending_update_expired"}[paid]), true)
		}
	})

	t.Run("TheItemsEndpointDoesTheSame", func(t *testing.T) {
		w := open(t)
		sub := w.subscribe(w.payer("pm_card_visa"), w.plan(3100, "month", 1), 5)
		must(w.api.SubscriptionItems.Update(sub.Items.Data[0].ID, &stripe.SubscriptionItemParams{Quantity: stripe.Int64(9)}))(t)
		addOn := must(w.api.SubscriptionItems.New(&stripe.SubscriptionItemParams{
			Subscription: stripe.String(sub.ID), Price: stripe.String(w.plan(50, "month", 1).ID), Quantity: stripe.Int64(2),
		}))(t)
		same(t, "items", len(w.sub(sub.ID).Items.Data), 2)
		must(w.api.SubscriptionItems.Del(addOn.ID, nil))(t)
		after := w.sub(sub.ID)
		same(t, "items", len(after.Items.Data), 1)
		same(t, "seats", after.Items.Data[0].Quantity, 9)
	})
}

func contains(all []string, one string) bool {
	for _, v := range all {
		if v == one {
			return true
		}
	}
	return false
}

func TestPlanChange(t *testing.T) {
	t.Run("ANewPriceWithoutAQuantityStartsAtOne", func(t *testing.T) {
		w := open(t)
		sub := w.subscribe(w.payer("pm_card_visa"), w.plan(1000, "month", 1), 5)
		after := must(w.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{
			Items: []*stripe.SubscriptionItemsParams{{ID: stripe.String(sub.Items.Data[0].ID), Price: stripe.String(w.plan(2000, "month", 1).ID)}},
		}))(t)
		same(t, "seats", after.Items.Data[0].Quantity, 1)
	})

	t.Run("WithoutTheItemsIDAnItemIsAdded", func(t *testing.T) {
		w := open(t)
		sub := w.subscribe(w.payer("pm_card_visa"), w.plan(1000, "month", 1), 5)
		after := must(w.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{
			Items: []*stripe.SubscriptionItemsParams{{Price: stripe.String(w.plan(2000, "month", 1).ID), Quantity: stripe.Int64(2)}},
		}))(t)
		same(t, "items", len(after.Items.Data), 2)
	})

	t.Run("AnotherIntervalBeginsAnewAndBillsAtOnce", func(t *testing.T) {
		w := open(t)
		sub := w.subscribe(w.payer("pm_card_visa"), w.plan(3100, "month", 1), 5)
		w.advance(midMonth)
		after := must(w.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{
			Items: []*stripe.SubscriptionItemsParams{{ID: stripe.String(sub.Items.Data[0].ID), Price: stripe.String(w.plan(30000, "year", 1).ID), Quantity: stripe.Int64(5)}},
		}))(t)
		same(t, "anchor", after.BillingCycleAnchor, midMonth.Unix())
		same(t, "period start", after.CurrentPeriodStart, midMonth.Unix())
		same(t, "period end", after.CurrentPeriodEnd, midMonth.AddDate(1, 0, 0).Unix())
		inv := w.inv(after.LatestInvoice.ID)
		same(t, "total", inv.Total, 5*30000-5*1600)
		same(t, "paid", inv.Paid, true)
		w.advance(newYear.AddDate(0, 1, 1))
		same(t, "no renewal at the old end", w.sub(sub.ID).LatestInvoice.ID, after.LatestInvoice.ID)
	})

	t.Run("APreviewShowsWhatTheChangeWillBill", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_visa")
		sub := w.subscribe(u, w.plan(3100, "month", 1), 5)
		w.advance(midMonth)
		mark := w.lastEvent()
		seen := must(w.api.Invoices.Upcoming(&stripe.InvoiceUpcomingParams{
			Customer: stripe.String(u.ID), Subscription: stripe.String(sub.ID), SubscriptionProrationDate: stripe.Int64(midMonth.Unix()),
			SubscriptionItems: []*stripe.SubscriptionItemsParams{{ID: stripe.String(sub.Items.Data[0].ID), Quantity: stripe.Int64(8)}},
		}))(t)
		same(t, "total", seen.Total, 3*1600+8*3100)
		same(t, "id", seen.ID, "")
		same(t, "nothing changed", w.lastEvent(), mark)
		same(t, "seats", w.sub(sub.ID).Items.Data[0].Quantity, 5)
	})
}
