package worker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"

	"purser/billing/stripeapi"
	"purser/teams"
)

// bent is a world in which what Stripe says of acme's subscription can be bent on its way
// to purser, beside a team of somebody else's whose subscription is as ever.
type bent struct {
	*world
	acme, beta   teams.Team
	sale, beside *sale
	worker       *Worker

	mu   sync.Mutex
	bend func(object map[string]any)
}

// newBent is a bent world in which both teams have 5 seats, and acme has spent 1,200.
func newBent(t *testing.T) *bent {
	t.Helper()
	b := &bent{world: newWorld(t)}
	b.acme, b.beta = b.team("acme", "olga"), b.team("beta", "pete")
	b.worker, _ = b.start(func(c *Config) { c.Stripe = b.between() })
	b.sale = b.subscribe(b.customer("purser_user", "olga"), "team_monthly", 5, "metadata[purser_team]", "acme")
	b.beside = b.subscribe(b.customer("purser_user", "pete"), "team_monthly", 5, "metadata[purser_team]", "beta")
	b.settled()
	b.spend(b.acme.BookID, "spent", 1200)
	return b
}

// between is a client whose answers pass the hand that bends them.
func (b *bent) between() *stripeapi.Client {
	upstream, err := url.Parse(b.stripe.URL())
	ok(b.t, err)
	proxy := httputil.NewSingleHostReverseProxy(upstream)
	proxy.ModifyResponse = b.change
	server := httptest.NewServer(proxy)
	b.t.Cleanup(server.Close)
	client, err := stripeapi.New(stripeapi.Config{
		Key: b.stripe.Key(), BaseURL: server.URL, Now: time.Now, RequestsPerSecond: 10_000, MaxRetries: -1,
	})
	ok(b.t, err)
	b.t.Cleanup(client.Close)
	return client
}

func (b *bent) change(res *http.Response) error {
	b.mu.Lock()
	bend, id := b.bend, b.sale.id
	b.mu.Unlock()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	if bend == nil || res.Request.Method != http.MethodGet || !bytes.Contains(body, []byte(id)) {
		return nil
	}
	var answer any
	numbers := json.NewDecoder(bytes.NewReader(body))
	numbers.UseNumber()
	if err := numbers.Decode(&answer); err != nil {
		return err
	}
	walk(answer, id, bend)
	body, err = json.Marshal(answer)
	// What stands for a byte that is no UTF-8 becomes one.
	body = bytes.ReplaceAll(body, []byte("BYTE"), []byte{0xff})
	res.Body = io.NopCloser(bytes.NewReader(body))
	res.ContentLength = int64(len(body))
	res.Header.Set("Content-Length", fmt.Sprint(len(body)))
	return err
}

// walk bends a subscription wherever in an answer it stands, and its invoices.
func walk(part any, id string, bend func(map[string]any)) {
	switch part := part.(type) {
	case []any:
		for _, one := range part {
			walk(one, id, bend)
		}
	case map[string]any:
		for _, one := range part {
			walk(one, id, bend)
		}
		if part["id"] == id || part["object"] == "invoice" {
			bend(part)
		}
	}
}

func (b *bent) bends(how func(object map[string]any)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bend = how
}

// onSub bends subscriptions alone.
func onSub(bend func(sub map[string]any)) func(map[string]any) {
	return func(object map[string]any) {
		if object["object"] == "subscription" {
			bend(object)
		}
	}
}

func set(pairs ...any) func(map[string]any) {
	return onSub(func(sub map[string]any) {
		for i := 0; i < len(pairs); i += 2 {
			sub[pairs[i].(string)] = pairs[i+1]
		}
	})
}

func onItems(bend func(data []any) []any) func(map[string]any) {
	return onSub(func(sub map[string]any) {
		if items, is := sub["items"].(map[string]any); is {
			data, _ := items["data"].([]any)
			items["data"] = bend(data)
		}
	})
}

func onItem(pairs ...any) func(map[string]any) {
	return onItems(func(data []any) []any {
		for i := 0; i < len(pairs); i += 2 {
			data[0].(map[string]any)[pairs[i].(string)] = pairs[i+1]
		}
		return data
	})
}

func onPrice(pairs ...any) func(map[string]any) {
	return onItems(func(data []any) []any {
		price := data[0].(map[string]any)["price"].(map[string]any)
		for i := 0; i < len(pairs); i += 2 {
			price[pairs[i].(string)] = pairs[i+1]
		}
		return data
	})
}

// onInvoice bends the invoices of the subscription.
func onInvoice(pairs ...any) func(map[string]any) {
	return func(object map[string]any) {
		if object["object"] != "invoice" {
			return
		}
		for i := 0; i < len(pairs); i += 2 {
			object[pairs[i].(string)] = pairs[i+1]
		}
	}
}
