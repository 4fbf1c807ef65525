package api_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"purser/billing"
)

// fakeStripe sells what it is asked to sell, and opens the billing portal. Nothing else is
// asked of it here.
type fakeStripe struct {
	billing.Stripe // nil: nobody asks it for anything else
	mu             sync.Mutex
	asked          []billing.CheckoutIn
	doors          []billing.PortalIn
	err            error
}

func (f *fakeStripe) CreateCheckout(_ context.Context, in billing.CheckoutIn) (billing.CheckoutSession, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, in)
	if f.err != nil {
		return billing.CheckoutSession{}, f.err
	}
	id := "cs_test_" + in.PurchaseID
	return billing.CheckoutSession{ID: id, URL: "https://checkout.example/" + id}, nil
}

func (f *fakeStripe) CreatePortalSession(_ context.Context, in billing.PortalIn) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.doors = append(f.doors, in)
	return "https://portal.example/" + in.Key, f.err
}

// portals are the portal sessions that were asked for.
func (f *fakeStripe) portals() []billing.PortalIn {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.doors
}

func (f *fakeStripe) calls() []billing.CheckoutIn {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

var errNotAsked = fmt.Errorf("the API doesn't ask Stripe for that")

func (f *fakeStripe) FetchSubscription(context.Context, string) (billing.Fetched, error) {
	return billing.Fetched{}, errNotAsked
}

func (f *fakeStripe) FetchInvoice(context.Context, string) (billing.Fetched, error) {
	return billing.Fetched{}, errNotAsked
}

func (f *fakeStripe) FetchCustomer(context.Context, string) (billing.Customer, error) {
	return billing.Customer{}, errNotAsked
}

func (f *fakeStripe) FetchCheckoutSession(context.Context, string) (billing.CheckoutSession, error) {
	return billing.CheckoutSession{}, errNotAsked
}

func (f *fakeStripe) FetchCharge(context.Context, string) (billing.Charge, error) {
	return billing.Charge{}, errNotAsked
}

func (f *fakeStripe) EventsSince(context.Context, time.Time, func([]byte) error) error {
	return errNotAsked
}

// fail makes the next calls fail; nil lets them work again.
func (f *fakeStripe) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// expectAway lets 5xx pass for a while.
func (w *world) expectAway(do func()) {
	c := w.http.Transport.(*checker)
	c.away = true
	defer func() { c.away = false }()
	do()
}
