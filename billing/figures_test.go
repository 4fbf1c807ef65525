package billing

import (
	"math"
	"testing"
	"time"
)

func TestFigures(t *testing.T) {
	catalog := &Catalog{Plans: []Plan{
		plan("business", credits(2000)), plan("team"), plan("platform", credits(10_000), baseFee),
	}}
	metered := func(price string) Item {
		i := item(price, 7)
		i.Metered = true
		return i
	}
	by := func(interval string) Item {
		i := item("team_month", 5)
		i.Interval = interval
		return i
	}
	keyed := item("price_9", 2)
	keyed.LookupKey = "team_key"
	catalog.Plans[1].Prices = append(catalog.Plans[1].Prices, Price{LookupKey: "team_key"})

	for _, c := range []struct {
		name          string
		items         []Item
		seats, target int64
		lead          string
	}{
		{"B2_OneItem", []Item{item("team_month", 5)}, 5, 5000, "team"},
		{"B2_ByLookupKey", []Item{keyed}, 2, 2000, "team"},
		{"B2_MeteredFirstCountsForNothing", []Item{metered("team_year"), item("team_month", 5)}, 5, 5000, "team"},
		{"B2_UnknownPricesCountForNothing", []Item{item("addon", 100), item("team_month", 5)}, 5, 5000, "team"},
		{"B2_OnlyUnknownPrices", []Item{item("addon", 100)}, 0, 0, ""},
		{"B2_OnlyMeteredPrices", []Item{metered("team_month")}, 0, 0, ""},
		{"B2_NoItems", nil, 0, 0, ""},
		{"B2_ANullPrice", []Item{{ID: "si_1", Quantity: 5}}, 0, 0, ""},
		{"B2_TheSamePriceTwice", []Item{item("team_month", 5), item("team_month", 3)}, 8, 8000, "team"},
		{"B2_TwoPricesOfOnePlan", []Item{item("team_month", 5), item("team_quarter", 3)}, 8, 8000, "team"},
		{"B2_QuantityZero", []Item{item("team_month", 0)}, 0, 0, "team"},
		{"B2_QuantityNegative", []Item{item("team_month", -5), item("team_quarter", 2)}, 2, 2000, "team"},
		{"B2_QuantityHuge", []Item{item("team_month", math.MaxInt64), item("team_quarter", math.MaxInt64)}, CreditsMax, CreditsMax, "team"},
		{"B1_PricesByDayAreNotMapped", []Item{by("day")}, 0, 0, ""},
		{"B1_PricesByWeekAreNotMapped", []Item{by("week")}, 0, 0, ""},
		{"B1_ABaseFeeBuysNoSeatsAndItsCreditsOnce", []Item{item("platform_month", 7)}, 0, 10_000, "platform"},
		{"B1_ABaseFeeOfQuantityZero", []Item{item("platform_month", 0)}, 0, 10_000, "platform"},
		{"B13_CreditsAddUpAndTheFirstPlanLeads", []Item{item("platform_month", 1), item("team_month", 5), item("business_month", 2)}, 7, 19_000, "business"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := figure(catalog, c.items, nil)
			if got := f.seats(c.items); got != c.seats {
				t.Errorf("%d seats, want %d", got, c.seats)
			}
			if got := f.target(c.items, false); got != c.target {
				t.Errorf("%d credits, want %d", got, c.target)
			}
			if got := f.Lead(); got != c.lead {
				t.Errorf("lead %q, want %q", got, c.lead)
			}
		})
	}
	t.Run("B2_SeatsCountInFiveStatuses", func(t *testing.T) {
		for status, want := range map[Status]int64{
			StatusTrialing: 5, StatusActive: 5, StatusPastDue: 5, StatusUnpaid: 5, StatusPaused: 5,
			StatusIncomplete: 0, StatusIncompleteExpired: 0, StatusCanceled: 0, "unheard_of": 0,
		} {
			s := tell(t, catalog.Plans...).subscribes("2025-01-01", item("team_month", 5)).on("2025-01-01").is(status).on("2025-01-02")
			if got := s.sub.SeatsBought(s.state.Catalog); got != want {
				t.Errorf("%s: %d seats, want %d", status, got, want)
			}
		}
	})
}

