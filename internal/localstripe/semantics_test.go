package localstripe

import (
	"slices"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"
)

// What Stripe documents of fields and flows, beside what the other tests show on their way.

func TestProration(t *testing.T) {
	t.Run("IsBySecondsAndRoundedToCents", func(t *testing.T) {
		w := open(t)
		sub := w.subscribe(w.payer("pm_card_visa"), w.plan(1000, "month", 1), 5)
		// 1,678,399 of January's 2,678,400 seconds are left: 5 seats give back 3,133.21 cents and 8 cost 5,013.14.
		at := newYear.Add(1_000_001 * time.Second)
		w.advance(at)
		inv := w.inv(w.setSeats(sub, 8, alwaysInvoice).LatestInvoice.ID)
		same(t, "credit", inv.Lines.Data[0].Amount, -3133)
		same(t, "debit", inv.Lines.Data[1].Amount, 5013)
		same(t, "from", inv.Lines.Data[1].Period.Start, at.Unix())
	})

	t.Run("TakesItsDateFromTheCaller", func(t *testing.T) {
		w := open(t)
		sub := w.subscribe(w.payer("pm_card_visa"), w.plan(3100, "month", 1), 5)
		w.advance(midMonth.AddDate(0, 0, 3))
		inv := w.inv(w.setSeats(sub, 8, alwaysInvoice, func(in *stripe.SubscriptionParams) { in.ProrationDate = stripe.Int64(midMonth.Unix()) }).LatestInvoice.ID)
		same(t, "total", inv.Total, 3*1600)
		_, err := w.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{
			ProrationDate: stripe.Int64(newYear.AddDate(0, 2, 0).Unix()),
			Items:         []*stripe.SubscriptionItemsParams{{ID: stripe.String(sub.Items.Data[0].ID), Quantity: stripe.Int64(9)}},
		})
		same(t, "outside the period", stripeError(t, err).HTTPStatusCode, 400)
	})

	t.Run("FromNothingToSomethingBeginsAnewAndBillsAtOnce", func(t *testing.T) {
		w := open(t)
		free := w.plan(0, "month", 1)
		sub := w.subscribe(w.payer("pm_card_visa"), free, 5)
		w.advance(midMonth)
		after := must(w.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{
			Items: []*stripe.SubscriptionItemsParams{{ID: stripe.String(sub.Items.Data[0].ID), Price: stripe.String(w.plan(1000, "month", 1).ID), Quantity: stripe.Int64(5)}},
		}))(t)
		same(t, "anchor", after.BillingCycleAnchor, midMonth.Unix())
		same(t, "paid", w.inv(after.LatestInvoice.ID).AmountPaid, 5000)
	})

	t.Run("QuantitiesAreDividedBeforeTheyArePriced", func(t *testing.T) {
		for round, want := range map[string]int64{"up": 3000, "down": 2000} {
			w := open(t)
			p := must(w.api.Prices.New(&stripe.PriceParams{
				Currency: stripe.String("usd"), UnitAmount: stripe.Int64(1000), ProductData: &stripe.PriceProductDataParams{Name: stripe.String("Fives")},
				Recurring:         &stripe.PriceRecurringParams{Interval: stripe.String("month")},
				TransformQuantity: &stripe.PriceTransformQuantityParams{DivideBy: stripe.Int64(5), Round: stripe.String(round)},
			}))(t)
			same(t, round, w.inv(w.subscribe(w.payer("pm_card_visa"), p, 12).LatestInvoice.ID).Total, want)
		}
	})
}

