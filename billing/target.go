package billing

import (
	"slices"
	"strings"
)

// TargetKind says what an event has us fetch.
type TargetKind string

// What can be fetched.
const (
	TargetNone         TargetKind = ""
	TargetSubscription TargetKind = "subscription"
	TargetInvoice      TargetKind = "invoice"
	TargetCheckout     TargetKind = "checkout.session"
	TargetCustomer     TargetKind = "customer"
	TargetCharge       TargetKind = "charge"
)

// Target is the object that an event points to.
type Target struct {
	Kind   TargetKind
	ID     string
	Reason string // why there is none
}

// handled is a group of event types that something is done for.
type handled struct {
	prefix string
	kind   TargetKind
	types  []string // what follows the prefix in the types that an endpoint subscribes to
}

// targets maps the types of events that we act on, by prefix, to what they point to.
// The first that fits counts.
var targets = []handled{
	{"customer.subscription.", TargetSubscription, []string{
		"created", "deleted", "paused", "pending_update_applied", "pending_update_expired", "resumed", "trial_will_end", "updated",
	}},
	{"invoice.paid", TargetInvoice, []string{""}},
	// It tells what invoice.paid tells, and less: whoever subscribes to the one needn't hear the other.
	{"invoice.payment_succeeded", TargetInvoice, nil},
	{"invoice.payment_failed", TargetInvoice, []string{""}},
	{"invoice.voided", TargetInvoice, []string{""}},
	{"invoice.marked_uncollectible", TargetInvoice, []string{""}},
	{"invoice.finalized", TargetInvoice, []string{""}},
	{"invoice.updated", TargetInvoice, []string{""}},
	{"checkout.session.", TargetCheckout, []string{"async_payment_failed", "async_payment_succeeded", "completed", "expired"}},
	{"customer.created", TargetCustomer, []string{""}},
	{"customer.updated", TargetCustomer, []string{""}},
	{"customer.deleted", TargetCustomer, []string{""}},
	{"charge.refund", TargetCharge, []string{"ed", ".updated"}},
	{"charge.dispute.", TargetCharge, []string{"closed", "created", "funds_reinstated", "funds_withdrawn", "updated"}},
	{"refund.", TargetCharge, []string{"created", "updated"}},
}

// HandledEvents lists, sorted, the types of events that an endpoint has to be sent, as
// Stripe's API version 2023-10-16 has them. Whatever else comes is kept and ignored.
func HandledEvents() []string {
	var all []string
	for _, t := range targets {
		for _, rest := range t.types {
			all = append(all, t.prefix+rest)
		}
	}
	slices.Sort(all)
	return all
}

// HandlesEvent tells whether something is done for events of a type.
func HandlesEvent(kind string) bool {
	_, ok := handledAs(kind)
	return ok
}

func handledAs(kind string) (handled, bool) {
	for _, t := range targets {
		if strings.HasPrefix(kind, t.prefix) {
			return t, true
		}
	}
	return handled{}, false
}

// TargetOf tells what to fetch for an event (B3: an event is a wake-up call, not data).
func TargetOf(e Event) Target {
	t, ok := handledAs(e.Type)
	if !ok {
		return Target{Reason: "nothing is done for events of this type"}
	}
	id := e.ObjectID
	if t.kind == TargetCharge {
		// Refunds and disputes lead to their charge.
		id = chargeOf(e)
	} else if TargetKind(e.ObjectKind) != t.kind {
		id = ""
	}
	if id == "" {
		return Target{Reason: "it names no " + string(t.kind)}
	}
	return Target{Kind: t.kind, ID: id}
}
