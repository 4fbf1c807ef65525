package billing

import (
	"slices"
	"time"
)

// Charge is what Stripe says of a charge: what was paid, what was given back, what is
// disputed. Refunds and disputes point to their charge, and only all of them together
// tell how much of the money is gone.
type Charge struct {
	ID              string
	PaymentIntentID string
	InvoiceID       string
	CustomerID      string
	Amount          int64 // what was taken
	Currency        string
	CreatedAt       time.Time
	Refunds         []Refund
	Disputes        []Dispute
	Lines           []InvoiceLine     // of the invoice that it paid, at what they cost: less discounts, with tax
	Metadata        map[string]string // ours alone: purser_…
	Fetched         Fetched           // the subscription that it paid for, with the invoice
}

// Refund gives money of a charge back.
type Refund struct {
	ID     string
	Amount int64
	Status string // pending, requires_action, succeeded, failed, canceled
}

// counts tells whether the money is given back, or on its way. What fails later comes
// back to us.
func (r Refund) counts() bool { return r.Status != "failed" && r.Status != "canceled" }

// Dispute is a customer's complaint at the bank.
type Dispute struct {
	ID     string `json:"id"`
	Amount int64  `json:"amount"`
	Status string `json:"status"`
}

// The statuses that rule R2 tells apart. An inquiry's begin with warning_: no money has
// moved. Unknown ones move nothing, either.
const (
	DisputeNeedsResponse = "needs_response"
	DisputeUnderReview   = "under_review"
	DisputeLost          = "lost"
)

// IsOpen tells whether the money of a dispute is withdrawn and nobody has decided yet.
func (d Dispute) IsOpen() bool {
	return d.Status == DisputeNeedsResponse || d.Status == DisputeUnderReview
}

// Reversal is a refund or a dispute as a list has it: enough to tell whether we know of it.
type Reversal struct {
	ID              string
	CreatedAt       time.Time
	ChargeID        string
	CustomerID      string
	Invoice         Invoice // that it paid, if it did, without its lines
	PaymentIntentID string
	PurchaseID      string // as our metadata names it
	Refunded        int64  // of the charge by all refunds together, what is on its way too
	Dispute         *Dispute
}

// refunded is how much of the charge was given back, what is on its way too.
func (c Charge) refunded() int64 {
	var sum int64
	for _, r := range c.Refunds {
		if r.counts() {
			sum += r.Amount
		}
	}
	return sum
}

// lost is how much disputes took for good.
func (c Charge) lost() int64 {
	var sum int64
	for _, d := range c.Disputes {
		if d.Status == DisputeLost {
			sum += d.Amount
		}
	}
	return sum
}

// disputed tells whether a dispute is open.
func (c Charge) disputed() bool { return slices.ContainsFunc(c.Disputes, Dispute.IsOpen) }

// chargeOf finds the charge that a refund's or a dispute's event points to. It is a
// pointer like the object's own id: what counts is fetched.
func chargeOf(e Event) string {
	if e.ObjectKind == "charge" {
		return e.ObjectID
	}
	body, err := members(e.Body)
	if err != nil {
		return ""
	}
	charge := membersOf(membersOf(body["data"])["object"])["charge"]
	if id := token(charge); id != "" {
		return id
	}
	return token(membersOf(charge)["id"])
}
