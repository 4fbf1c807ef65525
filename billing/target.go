package billing

import "strings"

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

// targets maps the types of events that we act on, by prefix, to what they point to.
// The first that fits counts.
var targets = []struct {
	prefix string
	kind   TargetKind
}{
	{"customer.subscription.", TargetSubscription},
	{"invoice.paid", TargetInvoice},
	{"invoice.payment_succeeded", TargetInvoice},
	{"invoice.payment_failed", TargetInvoice},
	{"invoice.voided", TargetInvoice},
	{"invoice.marked_uncollectible", TargetInvoice},
	{"invoice.finalized", TargetInvoice},
	{"invoice.updated", TargetInvoice},
	{"checkout.session.", TargetCheckout},
	{"customer.created", TargetCustomer},
	{"customer.updated", TargetCustomer},
	{"customer.deleted", TargetCustomer},
}

// TargetOf tells what to fetch for an event (B3: an event is a wake-up call, not data).
func TargetOf(e Event) Target {
	if isChargeEvent(e.Type) {
		id := chargeOf(e)
		if id == "" {
			return Target{Reason: "it names no charge"}
		}
		return Target{Kind: TargetCharge, ID: id}
	}
	for _, t := range targets {
		if !strings.HasPrefix(e.Type, t.prefix) {
			continue
		}
		if e.ObjectID == "" || TargetKind(e.ObjectKind) != t.kind {
			return Target{Reason: "it names no " + string(t.kind)}
		}
		return Target{Kind: t.kind, ID: e.ObjectID}
	}
	return Target{Reason: "nothing is done for events of this type"}
}
