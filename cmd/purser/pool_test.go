package main

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/internal/localstripe"
	"purser/teams"
)

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
		err = pgx.BeginFunc(t.Context(), c.db, func(tx pgx.Tx) error {
			_, err := teams.Buy(t.Context(), tx, catalog, teams.BuyIn{PurchaseID: newID("top"), UserID: "olga", Pack: "pack_1"},
				time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC))
			return err
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
