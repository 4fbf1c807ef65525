package main

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/internal/localstripe"
	"purser/internal/pgtest"
)

// acted is a stage with a command line over its database and its clock.
type acted struct {
	*stage
	*cli
}

func newActed(t *testing.T) *acted {
	t.Helper()
	db := pgtest.Pool(t)
	st, err := raiseStage(t.Context(), stageConfig{DatabaseURL: db.Config().ConnString(), Listen: "127.0.0.1:0", Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.strike(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return &acted{stage: st, cli: &cli{t: t, db: db, now: st.stripe.Now, env: map[string]string{
		"PURSER_DATABASE_URL": db.Config().ConnString(), "PURSER_CATALOG": "demo", "PURSER_STRIPE_KEY": testKey,
		"PURSER_STRIPE_URL": st.stripe.URL(), "PURSER_RETURN_URL": "https://acme.example/credits",
	}}}
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

func TestPoolShow(t *testing.T) {
	t.Parallel()

	t.Run("B12_FiguresAndLotsWithTheirEnds", func(t *testing.T) {
		t.Parallel()
		a := newActed(t)
		a.ok("team", "create", "acme", "--owner", "olga", "--name", "Acme")
		customer, _ := a.subscribe("team_monthly", "5", "purser_team", "acme", "purser_user", "olga")
		_ = customer
		a.ok("bonus", "grant", "250", "--team", "acme", "--key", "k", "--memo", "sorry", "--expires", "2026-02-01T00:00:00Z")
		out := a.ok("pool", "show", "acme")
		shows(t, out, `^team acme: plan team, active, 5 seats × 1,000 credits a month$`, `^period 2026-01-15T\S+Z to 2026-02-15T\S+Z, as of `,
			`^total 5,250$`, `= monthly +5,000 += used +0$`, `\+ bonus +250 `, `\+ available +5,250$`, `^debt 0, upcoming 0$`,
			`^LOT +SOURCE`, `bonus +250 +250 +0 +\S+ +2026-02-01T00:00:00Z +bonus:k$`)
		// At another instant: what is due by then counts as done.
		if pool := decoded[poolView](a.cli, "pool", "show", "acme", "--at", "2026-02-02T00:00:00Z"); pool.Available != 5000 {
			t.Errorf("after the bonus's end: %+v", pool)
		}
		if pool := decoded[poolView](a.cli, "pool", "show", "acme"); pool.Available != 5250 {
			t.Errorf("looking ahead changed something: %+v", pool)
		}
	})
	t.Run("WithoutASubscription", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t)
		c.ok("user", "set", "olga")
		shows(t, c.ok("pool", "show", "--user", "olga"), `^user olga: no subscription$`, `^period 2026-03-01T00:00:00Z to 2026-04-01T00:00:00Z`, `^total 0$`)
	})
	t.Run("Refused", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t)
		c.fails(exitUsage, []string{"--user"}, "pool", "show")
		c.fails(exitUsage, []string{"--user"}, "pool", "show", "acme", "--user", "olga")
		c.fails(exitFailed, []string{`team "acme"`, "purser team list"}, "pool", "show", "acme")
		c.fails(exitFailed, []string{`user "olga"`}, "pool", "show", "--user", "olga")
	})
}

func TestPoolBuy(t *testing.T) {
	t.Parallel()

	t.Run("P1_CreditsComeOnceTheyArePaidFor", func(t *testing.T) {
		t.Parallel()
		a := newActed(t)
		a.ok("team", "create", "acme", "--owner", "olga", "--name", "Acme")
		customer, _ := a.subscribe("team_monthly", "5", "purser_team", "acme", "purser_user", "olga")
		type bought struct {
			ID      string `json:"purchase_id"`
			URL     string `json:"url"`
			Credits int64  `json:"credits"`
			State   string `json:"state"`
		}
		b := decoded[bought](a.cli, "pool", "buy", "--team", "acme", "--pack", "pack_1000", "--by", "ann")
		purchase, err := billing.GetPurchase(t.Context(), a.cli.db, b.ID)
		a.must(err)
		if purchase.State != billing.PurchaseOpen || purchase.CustomerID != customer || purchase.CreatedBy != "ann" || purchase.URL != b.URL || b.Credits != 1000 {
			t.Errorf("the purchase is %+v", purchase)
		}
		if pool := decoded[poolView](a.cli, "pool", "show", "acme"); pool.Purchased != 0 {
			t.Errorf("credits before any payment: %+v", pool)
		}
		a.must(a.stripe.PaySession(t.Context(), *purchase.SessionID, localstripe.Payment{}))
		a.must(a.settled(t.Context()))
		if pool := decoded[poolView](a.cli, "pool", "show", "acme"); pool.Purchased != 1000 || pool.Available != 6000 {
			t.Errorf("after the payment: %+v", pool)
		}
		// The address alone is printed for people.
		shows(t, a.ok("pool", "buy", "--user", "olga", "--pack", "pack_1000"), `\Ahttp\S+\n\z`)
	})
	t.Run("Refused", func(t *testing.T) {
		t.Parallel()
		a := newActed(t)
		a.ok("user", "set", "olga")
		a.fails(exitUsage, []string{"--team", "--user"}, "pool", "buy", "--pack", "pack_1000")
		a.fails(exitUsage, []string{`"gold"`, "pack_1000"}, "pool", "buy", "--user", "olga", "--pack", "gold")
		a.fails(exitFailed, []string{`user "nobody"`}, "pool", "buy", "--user", "nobody", "--pack", "pack_1000")
		a.with("PURSER_STRIPE_URL", "http://127.0.0.1:1").
			fails(exitFailed, []string{"buying pack_1000", "try again"}, "pool", "buy", "--user", "olga", "--pack", "pack_1000")
	})
	t.Run("B1_APlanMaySellNoPacks", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t)
		c.ok("user", "set", "olga")
		catalog, err := billing.ParseCatalog("x.yaml", []byte(`
plans:
  - name: solo
    prices: [{lookup_key: solo_monthly}]
    monthly_credits: 10
packs:
  - name: pack_1
    price: {lookup_key: pack_1}
    credits: 1
without_subscription:
  top_up: {allowed: false}
`))
		if err != nil {
			t.Fatal(err)
		}
		pack, _ := catalog.Pack("pack_1")
		err = readOnly(t.Context(), c.db, func(tx pgx.Tx) error {
			owner, err := accountFlags{User: "olga"}.find(t.Context(), tx)
			if err != nil {
				return err
			}
			return mayBuy(t.Context(), tx, catalog, owner, pack, time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC))
		})
		if err == nil || !strings.Contains(err.Error(), "doesn't sell pack_1") {
			t.Errorf("it may be bought: %v", err)
		}
	})
}

