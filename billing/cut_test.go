package billing

import (
	"testing"
)

func TestCut(t *testing.T) {
	begin := func(t *testing.T, change ...func(*Plan)) *story {
		return tell(t, plan("team", change...), plan("business", append(change, credits(2000))...)).
			subscribes("2025-06-01", item("team_month", 5)).pays().on("2025-06-01")
	}
	yearly, monthly := item("team_year", 5), item("team_month", 5)

	t.Run("B11_TheExample", func(t *testing.T) {
		begin(t).spends("2025-06-05", 2000).
			switches("2025-06-11", yearly).
			spans("2025-06-01..2025-06-11 cut", "2025-06-11..2025-07-11 ungranted").
			remembers(1, "T 1666 O 334 granted 5000 taken 3000").has().
			pays().on("2025-06-11 00:01").
			remembers(2, "T 5000 O 0 granted 4666 taken 0").has("monthly: pool 4666; 2025-06-11..2025-07-12")
	})
	t.Run("B11_WhateverSeatDecreaseAndProrationSay", func(t *testing.T) {
		begin(t, nextPeriod, proration).spends("2025-06-05", 2000).switches("2025-06-11", yearly).
			remembers(1, "T 1666 O 334 granted 5000 taken 3000").
			pays().on("2025-06-11 00:01").remembers(2, "T 5000 O 0 granted 4666 taken 0")
	})
	t.Run("B11_WhatIsLeftOfTheTargetStaysUntilTheTurnAndRolls", func(t *testing.T) {
		s := begin(t, keepAll).spends("2025-06-05", 1000).switches("2025-06-11", yearly).
			remembers(1, "T 1666 O 0 granted 5000 taken 3334").has("monthly: pool 666; 2025-06-01..2025-06-12")
		s.pays().on("2025-06-11 00:01").has("rollover: pool 666; 2025-06-01..2025-07-12", "monthly: pool 5000; 2025-06-11..2025-07-12")
	})
	t.Run("B11_MonthlyAndYearlyToAndFroOnOneDayMintsNothing", func(t *testing.T) {
		s := begin(t)
		for i, at := range []string{"2025-06-11 10:00", "2025-06-11 11:00", "2025-06-11 12:00", "2025-06-11 13:00"} {
			to := yearly
			if i%2 == 1 {
				to = monthly
			}
			s.switches(at, to).pays().on(at)
		}
		// 1,736 of the ten days and ten hours, an hour's worth three times, and one month.
		s.remembers(1, "T 1736 O 0 granted 5000 taken 3264").remembers(2, "T 6 O 0 granted 5000 taken 4994").
			remembers(5, "T 5000 O 0 granted 5000 taken 0").has("monthly: pool 5000; 2025-06-11 13:00..2025-07-12 13:00")
	})
	t.Run("B11_ToAndFroAfterSpendingAllMintsNothing", func(t *testing.T) {
		s := begin(t).spends("2025-06-02", 5000).switches("2025-06-02 01:00", yearly).pays().on("2025-06-02 01:00").
			remembers(2, "T 5000 O 0 granted 173 taken 0") // 25 hours are worth 173
		s.spends("2025-06-02 01:30", 173).switches("2025-06-02 02:00", monthly).pays().on("2025-06-02 02:00").
			remembers(2, "T 6 O 0 granted 173 taken 0").remembers(3, "T 5000 O 0 granted 6 taken 0")
		// What there was to spend in all is what the three targets say.
		if spent, left := s.posted("spend"), s.pool().Balance; spent+left != 173+6+5000 {
			t.Errorf("%d spent, %d left", spent, left)
		}
	})
	t.Run("B11_WhatExceedsTheNextGrantStaysOwedInIt", func(t *testing.T) {
		begin(t).seats(10).spends("2025-06-02", 10_000).
			switches("2025-06-02", item("team_year", 1)).remembers(1, "T 333 O 9667 granted 10000 taken 0").
			pays().on("2025-06-02 00:01").remembers(2, "T 1000 O 8667 granted 0 taken 0").has().
			seats(5).on("2025-06-03").remembers(2, "T 5000 O 4667 granted 0 taken 0")
	})
	t.Run("B11_AllocatedCreditsAreTakenTooThePoolFirst", func(t *testing.T) {
		begin(t).allocates("2025-06-02", "ann", 1000).allocates("2025-06-02", "bob", 2000).
			switches("2025-06-11", yearly).remembers(1, "T 1666 O 0 granted 5000 taken 3334").
			has("monthly: bob 1666; 2025-06-01..2025-06-12")
	})
	t.Run("B11_WhatIsHeldStaysOwed", func(t *testing.T) {
		s := begin(t).holdsBack("2025-06-10 20:00", "h", 4000, "2025-06-11 12:00").switches("2025-06-11", yearly).
			remembers(1, "T 1666 O 2334 granted 5000 taken 1000").
			pays().on("2025-06-11 00:01").remembers(2, "T 5000 O 0 granted 2666 taken 0")
		// Released after the cut period's turn it joins that turn, which rolls nothing.
		s.on("2025-06-11 12:00").has("monthly: pool 2666; 2025-06-11..2025-07-12")
	})
	t.Run("B11_AnUngrantedPeriodIsCutWhenItIsPaidLater", func(t *testing.T) {
		s := tell(t, plan("team"), plan("business", credits(2000))).subscribes("2025-06-01", monthly).on("2025-06-05").
			switches("2025-06-11", item("business_year", 5)).pays().on("2025-06-11 01:00").
			has("monthly: pool 10000; 2025-06-11..2025-07-12").remembers(1, "T 1666 O 0 granted 0 taken 0")
		s.paysLine(line("2025-06-01", "2025-07-01")).on("2025-06-12").remembers(1, "T 1666 O 0 granted 1666 taken 0").
			has("monthly: pool 10000; 2025-06-11..2025-07-12")
	})
	t.Run("B11_HeardOfWithinTheGrace", func(t *testing.T) {
		begin(t).spends("2025-06-05", 2000).on("2025-07-01 10:00").switches("2025-06-11", yearly).
			spans("2025-06-01..2025-06-11 cut", "2025-06-11..2025-07-11 ungranted").remembers(1, "T 1666 O 334 granted 5000 taken 3000")
	})
	t.Run("B11_HeardOfAfterTheTurnTheStubIsWorthItsPartOfTheMonth", func(t *testing.T) {
		s := begin(t).on("2025-07-03")
		s.sub.Facts.Items = []Item{yearly}
		s.sub.Facts.Anchor = day("2025-06-11")
		s.own("2025-06-11").pays().on("2025-07-05").
			spans("2025-06-01..2025-07-01", "2025-07-01..2025-07-11").remembers(2, "T 1666 O 0 granted 1666 taken 0").
			on("2025-07-11").remembers(3, "T 5000 O 0 granted 5000 taken 0")
	})
	t.Run("B11_MissedAltogetherTheAnchorTellsOfIt", func(t *testing.T) {
		s := begin(t)
		s.sub.Facts.Anchor = day("2025-06-11")
		s.renews("2025-07-11").paysLine(line("2025-06-11", "2025-07-11")).pays().on("2025-07-12").
			spans("2025-06-01..2025-06-11 cut", "2025-06-11..2025-07-11", "2025-07-11..2025-08-11").
			remembers(1, "T 1666 O 0 granted 5000 taken 3334").remembers(2, "T 5000 O 0 granted 5000 taken 0")
	})
	t.Run("B11_TheAnchorIsReset", func(t *testing.T) {
		s := begin(t).spends("2025-06-05", 2000)
		s.sub.Facts.Anchor = day("2025-06-11")
		s.own("2025-06-11").pays().on("2025-06-11").remembers(1, "T 1666 O 0 granted 5000 taken 3000").
			remembers(2, "T 5000 O 0 granted 4666 taken 0").spans("2025-06-01..2025-06-11 cut", "2025-06-11..2025-07-11")
	})
	t.Run("B11_OwedFromBeforeTheCutIsTakenWithIt", func(t *testing.T) {
		// Two seats gave 2,000 to members; the cut finds them.
		begin(t).allocates("2025-06-02", "ann", 4000).seats(3).on("2025-06-03").remembers(1, "T 3000 O 1000 granted 5000 taken 1000").
			switches("2025-06-11", item("team_year", 3)).remembers(1, "T 1000 O 0 granted 5000 taken 4000").
			has("monthly: ann 1000; 2025-06-01..2025-06-12")
	})
	t.Run("B6_WhilePastDueACutTakesNothingBeforeTheTurn", func(t *testing.T) {
		s := begin(t, keepAll).spends("2025-06-05", 2000).is(StatusPastDue).switches("2025-06-11", yearly).
			remembers(1, "T 1666 O 3334 granted 5000 taken 0").has("monthly: pool 3000; 2025-06-01..2025-06-12")
		s.is(StatusActive).pays().on("2025-06-11 10:00").remembers(1, "T 1666 O 0 granted 5000 taken 3000").
			remembers(2, "T 5000 O 0 granted 4666 taken 0").has("monthly: pool 4666; 2025-06-11..2025-07-12")
	})
	t.Run("B11_AStubThatIsCutAgain", func(t *testing.T) {
		s := tell(t, plan("team")).subscribes("2025-06-01", item("team_year", 5)).pays().on("2025-06-01").on("2025-07-03")
		s.switches("2025-07-16", monthly).pays().on("2025-07-16").
			spans("2025-06-01..2025-07-01", "2025-07-01..2025-07-16 cut", "2025-07-16..2025-08-16").
			remembers(2, "T 2419 O 0 granted 5000 taken 2581")
	})
}

