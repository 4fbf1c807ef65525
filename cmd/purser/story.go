package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/billing/stripeapi"
	"purser/internal/localstripe"
)

// storyStart is where the story's clock stands first.
var storyStart = time.Date(2026, 1, 15, 9, 0, 0, 0, time.UTC)

// stage is purser with everything it needs, in one process, talking over real HTTP: the
// database, the local Stripe and the service. Stripe's clock is everybody's.
type stage struct {
	db      *database
	catalog *billing.Catalog
	stripe  *localstripe.Server // nil if it is elsewhere
	at      stripeAt
	now     func() time.Time
	api     *stripeapi.Client
	svc     *service
	product *product
	secret  string // that events are signed with
}

type stageConfig struct {
	DatabaseURL  string // "": a private PostgreSQL in DataDir
	DataDir      string
	Listen       string
	StripeListen string
	Logger       *slog.Logger
	Catalog      *billing.Catalog                    // nil: the demo's
	PerSecond    float64                             // requests that Stripe is asked for at most; 0: 1000
	Watch        func(billing.Stripe) billing.Stripe // sees what Stripe is asked for; nil: nobody
	Stripe       stripeAt                            // a local Stripe that runs already; zero: one is started
}

// stripeAt is where a local Stripe answers, and to which key.
type stripeAt struct{ URL, Key string }

// joinPage is the page of the story's product on which invitations are accepted.
const joinPage = "https://app.acme.example/join?token={token}"

// raiseStage starts everything. Whoever gets a stage must strike it.
func raiseStage(ctx context.Context, cfg stageConfig) (_ *stage, err error) {
	s := &stage{catalog: cfg.Catalog}
	if s.catalog == nil {
		s.catalog = billing.DemoCatalog()
	}
	defer func() {
		if err != nil {
			_ = s.strike(ctx)
		}
	}()
	if s.db, err = openDatabase(ctx, cfg.DatabaseURL, cfg.DataDir, cfg.Logger); err != nil {
		return nil, err
	}
	if err := s.startStripe(cfg); err != nil {
		return nil, err
	}
	s.api, err = stripeapi.New(stripeapi.Config{
		Key: s.at.Key, BaseURL: s.at.URL, Now: time.Now, Logger: cfg.Logger, RequestsPerSecond: cmp.Or(cfg.PerSecond, 1000),
	})
	if err != nil {
		return nil, err
	}
	// The endpoint has to be known to Stripe before the receiver can know its secret, so
	// the port is chosen first.
	listen, err := freeAddress(cfg.Listen)
	if err != nil {
		return nil, err
	}
	if s.secret, err = s.registerEndpoint(ctx, "http://"+listen+"/webhooks/stripe"); err != nil {
		return nil, err
	}
	if err := s.sellCatalog(ctx); err != nil {
		return nil, err
	}
	var stripe billing.Stripe = s.api
	if cfg.Watch != nil {
		stripe = cfg.Watch(stripe)
	}
	s.svc, err = startService(ctx, serviceConfig{
		Pool: s.db.Pool, Catalog: s.catalog, Stripe: stripe, Secrets: []string{s.secret}, Listen: listen, Role: roleAll,
		Now: s.now, Wall: time.Now, Logger: cfg.Logger, API: apiFlags{AcceptURL: joinPage},
		Page: pageFlags{Name: "Acme Studio"}, StripeAt: []string{s.at.URL},
	})
	if err != nil {
		return nil, err
	}
	s.product, err = s.newProduct(ctx)
	return s, err
}

// startStripe starts the local Stripe, unless it runs elsewhere, where nobody moves its
// clock.
func (s *stage) startStripe(cfg stageConfig) (err error) {
	if cfg.Stripe != (stripeAt{}) {
		s.at, s.now = cfg.Stripe, func() time.Time { return storyStart }
		return nil
	}
	s.stripe, err = localstripe.Start(localstripe.Config{Listen: cfg.StripeListen, Start: storyStart, Wall: time.Now, Logger: cfg.Logger, Seed: 1})
	if err != nil {
		return fmt.Errorf("starting the local Stripe: %w", err)
	}
	s.at, s.now = stripeAt{URL: s.stripe.URL(), Key: s.stripe.Key()}, s.stripe.Now
	return nil
}

