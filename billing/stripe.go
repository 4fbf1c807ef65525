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
	FetchCharge(ctx context.Context, id string) (Charge, error)
	CreateCheckout(ctx context.Context, in CheckoutIn) (CheckoutSession, error)
	// PayTopUp makes the invoice of an automatic top-up and pays it with nobody there. It
	// calls invoiced with its id before anything is paid. A declined payment is no error.
	PayTopUp(ctx context.Context, in TopUpCharge, invoiced func(invoiceID string) error) (TopUpInvoice, error)
	FetchTopUp(ctx context.Context, invoiceID string) (TopUpInvoice, error)
	// FindTopUp looks for the invoice of a purchase among those of a customer.
	FindTopUp(ctx context.Context, purchaseID, customerID string, since time.Time) (TopUpInvoice, error)
	// VoidTopUp has nobody pay an invoice any more, unless somebody has.
	VoidTopUp(ctx context.Context, purchaseID, invoiceID string) error
	FetchPackPrice(ctx context.Context, price Price) (PackPrice, error)
	FetchDocuments(ctx context.Context, in DocumentsIn) (Documents, error)
	ListPaymentMethods(ctx context.Context, customerID string) ([]PaymentMethod, error)
	CreatePortalSession(ctx context.Context, in PortalIn) (url string, err error)
	// EventsSince calls each with every event since an instant, the oldest first.
	EventsSince(ctx context.Context, since time.Time, each func(body []byte) error) error

	// The lists call each with all that there is, the newest first.

	// ListSubscriptions lists those that have ended, too, each with its customer and
	// without invoices.
	ListSubscriptions(ctx context.Context, in ListIn, each func(Fetched) error) error
	// ListInvoices lists invoices without their lines. One that pays an automatic top-up
	// says so.
	ListInvoices(ctx context.Context, in ListIn, each func(Fetched) error) error
	ListCheckoutSessions(ctx context.Context, in ListIn, each func(CheckoutSession) error) error
	// ListReversals lists refunds, and then disputes, each with the charge that it is of.
	ListReversals(ctx context.Context, in ListIn, each func(Reversal) error) error
}

// ListIn narrows a list down.
type ListIn struct {
	CustomerID string    // "": everybody's
	Since      time.Time // only what was created then or later; zero: all
}

// Fetched is what one fetch brought.
type Fetched struct {
	Subscription *Subscription
	Invoices     []Invoice
	Customer     *Customer
	TopUp        *TopUpInvoice // of an invoice that pays an automatic top-up
}

// TopUpCharge is an automatic top-up to be paid.
type TopUpCharge struct {
	PurchaseID      string // travels in the metadata, and makes the idempotency keys
	InvoiceID       string // that Stripe made for it already, if it is known
	CustomerID      string
	PaymentMethodID string // "": the customer's default
	PriceID         string
	Packs           int64
	Currency        string
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
	ErrStripeRefused     = errors.New("Stripe refused what was asked of it")
)
