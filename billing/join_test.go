package billing

import (
	"testing"

	"purser/ledger"
)

func TestReturned(t *testing.T) {
	begin := func(t *testing.T, r Rollover, change ...func(*Plan)) *story {
		return tell(t, plan("team", append(change, rollover(r))...)).subscribes("2025-01-01", item("team_month", 5)).pays().on("2025-01-01")
	}
	next := func(s *story, start string) *story { return s.renews(start).pays().on(start) }
	february := "monthly: pool 5000; 2025-02-01..2025-03-02"

	t.Run("L8_HeldCreditsNeitherRollNorDie", func(t *testing.T) {
		s := begin(t, Rollover{Mode: RolloverNone}).holdsBack("2025-01-31 20:00", "h", 300, "2025-02-01 12:00")
		next(s, "2025-02-01").has("monthly: pool 300 (300 held); 2025-01-01..2025-02-02", february).on("2025-02-01 12:00").has(february)
	})
	t.Run("L8_ReleasedAfterTheTurnTheyJoinItsRollover", func(t *testing.T) {
		s := begin(t, Rollover{Mode: RolloverAll}).holdsBack("2025-01-31 20:00", "h", 300, "2025-02-01 12:00")
		next(s, "2025-02-01").has("monthly: pool 300 (300 held); 2025-01-01..2025-02-02", "rollover: pool 4700; 2025-01-01..2025-03-02", february)
		s.releases("2025-02-01 10:00", "h").has("rollover: pool 5000; 2025-01-01..2025-03-02", february)
	})
	t.Run("L8_AsFarAsItsCapHasRoom", func(t *testing.T) {
		s := begin(t, Rollover{Mode: RolloverCap, CapPerSeat: 960}).holdsBack("2025-01-31 20:00", "h", 300, "2025-02-01 12:00")
		next(s, "2025-02-01")
		s.on("2025-02-01 12:00").has("rollover: pool 4800; 2025-01-01..2025-03-02", february)
		if got := s.posted("expiry"); got != 200 {
			t.Errorf("%d expired", got)
		}
	})
	t.Run("L8_RoomThatWasSpentSinceIsNoRoom", func(t *testing.T) {
		s := begin(t, Rollover{Mode: RolloverCap, CapPerSeat: 900}).holdsBack("2025-01-31 20:00", "h", 300, "2025-02-01 12:00")
		next(s, "2025-02-01").spends("2025-02-01 01:00", 4500)
		s.on("2025-02-01 12:00").has(february)
	})
	t.Run("L8_ItJoinsAlthoughItsRolloverLotIsUsedUp", func(t *testing.T) {
		s := begin(t, Rollover{Mode: RolloverAll}).holdsBack("2025-01-31 20:00", "h", 300, "2025-02-01 12:00")
		next(s, "2025-02-01").spends("2025-02-01 01:00", 4700).on("2025-02-01 12:00").has("rollover: pool 300; 2025-01-01..2025-03-02", february)
	})
	t.Run("L8_FrozenAcrossTwoTurnsItJoinsEachInOrder", func(t *testing.T) {
		s := begin(t, Rollover{Mode: RolloverCap, CapPerSeat: 600}).freezes("2025-01-10", "monthly", true)
		next(s, "2025-02-01").has("monthly: pool 5000; 2025-01-01..2025-02-02 frozen", february)
		next(s, "2025-03-01").has("monthly: pool 5000; 2025-01-01..2025-02-02 frozen", "rollover: pool 3000; 2025-02-01..2025-04-02", "monthly: pool 5000; 2025-03-01..2025-04-02")
		// 3,000 join February's turn; March's turn has no room left.
		s.freezes("2025-03-10", "monthly", false).has("rollover: pool 3000; 2025-02-01..2025-04-02", "monthly: pool 5000; 2025-03-01..2025-04-02")
		if got := s.posted("expiry"); got != 5000+2000 {
			t.Errorf("%d expired", got)
		}
	})
	t.Run("L8_AcrossTwoTurnsWithRoomInBoth", func(t *testing.T) {
		s := begin(t, Rollover{Mode: RolloverAll, MaxAgeTurns: 2}).freezes("2025-01-10", "monthly", true)
		next(s, "2025-02-01")
		next(s, "2025-03-01").freezes("2025-03-10", "monthly", false).
			has("rollover: pool 5000; 2025-01-01..2025-04-02", "rollover: pool 5000; 2025-02-01..2025-04-02", "monthly: pool 5000; 2025-03-01..2025-04-02")
		next(s, "2025-04-01").has("rollover: pool 5000; 2025-02-01..2025-05-02", "rollover: pool 5000; 2025-03-01..2025-05-02", "monthly: pool 5000; 2025-04-01..2025-05-02")
	})
	t.Run("L8_AcrossMoreTurnsThanItsAgeAllowsItExpires", func(t *testing.T) {
		s := begin(t, Rollover{Mode: RolloverAll, MaxAgeTurns: 1}).freezes("2025-01-10", "monthly", true)
		next(s, "2025-02-01")
		next(s, "2025-03-01").freezes("2025-03-10", "monthly", false).
			has("rollover: pool 5000; 2025-02-01..2025-04-02", "monthly: pool 5000; 2025-03-01..2025-04-02")
	})
	t.Run("L8_InAnAllocationItJoinsWhereItLies", func(t *testing.T) {
		s := begin(t, Rollover{Mode: RolloverCap, CapPerSeat: 300}).allocates("2025-01-10", "ann", 1000).freezes("2025-01-10", "monthly", true)
		next(s, "2025-02-01").freezes("2025-02-10", "monthly", false).
			// 1,500 have room: the pool's 4,000 expire but for 500.
			has("rollover: pool 500; 2025-01-01..2025-03-02", "rollover: ann 1000; 2025-01-01..2025-03-02", february)
	})
	t.Run("L8_WhatAReversalGivesBackJoinsTheTurnItMissed", func(t *testing.T) {
		s := begin(t, Rollover{Mode: RolloverAll}).spends("2025-01-10", 5000)
		next(s, "2025-02-01").has(february)
		// More of the lot is there again, as a reversal leaves it.
		s.must(s.state.Book.Grant(s.request("2025-02-05"), s.pool(), ledger.LotIn{Origin: s.sub.period(1).LotOrigin}, 1200))
		s.on("2025-02-05").has("rollover: pool 1200; 2025-01-01..2025-03-02", february)
	})
	t.Run("L8_OfACanceledSubscriptionWhatComesBackExpires", func(t *testing.T) {
		s := begin(t, Rollover{Mode: RolloverAll}).holdsBack("2025-01-31 20:00", "h", 300, "2025-02-01 12:00").cancels("2025-01-31 21:00").on("2025-01-31 21:00")
		s.on("2025-02-01").has("monthly: pool 300 (300 held); 2025-01-01..2025-02-01").on("2025-02-01 12:00").has()
	})
	t.Run("L8_WhatAHoldGivesBackIsDatedByItsEnd", func(t *testing.T) {
		s := begin(t, Rollover{Mode: RolloverNone}).holdsBack("2025-01-31 20:00", "h", 300, "2025-02-01 12:00")
		next(s, "2025-02-01").on("2025-02-05")
		for _, e := range s.state.Book.Entries() {
			if e.Kind == ledger.KindExpiry && e.Credits == 300 && shortly(e.At) != "2025-02-01 12:00" {
				t.Errorf("expired at %s", e.At)
			}
		}
	})
}
