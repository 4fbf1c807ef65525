package stripeapi_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"purser/billing"
	"purser/billing/stripeapi"
)

// account is a local Stripe behind a door at which every request is held against Stripe's schema, counted
// if it writes, and refused if the key isn't to have its permission.
type account struct {
	*world
	door   *httptest.Server
	client *stripeapi.Client

	runs int

	mu     sync.Mutex
	writes []string
	keys   []string // idempotency keys of the writes
	denied []string // beginnings of "METHOD path"
}

func openAccount(t *testing.T) *account {
	t.Helper()
	w := openWorld(t)
	target, err := url.Parse(w.URL())
	if err != nil {
		t.Fatal(err)
	}
	through := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(through.CloseIdleConnections)
	proxy := &httputil.ReverseProxy{
		Transport: through, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }, // cut like the one behind
	}
	a := &account{world: w}
	a.door = httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		checkRequest(t, r, body)
		// Stripe tells a configuration's products only to those who ask for them.
		if r.Method == http.MethodGet && r.URL.Path == "/v1/billing_portal/configurations" && r.URL.Query().Get("limit") != "1" &&
			r.URL.Query().Get("expand[0]") != "data.features.subscription_update.products" {
			t.Errorf("the portal's products aren't asked for: %s", r.URL)
		}
		if !a.refuses(out, r) {
			proxy.ServeHTTP(out, r)
		}
	}))
	t.Cleanup(a.door.Close)
	waits := &clock{now: day1}
	a.client, err = stripeapi.New(stripeapi.Config{Key: "rk_test_1", BaseURL: a.door.URL, Now: waits.Now, Sleep: waits.Sleep})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.client.Close)
	return a
}

// refuses notes a write, and answers 403 as Stripe does where the key lacks a permission.
func (a *account) refuses(out http.ResponseWriter, r *http.Request) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	call := r.Method + " " + r.URL.Path
	for _, d := range a.denied {
		if strings.HasPrefix(call, d) {
			out.WriteHeader(http.StatusForbidden)
			fmt.Fprint(out, `{"error": {"type": "invalid_request_error", "message": "The provided key 'rk_test_*1' does not have the required permissions for this endpoint on account 'acct_1'. Having the 'rak_thing_read' permission would allow this request to continue."}}`)
			return true
		}
	}
	if r.Method != http.MethodGet {
		a.writes = append(a.writes, call)
		a.keys = append(a.keys, r.Header.Get("Idempotency-Key"))
	}
	return false
}

func (a *account) deny(calls ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.denied = calls
}

// written gives the writes since it was asked last.
func (a *account) written() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := a.writes
	a.writes = nil
	return all
}

// setup is a catalogue with a webhook endpoint.
func setup(t *testing.T, catalog string) stripeapi.Setup {
	t.Helper()
	c, err := billing.ParseCatalog("plans.yaml", []byte(catalog))
	if err != nil {
		t.Fatal(err)
	}
	return stripeapi.Setup{Catalog: c, WebhookURL: "http://127.0.0.1:9/webhooks/stripe"}
}

const soldBySeat = `
plans:
  - name: team
    title: Team
    prices:
      - {lookup_key: team_monthly, interval: month, unit_amount: 2_500, currency: usd}
      - {lookup_key: team_yearly, interval: year, unit_amount: 25_000, currency: usd}
    monthly_credits: 1_000
  - name: platform
    prices: [{lookup_key: platform_monthly, interval: month, unit_amount: 9_900, currency: usd}]
    counting: per_subscription
    monthly_credits: 10_000
packs:
  - name: small
    title: A little
    price: {lookup_key: pack_small, unit_amount: 1_000, currency: usd}
    credits: 1_000
without_subscription: {teams: true}
`

func (a *account) survey(t *testing.T, s stripeapi.Setup) stripeapi.Found {
	t.Helper()
	found, err := a.client.Survey(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// apply surveys, plans and changes.
func (a *account) apply(t *testing.T, s stripeapi.Setup) stripeapi.Changed {
	t.Helper()
	a.runs++
	done, err := a.client.Change(t.Context(), s.Plan(a.survey(t, s)), fmt.Sprintf("run_%d", a.runs))
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// verbs writes changes as "create price team_monthly".
func verbs(changes []stripeapi.Change, but ...stripeapi.Verb) []string {
	var all []string
	for _, c := range changes {
		if !slices.Contains(but, c.Verb) {
			all = append(all, fmt.Sprintf("%s %s %s", c.Verb, c.Kind, c.Name))
		}
	}
	return all
}

func change(t *testing.T, changes []stripeapi.Change, name string) stripeapi.Change {
	t.Helper()
	for _, c := range changes {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("nothing is said of %s: %v", name, verbs(changes))
	return stripeapi.Change{}
}
