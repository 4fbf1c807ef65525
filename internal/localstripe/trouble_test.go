package localstripe

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"
)

func TestTrouble(t *testing.T) {
	t.Run("ErrorsOnDemand", func(t *testing.T) {
		w := open(t)
		w.Disturb(Trouble{Method: "POST", Path: "/v1/customers", Status: 429, Times: 2})
		for range 2 {
			_, err := w.api.Customers.New(&stripe.CustomerParams{})
			same(t, "code", stripeError(t, err).Code, stripe.ErrorCodeRateLimit)
		}
		must(w.api.Customers.New(&stripe.CustomerParams{}))(t)
	})

	t.Run("AnAnswerThatIsLostWasStillCarriedOut", func(t *testing.T) {
		w := open(t)
		w.Disturb(Trouble{Method: "POST", Path: "/v1/customers", After: true})
		in := &stripe.CustomerParams{Params: stripe.Params{IdempotencyKey: stripe.String("k")}}
		_, err := w.api.Customers.New(in)
		var answered *stripe.Error
		if err == nil || errors.As(err, &answered) {
			t.Fatalf("an answer came: %v", err)
		}
		u := must(w.api.Customers.New(in))(t)
		same(t, "replayed", u.LastResponse.Header.Get("Idempotent-Replayed"), "true")
		same(t, "made once", slices.Equal(w.kinds(""), []string{"customer.created"}), true)
	})

	t.Run("AnsweredWithTheStatusThatIsAskedFor", func(t *testing.T) {
		w := open(t)
		for _, c := range []struct {
			trouble         Trouble
			kind            any
			code, advice    string
			header, content string
		}{
			{Trouble{Status: 429, Header: http.Header{"Retry-After": {"7"}}}, "invalid_request_error", "rate_limit", "", "Retry-After", "7"},
			{Trouble{Status: 429, Code: "lock_timeout"}, "invalid_request_error", "lock_timeout", "true", "", ""},
			{Trouble{Status: 404, Code: "resource_missing"}, "invalid_request_error", "resource_missing", "false", "", ""},
			{Trouble{Status: 409}, "idempotency_error", "idempotency_key_in_use", "true", "", ""},
			{Trouble{Status: 500}, "api_error", "", "", "", ""},
			{Trouble{Status: 503, Header: http.Header{"Retry-After": {"1"}}}, "api_error", "", "", "Retry-After", "1"},
		} {
			w.Disturb(c.trouble)
			answer, body := w.ask("POST", "/v1/customers", "", nil)
			same(t, "status", answer.StatusCode, c.trouble.Status)
			same(t, "type", field(body, "error", "type"), c.kind)
			if code, _ := field(body, "error", "code").(string); code != c.code {
				t.Errorf("%d: code %q, want %q", c.trouble.Status, code, c.code)
			}
			same(t, "advice", answer.Header.Get("Stripe-Should-Retry"), c.advice)
			same(t, c.header, answer.Header.Get(c.header), c.content)
		}
		same(t, "nothing was carried out", len(w.Events()), 0)
	})

	t.Run("AnAnswerThatComesTooLate", func(t *testing.T) {
		w := open(t)
		w.Disturb(Trouble{Path: "/v1/account", Delay: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL()+"/v1/account", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+w.Key())
		answer, err := http.DefaultClient.Do(r)
		if err == nil {
			_ = answer.Body.Close()
		}
		same(t, "timed out", errors.Is(err, context.DeadlineExceeded), true)
	})

	t.Run("AKeyInFlightIsAConflict", func(t *testing.T) {
		w := open(t)
		key := map[string]string{"Idempotency-Key": "k"}
		w.Disturb(Trouble{Path: "/v1/customers", Delay: time.Hour})
		done := make(chan reply)
		go func() {
			answer, _ := w.ask("POST", "/v1/customers", "email=a@example.com", key)
			done <- answer
		}()
		deadline := time.Now().Add(30 * time.Second)
		for !w.isFlying("k") && time.Now().Before(deadline) {
			time.Sleep(time.Millisecond)
		}
		answer, body := w.ask("POST", "/v1/customers", "email=a@example.com", key)
		same(t, "status", answer.StatusCode, http.StatusConflict)
		same(t, "code", field(body, "error", "code"), any("idempotency_key_in_use"))
		w.Soothe()
		same(t, "the first one goes through", (<-done).StatusCode, 200)
		answer, _ = w.ask("POST", "/v1/customers", "email=a@example.com", key)
		same(t, "and is replayed", answer.Header.Get("Idempotent-Replayed"), "true")
		same(t, "made once", len(w.Events()), 1)
	})

	t.Run("AServerErrorThatIsKeptIsWhatItsKeyAnswers", func(t *testing.T) {
		for _, after := range []bool{false, true} {
			w := open(t)
			key := map[string]string{"Idempotency-Key": "k"}
			w.Disturb(Trouble{Path: "/v1/customers", Status: 500, Kept: true, After: after})
			for _, replayed := range []string{"", "true", "true"} {
				answer, _ := w.ask("POST", "/v1/customers", "email=a@example.com", key)
				same(t, "status", answer.StatusCode, 500)
				same(t, "replayed", answer.Header.Get("Idempotent-Replayed"), replayed)
			}
			same(t, "carried out", len(w.Events()), map[bool]int{true: 1, false: 0}[after])
			answer, _ := w.ask("POST", "/v1/customers", "email=a@example.com", map[string]string{"Idempotency-Key": "k2"})
			same(t, "another key", answer.StatusCode, 200)
		}
	})

	t.Run("ThroughTheControlAPIUntilItIsSoothed", func(t *testing.T) {
		w := open(t)
		w.ask("POST", "/_local/trouble", `{"method":"GET","path":"/v1/account","times":5,"status":500}`, nil)
		answer, _ := w.ask("GET", "/v1/account", "", nil)
		same(t, "disturbed", answer.StatusCode, 500)
		w.ask("DELETE", "/_local/trouble", "", nil)
		answer, _ = w.ask("GET", "/v1/account", "", nil)
		same(t, "soothed", answer.StatusCode, 200)
	})

	t.Run("AKeyOfMoreThan255CharactersIsRefused", func(t *testing.T) {
		w := open(t)
		answer, body := w.ask("POST", "/v1/customers", "", map[string]string{"Idempotency-Key": strings.Repeat("k", 256)})
		same(t, "status", answer.StatusCode, 400)
		same(t, "type", field(body, "error", "type"), any("idempotency_error"))
	})
}
