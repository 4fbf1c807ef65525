package worker

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/billing/stripeapi"
	"purser/teams"
)

// topped is a world with a team without credits, whose owner's card is on file, and a
// worker that runs its sweeps when the test says so.
type topped struct {
	*world
	team     teams.Team
	customer string
	card     string
	api      *stripeapi.Client // by which purser's calls are counted
	worker   *Worker
	calls    *calls
}

// calls counts what purser asks of Stripe.
type calls struct {
	mu sync.Mutex
	by map[string]int
}

func (c *calls) add(r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	path := r.URL.Path
	for _, kind := range []string{"/finalize", "/pay", "/void"} {
		if strings.HasSuffix(path, kind) {
			path = kind
		}
	}
	c.by[r.Method+" "+path]++
}

func (c *calls) count(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.by[what]
}

func newTopped(t *testing.T) *topped {
	t.Helper()
	h := raiseTopped(t)
	h.begin()
	return h
}

// begin starts the worker.
func (h *topped) begin(change ...func(*Config)) {
	h.t.Helper()
	h.worker, _ = h.start(append(change, func(c *Config) { c.Stripe = h.api })...)
	h.settled()
	h.rested()
}

// raiseTopped is newTopped before any worker has started.
func raiseTopped(t *testing.T) *topped {
	t.Helper()
	w := newWorld(t)
	h := &topped{world: w, calls: &calls{by: map[string]int{}}}
	upstream, err := url.Parse(w.stripe.URL())
	ok(t, err)
	proxy := httputil.NewSingleHostReverseProxy(upstream)
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) } // a cut line stays one
	between := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h.calls.add(r)
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(between.Close)
	h.api, err = stripeapi.New(stripeapi.Config{Key: w.stripe.Key(), BaseURL: between.URL, Now: time.Now, RequestsPerSecond: 10_000, MaxRetries: -1})
	ok(t, err)
	t.Cleanup(h.api.Close)
	h.team = w.team("acme", "olga")
	h.customer = w.customer("purser_user", "olga")
	h.link(h.customer, "olga")
	h.card = h.defaultCard()
	return h
}

// defaultCard is what pays the customer's invoices.
func (h *topped) defaultCard() string {
	h.t.Helper()
	var made struct {
		Settings struct {
			Card string `json:"default_payment_method"`
		} `json:"invoice_settings"`
	}
	h.ask(http.MethodGet, "/v1/customers/"+h.customer, nil, &made)
	return made.Settings.Card
}

// set switches the automatic top-up on: packs of 1,000 at 500 credits or fewer.
func (h *topped) set(change ...func(*teams.TopUpSetting)) billing.AutoTopUp {
	h.t.Helper()
	in := teams.TopUpSetting{TeamID: h.team.ID, On: true, Threshold: 500, Pack: "pack_1000", CreditsMax: 10_000, AmountMax: 1_000_000}
	for _, c := range change {
		c(&in)
	}
	var s billing.AutoTopUp
	h.inTx(func(tx pgx.Tx) (err error) {
		s, err = teams.SetAutoTopUp(h.t.Context(), tx, h.catalog, in, h.stripe.Now())
		return err
	})
	return s
}

// settled waits for the events, and for the top-ups that one of them asked for at once, as
// another card does, with their events in turn.
func (h *topped) settled() {
	h.t.Helper()
	for range 2 {
		h.world.settled()
		h.until("no top-up is under way", func() bool {
			return h.count(`SELECT count(*) FROM river_job WHERE kind = $1 AND state IN ('available', 'running')`, billing.TopUpArgs{}.Kind()) == 0
		})
	}
}

// sweep runs both sweeps that top-ups need, as the clock would, and waits for the events.
func (h *topped) sweep() {
	h.t.Helper()
	_, err := h.worker.SweepPurchases(h.t.Context())
	ok(h.t, err)
	_, err = h.worker.SweepTopUps(h.t.Context())
	ok(h.t, err)
	h.settled()
}

func (h *topped) setting() billing.AutoTopUp {
	h.t.Helper()
	s, err := billing.GetAutoTopUp(h.t.Context(), h.pool, h.team.BookID)
	ok(h.t, err)
	return s
}

// wants holds where the top-up stands, what is available, and how many purchases there are
// in which states.
func (h *topped) wants(when, state string, available int64, purchases ...string) {
	h.t.Helper()
	s := h.setting()
	said := s.State
	if s.Reason != "" {
		said += " " + s.Reason
	}
	same(h.t, when+": the state", said, state)
	same(h.t, when+": available", h.read(h.team.BookID).Available, available)
	rows, err := h.pool.Query(h.t.Context(), `SELECT state || ' ' || credits FROM purchases WHERE book_id = $1 ORDER BY created_at, state`, h.team.BookID)
	ok(h.t, err)
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	ok(h.t, err)
	same(h.t, when+": the purchases", strings.Join(list, ", "), strings.Join(purchases, ", "))
	h.audit()
}

// charged is how many times the card was really charged.
func (h *topped) charged() (n int) {
	h.t.Helper()
	var list struct {
		Data []struct {
			Paid bool
		}
	}
	h.ask(http.MethodGet, "/v1/charges?limit=100&customer="+h.customer, nil, &list)
	for _, c := range list.Data {
		if c.Paid {
			n++
		}
	}
	return n
}

func (h *topped) behaves(as string) { h.t.Helper(); ok(h.t, h.stripe.SetCard(h.card, as)) }

func (h *topped) purchases() []billing.Purchase {
	h.t.Helper()
	rows, err := h.pool.Query(h.t.Context(), `SELECT id FROM purchases WHERE book_id = $1 ORDER BY created_at, state`, h.team.BookID)
	ok(h.t, err)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	ok(h.t, err)
	var list []billing.Purchase
	for _, id := range ids {
		list = append(list, h.purchase(id))
	}
	return list
}

// changeCard puts another good card on file.
func (h *topped) changeCard() {
	h.t.Helper()
	var made struct{ ID string }
	h.post("/v1/payment_methods/pm_card_mastercard/attach", url.Values{"customer": {h.customer}}, &made)
	h.post("/v1/customers/"+h.customer, url.Values{"invoice_settings[default_payment_method]": {made.ID}}, nil)
	h.settled()
}

// payHosted pays on the invoice's page, as somebody who is there.
func (h *topped) payHosted(page string) {
	h.t.Helper()
	res, err := http.PostForm(page, url.Values{"authenticated": {"true"}})
	ok(h.t, err)
	defer res.Body.Close()
	if res.StatusCode >= 400 {
		h.t.Fatalf("paying at %s: %s", page, res.Status)
	}
}