func TestCatalogueChanges(t *testing.T) {
	begin := func(t *testing.T) *story {
		return tell(t, plan("team")).subscribes("2025-01-01", item("team_month", 5)).pays().on("2025-01-01")
	}
	t.Run("B1_AGrantedPeriodKeepsItsFigures", func(t *testing.T) {
		s := begin(t)
		s.state.Catalog = &Catalog{Plans: []Plan{plan("team", credits(300), periodStart)}}
		s.on("2025-01-10").seats(7).on("2025-01-11").remembers(1, "T 7000 O 0 granted 7000 taken 0")
		s.renews("2025-02-01").pays().on("2025-02-01").remembers(2, "T 2100 O 0 granted 2100 taken 0")
	})
	t.Run("B1_APriceThatVanishedChangesNothingInAGrantedPeriod", func(t *testing.T) {
		s := begin(t)
		s.state.Catalog = &Catalog{Plans: []Plan{plan("other")}}
		s.on("2025-01-10").remembers(1, "T 5000 O 0 granted 5000 taken 0").
			seats(6).on("2025-01-11").remembers(1, "T 6000 O 0 granted 6000 taken 0").
			renews("2025-02-01").pays().on("2025-02-01").remembers(2, "T 0 O 0 granted 0 taken 0").
			spans("2025-01-01..2025-02-01", "2025-02-01..2025-03-01 ungranted")
	})
	t.Run("B1_APriceThatTheCatalogueGainsCountsFromTheNextPeriod", func(t *testing.T) {
		s := tell(t, plan("team")).subscribes("2025-01-01", item("team_month", 5), item("addon_month", 1)).pays().on("2025-01-01")
		s.state.Catalog = &Catalog{Plans: []Plan{plan("team"), plan("addon", credits(50))}}
		s.on("2025-01-10").remembers(1, "T 5000 O 0 granted 5000 taken 0").
			renews("2025-02-01").pays().on("2025-02-01").remembers(2, "T 5050 O 0 granted 5050 taken 0")
	})
	t.Run("B1_APriceThatMovedToAnotherPlanStaysInAGrantedPeriod", func(t *testing.T) {
		s := begin(t)
		s.state.Catalog = &Catalog{Plans: []Plan{{Name: "new", MonthlyCredits: 1, Prices: []Price{{ID: "team_month"}}, GrantRule: GrantRulePaid}}}
		s.on("2025-01-10").remembers(1, "T 5000 O 0 granted 5000 taken 0").
			renews("2025-02-01").pays().on("2025-02-01").remembers(2, "T 5 O 0 granted 5 taken 0")
	})
	t.Run("B1_APlanThatComesBackWithinThePeriodCountsAsItDid", func(t *testing.T) {
		s := begin(t)
		s.state.Catalog.Plans = append(s.state.Catalog.Plans, plan("business", credits(2000)))
		s.switches("2025-01-05", item("business_month", 5)).remembers(1, "T 10000 O 0 granted 10000 taken 0")
		s.state.Catalog = &Catalog{Plans: []Plan{plan("team", credits(7), nextPeriod), plan("business", credits(9))}}
		s.switches("2025-01-06", item("team_month", 5)).remembers(1, "T 5000 O 0 granted 10000 taken 5000")
	})
	t.Run("B2_AllPricesUnknownAreNoSeats", func(t *testing.T) {
		begin(t).switches("2025-01-05", item("addon_month", 5)).remembers(1, "T 0 O 0 granted 5000 taken 5000")
	})
	t.Run("B2_AnUnmappedSubscriptionOpensNothing", func(t *testing.T) {
		tell(t, plan("team")).subscribes("2025-01-01", item("addon_month", 5)).pays().on("2025-01-01").spans().has()
	})
}

func TestPart(t *testing.T) {
	for _, c := range []struct {
		x, num, den int64
		up          bool
		want        int64
	}{
		{5000, 10, 30, false, 1666}, {5000, 10, 30, true, 1667}, {3000, 10, 30, true, 1000}, {5000, 0, 30, true, 0},
		{5000, -1, 30, true, 0}, {5000, 31, 30, false, 5000}, {5000, 30, 30, true, 5000}, {5000, 1, 0, true, 0},
		{0, 1, 2, true, 0}, {-5, 1, 2, true, 0}, {1, 1, math.MaxInt64, true, 1}, {1, 1, math.MaxInt64, false, 0},
		{math.MaxInt64, math.MaxInt64 - 1, math.MaxInt64, false, math.MaxInt64 - 1},
	} {
		if got := part(c.x, time.Duration(c.num), time.Duration(c.den), c.up); got != c.want {
			t.Errorf("part(%d, %d, %d, %v) = %d, want %d", c.x, c.num, c.den, c.up, got, c.want)
		}
	}
	for _, c := range []struct{ x, n, want int64 }{
		{5000, 50, 2500}, {999, 1, 9}, {99, 1, 0}, {0, 50, 0}, {-1, 50, 0}, {math.MaxInt64, 100, math.MaxInt64}, {math.MaxInt64, 1, math.MaxInt64 / 100},
	} {
		if got := percentOf(c.x, int(c.n)); got != c.want {
			t.Errorf("%d%% of %d = %d, want %d", c.n, c.x, got, c.want)
		}
	}
	for _, c := range []struct{ a, b, want int64 }{
		{5, 1000, 5000}, {0, 5, 0}, {5, 0, 0}, {-5, 5, 0}, {math.MaxInt64, math.MaxInt64, CreditsMax}, {CreditsMax, 1, CreditsMax}, {2, CreditsMax, CreditsMax},
	} {
		if got := times(c.a, c.b); got != c.want {
			t.Errorf("times(%d, %d) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
