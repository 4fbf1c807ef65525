package stripeapi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"purser/billing"
	"purser/billing/stripeapi"
)

func TestErrors(t *testing.T) {
	t.Parallel()
	const get = "GET /v1/subscriptions/sub_1"
	for name, c := range map[string]struct {
		status int
		body   string
		want   error // nil: neither of billing's
		calls  int
	}{
		"MissingIsGone":               {404, fault("resource_missing"), billing.ErrStripeGone, 1},
		"AnUnknownAddressIsnt":        {404, `{"error": {"type": "invalid_request_error", "message": "Unrecognized request URL."}}`, nil, 1},
		"AForeign404Isnt":             {404, `<html>nginx</html>`, nil, 1},
		"AParameterThatIsMissing":     {400, fault("parameter_missing"), nil, 1},
		"AWrongKey":                   {401, fault(""), nil, 1},
		"ARestrictedKey":              {403, fault("secret_key_required"), nil, 1},
		"E4_TooManyRequests":          {429, fault("rate_limit"), billing.ErrStripeUnavailable, 4},
		"E4_AnObjectThatIsLocked":     {429, fault("lock_timeout"), billing.ErrStripeUnavailable, 4},
		"AnAttemptWithTheKeyAtWork":   {409, fault("idempotency_key_in_use"), billing.ErrStripeUnavailable, 4},
		"ServerError":                 {500, fault(""), billing.ErrStripeUnavailable, 4},
		"AProxysErrorPage":            {502, `<html>Bad gateway</html>`, billing.ErrStripeUnavailable, 4},
		"AnErrorWithoutABody":         {503, ``, billing.ErrStripeUnavailable, 4},
		"AnErrorOfAnotherShape":       {504, `{"error": "gateway"}`, billing.ErrStripeUnavailable, 4},
		"AnErrorThatStripeGoCantRead": {500, `{"error": {"code": "x", "charge": 7}}`, billing.ErrStripeUnavailable, 4},
		"ACutConnection":              {0, ``, billing.ErrStripeUnavailable, 4},
		"ARedirect":                   {302, `{}`, billing.ErrStripeUnavailable, 1},
		"APageThatIsntStripes":        {200, `<html>Please log in</html>`, billing.ErrStripeUnavailable, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newStripe(t)
			fake.says(get, c.status, c.body, "Location", "/elsewhere")
			fake.says("GET /elsewhere", http.StatusOK, subscription(""))
			_, err := fake.client(t).FetchSubscription(t.Context(), "sub_1")
			if err == nil {
				t.Fatal("no error")
			}
			for _, sentinel := range []error{billing.ErrStripeGone, billing.ErrStripeUnavailable} {
				if want := c.want != nil && errors.Is(c.want, sentinel); errors.Is(err, sentinel) != want {
					t.Errorf("%v: is %v: %t", err, sentinel, errors.Is(err, sentinel))
				}
			}
			if refused, ok := errors.AsType[*stripeapi.Error](err); ok {
				same(t, "status", refused.Status, c.status)
			} else if c.status >= 400 && c.status != 500 {
				t.Errorf("%v tells nothing of Stripe's answer", err)
			}
			if strings.Contains(err.Error(), "<html>") {
				t.Errorf("%v quotes a page", err)
			}
			same(t, "calls", len(fake.calls()), c.calls)
		})
	}

	t.Run("TellsWhatStripesSupportAsksFor", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		fake.says("POST /v1/checkout/sessions", 402, `{"error": {"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds",
			"param": "customer", "message": "Your card has insufficient funds.", "payment_intent": {"id": "pi_1", "client_secret": "pi_1_secret_x"}}}`)
		_, err := fake.client(t).CreateCheckout(t.Context(), purchase())
		refused, ok := errors.AsType[*stripeapi.Error](err)
		if !ok {
			t.Fatalf("got %v", err)
		}
		same(t, "fields", []string{refused.Type, refused.Code, refused.DeclineCode, refused.Param, refused.RequestID},
			[]string{"card_error", "card_declined", "insufficient_funds", "customer", "req_1"})
		wantText(t, err.Error(), "top_1", "402", "card_declined", "insufficient_funds", "req_1", "Your card has insufficient funds.")
		if text := fmt.Sprintf("%v %+v %#v", err, err, refused); strings.Contains(text, "secret") {
			t.Errorf("%s holds the payment's secret", text)
		}
	})

	t.Run("ALongMessageIsCutBetweenCharacters", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		fake.says(get, 400, `{"error": {"type": "invalid_request_error", "message": "x`+strings.Repeat("€", 10_000)+`"}}`)
		_, err := fake.client(t).FetchSubscription(t.Context(), "sub_1")
		if err == nil || len(err.Error()) > 700 || !utf8.ValidString(err.Error()) || !strings.HasSuffix(err.Error(), "€…") {
			t.Errorf("got %v", err)
		}
	})

	t.Run("AnAnswerWithoutEndIsLeft", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		fake.says(get, http.StatusOK, subscription("")+strings.Repeat(" ", 32<<20))
		_, err := fake.client(t).FetchSubscription(t.Context(), "sub_1")
		if err == nil || errors.Is(err, billing.ErrStripeUnavailable) {
			t.Errorf("got %v", err)
		}
		same(t, "calls", len(fake.calls()), 1)
	})

	t.Run("NobodyThere", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		client := fake.client(t)
		fake.Close()
		if _, err := client.FetchSubscription(t.Context(), "sub_1"); !errors.Is(err, billing.ErrStripeUnavailable) {
			t.Errorf("got %v", err)
		}
	})
}

