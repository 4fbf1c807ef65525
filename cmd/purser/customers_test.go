package main

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"purser/billing"
	"purser/internal/pgtest"
)

// acted is a stage with a command line over its database and its clock.
type acted struct {
	*stage
	*cli
}

func newActed(t *testing.T) *acted {
	t.Helper()
	return newActedWith(t, nil)
}

// newActedWith sells what another catalogue than the demo's says.
func newActedWith(t *testing.T, catalog *billing.Catalog) *acted {
	t.Helper()
	db := pgtest.Pool(t)
	st, err := raiseStage(t.Context(), stageConfig{DatabaseURL: db.Config().ConnString(), Listen: "127.0.0.1:0", Logger: quiet(), Catalog: catalog})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.strike(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	a := &acted{stage: st, cli: &cli{t: t, db: db, now: st.stripe.Now, env: map[string]string{
		"PURSER_DATABASE_URL": db.Config().ConnString(), "PURSER_CATALOG": "demo", "PURSER_STRIPE_KEY": testKey,
		"PURSER_STRIPE_URL": st.stripe.URL(), "PURSER_RETURN_URL": "https://acme.example/credits",
	}}}
	a.rested()
	return a
}

// rested waits until the sweeps of the start have run: one that reads Stripe's event list
// late would find what a test means purser not to hear of.
func (a *acted) rested() {
	a.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		var left int
		a.must(a.cli.db.QueryRow(a.t.Context(), `
			SELECT count(*) FILTER (WHERE state <> 'completed') + CASE WHEN count(*) = 0 THEN 1 ELSE 0 END
			FROM river_job WHERE queue = 'sweeps'`).Scan(&left))
		if left == 0 {
			return
		}
		if time.Now().After(deadline) {
			a.t.Fatalf("%d sweeps of the start haven't run", left)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// subscribe makes a customer who pays by card and a subscription of so many seats.
func (a *acted) subscribe(lookupKey, seats string, metadata ...string) (customer, subscription string) {
	a.t.Helper()
	var made struct{ ID string }
	a.must(a.post(a.t.Context(), "/v1/customers", url.Values{"email": {"olga@acme.example"}}, &made))
	customer = made.ID
	a.must(a.post(a.t.Context(), "/v1/payment_methods/pm_card_visa/attach", url.Values{"customer": {customer}}, &made))
	a.must(a.post(a.t.Context(), "/v1/customers/"+customer, url.Values{"invoice_settings[default_payment_method]": {made.ID}}, nil))
	price, err := a.price(a.t.Context(), lookupKey)
	a.must(err)
	form := url.Values{"customer": {customer}, "items[0][price]": {price}, "items[0][quantity]": {seats}}
	for i := 0; i+1 < len(metadata); i += 2 {
		form.Set("metadata["+metadata[i]+"]", metadata[i+1])
	}
	a.must(a.post(a.t.Context(), "/v1/subscriptions", form, &made))
	a.must(a.settled(a.t.Context()))
	return customer, made.ID
}

func (a *acted) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

func TestCustomerLink(t *testing.T) {
	t.Parallel()

	t.Run("B14_EventsThatWaitedAreAppliedByThemselves", func(t *testing.T) {
		t.Parallel()
		a := newActed(t)
		customer, subscription := a.subscribe("team_monthly", "5")

		list := decoded[page[billing.SubscriptionRow]](a.cli, "subscriptions", "list", "--state", "unmatched")
		if len(list.Items) != 1 || list.Items[0].ID != subscription || !strings.Contains(list.Items[0].Reason, customer) {
			t.Fatalf("unmatched: %+v", list.Items)
		}
		shows(t, a.ok("subscriptions", "list"), `^SUBSCRIPTION +STATE`, `^`+subscription+` +unmatched +active +\S+ .*team_monthly×5 .*is not linked to a user$`)
		waiting := decoded[page[eventView]](a.cli, "events", "list", "--state", "unmatched")
		if len(waiting.Items) == 0 {
			t.Fatal("no event waits")
		}

		type linked struct {
			customerView
			Staged int `json:"events_staged"`
		}
		if l := decoded[linked](a.cli, "customer", "link", customer, "olga"); l.Staged != len(waiting.Items) || l.UserID != "olga" || l.LinkedBy != "operator" {
			t.Errorf("linked: %+v, with %d events waiting", l, len(waiting.Items))
		}
		a.must(a.settled(t.Context()))

		pool := decoded[poolView](a.cli, "pool", "show", "--user", "olga")
		if pool.Plan != "team" || pool.Seats != 5 || pool.Available != 5000 || pool.Total != 5000 || pool.UserID != "olga" {
			t.Errorf("olga has %+v", pool)
		}
		if list := decoded[page[billing.SubscriptionRow]](a.cli, "subscriptions", "list", "--state", "placed", "--user", "olga"); len(list.Items) != 1 || list.Items[0].UserID != "olga" {
			t.Errorf("placed: %+v", list.Items)
		}
		if left := decoded[page[eventView]](a.cli, "events", "list", "--state", "unmatched"); len(left.Items) != 0 {
			t.Errorf("still waiting: %+v", left.Items)
		}
		// Again changes nothing and stages nothing.
		if l := decoded[linked](a.cli, "customer", "link", customer, "olga"); l.Staged != 0 {
			t.Errorf("linked again: %+v", l)
		}
		a.fails(exitFailed, []string{"belongs to user olga", "for good"}, "customer", "link", customer, "ben")
		if list := decoded[page[customerView]](a.cli, "customer", "list", "--user", "olga"); len(list.Items) != 1 || list.Items[0].ID != customer {
			t.Errorf("customers: %+v", list.Items)
		}
		shows(t, a.ok("customer", "list"), `^CUSTOMER +USER`, `^`+customer+` +olga `)

		// T2: the team that olga makes gets the subscription with its credits.
		shows(t, a.ok("team", "create", "acme", "--owner", "olga", "--name", "Acme"), `^subscription +`+subscription+` \(active, placed\)$`)
		if pool := decoded[poolView](a.cli, "pool", "show", "acme"); pool.Available != 5000 || pool.TeamID != "acme" {
			t.Errorf("acme has %+v", pool)
		}
		// E2: all that was worked, worked once more, changes nothing.
		a.ok("events", "replay", "--state", "done,ignored")
		a.must(a.settled(t.Context()))
		if pool := decoded[poolView](a.cli, "pool", "show", "acme"); pool.Available != 5000 || pool.Total != 5000 {
			t.Errorf("after a replay acme has %+v", pool)
		}
		shows(t, a.ok("audit"), `^audit: 0 differences$`)
	})
	t.Run("EveryWaitingEventHoweverManyThereAre", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t)
		const many = 230
		for i := range many {
			c.stored("evt_"+strings.Repeat("x", i+1), i, billing.EventUnmatched)
		}
		c.stored("evt_other", 1, billing.EventUnmatched, func(e *billing.Event) { e.CustomerID = "cus_2" })
		shows(t, c.ok("customer", "link", "cus_1", "olga"), `^events staged +230$`)
		if c.jobs("evt_x") != 1 || c.jobs("evt_other") != 0 {
			t.Error("not the events of this customer were staged")
		}
	})
	t.Run("Refused", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t)
		c.fails(exitUsage, []string{"can't be the id of a customer"}, "customer", "link", "cus\x1b", "olga")
		c.fails(exitFailed, []string{"linking cus_1", "200 characters"}, "customer", "link", "cus_1", strings.Repeat("x", 201))
		if list := decoded[page[customerView]](c, "customer", "list"); len(list.Items) != 0 {
			t.Errorf("a refused command left %+v", list.Items)
		}
	})
}
