package stripeapi

import (
	"context"
	"fmt"

	"github.com/stripe/stripe-go/v76"
)

// PortalFlow says where in the billing portal a customer lands. The zero value is its front page.
//
// Stripe's portal changes quantities only of subscriptions to one product, without metered prices and
// without a schedule; for others a flow of PortalUpdate is refused.
type PortalFlow struct {
	Kind           string // one of the Portal constants
	SubscriptionID string // for PortalUpdate and PortalCancel
}

// The pages that we lead to.
const (
	PortalUpdate        = "subscription_update" // change the number of seats, or the plan
	PortalCancel        = "subscription_cancel"
	PortalPaymentMethod = "payment_method_update"
)

// CreatePortalSession gives the address of a short-lived session of Stripe's billing portal. With a flow
// the customer returns to returnURL as soon as it is done.
func (c *Client) CreatePortalSession(ctx context.Context, customerID, returnURL string, flow PortalFlow) (string, error) {
	params := &stripe.BillingPortalSessionParams{
		Customer:  stripe.String(customerID),
		ReturnURL: stripe.String(returnURL),
		FlowData:  flow.params(returnURL),
	}
	session, err := post[stripe.BillingPortalSession](ctx, c, "/v1/billing_portal/sessions", params, "")
	if err != nil {
		return "", fmt.Errorf("creating a portal session for %s: %w", customerID, err)
	}
	return session.URL, nil
}

func (f PortalFlow) params(returnURL string) *stripe.BillingPortalSessionFlowDataParams {
	if f.Kind == "" {
		return nil
	}
	params := &stripe.BillingPortalSessionFlowDataParams{
		Type: stripe.String(f.Kind),
		AfterCompletion: &stripe.BillingPortalSessionFlowDataAfterCompletionParams{
			Type:     stripe.String(string(stripe.BillingPortalSessionFlowAfterCompletionTypeRedirect)),
			Redirect: &stripe.BillingPortalSessionFlowDataAfterCompletionRedirectParams{ReturnURL: stripe.String(returnURL)},
		},
	}
	switch f.Kind {
	case PortalUpdate:
		params.SubscriptionUpdate = &stripe.BillingPortalSessionFlowDataSubscriptionUpdateParams{Subscription: stripe.String(f.SubscriptionID)}
	case PortalCancel:
		params.SubscriptionCancel = &stripe.BillingPortalSessionFlowDataSubscriptionCancelParams{Subscription: stripe.String(f.SubscriptionID)}
	}
	return params
}
