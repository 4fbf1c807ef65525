package worker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"purser/billing"
	"purser/billing/stripeapi"
	"purser/internal/localstripe"
)

func TestReconcile_E3_StoppedHalfWayGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	b := openBusiness(t)
	stopped := errors.New("stopped")
	const all = 29
	for stop, left := 3, all; left > 0; stop *= 2 {
		told := 0
		sum, err := b.worker().Reconcile(t.Context(), ReconcileIn{Apply: true}, func(billing.Difference) error {
			if told++; told == stop {
				return stopped
			}
			return nil
		})
		if (stop <= left) != errors.Is(err, stopped) {
			t.Fatalf("with %d left, and stopped at %d, it ended with %v", left, stop, err)
		}
		found := left
		left = all - int(b.count(`SELECT count(*) FROM subscriptions`))
		// What was being mended beside it may be done too.
		if done := found - left; done < min(stop, found) || done > stop+mendTogether {
			t.Errorf("%d were mended until it was stopped at %d: %+v", done, stop, sum)
		}
		b.audit()
	}
	for name, want := range b.want {
		same(t, name, figures(b.poolOf(name)), want)
	}
	b.agrees(0)
}

func TestReconcile_E3_KilledAgainAndAgainItIsThroughInTheEnd(t *testing.T) {
	t.Parallel()
	b := openBusiness(t)
	kept := func() int64 { return b.count(`SELECT count(*) FROM subscriptions`) }
	for _, point := range []string{"fetched", "commit", "committed"} {
		before := kept()
		b.killChild(point, dieAfter+"=6")
		if done := kept() - before; done < 0 || done > 6+mendTogether || kept() == 29 {
			t.Errorf("killed at %s, it took in %d", point, done)
		}
		b.audit()
	}
	if kept() == 0 {
		t.Error("nothing was taken in before it was killed")
	}
	left := 29 - kept()
	sum, lines := b.reconcile(ReconcileIn{Apply: true})
	// Of one with several invoices some may be missing.
	if unknown := strings.Count(strings.Join(lines, "\n"), "unknown "); sum.Left != 0 || int64(unknown) != left {
		t.Errorf("with %d left it came to %+v\n%s", left, sum, strings.Join(lines, "\n"))
	}
	for name, want := range b.want {
		same(t, name, figures(b.poolOf(name)), want)
	}
	b.agrees(0)
}

func TestReconcile_E3_StripeGoesAwayInTheMiddle(t *testing.T) {
	t.Parallel()
	b := openBusiness(t)
	for _, path := range []string{"/v1/subscriptions", "/v1/invoices", "/v1/checkout/sessions", "/v1/refunds", "/v1/disputes", "/v1/invoices/in_"} {
		b.stripe.Disturb(localstripe.Trouble{Method: http.MethodGet, Path: path, Times: 1000, Status: http.StatusServiceUnavailable})
		_, err := b.worker().Reconcile(t.Context(), ReconcileIn{Apply: true}, func(billing.Difference) error { return nil })
		if !errors.Is(err, billing.ErrStripeUnavailable) {
			t.Errorf("without %s it ended with %v", path, err)
		}
		b.stripe.Soothe()
	}
	sum, _ := b.reconcile(ReconcileIn{Apply: true})
	same(t, "left", sum.Left, 0)
	b.agrees(0)
}

// counted is a Stripe whose calls are counted, and whose pace is kept by a clock that
// only waiting moves.
type counted struct {
	*calls
	api    *stripeapi.Client
	mu     sync.Mutex
	waited time.Duration
}

func (w *world) counted(perSecond float64) *counted {
	w.t.Helper()
	c := &counted{calls: &calls{by: map[string]int{}}}
	upstream, err := url.Parse(w.stripe.URL())
	ok(w.t, err)
	proxy := httputil.NewSingleHostReverseProxy(upstream)
	between := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		c.add(r)
		proxy.ServeHTTP(rw, r)
	}))
	w.t.Cleanup(between.Close)
	c.api, err = stripeapi.New(stripeapi.Config{
		Key: w.stripe.Key(), BaseURL: between.URL, RequestsPerSecond: perSecond, MaxRetries: -1, Now: c.now, Sleep: c.sleep,
	})
	ok(w.t, err)
	w.t.Cleanup(c.api.Close)
	return c
}

func (c *counted) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return jan15.Add(c.waited)
}

func (c *counted) sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waited += d
	return ctx.Err()
}

func (c *counted) total() (n int) {
	c.calls.mu.Lock()
	defer c.calls.mu.Unlock()
	for _, times := range c.by {
		n += times
	}
	return n
}

// TestReconcile_E4 states how many calls of Stripe it takes: one for every hundred
// objects to compare, and one for each subscription to take in.
func TestReconcile_E4_FiveHundredSubscriptions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stripe.SetDelivery(unheard)
	const many = 500
	price := w.price("team_monthly")
	for n := range many {
		w.post("/v1/subscriptions", url.Values{
			"customer": {w.customer("purser_user", fmt.Sprintf("user%03d", n))}, "items[0][price]": {price}, "items[0][quantity]": {"5"},
			"metadata[purser_team]": {fmt.Sprintf("team%03d", n)},
		}, nil)
	}
	// Five pages of subscriptions and five of invoices, and one each of purchases, refunds
	// and disputes, of which there are none.
	const lists = many/reconcilePage*2 + 3
	for _, c := range []struct {
		name               string
		in                 ReconcileIn
		calls, differences int
	}{
		{"compared", ReconcileIn{}, lists, many},
		{"taken in", ReconcileIn{Apply: true}, lists + many, many},
		{"compared again", ReconcileIn{Apply: true}, lists, 0},
	} {
		stripe := w.counted(20)
		begun := time.Now()
		sum, _ := w.reconcile(c.in, func(cfg *Config) { cfg.Stripe = stripe.api })
		same(t, "differences, "+c.name, sum.Differences, c.differences)
		same(t, "calls, "+c.name, stripe.total(), c.calls)
		// A quarter of a second's calls may leave at once.
		if least := time.Duration(c.calls-6) * time.Second / 20; stripe.waited < least {
			t.Errorf("%s: %d calls at 20 a second waited %s, less than %s", c.name, c.calls, stripe.waited, least)
		}
		t.Logf("%s: %d calls; at 20 a second %s of waiting, and %s of work", c.name, stripe.total(), stripe.waited.Round(time.Millisecond), time.Since(begun).Round(time.Millisecond))
	}
	same(t, "teams", w.count(`SELECT count(*) FROM teams`), many)
	same(t, "granted", w.count(`SELECT sum(granted)::bigint FROM periods`), many*5000)
	w.agrees(0)
}
