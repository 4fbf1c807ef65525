package billing

import (
	"testing"

	"purser/ledger"
)

func TestRecompute(t *testing.T) {
	begin := func(t *testing.T, change ...func(*Plan)) *story {
		return tell(t, plan("team", change...)).subscribes("2025-06-01", item("team_month", 5)).pays().on("2025-06-01")
	}
	next := func(s *story, start string) *story { return s.renews(start).pays().on(start) }

	t.Run("B10_TheExample", func(t *testing.T) {
		tell(t, plan("team")).subscribes("2025-01-01", item("team_month", 8)).pays().
			spends("2025-01-05", 4000).
			allocates("2025-01-05", "bob", 1000).
			holdsBack("2025-01-05", "h", 200, "2025-01-06").
			seats(3).on("2025-01-05 12:00").
			remembers(1, "T 3000 O 2200 granted 8000 taken 2800").
			has("monthly: pool 200 (200 held), bob 1000; 2025-01-01..2025-02-02").
			seats(8).on("2025-01-05 13:00").
			remembers(1, "T 8000 O 0 granted 10800 taken 2800").
			has("monthly: pool 3000 (200 held), bob 1000; 2025-01-01..2025-02-02")
	})
	t.Run("B10_TheSameTargetIsNothingHoweverOftenAsked", func(t *testing.T) {
		s := begin(t).on("2025-06-02").on("2025-06-03").seats(5).on("2025-06-04").remembers(1, "T 5000 O 0 granted 5000 taken 0")
		if n := len(s.state.Book.Entries()); n != 1 {
			t.Errorf("%d entries", n)
		}
	})
	t.Run("B10_ToAndFroMintsNothing", func(t *testing.T) {
		begin(t).seats(10).on("2025-06-02").seats(5).on("2025-06-03").seats(10).on("2025-06-04").
			remembers(1, "T 10000 O 0 granted 15000 taken 5000").has("monthly: pool 10000; 2025-06-01..2025-07-02")
	})
	t.Run("B10_ToAndFroWithSpendsBetweenMintsNothing", func(t *testing.T) {
		begin(t).seats(10).spends("2025-06-02", 9000).seats(5).on("2025-06-03").
			remembers(1, "T 5000 O 4000 granted 10000 taken 1000").has().
			seats(10).on("2025-06-04").remembers(1, "T 10000 O 0 granted 11000 taken 1000").
			has("monthly: pool 1000; 2025-06-01..2025-07-02"). // 9,000 + 1,000 = 10 × 1,000
			seats(5).on("2025-06-05").seats(10).on("2025-06-06").seats(0).on("2025-06-07").seats(10).on("2025-06-08").
			has("monthly: pool 1000; 2025-06-01..2025-07-02")
	})
	t.Run("B10_AHigherTargetPaysWhatIsOwedFirst", func(t *testing.T) {
		begin(t).spends("2025-06-02", 5000).seats(1).on("2025-06-03").remembers(1, "T 1000 O 4000 granted 5000 taken 0").
			seats(3).on("2025-06-04").remembers(1, "T 3000 O 2000 granted 5000 taken 0").has().
			seats(6).on("2025-06-05").remembers(1, "T 6000 O 0 granted 6000 taken 0").has("monthly: pool 1000; 2025-06-01..2025-07-02")
	})
	t.Run("B10_WhatBecomesFreeLaterIsNotChased", func(t *testing.T) {
		begin(t).holdsBack("2025-06-02", "h", 4000, "2025-06-03").seats(1).on("2025-06-02 12:00").
			remembers(1, "T 1000 O 3000 granted 5000 taken 1000").
			on("2025-06-10").remembers(1, "T 1000 O 3000 granted 5000 taken 1000").has("monthly: pool 4000; 2025-06-01..2025-07-02")
	})
	t.Run("B10_FrozenAndAllocatedCreditsStay", func(t *testing.T) {
		begin(t).allocates("2025-06-02", "ann", 1500).seats(1).on("2025-06-03").
			remembers(1, "T 1000 O 500 granted 5000 taken 3500").has("monthly: ann 1500; 2025-06-01..2025-07-02")
		begin(t).freezes("2025-06-02", ledger.Monthly, true).seats(1).on("2025-06-03").remembers(1, "T 1000 O 4000 granted 5000 taken 0")
	})
	t.Run("B10_OtherLotsAreNotTouched", func(t *testing.T) {
		begin(t, keepAll).gives("2025-06-02", ledger.Purchase, 700, "2026-06-02").spends("2025-06-02", 4500).seats(1).on("2025-06-03").
			remembers(1, "T 1000 O 3500 granted 5000 taken 500").has("purchase: pool 700; 2025-06-02..2026-06-02")
		s := next(begin(t, keepAll), "2025-07-01").seats(0).on("2025-07-02")
		s.has("rollover: pool 5000; 2025-06-01..2025-08-02")
	})
	t.Run("B10_NextPeriodTakesNothingBeforeTheTurn", func(t *testing.T) {
		s := begin(t, nextPeriod, keepAll).seats(3).on("2025-06-10").
			remembers(1, "T 3000 O 2000 granted 5000 taken 0").has("monthly: pool 5000; 2025-06-01..2025-07-02").
			seats(4).on("2025-06-11").remembers(1, "T 4000 O 1000 granted 5000 taken 0")
		next(s, "2025-07-01").remembers(1, "T 4000 O 0 granted 5000 taken 1000").
			has("rollover: pool 4000; 2025-06-01..2025-08-02", "monthly: pool 4000; 2025-07-01..2025-08-02")
	})
	t.Run("B10_AtTheTurnTheRestIsTakenWhereverItLies", func(t *testing.T) {
		s := begin(t, keepAll).allocates("2025-06-02", "ann", 2000).allocates("2025-06-02", "bob", 2500).spends("2025-06-02", 400).
			seats(1).on("2025-06-03").remembers(1, "T 1000 O 3900 granted 5000 taken 100")
		next(s, "2025-07-01").remembers(1, "T 1000 O 0 granted 5000 taken 4000").
			has("rollover: bob 600; 2025-06-01..2025-08-02", "monthly: pool 1000; 2025-07-01..2025-08-02")
	})
	t.Run("B10_WithoutProrationWhatEvenTheTurnLacksIsForgotten", func(t *testing.T) {
		s := begin(t).spends("2025-06-02", 5000).seats(1).on("2025-06-03").remembers(1, "T 1000 O 4000 granted 5000 taken 0")
		next(s, "2025-07-01").remembers(1, "T 1000 O 0 granted 5000 taken 0").remembers(2, "T 1000 O 0 granted 1000 taken 0")
	})
	t.Run("B10_WithProrationItIsSetOffAgainstTheNextGrant", func(t *testing.T) {
		s := begin(t, proration).spends("2025-06-02", 5000).seats(1).on("2025-06-16").remembers(1, "T 1000 O 2000 granted 5000 taken 0")
		next(s, "2025-07-01").remembers(1, "T 1000 O 0 granted 5000 taken 0").remembers(2, "T 1000 O 1000 granted 0 taken 0").has()
		s.seats(4).on("2025-07-01 00:01").remembers(2, "T 4000 O 0 granted 1999 taken 0")
	})
	t.Run("B10_ShareIsRoundedDownWhenGrantedAndUpWhenTaken", func(t *testing.T) {
		s := tell(t, plan("team", proration, credits(100))).subscribes("2025-06-01", item("team_month", 5)).pays().on("2025-06-01")
		s.seats(6).on("2025-06-12").remembers(1, "T 600 O 0 granted 563 taken 0"). // 100 × 19/30 = 63.3
												seats(5).on("2025-06-12").remembers(1, "T 500 O 0 granted 563 taken 64"). // 64 back
												seats(6).on("2025-06-12").seats(5).on("2025-06-12").remembers(1, "T 500 O 0 granted 626 taken 128")
	})
	t.Run("B10_ProrationCountsTheTimeLeft", func(t *testing.T) {
		begin(t, proration).seats(10).on("2025-06-16").remembers(1, "T 10000 O 0 granted 7500 taken 0").
			seats(0).on("2025-06-30 23:59:59").remembers(1, "T 0 O 0 granted 7500 taken 1")
	})
	t.Run("B10_DebtAndExpiryTouchNeitherTargetNorOwed", func(t *testing.T) {
		s := begin(t).spends("2025-06-02", 5000)
		lot, _ := s.state.Book.Lot(s.sub.period(1).LotOrigin)
		s.must(s.state.Book.Clawback(s.request("2025-06-03"), lot, nil, 700))
		s.seats(6).on("2025-06-04").remembers(1, "T 6000 O 0 granted 6000 taken 0").has("monthly: pool 300; 2025-06-01..2025-07-02").
			seats(5).on("2025-06-05").remembers(1, "T 5000 O 700 granted 6000 taken 300").
			seats(6).on("2025-06-06").remembers(1, "T 6000 O 0 granted 6300 taken 300").has("monthly: pool 300; 2025-06-01..2025-07-02")
	})
	t.Run("B8_OnlyTheCurrentPeriodIsRecomputedByTheClock", func(t *testing.T) {
		begin(t).renews("2025-07-01").seats(9).on("2025-07-01 00:00:01").remembers(1, "T 5000 O 0 granted 5000 taken 0").
			has("monthly: pool 5000; 2025-06-01..2025-07-02")
	})
	t.Run("B10_IncreasesAreEffectiveFromThePeriodsStart", func(t *testing.T) {
		begin(t).seats(6).on("2025-06-20").has("monthly: pool 6000; 2025-06-01..2025-07-02")
	})
	t.Run("T13_ALotThatWasCarriedFromBookToBookIsStillThePeriods", func(t *testing.T) {
		s := begin(t)
		from := s.state.Book
		other := ledger.Blank(2, ledger.UserBook, day("2025-06-01"))
		to, _ := other.Account(ledger.Main)
		for _, part := range []int64{1000, 4000} {
			lot, _ := from.Lot(s.sub.period(1).LotOrigin)
			if _, _, err := ledger.Carry(from, other, s.request("2025-06-02"), ledger.CarryIn{
				Kind: ledger.KindAssignment, From: s.pool(), To: to, Draws: from.TakeFrom(lot, s.pool(), part),
			}); err != nil {
				t.Fatal(err)
			}
		}
		s.state.Book = other
		s.on("2025-06-02").seats(1).on("2025-06-03").remembers(1, "T 1000 O 0 granted 5000 taken 4000")
	})
}