// hang answers when the test is over, or the caller has hung up.
func hang(t *testing.T, fake *stripe, call string) (reached chan struct{}) {
	reached = make(chan struct{}, 16)
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	fake.on(call, func(request) (int, string) {
		reached <- struct{}{}
		<-over
		return http.StatusOK, subscription("")
	})
	return reached
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	const get = "GET /v1/subscriptions/sub_1"

	t.Run("E4_AnAttemptThatTakesTooLongIsTriedAgainThenUnavailable", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		hang(t, fake, get)
		client := fake.client(t, func(c *stripeapi.Config) { c.Timeout, c.MaxRetries = 20*time.Millisecond, 2 })
		_, err := client.FetchSubscription(t.Context(), "sub_1")
		if !errors.Is(err, billing.ErrStripeUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		same(t, "pauses", fake.clock.sleeps(), []time.Duration{500 * time.Millisecond, time.Second})
	})

	t.Run("ACallerWhoGivesUpIsHeard", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		reached := hang(t, fake, get)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-reached; cancel() }()
		_, err := fake.client(t).FetchSubscription(ctx, "sub_1")
		if !errors.Is(err, context.Canceled) || errors.Is(err, billing.ErrStripeUnavailable) {
			t.Errorf("got %v", err)
		}
		same(t, "calls", len(fake.calls()), 1)
	})

	t.Run("ACallersDeadlineIsKept", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		hang(t, fake, get)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err := fake.client(t).FetchSubscription(ctx, "sub_1")
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, billing.ErrStripeUnavailable) {
			t.Errorf("got %v", err)
		}
		same(t, "calls", len(fake.calls()), 1)
	})

	t.Run("ACallerWhoGaveUpBeforeAsksNobody", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := fake.client(t).FetchSubscription(ctx, "sub_1"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		same(t, "calls", len(fake.calls()), 0)
	})
}

// TestTheKeyIsNeverTold makes everything fail that can and reads all that is left behind.
func TestTheKeyIsNeverTold(t *testing.T) {
	t.Parallel()
	fake := newStripe(t)
	var logged bytes.Buffer
	client := fake.client(t, func(c *stripeapi.Config) {
		c.Logger = slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	var texts []string
	for _, status := range []int{200, 400, 401, 404, 429, 500, 503} {
		body := fmt.Sprintf(`{"error": {"type": "invalid_request_error", "message": "Invalid API Key provided: %s"}, "email": "anna@example.com"}`, testKey)
		fake.says("GET /v1/customers/cus_1", status, body)
		fake.says("POST /v1/checkout/sessions", status, body)
		_, err := client.FetchCustomer(t.Context(), "cus_1")
		_, err2 := client.CreateCheckout(t.Context(), purchase())
		texts = append(texts, fmt.Sprintf("%v %+v %#v %v", err, err, err, err2))
		if refused, ok := errors.AsType[*stripeapi.Error](err); ok {
			texts = append(texts, fmt.Sprintf("%#v", *refused))
		}
	}
	fake.Close()
	_, err := client.FetchCustomer(t.Context(), "cus_1")
	texts = append(texts, err.Error(), fmt.Sprintf("%v %+v %#v", client, client, client))
	for _, key := range []string{testKey[3:], "xx_" + testKey, testKey + "\x01", "pk" + testKey[2:]} {
		_, err := stripeapi.New(stripeapi.Config{Key: key, Now: fake.clock.Now})
		if err == nil {
			t.Fatalf("the key %q was accepted", key)
		}
		texts = append(texts, err.Error())
	}
	for _, r := range fake.asked() {
		same(t, "authorization", r.header.Get("Authorization"), "Bearer "+testKey)
		for _, name := range []string{"X-Stripe-Client-Telemetry", "X-Stripe-Client-User-Agent"} {
			same(t, name, r.header.Get(name), "")
		}
	}
	if logged.Len() == 0 {
		t.Error("nothing was logged")
	}
	for _, text := range append(texts, logged.String()) {
		if strings.Contains(text, testKey[8:]) {
			t.Errorf("the key is in %s", text)
		}
	}
	if strings.Contains(logged.String(), "anna@example.com") {
		t.Errorf("a body is in %s", logged.String())
	}
}
