package billing

import (
	"context"
	"errors"
	"time"
)

// Stripe is what purser needs of Stripe. It stands here because billing says what is
// needed; billing/stripeapi is the only package that calls Stripe.
//
// Every fetch brings all that one event needs in one call: a subscription comes with
// its customer and its latest invoice, an invoice with its subscription and customer.
type Stripe interface {
	FetchSubscription(ctx context.Context, id string) (Fetched, error)
	FetchInvoice(ctx context.Context, id string) (Fetched, error)
	FetchCustomer(ctx context.Context, id string) (Customer, error)
	FetchCheckoutSession(ctx context.Context, id string) (CheckoutSession, error)
	CreateCheckout(ctx context.Context, in CheckoutIn) (CheckoutSession, error)
	// EventsSince calls each with every event since an instant, the oldest first.
	EventsSince(ctx context.Context, since time.Time, each func(body []byte) error) error
}

// Fetched is what one fetch brought.
type Fetched struct {
	Subscription *Subscription
	Invoices     []Invoice
	Customer     *Customer
}

// CheckoutIn asks for a checkout session that sells one pack.
type CheckoutIn struct {
	PurchaseID string // travels in the metadata and is the idempotency key
	CustomerID string // "" lets Stripe make one
	Email      string
	PriceID    string
	LookupKey  string
	Quantity   int64
	SuccessURL string
	CancelURL  string
	Metadata   map[string]string
}

// Errors of Stripe that decide what happens next.
var (
	ErrStripeGone        = errors.New("no such object at Stripe")
	ErrStripeUnavailable = errors.New("Stripe can't be reached or asked us to wait")
)
