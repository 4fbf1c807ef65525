package stripeapi

import (
	"context"
	"fmt"

	"github.com/stripe/stripe-go/v76"

	"purser/billing"
)

// FetchCustomer implements billing.Stripe. A deleted customer is no error: Stripe keeps its id and says
// that it is deleted.
func (c *Client) FetchCustomer(ctx context.Context, id string) (billing.Customer, error) {
	customer, err := get[stripe.Customer](ctx, c, "/v1/customers/%s", id, nil)
	if err != nil {
		return billing.Customer{}, fmt.Errorf("fetching customer %s: %w", id, err)
	}
	return toCustomer(customer), nil
}

func toCustomer(from *stripe.Customer) billing.Customer {
	c := billing.Customer{ID: from.ID, Email: clean(from.Email), Deleted: from.Deleted, Metadata: own(from.Metadata)}
	if from.InvoiceSettings != nil && from.InvoiceSettings.DefaultPaymentMethod != nil {
		c.PaymentMethodID = from.InvoiceSettings.DefaultPaymentMethod.ID
	}
	return c
}

// expandedCustomer is nil where only the customer's id came.
func expandedCustomer(from *stripe.Customer) *billing.Customer {
	if from == nil || from.Object == "" {
		return nil
	}
	customer := toCustomer(from)
	return &customer
}
