package billing

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The shortest catalogue that is allowed; cases append lines to it or replace
// one of them.
const shortCatalog = `plans:
  - name: team
    prices:
      - lookup_key: team_monthly
    monthly_credits: 1000
`

func mustParseCatalog(t *testing.T, src string) *Catalog {
	t.Helper()
	catalog, err := ParseCatalog("plans.yaml", []byte(src))
	if err != nil {
		t.Fatalf("the catalogue is refused:\n%v\n%s", err, src)
	}
	return catalog
}

func TestParseCatalog(t *testing.T) {
	t.Parallel()

	t.Run("B1_WhatIsLeftOutHasItsDefault", func(t *testing.T) {
		t.Parallel()
		catalog := mustParseCatalog(t, shortCatalog+"packs:\n  - {name: p, price: {id: price_p}, credits: 10}\n")
		topUp := TopUpRules{
			Allowed: true, CountMax: 100, Auto: true, AutoCreditsPerMonthMax: CreditsMax, AutoAmountPerMonthMax: AmountMax,
		}
		assertJSONEqual(t, catalog.Plans, []Plan{{
			Name: "team", Title: "team", Prices: []Price{{LookupKey: "team_monthly"}}, Counting: CountingPerSeat,
			MonthlyCredits: 1000, Teams: true, MembersMax: MembersMaxLimit, Rollover: Rollover{Mode: RolloverNone},
			SeatDecrease: SeatDecreaseImmediate, Increase: IncreaseAtOnce, GrantRule: GrantRulePaid,
			RenewalGrace: 24 * time.Hour, TopUp: topUp,
		}})
		assertJSONEqual(t, catalog.Packs, []Pack{{
			Name: "p", Title: "p", Price: Price{ID: "price_p"}, Credits: 10, ExpiryMonths: 12,
		}})
		assertJSONEqual(t, catalog.WithoutSubscription, WithoutSubscription{Teams: true, MembersMax: 5, TopUp: topUp})
	})

	t.Run("B1_EveryKeyReachesItsField", func(t *testing.T) {
		t.Parallel()
		catalog := mustParseCatalog(t, `
plans:
  - name: base
    title: Base fee
    prices:
      - {id: price_1, interval: year, interval_count: 2, unit_amount: 9_900, currency: eur}
      - {lookup_key: base_quarterly, interval: month, interval_count: 3}
    counting: per_subscription
    monthly_credits: 1_000_000_000_000
    trial_credits: 7
    features: [sso, "2fa"]
    members_max: 12
    rollover: {mode: percent, percent: 100, max_age_turns: 2}
    seat_decrease: next_period
    proration: true
    increase: paid
    grant_rule: period_start
    renewal_grace: 1d12h30m5s
    top_up: {allowed: true, packs: [small], count_max: 3, auto_credits_per_month_max: 500, auto_amount_per_month_max: 900}
packs:
  - name: small
    title: Small
    price: {lookup_key: small, unit_amount: 500, currency: eur}
    credits: 100
    expiry_months: never
without_subscription:
  teams: false
  features: [docs]
  top_up: {auto: false, count_max: 2}
`)
		assertJSONEqual(t, catalog.Plans, []Plan{{
			Name: "base", Title: "Base fee",
			Prices: []Price{
				{ID: "price_1", Interval: "year", IntervalCount: 2, UnitAmount: 9900, Currency: "eur"},
				{LookupKey: "base_quarterly", Interval: "month", IntervalCount: 3},
			},
			Counting: CountingPerSubscription, MonthlyCredits: CreditsMax, TrialCredits: 7,
			Features: []string{"sso", "2fa"}, Teams: true, MembersMax: 12,
			Rollover:     Rollover{Mode: RolloverPercent, Percent: 100, MaxAgeTurns: 2},
			SeatDecrease: SeatDecreaseNextPeriod, Proration: true, Increase: IncreasePaid, GrantRule: GrantRulePeriodStart,
			RenewalGrace: 36*time.Hour + 30*time.Minute + 5*time.Second,
			TopUp: TopUpRules{
				Allowed: true, Packs: []string{"small"}, CountMax: 3, Auto: true,
				AutoCreditsPerMonthMax: 500, AutoAmountPerMonthMax: 900,
			},
		}})
		assertJSONEqual(t, catalog.Packs, []Pack{{
			Name: "small", Title: "Small", Price: Price{LookupKey: "small", UnitAmount: 500, Currency: "eur"},
			Credits: 100, NeverExpires: true,
		}})
		assertJSONEqual(t, catalog.WithoutSubscription, WithoutSubscription{
			MembersMax: 1, Features: []string{"docs"}, TopUp: TopUpRules{Allowed: true, CountMax: 2},
		})
	})

	t.Run("PacksAloneAreACatalogue", func(t *testing.T) {
		t.Parallel()
		mustParseCatalog(t, "packs:\n  - {name: p, price: {id: price_p}, credits: 10}\n")
	})

	t.Run("AByteOrderMarkAndWindowsLinesAreHarmless", func(t *testing.T) {
		t.Parallel()
		plain := mustParseCatalog(t, shortCatalog)
		windows := mustParseCatalog(t, "\ufeff"+strings.ReplaceAll(shortCatalog, "\n", "\r\n"))
		if plain.Hash != windows.Hash {
			t.Errorf("hash %s, with Windows lines %s", plain.Hash, windows.Hash)
		}
	})

	t.Run("ABrokenCatalogueIsReportedWholeInTheOrderOfTheFile", func(t *testing.T) {
		t.Parallel()
		_, err := ParseCatalog("plans.yaml", []byte(`plans:
  - name: team
    monthly_credits: 0
    prices: [{id: price_1, interval: week}]
    top_up: {packs: [nothing]}
packs:
  - name: p
    credits: 1.5
    price: {id: price_1}
`))
		var got []string
		for _, one := range CatalogErrors(err) {
			got = append(got, fmt.Sprintf("%d %s %s", one.Line, one.Path, one.Rule))
		}
		want := []string{
			"3 plans[0].monthly_credits range",
			"4 plans[0].prices[0].id duplicate_price",
			"4 plans[0].prices[0].interval interval",
			"5 plans[0].top_up.packs[0] unknown_pack",
			"8 packs[0].credits whole_number",
		}
		if !slices.Equal(got, want) {
			t.Errorf("errors:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		first := "plans.yaml:3:22: plans[0].monthly_credits: must be 1 to 1000000000000, but is 0 [range]"
		if !strings.HasPrefix(err.Error(), first+"\n") {
			t.Errorf("the first error reads\n%v\nwant\n%s", err, first)
		}
	})
}

func TestLoadCatalog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}

	t.Run("NamesTheFileInItsErrors", func(t *testing.T) {
		path := write("broken.yaml", []byte("plans: 1\n"))
		_, err := LoadCatalog(path)
		if found := CatalogErrors(err); len(found) != 1 || found[0].File != path {
			t.Errorf("errors %v, want one that names %s", err, path)
		}
	})
	t.Run("RefusesAFileOverOneMiBAndTakesOneOfExactlyThat", func(t *testing.T) {
		full := slices.Concat([]byte(shortCatalog), bytes.Repeat([]byte("\n"), 1<<20-len(shortCatalog)))
		if _, err := LoadCatalog(write("full.yaml", full)); err != nil {
			t.Errorf("1 MiB is refused: %v", err)
		}
		_, err := LoadCatalog(write("large.yaml", append(full, '\n')))
		if found := CatalogErrors(err); len(found) != 1 || found[0].Rule != CatalogRuleSize {
			t.Errorf("one byte more gives %v, want %s", err, CatalogRuleSize)
		}
	})
	t.Run("SaysWhenThereIsNoFile", func(t *testing.T) {
		_, err := LoadCatalog(filepath.Join(dir, "nowhere.yaml"))
		if !errors.Is(err, os.ErrNotExist) || len(CatalogErrors(err)) != 0 {
			t.Errorf("error %v, want one that is os.ErrNotExist", err)
		}
	})
}

