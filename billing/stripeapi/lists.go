package stripeapi

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/stripe/stripe-go/v76"

	"purser/billing"
)

// createdSince is nil where everything is asked for.
func createdSince(in billing.ListIn) *stripe.RangeQueryParams {
	if in.Since.IsZero() {
		return nil
	}
	return &stripe.RangeQueryParams{GreaterThanOrEqual: in.Since.Unix()}
}

func customerOf(in billing.ListIn) *string {
	if in.CustomerID == "" {
		return nil
	}
	return stripe.String(in.CustomerID)
}

// listEach reads a long list to its end and keeps nothing of it.
func listEach[T any](ctx context.Context, c *Client, path string, params any, each func(*T) error) error {
	err := c.walk(ctx, path, encode(params), stripe.StartingAfter, func(objects []json.RawMessage) error {
		for _, o := range objects {
			v, err := decode[T](o)
			if err != nil {
				return fmt.Errorf("%s: %w", identity(o), err)
			}
			if err := each(v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("listing %s: %w", path, err)
	}
	return nil
}

// ListInvoices implements billing.Stripe.
func (c *Client) ListInvoices(ctx context.Context, in billing.ListIn, each func(billing.Fetched) error) error {
	params := &stripe.InvoiceListParams{Customer: customerOf(in), CreatedRange: createdSince(in)}
	return listEach(ctx, c, "/v1/invoices", params, func(from *stripe.Invoice) error {
		fetched := billing.Fetched{Invoices: []billing.Invoice{toInvoice(from, nil)}}
		if topUp := toTopUp(from); topUp.PurchaseID != "" {
			fetched.TopUp = &topUp
		}
		return each(fetched)
	})
}

// ListCheckoutSessions implements billing.Stripe.
func (c *Client) ListCheckoutSessions(ctx context.Context, in billing.ListIn, each func(billing.CheckoutSession) error) error {
	params := &stripe.CheckoutSessionListParams{Customer: customerOf(in), CreatedRange: createdSince(in)}
	return listEach(ctx, c, "/v1/checkout/sessions", params, func(from *stripe.CheckoutSession) error { return each(toSession(from)) })
}

// ListReversals implements billing.Stripe. Stripe narrows neither list down to a customer, so what is
// of others is left out here.
func (c *Client) ListReversals(ctx context.Context, in billing.ListIn, each func(billing.Reversal) error) error {
	told := func(r billing.Reversal) error {
		if in.CustomerID != "" && r.CustomerID != in.CustomerID {
			return nil
		}
		return each(r)
	}
	refunds := &stripe.RefundListParams{CreatedRange: createdSince(in)}
	refunds.AddExpand("data.charge.invoice")
	err := listEach(ctx, c, "/v1/refunds", refunds, func(from *stripe.Refund) error {
		return told(toReversal(from.ID, from.Created, from.Charge, from.PaymentIntent))
	})
	if err != nil {
		return err
	}
	disputes := &stripe.DisputeListParams{CreatedRange: createdSince(in)}
	disputes.AddExpand("data.charge.invoice")
	return listEach(ctx, c, "/v1/disputes", disputes, func(from *stripe.Dispute) error {
		r := toReversal(from.ID, from.Created, from.Charge, from.PaymentIntent)
		r.Dispute = &billing.Dispute{ID: from.ID, Amount: from.Amount, Status: string(from.Status)}
		return told(r)
	})
}

func toReversal(id string, created int64, of *stripe.Charge, paid *stripe.PaymentIntent) billing.Reversal {
	r := billing.Reversal{ID: id, CreatedAt: instant(created), PaymentIntentID: paymentIntentID(paid)}
	if of == nil {
		return r
	}
	r.ChargeID, r.CustomerID, r.Refunded = of.ID, customerID(of.Customer), of.AmountRefunded
	r.PurchaseID = clean(of.Metadata[billing.MetadataPurchase])
	if of.Invoice != nil {
		r.Invoice = toInvoice(of.Invoice, nil)
	}
	if r.PaymentIntentID == "" {
		r.PaymentIntentID = paymentIntentID(of.PaymentIntent)
	}
	return r
}
