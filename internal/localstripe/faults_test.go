package localstripe

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/webhook"
)

// heard is one request that an endpoint got.
type heard struct {
	signature, body string
	at              time.Time
}

// ear is an endpoint that keeps what it hears, and answers 200.
type ear struct {
	url    string
	secret string
	mu     sync.Mutex
	all    []heard
}

func (w *world) ear(kinds ...string) *ear {
	w.t.Helper()
	e := &ear{}
	server := httptest.NewServer(e.handler(w.t))
	w.t.Cleanup(server.Close)
	var err error
	if e.secret, err = w.AddEndpoint(server.URL, kinds...); err != nil {
		w.t.Fatal(err)
	}
	e.url = server.URL
	return e
}

func (e *ear) handler(t *testing.T) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.all = append(e.all, heard{signature: r.Header.Get("Stripe-Signature"), body: string(raw), at: time.Now()})
	}
}

func (e *ear) got() []heard {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.all)
}

func (h heard) event(t *testing.T) map[string]any {
	t.Helper()
	var e map[string]any
	if err := json.Unmarshal([]byte(h.body), &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func (h heard) signedAt(t *testing.T) int64 {
	t.Helper()
	stamp, _, _ := strings.Cut(strings.TrimPrefix(h.signature, "t="), ",")
	at, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestDeliveryFaults(t *testing.T) {
	t.Run("DelayedTheyComeLater", func(t *testing.T) {
		w := open(t)
		e := w.ear("customer.created")
		const delay = 150 * time.Millisecond
		w.SetDelivery(Faults{Delay: delay})
		asked := time.Now()
		must(w.api.Customers.New(&stripe.CustomerParams{}))(t)
		w.flush()
		if late := e.got()[0].at.Sub(asked); late < delay {
			t.Errorf("after %s", late)
		}
	})

	t.Run("ReorderedTheyComeInAnotherOrder", func(t *testing.T) {
		w := open(t)
		e := w.ear("*")
		w.SetDelivery(Faults{Hold: []string{"*"}})
		for range 20 {
			must(w.api.Customers.New(&stripe.CustomerParams{}))(t)
		}
		made := w.eventsAfter("")
		same(t, "held", len(e.got()), 0)
		w.Release(7)
		w.flush()
		var order, came []string
		for i, event := range made {
			order = append(order, event.ID)
			came = append(came, e.got()[i].event(t)["id"].(string))
		}
		same(t, "another order", slices.Equal(order, came), false)
		slices.Sort(order)
		slices.Sort(came)
		sameStrings(t, "all of them", came, order)
	})

	t.Run("ResentTheyAreSignedAnewAndOtherwiseTheSame", func(t *testing.T) {
		wall := newYear
		var mu sync.Mutex
		s, err := Start(Config{Start: newYear, Seed: 7, Wall: func() time.Time { mu.Lock(); defer mu.Unlock(); return wall }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		w := &world{Server: s, t: t, api: sdk(t, s)}
		e := w.ear("customer.created")
		must(w.api.Customers.New(&stripe.CustomerParams{}))(t)
		w.flush()
		mu.Lock()
		wall = newYear.Add(time.Hour)
		mu.Unlock()
		w.Resend(1, 0)
		w.flush()
		first, again := e.got()[0], e.got()[1]
		same(t, "signed an hour later", again.signedAt(t)-first.signedAt(t), 3600)
		same(t, "id", first.event(t)["id"], again.event(t)["id"])
		same(t, "created", first.event(t)["created"], again.event(t)["created"])
		for _, h := range e.got() {
			if err := webhook.ValidatePayloadIgnoringTolerance([]byte(h.body), h.signature, e.secret); err != nil {
				t.Error(err)
			}
		}
	})

	t.Run("InAnotherVersionTheyNameItAndHaveItsShape", func(t *testing.T) {
		w := open(t)
		e := w.ear("customer.subscription.created", "invoice.paid")
		w.SetDelivery(Faults{Version: "2024-06-20"})
		u, p := w.payer("pm_card_visa"), w.plan(1000, "month", 1)
		w.subscribe(u, p, 5)
		w.flush()
		for _, h := range e.got() {
			same(t, "version", h.event(t)["api_version"], any("2024-06-20"))
			_, err := webhook.ConstructEvent([]byte(h.body), h.signature, e.secret)
			same(t, "the SDK refuses it", err != nil, true)
		}
		before := len(e.got())
		w.SetDelivery(Faults{Version: "2025-03-31.basil"})
		w.subscribe(u, p, 5)
		w.flush()
		for _, h := range e.got()[before:] {
			event := h.event(t)
			about := event["data"].(map[string]any)["object"].(map[string]any)
			for _, gone := range []string{"current_period_end", "paid", "subscription", "payment_intent"} {
				if _, there := about[gone]; there && about["object"] != "checkout.session" {
					t.Errorf("%s has %s", event["type"], gone)
				}
			}
			parsed, err := webhook.ConstructEventWithOptions([]byte(h.body), h.signature, e.secret, webhook.ConstructEventOptions{IgnoreAPIVersionMismatch: true})
			if err != nil {
				t.Error(err)
			}
			same(t, "parsed all the same", string(parsed.Type), event["type"].(string))
		}
		w.SetDelivery(Faults{})
		same(t, "the event list keeps to its own", must(w.api.Events.Get(w.lastEvent(), nil))(t).APIVersion, APIVersion)
	})

	t.Run("AnEndpointOfAnotherVersionGetsItsOwnAndTheOthersTheirs", func(t *testing.T) {
		w := open(t)
		ours := w.ear("customer.created")
		old := &ear{}
		server := httptest.NewServer(old.handler(t))
		t.Cleanup(server.Close)
		made := must(w.api.WebhookEndpoints.New(&stripe.WebhookEndpointParams{
			URL: stripe.String(server.URL), EnabledEvents: stripe.StringSlice([]string{"customer.created"}), APIVersion: stripe.String("2022-11-15"),
		}))(t)
		same(t, "endpoint", made.APIVersion, "2022-11-15")
		must(w.api.Customers.New(&stripe.CustomerParams{}))(t)
		w.flush()
		w.Resend(1, 0)
		w.flush()
		for i := range 2 {
			same(t, "ours", ours.got()[i].event(t)["api_version"], any(APIVersion))
			same(t, "the other's", old.got()[i].event(t)["api_version"], any("2022-11-15"))
		}
		answer, _ := w.ask("POST", "/v1/webhook_endpoints", "url=http://127.0.0.1:1/&enabled_events[]=*&api_version=latest", nil)
		same(t, "no version", answer.StatusCode, 400)
	})

	t.Run("ToAnEndpointThatIsDownTheyComeWhenItIsUp", func(t *testing.T) {
		w := open(t)
		down, up := w.ear("customer.created"), w.ear("customer.created")
		w.SetDelivery(Faults{Down: []string{down.url}})
		must(w.api.Customers.New(&stripe.CustomerParams{}))(t)
		deadline := time.Now().Add(30 * time.Second)
		for len(up.got()) == 0 && time.Now().Before(deadline) {
			time.Sleep(time.Millisecond)
		}
		same(t, "the other hears it", len(up.got()), 1)
		same(t, "this one doesn't", len(down.got()), 0)
		same(t, "pending", must(w.api.Events.Get(w.lastEvent(), nil))(t).PendingWebhooks, 1)
		w.SetDelivery(Faults{})
		w.flush()
		same(t, "later", len(down.got()), 1)
		same(t, "pending", must(w.api.Events.Get(w.lastEvent(), nil))(t).PendingWebhooks, 0)
	})

	t.Run("ADisabledEndpointHearsNothing", func(t *testing.T) {
		w := open(t)
		e := w.ear("*")
		list := w.api.WebhookEndpoints.List(&stripe.WebhookEndpointListParams{})
		same(t, "one", list.Next(), true)
		must(w.api.WebhookEndpoints.Update(list.WebhookEndpoint().ID, &stripe.WebhookEndpointParams{Disabled: stripe.Bool(true)}))(t)
		must(w.api.Customers.New(&stripe.CustomerParams{}))(t)
		w.flush()
		same(t, "heard", len(e.got()), 0)
	})

	t.Run("SixteenEndpointsAndNoMore", func(t *testing.T) {
		w := open(t)
		for range 16 {
			w.ear("*")
		}
		_, err := w.AddEndpoint("http://127.0.0.1:1/hook", "*")
		same(t, "refused", err != nil, true)
	})

	t.Run("AllAreSetThroughTheControlAPI", func(t *testing.T) {
		w := open(t)
		w.ear("*")
		answer, body := w.ask("POST", "/_local/deliveries", `{"hold":["*"],"duplicate":1,"twin":["a"],"drop":["b"],"wait":true,"delay":5,"version":"2022-11-15","down":["http://127.0.0.1:1/"]}`, nil)
		same(t, "status", answer.StatusCode, 200)
		for name, want := range map[string]any{"duplicate": float64(1), "wait": true, "delay": float64(5), "version": "2022-11-15"} {
			same(t, name, body[name], want)
		}
		must(w.api.Customers.New(&stripe.CustomerParams{}))(t)
		w.ask("POST", "/_local/deliveries", `{}`, nil)
		_, body = w.ask("POST", "/_local/deliveries/release", `{"shuffle":3}`, nil)
		same(t, "released", body["deliveries"], any(float64(1)))
		answer, _ = w.ask("POST", "/_local/deliveries/flush", "", nil)
		same(t, "flushed", answer.StatusCode, 200)
		answer, _ = w.ask("POST", "/_local/deliveries", `{"lose":["*"]}`, nil)
		same(t, "nonsense", answer.StatusCode, 400)
	})
}
