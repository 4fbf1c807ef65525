package localstripe

import (
	"slices"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v76"
)

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
		var listed []int64
		for list.Next() {
			listed = append(listed, list.Refund().Amount)
		}
		same(t, "listing", list.Err(), nil)
		same(t, "listed newest first", slices.Equal(listed, []int64{700, 300}), true)
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
