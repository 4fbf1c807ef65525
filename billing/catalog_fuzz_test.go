package billing

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// FuzzParseCatalog holds that any bytes give either errors that each name a
// line of the file and a rule, or a catalogue that keeps its own rules and that
// is the same catalogue when it is written out and read again.
func FuzzParseCatalog(f *testing.F) {
	f.Add(demoCatalogSource)
	example, err := os.ReadFile(filepath.Join("..", "plans.example.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example)
	for _, seed := range []string{
		"", "---\n---\n", "plans: [", "&a [*a]", "\xff", "plans:\n\t- a", "? [a]\n: b",
		shortCatalog, strings.ReplaceAll(shortCatalog, "\n", "\r\n"),
		planWith("monthly_credits: 99999999999999999999", "renewal_grace: 9999d99999h999999m999999s"),
		planWith("title: !!binary aGk=", "features: [&a b, *a]", "<<: {teams: false}"),
		planWith("rollover: {mode: percent, percent: 50}", "top_up: {packs: [pack_1000]}") + packWith("expiry_months: never"),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		catalog, err := ParseCatalog("plans.yaml", src)
		if err != nil {
			if catalog != nil {
				t.Error("an error, and a catalogue besides")
			}
			checkCatalogErrors(t, src, err)
			return
		}
		checkCatalog(t, catalog)
		again, err := ParseCatalog("again.yaml", writeCatalog(t, catalog))
		if err != nil {
			t.Fatalf("written out, the catalogue is refused: %v\n%s", err, writeCatalog(t, catalog))
		}
		if again.Hash != catalog.Hash {
			t.Errorf("written out, the catalogue is another\n%s", writeCatalog(t, catalog))
		}
		var text bytes.Buffer
		catalog.Describe(&text)
		if !utf8.Valid(text.Bytes()) {
			t.Errorf("the description isn't UTF-8: %q", text.String())
		}
	})
}

func checkCatalogErrors(t *testing.T, src []byte, err error) {
	t.Helper()
	found := CatalogErrors(err)
	if len(found) == 0 {
		t.Fatalf("an error that names no rule: %v", err)
	}
	lines := 1 + bytes.Count(src, []byte("\n")) + bytes.Count(src, []byte("\r")) +
		bytes.Count(src, []byte("\u0085")) + bytes.Count(src, []byte("\u2028")) + bytes.Count(src, []byte("\u2029"))
	last := 0
	for _, one := range found {
		if one.Line < 1 || one.Line > lines || one.Line < last || one.Rule == "" || one.Message == "" || !utf8.ValidString(one.Error()) {
			t.Errorf("error %+v after line %d, in a file of %d lines", one, last, lines)
		}
		last = one.Line
	}
}

// checkCatalog says again, in other words, what a catalogue promises.
func checkCatalog(t *testing.T, c *Catalog) {
	t.Helper()
	hold := func(ok bool, what string, about any) {
		if !ok {
			t.Errorf("%s: %+v", what, about)
		}
	}
	amount := func(n int64) bool { return n >= 1 && n <= 1_000_000_000_000 }
	seen := map[string]bool{}
	distinct := func(p Price) {
		hold((p.ID == "") != (p.LookupKey == ""), "a price has one name", p)
		key := fmt.Sprintf("%q %q", p.ID, p.LookupKey)
		hold(!seen[key], "a price stands once", p)
		seen[key] = true
		hold(p.Interval == "" && p.IntervalCount == 0 || p.Interval == "month" && p.IntervalCount >= 1 ||
			p.Interval == "year" && p.IntervalCount >= 1, "a price is by month or year", p)
	}
	hold(len(c.Hash) == 64 && len(c.Plans)+len(c.Packs) > 0, "a catalogue sells something and has a hash", c)
	for i := range c.Plans {
		p := &c.Plans[i]
		byName, _ := c.Plan(p.Name)
		hold(byName == p && p.Title != "", "a plan is found by its name", p)
		hold(amount(p.MonthlyCredits) && (p.TrialCredits == 0 || amount(p.TrialCredits)), "credits are 1 to 10^12", p)
		hold(p.MembersMax >= 1 && (p.Teams || p.MembersMax == 1), "somebody fits into a team", p)
		hold(p.RenewalGrace >= 0 && p.RenewalGrace < 28*24*time.Hour, "a grace is under 28 days", p)
		hold(len(p.Prices) > 0, "a plan has a price", p)
		for _, price := range p.Prices {
			distinct(price)
			found, ok := c.PlanOf(price.ID, price.LookupKey)
			hold(ok && found == p, "a price leads to its plan", price)
		}
		r := p.Rollover
		hold((r.Mode == "cap") == (r.CapPerSeat > 0) && (r.Mode == "percent") == (r.Percent > 0) && r.Percent <= 100 &&
			(r.Mode != "none" || r.MaxAgeTurns == 0), "a rollover has what its mode needs, and no more", r)
		for _, pack := range p.TopUp.Packs {
			_, ok := c.Pack(pack)
			hold(ok, "a top-up's pack is for sale", pack)
		}
	}
	for i := range c.Packs {
		p := &c.Packs[i]
		distinct(p.Price)
		byName, _ := c.Pack(p.Name)
		found, ok := c.PackOf(p.Price.ID, p.Price.LookupKey)
		hold(byName == p && ok && found == p && p.Title != "", "a pack is found by its name and price", p)
		hold(amount(p.Credits) && p.Price.Interval == "", "a pack brings credits, once", p)
		hold(p.NeverExpires == (p.ExpiryMonths == 0), "a pack expires or never does", p)
	}
}

// writeCatalog writes a catalogue with every key that differs from nothing.
func writeCatalog(t *testing.T, c *Catalog) []byte {
	t.Helper()
	content := map[string]any{"without_subscription": writeWithout(c.WithoutSubscription)}
	for _, p := range c.Plans {
		list, _ := content["plans"].([]any)
		content["plans"] = append(list, writePlan(p))
	}
	for _, p := range c.Packs {
		pack := map[string]any{"name": p.Name, "title": p.Title, "price": writePrice(p.Price), "credits": p.Credits}
		pack["expiry_months"] = "never"
		if !p.NeverExpires {
			pack["expiry_months"] = p.ExpiryMonths
		}
		list, _ := content["packs"].([]any)
		content["packs"] = append(list, pack)
	}
	text, err := yaml.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func writePlan(p Plan) map[string]any {
	plan := map[string]any{
		"name": p.Name, "title": p.Title, "counting": string(p.Counting), "monthly_credits": p.MonthlyCredits,
		"teams": p.Teams, "seat_decrease": p.SeatDecrease, "proration": p.Proration, "increase": p.Increase,
		"grant_rule": p.GrantRule, "renewal_grace": catalogDays(p.RenewalGrace), "top_up": writeTopUp(p.TopUp),
	}
	var prices []any
	for _, price := range p.Prices {
		prices = append(prices, writePrice(price))
	}
	plan["prices"] = prices
	rollover := map[string]any{"mode": p.Rollover.Mode}
	put(rollover, "cap_per_seat", p.Rollover.CapPerSeat, p.Rollover.CapPerSeat > 0)
	put(rollover, "percent", p.Rollover.Percent, p.Rollover.Percent > 0)
	put(rollover, "max_age_turns", p.Rollover.MaxAgeTurns, p.Rollover.MaxAgeTurns > 0)
	plan["rollover"] = rollover
	put(plan, "trial_credits", p.TrialCredits, p.TrialCredits > 0)
	put(plan, "features", p.Features, len(p.Features) > 0)
	put(plan, "members_max", p.MembersMax, p.Teams)
	return plan
}

func writePrice(p Price) map[string]any {
	price := map[string]any{}
	put(price, "id", p.ID, p.ID != "")
	put(price, "lookup_key", p.LookupKey, p.LookupKey != "")
	put(price, "interval", p.Interval, p.Interval != "")
	put(price, "interval_count", p.IntervalCount, p.IntervalCount > 0)
	put(price, "unit_amount", p.UnitAmount, p.UnitAmount > 0)
	put(price, "currency", p.Currency, p.Currency != "")
	return price
}

func writeTopUp(r TopUpRules) map[string]any {
	rules := map[string]any{"allowed": r.Allowed}
	put(rules, "packs", r.Packs, len(r.Packs) > 0)
	put(rules, "count_max", r.CountMax, r.Allowed)
	put(rules, "auto", r.Auto, r.Allowed)
	put(rules, "auto_credits_per_month_max", r.AutoCreditsPerMonthMax, r.Auto)
	put(rules, "auto_amount_per_month_max", r.AutoAmountPerMonthMax, r.Auto)
	return rules
}

func writeWithout(w WithoutSubscription) map[string]any {
	without := map[string]any{"teams": w.Teams, "top_up": writeTopUp(w.TopUp)}
	put(without, "features", w.Features, len(w.Features) > 0)
	put(without, "members_max", w.MembersMax, w.Teams)
	return without
}

func put(mapping map[string]any, key string, value any, there bool) {
	if there {
		mapping[key] = value
	}
}
