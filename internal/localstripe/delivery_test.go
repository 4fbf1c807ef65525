package localstripe

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"
)

func names(events []stripe.Event) []string {
	var got []string
	for _, e := range events {
		got = append(got, string(e.Type))
	}
	slices.Sort(got)
	return got
}

func TestDelivery(t *testing.T) {
	t.Run("OnlyWhatAnEndpointAskedForAndSigned", func(t *testing.T) {
		w := open(t)
		r := w.receiver("customer.created", "product.created")
		w.payer("pm_card_visa")
		w.plan(100, "month", 1)
		w.flush()
		sameStrings(t, "received", names(r.received()), []string{"customer.created", "product.created"})
		e := r.received()[0]
		same(t, "version", e.APIVersion, APIVersion)
		same(t, "pending", e.PendingWebhooks, 1)
		same(t, "pending afterwards", must(w.api.Events.Get(e.ID, nil))(t).PendingWebhooks, 0)
	})

	t.Run("TheBodyIsPrettyPrintedWithTwoSpaces", func(t *testing.T) {
		w := open(t)
		body := make(chan string, 1)
		r := w.receiver("customer.created")
		inner := r.Config.Handler
		r.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
			raw := new(strings.Builder)
			req.Body = teeBody{req.Body, raw}
			inner.ServeHTTP(rw, req)
			body <- raw.String()
		})
		w.payer("pm_card_visa")
		text := <-body
		for _, part := range []string{"{\n  \"id\": \"evt_", "\"preferred_locales\": [\n\n      ]", "\"object\": \"event\",\n  \"api_version\": \"2023-10-16\""} {
			if !strings.Contains(text, part) {
				t.Errorf("%q is not in %s", part, text)
			}
		}
	})

	t.Run("FailuresAreTriedAgain", func(t *testing.T) {
		w := open(t)
		r := w.receiver("customer.created")
		r.refusals = 3
		w.payer("pm_card_visa")
		w.flush()
		same(t, "received", len(r.received()), 1)
	})

	t.Run("ADroppedEventIsOnlyInTheList", func(t *testing.T) {
		w := open(t)
		r := w.receiver("*")
		w.SetDelivery(Faults{Drop: []string{"customer.created"}})
		w.payer("pm_card_visa")
		w.flush()
		same(t, "received", slices.Contains(names(r.received()), "customer.created"), false)
		in := &stripe.EventListParams{DeliverySuccess: stripe.Bool(false)}
		list := w.api.Events.List(in)
		same(t, "found", list.Next(), true)
		same(t, "type", list.Event().Type, stripe.EventTypeCustomerCreated)
		same(t, "one", list.Next(), false)
	})

	t.Run("HeldDeliveriesWaitAndDuplicatesCome", func(t *testing.T) {
		w := open(t)
		r := w.receiver("*")
		w.SetDelivery(Faults{Hold: []string{"*"}})
		w.payer("pm_card_visa")
		w.flush()
		same(t, "received", len(r.received()), 0)
		w.SetDelivery(Faults{})
		n := w.Release(3)
		w.flush()
		same(t, "released", len(r.received()), n)
		w.SetDelivery(Faults{Duplicate: 2})
		must(w.api.Customers.New(&stripe.CustomerParams{}))(t)
		w.flush()
		same(t, "thrice", len(r.received()), n+3)
	})

	t.Run("ResendSendsAllAgain", func(t *testing.T) {
		w := open(t)
		r := w.receiver("*")
		w.payer("pm_card_visa")
		w.flush()
		before := len(r.received())
		same(t, "deliveries", w.Resend(2, 9), 2*before)
		w.flush()
		same(t, "received", len(r.received()), 3*before)
	})

	t.Run("FlushSaysWhatCannotBeDelivered", func(t *testing.T) {
		w := open(t)
		r := w.receiver("customer.created")
		r.mu.Lock()
		r.refusals = 1 << 30
		r.mu.Unlock()
		w.payer("pm_card_visa")
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := w.Flush(ctx); err == nil {
			t.Error("nothing was said")
		}
	})

	t.Run("ADeletedEndpointHearsNoMore", func(t *testing.T) {
		w := open(t)
		r := w.receiver("*")
		list := w.api.WebhookEndpoints.List(&stripe.WebhookEndpointListParams{})
		same(t, "one", list.Next(), true)
		same(t, "no secret in lists", list.WebhookEndpoint().Secret, "")
		must(w.api.WebhookEndpoints.Del(list.WebhookEndpoint().ID, nil))(t)
		w.payer("pm_card_visa")
		w.flush()
		same(t, "received", len(r.received()), 0)
	})
}