func TestMovedEnd(t *testing.T) {
	t.Run("B4_AMonthEndsWhereStripesOwnPeriodEnds", func(t *testing.T) {
		s := tell(t, plan("team")).subscribes("2025-01-01", item("team_month", 5)).pays().on("2025-01-01")
		s.sub.Facts.PeriodEnd = day("2025-01-20") // set to be canceled in its middle, say
		s.on("2025-01-05").spans("2025-01-01..2025-01-20").has("monthly: pool 5000; 2025-01-01..2025-01-21").
			remembers(1, "T 5000 O 0 granted 5000 taken 0")
		s.sub.Facts.PeriodEnd = day("2025-02-01")
		s.on("2025-01-06").spans("2025-01-01..2025-02-01").has("monthly: pool 5000; 2025-01-01..2025-02-02")
	})
	t.Run("B4_AGrantedMonthOfAYearStays", func(t *testing.T) {
		s := tell(t, plan("team")).subscribes("2025-01-01", item("team_year", 5)).pays().on("2025-01-01")
		s.sub.Facts.PeriodEnd = day("2025-01-20")
		s.on("2025-01-05").spans("2025-01-01..2025-02-01")
	})
	t.Run("B4_AnUngrantedMonthOfAYearFollows", func(t *testing.T) {
		s := tell(t, plan("team")).subscribes("2025-01-01", item("team_year", 5)).on("2025-01-01")
		s.sub.Facts.PeriodEnd = day("2025-01-20")
		s.on("2025-01-05").spans("2025-01-01..2025-01-20 ungranted")
	})
	t.Run("B4_AGrantedMonthStaysThoughStripesBeganBeforeIt", func(t *testing.T) {
		s := tell(t, plan("team", periodStart)).subscribes("2025-01-01", item("team_month", 5)).on("2025-02-03")
		s.sub.Facts.Anchor = day("2025-01-20")
		s.own("2025-01-20").on("2025-02-04").spans("2025-02-01..2025-03-01").remembers(1, "T 5000 O 0 granted 5000 taken 0")
	})
}
