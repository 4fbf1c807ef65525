package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestLocalStripeAlone(t *testing.T) {
	t.Parallel()

	t.Run("AnswersAndSendsSignedEventsUntilASignalComes", func(t *testing.T) {
		t.Parallel()
		type delivery struct{ signature, body string }
		got := make(chan delivery, 100)
		endpoint := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			got <- delivery{r.Header.Get("Stripe-Signature"), string(body)}
		}))
		t.Cleanup(endpoint.Close)
		ctx, stop := context.WithCancel(t.Context())
		out := &writer{lines: make(chan string, 100)}
		done := make(chan int, 1)
		go func() {
			args := []string{"localstripe", "--listen", "127.0.0.1:0", "--webhook", endpoint.URL}
			done <- Main{Now: time.Now}.Run(ctx, args, out, io.Discard, func(string) string { return "" })
		}()
		out.await(t, "Move its clock")
		shown := func(pattern string) string {
			m := regexp.MustCompile(pattern).FindStringSubmatch(out.String())
			if m == nil {
				t.Fatalf("%s isn't in\n%s", pattern, out.String())
			}
			return m[1]
		}
		base, key, secret := shown(`API +(http://127\.0\.0\.1:\d+)`), shown(`key +(sk_test_\w+)`), shown(`signing secret +(whsec_\w+)`)
		if shown(`control +(\S+)`) != base+"/_local/" || shown(`webhook +(\S+)`) != endpoint.URL {
			t.Errorf("not what it shows: %s", out.String())
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/v1/customers", strings.NewReader(url.Values{"email": {"ada@example.com"}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("it answers %d", res.StatusCode)
		}
		select {
		case d := <-got:
			m := regexp.MustCompile(`^t=(\d+),v1=(\w+)`).FindStringSubmatch(d.signature)
			mac := hmac.New(sha256.New, []byte(secret))
			_, _ = fmt.Fprintf(mac, "%s.%s", m[1], d.body)
			if m[2] != hex.EncodeToString(mac.Sum(nil)) || !strings.Contains(d.body, "customer.created") {
				t.Errorf("not an event that the secret signed: %s\n%s", d.signature, d.body)
			}
		case <-time.After(patience):
			t.Error("no event comes")
		}
		_, before := get(t, base+"/_local/clock")
		for deadline := time.Now().Add(patience); ; {
			if _, now := get(t, base+"/_local/clock"); now != before {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("its clock stands")
			}
			time.Sleep(20 * time.Millisecond)
		}
		stop()
		select {
		case code := <-done:
			if code != exitDone {
				t.Errorf("it ends with %d", code)
			}
		case <-time.After(patience):
			t.Error("it doesn't end")
		}
	})

	t.Run("StaysOnThisMachine", func(t *testing.T) {
		t.Parallel()
		for _, address := range []string{"0.0.0.0:0", ":0", "192.0.2.1:8089", "[::]:0"} {
			bare(t).fails(exitUsage, []string{"--listen", "loopback"}, "localstripe", "--listen", address)
		}
		bare(t).fails(exitUsage, []string{"--webhook", "loopback"}, "localstripe", "--listen", "127.0.0.1:0", "--webhook", "https://example.com/hook")
	})
}

// Nothing of a live key may reach the local Stripe, whichever way it is asked for.
func TestServeRefusesALiveKeyBesideALocalStripe(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 100)
	stripe := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.Path }))
	t.Cleanup(stripe.Close)
	local := quietStripe(t)
	for _, key := range []string{liveKey, strings.Replace(liveKey, "sk_", "rk_", 1), " " + liveKey + "\n"} {
		for _, address := range []string{stripe.URL, local.URL(), strings.Replace(local.URL(), "127.0.0.1", "localhost", 1)} {
			c := newCLI(t).with("PURSER_STRIPE_KEY", key)
			c.with("PURSER_STRIPE_URL", address).fails(exitUsage, []string{"unset PURSER_STRIPE_URL", "live key"}, "serve", "--listen", "127.0.0.1:0")
			c.fails(exitUsage, []string{"unset PURSER_STRIPE_URL", "live key"}, "serve", "--listen", "127.0.0.1:0", "--stripe-url", address)
		}
	}
	if len(asked) > 0 {
		t.Errorf("%s was asked with a live key", <-asked)
	}
	if events := local.Events(); len(events) > 0 {
		t.Errorf("the local Stripe was used: %v", events)
	}
}
