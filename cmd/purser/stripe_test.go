package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"purser/internal/localstripe"
)

// connecting is a command line beside a local Stripe in which nothing was made yet.
type connecting struct {
	*cli
	stripe *localstripe.Server
}

const webhookURL = "http://127.0.0.1:9/webhooks/stripe"

func newConnecting(t *testing.T) *connecting {
	t.Helper()
	local, err := localstripe.Start(localstripe.Config{Wall: time.Now, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := local.Close(); err != nil {
			t.Error(err)
		}
	})
	c := bare(t).with("PURSER_STRIPE_KEY", testKey).with("PURSER_STRIPE_URL", local.URL()).with("PURSER_CATALOG", "demo")
	c.now = time.Now // Stripe's answers carry the real time
	return &connecting{c, local}
}

// events counts what has happened at Stripe, which anything that is written changes.
func (c *connecting) events() int {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.stripe.URL()+"/v1/events?limit=100", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.stripe.Key())
	var list struct{ Data []json.RawMessage }
	if err := answer(req, &list); err != nil {
		c.t.Fatal(err)
	}
	return len(list.Data)
}

// lacks runs a command that has to find something missing, and gives what it prints.
func (c *connecting) lacks(args ...string) string {
	c.t.Helper()
	r := c.run(args...)
	if r.code != exitLacks || r.err != "" {
		c.t.Fatalf("purser %s: exit %d\n%s%s", strings.Join(args, " "), r.code, r.out, r.err)
	}
	return r.out
}

var webhookSecret = regexp.MustCompile(`whsec_\w+`)

