package stripeapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/stripe/stripe-go/v76"

	"purser/billing"
)

// FetchPackPrice implements billing.Stripe.
func (c *Client) FetchPackPrice(ctx context.Context, price billing.Price) (billing.PackPrice, error) {
	id, err := c.priceID(ctx, price)
	if err != nil {
		return billing.PackPrice{}, err
	}
	found, err := get[stripe.Price](ctx, c, "/v1/prices/%s", id, nil)
	if err != nil {
		return billing.PackPrice{}, fmt.Errorf("fetching price %s: %w", id, err)
	}
	if found.Deleted || found.Type != stripe.PriceTypeOneTime {
		return billing.PackPrice{}, fmt.Errorf("price %s isn't one that is paid once: %w", id, billing.ErrStripeGone)
	}
	return billing.PackPrice{ID: found.ID, Amount: found.UnitAmount, Currency: string(found.Currency)}, nil
}

func (c *Client) priceID(ctx context.Context, price billing.Price) (string, error) {
	if price.ID != "" {
		return price.ID, nil
	}
	return c.priceByLookupKey(ctx, price.LookupKey)
}

// PayTopUp implements billing.Stripe: it makes an invoice of its own for the purchase, and pays it without
// anybody there. Each step has a key made of the purchase's id, so whoever was stopped on the way takes the
// same steps again and gets no second invoice within the day for which Stripe remembers keys.
func (c *Client) PayTopUp(ctx context.Context, in billing.TopUpCharge, invoiced func(invoiceID string) error) (billing.TopUpInvoice, error) {
	invoice, err := c.topUpInvoice(ctx, in)
	if err != nil {
		return billing.TopUpInvoice{}, fmt.Errorf("making the invoice of %s: %w", in.PurchaseID, err)
	}
	if err := invoiced(invoice.ID); err != nil {
		return billing.TopUpInvoice{}, err
	}
	if invoice.Status == stripe.InvoiceStatusDraft {
		if err := c.fillTopUp(ctx, in, invoice.ID); err != nil {
			return billing.TopUpInvoice{}, fmt.Errorf("filling the invoice of %s: %w", in.PurchaseID, err)
		}
	}
	pay := &stripe.InvoicePayParams{OffSession: stripe.Bool(true)}
	if in.PaymentMethodID != "" {
		pay.PaymentMethod = stripe.String(in.PaymentMethodID)
	}
	_, err = post[stripe.Invoice](ctx, c, stripe.FormatURLPath("/v1/invoices/%s/pay", invoice.ID), pay, topUpKey(in.PurchaseID, "pay"))
	var refused *Error
	if err != nil && (!errors.As(err, &refused) || refused.Status != http.StatusPaymentRequired && refused.Code != "invoice_already_paid") {
		return billing.TopUpInvoice{}, fmt.Errorf("paying the invoice of %s: %w", in.PurchaseID, err)
	}
	// A declined payment is an answer like any other: the invoice tells.
	return c.FetchTopUp(ctx, invoice.ID)
}

func topUpKey(purchaseID, step string) string { return "purser-topup-" + purchaseID + "-" + step }

// topUpInvoice makes the invoice, or gives the one that was made for the purchase before.
func (c *Client) topUpInvoice(ctx context.Context, in billing.TopUpCharge) (*stripe.Invoice, error) {
	if in.InvoiceID != "" {
		return get[stripe.Invoice](ctx, c, "/v1/invoices/%s", in.InvoiceID, nil)
	}
	params := &stripe.InvoiceParams{
		Customer: stripe.String(in.CustomerID),
		Currency: stripe.String(in.Currency),
		// Purser tries again in its own time: Stripe's dunning beside it would charge twice.
		AutoAdvance:                 stripe.Bool(false),
		CollectionMethod:            stripe.String(string(stripe.InvoiceCollectionMethodChargeAutomatically)),
		PendingInvoiceItemsBehavior: stripe.String("exclude"),
		Description:                 stripe.String("Automatic top-up"),
		Metadata:                    map[string]string{billing.MetadataPurchase: in.PurchaseID},
	}
	made, err := post[stripe.Invoice](ctx, c, "/v1/invoices", params, topUpKey(in.PurchaseID, "invoice"))
	if err != nil {
		return nil, err
	}
	// A repeated key gives the answer of then; what became of the invoice since is another matter.
	return get[stripe.Invoice](ctx, c, "/v1/invoices/%s", made.ID, nil)
}

