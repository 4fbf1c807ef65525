package worker

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/billing/stripeapi"
	"purser/internal/localstripe"
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

func TestAutoTopUp(t *testing.T) {
	t.Parallel()
	t.Run("P2_FiresWhenSwitchedOnAndClosesTheGap", func(t *testing.T) {
		t.Parallel()
		h := newTopped(t)
		h.set(func(s *teams.TopUpSetting) { s.Threshold = 2500 })
		h.sweep()
		h.wants("after one sweep", "ready", 3000, "paid 3000")
		h.sweep()
		h.wants("after another", "ready", 3000, "paid 3000")
		same(t, "charges", h.charged(), 1)
	})
	t.Run("P2_FiresAfterSpending", func(t *testing.T) {
		t.Parallel()
		h := newTopped(t)
		h.set()
		h.sweep()
		h.spend(h.team.BookID, "s1", 499)
		h.sweep()
		h.wants("above the threshold", "ready", 501, "paid 1000")
		h.spend(h.team.BookID, "s2", 1)
		h.sweep()
		h.wants("at it", "ready", 1500, "paid 1000", "paid 1000")
	})
	t.Run("P2_TheCapsOfTheMonth", func(t *testing.T) {
		t.Parallel()
		h := newTopped(t)
		h.set(func(s *teams.TopUpSetting) { s.Threshold, s.CreditsMax = 5000, 2000 })
		h.sweep()
		h.sweep()
		h.wants("capped", "capped credits_cap", 2000, "paid 2000")
		h.advanceTo(time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC))
		h.sweep()
		h.sweep()
		h.wants("in the next month", "capped credits_cap", 4000, "paid 2000", "paid 2000")
	})
	t.Run("P3_ACardThatAlwaysDeclinesForAMonth", func(t *testing.T) {
		t.Parallel()
		h := newTopped(t)
		h.behaves("pm_card_chargeDeclinedInsufficientFunds")
		h.set()
		for range 31 * 24 {
			h.sweep()
			h.advance(time.Hour)
		}
		h.wants("after a month", "suspended declined", 0, "failed 1000", "failed 1000", "failed 1000", "failed 1000")
		same(t, "invoices made", h.calls.count("POST /v1/invoices"), 4)
		same(t, "payments tried", h.calls.count("POST /pay"), 4)
		same(t, "invoices voided", h.calls.count("POST /void"), 4)
		same(t, "charges", h.charged(), 0)
		t.Logf("calls to Stripe in a month of hourly sweeps: %v", h.calls.by)
		first := h.purchases()
		for i, after := range []time.Duration{0, time.Hour, 6 * time.Hour, 24 * time.Hour} {
			if got := first[i].CreatedAt.Sub(first[0].CreatedAt); got < after || got > after+time.Hour || first[i].Attempt != i+1 {
				t.Errorf("attempt %d came after %v: %+v", i+1, got, first[i])
			}
		}
		h.behaves("pm_card_visa")
		h.sweep()
		same(t, "while suspended", h.setting().State, billing.TopUpSuspended)
		h.set() // switched on again
		h.sweep()
		h.wants("switched on again", "ready", 1000, "failed 1000", "failed 1000", "failed 1000", "failed 1000", "paid 1000")
	})
	t.Run("P3_AHardDeclineSuspendsUntilTheCardIsChanged", func(t *testing.T) {
		t.Parallel()
		h := newTopped(t)
		h.behaves("pm_card_visa_chargeDeclinedLostCard")
		h.set()
		h.sweep()
		h.wants("lost", "suspended hard_decline", 0, "failed 1000")
		// What else changes of the customer changes nothing.
		h.post("/v1/customers/"+h.customer, url.Values{"name": {"Olga"}}, nil)
		h.sweep()
		h.wants("renamed", "suspended hard_decline", 0, "failed 1000")
		h.changeCard()
		h.sweep()
		h.wants("another card", "ready", 1000, "failed 1000", "paid 1000")
	})
	t.Run("P3_WithoutACardItIsSuspendedUntilThereIsOne", func(t *testing.T) {
		t.Parallel()
		h := newTopped(t)
		h.post("/v1/payment_methods/"+h.card+"/detach", nil, nil)
		h.settled()
		h.set()
		h.sweep()
		h.wants("no card", "suspended refused", 0, "failed 1000")
		h.changeCard()
		h.sweep()
		h.wants("a card", "ready", 1000, "failed 1000", "paid 1000")
	})
	t.Run("P3_AuthenticationIsNoFailure", func(t *testing.T) {
		t.Parallel()
		h := newTopped(t)
		h.behaves("pm_card_authenticationRequired")
		h.set()
		h.sweep()
		h.wants("to be authenticated", "action_required authentication_required", 0, "open 1000")
		p := h.purchases()[0]
		if p.URL == "" || p.DueAt == nil || !p.DueAt.Equal(p.CreatedAt.Add(24*time.Hour)) {
			t.Errorf("P3: the link: %+v", p)
		}
		h.sweep()
		same(t, "P2: payments tried", h.calls.count("POST /pay"), 1)
		h.payHosted(p.URL)
		h.settled()
		h.wants("authenticated", "ready", 1000, "paid 1000")
		same(t, "charges", h.charged(), 1)
	})
	t.Run("P3_TheLinkIsVoidedAfterADay", func(t *testing.T) {
		t.Parallel()
		h := newTopped(t)
		h.behaves("pm_card_authenticationRequired")
		h.set()
		h.sweep()
		h.advance(24 * time.Hour)
		_, err := h.worker.SweepPurchases(t.Context())
		ok(t, err)
		h.settled()
		h.wants("a day later", "ready", 0, "expired 1000")
		var invoice struct{ Status string }
		h.ask(http.MethodGet, "/v1/invoices/"+*h.purchases()[0].InvoiceID, nil, &invoice)
		same(t, "the invoice", invoice.Status, "void")
		h.behaves("pm_card_visa")
		h.sweep()
		h.wants("and then a new one", "ready", 1000, "expired 1000", "paid 1000")
	})
	t.Run("P3_WaitsWhileTheSubscriptionIsPastDue", func(t *testing.T) {
		t.Parallel()
		h := newTopped(t)
		h.subscribe(h.customer, "team_monthly", 1, "metadata[purser_team]", "acme")
		h.settled()
		h.spend(h.team.BookID, "all", 1000)
		h.behaves("pm_card_chargeDeclined")
		h.advance(31*day + 2*time.Hour)
		h.settled()
		h.behaves("pm_card_visa")
		h.set()
		h.sweep()
		h.wants("past due", "waiting subscription_past_due", 0)
	})
	t.Run("P2_64SpendersAtTheThresholdBuyOnce", func(t *testing.T) {
		t.Parallel()
		h := newTopped(t)
		h.set(func(s *teams.TopUpSetting) { s.Threshold = 936 })
		h.sweep()
		h.wants("before", "ready", 1000, "paid 1000")
		var group sync.WaitGroup
		for i := range 64 {
			group.Go(func() {
				h.spend(h.team.BookID, fmt.Sprint("s", i), 1)
				if err := h.worker.TopUp(t.Context(), h.team.BookID); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		h.sweep()
		h.wants("after", "ready", 1936, "paid 1000", "paid 1000")
		same(t, "charges", h.charged(), 2)
	})
}

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

// What Stripe does to the calls of a top-up, at every step.
func TestAutoTopUpTrouble(t *testing.T) {
	t.Parallel()
	troubles, times := []localstripe.Trouble{{Status: 500, After: true}, {Status: 0}, {Status: 429}}, []int{1}
	if os.Getenv(soak) != "" {
		troubles = append(troubles, localstripe.Trouble{Status: 500}, localstripe.Trouble{Status: 0, After: true}, localstripe.Trouble{Status: 409})
		times = append(times, 3)
	}
	for _, step := range []struct{ method, path string }{
		{"POST", "/v1/invoices"}, {"POST", "/v1/invoiceitems"}, {"POST", "/v1/invoices/"}, {"GET", "/v1/invoices/"}, {"GET", "/v1/prices"},
	} {
		for _, trouble := range troubles {
			trouble.Method, trouble.Path = step.method, step.path
			for _, n := range times {
				trouble.Times = n
				name := fmt.Sprintf("P4_%s_%s_%d_%v_%dx", step.method, strings.Trim(strings.ReplaceAll(step.path, "/", "_"), "_"), trouble.Status, trouble.After, n)
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					h := newTopped(t)
					h.set()
					h.stripe.Disturb(trouble)
					h.askUntilKnown(h.worker)
					h.wants("in the end", "ready", 1000, "paid 1000")
					same(t, "charges", h.charged(), 1)
				})
			}
		}
	}
}