func TestRecovery(t *testing.T) {
	for name, close := range map[string]func(w *world, id string) error{
		"Voiding": func(w *world, id string) error { _, err := w.api.Invoices.VoidInvoice(id, nil); return err },
		"GivingUp": func(w *world, id string) error {
			_, err := w.api.Invoices.MarkUncollectible(id, nil)
			return err
		},
	} {
		t.Run(name+"TheLatestInvoiceMakesPastDueActive", func(t *testing.T) {
			w, _, sub := renewed(t, "pm_card_chargeCustomerFail")
			same(t, "before", sub.Status, stripe.SubscriptionStatusPastDue)
			if err := close(w, sub.LatestInvoice.ID); err != nil {
				t.Fatal(err)
			}
			same(t, "after", w.sub(sub.ID).Status, stripe.SubscriptionStatusActive)
			same(t, "nothing more is tried", w.inv(sub.LatestInvoice.ID).NextPaymentAttempt, 0)
		})
	}

	t.Run("AnUncollectibleInvoiceCanStillBePaid", func(t *testing.T) {
		w, u, sub := renewed(t, "pm_card_chargeCustomerFail")
		must(w.api.Invoices.MarkUncollectible(sub.LatestInvoice.ID, nil))(t)
		w.giveCard(u.ID, "pm_card_visa")
		same(t, "paid", must(w.api.Invoices.Pay(sub.LatestInvoice.ID, nil))(t).Status, stripe.InvoiceStatusPaid)
	})

	t.Run("TheSubscriptionsCardComesBeforeTheCustomers", func(t *testing.T) {
		w, _, sub := renewed(t, "pm_card_chargeCustomerFail")
		good := must(w.api.PaymentMethods.Attach("pm_card_visa", &stripe.PaymentMethodAttachParams{Customer: stripe.String(sub.Customer.ID)}))(t)
		must(w.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{DefaultPaymentMethod: stripe.String(good.ID)}))(t)
		w.advance(newYear.AddDate(0, 1, 4))
		same(t, "paid by the retry", w.inv(sub.LatestInvoice.ID).Paid, true)
	})

	t.Run("EightTriesAtMostAsTheAccountSays", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_visa")
		sub := w.subscribe(u, w.plan(1000, "month", 1), 1)
		w.giveCard(u.ID, "pm_card_chargeCustomerFail")
		answer, _ := w.ask("POST", "/_local/dunning", `{"retries":["1d","1d","1d","1d","1d","1d","1d"],"then":"unpaid"}`, nil)
		same(t, "set", answer.StatusCode, 200)
		w.advance(newYear.AddDate(0, 1, 9))
		same(t, "attempts", w.inv(w.sub(sub.ID).LatestInvoice.ID).AttemptCount, 8)
		same(t, "status", w.sub(sub.ID).Status, stripe.SubscriptionStatusUnpaid)
	})
}

func TestTrialEnd(t *testing.T) {
	t.Run("IsWarnedOfAtOnceWhenItIsNear", func(t *testing.T) {
		w := open(t)
		u, p := w.payer("pm_card_visa"), w.plan(1000, "month", 1)
		mark := w.lastEvent()
		w.subscribe(u, p, 1, func(in *stripe.SubscriptionParams) { in.TrialPeriodDays = stripe.Int64(2) })
		same(t, "warned", contains(w.kinds(mark), "customer.subscription.trial_will_end"), true)
	})

	t.Run("PauseCollectionEndsAndTheNextInvoiceIsCollected", func(t *testing.T) {
		w := open(t)
		sub := w.subscribe(w.payer("pm_card_visa"), w.plan(1000, "month", 1), 1)
		must(w.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{PauseCollection: &stripe.SubscriptionPauseCollectionParams{Behavior: stripe.String("void")}}))(t)
		w.advance(newYear.AddDate(0, 1, 1))
		mark := w.lastEvent()
		in := &stripe.SubscriptionParams{}
		in.AddExtra("pause_collection", "")
		must(w.api.Subscriptions.Update(sub.ID, in))(t)
		sameStrings(t, "events", w.kinds(mark), []string{"customer.subscription.updated"})
		w.advance(newYear.AddDate(0, 2, 1))
		same(t, "paid", w.inv(w.sub(sub.ID).LatestInvoice.ID).Paid, true)
	})
}

func TestUpcoming(t *testing.T) {
	w := open(t)
	u := w.payer("pm_card_visa")
	sub := w.subscribe(u, w.plan(3100, "month", 1), 5)
	w.advance(midMonth)
	w.setSeats(sub, 8)
	list := w.api.Invoices.UpcomingLines(&stripe.InvoiceUpcomingLinesParams{Customer: stripe.String(u.ID), Subscription: stripe.String(sub.ID)})
	var amounts []int64
	for list.Next() {
		amounts = append(amounts, list.InvoiceLineItem().Amount)
	}
	if want := []int64{-5 * 1600, 8 * 1600, 8 * 3100}; !slices.Equal(amounts, want) {
		t.Errorf("lines: %v, want %v", amounts, want)
	}
	_, err := w.api.Invoices.Upcoming(&stripe.InvoiceUpcomingParams{Customer: stripe.String(must(w.api.Customers.New(&stripe.CustomerParams{}))(t).ID)})
	same(t, "of nobody's", stripeError(t, err).Code, stripe.ErrorCode("invoice_upcoming_none"))
}