// strike stops everything that was started.
func (s *stage) strike(ctx context.Context) error {
	var err error
	if s.svc != nil {
		err = s.svc.Stop(ctx)
	}
	if s.api != nil {
		s.api.Close()
	}
	if s.stripe != nil {
		err = errors.Join(err, s.stripe.Close())
	}
	if s.db != nil {
		s.db.Close()
	}
	return err
}

func (s *stage) registerEndpoint(ctx context.Context, target string) (secret string, err error) {
	var made struct{ Secret string }
	err = s.post(ctx, "/v1/webhook_endpoints", url.Values{
		"url": {target}, "enabled_events[]": {"*"}, "api_version": {localstripe.APIVersion},
	}, &made)
	return made.Secret, err
}

// sellCatalog makes the catalogue's products and prices at Stripe.
func (s *stage) sellCatalog(ctx context.Context) error {
	sell := func(title string, p billing.Price) error {
		form := url.Values{
			"product_data[name]": {title}, "lookup_key": {p.LookupKey}, "currency": {p.Currency}, "unit_amount": {fmt.Sprint(p.UnitAmount)},
		}
		if p.Interval != "" {
			form.Set("recurring[interval]", p.Interval)
			form.Set("recurring[interval_count]", fmt.Sprint(p.IntervalCount))
		}
		return s.post(ctx, "/v1/prices", form, nil)
	}
	for _, plan := range s.catalog.Plans {
		for _, price := range plan.Prices {
			if err := sell(plan.Title, price); err != nil {
				return err
			}
		}
	}
	for _, pack := range s.catalog.Packs {
		if err := sell(pack.Title, pack.Price); err != nil {
			return err
		}
	}
	return nil
}

// post asks the local Stripe for something, as the product's own backend would.
func (s *stage) post(ctx context.Context, path string, form url.Values, into any) error {
	return s.at.post(ctx, path, form, into)
}

func (a stripeAt) post(ctx context.Context, path string, form url.Values, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("asking Stripe for %s: %w", path, err)
	}
	req.Header.Set("Authorization", "Bearer "+a.Key)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return answer(req, into)
}

// get reads something from the local Stripe.
func (s *stage) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.at.URL+path, nil)
	if err != nil {
		return fmt.Errorf("asking Stripe for %s: %w", path, err)
	}
	req.Header.Set("Authorization", "Bearer "+s.at.Key)
	return answer(req, into)
}

func answer(req *http.Request, into any) error {
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("asking Stripe for %s: %w", req.URL.Path, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, answerMax))
	if err != nil {
		return fmt.Errorf("reading Stripe's answer for %s: %w", req.URL.Path, err)
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("asking Stripe for %s: %s: %s", req.URL.Path, res.Status, body)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("reading Stripe's answer for %s: %w", req.URL.Path, err)
	}
	return nil
}

// settled waits until Stripe has delivered everything and purser has worked it.
func (s *stage) settled(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := s.stripe.Flush(ctx); err != nil {
		return fmt.Errorf("waiting for Stripe's deliveries: %w", err)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		counts, err := billing.CountEvents(ctx, s.db.Pool, billing.EventReceived)
		if err != nil {
			return err
		}
		if counts[billing.EventReceived] == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case err := <-s.svc.Failed():
			return err
		case <-ctx.Done():
			return fmt.Errorf("purser did not work %d events in time", counts[billing.EventReceived])
		}
	}
}

// pool reads a book at Stripe's instant.
func (s *stage) pool(ctx context.Context, book int64) (pool billing.Pool, err error) {
	err = pgx.BeginTxFunc(ctx, s.db.Pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		pool, err = billing.ReadPool(ctx, tx, s.catalog, book, s.now())
		return err
	})
	return pool, err
}
