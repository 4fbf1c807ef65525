package localstripe

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"
)

// reply is what an answer says beside its body, which ask has read and closed.
type reply struct {
	StatusCode int
	Header     http.Header
}

// ask sends a bare request, for what the SDK wouldn't send.
func (w *world) ask(method, path, form string, header map[string]string) (reply, map[string]any) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.URL()+path, strings.NewReader(form))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.Key())
	for name, value := range header {
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	var body map[string]any
	if err := json.Unmarshal(raw, &body); err != nil {
		w.t.Fatalf("%s %s answered %s", method, path, raw)
	}
	return reply{answer.StatusCode, answer.Header}, body
}

func field(body map[string]any, names ...string) any {
	var v any = body
	for _, name := range names {
		inner, _ := v.(map[string]any)
		v = inner[name]
	}
	return v
}

func TestStart(t *testing.T) {
	t.Run("RefusesAnythingButLoopback", func(t *testing.T) {
		for _, address := range []string{"0.0.0.0:0", "8.8.8.8:1", "[::]:0"} {
			if s, err := Start(Config{Listen: address, Start: newYear}); err == nil {
				t.Errorf("%s was accepted", address)
				_ = s.Close()
			}
		}
	})
	t.Run("AnswersToLoopbackNamesOnly", func(t *testing.T) {
		w := open(t)
		r := httptest.NewRequestWithContext(t.Context(), "GET", "http://evil.example/_local/clock", nil)
		recorder := httptest.NewRecorder()
		w.http.Handler.ServeHTTP(recorder, r)
		same(t, "status", recorder.Code, http.StatusForbidden)
	})
	t.Run("TheSeedDecidesTheIDs", func(t *testing.T) {
		ids := map[string]bool{}
		for _, seed := range []uint64{1, 1, 2} {
			s, err := Start(Config{Start: newYear, Seed: seed})
			if err != nil {
				t.Fatal(err)
			}
			ids[s.Key()] = true
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		same(t, "different keys", len(ids), 2)
	})
}

func TestAPI(t *testing.T) {
	t.Run("LiveKeysAreRefused", func(t *testing.T) {
		w := open(t)
		for key, message := range map[string]string{"sk_live_1": "live", "rk_live_1": "live", "pk_test_1": "Invalid API Key", "": "did not provide"} {
			answer, body := w.ask("GET", "/v1/account", "", map[string]string{"Authorization": "Bearer " + key})
			same(t, key, answer.StatusCode, 401)
			if text, _ := field(body, "error", "message").(string); !strings.Contains(text, message) {
				t.Errorf("%q: %s", key, text)
			}
		}
		answer, _ := w.ask("GET", "/v1/account", "", map[string]string{"Authorization": "Basic c2tfdGVzdF9hbnk6"})
		same(t, "basic auth with any test key", answer.StatusCode, 200)
	})

	t.Run("AnswersCarryRequestIDAndVersion", func(t *testing.T) {
		w := open(t)
		answer, _ := w.ask("GET", "/v1/account", "", nil)
		same(t, "version", answer.Header.Get("Stripe-Version"), APIVersion)
		same(t, "request id", strings.HasPrefix(answer.Header.Get("Request-Id"), "req_"), true)
		answer, _ = w.ask("GET", "/v1/account", "", map[string]string{"Stripe-Version": "2025-03-31.basil"})
		same(t, "another version", answer.StatusCode, 400)
	})

	t.Run("Errors", func(t *testing.T) {
		w := open(t)
		for _, c := range []struct {
			method, path, form string
			status             int
			code, param        any
		}{
			{"GET", "/v1/customers/cus_none", "", 404, "resource_missing", "id"},
			{"POST", "/v1/subscriptions", "", 400, "parameter_missing", "customer"},
			{"POST", "/v1/subscriptions", "customer=cus_none&items[0][price]=p", 400, "resource_missing", "customer"},
			{"POST", "/v1/customers", "balance=much", 400, "parameter_invalid_integer", "balance"},
			{"POST", "/v1/customers", "colour=red", 400, "parameter_unknown", "colour"},
			{"POST", "/v1/customers", "address[city]=Rome&metadata[" + strings.Repeat("k", 41) + "]=v", 400, nil, "metadata"},
			{"GET", "/v1/customers?limit=101", "", 400, "parameter_invalid_integer", "limit"},
			{"GET", "/v1/customers?starting_after=cus_none", "", 400, "resource_missing", "starting_after"},
			{"GET", "/v1/customers?expand[]=data.nothing", "", 200, nil, nil},
			{"GET", "/v1/nothing", "", 404, nil, nil},
			{"POST", "/v1/webhook_endpoints", "url=https://example.com/hook&enabled_events[]=*", 400, "url_invalid", "url"},
		} {
			answer, body := w.ask(c.method, c.path, c.form, nil)
			same(t, c.path, answer.StatusCode, c.status)
			same(t, c.path+" code", field(body, "error", "code"), c.code)
			same(t, c.path+" param", field(body, "error", "param"), c.param)
		}
	})

	t.Run("WhatCouldNotBeVerifiedIsTold", func(t *testing.T) {
		w := open(t)
		_, body := w.ask("GET", "/_local/unverified", "", nil)
		facts, _ := body["facts"].([]any)
		same(t, "facts", len(facts), len(Unverified))
	})

	t.Run("ListsGoBothWaysNewestFirst", func(t *testing.T) {
		w := open(t)
		var ids []string
		for range 7 {
			ids = append(ids, must(w.api.Customers.New(&stripe.CustomerParams{}))(t).ID)
		}
		page := func(change func(*stripe.CustomerListParams)) ([]string, bool) {
			in := &stripe.CustomerListParams{}
			in.Limit, in.Single = stripe.Int64(3), true
			change(in)
			var got []string
			list := w.api.Customers.List(in)
			for list.Next() {
				got = append(got, list.Customer().ID)
			}
			return got, list.Meta().HasMore
		}
		got, more := page(func(*stripe.CustomerListParams) {})
		sameStrings(t, "first page", got, []string{ids[6], ids[5], ids[4]})
		same(t, "more", more, true)
		got, more = page(func(in *stripe.CustomerListParams) { in.StartingAfter = stripe.String(ids[2]) })
		sameStrings(t, "last page", got, []string{ids[1], ids[0]})
		same(t, "no more", more, false)
		got, more = page(func(in *stripe.CustomerListParams) { in.EndingBefore = stripe.String(ids[0]) })
		sameStrings(t, "backwards", reversed(got), []string{ids[3], ids[2], ids[1]})
		same(t, "more", more, true)
		w.advance(newYear.Add(time.Hour))
		late := must(w.api.Customers.New(&stripe.CustomerParams{}))(t).ID
		got, _ = page(func(in *stripe.CustomerListParams) {
			in.CreatedRange = &stripe.RangeQueryParams{GreaterThan: newYear.Unix()}
		})
		sameStrings(t, "created[gt]", got, []string{late})
	})

	t.Run("ExpandReachesIntoListsAndObjects", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_visa")
		sub := w.subscribe(u, w.plan(1000, "month", 1), 2)
		in := &stripe.SubscriptionListParams{}
		in.AddExpand("data.customer")
		in.AddExpand("data.latest_invoice.payment_intent.latest_charge")
		list := w.api.Subscriptions.List(in)
		same(t, "one", list.Next(), true)
		got := list.Subscription()
		same(t, "customer", got.Customer.Email, "ada@example.com")
		same(t, "charge", got.LatestInvoice.PaymentIntent.LatestCharge.Amount, 2000)
		one := &stripe.InvoiceParams{}
		one.AddExpand("subscription")
		same(t, "subscription", must(w.api.Invoices.Get(sub.LatestInvoice.ID, one))(t).Subscription.Items.Data[0].Quantity, 2)
		_, err := w.api.Subscriptions.Get(sub.ID, &stripe.SubscriptionParams{Expand: stripe.StringSlice([]string{"nothing"})})
		same(t, "unknown", stripeError(t, err).HTTPStatusCode, 400)
	})

	t.Run("MetadataIsMergedAndCleared", func(t *testing.T) {
		w := open(t)
		u := must(w.api.Customers.New(&stripe.CustomerParams{Metadata: map[string]string{"a": "1", "b": "2"}}))(t)
		u = must(w.api.Customers.Update(u.ID, &stripe.CustomerParams{Metadata: map[string]string{"b": "", "c": "3"}}))(t)
		same(t, "metadata", len(u.Metadata), 2)
		same(t, "kept", u.Metadata["a"], "1")
	})

	t.Run("TiersArePricedAsStripeDoes", func(t *testing.T) {
		w := open(t)
		for mode, want := range map[string]int64{"graduated": 5*1000 + 5*800, "volume": 10 * 800} {
			p := must(w.api.Prices.New(&stripe.PriceParams{
				Currency: stripe.String("usd"), BillingScheme: stripe.String("tiered"), TiersMode: stripe.String(mode),
				ProductData: &stripe.PriceProductDataParams{Name: stripe.String("Seats")},
				Recurring:   &stripe.PriceRecurringParams{Interval: stripe.String("month")},
				Tiers: []*stripe.PriceTierParams{
					{UpTo: stripe.Int64(5), UnitAmount: stripe.Int64(1000)}, {UpToInf: stripe.Bool(true), UnitAmount: stripe.Int64(800)},
				},
				Expand: stripe.StringSlice([]string{"tiers"}),
			}))(t)
			same(t, "tiers", len(p.Tiers), 2)
			same(t, "unit amount", p.UnitAmount, 0)
			same(t, mode, w.inv(w.subscribe(w.payer("pm_card_visa"), p, 10).LatestInvoice.ID).Total, want)
		}
	})

	t.Run("LookupKeysFindAndMove", func(t *testing.T) {
		w := open(t)
		first := w.pack(100)
		second := w.pack(200)
		list := w.api.Prices.List(&stripe.PriceListParams{LookupKeys: []*string{stripe.String("pack")}})
		same(t, "found", list.Next(), true)
		same(t, "price", list.Price().ID, second.ID)
		same(t, "one", list.Next(), false)
		same(t, "moved", must(w.api.Prices.Get(first.ID, nil))(t).LookupKey, "")
	})
}

