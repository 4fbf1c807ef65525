package stripeapi

import (
	"context"
	"fmt"

	"github.com/stripe/stripe-go/v76"

	"purser/billing"
)

// FetchInvoice implements billing.Stripe. It is one call, and one more for an invoice of more lines or a
// subscription of more items than Stripe embeds.
func (c *Client) FetchInvoice(ctx context.Context, id string) (billing.Fetched, error) {
	params := &stripe.InvoiceParams{}
	params.AddExpand("subscription")
	params.AddExpand("customer")
	params.AddExpand("payment_intent")
	invoice, err := get[stripe.Invoice](ctx, c, "/v1/invoices/%s", id, params)
	if err != nil {
		return billing.Fetched{}, fmt.Errorf("fetching invoice %s: %w", id, err)
	}
	if invoice.Deleted {
		// A deleted draft leaves its id behind and nothing else.
		return billing.Fetched{}, fmt.Errorf("fetching invoice %s: %w", id, billing.ErrStripeGone)
	}
	fetched, err := c.gather(ctx, invoice.Subscription, invoice, invoice.Customer)
	if err != nil {
		return billing.Fetched{}, fmt.Errorf("fetching invoice %s: %w", id, err)
	}
	if topUp := toTopUp(invoice); topUp.PurchaseID != "" {
		fetched.TopUp = &topUp
	}
	return fetched, nil
}

// wholeInvoice is an invoice with all of its lines.
func (c *Client) wholeInvoice(ctx context.Context, from *stripe.Invoice) (billing.Invoice, error) {
	lines, err := c.linesOf(ctx, from)
	if err != nil {
		return billing.Invoice{}, err
	}
	return toInvoice(from, lines), nil
}

// linesOf lists an invoice's lines where more exist than were embedded.
func (c *Client) linesOf(ctx context.Context, from *stripe.Invoice) ([]*stripe.InvoiceLineItem, error) {
	if from.Lines == nil {
		return nil, nil
	}
	if !from.Lines.HasMore {
		return from.Lines.Data, nil
	}
	all, err := listAll[stripe.InvoiceLineItem](ctx, c, stripe.FormatURLPath("/v1/invoices/%s/lines", from.ID), nil)
	if err != nil {
		return nil, fmt.Errorf("listing the lines of %s: %w", from.ID, err)
	}
	return all, nil
}

func toInvoice(from *stripe.Invoice, lines []*stripe.InvoiceLineItem) billing.Invoice {
	i := billing.Invoice{
		ID:             from.ID,
		SubscriptionID: subscriptionID(from.Subscription),
		CustomerID:     customerID(from.Customer),
		Status:         string(from.Status),
		BillingReason:  string(from.BillingReason),
		PaidWith:       paymentIntentID(from.PaymentIntent),
		CreatedAt:      instant(from.Created),
	}
	if from.StatusTransitions != nil {
		i.PaidAt = maybeInstant(from.StatusTransitions.PaidAt)
	}
	for _, line := range lines {
		if line != nil {
			i.Lines = append(i.Lines, toLine(line))
		}
	}
	return i
}

func toLine(from *stripe.InvoiceLineItem) billing.InvoiceLine {
	line := billing.InvoiceLine{ID: from.ID, Quantity: from.Quantity, Amount: costOf(from), Proration: from.Proration}
	line.PriceID, line.LookupKey = priceWords(from.Price)
	if from.Period != nil {
		line.From, line.To = instant(from.Period.Start), instant(from.Period.End)
	}
	return line
}

// costOf is what a line cost: the amount is before discounts and before taxes that come on top.
func costOf(line *stripe.InvoiceLineItem) int64 {
	cost := line.Amount
	for _, d := range line.DiscountAmounts {
		cost -= d.Amount
	}
	for _, t := range line.TaxAmounts {
		if !t.Inclusive {
			cost += t.Amount
		}
	}
	return cost
}
