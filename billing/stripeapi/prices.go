package stripeapi

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/stripe/stripe-go/v76"

	"purser/billing"
)

// Lookup keys are there so that a price can be exchanged behind them: what we know of them ages fast.
// A catalogue holds far fewer than are kept.
const (
	priceCacheAge = 5 * time.Minute
	priceCacheMax = 1000
)

// priceCache remembers which price a lookup key stands for.
type priceCache struct {
	mu    sync.Mutex
	known map[string]knownPrice
}

type knownPrice struct {
	id    string
	until time.Time
}

// priceByLookupKey asks Stripe which active price has the key. billing.ErrStripeGone: none.
func (c *Client) priceByLookupKey(ctx context.Context, key string) (string, error) {
	if key == "" {
		return "", errors.New("it needs a price or a lookup key")
	}
	if id, ok := c.prices.get(key, c.now()); ok {
		return id, nil
	}
	found, err := listAll[stripe.Price](ctx, c, "/v1/prices",
		&stripe.PriceListParams{LookupKeys: stripe.StringSlice([]string{key}), Active: stripe.Bool(true)})
	if err != nil {
		return "", fmt.Errorf("looking up the price %q: %w", key, err)
	}
	for _, price := range found {
		if price.LookupKey == key && price.ID != "" {
			c.prices.put(key, price.ID, c.now())
			return price.ID, nil
		}
	}
	return "", fmt.Errorf("looking up the price %q: %w", key, billing.ErrStripeGone)
}

func (p *priceCache) get(key string, at time.Time) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found, ok := p.known[key]
	return found.id, ok && at.Before(found.until)
}

func (p *priceCache) put(key, id string, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.known) >= priceCacheMax {
		clear(p.known)
	}
	p.known[key] = knownPrice{id: id, until: at.Add(priceCacheAge)}
}

func (p *priceCache) forget(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.known, key)
}
