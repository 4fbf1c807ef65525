package billing

import (
	"fmt"
	"strings"
	"testing"
)

// planWith is a catalogue of one plan with the given lines. A line replaces the
// plan's own line with the same key; `key!` takes it away.
func planWith(lines ...string) string {
	return "plans:\n" + mappingWith("  - ", "    ", []string{
		"name: team", "prices: [{lookup_key: team_monthly}]", "monthly_credits: 1000",
	}, lines)
}

// packWith is a catalogue of one pack, made as planWith makes one of a plan.
func packWith(lines ...string) string {
	return "packs:\n" + mappingWith("  - ", "    ", []string{
		"name: pack_1000", "price: {lookup_key: pack_1000}", "credits: 1000",
	}, lines)
}

func mappingWith(first, indent string, defaults, lines []string) string {
	replaced := map[string]bool{}
	var all []string
	for _, line := range lines {
		key, removed := strings.CutSuffix(strings.SplitN(line, ":", 2)[0], "!")
		replaced[key] = true
		if !removed {
			all = append(all, line)
		}
	}
	for i := len(defaults) - 1; i >= 0; i-- {
		if !replaced[strings.SplitN(defaults[i], ":", 2)[0]] {
			all = append([]string{defaults[i]}, all...)
		}
	}
	return first + strings.Join(all, "\n"+indent) + "\n"
}

// here marks the line that an error is expected to name.
const here = " # here"

