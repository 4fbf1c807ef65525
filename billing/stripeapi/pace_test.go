package stripeapi_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"purser/billing"
	"purser/billing/stripeapi"
)

func TestPace(t *testing.T) {
	t.Parallel()
	const get, post = "GET /v1/customers/cus_1", "POST /v1/billing_portal/sessions"
	const customer, portal = `{"id": "cus_1", "object": "customer"}`, `{"url": "https://billing.stripe.com/p/1"}`

	t.Run("E4_NoSecondSeesMoreThanStripeAllows", func(t *testing.T) {
		t.Parallel()
		for key, allowed := range map[string]int{"sk_test_x": 25, "rk_test_x": 25} {
			fake := newStripe(t)
			fake.says(get, http.StatusOK, customer)
			client := fake.client(t, func(c *stripeapi.Config) { c.Key = key })
			for range 100 {
				if _, err := client.FetchCustomer(t.Context(), "cus_1"); err != nil {
					t.Fatal(err)
				}
			}
			asked := fake.asked()
			for i, first := range asked {
				n := 0
				for _, r := range asked[i:] {
					if r.at.Sub(first.at) < time.Second {
						n++
					}
				}
				if n > allowed {
					t.Fatalf("%d calls within a second from call %d", n, i)
				}
			}
			if took := fake.clock.Now().Sub(day1); took < 4*time.Second || took > 5*time.Second {
				t.Errorf("100 calls took %v, want about 100 ÷ 20 s", took)
			}
		}
	})

	t.Run("E4_ReadsAndWritesAreCountedApart", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		fake.says(get, http.StatusOK, customer)
		fake.says(post, http.StatusOK, portal)
		client := fake.client(t, func(c *stripeapi.Config) { c.RequestsPerSecond = 1 })
		for range 3 {
			if _, err := client.FetchCustomer(t.Context(), "cus_1"); err != nil {
				t.Fatal(err)
			}
			if _, err := client.CreatePortalSession(t.Context(), billing.PortalIn{CustomerID: "cus_1", ReturnURL: "https://app.example.com"}); err != nil {
				t.Fatal(err)
			}
		}
		same(t, "pauses", fake.clock.sleeps(), []time.Duration{time.Second, time.Second})
	})

	t.Run("WhoGivesUpGivesItsPlaceBack", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		fake.says(get, http.StatusOK, customer)
		giveUp := errors.New("enough")
		var patience error
		client := fake.client(t, func(c *stripeapi.Config) {
			c.RequestsPerSecond = 1
			c.Sleep = func(ctx context.Context, d time.Duration) error {
				if patience != nil {
					return patience
				}
				return fake.clock.Sleep(ctx, d)
			}
		})
		for _, patience = range []error{nil, giveUp, giveUp, nil} {
			if _, err := client.FetchCustomer(t.Context(), "cus_1"); !errors.Is(err, patience) {
				t.Errorf("got %v, want %v", err, patience)
			}
		}
		same(t, "pauses", fake.clock.sleeps(), []time.Duration{time.Second})
	})

	t.Run("AQueueThatIsTooLongIsLeft", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		fake.says(get, http.StatusOK, customer)
		// One call every 100 s: the second would have to wait longer than anybody should.
		client := fake.client(t, func(c *stripeapi.Config) { c.RequestsPerSecond = 0.01 })
		if _, err := client.FetchCustomer(t.Context(), "cus_1"); err != nil {
			t.Fatal(err)
		}
		if _, err := client.FetchCustomer(t.Context(), "cus_1"); !errors.Is(err, billing.ErrStripeUnavailable) {
			t.Errorf("got %v", err)
		}
		same(t, "pauses", len(fake.clock.sleeps()), 0)
		_ = fake.clock.Sleep(t.Context(), 100*time.Second)
		if _, err := client.FetchCustomer(t.Context(), "cus_1"); err != nil {
			t.Errorf("who left the queue took its place along: %v", err)
		}
	})
}

