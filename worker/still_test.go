package worker

import (
	"context"
	"sync"
	"time"

	"purser/billing"
)

// still is a Stripe at rest: what was fetched once is answered again.
type still struct {
	billing.Stripe
	mu      sync.Mutex
	answers map[string]any
	bodies  [][]byte
}

func once[T any](s *still, id string, fetch func() (T, error)) (T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, there := s.answers[id]; there {
		return known.(T), nil
	}
	answer, err := fetch()
	if err == nil {
		s.answers[id] = answer
	}
	return answer, err
}

func (s *still) FetchSubscription(ctx context.Context, id string) (billing.Fetched, error) {
	return once(s, id, func() (billing.Fetched, error) { return s.Stripe.FetchSubscription(ctx, id) })
}

func (s *still) FetchInvoice(ctx context.Context, id string) (billing.Fetched, error) {
	return once(s, id, func() (billing.Fetched, error) { return s.Stripe.FetchInvoice(ctx, id) })
}

func (s *still) FetchCustomer(ctx context.Context, id string) (billing.Customer, error) {
	return once(s, id, func() (billing.Customer, error) { return s.Stripe.FetchCustomer(ctx, id) })
}

func (s *still) FetchCheckoutSession(ctx context.Context, id string) (billing.CheckoutSession, error) {
	return once(s, id, func() (billing.CheckoutSession, error) { return s.Stripe.FetchCheckoutSession(ctx, id) })
}

func (s *still) FetchCharge(ctx context.Context, id string) (billing.Charge, error) {
	return once(s, id, func() (billing.Charge, error) { return s.Stripe.FetchCharge(ctx, id) })
}

func (s *still) EventsSince(_ context.Context, _ time.Time, each func([]byte) error) error {
	for _, body := range s.bodies {
		if err := each(body); err != nil {
			return err
		}
	}
	return nil
}
