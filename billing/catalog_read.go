package billing

import (
	"fmt"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

// catalogKeys are all the keys of a catalogue, by the mapping they stand in.
// The check for unknown keys reads it, and a test holds plans.example.yaml to
// showing each of them.
var catalogKeys = map[string][]string{
	"":                     {"plans", "packs", "without_subscription"},
	"plans":                catalogPlanKeys,
	"plans.prices":         {"id", "lookup_key", "interval", "interval_count", "unit_amount", "currency"},
	"plans.rollover":       {"mode", "cap_per_seat", "percent", "max_age_turns"},
	"packs":                {"name", "title", "price", "credits", "expiry_months"},
	"packs.price":          {"id", "lookup_key", "unit_amount", "currency"},
	"top_up":               {"allowed", "packs", "count_max", "auto", "auto_credits_per_month_max", "auto_amount_per_month_max"},
	"without_subscription": {"teams", "members_max", "features", "top_up"},
}

var catalogPlanKeys = []string{
	"name", "title", "prices", "counting", "monthly_credits", "trial_credits", "features", "teams", "members_max",
	"rollover", "seat_decrease", "proration", "increase", "grant_rule", "renewal_grace", "top_up",
}

const (
	renewalGraceDefault = 24 * time.Hour
	// renewalGraceBelow keeps a turn inside the shortest month that follows it.
	renewalGraceBelow = 28 * 24 * time.Hour

	packExpiryMonthsDefault = 12
	packExpiryMonthsMax     = 1200

	topUpCountDefault = 100
	topUpCountMax     = 10_000

	membersWithoutSubscription = 5

	// intervalMonthsMax is the longest interval that Stripe bills by.
	intervalMonthsMax = 36

	titleLengthMax     = 200
	priceIDLengthMax   = 255
	lookupKeyLengthMax = 200
)

// catalog reads the whole. Packs come first, because plans refer to them.
func (r *catalogReader) catalog(root *yaml.Node) *Catalog {
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		r.failAt(1, 1, "", CatalogRuleEmpty, "the catalogue is empty; it needs plans or packs")
		return nil
	}
	m, ok := r.mapping(root, "", catalogKeys[""])
	if !ok {
		return nil
	}
	if !m.has("plans") && !m.has("packs") {
		r.fail(root, "", CatalogRuleEmpty, "nothing is for sale; a catalogue needs plans or packs")
	}
	c := &Catalog{}
	c.Packs = r.readPacks(m)
	c.Plans = r.readPlans(m)
	c.WithoutSubscription = r.readWithoutSubscription(m)
	if len(r.errors) == 0 {
		c.Warnings = r.warnings(c)
	}
	return c
}

func (r *catalogReader) readPlans(m catalogMap) []Plan {
	r.planNodes = m.list("plans", "leave the key out to sell no plans")
	var plans []Plan
	lines := map[string]int{}
	for i, node := range r.planNodes {
		path := fmt.Sprintf("plans[%d]", i)
		if plan, ok := r.mapping(node, path, catalogKeys["plans"]); ok {
			plans = append(plans, plan.plan())
			plan.unique(lines)
		}
	}
	return plans
}

func (r *catalogReader) readPacks(m catalogMap) []Pack {
	r.packNodes = m.list("packs", "leave the key out to sell no packs")
	var packs []Pack
	lines := map[string]int{}
	for i, node := range r.packNodes {
		path := fmt.Sprintf("packs[%d]", i)
		if pack, ok := r.mapping(node, path, catalogKeys["packs"]); ok {
			packs = append(packs, pack.pack())
			pack.unique(lines)
		}
	}
	for name := range lines {
		r.packs = append(r.packs, name)
	}
	slices.Sort(r.packs)
	return packs
}

// unique refuses a name that another plan, or another pack, has already.
func (m catalogMap) unique(lines map[string]int) {
	node := m.values["name"]
	if node == nil || node.Kind != yaml.ScalarNode {
		return
	}
	if first, taken := lines[node.Value]; taken {
		m.fail("name", CatalogRuleDuplicateName, fmt.Sprintf("%q stands on line %d already", catalogQuote(node.Value), first))
		return
	}
	lines[node.Value] = node.Line
}

func (m catalogMap) plan() Plan {
	m.require("name", "prices", "monthly_credits")
	p := Plan{
		Name:           m.word("name"),
		Prices:         m.prices(),
		Counting:       Counting(m.choice("counting", string(CountingPerSeat), string(CountingPerSubscription))),
		MonthlyCredits: m.whole("monthly_credits", catalogRange{min: 1, max: CreditsMax}, 0),
		TrialCredits:   m.whole("trial_credits", catalogRange{1, CreditsMax, "leave the key out if a trial brings no credits"}, 0),
		Features:       m.features(),
		Teams:          m.boolean("teams", true),
		SeatDecrease:   m.choice("seat_decrease", SeatDecreaseImmediate, SeatDecreaseNextPeriod),
		Proration:      m.boolean("proration", false),
		Increase:       m.choice("increase", IncreaseAtOnce, IncreasePaid),
		GrantRule:      m.choice("grant_rule", GrantRulePaid, GrantRulePeriodStart),
		RenewalGrace:   m.duration("renewal_grace", renewalGraceBelow, renewalGraceDefault),
		TopUp:          m.topUp(),
	}
	p.Title = m.line("title", p.Name, titleLengthMax)
	p.MembersMax = m.membersMax(p.Teams, MembersMaxLimit)
	p.Rollover = m.rollover()
	return p
}

