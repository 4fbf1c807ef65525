package billing

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// KeptInvoice is what is kept of an invoice of a subscription.
type KeptInvoice struct {
	Status    string
	FetchedAt time.Time
}

// InvoiceDifference compares an invoice of a subscription with what is kept of both. An
// invoice matters once it is paid, or known and settled in some other way than we think:
// drafts come and go.
func InvoiceDifference(there Invoice, sub *KeptSubscription, here *KeptInvoice) (Difference, bool) {
	d := Difference{
		Kind: DiffersInvoice, ObjectID: there.ID, SubscriptionID: there.SubscriptionID, CustomerID: there.CustomerID,
		TeamID: sub.TeamID, UserID: sub.UserID, Stripe: there.Status,
	}
	if here == nil {
		return d, there.Status == "paid" && sub.MayGrant(there)
	}
	d.Here = here.Status
	return d, d.Here != d.Stripe && (settledInvoice(d.Here) || settledInvoice(d.Stripe))
}

func settledInvoice(status string) bool {
	return status == "paid" || status == "void" || status == "uncollectible"
}

// MayGrant tells whether an invoice may pay for a period that is kept: Stripe never bills
// a period before it begins, but the clocks of two machines may differ.
func (k *KeptSubscription) MayGrant(inv Invoice) bool {
	return !inv.CreatedAt.Before(k.First.Add(-time.Hour))
}

// PaidAtStripe is a checkout session or an invoice that names a purchase of ours.
type PaidAtStripe struct {
	Target     Target
	PurchaseID string
	CustomerID string
	Paid       bool
	Status     string
	Amount     int64
	Currency   string
}

// OfSession gives what a checkout session says of a purchase; false if it names none.
func OfSession(s CheckoutSession) (PaidAtStripe, bool) {
	id := s.Metadata[MetadataPurchase]
	return PaidAtStripe{
		Target: Target{Kind: TargetCheckout, ID: s.ID}, PurchaseID: id, CustomerID: s.CustomerID, Paid: s.isPaid(),
		Status: strings.TrimSpace(s.Status + " " + s.PaymentStatus), Amount: s.Amount, Currency: s.Currency,
	}, id != ""
}

// OfTopUp is OfSession for the invoice of an automatic top-up.
func OfTopUp(inv TopUpInvoice) PaidAtStripe {
	return PaidAtStripe{
		Target: Target{Kind: TargetInvoice, ID: inv.ID}, PurchaseID: inv.PurchaseID, CustomerID: inv.CustomerID, Paid: inv.Status == "paid",
		Status: inv.Status, Amount: inv.AmountPaid, Currency: inv.Currency,
	}
}

func (p PaidAtStripe) text() string {
	if !p.Paid {
		return p.Target.ID + " " + p.Status
	}
	return fmt.Sprintf("%s paid %d %s", p.Target.ID, p.Amount, p.Currency)
}

// TopUpDifference compares what Stripe says of a purchase with the purchase, which is nil
// if there is none of that id.
func TopUpDifference(there PaidAtStripe, here *Purchase) (Difference, bool) {
	d := Difference{Kind: DiffersTopUp, ObjectID: there.PurchaseID, CustomerID: there.CustomerID, Stripe: there.text()}
	if here == nil {
		d.Reason = "no purchase of that id was ever made here"
		return d, there.Paid
	}
	d.TeamID, d.UserID, d.Here = here.TeamID, here.UserID, here.State
	if there.Paid {
		return d, here.State != PurchasePaid
	}
	// An earlier session of the same purchase may have come to nothing.
	return d, here.State == PurchasePaid && here.paidBy(there.Target.ID)
}

func (p *Purchase) paidBy(id string) bool {
	return p.SessionID != nil && *p.SessionID == id || p.InvoiceID != nil && *p.InvoiceID == id
}

// PaidHereOnly is the difference of a purchase that counts as paid and of which Stripe
// lists no payment.
func PaidHereOnly(p Purchase) Difference {
	return Difference{
		Kind: DiffersTopUp, ObjectID: p.ID, CustomerID: p.CustomerID, TeamID: p.TeamID, UserID: p.UserID, Here: p.State,
		Reason: "Stripe lists no payment of it",
	}
}

// Gone is the difference of a subscription that runs here and that Stripe hasn't got.
func Gone(id string, here *KeptSubscription) Difference {
	return Difference{
		Kind: DiffersGone, ObjectID: id, SubscriptionID: id, CustomerID: here.Facts.CustomerID, TeamID: here.TeamID, UserID: here.UserID,
		Here: string(here.Facts.Status), Reason: "Stripe never forgets one: look whether PURSER_STRIPE_KEY is of the right account and mode",
	}
}

// KeptCharge is what is kept of a charge of which money was given back or that is
// disputed, or of one that paid for something of ours.
type KeptCharge struct {
	Ours      bool // it paid a purchase, or an invoice of a subscription
	Refunded  int64
	Disputes  []Dispute
	TeamID    string
	UserID    string
	FetchedAt *time.Time
}

// ReversalDifference compares a refund or a dispute with what is kept of its charge.
func ReversalDifference(there Reversal, here KeptCharge) (Difference, bool) {
	d := Difference{
		Kind: DiffersRefund, ObjectID: there.ChargeID, CustomerID: there.CustomerID, TeamID: here.TeamID, UserID: here.UserID,
		Here: fmt.Sprintf("%d given back", here.Refunded), Stripe: fmt.Sprintf("%d given back", there.Refunded),
	}
	if there.Dispute == nil {
		return d, here.Ours && here.Refunded != there.Refunded
	}
	d.Kind, d.Here, d.Stripe = DiffersDispute, "", there.Dispute.Status
	if i := slices.IndexFunc(here.Disputes, func(k Dispute) bool { return k.ID == there.Dispute.ID }); i >= 0 {
		d.Here = here.Disputes[i].Status
	}
	return d, here.Ours && d.Here != d.Stripe
}