func (c *Client) fillTopUp(ctx context.Context, in billing.TopUpCharge, invoiceID string) error {
	item := &stripe.InvoiceItemParams{
		Customer: stripe.String(in.CustomerID), Invoice: stripe.String(invoiceID),
		Price: stripe.String(in.PriceID), Quantity: stripe.Int64(in.Packs),
		Metadata: map[string]string{billing.MetadataPurchase: in.PurchaseID},
	}
	if _, err := post[stripe.InvoiceItem](ctx, c, "/v1/invoiceitems", item, topUpKey(in.PurchaseID, "item")); err != nil {
		return err
	}
	finalize := &stripe.InvoiceFinalizeInvoiceParams{AutoAdvance: stripe.Bool(false)}
	_, err := post[stripe.Invoice](ctx, c, stripe.FormatURLPath("/v1/invoices/%s/finalize", invoiceID), finalize, topUpKey(in.PurchaseID, "finalize"))
	return err
}

// FetchTopUp implements billing.Stripe.
func (c *Client) FetchTopUp(ctx context.Context, invoiceID string) (billing.TopUpInvoice, error) {
	params := &stripe.InvoiceParams{}
	params.AddExpand("payment_intent")
	invoice, err := get[stripe.Invoice](ctx, c, "/v1/invoices/%s", invoiceID, params)
	if err != nil {
		return billing.TopUpInvoice{}, fmt.Errorf("fetching invoice %s: %w", invoiceID, err)
	}
	return toTopUp(invoice), nil
}

// FindTopUp implements billing.Stripe. Listing is exact, where searching may be a minute late.
func (c *Client) FindTopUp(ctx context.Context, purchaseID, customerID string, since time.Time) (billing.TopUpInvoice, error) {
	params := &stripe.InvoiceListParams{
		Customer:     stripe.String(customerID),
		CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: since.Unix()},
	}
	params.AddExpand("data.payment_intent")
	found, err := listAll[stripe.Invoice](ctx, c, "/v1/invoices", params)
	if err != nil {
		return billing.TopUpInvoice{}, fmt.Errorf("looking for the invoice of %s: %w", purchaseID, err)
	}
	for _, invoice := range found {
		if invoice.Metadata[billing.MetadataPurchase] == purchaseID {
			return toTopUp(invoice), nil
		}
	}
	return billing.TopUpInvoice{}, fmt.Errorf("looking for the invoice of %s: %w", purchaseID, billing.ErrStripeGone)
}

// VoidTopUp implements billing.Stripe. What can't be voided, since it was paid meanwhile, stays as it is:
// fetching it tells.
func (c *Client) VoidTopUp(ctx context.Context, purchaseID, invoiceID string) error {
	var err error
	invoice, err := c.FetchTopUp(ctx, invoiceID)
	switch {
	case err != nil:
		return err
	case invoice.Status == "draft":
		_, err = c.call(ctx, http.MethodDelete, stripe.FormatURLPath("/v1/invoices/%s", invoiceID), nil, topUpKey(purchaseID, "delete"))
	default:
		_, err = c.call(ctx, http.MethodPost, stripe.FormatURLPath("/v1/invoices/%s/void", invoiceID), nil, topUpKey(purchaseID, "void"))
	}
	var refused *Error
	if errors.As(err, &refused) && refused.Status == http.StatusBadRequest {
		return nil
	}
	if err != nil {
		return fmt.Errorf("voiding the invoice of %s: %w", purchaseID, err)
	}
	return nil
}

func toTopUp(from *stripe.Invoice) billing.TopUpInvoice {
	t := billing.TopUpInvoice{
		ID: from.ID, PurchaseID: clean(from.Metadata[billing.MetadataPurchase]), CustomerID: customerID(from.Customer), Status: string(from.Status),
		AmountPaid: from.AmountPaid, Currency: string(from.Currency), HostedURL: from.HostedInvoiceURL,
	}
	if from.StatusTransitions != nil {
		t.PaidAt = maybeInstant(from.StatusTransitions.PaidAt)
	}
	p := from.PaymentIntent
	if p == nil {
		return t
	}
	t.PaymentIntentID, t.Payment = p.ID, string(p.Status)
	failed := p.LastPaymentError
	if failed == nil || p.Status == stripe.PaymentIntentStatusSucceeded {
		return t
	}
	t.DeclineCode, t.DeclineMessage = clean(string(failed.DeclineCode)), clean(failed.Msg)
	// The bank's own word may be another one, such as authentication_not_handled.
	if t.DeclineCode == "" || failed.Code == stripe.ErrorCodeAuthenticationRequired {
		t.DeclineCode = string(failed.Code)
	}
	if failed.PaymentMethod != nil {
		t.PaymentMethodID = failed.PaymentMethod.ID
	}
	return t
}
