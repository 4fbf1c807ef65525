package billing

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestTargetOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind, object string
		want         Target
	}{
		{"charge.refunded", `{"id": "ch_1", "object": "charge"}`, Target{Kind: TargetCharge, ID: "ch_1"}},
		{"charge.refund.updated", `{"id": "re_1", "object": "refund", "charge": "ch_1"}`, Target{Kind: TargetCharge, ID: "ch_1"}},
		{"refund.failed", `{"id": "re_1", "object": "refund", "charge": "ch_1"}`, Target{Kind: TargetCharge, ID: "ch_1"}},
		{"refund.created", `{"id": "re_1", "object": "refund", "charge": {"id": "ch_1", "object": "charge"}}`, Target{Kind: TargetCharge, ID: "ch_1"}},
		{"charge.dispute.created", `{"id": "dp_1", "object": "dispute", "charge": "ch_1"}`, Target{Kind: TargetCharge, ID: "ch_1"}},
		{"charge.dispute.funds_reinstated", `{"id": "dp_1", "object": "dispute", "charge": "ch_1"}`, Target{Kind: TargetCharge, ID: "ch_1"}},
		{"refund.created", `{"id": "re_1", "object": "refund", "charge": null}`, Target{Reason: "it names no charge"}},
		{"charge.dispute.closed", `{"id": "dp_1", "object": "dispute"}`, Target{Reason: "it names no charge"}},
		{"charge.dispute.closed", `null`, Target{Reason: "it names no charge"}},
		{"charge.succeeded", `{"id": "ch_1", "object": "charge"}`, Target{Reason: "nothing is done for events of this type"}},
		{"charge.failed", `{"id": "ch_1", "object": "charge"}`, Target{Reason: "nothing is done for events of this type"}},
	} {
		t.Run("B3_"+c.kind, func(t *testing.T) {
			e, err := ParseEvent(fmt.Appendf(nil, `{"id": "evt_1", "object": "event", "created": 1, "livemode": false, "type": %q, "data": {"object": %s}}`, c.kind, c.object))
			if err != nil {
				t.Fatal(err)
			}
			if got := TargetOf(e); got != c.want {
				t.Errorf("%s of %s: %+v, want %+v", c.kind, c.object, got, c.want)
			}
		})
	}
}

// subscribed is what a receiver of seats, credits and top-ups does well to subscribe to at
// Stripe's API version 2023-10-16, whether we act on it or not.
var subscribed = strings.Fields(`
	checkout.session.completed checkout.session.async_payment_succeeded checkout.session.async_payment_failed checkout.session.expired
	customer.subscription.created customer.subscription.updated customer.subscription.deleted customer.subscription.paused
	customer.subscription.resumed customer.subscription.trial_will_end customer.subscription.pending_update_applied
	customer.subscription.pending_update_expired
	invoice.paid invoice.payment_failed invoice.payment_action_required invoice.finalization_failed invoice.voided invoice.marked_uncollectible
	payment_intent.succeeded payment_intent.payment_failed payment_intent.requires_action payment_intent.canceled
	charge.refunded charge.refund.updated charge.dispute.created charge.dispute.updated charge.dispute.closed
	charge.dispute.funds_withdrawn charge.dispute.funds_reinstated
	customer.deleted customer.updated payment_method.detached payment_method.automatically_updated price.updated product.updated
`)

// besides is what we want to hear as well, and why.
var besides = map[string]string{
	"customer.created":  "its metadata may say whose it is, before anything is bought",
	"invoice.finalized": "an invoice of nothing is paid by it",
	"invoice.updated":   "an invoice may be paid outside Stripe, or its next attempt put off",
	"refund.created":    "refunds that don't go to a card tell of themselves by it",
	"refund.updated":    "refunds that don't go to a card fail by it",
}

func TestHandledEvents(t *testing.T) {
	t.Parallel()
	handled := HandledEvents()
	for _, kind := range subscribed {
		if HandlesEvent(kind) != slices.Contains(handled, kind) {
			t.Errorf("%s: handled: %t, listed: %t", kind, HandlesEvent(kind), slices.Contains(handled, kind))
		}
	}
	for _, kind := range handled {
		if !HandlesEvent(kind) {
			t.Errorf("%s is listed, and nothing is done for it", kind)
		}
		if !slices.Contains(subscribed, kind) && besides[kind] == "" {
			t.Errorf("%s is listed, and nobody says why", kind)
		}
	}
	if !slices.IsSorted(handled) || len(slices.Compact(slices.Clone(handled))) != len(handled) {
		t.Errorf("not sorted, or twice: %v", handled)
	}
	if slices.Contains(handled, "invoice.payment_succeeded") {
		t.Error("invoice.payment_succeeded tells what invoice.paid tells: each payment would come twice")
	}
}