func TestStripeSetup(t *testing.T) {
	t.Parallel()

	t.Run("FromNothingToAFittingAccount", func(t *testing.T) {
		t.Parallel()
		c := newConnecting(t)
		shows(t, c.lacks("stripe", "check"), `^missing +price +team_monthly +-`, `^missing +billing portal`, `^missing +webhook endpoint`, `^14 things are missing or different; `)

		planned := c.ok("stripe", "setup", "--dry-run", "--webhook-url", webhookURL)
		shows(t, planned, `^would create +price +team_monthly +- +2500 usd every month$`, `^test mode: 14 would be created, 0 updated, 0 kept; nothing was changed$`)
		if n := c.events(); n != 0 || webhookSecret.MatchString(planned) {
			t.Errorf("a dry run made %d events:\n%s", n, planned)
		}

		made := c.ok("stripe", "setup", "--webhook-url", webhookURL)
		shows(t, made, `^created +product +plan team +prod_\w+ +name: Team$`, `^created +price +team_yearly +price_\w+ +25000 usd every year$`,
			`^created +webhook endpoint +`+webhookURL+` +we_\w+ +version 2023-10-16; 30 events$`, `^test mode: 14 created, 0 updated, 0 kept$`)
		if secrets := webhookSecret.FindAllString(made, -1); len(secrets) != 1 {
			t.Errorf("the secret is shown %d times:\n%s", len(secrets), made)
		}
		portal := regexp.MustCompile(`(?m)^set for the service: PURSER_STRIPE_PORTAL=(bpc_\w+)$`).FindStringSubmatch(made)
		if portal == nil {
			t.Fatalf("the portal isn't named:\n%s", made)
		}
		shows(t, c.lacks("stripe", "check"), `^different +setting +PURSER_STRIPE_PORTAL +`+portal[1], `^1 thing is missing or different; `)

		c.cli = c.with("PURSER_STRIPE_PORTAL", portal[1])
		before := c.events()
		for _, args := range [][]string{{"stripe", "setup"}, {"stripe", "setup", "--webhook-url", webhookURL}, {"stripe", "setup", "--dry-run"}} {
			again := c.ok(args...)
			shows(t, again, `^test mode: nothing to change$`)
			if webhookSecret.MatchString(again) || strings.Contains(again, "created") || strings.Contains(again, "set for the service") {
				t.Errorf("purser %v says:\n%s", args, again)
			}
		}
		if after := c.events(); after != before {
			t.Errorf("%d events came of it", after-before)
		}
		shows(t, c.ok("stripe", "check", "--webhook-url", webhookURL, "--mode", "test"), `^ok +account +Local Stripe +acct_`, `^ok +mode +test `, `^ok +clock `,
			`^ok +permission +to read `, `^the account has what the catalogue needs$`)
	})

	t.Run("AsJSON", func(t *testing.T) {
		t.Parallel()
		c := newConnecting(t)
		told := decoded[setupJSON](c.cli, "stripe", "setup", "--webhook-url", webhookURL)
		if told.Changed != 14 || told.Stuck != 0 || told.Mode != "test" || told.DryRun || !webhookSecret.MatchString(told.Settings["PURSER_STRIPE_WEBHOOK_SECRETS"]) {
			t.Errorf("told %+v", told)
		}
		again := decoded[setupJSON](c.cli, "stripe", "setup")
		if again.Changed != 0 || len(again.Changes) != 14 || again.Settings["PURSER_STRIPE_WEBHOOK_SECRETS"] != "" || again.Settings["PURSER_STRIPE_PORTAL"] == "" {
			t.Errorf("told again %+v", again)
		}
		c.cli = c.with("PURSER_STRIPE_PORTAL", again.Settings["PURSER_STRIPE_PORTAL"])
		type looked struct {
			Findings findings `json:"findings"`
			Lacks    int      `json:"lacks"`
		}
		if l := decoded[looked](c.cli, "stripe", "check"); l.Lacks != 0 || len(l.Findings) < 14 {
			t.Errorf("looked %+v", l)
		}
	})

	t.Run("WhatOnlyAPersonCanMend", func(t *testing.T) {
		t.Parallel()
		c := newConnecting(t)
		file := filepath.Join(t.TempDir(), "plans.yaml")
		write := func(prices string) {
			t.Helper()
			text := fmt.Sprintf("plans:\n  - {name: team, monthly_credits: 10, prices: [%s]}\n", prices)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		c.cli = c.with("PURSER_CATALOG", file)
		write("{lookup_key: seat, interval: month, unit_amount: 100, currency: usd}, {id: price_old}")
		shows(t, c.lacks("stripe", "setup"), `^created +price +seat `, `^left +price +price_old +-`, `^left +webhook endpoint +none `, `2 left to you$`, `^note: price price_old: there is none`)

		first := decoded[setupJSON](c.with("PURSER_CATALOG", c.only(t)), "stripe", "setup", "--webhook-url", webhookURL)
		price := first.Changes[slices.IndexFunc(first.Changes, func(v changeView) bool { return v.Kind == "price" })].ID
		write("{lookup_key: seat, interval: month, unit_amount: 200, currency: usd}")
		shows(t, c.lacks("stripe", "check"), `^different +price +seat +\S+ +unit_amount: 100 → 200; takes the lookup key from `+price)
		shows(t, c.ok("stripe", "setup"), `^created +price +seat +price_\w+ +unit_amount: 100 → 200; takes the lookup key from `+price+`$`, `^updated +billing portal`, `add \{ id: `+price+` \} to the prices of plan team$`)
		c.buy(price)
		shows(t, c.lacks("stripe", "check"), `^missing +catalogue +plan team +`+price+` +customers still have this price`)
		write("{lookup_key: seat, interval: month, unit_amount: 200, currency: usd}, {id: " + price + "}")
		if out := c.lacks("stripe", "check"); strings.Contains(out, "customers still have") || !strings.Contains(out, "1 thing is") {
			t.Errorf("it stands in the catalogue now:\n%s", out)
		}
	})

	t.Run("Refused", func(t *testing.T) {
		t.Parallel()
		c := newConnecting(t)
		c.fails(exitUsage, []string{"unset PURSER_STRIPE_URL", "live key"}, "stripe", "setup", "--stripe-key", liveKey)
		live := &connecting{c.with("PURSER_STRIPE_KEY", liveKey).with("PURSER_STRIPE_URL", ""), c.stripe}
		live.fails(exitUsage, []string{"live key", "--dry-run first", "--mode live"}, "stripe", "setup")
		live.fails(exitUsage, []string{"of live mode", "--mode says test"}, "stripe", "setup", "--mode", "test")
		live.fails(exitUsage, []string{"isn't for sale"}, "stripe", "setup", "--mode", "live")
		live.fails(exitUsage, []string{"https address"}, "stripe", "setup", "--mode", "live", "--webhook-url", webhookURL)
		c.fails(exitUsage, []string{"of test mode", "--mode says live"}, "stripe", "setup", "--mode", "live")
		shows(t, c.lacks("stripe", "check", "--mode", "live"), `^different +mode +test .*--mode says live$`)
		for _, address := range []string{"purser.example.com", "ftp://purser.example.com/x", "https://user:word@purser.example.com/"} {
			c.fails(exitUsage, []string{"set --webhook-url"}, "stripe", "setup", "--webhook-url", address)
		}
		c.with("PURSER_STRIPE_PORTAL", "portal").fails(exitUsage, []string{"set PURSER_STRIPE_PORTAL", "bpc_"}, "stripe", "check")
		c.with("PURSER_STRIPE_KEY", "").fails(exitUsage, []string{"set PURSER_STRIPE_KEY"}, "stripe", "check")
		c.with("PURSER_CATALOG", "").fails(exitUsage, []string{"set PURSER_CATALOG"}, "stripe", "check")
		if n := c.events(); n != 0 {
			t.Errorf("refused commands made %d events", n)
		}
	})
}

// only is a catalogue of one plan and its price.
func (c *connecting) only(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "plans.yaml")
	text := "plans:\n  - {name: team, monthly_credits: 10, prices: [{lookup_key: seat, interval: month, unit_amount: 100, currency: usd}]}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// buy makes a subscription with a price.
func (c *connecting) buy(price string) {
	c.t.Helper()
	post := func(path, form string) (made struct{ ID string }) {
		c.t.Helper()
		req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.stripe.URL()+path, strings.NewReader(form))
		if err != nil {
			c.t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+c.stripe.Key())
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if err := answer(req, &made); err != nil {
			c.t.Fatal(err)
		}
		return made
	}
	customer := post("/v1/customers", "email=olga@acme.example&payment_method=pm_card_visa&invoice_settings[default_payment_method]=pm_card_visa").ID
	post("/v1/subscriptions", "customer="+customer+"&items[0][price]="+price)
}

