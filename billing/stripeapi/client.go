// Package stripeapi answers what Stripe says of an object right now, and asks it for the few things
// that we want of it: a checkout page, a portal page.
//
// It is the only package that calls Stripe. Everything that Stripe demands of its callers is kept here,
// so that nobody else has to think of it: its rate limits, its way of telling us to wait, which failures
// may be tried again, and which of them leave the outcome unknown. What comes back is put into billing's
// own types, and no more of it than billing's rules need.
//
// A call passes three layers. Client's methods know objects; call.go turns them into requests of
// stripe-go and errors into ours; transport.go sends each request at the pace that pace.go allows, again
// where that is safe. The retries of stripe-go are off: it gives up at the first 429, which is the answer
// that asks to be obeyed.
package stripeapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v76"

	"purser/billing"
)

// Config says how Stripe is reached. Key and Now are required; the rest has defaults.
type Config struct {
	Key     string // a secret or a restricted key; its prefix tells live from test mode
	BaseURL string // another host than Stripe's, such as the local Stripe; no /v1
	Portal  string // the billing portal's configuration; default: the account's default one
	// WithoutInvoices sells on Checkout pages without an invoice: Stripe takes a fee for each.
	WithoutInvoices bool

	// Now is asked for pacing and waiting only, never for what counts as billing time.
	Now func() time.Time
	// Sleep waits, or returns the context's error as soon as that is done. Default: a timer.
	Sleep func(ctx context.Context, d time.Duration) error

	RequestsPerSecond float64       // of reads, and again of writes; default: 80 live, 20 test
	Timeout           time.Duration // of one attempt; default 30 s
	MaxRetries        int           // default 3; below 0: none
	Logger            *slog.Logger  // default: silent
}

// Stripe allows 100 reads and 100 writes a second in live mode, 25 each in test mode. The rest is left
// for whoever else uses the account's keys.
const (
	liveRequestsPerSecond = 80
	testRequestsPerSecond = 20
	defaultTimeout        = 30 * time.Second
	defaultRetries        = 3
)

// Client calls Stripe. It is safe for concurrent use.
type Client struct {
	backend stripe.Backend
	base    *http.Transport
	key     func() string // a function, so that printing a Client never prints the key
	live    bool
	portal  string
	now     func() time.Time
	prices  priceCache

	withoutInvoices bool
}

var _ billing.Stripe = (*Client)(nil)

// New checks the configuration. It calls nobody.
func New(cfg Config) (*Client, error) {
	key := strings.TrimSpace(cfg.Key)
	live, err := keyMode(key)
	if err != nil {
		return nil, fmt.Errorf("setting up Stripe: %w", err)
	}
	if cfg.Now == nil {
		return nil, errors.New("setting up Stripe: Config needs Now")
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = stripe.APIURL
	}
	if err := checkBase(cfg.BaseURL, live); err != nil {
		return nil, fmt.Errorf("setting up Stripe: %w", err)
	}
	base := newBase()
	return &Client{
		backend: newBackend(cfg.BaseURL, newTransport(cfg.withDefaults(live), base)),
		base:    base,
		key:     func() string { return key },
		live:    live,
		portal:  cfg.Portal,
		now:     cfg.Now,
		prices:  priceCache{known: map[string]knownPrice{}},

		withoutInvoices: cfg.WithoutInvoices,
	}, nil
}

func (cfg Config) withDefaults(live bool) Config {
	if cfg.Sleep == nil {
		cfg.Sleep = sleep
	}
	if cfg.RequestsPerSecond <= 0 {
		cfg.RequestsPerSecond = testRequestsPerSecond
		if live {
			cfg.RequestsPerSecond = liveRequestsPerSecond
		}
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultTimeout
	}
	switch {
	case cfg.MaxRetries == 0:
		cfg.MaxRetries = defaultRetries
	case cfg.MaxRetries < 0:
		cfg.MaxRetries = 0
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return cfg
}

// Livemode tells whether the key moves real money.
func (c *Client) Livemode() bool { return c.live }

// Close drops idle connections. Calls that run go on.
func (c *Client) Close() { c.base.CloseIdleConnections() }

// keyMode reads the mode off the key. Its errors don't quote the key, not even a wrong one: it may be
// the right one with a character too many.
func keyMode(key string) (live bool, err error) {
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return false, errors.New("the key holds characters that no key has")
		}
	}
	switch {
	case key == "":
		return false, errors.New("the key is missing")
	case strings.HasPrefix(key, "sk_live_"), strings.HasPrefix(key, "rk_live_"):
		return true, nil
	case strings.HasPrefix(key, "sk_test_"), strings.HasPrefix(key, "rk_test_"):
		return false, nil
	case strings.HasPrefix(key, "pk_"):
		return false, errors.New("the key is a publishable one; a secret (sk_…) or restricted (rk_…) one is needed")
	}
	return false, errors.New("the key begins with none of sk_live_, rk_live_, sk_test_, rk_test_")
}

// checkBase refuses to send a live key where others could read it.
func checkBase(base string, live bool) error {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return errors.New("BaseURL isn't the URL of a host")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("BaseURL holds more than scheme, host and path")
	}
	if live && u.Scheme != "https" {
		return errors.New("a live key travels over https only")
	}
	return nil
}

func newBackend(base string, through http.RoundTripper) stripe.Backend {
	return stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
		URL:               stripe.String(base),
		EnableTelemetry:   stripe.Bool(false),
		MaxNetworkRetries: stripe.Int64(0),
		// The library's own logger writes whole answers, and pieces of them into errors. The transport
		// logs what is worth knowing instead.
		LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull},
		HTTPClient: &http.Client{
			Transport: through,
			// Stripe never redirects. Following would hand the key to whoever does.
			CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirected },
		},
	})
}

func newBase() *http.Transport {
	base := http.DefaultTransport.(*http.Transport).Clone()
	// The default of two idle connections would open a new one for nearly every call of a busy worker.
	base.MaxIdleConnsPerHost = 32
	return base
}

// sleep waits for d, or until the context is done.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
