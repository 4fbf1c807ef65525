package stripeapi_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	stripefiles "github.com/stripe/stripe-mock/embedded"
	"github.com/stripe/stripe-mock/server"

	"purser/billing"
	"purser/billing/stripeapi"
)

// mock is Stripe's own: it refuses parameters that API version 2023-10-16 doesn't have, and answers with
// one true object of the kind.
var mock = sync.OnceValues(func() (*server.StubServer, error) {
	schema, err := server.LoadSpec(stripefiles.OpenAPISpec, "")
	if err != nil {
		return nil, err
	}
	fixtures, err := server.LoadFixtures(stripefiles.OpenAPIFixtures, "")
	if err != nil {
		return nil, err
	}
	return server.NewStubServer(fixtures, schema, true, false)
})

// checkRequest holds what our client sends, in whatever test, against Stripe's schema.
func checkRequest(t *testing.T, r *http.Request, body []byte) {
	stub, err := mock()
	if err != nil {
		t.Error(err)
		return
	}
	twin := httptest.NewRequest(r.Method, r.URL.RequestURI(), bytes.NewReader(body))
	twin.Header = r.Header.Clone()
	twin.Header.Set("Authorization", "Bearer sk_test_123")
	said := httptest.NewRecorder()
	stub.HandleRequest(said, twin)
	if said.Code == http.StatusBadRequest {
		t.Errorf("Stripe's schema refuses %s %s %s: %s", r.Method, r.URL, body, said.Body)
	}
}

func TestAgainstStripesMock(t *testing.T) {
	t.Parallel()
	answers, err := mock()
	if err != nil {
		t.Fatal(err)
	}
	fake := newStripe(t)
	stub := httptest.NewServer(http.HandlerFunc(answers.HandleRequest))
	t.Cleanup(stub.Close)
	client := fake.client(t, func(c *stripeapi.Config) { c.BaseURL, c.Key = stub.URL, "sk_test_123" })
	ctx := t.Context()

	subscription, err := client.FetchSubscription(ctx, "sub_1")
	if err != nil {
		t.Error(err)
	} else if subscription.Subscription == nil || subscription.Customer == nil || len(subscription.Invoices) != 1 {
		t.Errorf("a part of the subscription is missing: %+v", subscription)
	} else if s := subscription.Subscription; s.ID != "sub_1" || len(s.Items) != 1 || s.Items[0].PriceID == "" || s.Items[0].Interval == "" || s.PeriodEnd.IsZero() {
		t.Errorf("subscription %+v", s)
	}
	invoice, err := client.FetchInvoice(ctx, "in_1")
	if err != nil {
		t.Error(err)
	} else if i := invoice.Invoices[0]; invoice.Customer == nil || i.ID != "in_1" || i.CustomerID == "" || len(i.Lines) != 1 || i.Lines[0].To.IsZero() {
		t.Errorf("invoice %+v", invoice)
	}
	if customer, err := client.FetchCustomer(ctx, "cus_1"); err != nil || customer.ID != "cus_1" {
		t.Errorf("customer %+v, %v", customer, err)
	}
	if session, err := client.FetchCheckoutSession(ctx, "cs_1"); err != nil || session.ID != "cs_1" {
		t.Errorf("session %+v, %v", session, err)
	}
	if charge, err := client.FetchCharge(ctx, "ch_1"); err != nil || charge.ID != "ch_1" || len(charge.Refunds) != 1 {
		t.Errorf("charge %+v, %v", charge, err)
	}
	for _, customer := range []string{"cus_1", ""} {
		in := purchase()
		in.CustomerID, in.Email = customer, "anna@example.com"
		if session, err := client.CreateCheckout(ctx, in); err != nil || session.ID == "" {
			t.Errorf("checkout %+v, %v", session, err)
		}
	}
	for _, flow := range []billing.PortalFlow{billing.PortalFront, billing.PortalUpdate, billing.PortalCancel, billing.PortalPaymentMethod} {
		in := billing.PortalIn{CustomerID: "cus_1", ReturnURL: "https://app.example.com", Flow: flow, SubscriptionID: "sub_1"}
		if at, err := client.CreatePortalSession(ctx, in); err != nil || at == "" {
			t.Errorf("portal %q: %q, %v", flow, at, err)
		}
	}
	n := 0
	if err := client.ListSubscriptions(ctx, billing.ListIn{CustomerID: "cus_1", Since: day1}, func(f billing.Fetched) error { n++; return nil }); err != nil {
		t.Error(err)
	}
	narrow := billing.ListIn{CustomerID: "cus_1", Since: day1.Add(-time.Hour)}
	for _, in := range []billing.ListIn{{}, narrow} {
		if err := client.ListInvoices(ctx, in, func(billing.Fetched) error { n++; return nil }); err != nil {
			t.Error(err)
		}
		if err := client.ListCheckoutSessions(ctx, in, func(billing.CheckoutSession) error { n++; return nil }); err != nil {
			t.Error(err)
		}
		if err := client.ListReversals(ctx, billing.ListIn{Since: in.Since}, func(billing.Reversal) error { n++; return nil }); err != nil {
			t.Error(err)
		}
	}
	if err := client.EventsSince(ctx, day1.Add(-time.Hour), func([]byte) error { n++; return nil }); err != nil {
		t.Error(err)
	}
	same(t, "listed", n, 2+2*4)
}