func TestCatalogHash(t *testing.T) {
	t.Parallel()
	base := mustParseCatalog(t, shortCatalog).Hash
	same := map[string]string{
		"comments and layout": "# ours\n" + strings.ReplaceAll(shortCatalog, "1000", " 1_000 # credits"),
		"a spelled default":   shortCatalog + "    grant_rule: paid\n    renewal_grace: 1d\nwithout_subscription: {members_max: 5}\n",
	}
	for what, src := range same {
		if got := mustParseCatalog(t, src).Hash; got != base {
			t.Errorf("%s changed the hash", what)
		}
	}
	second := "  - {name: solo, prices: [{id: price_s}], monthly_credits: 5}\n"
	third := "  - {name: more, prices: [{id: price_m}], monthly_credits: 5}\n"
	seen := map[string]string{base: "the short catalogue"}
	for what, src := range map[string]string{
		"a figure":       strings.Replace(shortCatalog, "1000", "1001", 1),
		"a price":        strings.Replace(shortCatalog, "lookup_key", "id", 1),
		"a plan more":    shortCatalog + second,
		"two plans more": shortCatalog + second + third,
		"another order":  shortCatalog + third + second,
		"a grace":        shortCatalog + "    renewal_grace: 25h\n",
		"without":        shortCatalog + "without_subscription: {members_max: 6}\n",
	} {
		hash := mustParseCatalog(t, src).Hash
		if other := seen[hash]; other != "" {
			t.Errorf("%s has the hash of %s", what, other)
		}
		seen[hash] = what
	}
}