// askUntilKnown lets an hour pass in which the sweeps come by.
func (h *topped) askUntilKnown(worker *Worker) {
	h.t.Helper()
	for range 8 {
		_, _ = worker.SweepTopUps(h.t.Context())
		h.advance(6 * time.Minute)
		_, _ = worker.SweepPurchases(h.t.Context())
		h.settled()
	}
}

// TestAutoTopUpCrash kills the process at every step of a top-up: before and after each
// call that changes something at Stripe, and before and after each commit.
func TestAutoTopUpCrash(t *testing.T) {
	t.Parallel()
	crash := func(name string, kill func(h *topped)) {
		t.Run("P4_"+name, func(t *testing.T) {
			t.Parallel()
			h := raiseTopped(t)
			h.set()
			kill(h)
			// That the queue takes up what a dead process worked is TestCrash's business.
			h.exec(`DELETE FROM river_leader`)
			h.exec(`UPDATE river_job SET state = 'available' WHERE state = 'running'`)
			h.begin()
			if n := h.charged(); n > 1 {
				t.Fatalf("%d charges for one gap", n)
			}
			h.askUntilKnown(h.worker)
			h.wants("in the end", "ready", 1000, "paid 1000")
			same(t, "charges", h.charged(), 1)
		})
	}
	for _, point := range []string{"topup begun", "topup invoiced", "topup asked", "topup commit", "topup applied"} {
		crash("KilledAt_"+point, func(h *topped) { h.killChild(point) })
	}
	for n, call := range []string{"invoice", "item", "finalize", "pay"} {
		crash("KilledBefore_"+call, func(h *topped) { h.killAtCall(n+1, false) })
		crash("KilledAfter_"+call, func(h *topped) { h.killAtCall(n+1, true) })
	}
}

