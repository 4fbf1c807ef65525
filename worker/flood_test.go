package worker

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"purser/billing/stripeapi"
	"purser/internal/localstripe"
	"purser/teams"
)

// gate stands before the local Stripe and writes down when which request came, and which
// were answered.
type gate struct {
	mu       sync.Mutex
	came     []time.Time
	answered map[string]int // fetches of an object that Stripe answered
	failed   map[int]int    // by status; 0: no answer
}

// guard opens a gate and gives its address.
func (w *world) guard() (*gate, string) {
	w.t.Helper()
	g := &gate{answered: map[string]int{}, failed: map[int]int{}}
	upstream, err := url.Parse(w.stripe.URL())
	ok(w.t, err)
	proxy := httputil.NewSingleHostReverseProxy(upstream)
	proxy.ModifyResponse = func(res *http.Response) error {
		g.ends(res.Request, res.StatusCode)
		return nil
	}
	proxy.ErrorHandler = func(_ http.ResponseWriter, r *http.Request, _ error) {
		g.ends(r, 0)
		panic(http.ErrAbortHandler)
	}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		g.came = append(g.came, time.Now())
		g.mu.Unlock()
		proxy.ServeHTTP(rw, r)
	}))
	w.t.Cleanup(server.Close)
	return g, server.URL
}

func (g *gate) ends(r *http.Request, status int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if status == http.StatusOK {
		g.answered[r.URL.Path]++
		return
	}
	g.failed[status]++
}

// most is how many requests came within any one second.
func (g *gate) most() (most int) {
	first := 0
	for i, at := range g.came {
		for at.Sub(g.came[first]) >= time.Second {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// The rate that the flood's client is held to, and what Stripe allows in test mode.
const (
	floodRate  = 16.0
	floodBurst = 4
	stripeRate = 25
)

// TestFlood has the events of thirty teams come at once, in any order and each thrice,
// while Stripe asks to wait, fails, hangs and hangs up.
func TestFlood(t *testing.T) {
	t.Parallel()
	t.Run("E4_NothingLost_NothingDoubled_AndTheCallsStayUnderTheLimit", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.stripe.SetDelivery(localstripe.Faults{Hold: []string{"*"}})
		business := w.crowd(30)
		g, address := w.guard()
		client, err := stripeapi.New(stripeapi.Config{
			Key: w.stripe.Key(), BaseURL: address, Now: time.Now, RequestsPerSecond: floodRate, Timeout: time.Second,
		})
		ok(t, err)
		t.Cleanup(client.Close)
		w.trouble()
		w.start(func(c *Config) { c.Stripe = client })
		events := w.stripe.Release(17) + w.stripe.Resend(2, 19)
		w.flush()
		w.until("Stripe is over its trouble and everything is worked", func() bool {
			// Those that failed needn't wait as long as they would.
			w.exec(`UPDATE river_job SET state = 'available', scheduled_at = now() WHERE state IN ('retryable', 'available') AND scheduled_at > now()`)
			return w.count(`SELECT count(*) FROM events WHERE state = 'received'`) == 0
		})
		for _, b := range business {
			want := seatsOf(b.seats)
			want.Purchased, want.Total, want.Available = b.packs, want.Total+b.packs, want.Available+b.packs
			same(t, "B12: "+b.team.ID, figures(w.read(b.team.BookID)), figures(want))
		}
		same(t, "events that failed or wait", w.count(`SELECT count(*) FROM events WHERE state NOT IN ('done', 'ignored')`), 0)
		same(t, "B5: base grants", w.count(`SELECT count(*) FROM entries WHERE key LIKE 'grant:%:0'`), int64(len(business)))
		same(t, "P1: packs", w.count(`SELECT count(*) FROM entries WHERE key LIKE 'topup:%'`), w.count(`SELECT count(*) FROM purchases WHERE state = 'paid'`))
		w.audit()
		g.holds(t, events)
	})
}

// customerOf is a team of the crowd with what it ought to have.
type customerOf struct {
	team         teams.Team
	seats, packs int64
}

// crowd makes teams that buy, change their minds, and buy packs.
func (w *world) crowd(n int) (crowd []customerOf) {
	w.t.Helper()
	for i := range n {
		id := fmt.Sprintf("team%02d", i)
		user := "owner of " + id
		c := customerOf{team: w.team(id, user), seats: int64(3 + i%5)}
		customer := w.customer("purser_user", user)
		w.link(customer, user)
		sale := w.subscribe(customer, "team_monthly", 2, "metadata[purser_team]", id)
		sale.seats(9)
		sale.set("cancel_at_period_end", "true")
		sale.seats(int(c.seats))
		sale.set("cancel_at_period_end", "false")
		if i%4 == 0 {
			w.buy("top_"+id, c.team.BookID, customer)
			c.packs = 1000
		}
		crowd = append(crowd, c)
	}
	return crowd
}

// trouble is what Stripe does to the first calls, one after the other: enough in a row that
// a call's own retries don't get past it.
func (w *world) trouble() {
	wait := http.Header{"Retry-After": {"1"}}
	for range 2 {
		for _, t := range []localstripe.Trouble{
			{Status: http.StatusTooManyRequests, Header: wait, Times: 2},
			{Status: http.StatusInternalServerError, Times: 12},
			{Delay: time.Hour, Times: 6}, // past any patience
			{Times: 4},                   // cut
			{Status: http.StatusServiceUnavailable, Times: 6},
			{Status: http.StatusTooManyRequests, Code: "lock_timeout", Times: 4},
		} {
			t.Method, t.Path = http.MethodGet, "/v1/"
			w.stripe.Disturb(t)
		}
	}
}

// holds tells what came to the gate, and holds it to the limits.
func (g *gate) holds(t *testing.T, events int) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	took := g.came[len(g.came)-1].Sub(g.came[0])
	objects, fetches, most := 0, 0, 0
	for path, n := range g.answered {
		if strings.Count(path, "/") == 3 {
			objects, fetches, most = objects+1, fetches+n, max(most, n)
		}
	}
	t.Logf("%d deliveries of %d objects: %d calls in %s, %d of them answered fetches, at most %d of one object; failures by status: %v",
		events, objects, len(g.came), took.Round(time.Millisecond), fetches, most, g.failed)
	t.Logf("at most %d calls within a second, %.1f a second in all; the client is set to %.0f a second and %d at once, and Stripe allows %d",
		g.most(), float64(len(g.came))/took.Seconds(), floodRate, floodBurst, stripeRate)
	if n := g.most(); n > stripeRate {
		t.Errorf("E4: %d calls within a second", n)
	}
	if allowed := took.Seconds()*floodRate + floodBurst + 1; float64(len(g.came)) > allowed {
		t.Errorf("E4: %d calls in %s, and at most %.0f are allowed", len(g.came), took, allowed)
	}
	if most > 4 {
		t.Errorf("B3: an object was fetched %d times", most)
	}
	for _, status := range []int{0, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable} {
		if g.failed[status] == 0 {
			t.Errorf("no call failed with %d", status)
		}
	}
}