func TestCatalogLookups(t *testing.T) {
	t.Parallel()
	catalog := mustParseCatalog(t, `
plans:
  - {name: old, prices: [{id: price_old}, {lookup_key: moved}], monthly_credits: 1}
  - {name: new, prices: [{id: price_new}], monthly_credits: 2}
packs:
  - {name: small, price: {id: price_small}, credits: 1}
  - {name: large, price: {lookup_key: large}, credits: 2}
`)
	for _, c := range []struct{ id, key, plan, pack string }{
		{id: "price_old", plan: "old"},
		{id: "price_other", key: "moved", plan: "old"},
		{id: "price_new", key: "moved", plan: "new"}, // the id decides before the key
		{id: "price_small", pack: "small"},
		{key: "large", pack: "large"},
		{id: "large"},       // an id isn't a key
		{key: "price_new"},  // nor a key an id
		{id: "price_other"}, // unknown
		{},                  // nothing known of the price: entries without an id don't match it
	} {
		plan, found := catalog.PlanOf(c.id, c.key)
		if found != (c.plan != "") || found && plan.Name != c.plan {
			t.Errorf("PlanOf(%q, %q) = %v, %v; want plan %q", c.id, c.key, plan, found, c.plan)
		}
		pack, found := catalog.PackOf(c.id, c.key)
		if found != (c.pack != "") || found && pack.Name != c.pack {
			t.Errorf("PackOf(%q, %q) = %v, %v; want pack %q", c.id, c.key, pack, found, c.pack)
		}
	}
	if plan, ok := catalog.Plan("new"); !ok || plan != &catalog.Plans[1] {
		t.Errorf("Plan(new) = %v, %v; want the catalogue's own", plan, ok)
	}
	if pack, ok := catalog.Pack("large"); !ok || pack != &catalog.Packs[1] {
		t.Errorf("Pack(large) = %v, %v; want the catalogue's own", pack, ok)
	}
	if _, ok := catalog.Plan("small"); ok {
		t.Error("a pack's name finds a plan")
	}
	if _, ok := catalog.Pack("old"); ok {
		t.Error("a plan's name finds a pack")
	}
}

func TestTopUpRules_AllowsPack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rules TopUpRules
		want  bool
	}{
		{TopUpRules{Allowed: true}, true},
		{TopUpRules{Allowed: true, Packs: []string{"other", "small"}}, true},
		{TopUpRules{Allowed: true, Packs: []string{"other"}}, false},
		{TopUpRules{Packs: []string{"small"}}, false},
		{TopUpRules{}, false},
	} {
		if got := c.rules.AllowsPack("small"); got != c.want {
			t.Errorf("%+v allows the pack: %v, want %v", c.rules, got, c.want)
		}
	}
}

// assertJSONEqual compares by what the hash is made of.
func assertJSONEqual(t *testing.T, got, want any) {
	t.Helper()
	gotText, err := json.MarshalIndent(got, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	wantText, err := json.MarshalIndent(want, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if string(gotText) != string(wantText) {
		t.Errorf("got %s\nwant %s", gotText, wantText)
	}
}