func TestBonus(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.ok("team", "create", "acme", "--owner", "olga", "--name", "Acme")
	c.ok("user", "set", "ben")

	shows(t, c.ok("bonus", "grant", "100", "--team", "acme", "--key", "k1", "--memo", "sorry"), `^kind +grant$`, `^credits +100$`, `^memo +sorry$`)
	c.ok("bonus", "grant", "70", "--team", "acme", "--member", "olga", "--key", "k2", "--memo", "hers", "--expires", "2026-04-01T00:00:00+02:00")
	c.ok("bonus", "grant", "5", "--user", "ben", "--key", "k1", "--memo", "his")
	if e := decoded[entryView](c, "bonus", "grant", "100", "--team", "acme", "--key", "k1", "--memo", "sorry"); !e.Replayed || e.Credits != 100 {
		t.Errorf("the same again: %+v", e)
	}
	pool := decoded[poolView](c, "pool", "show", "acme")
	if pool.Available != 100 || pool.Allocated != 70 || pool.Bonus != 170 {
		t.Errorf("acme has %+v", pool)
	}
	if e := decoded[entryView](c, "bonus", "take", "30", "--team", "acme", "--key", "t1", "--memo", "too much"); e.Kind != "take_back" || e.Credits != 30 {
		t.Errorf("taken: %+v", e)
	}
	c.ok("bonus", "take", "20", "--team", "acme", "--grant", "k2", "--key", "t2", "--memo", "too much")
	if pool := decoded[poolView](c, "pool", "show", "acme"); pool.Available != 70 || pool.Allocated != 50 {
		t.Errorf("acme has %+v", pool)
	}

	for _, f := range []struct {
		code  int
		words []string
		args  string
	}{
		{exitFailed, []string{"granting a bonus", "another request", "--key"}, "grant 101 --team acme --key k1 --memo sorry"},
		{exitFailed, []string{"ended already"}, "grant 1 --team acme --key x --memo m --expires 2026-03-10T12:00:00Z"},
		{exitFailed, []string{"between 1 and"}, "grant 0 --team acme --key x --memo m"},
		{exitFailed, []string{"not a member"}, "grant 1 --team acme --member ben --key x --memo m"},
		{exitFailed, []string{`"nobody" is not a member`}, "grant 1 --team acme --member nobody --key x --memo m"},
		{exitFailed, []string{`user "nobody"`}, "grant 1 --user nobody --key x --memo m"},
		{exitFailed, []string{`team "bolt"`}, "grant 1 --team bolt --key x --memo m"},
		{exitFailed, []string{"taking a bonus back", "71 credits wanted, 70 available"}, "take 71 --team acme --key x --memo m"},
		{exitFailed, []string{"no bonus was granted under that key"}, "take 1 --team acme --grant k9 --key x --memo m"},
		{exitUsage, []string{"--team", "--user"}, "grant 1 --key x --memo m"},
		{exitUsage, []string{"--member goes with --team"}, "grant 1 --user ben --member olga --key x --memo m"},
		{exitUsage, []string{"--key", "--memo"}, "grant 1 --team acme"},
		{exitUsage, []string{"<credits>"}, "grant much --team acme --key x --memo m"},
		{exitUsage, []string{"--expires"}, "grant 1 --team acme --key x --memo m --expires tomorrow"},
	} {
		c.fails(f.code, f.words, append([]string{"bonus"}, strings.Fields(f.args)...)...)
	}
	shows(t, c.ok("audit"), `^audit: 0 differences$`)
}
