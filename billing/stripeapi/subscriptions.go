package stripeapi

import (
	"context"
	"fmt"

	"github.com/stripe/stripe-go/v76"

	"purser/billing"
)

// FetchSubscription implements billing.Stripe. It is one call, and one more for a subscription of more
// items or an invoice of more lines than Stripe embeds.
func (c *Client) FetchSubscription(ctx context.Context, id string) (billing.Fetched, error) {
	params := &stripe.SubscriptionParams{}
	params.AddExpand("customer")
	params.AddExpand("latest_invoice")
	subscription, err := get[stripe.Subscription](ctx, c, "/v1/subscriptions/%s", id, params)
	if err != nil {
		return billing.Fetched{}, fmt.Errorf("fetching subscription %s: %w", id, err)
	}
	fetched, err := c.gather(ctx, subscription, subscription.LatestInvoice, subscription.Customer)
	if err != nil {
		return billing.Fetched{}, fmt.Errorf("fetching subscription %s: %w", id, err)
	}
	return fetched, nil
}

// ListSubscriptions implements billing.Stripe.
func (c *Client) ListSubscriptions(ctx context.Context, in billing.ListIn, each func(billing.Fetched) error) error {
	params := &stripe.SubscriptionListParams{Status: stripe.String("all"), Customer: customerOf(in), CreatedRange: createdSince(in)}
	params.AddExpand("data.customer")
	return listEach(ctx, c, "/v1/subscriptions", params, func(from *stripe.Subscription) error {
		fetched, err := c.gather(ctx, from, nil, from.Customer)
		if err != nil {
			return fmt.Errorf("subscription %s: %w", from.ID, err)
		}
		return each(fetched)
	})
}

// gather puts what came in one answer into billing's words. Each part may be nil, or an id only, which
// is not a part.
func (c *Client) gather(ctx context.Context, s *stripe.Subscription, i *stripe.Invoice, from *stripe.Customer) (billing.Fetched, error) {
	fetched := billing.Fetched{Customer: expandedCustomer(from)}
	if s != nil && s.Object != "" {
		subscription, err := c.wholeSubscription(ctx, s)
		if err != nil {
			return billing.Fetched{}, err
		}
		fetched.Subscription = &subscription
	}
	if i != nil && i.Object != "" {
		invoice, err := c.wholeInvoice(ctx, i)
		if err != nil {
			return billing.Fetched{}, err
		}
		fetched.Invoices = []billing.Invoice{invoice}
	}
	return fetched, nil
}

// wholeSubscription lists the items where more exist than were embedded. It lists them all: nothing says
// that the list's order is the embedded one's.
func (c *Client) wholeSubscription(ctx context.Context, from *stripe.Subscription) (billing.Subscription, error) {
	var items []*stripe.SubscriptionItem
	if from.Items != nil {
		items = from.Items.Data
		if from.Items.HasMore {
			all, err := listAll[stripe.SubscriptionItem](ctx, c, "/v1/subscription_items",
				&stripe.SubscriptionItemListParams{Subscription: stripe.String(from.ID)})
			if err != nil {
				return billing.Subscription{}, fmt.Errorf("listing the items of %s: %w", from.ID, err)
			}
			items = all
		}
	}
	return toSubscription(from, items), nil
}

func toSubscription(from *stripe.Subscription, items []*stripe.SubscriptionItem) billing.Subscription {
	s := billing.Subscription{
		ID:                from.ID,
		CustomerID:        customerID(from.Customer),
		Status:            billing.Status(from.Status),
		PeriodStart:       instant(from.CurrentPeriodStart),
		PeriodEnd:         instant(from.CurrentPeriodEnd),
		Anchor:            instant(from.BillingCycleAnchor),
		TrialStart:        maybeInstant(from.TrialStart),
		TrialEnd:          maybeInstant(from.TrialEnd),
		CancelAtPeriodEnd: from.CancelAtPeriodEnd,
		CancelAt:          maybeInstant(from.CancelAt),
		EndedAt:           maybeInstant(from.EndedAt),
		CreatedAt:         instant(from.Created),
		Metadata:          own(from.Metadata),
	}
	if from.DefaultPaymentMethod != nil {
		s.PaymentMethodID = from.DefaultPaymentMethod.ID
	}
	for _, item := range items {
		if item != nil {
			s.Items = append(s.Items, toItem(item))
		}
	}
	return s
}

func toItem(from *stripe.SubscriptionItem) billing.Item {
	item := billing.Item{ID: from.ID, Quantity: from.Quantity}
	item.PriceID, item.LookupKey = priceWords(from.Price)
	if from.Price != nil && from.Price.Recurring != nil {
		recurring := from.Price.Recurring
		item.Interval = string(recurring.Interval)
		item.IntervalCount = int(recurring.IntervalCount)
		item.Metered = recurring.UsageType == stripe.PriceRecurringUsageTypeMetered
	}
	return item
}
