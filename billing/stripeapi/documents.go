package stripeapi

import (
	"context"
	"fmt"

	"github.com/stripe/stripe-go/v76"

	"purser/billing"
)

// FetchDocuments implements billing.Stripe. The receipt is its charge's.
func (c *Client) FetchDocuments(ctx context.Context, in billing.DocumentsIn) (billing.Documents, error) {
	if in.InvoiceID != "" {
		params := &stripe.InvoiceParams{}
		params.AddExpand("charge")
		invoice, err := get[stripe.Invoice](ctx, c, "/v1/invoices/%s", in.InvoiceID, params)
		if err != nil {
			return billing.Documents{}, fmt.Errorf("fetching the documents of invoice %s: %w", in.InvoiceID, err)
		}
		return billing.Documents{InvoiceURL: invoice.HostedInvoiceURL, ReceiptURL: receiptOf(invoice.Charge)}, nil
	}
	params := &stripe.PaymentIntentParams{}
	params.AddExpand("latest_charge")
	intent, err := get[stripe.PaymentIntent](ctx, c, "/v1/payment_intents/%s", in.PaymentIntentID, params)
	if err != nil {
		return billing.Documents{}, fmt.Errorf("fetching the documents of payment %s: %w", in.PaymentIntentID, err)
	}
	return billing.Documents{ReceiptURL: receiptOf(intent.LatestCharge)}, nil
}

func receiptOf(charge *stripe.Charge) string {
	if charge == nil {
		return ""
	}
	return charge.ReceiptURL
}

// ListPaymentMethods implements billing.Stripe. It is two calls: the customer says which is the default.
func (c *Client) ListPaymentMethods(ctx context.Context, customerID string) ([]billing.PaymentMethod, error) {
	customer, err := c.FetchCustomer(ctx, customerID)
	if err != nil || customer.Deleted {
		return nil, err
	}
	found, err := listAll[stripe.PaymentMethod](ctx, c, stripe.FormatURLPath("/v1/customers/%s/payment_methods", customerID), &stripe.CustomerListPaymentMethodsParams{})
	if err != nil {
		return nil, fmt.Errorf("listing the payment methods of %s: %w", customerID, err)
	}
	list := make([]billing.PaymentMethod, len(found))
	for i, m := range found {
		list[i] = toMethod(m)
		list[i].Default = m.ID == customer.PaymentMethodID
	}
	return list, nil
}

func toMethod(from *stripe.PaymentMethod) billing.PaymentMethod {
	m := billing.PaymentMethod{ID: from.ID, Kind: string(from.Type)}
	switch {
	case from.Card != nil:
		m.Brand, m.Last4, m.ExpMonth, m.ExpYear = string(from.Card.Brand), from.Card.Last4, from.Card.ExpMonth, from.Card.ExpYear
	case from.SEPADebit != nil:
		m.Last4 = from.SEPADebit.Last4
	case from.USBankAccount != nil:
		m.Last4 = from.USBankAccount.Last4
	}
	return m
}
