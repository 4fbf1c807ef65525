package billing

import (
	"strings"
	"testing"
)

func TestCatalog_Describe(t *testing.T) {
	t.Parallel()
	catalog := mustParseCatalog(t, planWith(
		"title: Team plan",
		"prices: [{lookup_key: team_quarterly, interval: month, interval_count: 3, unit_amount: 7500, currency: usd}, {id: price_old}]",
		"trial_credits: 100", "members_max: 7", "features: [sso, exports]",
		"rollover: {mode: cap, cap_per_seat: 500, max_age_turns: 3}", "renewal_grace: 1d12h",
		"top_up: {packs: [pack_1000], auto_amount_per_month_max: 900}",
	)+packWith("expiry_months: never"))
	var text strings.Builder
	catalog.Describe(&text)
	squeezed := strings.Join(strings.Fields(text.String()), " ")
	for _, want := range []string{
		"more seats the whole month's credits, at once", "fewer seats unspent credits are taken back at once",
		"plan team Team plan price lookup key team_quarterly, 7500 usd (smallest unit), every 3 months id price_old",
		"monthly credits 1000 a seat", "trial 100 a seat", "awaited for 1d12h",
		"rollover up to 500 credits a seat, through 3 turns", "teams up to 7 members", "features sso, exports",
		"top-ups pack_1000, up to 100 at once; automatically, up to 900 (smallest unit) a month",
		"pack pack_1000 pack_1000 price lookup key pack_1000 credits 1000 expiry never",
		"without subscription teams up to 5 members features none",
		"2 to think over plans.yaml:2:5: plans[0]: plan \"team\": ", "content " + catalog.Hash,
	} {
		if !strings.Contains(squeezed, want) {
			t.Errorf("%q isn't shown in\n%s", want, text.String())
		}
	}
}

func TestCatalog_DescribeTellsEachRule(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"grant_rule: period_start":                "granted at the period's start, paid or not",
		"counting: per_subscription":              "monthly credits 1000 a subscription",
		"renewal_grace: 0s":                       "awaited for 0h",
		"rollover: {mode: all}":                   "rollover all unspent credits more seats",
		"rollover: {mode: percent, percent: 5}":   "rollover up to 5 % of the period's grant",
		"rollover: {mode: none}":                  "rollover none: unspent credits expire",
		"seat_decrease: next_period":              "fewer seats credits stay until the period ends",
		"proration: true":                         "more seats credits for the time left, at once",
		"increase: paid":                          "more seats the whole month's credits, when paid",
		"teams: false":                            "teams no",
		"top_up: {allowed: false}":                "top-ups none",
		"top_up: {auto: false}":                   "up to 100 at once; not automatically",
		"top_up: {auto_credits_per_month_max: 7}": "automatically, up to 7 credits a month",
	} {
		var text strings.Builder
		mustParseCatalog(t, planWith(line)).Describe(&text)
		if squeezed := strings.Join(strings.Fields(text.String()), " "); !strings.Contains(squeezed, want) {
			t.Errorf("with %s, %q isn't shown in\n%s", line, want, text.String())
		}
	}
}
