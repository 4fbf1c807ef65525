package localstripe

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/client"
	"github.com/stripe/stripe-go/v76/webhook"
)

// world is a local Stripe, the real SDK pointed at it, and what most tests need.
type world struct {
	*Server
	t   *testing.T
	api *client.API
}

var newYear = time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC)

func open(t *testing.T) *world { return openAt(t, newYear) }

func openAt(t *testing.T, at time.Time) *world {
	t.Helper()
	s, err := Start(Config{Start: at, Wall: time.Now, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{Server: s, t: t, api: sdk(t, s)}
	t.Cleanup(w.checkEvents)
	return w
}

func sdk(t *testing.T, s *Server) *client.API {
	backend := stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
		HTTPClient: &http.Client{Transport: checkingTransport{t}, Timeout: 10 * time.Second},
		URL:        stripe.String(s.URL()), MaxNetworkRetries: stripe.Int64(0), LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull},
	})
	return client.New(s.Key(), &stripe.Backends{API: backend})
}

// must takes an answer of the SDK.
func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (w *world) advance(to time.Time) {
	w.t.Helper()
	if err := w.Advance(w.t.Context(), to); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) plan(cents int64, interval string, every int64) *stripe.Price {
	w.t.Helper()
	return must(w.api.Prices.New(&stripe.PriceParams{
		Currency: stripe.String("usd"), UnitAmount: stripe.Int64(cents),
		ProductData: &stripe.PriceProductDataParams{Name: stripe.String("Pro")},
		Recurring:   &stripe.PriceRecurringParams{Interval: stripe.String(interval), IntervalCount: stripe.Int64(every)},
	}))(w.t)
}

// payer is a customer with a good card, or with another of Stripe's test cards.
func (w *world) payer(card string) *stripe.Customer {
	w.t.Helper()
	u := must(w.api.Customers.New(&stripe.CustomerParams{Email: stripe.String("ada@example.com")}))(w.t)
	w.giveCard(u.ID, card)
	return u
}

func (w *world) giveCard(customerID, card string) *stripe.PaymentMethod {
	w.t.Helper()
	m := must(w.api.PaymentMethods.Attach(card, &stripe.PaymentMethodAttachParams{Customer: stripe.String(customerID)}))(w.t)
	must(w.api.Customers.Update(customerID, &stripe.CustomerParams{
		InvoiceSettings: &stripe.CustomerInvoiceSettingsParams{DefaultPaymentMethod: stripe.String(m.ID)},
	}))(w.t)
	return m
}

func (w *world) subscribe(u *stripe.Customer, p *stripe.Price, seats int64, change ...func(*stripe.SubscriptionParams)) *stripe.Subscription {
	w.t.Helper()
	params := &stripe.SubscriptionParams{
		Customer: stripe.String(u.ID), Items: []*stripe.SubscriptionItemsParams{{Price: stripe.String(p.ID), Quantity: stripe.Int64(seats)}},
	}
	for _, c := range change {
		c(params)
	}
	return must(w.api.Subscriptions.New(params))(w.t)
}

func (w *world) sub(id string) *stripe.Subscription {
	w.t.Helper()
	return must(w.api.Subscriptions.Get(id, nil))(w.t)
}

func (w *world) inv(id string) *stripe.Invoice {
	w.t.Helper()
	return must(w.api.Invoices.Get(id, nil))(w.t)
}

// kinds are the types of all events after an event, oldest first.
func (w *world) kinds(after string) []string {
	w.t.Helper()
	var kinds []string
	for _, e := range w.eventsAfter(after) {
		kinds = append(kinds, string(e.Type))
	}
	return kinds
}

func (w *world) eventsAfter(after string) []*stripe.Event {
	w.t.Helper()
	params := &stripe.EventListParams{}
	params.Limit = stripe.Int64(100)
	if after != "" {
		params.EndingBefore = stripe.String(after)
	}
	var found []*stripe.Event
	list := w.api.Events.List(params)
	for list.Next() {
		found = append(found, list.Event())
	}
	if err := list.Err(); err != nil {
		w.t.Fatal(err)
	}
	if after == "" {
		slices.Reverse(found)
	}
	return found
}

func (w *world) lastEvent() string {
	w.t.Helper()
	params := &stripe.EventListParams{}
	params.Limit, params.Single = stripe.Int64(1), true
	list := w.api.Events.List(params)
	if !list.Next() {
		return ""
	}
	return list.Event().ID
}

func sameStrings(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func same[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// receiver is a webhook endpoint that checks every signature with the SDK.
type receiver struct {
	*httptest.Server
	t        *testing.T
	mu       sync.Mutex
	secret   string
	refusals int // how many deliveries to answer 500 first
	got      []stripe.Event
}

func (w *world) receiver(kinds ...string) *receiver {
	w.t.Helper()
	r := &receiver{t: w.t}
	r.Server = httptest.NewServer(http.HandlerFunc(r.receive))
	w.t.Cleanup(r.Close)
	e := must(w.api.WebhookEndpoints.New(&stripe.WebhookEndpointParams{
		URL: stripe.String(r.URL), EnabledEvents: stripe.StringSlice(kinds), APIVersion: stripe.String(APIVersion),
	}))(w.t)
	r.mu.Lock()
	r.secret = e.Secret
	r.mu.Unlock()
	return r
}

func (r *receiver) receive(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.t.Error(err)
	}
	e, err := webhook.ConstructEvent(body, req.Header.Get("Stripe-Signature"), r.secret)
	if err != nil {
		r.t.Errorf("event not accepted: %v", err)
	}
	if r.refusals > 0 {
		r.refusals--
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	r.got = append(r.got, e)
}

func (r *receiver) received() []stripe.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

func (w *world) flush() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	if err := w.Flush(ctx); err != nil {
		w.t.Fatal(err)
	}
}
