package stripeapi

import (
	"context"
	"fmt"

	"github.com/stripe/stripe-go/v76"

	"purser/billing"
)

// CreatePortalSession gives the address of a short-lived session of Stripe's billing portal. With a flow
// the customer returns to the return URL as soon as it is done.
func (c *Client) CreatePortalSession(ctx context.Context, in billing.PortalIn) (string, error) {
	params := &stripe.BillingPortalSessionParams{
		Customer:  stripe.String(in.CustomerID),
		ReturnURL: stripe.String(in.ReturnURL),
		FlowData:  flowData(in),
	}
	if c.portal != "" {
		params.Configuration = stripe.String(c.portal)
	}
	session, err := post[stripe.BillingPortalSession](ctx, c, "/v1/billing_portal/sessions", params, in.Key)
	if err != nil {
		return "", fmt.Errorf("creating a portal session for %s: %w", in.CustomerID, err)
	}
	return session.URL, nil
}

func flowData(in billing.PortalIn) *stripe.BillingPortalSessionFlowDataParams {
	if in.Flow == billing.PortalFront {
		return nil
	}
	params := &stripe.BillingPortalSessionFlowDataParams{
		Type: stripe.String(string(in.Flow)),
		AfterCompletion: &stripe.BillingPortalSessionFlowDataAfterCompletionParams{
			Type:     stripe.String(string(stripe.BillingPortalSessionFlowAfterCompletionTypeRedirect)),
			Redirect: &stripe.BillingPortalSessionFlowDataAfterCompletionRedirectParams{ReturnURL: stripe.String(in.ReturnURL)},
		},
	}
	switch in.Flow {
	case billing.PortalUpdate:
		params.SubscriptionUpdate = &stripe.BillingPortalSessionFlowDataSubscriptionUpdateParams{Subscription: stripe.String(in.SubscriptionID)}
	case billing.PortalCancel:
		params.SubscriptionCancel = &stripe.BillingPortalSessionFlowDataSubscriptionCancelParams{Subscription: stripe.String(in.SubscriptionID)}
	}
	return params
}
