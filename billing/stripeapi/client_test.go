package stripeapi_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"purser/billing/stripeapi"
)

func TestNew(t *testing.T) {
	t.Parallel()
	now := func() time.Time { return day1 }
	for key, live := range map[string]bool{
		"sk_live_x": true, "rk_live_x": true, "sk_test_x": false, "rk_test_x": false, " sk_test_x\n": false,
	} {
		client, err := stripeapi.New(stripeapi.Config{Key: key, Now: now})
		if err != nil {
			t.Errorf("%q: %v", key, err)
			continue
		}
		same(t, key, client.Livemode(), live)
	}
	for name, cfg := range map[string]stripeapi.Config{
		"NoKey":               {Now: now},
		"PublishableKey":      {Key: "pk_test_x", Now: now},
		"WebhookSecret":       {Key: "whsec_x", Now: now},
		"AKeyWithALineBreak":  {Key: "sk_test_x\nsk_test_y", Now: now},
		"NoClock":             {Key: "sk_test_x"},
		"NotAURL":             {Key: "sk_test_x", Now: now, BaseURL: "api.stripe.com"},
		"OtherScheme":         {Key: "sk_test_x", Now: now, BaseURL: "ftp://127.0.0.1"},
		"SecretsInTheURL":     {Key: "sk_test_x", Now: now, BaseURL: "https://user:pass@127.0.0.1"},
		"ALiveKeyInTheClear":  {Key: "sk_live_x", Now: now, BaseURL: "http://127.0.0.1:1"},
		"ARestrictedLiveOne":  {Key: "rk_live_x", Now: now, BaseURL: "http://127.0.0.1:1"},
		"WhatAURLCannotParse": {Key: "sk_test_x", Now: now, BaseURL: "http://[::1"},
	} {
		if _, err := stripeapi.New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestTheDefaultSleep waits for real, for as short a time as shows that it does.
func TestTheDefaultSleep(t *testing.T) {
	t.Parallel()
	fake := newStripe(t)
	fake.fails("GET /v1/customers/cus_1", 1, 503, "", `{"id": "cus_1", "object": "customer"}`, "Retry-After", "0")
	client := fake.client(t, func(c *stripeapi.Config) { c.Sleep = nil })
	if _, err := client.FetchCustomer(t.Context(), "cus_1"); err != nil {
		t.Fatal(err)
	}
	fake.says("GET /v1/customers/cus_1", 429, fault("rate_limit"), "Retry-After", "20")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if _, err := client.FetchCustomer(ctx, "cus_1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("a caller who gave up after 50 ms waited %v", took)
	}
	same(t, "method", fake.asked()[0].method, http.MethodGet)
}