func TestDisputeWays(t *testing.T) {
	disputed := func(t *testing.T, how Dispute) (*world, *stripe.PaymentIntent, string) {
		w := open(t)
		u := w.payer("pm_card_visa")
		pi := must(w.charge(u, u0(w, u), 1000))(t)
		id, err := w.OpenDispute(pi.LatestCharge.ID, how)
		if err != nil {
			t.Fatal(err)
		}
		return w, pi, id
	}

	t.Run("AnInquiryThatBecomesADisputeWithdrawsTheMoney", func(t *testing.T) {
		w, _, id := disputed(t, Dispute{Inquiry: true, Amount: 600, Reason: "product_not_received"})
		d := must(w.api.Disputes.Get(id, nil))(t)
		same(t, "reason", d.Reason, stripe.DisputeReason("product_not_received"))
		same(t, "no money has moved", len(d.BalanceTransactions), 0)
		mark := w.lastEvent()
		if err := w.CloseDispute(id, "needs_response"); err != nil {
			t.Fatal(err)
		}
		sameStrings(t, "events", w.kinds(mark), []string{"charge.dispute.updated", "charge.dispute.funds_withdrawn"})
		same(t, "withdrawn", must(w.api.Disputes.Get(id, nil))(t).BalanceTransactions[0].Amount, -600)
	})

	for status, events := range map[string][]string{
		"won": {"charge.dispute.closed", "charge.dispute.funds_reinstated"}, "lost": {"charge.dispute.closed"},
	} {
		t.Run("TheBankDecides/"+status, func(t *testing.T) {
			w, pi, id := disputed(t, Dispute{})
			mark := w.lastEvent()
			answer, _ := w.ask("POST", "/_local/disputes/"+id, `{"status":"`+status+`"}`, nil)
			same(t, "answer", answer.StatusCode, 200)
			sameStrings(t, "events", w.kinds(mark), events)
			same(t, "status", string(must(w.api.Disputes.Get(id, nil))(t).Status), status)
			same(t, "the charge stays disputed", must(w.api.Charges.Get(pi.LatestCharge.ID, nil))(t).Disputed, true)
			if err := w.CloseDispute(id, "lost"); err == nil {
				t.Error("closed twice")
			}
		})
	}

	t.Run("ClosedByTheSellerItIsLost", func(t *testing.T) {
		w, _, id := disputed(t, Dispute{})
		same(t, "status", must(w.api.Disputes.Close(id, nil))(t).Status, stripe.DisputeStatusLost)
	})
}

func TestRefundWays(t *testing.T) {
	t.Run("NotMoreThanIsLeft", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_visa")
		pi := must(w.charge(u, u0(w, u), 1000))(t)
		must(w.api.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(pi.ID), Amount: stripe.Int64(600)}))(t)
		_, err := w.api.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(pi.ID), Amount: stripe.Int64(401)})
		same(t, "status", stripeError(t, err).HTTPStatusCode, 400)
		same(t, "the rest", must(w.api.Refunds.New(&stripe.RefundParams{Charge: stripe.String(pi.LatestCharge.ID)}))(t).Amount, 400)
	})

	t.Run("PendingItSucceedsLater", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_pendingRefund")
		pi := must(w.charge(u, u0(w, u), 1000))(t)
		f := must(w.api.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(pi.ID)}))(t)
		same(t, "at first", f.Status, stripe.RefundStatusPending)
		w.advance(newYear.AddDate(0, 0, 2))
		same(t, "then", must(w.api.Refunds.Get(f.ID, nil))(t).Status, stripe.RefundStatusSucceeded)
	})

	t.Run("FailedOnDemandLongAfter", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_visa")
		pi := must(w.charge(u, u0(w, u), 1000))(t)
		f := must(w.api.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(pi.ID), Amount: stripe.Int64(300)}))(t)
		w.advance(newYear.AddDate(0, 0, 29))
		answer, _ := w.ask("POST", "/_local/refunds/"+f.ID+"/fail", "", nil)
		same(t, "answer", answer.StatusCode, 200)
		after := must(w.api.Refunds.Get(f.ID, nil))(t)
		same(t, "status", after.Status, stripe.RefundStatusFailed)
		same(t, "reason", after.FailureReason != "", true)
		same(t, "refunded", must(w.api.Charges.Get(pi.LatestCharge.ID, nil))(t).AmountRefunded, 0)
	})
}