func TestFaults(t *testing.T) {
	t.Run("ATwinIsASecondEventOfOneChange", func(t *testing.T) {
		w := open(t)
		w.SetDelivery(Faults{Twin: []string{"customer.created"}})
		must(w.api.Customers.New(&stripe.CustomerParams{}))(t)
		events := w.eventsAfter("")
		same(t, "events", len(events), 2)
		same(t, "ids differ", events[0].ID == events[1].ID, false)
		same(t, "one object", events[0].Data.Object["id"], events[1].Data.Object["id"])
	})

	t.Run("AnUnheardInvoiceWaitsUpTo72Hours", func(t *testing.T) {
		w := open(t)
		w.receiver("invoice.created")
		sub := w.subscribe(w.payer("pm_card_visa"), w.plan(1000, "month", 1), 1)
		w.SetDelivery(Faults{Drop: []string{"invoice.created"}, Wait: true})
		end := newYear.AddDate(0, 1, 0)
		w.advance(end.Add(71 * time.Hour))
		same(t, "waits", w.inv(w.sub(sub.ID).LatestInvoice.ID).Status, stripe.InvoiceStatusDraft)
		w.advance(end.Add(72 * time.Hour))
		same(t, "then goes on", w.inv(w.sub(sub.ID).LatestInvoice.ID).Status, stripe.InvoiceStatusPaid)
	})

	t.Run("ARolledSecretSignsBesideTheNewOneForADay", func(t *testing.T) {
		w := open(t)
		headers := make(chan string, 2)
		at := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { headers <- r.Header.Get("Stripe-Signature") }))
		defer at.Close()
		old, err := w.AddEndpoint(at.URL, "customer.created")
		if err != nil {
			t.Fatal(err)
		}
		fresh, err := w.RollSecret(at.URL)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "another", old == fresh, false)
		must(w.api.Customers.New(&stripe.CustomerParams{}))(t)
		same(t, "both sign", strings.Count(<-headers, "v1="), 2)
		w.advance(newYear.AddDate(0, 0, 1))
		must(w.api.Customers.New(&stripe.CustomerParams{}))(t)
		same(t, "one signs", strings.Count(<-headers, "v1="), 1)
	})
}

type teeBody struct {
	inner interface {
		Read([]byte) (int, error)
		Close() error
	}
	copy *strings.Builder
}

func (b teeBody) Read(p []byte) (int, error) {
	n, err := b.inner.Read(p)
	b.copy.Write(p[:n])
	return n, err
}

func (b teeBody) Close() error { return b.inner.Close() }

func TestEvents(t *testing.T) {
	w := open(t)
	w.payer("pm_card_visa")
	w.plan(100, "month", 1)
	list := w.api.Events.List(&stripe.EventListParams{Types: []*string{stripe.String("product.created"), stripe.String("price.created")}})
	var got []string
	for list.Next() {
		got = append(got, string(list.Event().Type))
	}
	sameStrings(t, "newest first", got, []string{"price.created", "product.created"})
	list = w.api.Events.List(&stripe.EventListParams{Type: stripe.String("customer.*")})
	got = nil
	for list.Next() {
		got = append(got, string(list.Event().Type))
	}
	all := w.Events()
	same(t, "first", all[0].Type, "customer.created")
	same(t, "when", all[0].Created, newYear)
	same(t, "about", all[0].Object[:4], "cus_")
	sameStrings(t, "by a beginning", got, []string{"customer.updated", "customer.created"})
}

func TestControl(t *testing.T) {
	w := open(t)
	r := w.receiver("checkout.session.completed")
	_, now := w.ask("GET", "/_local/clock", "", nil)
	same(t, "now", now["now"], any("2025-01-01T12:00:00Z"))
	_, now = w.ask("POST", "/_local/clock", `{"by":"1mo"}`, nil)
	same(t, "by a month", now["now"], any("2025-02-01T12:00:00Z"))
	_, now = w.ask("POST", "/_local/clock", `{"to":"2025-02-02T00:00:00Z"}`, nil)
	same(t, "to a time", now["now"], any("2025-02-02T00:00:00Z"))
	answer, _ := w.ask("POST", "/_local/clock", `{"to":"2025-02-01T00:00:00Z"}`, nil)
	same(t, "backwards", answer.StatusCode, 400)
	answer, _ = w.ask("POST", "/_local/clock", `{"by":"soon"}`, nil)
	same(t, "nonsense", answer.StatusCode, 400)

	cs := w.checkout()
	answer, body := w.ask("POST", "/_local/checkout/"+cs.ID+"/pay", `{"payment_method":"pm_card_chargeDeclined"}`, nil)
	same(t, "declined", answer.StatusCode, 402)
	same(t, "why", body["error"], any("Your card was declined."))
	answer, body = w.ask("POST", "/_local/checkout/"+cs.ID+"/pay", "", nil)
	same(t, "paid", answer.StatusCode, 200)
	same(t, "status", body["payment_status"], any("paid"))
	w.flush()
	same(t, "received", len(r.received()), 1)
	_, body = w.ask("POST", "/_local/events/"+r.received()[0].ID+"/resend", "", nil)
	same(t, "resent", body["deliveries"], any(float64(1)))
	_, body = w.ask("POST", "/_local/events/resend-all", `{"times":2,"shuffle":5}`, nil)
	same(t, "all resent", body["deliveries"], any(float64(2)))
	w.flush()
	same(t, "received", len(r.received()), 4)
}
