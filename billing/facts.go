package billing

import "time"

// Status is a subscription's status, in Stripe's words. Unknown ones pass: they count
// as one that grants nothing and takes nothing away.
type Status string

// The statuses that rule B6 tells apart.
const (
	StatusIncomplete        Status = "incomplete"
	StatusIncompleteExpired Status = "incomplete_expired"
	StatusTrialing          Status = "trialing"
	StatusActive            Status = "active"
	StatusPastDue           Status = "past_due"
	StatusUnpaid            Status = "unpaid"
	StatusPaused            Status = "paused"
	StatusCanceled          Status = "canceled"
)

// Ended tells whether the subscription is over for good.
func (s Status) Ended() bool { return s == StatusCanceled || s == StatusIncompleteExpired }

// countsSeats are the statuses in which seats count (B2).
func (s Status) countsSeats() bool {
	switch s {
	case StatusTrialing, StatusActive, StatusPastDue, StatusUnpaid, StatusPaused:
		return true
	}
	return false
}

// Subscription is what Stripe says of a subscription, in our words and no more of it
// than the rules need. It is stored as it was fetched.
type Subscription struct {
	ID                string            `json:"id"`
	CustomerID        string            `json:"customer_id"`
	Status            Status            `json:"status"`
	Items             []Item            `json:"items"`
	PeriodStart       time.Time         `json:"period_start"`
	PeriodEnd         time.Time         `json:"period_end"`
	Anchor            time.Time         `json:"anchor"`
	TrialStart        *time.Time        `json:"trial_start,omitempty"`
	TrialEnd          *time.Time        `json:"trial_end,omitempty"`
	CancelAtPeriodEnd bool              `json:"cancel_at_period_end,omitempty"`
	CancelAt          *time.Time        `json:"cancel_at,omitempty"`
	EndedAt           *time.Time        `json:"ended_at,omitempty"`
	CreatedAt         time.Time         `json:"created_at"`
	PaymentMethodID   string            `json:"payment_method_id,omitempty"` // its own; "": the customer's default
	Metadata          map[string]string `json:"metadata,omitempty"`          // ours alone: purser_…
}

// Item is one line of a subscription.
type Item struct {
	ID            string `json:"id"`
	PriceID       string `json:"price_id"`
	LookupKey     string `json:"lookup_key,omitempty"`
	Interval      string `json:"interval,omitempty"` // day, week, month, year
	IntervalCount int    `json:"interval_count,omitempty"`
	Quantity      int64  `json:"quantity"`
	Metered       bool   `json:"metered,omitempty"`
}

// Invoice is what Stripe says of an invoice.
type Invoice struct {
	ID             string        `json:"id"`
	SubscriptionID string        `json:"subscription_id,omitempty"`
	CustomerID     string        `json:"customer_id,omitempty"`
	Status         string        `json:"status"` // draft, open, paid, void, uncollectible
	BillingReason  string        `json:"billing_reason,omitempty"`
	CreatedAt      time.Time     `json:"created_at"`
	PaidAt         *time.Time    `json:"paid_at,omitempty"`
	PaidWith       string        `json:"paid_with,omitempty"` // the payment intent
	Lines          []InvoiceLine `json:"lines"`
}

// InvoiceLine is a line with the time it pays for. An invoice's own period is not that
// time: only the lines tell.
type InvoiceLine struct {
	ID        string    `json:"id"`
	PriceID   string    `json:"price_id,omitempty"`
	LookupKey string    `json:"lookup_key,omitempty"`
	Quantity  int64     `json:"quantity,omitempty"`
	Amount    int64     `json:"amount"` // with discounts and taxes
	Proration bool      `json:"proration,omitempty"`
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
}

// Customer is what Stripe says of a customer.
type Customer struct {
	ID      string
	Email   string
	Deleted bool
	// PaymentMethodID is the default for its invoices.
	PaymentMethodID string
	Metadata        map[string]string // ours alone: purser_…
}

// CheckoutSession is what Stripe says of a checkout session.
type CheckoutSession struct {
	ID              string
	Mode            string // payment, subscription, setup
	Status          string // open, complete, expired
	PaymentStatus   string // paid, unpaid, no_payment_required
	CustomerID      string
	SubscriptionID  string
	PaymentIntentID string
	InvoiceID       string // that Stripe wrote once it was paid, if it did so yet
	Amount          int64
	Currency        string
	PaidAt          time.Time // when the money came, as nearly as Stripe tells
	PaymentFailed   bool      // a payment that took its time came to nothing: a complete session stays unpaid
	URL             string
	ExpiresAt       time.Time
	Metadata        map[string]string // ours alone: purser_…
}

// The metadata keys that we read and write at Stripe.
const (
	MetadataTeam     = "purser_team"
	MetadataUser     = "purser_user"
	MetadataPurchase = "purser_purchase"
)
