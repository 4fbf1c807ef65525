package stripeapi

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/form"
)

// EventsSince implements billing.Stripe. Stripe keeps events for 30 days and lists the newest first, so
// it takes two walks: one down to the oldest that is asked for, which keeps nothing, and one back up,
// page by page, which also meets what happened meanwhile. A short list, which is the usual one, is one
// call. The bodies are the bytes that Stripe rendered, in the version of the account's default at the
// time: pointers, not data.
func (c *Client) EventsSince(ctx context.Context, since time.Time, each func(body []byte) error) error {
	var oldest []json.RawMessage
	pages := 0
	err := c.walk(ctx, "/v1/events", eventsSince(since), stripe.StartingAfter, func(events []json.RawMessage) error {
		oldest = events
		pages++
		return nil
	})
	if err == nil && len(oldest) > 0 {
		err = c.eventsUpwards(ctx, since, oldest, pages, each)
	}
	if err != nil {
		return fmt.Errorf("listing events since %s: %w", since.UTC().Format(time.RFC3339), err)
	}
	return nil
}

func (c *Client) eventsUpwards(ctx context.Context, since time.Time, oldest []json.RawMessage, pages int, each func([]byte) error) error {
	if err := fromOldest(oldest, each); err != nil || pages == 1 {
		return err
	}
	top := identity(oldest[0])
	if top == "" {
		return fmt.Errorf("an event has no id to go on from")
	}
	values := eventsSince(since)
	values.Set(stripe.EndingBefore, top)
	return c.walk(ctx, "/v1/events", values, stripe.EndingBefore, func(events []json.RawMessage) error {
		return fromOldest(events, each)
	})
}

func eventsSince(since time.Time) *form.Values {
	values := &form.Values{}
	if from := since.Unix(); from > 0 {
		values.Set("created[gte]", fmt.Sprint(from))
	}
	return values
}

func fromOldest(events []json.RawMessage, each func([]byte) error) error {
	for i := len(events) - 1; i >= 0; i-- {
		if err := each(events[i]); err != nil {
			return err
		}
	}
	return nil
}
