package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

type devOptions struct {
	DatabaseURL   string // "": a private PostgreSQL in a temporary directory
	Listen        string
	StripeListen  string
	ProductListen string
	Logger        *slog.Logger
}

// runDev tells the demo's story and then stays, until ctx ends, so that one can look at
// what is there and move the clock.
func runDev(ctx context.Context, out io.Writer, opts devOptions) (err error) {
	dir, err := temporaryDir()
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	st, err := raiseStage(ctx, stageConfig{
		DatabaseURL: opts.DatabaseURL, DataDir: filepath.Join(dir, "postgres"), Listen: opts.Listen, StripeListen: opts.StripeListen,
		Logger: opts.Logger,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.strike(ctx)) }()
	story := &telling{stage: st, out: out}
	if err := story.tell(ctx); err != nil {
		return err
	}
	if err := story.enliven(ctx); err != nil {
		return err
	}
	product, err := st.openProduct(ctx, opts.ProductListen)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, product.Close()) }()
	_, _ = fmt.Fprintf(out, `
purser dev is running; it ends with Ctrl-C and leaves nothing.

  purser          %s  (/healthz, /readyz, POST /webhooks/stripe)
  local Stripe    %s  (any key that begins with sk_test_)
  database        %s

Open the team page as its owner, an admin or a member, from a product in miniature:  %s

Move the clock, and purser follows:       purser dev advance 1mo
Look at the team's pool from elsewhere:   PURSER_DATABASE_URL='%s' PURSER_CATALOG=demo purser pool show acme --at %s
Do something at Stripe, as your backend:  curl -u %s: %s/v1/subscriptions
Call purser's API, as your backend:       curl -H 'Authorization: Bearer %s' %s/v1/teams/acme/members
`, st.svc.URL(), st.stripe.URL(), st.db.URL, product.url, st.db.URL, st.stripe.Now().Format(time.RFC3339), st.stripe.Key(), st.stripe.URL(), st.product.token, st.svc.URL())
	select {
	case <-ctx.Done():
		return nil
	case err := <-st.svc.Failed():
		return err
	}
}

// advance asks a running `purser dev` to move its clock: by such as 1mo, 3d, 2h, or to
// an instant.
func advance(ctx context.Context, out io.Writer, stripeURL, step string) error {
	body := map[string]string{"by": step}
	if strings.Contains(step, "T") {
		body = map[string]string{"to": step}
	}
	payload, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("moving the clock: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, stripeURL+"/_local/clock", bytes.NewReader(payload))
	if err != nil {
		return fmt.Errorf("moving the clock: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	var now struct{ Now string }
	if err := answer(req, &now); err != nil {
		var down interface{ Timeout() bool }
		if errors.As(err, &down) {
			return fmt.Errorf("no purser dev is running at %s (start it with `purser dev`): %w", stripeURL, err)
		}
		return err
	}
	_, _ = fmt.Fprintf(out, "it is now %s\n", now.Now)
	return nil
}