// killAtCall has another process work until its n-th call that changes something at
// Stripe, and kills it before or after Stripe carried the call out.
func (h *topped) killAtCall(n int, after bool) {
	h.t.Helper()
	upstream, err := url.Parse(h.stripe.URL())
	ok(h.t, err)
	var child *exec.Cmd
	started := make(chan struct{})
	proxy := httputil.NewSingleHostReverseProxy(upstream)
	var mu sync.Mutex
	between := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		<-started
		mu.Lock()
		defer mu.Unlock()
		if r.Method != http.MethodPost {
			proxy.ServeHTTP(rw, r)
			return
		}
		if n--; n != 0 {
			proxy.ServeHTTP(rw, r)
			return
		}
		if after {
			proxy.ServeHTTP(httptest.NewRecorder(), r)
		}
		_ = child.Process.Kill()
		panic(http.ErrAbortHandler)
	}))
	defer between.Close()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	child = exec.CommandContext(ctx, os.Args[0])
	child.Env = append(os.Environ(), dieAt+"=nowhere", dieDatabase+"="+h.url, dieStripe+"="+between.URL, dieKey+"="+h.stripe.Key(),
		dieNow+"="+h.stripe.Now().Format(time.RFC3339))
	ok(h.t, child.Start())
	close(started)
	err = child.Wait()
	if status, exited := child.ProcessState.Sys().(syscall.WaitStatus); !exited || status.Signal() != syscall.SIGKILL || ctx.Err() != nil {
		h.t.Fatalf("the child ended with %v", err)
	}
}
