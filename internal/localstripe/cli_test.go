package localstripe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"
)

// unmodelled are the triggers of Stripe's command line that are left out, and why: each is about something
// that the local Stripe refuses by name. A pattern may end in a star.
var unmodelled = []struct{ pattern, why string }{
	{"account.*", "Connect: the local Stripe is one account"},
	{"balance.*", "the account's own balance at Stripe"},
	{"cash_balance.*", "money that a customer keeps at Stripe"},
	{"customer_cash_balance_transaction.*", "money that a customer keeps at Stripe"},
	{"payment_intent.partially_funded", "money that a customer keeps at Stripe"},
	{"charge.captured", "manual capture: what is authorised here is taken"},
	{"payment_intent.amount_capturable_updated", "manual capture: what is authorised here is taken"},
	{"credit_note.*", "credit notes"},
	{"customer.source.*", "sources, which payment methods replaced"},
	{"identity.*", "Identity"},
	{"issuing_*", "Issuing"},
	{"payment_link.*", "payment links"},
	{"payout.*", "the account's own balance at Stripe"},
	{"plan.*", "plans, which prices replaced"},
	{"quote.*", "quotes"},
	{"reporting.*", "reports"},
	{"tax_rate.*", "taxes"},
	{"topup.*", "the account's own balance at Stripe"},
	{"transfer.*", "Connect: the local Stripe is one account"},
	{"v1.billing.meter.*", "meters, which came after API version 2023-10-16"},
}

// afterwards says what it takes beside its script until a trigger's event is there.
var afterwards = map[string]struct {
	tells  string // the event, where it isn't called like the trigger
	before func(w *world) error
	after  func(w *world) error
	why    string
}{
	"checkout.session.async_payment_succeeded": {after: fiveDays, why: "a bank debit takes days, and the clock stands still"},
	"checkout.session.async_payment_failed":    {after: fiveDays, why: "a bank debit takes days, and the clock stands still"},
	"subscription.payment_failed":              {tells: "invoice.payment_failed", why: "no type of event"},
	"subscription.payment_succeeded":           {tells: "invoice.payment_succeeded", why: "no type of event"},
	"subscription_schedule.aborted": {
		tells: "subscription_schedule.canceled", why: "its script cancels; aborted is documented for a subscription that ended unpaid",
	},
	"subscription_schedule.completed": {before: neverGiveUp, why: "its customer has no card: the subscription must outlive that"},
	"subscription_schedule.expiring": {
		before: neverGiveUp, after: twoDaysOfTheTestClock, why: "its script stops nine days before the end, and Stripe tells seven days before",
	},
}

func fiveDays(w *world) error { return w.Advance(w.t.Context(), newYear.AddDate(0, 0, 5)) }

func neverGiveUp(w *world) error { return w.SetDunning(Dunning{Then: "past_due"}) }

func twoDaysOfTheTestClock(w *world) error {
	w.mu.Lock()
	k := w.clocks.order[0]
	to := k.now + 2*86400
	w.mu.Unlock()
	return w.AdvanceTestClock(w.t.Context(), k.id, to)
}

// stripeCLI is Stripe's own command line. That it is missing is no reason to do without it.
func stripeCLI(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../bin/stripe")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("Stripe's command line is missing; fetch it with `make install-stripe-cli` (%v)", err)
	}
	return path
}

// run starts Stripe's command line where nothing but this machine can be reached.
func run(ctx context.Context, cli, home string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, cli, append(args, "--color", "off")...)
	c.Env = []string{
		"HOME=" + home, "STRIPE_CLI_TELEMETRY_OPTOUT=1", "HTTP_PROXY=http://127.0.0.1:9", "HTTPS_PROXY=http://127.0.0.1:9", "NO_PROXY=127.0.0.1",
	}
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	err := c.Run()
	return said.String(), err
}