func TestStripeCheckOfAKeyThatMayDoLittle(t *testing.T) {
	t.Parallel()
	c := newConnecting(t)
	made := decoded[setupJSON](c.cli, "stripe", "setup", "--webhook-url", webhookURL)
	c.cli = c.with("PURSER_STRIPE_PORTAL", made.Settings["PURSER_STRIPE_PORTAL"])
	before := c.events()
	c.stripe.Disturb(localstripe.Trouble{Path: "/v1/webhook_endpoints", Status: http.StatusForbidden, Times: 100})
	c.stripe.Disturb(localstripe.Trouble{Path: "/v1/events", Status: http.StatusForbidden, Times: 1})
	c.stripe.Disturb(localstripe.Trouble{Path: "/v1/account", Status: http.StatusForbidden, Times: 1})
	shows(t, c.lacks("stripe", "check"), `^ok +account +reached +- +the key may not ask`, `^missing +permission +Events +- +serve needs Read, setup needs None$`,
		`^missing +permission +Webhook Endpoints +- +serve needs None, setup needs Write$`, `^unknown +webhook endpoint +none`, `^ok +price +team_monthly `)
	c.fails(exitFailed, []string{"may not read every webhook endpoint", "nothing was changed", "purser stripe check"}, "stripe", "setup")
	c.stripe.Soothe()
	c.stripe.Disturb(localstripe.Trouble{Path: "/v1/prices", Status: http.StatusForbidden, Times: 100})
	shows(t, c.lacks("stripe", "check"), `^missing +permission +Prices `, `^unknown +price +team_monthly`, `^unknown +billing portal`, `^ok +webhook endpoint`)
	c.stripe.Soothe()
	if after := c.events(); after != before {
		t.Errorf("%d events came of it", after-before)
	}
	// What can't be written is found out in the middle: what was made until then is told, and the next run goes on.
	empty := newConnecting(t)
	empty.stripe.Disturb(localstripe.Trouble{Method: http.MethodPost, Path: "/v1/prices", Status: http.StatusForbidden})
	r := empty.run("stripe", "setup")
	if r.code != exitFailed || !strings.Contains(r.err, "setting up price team_monthly") {
		t.Errorf("exit %d: %s", r.code, r.err)
	}
	shows(t, r.out, `^created +product +plan team +prod_`, `^test mode: 1 created, 0 updated, 0 kept$`)
	shows(t, empty.ok("stripe", "setup", "--webhook-url", webhookURL), `^kept +product +plan team `, `^test mode: 13 created, 0 updated, 1 kept$`)

	late := newConnecting(t)
	late.now = func() time.Time { return time.Now().Add(-10 * time.Minute) }
	shows(t, late.lacks("stripe", "check"), `^different +clock .*10m\d*s? behind Stripe's; events are refused from five minutes on`)
}