func TestTooManyRequests(t *testing.T) {
	t.Parallel()
	const get, other = "GET /v1/customers/cus_1", "POST /v1/billing_portal/sessions"
	const customer, portal = `{"id": "cus_1", "object": "customer"}`, `{"url": "https://billing.stripe.com/p/1"}`

	for name, c := range map[string]struct {
		status, times int
		code          string
		header        []string
		want          []time.Duration
	}{
		"E4_RetryAfterIsObeyed":        {429, 2, "rate_limit", []string{"Retry-After", "7"}, []time.Duration{7 * time.Second, 7 * time.Second}},
		"E4_RetryAfterAsADate":         {429, 1, "rate_limit", []string{"Retry-After", day1.Add(9 * time.Second).Format(http.TimeFormat)}, []time.Duration{9 * time.Second}},
		"WithoutItPausesDouble":        {429, 3, "rate_limit", nil, []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second}},
		"EvenIfStripeSaysNotTo":        {429, 1, "rate_limit", []string{"Stripe-Should-Retry", "false"}, []time.Duration{500 * time.Millisecond}},
		"ALockedObject":                {429, 2, "lock_timeout", nil, []time.Duration{500 * time.Millisecond, time.Second}},
		"ServerError":                  {500, 2, "", nil, []time.Duration{500 * time.Millisecond, time.Second}},
		"UnavailableWithRetryAfter":    {503, 1, "", []string{"Retry-After", "3"}, []time.Duration{3 * time.Second}},
		"WhatStripeSaysIsWorthARetry":  {400, 1, "", []string{"Stripe-Should-Retry", "true"}, []time.Duration{500 * time.Millisecond}},
		"NonsenseInRetryAfterIsntRead": {429, 1, "rate_limit", []string{"Retry-After", "-7s"}, []time.Duration{500 * time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newStripe(t)
			fake.fails(get, c.times, c.status, c.code, customer, c.header...)
			if _, err := fake.client(t).FetchCustomer(t.Context(), "cus_1"); err != nil {
				t.Fatal(err)
			}
			same(t, "pauses", fake.clock.sleeps(), c.want)
			same(t, "calls", len(fake.calls()), c.times+1)
		})
	}

	t.Run("E4_EverybodyWaits", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		fake.says(get, 429, fault("rate_limit"), "Retry-After", "20")
		fake.says(other, http.StatusOK, portal)
		client := fake.client(t, func(c *stripeapi.Config) { c.MaxRetries = -1 })
		if _, err := client.FetchCustomer(t.Context(), "cus_1"); !errors.Is(err, billing.ErrStripeUnavailable) {
			t.Fatalf("got %v", err)
		}
		if _, err := client.CreatePortalSession(t.Context(), billing.PortalIn{CustomerID: "cus_1", ReturnURL: "https://app.example.com"}); err != nil {
			t.Fatal(err)
		}
		same(t, "the other call", fake.asked()[1].at, day1.Add(20*time.Second))
	})

	t.Run("E4_WhoQueuedBeforeWaitsTooAndQueuesAgain", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		fake.says(get, http.StatusOK, customer)
		fake.says(other, 429, fault("rate_limit"), "Retry-After", "20")
		var client *stripeapi.Client
		var once sync.Once
		client = fake.client(t, func(c *stripeapi.Config) {
			c.RequestsPerSecond, c.MaxRetries = 1, -1
			c.Sleep = func(ctx context.Context, d time.Duration) error {
				once.Do(func() {
					_, err := client.CreatePortalSession(ctx, billing.PortalIn{CustomerID: "cus_1", ReturnURL: "https://app.example.com"})
					if !errors.Is(err, billing.ErrStripeUnavailable) {
						t.Errorf("got %v", err)
					}
				})
				return fake.clock.Sleep(ctx, d)
			}
		})
		for range 2 {
			if _, err := client.FetchCustomer(t.Context(), "cus_1"); err != nil {
				t.Fatal(err)
			}
		}
		asked := fake.asked()
		same(t, "calls", fake.calls(), []string{get, other, get})
		same(t, "who queued", asked[2].at, day1.Add(20*time.Second))
	})

	t.Run("AShorterPauseDoesntEndALongerOne", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		client := fake.client(t, func(c *stripeapi.Config) { c.MaxRetries = -1 })
		fake.says(get, 429, fault("rate_limit"), "Retry-After", "20")
		fake.says(other, 429, "", "Retry-After", "1")
		fake.on(other, func(request) (int, string) {
			// Meanwhile somebody else is told to wait for longer.
			if _, err := client.FetchCustomer(context.Background(), "cus_1"); !errors.Is(err, billing.ErrStripeUnavailable) {
				t.Errorf("got %v", err)
			}
			return 429, fault("rate_limit")
		})
		if _, err := client.CreatePortalSession(t.Context(), billing.PortalIn{CustomerID: "cus_1", ReturnURL: "https://app.example.com"}); !errors.Is(err, billing.ErrStripeUnavailable) {
			t.Errorf("got %v", err)
		}
		fake.says(get, http.StatusOK, customer)
		if _, err := client.FetchCustomer(t.Context(), "cus_1"); err != nil {
			t.Fatal(err)
		}
		same(t, "the next call", fake.clock.sleeps(), []time.Duration{20 * time.Second})
	})

	t.Run("ALockedObjectHoldsNobodyElseUp", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		fake.says(get, 429, fault("lock_timeout"), "Retry-After", "20")
		fake.says(other, http.StatusOK, portal)
		client := fake.client(t, func(c *stripeapi.Config) { c.MaxRetries = -1 })
		if _, err := client.FetchCustomer(t.Context(), "cus_1"); !errors.Is(err, billing.ErrStripeUnavailable) {
			t.Fatalf("got %v", err)
		}
		if _, err := client.CreatePortalSession(t.Context(), billing.PortalIn{CustomerID: "cus_1", ReturnURL: "https://app.example.com"}); err != nil {
			t.Fatal(err)
		}
		same(t, "the other call", fake.asked()[1].at, day1)
	})

	t.Run("ALongWaitIsForAnotherTime", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		fake.fails(get, 1, 429, "rate_limit", customer, "Retry-After", "3600")
		client := fake.client(t)
		for range 3 {
			if _, err := client.FetchCustomer(t.Context(), "cus_1"); !errors.Is(err, billing.ErrStripeUnavailable) {
				t.Fatalf("got %v", err)
			}
		}
		same(t, "calls", len(fake.calls()), 1)
		_ = fake.clock.Sleep(t.Context(), time.Hour)
		if _, err := client.FetchCustomer(t.Context(), "cus_1"); err != nil {
			t.Errorf("still held up: %v", err)
		}
	})

	t.Run("AndSoIsAServerThatIsAwayForLong", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		fake.says(get, 503, fault(""), "Retry-After", "3600")
		if _, err := fake.client(t).FetchCustomer(t.Context(), "cus_1"); !errors.Is(err, billing.ErrStripeUnavailable) {
			t.Errorf("got %v", err)
		}
		same(t, "pauses", len(fake.clock.sleeps()), 0)
		same(t, "calls", len(fake.calls()), 1)
	})

	t.Run("AWritesServerErrorIsntRepeated", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		fake.says(other, 500, fault(""))
		_, err := fake.client(t).CreatePortalSession(t.Context(), billing.PortalIn{CustomerID: "cus_1", ReturnURL: "https://app.example.com"})
		if !errors.Is(err, billing.ErrStripeUnavailable) {
			t.Errorf("got %v", err)
		}
		same(t, "calls", len(fake.calls()), 1)
	})

	t.Run("AWriteKeepsItsKeyOverAttempts", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		fake.fails(other, 2, 429, "rate_limit", portal)
		if _, err := fake.client(t).CreatePortalSession(t.Context(), billing.PortalIn{CustomerID: "cus_1", ReturnURL: "https://app.example.com"}); err != nil {
			t.Fatal(err)
		}
		asked := fake.asked()
		same(t, "calls", len(asked), 3)
		for _, r := range asked {
			if key := r.header.Get("Idempotency-Key"); key == "" || key != asked[0].header.Get("Idempotency-Key") {
				t.Errorf("key %q", key)
			}
			same(t, "form", r.form, asked[0].form)
		}
	})

	t.Run("ACallerWhoGivesUpWhileWaitingIsHeard", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		fake.says(get, 429, fault("rate_limit"), "Retry-After", "20")
		ctx, cancel := context.WithCancel(t.Context())
		client := fake.client(t, func(c *stripeapi.Config) {
			c.Sleep = func(ctx context.Context, d time.Duration) error {
				cancel()
				return fake.clock.Sleep(ctx, d)
			}
		})
		if _, err := client.FetchCustomer(ctx, "cus_1"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		same(t, "calls", len(fake.calls()), 1)
	})
}

// TestManyCallersAtOnce is for the race detector, and counts that nobody is lost.
func TestManyCallersAtOnce(t *testing.T) {
	t.Parallel()
	fake := newStripe(t)
	var mu sync.Mutex
	n := 0
	fake.on("GET /v1/customers/cus_1", func(request) (int, string) {
		mu.Lock()
		defer mu.Unlock()
		if n++; n%10 == 0 {
			return 429, fault("rate_limit")
		}
		return http.StatusOK, `{"id": "cus_1", "object": "customer"}`
	})
	client := fake.client(t, func(c *stripeapi.Config) { c.MaxRetries = 50 })
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 10 {
				if _, err := client.FetchCustomer(t.Context(), "cus_1"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	same(t, "calls", len(fake.calls()), 160+160/9)
}