func TestPlanChange(t *testing.T) {
	begin := func(t *testing.T, change ...func(*Plan)) *story {
		return tell(t, plan("team", change...), plan("business", append(change, credits(2000))...)).
			subscribes("2025-06-01", item("team_month", 5)).pays().on("2025-06-01")
	}
	t.Run("B11_UpAndDownFollowsTheNewPlansCredits", func(t *testing.T) {
		begin(t).spends("2025-06-02", 3000).
			switches("2025-06-10", item("business_month", 5)).remembers(1, "T 10000 O 0 granted 10000 taken 0").
			switches("2025-06-11", item("team_month", 5)).remembers(1, "T 5000 O 0 granted 10000 taken 5000").
			switches("2025-06-12", item("business_month", 5)).remembers(1, "T 10000 O 0 granted 15000 taken 5000").
			has("monthly: pool 7000; 2025-06-01..2025-07-02")
	})
	t.Run("B11_ADowngradeAfterSpendingIsOwed", func(t *testing.T) {
		begin(t).switches("2025-06-10", item("business_month", 5)).spends("2025-06-10", 9000).
			switches("2025-06-11", item("team_month", 5)).remembers(1, "T 5000 O 4000 granted 10000 taken 1000").
			switches("2025-06-12", item("business_month", 5)).remembers(1, "T 10000 O 0 granted 11000 taken 1000").
			has("monthly: pool 1000; 2025-06-01..2025-07-02")
	})
	t.Run("B11_SeatDecreaseSaysWhenADowngradeTakes", func(t *testing.T) {
		begin(t, nextPeriod).switches("2025-06-10", item("business_month", 5)).switches("2025-06-11", item("team_month", 5)).
			remembers(1, "T 5000 O 5000 granted 10000 taken 0")
	})
	// Half of June is left, and only one of the two plans prorates.
	mixed := func(t *testing.T, team, business []func(*Plan)) *story {
		return tell(t, plan("team", team...), plan("business", append(business, credits(2000))...)).
			subscribes("2025-06-01", item("team_month", 5)).pays().on("2025-06-01")
	}
	t.Run("B11_ToAndFroMintsNothing_WhereOnlyTheSmallPlanProrates", func(t *testing.T) {
		s := mixed(t, []func(*Plan){proration}, nil)
		for n := int64(1); n <= 3; n++ {
			s.switches("2025-06-16", item("business_month", 5)).has("monthly: pool 10000; 2025-06-01..2025-07-02").
				switches("2025-06-16", item("team_month", 5)).has("monthly: pool 5000; 2025-06-01..2025-07-02")
		}
		s.remembers(1, "T 5000 O 0 granted 20000 taken 15000")
	})
	t.Run("B11_ToAndFroLosesNothing_WhereOnlyTheBigPlanProrates", func(t *testing.T) {
		s := mixed(t, nil, []func(*Plan){proration})
		for range 3 {
			s.switches("2025-06-16", item("business_month", 5)).has("monthly: pool 7500; 2025-06-01..2025-07-02").
				switches("2025-06-16", item("team_month", 5)).has("monthly: pool 5000; 2025-06-01..2025-07-02")
		}
		s.remembers(1, "T 5000 O 0 granted 12500 taken 7500").seats(0).on("2025-06-17").remembers(1, "T 0 O 0 granted 12500 taken 12500")
	})
	t.Run("B11_ToAndFroMintsNothing_AroundThreePlans", func(t *testing.T) {
		s := tell(t, plan("team"), plan("plus", credits(2000), proration), plan("business", credits(3000))).
			subscribes("2025-06-01", item("team_month", 5)).pays().on("2025-06-01")
		for range 3 {
			s.switches("2025-06-16", item("business_month", 5)).has("monthly: pool 15000; 2025-06-01..2025-07-02").
				switches("2025-06-16", item("plus_month", 5)).has("monthly: pool 10000; 2025-06-01..2025-07-02").
				switches("2025-06-16", item("team_month", 5)).has("monthly: pool 5000; 2025-06-01..2025-07-02")
		}
	})
	t.Run("B10_SeatsThatWentAndCameBackMintNothing_WhereOnlyTheFirstPlanProrates", func(t *testing.T) {
		s := mixed(t, []func(*Plan){proration}, nil)
		s.seats(0).on("2025-06-16").remembers(1, "T 0 O 0 granted 5000 taken 2500")
		s.switches("2025-06-16", item("business_month", 0)).seats(5).on("2025-06-16").remembers(1, "T 10000 O 0 granted 12500 taken 2500")
	})
	t.Run("B11_OfASeatThatWentAShareIsLeft_AndABiggerPlanCountsIt", func(t *testing.T) {
		s := mixed(t, []func(*Plan){proration}, nil)
		s.seats(4).on("2025-06-16").remembers(1, "T 4000 O 0 granted 5000 taken 500")
		s.switches("2025-06-16", item("business_month", 4)).remembers(1, "T 8000 O 0 granted 8500 taken 500").
			switches("2025-06-16", item("team_month", 4)).remembers(1, "T 4000 O 0 granted 8500 taken 4500")
	})
	t.Run("B13_PlansBesideEachOther", func(t *testing.T) {
		begin(t).switches("2025-06-10", item("team_month", 5), item("business_month", 2)).remembers(1, "T 9000 O 0 granted 9000 taken 0").
			switches("2025-06-11", item("business_month", 2)).remembers(1, "T 4000 O 0 granted 9000 taken 5000")
	})
}
