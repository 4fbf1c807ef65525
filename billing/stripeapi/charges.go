package stripeapi

import (
	"context"
	"fmt"

	"github.com/stripe/stripe-go/v76"

	"purser/billing"
)

// FetchCharge implements billing.Stripe. It is two calls, since this version of Stripe's API embeds no
// refunds, and a third for a charge that was ever disputed.
func (c *Client) FetchCharge(ctx context.Context, id string) (billing.Charge, error) {
	charge, err := c.wholeCharge(ctx, id)
	if err != nil {
		return billing.Charge{}, fmt.Errorf("fetching charge %s: %w", id, err)
	}
	return charge, nil
}

func (c *Client) wholeCharge(ctx context.Context, id string) (billing.Charge, error) {
	params := &stripe.ChargeParams{}
	params.AddExpand("customer")
	params.AddExpand("payment_intent")
	params.AddExpand("invoice.subscription")
	from, err := get[stripe.Charge](ctx, c, "/v1/charges/%s", id, params)
	if err != nil {
		return billing.Charge{}, err
	}
	charge := toCharge(from)
	refunds, err := listAll[stripe.Refund](ctx, c, "/v1/refunds", &stripe.RefundListParams{Charge: stripe.String(id)})
	if err != nil {
		return billing.Charge{}, fmt.Errorf("listing its refunds: %w", err)
	}
	for _, r := range refunds {
		charge.Refunds = append(charge.Refunds, billing.Refund{ID: r.ID, Amount: r.Amount, Status: string(r.Status)})
	}
	if from.Disputed {
		disputes, err := listAll[stripe.Dispute](ctx, c, "/v1/disputes", &stripe.DisputeListParams{Charge: stripe.String(id)})
		if err != nil {
			return billing.Charge{}, fmt.Errorf("listing its disputes: %w", err)
		}
		for _, d := range disputes {
			charge.Disputes = append(charge.Disputes, billing.Dispute{ID: d.ID, Amount: d.Amount, Status: string(d.Status)})
		}
	}
	return charge, c.addInvoice(ctx, &charge, from)
}

// addInvoice adds what the charge paid for, where that was an invoice.
func (c *Client) addInvoice(ctx context.Context, charge *billing.Charge, from *stripe.Charge) error {
	if from.Invoice == nil || from.Invoice.Object == "" {
		return nil
	}
	fetched, err := c.gather(ctx, from.Invoice.Subscription, from.Invoice, from.Customer)
	if err != nil {
		return err
	}
	charge.Fetched = fetched
	lines, err := c.linesOf(ctx, from.Invoice)
	if err != nil {
		return err
	}
	for _, line := range lines {
		if line != nil {
			charge.Lines = append(charge.Lines, toLine(line))
		}
	}
	return nil
}

func toCharge(from *stripe.Charge) billing.Charge {
	charge := billing.Charge{
		ID:              from.ID,
		PaymentIntentID: paymentIntentID(from.PaymentIntent),
		CustomerID:      customerID(from.Customer),
		Amount:          from.AmountCaptured,
		Currency:        string(from.Currency),
		CreatedAt:       instant(from.Created),
		Metadata:        own(from.Metadata),
	}
	if from.Invoice != nil {
		charge.InvoiceID = from.Invoice.ID
		charge.Metadata = withDefaults(charge.Metadata, own(from.Invoice.Metadata))
	}
	if from.PaymentIntent != nil {
		charge.Metadata = withDefaults(charge.Metadata, own(from.PaymentIntent.Metadata))
	}
	return charge
}

// withDefaults adds what only the other one says.
func withDefaults(metadata, other map[string]string) map[string]string {
	if metadata == nil {
		return other
	}
	for key, value := range other {
		if _, said := metadata[key]; !said {
			metadata[key] = value
		}
	}
	return metadata
}
