package stripeapi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/stripe/stripe-go/v76"

	"purser/billing"
)

// FetchCheckoutSession implements billing.Stripe.
func (c *Client) FetchCheckoutSession(ctx context.Context, id string) (billing.CheckoutSession, error) {
	params := &stripe.CheckoutSessionParams{}
	params.AddExpand("payment_intent.latest_charge")
	session, err := get[stripe.CheckoutSession](ctx, c, "/v1/checkout/sessions/%s", id, params)
	if err != nil {
		return billing.CheckoutSession{}, fmt.Errorf("fetching checkout session %s: %w", id, err)
	}
	return toSession(session), nil
}

// CreateCheckout implements billing.Stripe. The same purchase asked for again within the time for which
// Stripe remembers keys (a day) gets the same session; with other words it is refused, and nothing made.
func (c *Client) CreateCheckout(ctx context.Context, in billing.CheckoutIn) (billing.CheckoutSession, error) {
	session, err := c.createCheckout(ctx, in)
	if err != nil {
		return billing.CheckoutSession{}, fmt.Errorf("creating a checkout session for %s: %w", in.PurchaseID, err)
	}
	return toSession(session), nil
}

func (c *Client) createCheckout(ctx context.Context, in billing.CheckoutIn) (*stripe.CheckoutSession, error) {
	if in.PurchaseID == "" {
		return nil, errors.New("it needs a purchase id")
	}
	price := in.PriceID
	if price == "" {
		found, err := c.priceByLookupKey(ctx, in.LookupKey)
		if err != nil {
			return nil, err
		}
		price = found
	}
	session, err := post[stripe.CheckoutSession](ctx, c, "/v1/checkout/sessions", c.checkoutParams(in, price), checkoutKey(in.PurchaseID))
	var refused *Error
	if errors.As(err, &refused) && refused.Status == 400 && in.PriceID == "" {
		// The key may have been given to another price since we looked.
		c.prices.forget(in.LookupKey)
	}
	return session, err
}

func checkoutKey(purchaseID string) string { return "purser-checkout-" + purchaseID }

func (c *Client) checkoutParams(in billing.CheckoutIn, price string) *stripe.CheckoutSessionParams {
	metadata := map[string]string{}
	maps.Copy(metadata, in.Metadata)
	metadata[billing.MetadataPurchase] = in.PurchaseID
	params := &stripe.CheckoutSessionParams{
		Mode:       stripe.String(string(stripe.CheckoutSessionModePayment)),
		SuccessURL: stripe.String(in.SuccessURL),
		CancelURL:  stripe.String(in.CancelURL),
		LineItems: []*stripe.CheckoutSessionLineItemParams{
			{Price: stripe.String(price), Quantity: stripe.Int64(in.Quantity)},
		},
		Metadata: metadata,
		// Stripe doesn't copy a session's metadata to its payment, and a refund or a dispute leads to the
		// payment only.
		PaymentIntentData: &stripe.CheckoutSessionPaymentIntentDataParams{Metadata: metadata},
	}
	if !c.withoutInvoices {
		// The invoice doesn't get our metadata: it must not look like one that pays for credits by itself.
		// The session alone brings them (P1).
		params.InvoiceCreation = &stripe.CheckoutSessionInvoiceCreationParams{Enabled: stripe.Bool(true)}
	}
	if in.CustomerID != "" {
		params.Customer = stripe.String(in.CustomerID)
		return params
	}
	// Without this Stripe keeps whoever pays as a guest, whom no later purchase could belong to.
	params.CustomerCreation = stripe.String(string(stripe.CheckoutSessionCustomerCreationAlways))
	if in.Email != "" {
		params.CustomerEmail = stripe.String(in.Email)
	}
	return params
}

func toSession(from *stripe.CheckoutSession) billing.CheckoutSession {
	return billing.CheckoutSession{
		ID:              from.ID,
		Mode:            string(from.Mode),
		Status:          string(from.Status),
		PaymentStatus:   string(from.PaymentStatus),
		CustomerID:      customerID(from.Customer),
		SubscriptionID:  subscriptionID(from.Subscription),
		PaymentIntentID: paymentIntentID(from.PaymentIntent),
		InvoiceID:       invoiceID(from.Invoice),
		Amount:          from.AmountTotal,
		Currency:        string(from.Currency),
		PaidAt:          paidAt(from),
		PaymentFailed:   paymentFailed(from),
		URL:             from.URL,
		ExpiresAt:       instant(from.ExpiresAt),
		Metadata:        own(from.Metadata),
	}
}

// paidAt is when the charge was made. Where nothing was to be paid there is no charge, and the session's
// own time is the nearest. What isn't paid has no time.
func paidAt(from *stripe.CheckoutSession) time.Time {
	switch from.PaymentStatus {
	case stripe.CheckoutSessionPaymentStatusPaid, stripe.CheckoutSessionPaymentStatusNoPaymentRequired:
	default:
		return time.Time{}
	}
	if p := from.PaymentIntent; p != nil && p.LatestCharge != nil && p.LatestCharge.Created != 0 {
		return instant(p.LatestCharge.Created)
	}
	return instant(from.Created)
}

// paymentFailed tells a bank debit that was refused days later from one that is still under way: the
// session is complete and unpaid in both cases.
func paymentFailed(from *stripe.CheckoutSession) bool {
	if from.Status != stripe.CheckoutSessionStatusComplete || from.PaymentStatus != stripe.CheckoutSessionPaymentStatusUnpaid || from.PaymentIntent == nil {
		return false
	}
	switch from.PaymentIntent.Status {
	case stripe.PaymentIntentStatusRequiresPaymentMethod, stripe.PaymentIntentStatusCanceled:
		return true
	}
	return false
}
