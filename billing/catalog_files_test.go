package billing

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestDemoCatalog(t *testing.T) {
	t.Parallel()
	catalog := DemoCatalog()
	for _, c := range []struct {
		lookupKey, plan, interval string
		credits                   int64
		teams                     bool
	}{
		{"team_monthly", "team", "month", 1000, true},
		{"team_yearly", "team", "year", 1000, true},
		{"business_monthly", "business", "month", 2000, true},
		{"solo_monthly", "solo", "month", 1000, false},
	} {
		plan, ok := catalog.PlanOf("", c.lookupKey)
		if !ok || plan.Name != c.plan || plan.MonthlyCredits != c.credits || plan.Teams != c.teams {
			t.Errorf("%s is plan %+v, want %+v", c.lookupKey, plan, c)
			continue
		}
		i := slices.IndexFunc(plan.Prices, func(p Price) bool { return p.LookupKey == c.lookupKey })
		if plan.Prices[i].Interval != c.interval {
			t.Errorf("%s is billed by %s, want %s", c.lookupKey, plan.Prices[i].Interval, c.interval)
		}
	}
	team, _ := catalog.Plan("team")
	if team.TrialCredits != 100 || team.SeatDecrease != SeatDecreaseImmediate ||
		team.Rollover.Mode != RolloverCap || team.Rollover.CapPerSeat != 500 || team.Rollover.MaxAgeTurns < 1 {
		t.Errorf("team has other rules than the demo tells of: %+v", team)
	}
	for name, credits := range map[string]int64{"pack_1000": 1000, "pack_5000": 5000} {
		if pack, ok := catalog.PackOf("", name); !ok || pack.Name != name || pack.Credits != credits || pack.ExpiryMonths != 12 {
			t.Errorf("pack %s is %+v", name, pack)
		}
	}
	for _, price := range allPrices(catalog) {
		if price.LookupKey == "" || price.UnitAmount < 1 || price.Currency != "usd" {
			t.Errorf("price %+v can't be created at a local Stripe", price)
		}
	}
	catalog.Plans[0].Name = "changed"
	if _, ok := DemoCatalog().Plan("team"); !ok {
		t.Error("a caller's change reaches the next caller")
	}
}

func allPrices(catalog *Catalog) []Price {
	var prices []Price
	for _, plan := range catalog.Plans {
		prices = append(prices, plan.Prices...)
	}
	for _, pack := range catalog.Packs {
		prices = append(prices, pack.Price)
	}
	return prices
}

func TestExampleCatalog(t *testing.T) {
	t.Parallel()
	const path = "../plans.example.yaml"
	catalog, err := LoadCatalog(path)
	if err != nil {
		t.Fatal(err)
	}

	t.Run("ShowsEveryKey", func(t *testing.T) {
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var content map[string]any
		if err := yaml.Unmarshal(src, &content); err != nil {
			t.Fatal(err)
		}
		shown := map[string]bool{}
		collectKeys(shown, "", content)
		for mapping, keys := range catalogKeys {
			for _, key := range keys {
				at := strings.TrimPrefix(mapping+"."+key, ".")
				if mapping == "top_up" {
					at = "plans." + at
				}
				if !shown[at] {
					t.Errorf("key %s isn't shown", at)
				}
			}
		}
	})
	t.Run("ShowsEveryWordThatAKeyMayHave", func(t *testing.T) {
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{
			string(CountingPerSeat), string(CountingPerSubscription), RolloverNone, RolloverAll, RolloverCap, RolloverPercent,
			SeatDecreaseImmediate, SeatDecreaseNextPeriod, IncreaseAtOnce, IncreasePaid, GrantRulePaid,
			GrantRulePeriodStart, IntervalMonth, IntervalYear, "never",
		} {
			if !bytes.Contains(src, []byte(word)) {
				t.Errorf("the word %s isn't shown", word)
			}
		}
	})
	t.Run("SellsWhatItsCommentsSay", func(t *testing.T) {
		solo, _ := catalog.Plan("solo")
		enterprise, _ := catalog.Plan("enterprise")
		platform, _ := catalog.Plan("platform")
		if solo.Teams || enterprise.GrantRule != GrantRulePeriodStart || platform.Counting != CountingPerSubscription {
			t.Errorf("solo %+v\nenterprise %+v\nplatform %+v", solo, enterprise, platform)
		}
		if plan, ok := catalog.PlanOf("price_1QexampleTeam2024", ""); !ok || plan.Name != "team" {
			t.Errorf("last year's price is plan %+v", plan)
		}
	})
}

// collectKeys notes each key by the path of keys that leads to it.
func collectKeys(shown map[string]bool, path string, value any) {
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			at := strings.TrimPrefix(path+"."+key, ".")
			shown[at] = true
			collectKeys(shown, at, inner)
		}
	case []any:
		for _, inner := range value {
			collectKeys(shown, path, inner)
		}
	}
}
