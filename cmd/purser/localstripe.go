package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"purser/internal/localstripe"
)

// localStripeCommand runs the local Stripe alone, for whoever wants to try something with it.
type localStripeCommand struct {
	Listen  string   `default:"127.0.0.1:8089" placeholder:"HOST:PORT" help:"Where the local Stripe listens; on this machine only."`
	Webhook []string `placeholder:"URL" sep:"none" help:"An endpoint on this machine that gets every event; may be given more than once."`
	Still   bool     `help:"Let its clock stand until it is moved. Without it the clock goes on by itself, too."`
	Log     logFlags `embed:""`
}

// Run stays until a signal comes.
func (c *localStripeCommand) Run(ctx context.Context, p *program) error {
	return runLocalStripe(ctx, p.out, localStripeOptions{
		Listen: c.Listen, Webhooks: c.Webhook, Still: c.Still, Now: p.now, Logger: c.Log.logger(p.err),
	})
}

type localStripeOptions struct {
	Listen   string
	Webhooks []string
	Still    bool
	Now      func() time.Time
	Logger   *slog.Logger
}

func runLocalStripe(ctx context.Context, out io.Writer, opts localStripeOptions) (err error) {
	// Ids differ from run to run, as a database that was used with an earlier one may still be there.
	stripe, err := localstripe.Start(localstripe.Config{
		Listen: opts.Listen, Start: opts.Now(), Wall: opts.Now, Logger: opts.Logger, Seed: uint64(opts.Now().UnixNano()), //nolint:gosec // any number will do
	})
	if err != nil {
		return usage("--listen: %v", err)
	}
	defer func() { err = errors.Join(err, stripe.Close()) }()
	hooks, secrets, err := hookUp(stripe, opts.Webhooks)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, `The local Stripe is running; it ends with Ctrl-C and forgets everything. No money moves.

  API             %s
  key             %s  (any that begins with sk_test_ or rk_test_ will do)
  control         %s/_local/
%s
Run purser with it:   PURSER_STRIPE_URL=%s PURSER_STRIPE_KEY=%s PURSER_STRIPE_WEBHOOK_SECRETS=%s purser serve
Move its clock:       purser dev advance --stripe %s 1mo
`, stripe.URL(), stripe.Key(), stripe.URL(), hooks, stripe.URL(), stripe.Key(), strings.Join(secrets, ","), stripe.URL())
	if opts.Still {
		<-ctx.Done()
		return nil
	}
	tick(ctx, stripe)
	return nil
}

// hookUp registers the endpoints, and tells each one's signing secret.
func hookUp(stripe *localstripe.Server, urls []string) (lines string, secrets []string, err error) {
	for _, url := range urls {
		secret, err := stripe.AddEndpoint(url, "*")
		if err != nil {
			return "", nil, usage("--webhook: %v", err)
		}
		lines += fmt.Sprintf("  webhook         %s\n  signing secret  %s\n", url, secret)
		secrets = append(secrets, secret)
	}
	if len(secrets) == 0 {
		secrets = []string{"whsec_…"}
	}
	return lines, secrets, nil
}

// tick lets the clock go on from wherever it was moved to.
func tick(ctx context.Context, stripe *localstripe.Server) {
	const step = time.Second
	ticker := time.NewTicker(step)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			// Somebody may be moving it further at this moment: then it doesn't go back.
			_ = stripe.Advance(ctx, stripe.Now().Add(step))
		}
	}
}