// TestStripesOwnCommandLine runs the trigger scripts that Stripe wrote against the local Stripe, each against a fresh one.
// Every request and every answer is held against Stripe's schemas on its way.
func TestStripesOwnCommandLine(t *testing.T) {
	t.Parallel()
	cli, home := stripeCLI(t), t.TempDir()
	help, err := run(t.Context(), cli, home, "trigger", "--help")
	if err != nil {
		t.Fatalf("listing the triggers: %v\n%s", err, help)
	}
	_, list, _ := strings.Cut(help, "Supported events:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	results := &triggerTable{sums: map[string]int{}}
	for _, name := range strings.Fields(list) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			try, result, why := trigger, "pass", afterwards[name].why
			if left := whyLeftOut(name); left != "" {
				try, result, why = refusedTrigger, "refused", left
			}
			requests, err := try(t, cli, t.TempDir(), name)
			if err != nil {
				t.Error(err)
			}
			if t.Failed() {
				result = "FAIL"
			}
			results.put(name, result, requests, why)
		})
	}
	t.Cleanup(func() { results.show(t) })
}

func whyLeftOut(name string) string {
	for _, u := range unmodelled {
		if matchesAny([]string{u.pattern}, name) {
			return u.why
		}
	}
	return ""
}

// scripted is a local Stripe behind a proxy that checks what passes.
type scripted struct {
	*world
	proxy    *httptest.Server
	requests atomic.Int32
}

func openScripted(t *testing.T) (*scripted, error) {
	w := &scripted{world: open(t)}
	base, err := url.Parse(w.URL())
	if err != nil {
		return nil, err
	}
	w.proxy = httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { w.requests.Add(1); r.SetURL(base) },
		Transport: checkingTransport{t},
	})
	t.Cleanup(w.proxy.Close)
	return w, nil
}

func (w *scripted) run(cli, home, name string) (said string, succeeded bool) {
	said, err := run(w.t.Context(), cli, home, "trigger", name, "--api-base", w.proxy.URL, "--api-key", "sk_test_1234567890")
	return said, err == nil && strings.Contains(said, "Trigger succeeded!")
}

// trigger runs one script and asks for its event.
func trigger(t *testing.T, cli, home, name string) (requests int32, err error) {
	w, err := openScripted(t)
	if err != nil {
		return 0, err
	}
	special := afterwards[name]
	if special.before != nil {
		if err := special.before(w.world); err != nil {
			return 0, err
		}
	}
	if said, ok := w.run(cli, home, name); !ok {
		return w.requests.Load(), errors.New("the script failed: " + said)
	}
	if special.after != nil {
		if err := special.after(w.world); err != nil {
			return w.requests.Load(), err
		}
	}
	if special.tells != "" {
		name = special.tells
	}
	return w.requests.Load(), w.happens(name)
}

// refusedTrigger runs a script about something that isn't modelled: it has to be refused, not ignored.
func refusedTrigger(t *testing.T, cli, home, name string) (requests int32, err error) {
	w, err := openScripted(t)
	if err != nil {
		return 0, err
	}
	said, ok := w.run(cli, home, name)
	if ok || !strings.Contains(said, "Request failed, status=4") {
		err = errors.New("the script wasn't refused: " + said)
	}
	return w.requests.Load(), err
}

// happens waits for an event: test clocks move on their own.
func (w *world) happens(kind string) error {
	deadline := time.Now().Add(30 * time.Second)
	for {
		for _, e := range w.Events() {
			if e.Type == kind {
				return nil
			}
		}
		if time.Now().After(deadline) {
			return errors.New("the script ran, and there is no event " + kind)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// triggerTable is the result of all triggers, shown with -v.
type triggerTable struct {
	mu   sync.Mutex
	rows []string
	sums map[string]int
}

func (r *triggerTable) put(name, result string, requests int32, remark string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows = append(r.rows, fmt.Sprintf("%s\t%s\t%d\t%s", name, result, requests, remark))
	r.sums[result]++
}

func (r *triggerTable) show(t *testing.T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.Sort(r.rows)
	var text strings.Builder
	out := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(out, "TRIGGER\tRESULT\tREQUESTS\tREMARK\n"+strings.Join(r.rows, "\n"))
	_ = out.Flush()
	t.Logf("%v\n%s", r.sums, text.String())
}
