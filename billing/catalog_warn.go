package billing

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// stripeDraftTime is about how long Stripe leaves a renewal's invoice a draft
// before it asks for the money.
const stripeDraftTime = time.Hour

// warnings says what surprises people in a catalogue without errors. What many
// plans share is said once, at the first of them.
func (r *catalogReader) warnings(c *Catalog) []CatalogWarning {
	var found []CatalogWarning
	add := func(node *yaml.Node, path, rule, message string) {
		found = append(found, CatalogWarning{
			File: r.file, Line: node.Line, Column: node.Column, Path: path, Rule: rule, Message: message,
		})
	}
	shared := func(rule, message string, applies func(Plan) bool) {
		var names []string
		first := 0
		for i, plan := range c.Plans {
			if applies(plan) {
				if len(names) == 0 {
					first = i
				}
				names = append(names, plan.Name)
			}
		}
		if len(names) > 0 {
			add(r.planNodes[first], fmt.Sprintf("plans[%d]", first), rule, catalogNames("plan", names)+": "+message)
		}
	}
	shared("B7", "credits come when the invoice is paid. A subscription billed by send_invoice is paid days or weeks into "+
		"its period and would have no credits until then: plans billed so need grant_rule: period_start",
		func(p Plan) bool { return p.GrantRule == GrantRulePaid })
	shared("B10", "with proration: false, seats bought for an hour bring a whole month's credits. When they go, "+
		"what is unspent is taken back at once or at the period's end, but what was spent is forgotten then. "+
		"With proration: true they bring a share of the month, and what was spent is set off against the next grant",
		func(p Plan) bool { return !p.Proration && p.Counting == CountingPerSeat })
	for i, plan := range c.Plans {
		for _, w := range planWarnings(plan) {
			add(r.planNodes[i], fmt.Sprintf("plans[%d]", i), w.Rule, catalogNames("plan", []string{plan.Name})+": "+w.Message)
		}
	}
	for i, pack := range c.Packs {
		if !c.sells(pack.Name) {
			add(r.packNodes[i], fmt.Sprintf("packs[%d]", i), "P1", fmt.Sprintf("pack %q can't be bought: "+
				"no plan's top_up allows it, and without_subscription doesn't either", pack.Name))
		}
	}
	slices.SortStableFunc(found, func(a, b CatalogWarning) int { return cmp.Compare(a.Line, b.Line) })
	return found
}

// planWarnings are what concerns one plan alone.
func planWarnings(p Plan) []CatalogWarning {
	var found []CatalogWarning
	add := func(rule, message string) { found = append(found, CatalogWarning{Rule: rule, Message: message}) }
	if p.Rollover.Mode == RolloverAll && p.Rollover.MaxAgeTurns == 0 {
		add("B9", "rollover mode all without max_age_turns lets unspent credits grow for ever")
	}
	if p.Rollover.Mode == RolloverCap && p.Counting == CountingPerSubscription {
		add("B9", fmt.Sprintf("a plan counted per subscription buys no seats, so cap_per_seat counts for one: "+
			"%d credits roll over at most, or more if another plan of the same subscription has seats", p.Rollover.CapPerSeat))
	}
	if p.GrantRule == GrantRulePaid && p.RenewalGrace < 2*stripeDraftTime {
		add("B8", fmt.Sprintf("Stripe asks for a renewal's money about an hour after the period began; "+
			"with renewal_grace: %s credits may end before the payment that renews them", catalogDays(p.RenewalGrace)))
	}
	if p.GrantRule == GrantRulePeriodStart && p.RenewalGrace != renewalGraceDefault {
		add("B8", "renewal_grace does nothing under grant_rule: period_start, because the turn doesn't wait for a payment")
	}
	return found
}

// sells reports whether anybody may buy the pack.
func (c *Catalog) sells(pack string) bool {
	return c.WithoutSubscription.TopUp.AllowsPack(pack) ||
		slices.ContainsFunc(c.Plans, func(p Plan) bool { return p.TopUp.AllowsPack(pack) })
}

// catalogNames writes `plan "solo"` or `plans "solo", "team"`.
func catalogNames(noun string, names []string) string {
	const shown = 10
	if len(names) > 1 {
		noun += "s"
	}
	text := noun + ` "` + strings.Join(names[:min(len(names), shown)], `", "`) + `"`
	if len(names) > shown {
		text += fmt.Sprintf(" and %d more", len(names)-shown)
	}
	return text
}
