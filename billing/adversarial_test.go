package billing

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// absurd draws an instant that no honest Stripe would send, now and then.
func absurd(t *rapid.T, name string) time.Time {
	at := rapid.SampledFrom([]time.Time{
		day("2025-01-01"), day("2025-01-31"), day("2025-02-01"), day("2025-02-28"), day("2025-06-30"), day("2026-01-01"), day("2024-02-29"),
		{}, time.Unix(0, 0).UTC(), day("1900-01-01"), day("2100-01-01"), day("9999-12-31"), day("2025-01-01 00:00:01"),
	}).Draw(t, name)
	return at.Add(time.Duration(rapid.IntRange(-1000, 1000).Draw(t, name+" shifted")) * time.Second)
}

func absurdOrNil(t *rapid.T, name string) *time.Time {
	if rapid.Bool().Draw(t, name+" given") {
		return ptr(absurd(t, name))
	}
	return nil
}

func absurdItems(t *rapid.T) []Item {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Item {
		return Item{
			PriceID:       rapid.SampledFrom([]string{"team_month", "team_year", "business_month", "fee_month", "addon", ""}).Draw(t, "price"),
			Interval:      rapid.SampledFrom([]string{"month", "year", "day", "week", "", "fortnight"}).Draw(t, "interval"),
			IntervalCount: rapid.SampledFrom([]int{1, 0, -1, 3, math.MaxInt}).Draw(t, "count"),
			Quantity:      rapid.SampledFrom([]int64{5, 0, 1, -1, math.MinInt64, math.MaxInt64, CreditsMax}).Draw(t, "quantity"),
			Metered:       rapid.IntRange(0, 5).Draw(t, "metered") == 0,
		}
	}), 0, 50).Draw(t, "items")
}

func absurdFacts(t *rapid.T) Subscription {
	return Subscription{
		ID: "sub_1", CustomerID: "cus_1",
		Status: rapid.SampledFrom([]Status{
			StatusActive, StatusTrialing, StatusPastDue, StatusUnpaid, StatusPaused, StatusIncomplete, StatusCanceled, StatusIncompleteExpired, "", "new",
		}).Draw(t, "status"),
		Items: absurdItems(t), PeriodStart: absurd(t, "period start"), PeriodEnd: absurd(t, "period end"), Anchor: absurd(t, "anchor"),
		TrialStart: absurdOrNil(t, "trial start"), TrialEnd: absurdOrNil(t, "trial end"), CancelAtPeriodEnd: rapid.Bool().Draw(t, "cancel"),
		CancelAt: absurdOrNil(t, "cancel at"), EndedAt: absurdOrNil(t, "ended at"),
	}
}

func absurdLine(t *rapid.T) PaidLine {
	return PaidLine{
		PriceID:  rapid.SampledFrom([]string{"team_month", "team_year", "addon", ""}).Draw(t, "price"),
		Quantity: rapid.SampledFrom([]int64{5, 0, -1, math.MaxInt64, math.MinInt64}).Draw(t, "quantity"),
		Amount:   rapid.SampledFrom([]int64{5, 0, -1, math.MaxInt64}).Draw(t, "amount"), Proration: rapid.Bool().Draw(t, "proration"),
		From: absurd(t, "from"), To: absurd(t, "to"), PaidAt: absurdOrNil(t, "paid at"),
	}
}

func TestAbsurdFacts(t *testing.T) {
	t.Run("E6_NothingCrashesOrGoesOnForEver", rapid.MakeCheck(func(t *rapid.T) {
		s := tell(t, append(plans(t), plan("fee", baseFee))...).subscribes("2025-01-01", item("team_month", 5))
		most := map[int64]int64{}
		for range rapid.IntRange(1, 5).Draw(t, "fetches") {
			s.sub.Facts = absurdFacts(t)
			s.sub.Paid = rapid.SliceOfN(rapid.Custom(absurdLine), 0, 6).Draw(t, "paid")
			began, before := time.Now(), len(s.sub.Periods)
			s.at(absurd(t, "at"))
			if took := time.Since(began); took > 5*time.Second {
				t.Fatalf("settling took %s", took)
			}
			if n := len(s.sub.Periods) - before; n > openMax+3 {
				t.Fatalf("one settling opened %d periods", n)
			}
			s.holdsGood(t, most)
		}
	}))
	t.Run("E6_FiftyItems", func(t *testing.T) {
		items := []Item{}
		for range 50 {
			items = append(items, item("team_month", 1))
		}
		tell(t, plan("team")).subscribes("2025-01-01", items...).pays().on("2025-01-01").has("monthly: pool 50000; 2025-01-01..2025-02-02")
	})
	t.Run("E6_NoItemsAnyMore", func(t *testing.T) {
		s := tell(t, plan("team")).subscribes("2025-01-01", item("team_month", 5)).pays().on("2025-01-01")
		s.sub.Facts.Items = nil
		s.on("2025-01-02").remembers(1, "T 0 O 0 granted 5000 taken 5000").on("2025-06-01").has()
	})
	t.Run("E6_APeriodThatEndsBeforeItBegins", func(t *testing.T) {
		s := tell(t, plan("team", periodStart)).subscribes("2025-01-15", item("team_month", 5))
		s.sub.Facts.PeriodEnd = day("2024-12-01")
		s.on("2025-01-20").spans("2025-01-15..2025-02-15").has("monthly: pool 5000; 2025-01-15..2025-02-15")
	})
}
