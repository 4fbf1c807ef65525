package stripeapi

import (
	"strings"
	"time"

	"github.com/stripe/stripe-go/v76"
)

// ownPrefix marks the metadata that is ours. Everybody else's stays at Stripe.
const ownPrefix = "purser_"

// own picks our metadata; without any it is nil.
func own(metadata map[string]string) map[string]string {
	var ours map[string]string
	for key, value := range metadata {
		if strings.HasPrefix(key, ownPrefix) {
			if ours == nil {
				ours = map[string]string{}
			}
			ours[clean(key)] = clean(value)
		}
	}
	return ours
}

// clean replaces NUL, which Stripe allows in texts that people write and PostgreSQL doesn't. An object
// that can't be stored would block every event that tells of it.
func clean(s string) string { return strings.ReplaceAll(s, "\x00", "\uFFFD") }

// instant reads seconds; where Stripe says null there is none.
func instant(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

func maybeInstant(seconds int64) *time.Time {
	if seconds == 0 {
		return nil
	}
	at := instant(seconds)
	return &at
}

// The ids below stand in fields that hold an id, a whole object or null, by turns.

func customerID(c *stripe.Customer) string {
	if c == nil {
		return ""
	}
	return c.ID
}

func subscriptionID(s *stripe.Subscription) string {
	if s == nil {
		return ""
	}
	return s.ID
}

func paymentIntentID(p *stripe.PaymentIntent) string {
	if p == nil {
		return ""
	}
	return p.ID
}

func invoiceID(i *stripe.Invoice) string {
	if i == nil {
		return ""
	}
	return i.ID
}

// priceWords gives a price's id and lookup key. An item's price can be null.
func priceWords(p *stripe.Price) (id, lookupKey string) {
	if p == nil {
		return "", ""
	}
	return p.ID, clean(p.LookupKey)
}