// membersMax reads members_max. Where there are no teams it is 1, so that a
// team that was downgraded to such a plan lets nobody new in.
func (m catalogMap) membersMax(teams bool, otherwise int) int {
	if !teams {
		m.contradict("can't be meant beside teams: false", "members_max")
		return 1
	}
	return int(m.whole("members_max", catalogRange{min: 1, max: MembersMaxLimit}, int64(otherwise)))
}

func (m catalogMap) features() []string {
	return m.texts("features", "leave the key out for none", func(node *yaml.Node, at string) {
		m.r.name(node, at, catalogNameLengthMax)
	})
}

func (m catalogMap) rollover() Rollover {
	node := m.values["rollover"]
	if node == nil {
		return Rollover{Mode: RolloverNone}
	}
	o, ok := m.r.mapping(node, m.at("rollover"), catalogKeys["plans.rollover"])
	if !ok {
		return Rollover{}
	}
	o.require("mode")
	rollover := Rollover{
		Mode:        o.choice("mode", RolloverNone, RolloverAll, RolloverCap, RolloverPercent),
		CapPerSeat:  o.whole("cap_per_seat", catalogRange{1, CreditsMax, "write mode: none if nothing is to roll"}, 0),
		Percent:     int(o.whole("percent", catalogRange{1, 100, "write mode: none if nothing is to roll"}, 0)),
		MaxAgeTurns: int(o.whole("max_age_turns", catalogRange{1, 1200, "leave the key out for no maximum age"}, 0)),
	}
	if !o.has("mode") {
		return rollover
	}
	for key, mode := range map[string]string{"cap_per_seat": RolloverCap, "percent": RolloverPercent} {
		if rollover.Mode == mode {
			o.require(key)
		} else {
			o.contradict("belongs to mode: "+mode, key)
		}
	}
	if rollover.Mode == RolloverNone {
		o.contradict("can't be meant beside mode: none", "max_age_turns")
	}
	return rollover
}

func (m catalogMap) topUp() TopUpRules {
	o := catalogMap{r: m.r, node: m.node, path: m.at("top_up")}
	if node := m.values["top_up"]; node != nil {
		o, _ = m.r.mapping(node, m.at("top_up"), catalogKeys["top_up"])
	}
	rules := TopUpRules{Allowed: o.boolean("allowed", true)}
	if !rules.Allowed {
		o.contradict("can't be meant beside allowed: false", catalogKeys["top_up"][1:]...)
		return rules
	}
	rules.Packs = o.texts("packs", "leave the key out for all, or write allowed: false for none", o.knownPack)
	rules.CountMax = int(o.whole("count_max", catalogRange{min: 1, max: topUpCountMax}, topUpCountDefault))
	rules.Auto = o.boolean("auto", true)
	if !rules.Auto {
		o.contradict("can't be meant beside auto: false", "auto_credits_per_month_max", "auto_amount_per_month_max")
		return rules
	}
	hint := "write auto: false if nothing is to be bought automatically"
	rules.AutoCreditsPerMonthMax = o.whole("auto_credits_per_month_max", catalogRange{1, CreditsMax, hint}, CreditsMax)
	rules.AutoAmountPerMonthMax = o.whole("auto_amount_per_month_max", catalogRange{1, AmountMax, hint}, AmountMax)
	return rules
}

func (m catalogMap) knownPack(node *yaml.Node, at string) {
	if !catalogOneOf(node.Value, m.r.packs) {
		m.r.fail(node, at, CatalogRuleUnknownPack,
			fmt.Sprintf("no pack is named %q%s", catalogQuote(node.Value), catalogSuggestion(node.Value, m.r.packs)))
	}
}

func (m catalogMap) pack() Pack {
	m.require("name", "price", "credits")
	p := Pack{
		Name:    m.word("name"),
		Price:   m.packPrice(),
		Credits: m.whole("credits", catalogRange{min: 1, max: CreditsMax}, 0),
	}
	p.Title = m.line("title", p.Name, titleLengthMax)
	if node := m.values["expiry_months"]; node != nil && node.Kind == yaml.ScalarNode && node.Value == "never" {
		p.NeverExpires = true
		return p
	}
	bounds := catalogRange{1, packExpiryMonthsMax, "write never if the credits never expire"}
	p.ExpiryMonths = int(m.whole("expiry_months", bounds, packExpiryMonthsDefault))
	return p
}

func (r *catalogReader) readWithoutSubscription(m catalogMap) WithoutSubscription {
	o := catalogMap{r: r, node: m.node, path: "without_subscription"}
	if node := m.values["without_subscription"]; node != nil {
		o, _ = r.mapping(node, "without_subscription", catalogKeys["without_subscription"])
	}
	w := WithoutSubscription{Teams: o.boolean("teams", true), Features: o.features(), TopUp: o.topUp()}
	w.MembersMax = o.membersMax(w.Teams, membersWithoutSubscription)
	return w
}
