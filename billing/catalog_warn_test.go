package billing

import (
	"fmt"
	"strings"
	"testing"
)

func TestCatalogWarnings(t *testing.T) {
	t.Parallel()
	// This plan gives no cause for a warning; each case changes one thing.
	calm := []string{"grant_rule: period_start", "proration: true"}
	plan := func(lines ...string) string { return planWith(append(calm[:2:2], lines...)...) }
	for _, c := range []struct {
		name    string
		src     string
		want    string // "line path rule" of the only warning
		message string
	}{
		{"ACalmPlanHasNone", plan(), "", ""},
		{"B7_GrantsWhenPaidLeaveSendInvoiceWithoutCredits", planWith("proration: true"), "2 plans[0] B7", "need grant_rule: period_start"},
		{"B10_SeatsForAnHourBringAMonth", planWith("grant_rule: period_start"), "2 plans[0] B10", "seats bought for an hour bring a whole month's credits"},
		{"B10_ABaseFeeHasNoSeatsToBuyForAnHour", planWith("grant_rule: period_start", "counting: per_subscription"), "", ""},
		{"B9_AllWithoutAnAgeGrowsForEver", plan("rollover: {mode: all}"), "2 plans[0] B9", "grow for ever"},
		{"B9_AllWithAnAgeDoesNot", plan("rollover: {mode: all, max_age_turns: 3}"), "", ""},
		{"B9_ACapOfABaseFeeCountsForOneSeat", plan("counting: per_subscription", "rollover: {mode: cap, cap_per_seat: 70}"), "2 plans[0] B9", "70 credits roll over at most"},
		{"B8_AGraceThatNobodyWaitsFor", plan("renewal_grace: 3d"), "2 plans[0] B8", "does nothing"},
		{"P1_APackThatNobodyMayBuy", plan("top_up: {allowed: false}") + packWith() + "without_subscription: {top_up: {allowed: false}}\n", "9 packs[0] P1", "can't be bought"},
		{"P1_APackThatATeamWithoutSubscriptionMayBuy", plan("top_up: {allowed: false}") + packWith(), "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, message := "", ""
			for _, w := range mustParseCatalog(t, c.src).Warnings {
				got += fmt.Sprintf("%d %s %s", w.Line, w.Path, w.Rule)
				message = w.String()
			}
			if got != c.want || !strings.Contains(message, c.message) {
				t.Errorf("warning %q: %s\nwant %q with %q\n%s", got, message, c.want, c.message, c.src)
			}
		})
	}

	t.Run("B8_AGraceShorterThanStripesDraft", func(t *testing.T) {
		t.Parallel()
		for grace, want := range map[string]bool{"1h59m": true, "0s": true, "2h": false} {
			warnings := mustParseCatalog(t, planWith("proration: true", "renewal_grace: "+grace)).Warnings
			warned := len(warnings) == 2 && warnings[1].Rule == "B8"
			if warned != want {
				t.Errorf("with %s: %v, want a warning of B8: %v", grace, warnings, want)
			}
		}
	})
	t.Run("WhatManyPlansShareIsSaidOnce", func(t *testing.T) {
		t.Parallel()
		src := "plans:\n"
		for i := range 12 {
			src += fmt.Sprintf("  - {name: p%d, prices: [{id: a%d}], monthly_credits: 1, proration: true}\n", i, i)
		}
		warnings := mustParseCatalog(t, src).Warnings
		if len(warnings) != 1 || !strings.HasPrefix(warnings[0].Message, `plans "p0", "p1", `) ||
			!strings.Contains(warnings[0].Message, `"p9" and 2 more: `) {
			t.Errorf("warnings %v, want one that names the plans", warnings)
		}
	})
}