func TestParseCatalog_Rules(t *testing.T) {
	t.Parallel()
	price := func(entry string) string { return planWith("prices:" + "\n      - " + entry) }
	withPack := func(line string) string {
		return planWith(line) + packWith()
	}
	cases := []struct {
		name    string
		src     string
		rule    string
		path    string
		message string // a part of it
	}{
		// What makes a file a catalogue at all.
		{"AnEmptyFile", "", CatalogRuleEmpty, "", "needs plans or packs"},
		{"CommentsAlone", "# nothing\n", CatalogRuleEmpty, "", ""},
		{"ANullDocument", "---\n", CatalogRuleEmpty, "", ""},
		{"NothingForSale", "without_subscription: {teams: true}" + here, CatalogRuleEmpty, "", "nothing is for sale"},
		{"AListForTheWhole", "- plans" + here, CatalogRuleType, "", "must be a mapping"},
		{"TextForTheWhole", "plans" + here, CatalogRuleType, "", "must be a mapping"},
		{"NotUTF8", "plans:\n  - name: \"t\xe9am\"" + here, CatalogRuleEncoding, "", "isn't UTF-8"},
		{"UTF16", "\xff\xfep\x00l\x00", CatalogRuleEncoding, "", "isn't UTF-8"},
		{"AControlCharacter", "plans:\n  - name: \x01" + here, CatalogRuleEncoding, "", "U+0001"},
		{"AZeroByte", "plans:\x00" + here, CatalogRuleEncoding, "", "U+0000"},
		{"TwoDocuments", planWith() + "---" + here + "\n" + planWith(), CatalogRuleOneDocument, "", ""},
		{"AnEmptySecondDocument", planWith() + "---" + here + "\n", CatalogRuleOneDocument, "", ""},

		// What isn't YAML; the line is the one where it stops being so.
		{"ATabForIndentation", planWith() + "packs:\n\t- name: p" + here, CatalogRuleSyntax, "", "this isn't YAML"},
		{"ABracketThatIsNeverClosed", "plans:\n  - name: a\n    prices: [{id: a}" + here + "\n    monthly_credits: 1\n", CatalogRuleSyntax, "", ""},
		{"AKeyOutOfLine", "plans:\n  - name: a\n    title: b\n   teams: true" + here + "\n", CatalogRuleSyntax, "", ""},
		{"TwoColons", "plans:\n  - name: a: b" + here + "\n    teams: true\n", CatalogRuleSyntax, "", ""},
		{"AnAliasOfNothing", "plans:\n  - *nothing" + here, CatalogRuleSyntax, "", "unknown anchor"},
		{"ASecondDocumentThatIsNoYAML", planWith() + "---\nplans: ]" + here, CatalogRuleSyntax, "", ""},

		// YAML that says more than it shows.
		{"AnAnchor", planWith("title: &a Team" + here), CatalogRulePlainYAML, "", "&a"},
		{"AnAlias", planWith("title: &a Team", "features: [b, *a]"+here), CatalogRulePlainYAML, "", "*a"},
		{"AMergeKey", planWith("<<: {teams: true}" + here), CatalogRulePlainYAML, "plans[0]", "merge key"},
		{"ATag", planWith("monthly_credits: !!int \"5\"" + here), CatalogRulePlainYAML, "", "!!int"},
		{"ATagOfOnesOwn", planWith("title: !secret Team" + here), CatalogRulePlainYAML, "", "!secret"},

		// Keys.
		{"B1_AnUnknownKey", planWith("mode: cap" + here), CatalogRuleUnknownKey, "plans[0].mode", ""},
		{"B1_AnUnknownKeyNamesTheNearest", planWith("monthly_credit: 5" + here), CatalogRuleUnknownKey, "plans[0].monthly_credit", `did you mean "monthly_credits"?`},
		{"B1_AnUnknownKeyAtTheTop", planWith() + "plan: []" + here, CatalogRuleUnknownKey, "plan", `"plans"`},
		{"B1_AnUnknownKeyOfAPrice", price("{id: a, lookupkey: b}" + here), CatalogRuleUnknownKey, "plans[0].prices[0].lookupkey", `"lookup_key"`},
		{"B1_AnUnknownKeyOfARollover", planWith("rollover: {mode: none, max: 1}" + here), CatalogRuleUnknownKey, "plans[0].rollover.max", "max_age_turns"},
		{"B1_AnUnknownKeyOfATopUp", planWith("top_up: {pack: [a]}" + here), CatalogRuleUnknownKey, "plans[0].top_up.pack", `"packs"`},
		{"B1_AnUnknownKeyOfAPack", packWith("features: [a]" + here), CatalogRuleUnknownKey, "packs[0].features", "known here: name,"},
		{"B1_AnUnknownKeyOfAPacksPrice", packWith("price: {id: a, amount: 5}" + here), CatalogRuleUnknownKey, "packs[0].price.amount", "unit_amount"},
		{"B1_AnUnknownKeyWithoutSubscription", planWith() + "without_subscription: {team: true}" + here, CatalogRuleUnknownKey, "without_subscription.team", `"teams"`},
		{"AKeyTwice", planWith("teams: true", "teams: true"+here), CatalogRuleDuplicateKey, "plans[0].teams", "stands on line 5"},
		{"AKeyTwiceAtTheTop", planWith() + "plans: []" + here, CatalogRuleDuplicateKey, "plans", "stands on line 1"},
		{"AKeyThatIsAList", planWith("[a, b]: true" + here), CatalogRuleType, "plans[0]", "a key must be a word"},

		// What is required.
		{"NoName", "plans:\n  - title: a" + here + "\n    prices: [{id: a}]\n    monthly_credits: 1\n", CatalogRuleMissing, "plans[0].name", "is missing"},
		{"B1_NoPrice", "plans:\n  - name: a" + here + "\n    monthly_credits: 1\n", CatalogRuleMissing, "plans[0].prices", "is missing"},
		{"B1_NoPriceInTheList", planWith("prices: []" + here), CatalogRuleMissing, "plans[0].prices", "is an empty list"},
		{"B1_NoCredits", "plans:\n  - name: a" + here + "\n    prices: [{id: a}]\n", CatalogRuleMissing, "plans[0].monthly_credits", "is missing"},
		{"B1_NoPriceOfAPack", "packs:\n  - name: a" + here + "\n    credits: 1\n", CatalogRuleMissing, "packs[0].price", "is missing"},
		{"B1_NoCreditsOfAPack", "packs:\n  - name: a" + here + "\n    price: {id: a}\n", CatalogRuleMissing, "packs[0].credits", "is missing"},
		{"NoModeOfRollover", planWith("rollover: {max_age_turns: 1}" + here), CatalogRuleMissing, "plans[0].rollover.mode", ""},
		{"NoCapOfRollover", planWith("rollover: {mode: cap}" + here), CatalogRuleMissing, "plans[0].rollover.cap_per_seat", ""},
		{"NoPercentOfRollover", planWith("rollover: {mode: percent}" + here), CatalogRuleMissing, "plans[0].rollover.percent", ""},
		{"AnEmptyName", planWith(`name: " "` + here), CatalogRuleMissing, "plans[0].name", "is empty"},
		{"NoPlanInTheList", "plans: []" + here, CatalogRuleMissing, "plans", "is an empty list"},
		{"NoPackInTheList", planWith() + "packs: []" + here, CatalogRuleMissing, "packs", "is an empty list"},
		{"NoFeatureInTheList", planWith("features: []" + here), CatalogRuleMissing, "plans[0].features", "leave the key out"},
		{"NoPackInTheTopUp", planWith("top_up: {packs: []}" + here), CatalogRuleMissing, "plans[0].top_up.packs", "allowed: false for none"},

		// Kinds of values.
		{"AMappingForPlans", "plans: {team: 1}" + here, CatalogRuleType, "plans", "must be a list, but is a mapping"},
		{"APlanThatIsAWord", "plans:\n  - team" + here, CatalogRuleType, "plans[0]", `but is the text "team"`},
		{"APlanThatIsEmpty", "plans:\n  -" + here, CatalogRuleType, "plans[0]", "but is empty"},
		{"APackThatIsAWord", "packs:\n  - small" + here, CatalogRuleType, "packs[0]", "must be a mapping"},
		{"ANumberForAName", planWith("name: 2024" + here), CatalogRuleType, "plans[0].name", "put it in quotes"},
		{"AListForAName", planWith("name: [a]" + here), CatalogRuleType, "plans[0].name", "but is a list"},
		{"TextForFeatures", planWith("features: sso" + here), CatalogRuleType, "plans[0].features", "must be a list"},
		{"APriceThatIsAWord", price("price_1" + here), CatalogRuleType, "plans[0].prices[0]", "keys such as id"},
		{"APacksPriceThatIsAWord", packWith("price: price_1" + here), CatalogRuleType, "packs[0].price", "keys such as id"},
		{"ARolloverThatIsAWord", planWith("rollover: none" + here), CatalogRuleType, "plans[0].rollover", "keys such as mode"},
		{"ATopUpThatIsAWord", planWith("top_up: true" + here), CatalogRuleType, "plans[0].top_up", "keys such as allowed"},
		{"WithoutSubscriptionThatIsAWord", planWith() + "without_subscription: true" + here, CatalogRuleType, "without_subscription", ""},
		{"YesForTrue", planWith("teams: yes" + here), CatalogRuleType, "plans[0].teams", "must be true or false"},
		{"OneForTrue", planWith("proration: 1" + here), CatalogRuleType, "plans[0].proration", "must be true or false"},
		{"NothingForTrue", planWith("teams:" + here), CatalogRuleType, "plans[0].teams", "but is empty"},
		{"ANumberInQuotes", planWith(`monthly_credits: "1000"` + here), CatalogRuleType, "plans[0].monthly_credits", "without quotes"},
		{"NoNumber", planWith("monthly_credits:" + here), CatalogRuleType, "plans[0].monthly_credits", "but is empty"},
		{"AListForANumber", planWith("monthly_credits: [5]" + here), CatalogRuleType, "plans[0].monthly_credits", "but is a list"},

		// Numbers.
		{"B1_ZeroCredits", planWith("monthly_credits: 0" + here), CatalogRuleRange, "plans[0].monthly_credits", "but is 0"},
		{"B1_NegativeCredits", planWith("monthly_credits: -5" + here), CatalogRuleRange, "plans[0].monthly_credits", "but is -5"},
		{"L1_CreditsOverTheLargest", planWith("monthly_credits: 1_000_000_000_001" + here), CatalogRuleRange, "plans[0].monthly_credits", "1 to 1000000000000"},
		{"L1_CreditsOver64Bits", planWith("monthly_credits: 18446744073709551617" + here), CatalogRuleRange, "plans[0].monthly_credits", ""},
		{"L1_Floats", planWith("monthly_credits: 1000.0" + here), CatalogRuleWholeNumber, "plans[0].monthly_credits", `"1000.0"`},
		{"L1_Exponents", planWith("monthly_credits: 1e3" + here), CatalogRuleWholeNumber, "plans[0].monthly_credits", ""},
		{"Infinity", planWith("monthly_credits: .inf" + here), CatalogRuleWholeNumber, "plans[0].monthly_credits", ""},
		{"ANumberInOctal", planWith("monthly_credits: 0100" + here), CatalogRuleWholeNumber, "plans[0].monthly_credits", ""},
		{"ANumberInHexadecimal", planWith("monthly_credits: 0xff" + here), CatalogRuleWholeNumber, "plans[0].monthly_credits", ""},
		{"DigitsInOddGroups", planWith("monthly_credits: 10_00" + here), CatalogRuleWholeNumber, "plans[0].monthly_credits", ""},
		{"DigitsGroupedByCommas", planWith("monthly_credits: 1,000" + here), CatalogRuleWholeNumber, "plans[0].monthly_credits", "1_000"},
		{"B1_ZeroTrialCredits", planWith("trial_credits: 0" + here), CatalogRuleRange, "plans[0].trial_credits", "leave the key out"},
		{"NobodyInATeam", planWith("members_max: 0" + here), CatalogRuleRange, "plans[0].members_max", ""},
		{"TooManyInATeam", planWith("members_max: 100_001" + here), CatalogRuleRange, "plans[0].members_max", ""},
		{"NobodyInATeamWithoutSubscription", planWith() + "without_subscription: {members_max: 0}" + here, CatalogRuleRange, "without_subscription.members_max", ""},
		{"B9_ACapOfNothing", planWith("rollover: {mode: cap, cap_per_seat: 0}" + here), CatalogRuleRange, "plans[0].rollover.cap_per_seat", "mode: none"},
		{"B9_ANegativeCap", planWith("rollover: {mode: cap, cap_per_seat: -1}" + here), CatalogRuleRange, "plans[0].rollover.cap_per_seat", ""},
		{"B9_ZeroPercent", planWith("rollover: {mode: percent, percent: 0}" + here), CatalogRuleRange, "plans[0].rollover.percent", "1 to 100"},
		{"B9_MoreThanAllPercent", planWith("rollover: {mode: percent, percent: 101}" + here), CatalogRuleRange, "plans[0].rollover.percent", "1 to 100"},
		{"B9_HalfAPercent", planWith("rollover: {mode: percent, percent: 0.5}" + here), CatalogRuleWholeNumber, "plans[0].rollover.percent", ""},
		{"B9_APercentSign", planWith("rollover: {mode: percent, percent: 50%}" + here), CatalogRuleWholeNumber, "plans[0].rollover.percent", ""},
		{"B9_NoAge", planWith("rollover: {mode: all, max_age_turns: 0}" + here), CatalogRuleRange, "plans[0].rollover.max_age_turns", "leave the key out"},
		{"ZeroCreditsOfAPack", packWith("credits: 0" + here), CatalogRuleRange, "packs[0].credits", ""},
		{"APackThatExpiresAtOnce", packWith("expiry_months: 0" + here), CatalogRuleRange, "packs[0].expiry_months", "write never"},
		{"APackThatExpiresInNoOnesLifetime", packWith("expiry_months: 1201" + here), CatalogRuleRange, "packs[0].expiry_months", ""},
		{"AWordForMonths", packWith("expiry_months: ever" + here), CatalogRuleWholeNumber, "packs[0].expiry_months", ""},
		{"P1_NoPackAtOnce", planWith("top_up: {count_max: 0}" + here), CatalogRuleRange, "plans[0].top_up.count_max", ""},
		{"P2_NoCreditsAutomatically", planWith("top_up: {auto_credits_per_month_max: 0}" + here), CatalogRuleRange, "plans[0].top_up.auto_credits_per_month_max", "auto: false"},
		{"P2_NoMoneyAutomatically", planWith("top_up: {auto_amount_per_month_max: 0}" + here), CatalogRuleRange, "plans[0].top_up.auto_amount_per_month_max", "auto: false"},

		// Names and words.
		{"ANameWithSpaces", planWith("name: our team" + here), CatalogRuleName, "plans[0].name", ""},
		{"ANameThatIsTooLong", planWith("name: " + strings.Repeat("a", 65) + here), CatalogRuleRange, "plans[0].name", "64"},
		{"ATitleThatIsTooLong", planWith("title: " + strings.Repeat("ä", 201) + here), CatalogRuleRange, "plans[0].title", "200"},
		{"ATitleOfTwoLines", planWith(`title: "a\nb"` + here), CatalogRuleName, "plans[0].title", "one line"},
		{"AFeatureWithSpaces", planWith("features: [single sign on]" + here), CatalogRuleName, "plans[0].features[0]", ""},
		{"AFeatureTwice", planWith("features:\n      - a\n      - a" + here), CatalogRuleDuplicateValue, "plans[0].features[1]", "stands on line 6"},
		{"AnUnknownCounting", planWith("counting: per_seats" + here), CatalogRuleUnknownValue, "plans[0].counting", `did you mean "per_seat"?`},
		{"AnUnknownRollover", planWith("rollover: {mode: some}" + here), CatalogRuleUnknownValue, "plans[0].rollover.mode", ""},
		{"AnUnknownSeatDecrease", planWith("seat_decrease: now" + here), CatalogRuleUnknownValue, "plans[0].seat_decrease", "immediate"},
		{"AnUnknownIncrease", planWith("increase: later" + here), CatalogRuleUnknownValue, "plans[0].increase", "at_once"},
		{"AnUnknownGrantRule", planWith("grant_rule: payed" + here), CatalogRuleUnknownValue, "plans[0].grant_rule", `did you mean "paid"?`},
		{"ANameTwice", planWith() + "  - name: team" + here + "\n    prices: [{id: b}]\n    monthly_credits: 1\n", CatalogRuleDuplicateName, "plans[1].name", "stands on line 2"},
		{"ANameTwiceAmongPacks", packWith() + "  - name: pack_1000" + here + "\n    price: {id: b}\n    credits: 1\n", CatalogRuleDuplicateName, "packs[1].name", "stands on line 2"},

		// Durations.
		{"B7_AGraceOf28Days", planWith("renewal_grace: 28d" + here), CatalogRuleRange, "plans[0].renewal_grace", "shorter than 28d"},
		{"B7_AGraceOf672Hours", planWith("renewal_grace: 672h" + here), CatalogRuleRange, "plans[0].renewal_grace", ""},
		{"B7_AGraceOfManyYears", planWith("renewal_grace: 9999d99999h999999m999999s" + here), CatalogRuleRange, "plans[0].renewal_grace", ""},
		{"B7_ANegativeGrace", planWith("renewal_grace: -1h" + here), CatalogRuleDuration, "plans[0].renewal_grace", ""},
		{"AGraceWithoutAUnit", planWith("renewal_grace: 24" + here), CatalogRuleDuration, "plans[0].renewal_grace", "24h"},
		{"AGraceOfNothing", planWith("renewal_grace:" + here), CatalogRuleDuration, "plans[0].renewal_grace", ""},
		{"AGraceInWeeks", planWith("renewal_grace: 1w" + here), CatalogRuleDuration, "plans[0].renewal_grace", ""},
		{"AGraceThatIsAList", planWith("renewal_grace: [24h]" + here), CatalogRuleDuration, "plans[0].renewal_grace", ""},

		// Prices.
		{"B1_APriceByDay", price("{id: a, interval: day}" + here), CatalogRuleInterval, "plans[0].prices[0].interval", "month or year"},
		{"B1_APriceByWeek", price("{id: a, interval: week, interval_count: 4}" + here), CatalogRuleInterval, "plans[0].prices[0].interval", "month or year"},
		{"AnUnknownInterval", price("{id: a, interval: monthly}" + here), CatalogRuleUnknownValue, "plans[0].prices[0].interval", `did you mean "month"?`},
		{"ACountWithoutAnInterval", price("{id: a, interval_count: 3}" + here), CatalogRuleContradiction, "plans[0].prices[0].interval_count", "needs an interval"},
		{"NoCountOfAnInterval", price("{id: a, interval: month, interval_count: 0}" + here), CatalogRuleRange, "plans[0].prices[0].interval_count", "1 to 36"},
		{"TooManyYears", price("{id: a, interval: year, interval_count: 4}" + here), CatalogRuleRange, "plans[0].prices[0].interval_count", "1 to 3"},
		{"APackByMonth", packWith("price: {id: a, interval: month}" + here), CatalogRuleInterval, "packs[0].price.interval", "paid once"},
		{"APriceWithoutAName", price("{interval: month}" + here), CatalogRulePriceName, "plans[0].prices[0]", "neither"},
		{"APriceWithTwoNames", price("{id: a, lookup_key: b}" + here), CatalogRulePriceName, "plans[0].prices[0].lookup_key", "two entries"},
		{"B1_APriceTwiceInAPlan", planWith("prices:\n      - id: a\n      - id: a" + here), CatalogRuleDuplicatePrice, "plans[0].prices[1].id", "stands on line 5"},
		{"B1_APriceTwiceByLookupKey", planWith("prices:\n      - lookup_key: a\n      - lookup_key: a" + here), CatalogRuleDuplicatePrice, "plans[0].prices[1].lookup_key", ""},
		{"B1_APriceInTwoPlans", planWith() + "  - name: b\n    prices: [{lookup_key: team_monthly}]" + here + "\n    monthly_credits: 1\n", CatalogRuleDuplicatePrice, "plans[1].prices[0].lookup_key", "stands on line 3"},
		{"B1_APriceOfAPackAndAPlan", packWith("price: {id: a}") + planWith("prices: [{id: a}]"+here), CatalogRuleDuplicatePrice, "plans[0].prices[0].id", "stands on line 4"},
		{"B1_APriceOfTwoPacks", packWith("price: {id: a}") + "  - {name: b, price: {id: a}, credits: 1}" + here, CatalogRuleDuplicatePrice, "packs[1].price.id", ""},
		{"AnAmountOfNothing", price("{id: a, interval: month, unit_amount: 0, currency: usd}" + here), CatalogRuleRange, "plans[0].prices[0].unit_amount", "costs nothing"},
		{"AnAmountInUnits", price("{id: a, interval: month, unit_amount: 25.00, currency: usd}" + here), CatalogRuleWholeNumber, "plans[0].prices[0].unit_amount", ""},
		{"AnAmountWithoutACurrency", price("{id: a, interval: month, unit_amount: 5}" + here), CatalogRuleMissing, "plans[0].prices[0].currency", ""},
		{"ACurrencyWithoutAnAmount", price("{id: a, currency: usd}" + here), CatalogRuleMissing, "plans[0].prices[0].unit_amount", ""},
		{"AnAmountWithoutAnInterval", price("{id: a, unit_amount: 5, currency: usd}" + here), CatalogRuleMissing, "plans[0].prices[0].interval", ""},
		{"ACurrencyInCapitals", price("{id: a, interval: month, unit_amount: 5, currency: USD}" + here), CatalogRuleUnknownValue, "plans[0].prices[0].currency", "such as usd"},
		{"ALookupKeyWithSpacesAround", price(`{lookup_key: " a"}` + here), CatalogRuleName, "plans[0].prices[0].lookup_key", "spaces at its ends"},
		{"ALookupKeyThatIsTooLong", price("{lookup_key: " + strings.Repeat("a", 201) + "}" + here), CatalogRuleRange, "plans[0].prices[0].lookup_key", "200"},
		{"AnIDThatIsTooLong", price("{id: " + strings.Repeat("a", 256) + "}" + here), CatalogRuleRange, "plans[0].prices[0].id", "255"},
		{"AnEmptyID", price(`{id: ""}` + here), CatalogRuleMissing, "plans[0].prices[0].id", "is empty"},

		// Keys that speak against each other.
		{"ACapInAnotherMode", planWith("rollover: {mode: all, cap_per_seat: 5}" + here), CatalogRuleContradiction, "plans[0].rollover.cap_per_seat", "mode: cap"},
		{"APercentInAnotherMode", planWith("rollover: {mode: cap, cap_per_seat: 5, percent: 5}" + here), CatalogRuleContradiction, "plans[0].rollover.percent", "mode: percent"},
		{"AnAgeOfNothing", planWith("rollover: {mode: none, max_age_turns: 5}" + here), CatalogRuleContradiction, "plans[0].rollover.max_age_turns", ""},
		{"MembersWithoutTeams", planWith("teams: false", "members_max: 5"+here), CatalogRuleContradiction, "plans[0].members_max", "teams: false"},
		{"MembersWithoutTeamsWithoutSubscription", planWith() + "without_subscription: {teams: false, members_max: 5}" + here, CatalogRuleContradiction, "without_subscription.members_max", ""},
		{"PacksWithoutTopUps", withPack("top_up: {allowed: false, packs: [pack_1000]}" + here), CatalogRuleContradiction, "plans[0].top_up.packs", "allowed: false"},
		{"AutomaticWithoutTopUps", planWith("top_up: {allowed: false, auto: true}" + here), CatalogRuleContradiction, "plans[0].top_up.auto", "allowed: false"},
		{"AMaximumWithoutAutomaticTopUps", planWith("top_up: {auto: false, auto_credits_per_month_max: 5}" + here), CatalogRuleContradiction, "plans[0].top_up.auto_credits_per_month_max", "auto: false"},
		{"AnUnknownPack", withPack("top_up: {packs: [pack_100]}" + here), CatalogRuleUnknownPack, "plans[0].top_up.packs[0]", `did you mean "pack_1000"?`},
		{"AnUnknownPackWithoutSubscription", packWith() + "without_subscription: {top_up: {packs: [none]}}" + here, CatalogRuleUnknownPack, "without_subscription.top_up.packs[0]", ""},
		{"AnUnknownPackWhereThereAreNone", planWith("top_up: {packs: [a]}" + here), CatalogRuleUnknownPack, "plans[0].top_up.packs[0]", `no pack is named "a"`},
		{"APackTwiceInATopUp", withPack("top_up: {packs: [pack_1000, pack_1000]}" + here), CatalogRuleDuplicateValue, "plans[0].top_up.packs[1]", ""},
	}
	names := map[string]bool{}
	for _, c := range cases {
		if names[c.name] {
			t.Fatalf("two cases are named %s", c.name)
		}
		names[c.name] = true
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			line := 1
			if before, _, marked := strings.Cut(c.src, here); marked {
				line = 1 + strings.Count(before, "\n")
			}
			catalog, err := ParseCatalog("plans.yaml", []byte(c.src))
			if catalog != nil {
				t.Fatalf("the catalogue is taken: %+v\n%s", catalog, c.src)
			}
			found := CatalogErrors(err)
			if c.rule != CatalogRulePlainYAML && len(found) != 1 || len(found) == 0 {
				t.Fatalf("%d errors, want one:\n%v\n%s", len(found), err, c.src)
			}
			got := found[len(found)-1] // an alias needs an anchor, which is reported before it
			if got.File != "plans.yaml" || got.Line != line || got.Rule != c.rule || got.Path != c.path {
				t.Errorf("%v; want line %d, path %q, rule %s\n%s", got, line, c.path, c.rule, c.src)
			}
			if !strings.Contains(got.Message, c.message) {
				t.Errorf("message %q, want it to hold %q", got.Message, c.message)
			}
			if !strings.HasPrefix(got.Error(), fmt.Sprintf("plans.yaml:%d:", line)) {
				t.Errorf("%q doesn't begin with its place", got.Error())
			}
		})
	}
}

func TestParseCatalog_Edges(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]string{
		"L1_TheLargestCredits":     planWith("monthly_credits: 1_000_000_000_000"),
		"OneCredit":                planWith("monthly_credits: 1"),
		"B9_APercent":              planWith("rollover: {mode: percent, percent: 1}"),
		"B9_AllPercent":            planWith("rollover: {mode: percent, percent: 100}"),
		"B7_NoGrace":               planWith("renewal_grace: 0h"),
		"B7_AGraceJustUnder28Days": planWith("renewal_grace: 27d23h59m59s"),
		"OneMember":                planWith("members_max: 1"),
		"ThreeYears":               planWith("prices: [{id: a, interval: year, interval_count: 3}]"),
		"AnIDEqualToALookupKey":    planWith("prices: [{id: a}, {lookup_key: a}]"),
		"APlanAndAPackOfOneName":   planWith("name: a") + packWith("name: a"),
		"ALookupKeyWithSpaces":     planWith("prices: [{lookup_key: Team monthly}]"),
		"ATitleInAnyScript":        planWith("title: チーム・équipe"),
		"AnExplicitDocument":       "%YAML 1.1\n---\n" + planWith() + "...\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mustParseCatalog(t, src)
		})
	}
}
