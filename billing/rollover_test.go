package billing

import "testing"

func TestRollover(t *testing.T) {
	begin := func(t *testing.T, r Rollover, change ...func(*Plan)) *story {
		return tell(t, plan("team", append(change, rollover(r))...)).subscribes("2025-01-01", item("team_month", 5)).pays().on("2025-01-01")
	}
	next := func(s *story, start string) *story { return s.renews(start).pays().on(start) }
	february := "monthly: pool 5000; 2025-02-01..2025-03-02"

	for _, c := range []struct {
		name  string
		rule  Rollover
		spent int64
		want  []string
	}{
		{"None", Rollover{Mode: RolloverNone}, 1000, []string{february}},
		{"All", Rollover{Mode: RolloverAll}, 1000, []string{"rollover: pool 4000; 2025-01-01..2025-03-02", february}},
		{"CapWithRoom", Rollover{Mode: RolloverCap, CapPerSeat: 900}, 1000, []string{"rollover: pool 4000; 2025-01-01..2025-03-02", february}},
		{"CapWithoutRoom", Rollover{Mode: RolloverCap, CapPerSeat: 500}, 1000, []string{"rollover: pool 2500; 2025-01-01..2025-03-02", february}},
		{"PercentRoundedDown", Rollover{Mode: RolloverPercent, Percent: 33}, 1000, []string{"rollover: pool 1650; 2025-01-01..2025-03-02", february}},
		{"PercentOfMoreThanIsLeft", Rollover{Mode: RolloverPercent, Percent: 33}, 4000, []string{"rollover: pool 1000; 2025-01-01..2025-03-02", february}},
		{"NothingLeft", Rollover{Mode: RolloverAll}, 5000, []string{february}},
	} {
		t.Run("B9_"+c.name, func(t *testing.T) {
			next(begin(t, c.rule).spends("2025-01-02", c.spent), "2025-02-01").has(c.want...)
		})
	}
	t.Run("B9_TheCapCountsTheSeatsOfTheNewPeriod", func(t *testing.T) {
		s := begin(t, Rollover{Mode: RolloverCap, CapPerSeat: 500}, nextPeriod).seats(2).on("2025-01-31")
		next(s, "2025-02-01").has("rollover: pool 1000; 2025-01-01..2025-03-02", "monthly: pool 2000; 2025-02-01..2025-03-02")
	})
	t.Run("B9_TheCapCountsAtLeastOneSeat", func(t *testing.T) {
		s := begin(t, Rollover{Mode: RolloverCap, CapPerSeat: 500})
		next(s.seats(0), "2025-02-01").has("rollover: pool 500; 2025-01-01..2025-03-02")
	})
	t.Run("B9_PercentOfTheNetGrant", func(t *testing.T) {
		// 8 seats, then 6: 2,000 taken back at once, half of 6,000 rolls.
		s := begin(t, Rollover{Mode: RolloverPercent, Percent: 50}).seats(8).on("2025-01-02").seats(6).on("2025-01-03")
		next(s, "2025-02-01").has("rollover: pool 3000; 2025-01-01..2025-03-02", "monthly: pool 6000; 2025-02-01..2025-03-02")
		// The same when it is taken only at the turn.
		s = begin(t, Rollover{Mode: RolloverPercent, Percent: 50}, nextPeriod).seats(8).on("2025-01-02").seats(6).on("2025-01-03")
		next(s, "2025-02-01").has("rollover: pool 3000; 2025-01-01..2025-03-02", "monthly: pool 6000; 2025-02-01..2025-03-02")
	})
	t.Run("B9_PercentCountsTheEndedPeriodsGrantNotWhatRolledIntoIt", func(t *testing.T) {
		s := begin(t, Rollover{Mode: RolloverPercent, Percent: 50})
		next(s, "2025-02-01").has("rollover: pool 2500; 2025-01-01..2025-03-02", february)
		// 2,500 have room; January's are the older and expire.
		next(s, "2025-03-01").has("rollover: pool 2500; 2025-02-01..2025-04-02", "monthly: pool 5000; 2025-03-01..2025-04-02")
	})
	t.Run("B9_TheMaximumAge", func(t *testing.T) {
		s := begin(t, Rollover{Mode: RolloverAll, MaxAgeTurns: 2})
		next(s, "2025-02-01").has("rollover: pool 5000; 2025-01-01..2025-03-02", february)
		next(s, "2025-03-01").has("rollover: pool 5000; 2025-01-01..2025-04-02", "rollover: pool 5000; 2025-02-01..2025-04-02", "monthly: pool 5000; 2025-03-01..2025-04-02")
		next(s, "2025-04-01").has("rollover: pool 5000; 2025-02-01..2025-05-02", "rollover: pool 5000; 2025-03-01..2025-05-02", "monthly: pool 5000; 2025-04-01..2025-05-02")
	})
	t.Run("B9_WhatIsTooOldTakesNoRoomOfTheCap", func(t *testing.T) {
		s := begin(t, Rollover{Mode: RolloverCap, CapPerSeat: 600, MaxAgeTurns: 1})
		next(s, "2025-02-01").has("rollover: pool 3000; 2025-01-01..2025-03-02", february)
		next(s, "2025-03-01").has("rollover: pool 3000; 2025-02-01..2025-04-02", "monthly: pool 5000; 2025-03-01..2025-04-02")
	})
	t.Run("B9_TheOldestIsForfeitedFirstThenThePoolThenAllocationsInOrder", func(t *testing.T) {
		s := begin(t, Rollover{Mode: RolloverCap, CapPerSeat: 1000}).
			allocates("2025-01-02", "ann", 1000).allocates("2025-01-02", "bob", 500)
		next(s, "2025-02-01").has("rollover: pool 3500; 2025-01-01..2025-03-02", "rollover: ann 1000; 2025-01-01..2025-03-02",
			"rollover: bob 500; 2025-01-01..2025-03-02", february)
		s.spends("2025-02-02", 3000).allocates("2025-02-03", "cid", 700) // 500 of January are left, and 200 of February go with them
		s.has("rollover: cid 500; 2025-01-01..2025-03-02", "rollover: ann 1000; 2025-01-01..2025-03-02",
			"rollover: bob 500; 2025-01-01..2025-03-02", "monthly: pool 4800, cid 200; 2025-02-01..2025-03-02")
		// 7,000 are left, 5,000 roll: all 2,000 of January are forfeited.
		next(s, "2025-03-01").has("rollover: pool 4800; 2025-02-01..2025-04-02", "rollover: cid 200; 2025-02-01..2025-04-02",
			"monthly: pool 5000; 2025-03-01..2025-04-02")
		// 5 × 1,000 roll again: of the 10,000, February's 5,000 go.
		next(s, "2025-04-01").has("rollover: pool 5000; 2025-03-01..2025-05-02", "monthly: pool 5000; 2025-04-01..2025-05-02")
	})
	t.Run("B9_OfOneAgeThePoolIsForfeitedBeforeAllocations", func(t *testing.T) {
		s := begin(t, Rollover{Mode: RolloverCap, CapPerSeat: 220}).allocates("2025-01-02", "ann", 1000).allocates("2025-01-02", "bob", 500)
		// 1,100 roll: the pool's 3,500 go, and 400 of Ann's, whose account is older.
		next(s, "2025-02-01").has("rollover: ann 600; 2025-01-01..2025-03-02", "rollover: bob 500; 2025-01-01..2025-03-02", february)
	})
	t.Run("B9_TheNewPeriodsPlanDecides", func(t *testing.T) {
		s := tell(t, plan("team", keepAll), plan("basic", credits(10))).subscribes("2025-01-01", item("team_month", 5)).pays().on("2025-01-01")
		s.sub.Facts.Items = []Item{item("basic_month", 5)}
		next(s, "2025-02-01").has("monthly: pool 50; 2025-02-01..2025-03-02")
		s = tell(t, plan("team", keepAll), plan("basic", credits(10))).subscribes("2025-01-01", item("basic_month", 5)).pays().on("2025-01-01")
		s.sub.Facts.Items = []Item{item("team_month", 5)}
		next(s, "2025-02-01").has("rollover: pool 50; 2025-01-01..2025-03-02", february)
	})
	t.Run("B9_PurchasedAndBonusCreditsDoNotRoll", func(t *testing.T) {
		s := begin(t, Rollover{Mode: RolloverAll}).gives("2025-01-03", "bonus", 40, "2025-06-01").gives("2025-01-03", "purchase", 70, "2025-06-01")
		next(s, "2025-02-01").has("rollover: pool 5000; 2025-01-01..2025-03-02", february, "bonus: pool 40; 2025-01-03..2025-06-01", "purchase: pool 70; 2025-01-03..2025-06-01")
	})
	t.Run("B9_RolledCreditsAreDrawnFirst", func(t *testing.T) {
		s := begin(t, Rollover{Mode: RolloverAll})
		next(s, "2025-02-01").spends("2025-02-02", 5500).has("monthly: pool 4500; 2025-02-01..2025-03-02")
	})
}
