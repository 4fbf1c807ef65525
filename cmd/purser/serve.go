package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"purser/billing"
	"purser/billing/stripeapi"
)

// serveCommand runs the service.
type serveCommand struct {
	Role         string `env:"PURSER_ROLE" enum:"all,web,worker" default:"all" help:"web receives events, worker works them, all does both. Any number of processes may share a database."`
	EventWorkers int    `env:"PURSER_EVENT_WORKERS" default:"100" help:"How many events to work at once."`

	EventQueue int `env:"PURSER_EVENT_QUEUE" default:"1024" help:"How many of Stripe's deliveries may wait at once to be recorded; more are answered 503 with Retry-After, and Stripe sends them again."`

	EventsKeep int `env:"PURSER_EVENTS_KEEP" default:"13" placeholder:"MONTHS" help:"For how many months, beside the present one, to keep Stripe's events; 0: for ever. A month of which an event isn't done stays."`

	WebhookSecrets []secret `name:"stripe-webhook-secrets" env:"PURSER_STRIPE_WEBHOOK_SECRETS" placeholder:"SECRETS" help:"The signing secrets of the webhook endpoint, separated by commas: two while one is replaced."`

	Listen   listenFlags   `embed:""`
	API      apiFlags      `embed:""`
	Page     pageFlags     `embed:""`
	Stripe   stripeFlags   `embed:""`
	Catalog  catalogFlags  `embed:""`
	Database databaseFlags `embed:""`
	Schedule scheduleFlags `embed:""`
	Log      logFlags      `embed:""`
}

// check gives an error that names everything that is missing or wrong.
func (c *serveCommand) check() error {
	var wrong []string
	if c.Catalog.Catalog == "" {
		wrong = append(wrong, "set PURSER_CATALOG (the file with your plans and packs; plans.example.yaml is one)")
	}
	if c.EventWorkers < 1 || c.EventWorkers > 1000 {
		wrong = append(wrong, fmt.Sprintf("set PURSER_EVENT_WORKERS to a number from 1 to 1000, not %d", c.EventWorkers))
	}
	if c.EventQueue < 1 || c.EventQueue > 100_000 {
		wrong = append(wrong, fmt.Sprintf("set PURSER_EVENT_QUEUE to a number from 1 to 100000, not %d", c.EventQueue))
	}
	if c.EventsKeep != 0 && (c.EventsKeep < billing.EventsKeepMin || c.EventsKeep > 1200) {
		wrong = append(wrong, fmt.Sprintf("set PURSER_EVENTS_KEEP to a number of months from %d to 1200, or to 0 (for ever), not %d", billing.EventsKeepMin, c.EventsKeep))
	}
	return wrongSettings(c.Stripe.check(), c.checkSecrets(), wrong, c.API.check(), c.Page.check(), c.Schedule.check())
}

// checkSecrets looks at the webhook secrets, which only a worker has no use for.
func (c *serveCommand) checkSecrets() []string {
	if c.Role == roleWorker {
		return nil
	}
	secrets := c.secrets()
	if len(secrets) == 0 {
		return []string{"set PURSER_STRIPE_WEBHOOK_SECRETS (the signing secret of the webhook endpoint: whsec_…)"}
	}
	for _, s := range secrets {
		if !strings.HasPrefix(s, "whsec_") {
			return []string{"set PURSER_STRIPE_WEBHOOK_SECRETS to signing secrets only (each begins with whsec_)"}
		}
	}
	return nil
}

func (c *serveCommand) secrets() []string {
	var all []string
	for _, s := range c.WebhookSecrets {
		if text := strings.TrimSpace(s.reveal()); text != "" {
			all = append(all, text)
		}
	}
	return all
}

// Run serves until ctx ends or the service can't go on.
func (c *serveCommand) Run(ctx context.Context, p *program) error {
	if err := c.check(); err != nil {
		return err
	}
	logger := c.Log.logger(p.err)
	stripe, err := c.Stripe.client(p, logger)
	if err != nil {
		return err
	}
	defer stripe.Close()
	err = c.serve(ctx, p, stripe, logger)
	if err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled) {
		logger.Info("stopped before it was ready")
		return nil
	}
	return err
}

func (c *serveCommand) serve(ctx context.Context, p *program, stripe *stripeapi.Client, logger *slog.Logger) error {
	catalog, err := c.Catalog.load()
	if err != nil {
		return err
	}
	for _, warning := range catalog.Warnings {
		logger.Warn("the catalogue says something to think over", slog.String("warning", warning.String()))
	}
	db, err := c.Database.open(ctx, logger)
	if err != nil {
		return err
	}
	defer db.Close()
	svc, err := startService(ctx, serviceConfig{
		Pool: db.Pool, Catalog: catalog, Stripe: stripe, Secrets: c.secrets(), Livemode: stripe.Livemode(), Listen: c.Listen.Listen,
		Role: c.Role, Now: p.now, Wall: p.now, Logger: logger, Schedules: c.Schedule.schedules(), EventWorkers: c.EventWorkers, EventQueue: c.EventQueue,
		EventsKeep: c.EventsKeep,
		API:        c.API, Page: c.Page, StripeAt: c.Stripe.pages(),
	})
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(p.out, "purser is ready: %s, role %s, Stripe in %s mode, %s, %s\n", svc.URL(), c.Role, mode(stripe), db.place(),
		count(len(catalog.Plans), "plan", "plans"))
	return c.wait(ctx, svc, logger)
}

// wait ends the service once ctx has ended: it takes nothing more, and what runs is
// finished or goes back whole.
func (c *serveCommand) wait(ctx context.Context, svc *service, logger *slog.Logger) error {
	var failed error
	select {
	case <-ctx.Done():
		logger.Info("stopping: taking nothing more and finishing what runs; a second signal ends at once")
	case failed = <-svc.Failed():
	}
	if err := errors.Join(failed, svc.Stop(ctx)); err != nil {
		return err
	}
	logger.Info("stopped")
	return nil
}

func mode(stripe *stripeapi.Client) string {
	if stripe.Livemode() {
		return "live"
	}
	return "test"
}