func reversed(in []string) []string {
	var out []string
	for i := len(in) - 1; i >= 0; i-- {
		out = append(out, in[i])
	}
	return out
}

func TestIdempotency(t *testing.T) {
	t.Run("TheSameKeyGetsTheSameAnswer", func(t *testing.T) {
		w := open(t)
		key := map[string]string{"Idempotency-Key": "k1"}
		first, a := w.ask("POST", "/v1/customers", "email=a@example.com", key)
		again, b := w.ask("POST", "/v1/customers", "email=a@example.com", key)
		same(t, "id", a["id"], b["id"])
		same(t, "first", first.Header.Get("Idempotent-Replayed"), "")
		same(t, "replayed", again.Header.Get("Idempotent-Replayed"), "true")
		same(t, "original", again.Header.Get("Original-Request"), first.Header.Get("Request-Id"))
		other, body := w.ask("POST", "/v1/customers", "email=b@example.com", key)
		same(t, "other parameters", other.StatusCode, 400)
		same(t, "type", field(body, "error", "type"), any("idempotency_error"))
		w.advance(newYear.AddDate(0, 0, 1))
		_, fresh := w.ask("POST", "/v1/customers", "email=a@example.com", key)
		same(t, "forgotten after a day", fresh["id"] == a["id"], false)
	})

	t.Run("ARefusedPaymentIsReplayedAndABadRequestIsNot", func(t *testing.T) {
		w := open(t)
		key := map[string]string{"Idempotency-Key": "k2"}
		_, bad := w.ask("POST", "/v1/payment_intents", "amount=100", key)
		same(t, "code", field(bad, "error", "code"), any("parameter_missing"))
		form := "amount=100&currency=usd&confirm=true&payment_method=pm_card_chargeDeclined"
		_, a := w.ask("POST", "/v1/payment_intents", form, key)
		_, b := w.ask("POST", "/v1/payment_intents", form, key)
		same(t, "one payment", field(a, "error", "payment_intent", "id"), field(b, "error", "payment_intent", "id"))
	})

	t.Run("UnderConcurrencyOneIsMade", func(t *testing.T) {
		w := open(t)
		var wait sync.WaitGroup
		for range 20 {
			wait.Go(func() {
				w.ask("POST", "/v1/customers", "email=a@example.com", map[string]string{"Idempotency-Key": "k3"})
			})
		}
		wait.Wait()
		list := w.api.Customers.List(&stripe.CustomerListParams{})
		n := 0
		for list.Next() {
			n++
		}
		same(t, "customers", n, 1)
	})
}
