package billing

import (
	"slices"
	"testing"
	"time"
)

var keepAll = rollover(Rollover{Mode: RolloverAll})

func TestTurn(t *testing.T) {
	begin := func(t *testing.T, change ...func(*Plan)) *story {
		return tell(t, plan("team", append([]func(*Plan){keepAll}, change...)...)).
			subscribes("2025-01-01", item("team_month", 5)).pays().on("2025-01-01").spends("2025-01-02", 1000)
	}
	old, rolled := "monthly: pool 4000; 2025-01-01..2025-02-02", "rollover: pool 4000; 2025-01-01..2025-03-02"

	t.Run("B8_TheGrantTurnsThePeriodBefore", func(t *testing.T) {
		begin(t).renews("2025-02-01").on("2025-02-01").has(old).
			pays().on("2025-02-01 01:05").has(rolled, "monthly: pool 5000; 2025-02-01..2025-03-02")
	})
	t.Run("B8_TheGraceTurnsItAndALaterGrantIsAddedAlone", func(t *testing.T) {
		begin(t).renews("2025-02-01").on("2025-02-01 23:59").has(old).on("2025-02-02").has(rolled).
			pays().on("2025-02-20").has(rolled, "monthly: pool 5000; 2025-02-01..2025-03-02")
	})
	t.Run("B8_PeriodStartTurnsAtTheEndItself", func(t *testing.T) {
		begin(t, periodStart).on("2025-01-31 23:59").has("monthly: pool 4000; 2025-01-01..2025-02-01").
			on("2025-02-01").has("rollover: pool 4000; 2025-01-01..2025-03-01", "monthly: pool 5000; 2025-02-01..2025-03-01")
	})
	t.Run("B8_ASetCancellationTurnsAtTheEndItself", func(t *testing.T) {
		s := begin(t)
		s.sub.Facts.CancelAtPeriodEnd = true
		s.on("2025-01-31 23:59").has("monthly: pool 4000; 2025-01-01..2025-02-01").on("2025-02-01").has()
	})
	t.Run("B8_AnotherGrace", func(t *testing.T) {
		begin(t, grace(72*time.Hour)).has("monthly: pool 4000; 2025-01-01..2025-02-04").on("2025-02-03 23:59").
			has("monthly: pool 4000; 2025-01-01..2025-02-04").on("2025-02-04").has("rollover: pool 4000; 2025-01-01..2025-03-04")
	})
	t.Run("B8_NoGrace", func(t *testing.T) {
		begin(t, grace(0)).on("2025-02-01").has("rollover: pool 4000; 2025-01-01..2025-03-01")
	})
	t.Run("B8_WhatIsSpentInTheGraceIsNotThereToRoll", func(t *testing.T) {
		begin(t).renews("2025-02-01").spends("2025-02-01 00:30", 500).pays().on("2025-02-01 01:00").
			has("rollover: pool 3500; 2025-01-01..2025-03-02", "monthly: pool 5000; 2025-02-01..2025-03-02")
	})
	t.Run("B8_TheTurnCountsAsOfThePeriodsEnd", func(t *testing.T) {
		s := begin(t).renews("2025-02-01").pays().on("2025-02-01 07:00")
		for _, e := range s.state.Book.Entries() {
			if e.Kind == "rollover" && !e.At.Equal(day("2025-02-01")) {
				t.Errorf("%s at %s", e.Key, e.At)
			}
		}
	})
	t.Run("B8_AGrantWhosePeriodIsOverJoinsThatPeriodsTurn", func(t *testing.T) {
		begin(t, rollover(Rollover{Mode: RolloverCap, CapPerSeat: 300})).renews("2025-02-01").is(StatusPastDue).on("2025-03-05").
			renews("2025-03-01").is(StatusActive).
			paysLine(line("2025-02-01", "2025-03-01")).on("2025-03-06").
			// 1,500 of January rolled in February and again in March; nothing more has room.
			has("rollover: pool 1500; 2025-01-01..2025-04-02").remembers(2, "T 5000 O 0 granted 5000 taken 0")
		begin(t, rollover(Rollover{Mode: RolloverCap, CapPerSeat: 900})).renews("2025-02-01").is(StatusPastDue).on("2025-03-05").
			renews("2025-03-01").is(StatusActive).
			paysLine(line("2025-02-01", "2025-03-01")).on("2025-03-06").
			has("rollover: pool 4000; 2025-01-01..2025-04-02", "rollover: pool 500; 2025-02-01..2025-04-02")
	})
	t.Run("B9_TheLateGrantsAgeCountsFromItsPeriodsStart", func(t *testing.T) {
		s := begin(t).renews("2025-02-01").is(StatusPastDue).on("2025-03-05").renews("2025-03-01").is(StatusActive).
			paysLine(line("2025-02-01", "2025-03-01")).on("2025-03-06")
		for _, p := range s.state.Book.Portions() {
			if p.Balance == 5000 && (!p.Lot.FirstGrantedAt.Equal(day("2025-02-01")) || p.Lot.TurnsSurvived != 1) {
				t.Errorf("first granted at %s, %d turns", p.Lot.FirstGrantedAt, p.Lot.TurnsSurvived)
			}
		}
	})
	t.Run("B8_TheSameHourOfEveryMonth", func(t *testing.T) {
		tell(t, plan("team", keepAll)).subscribes("2025-01-31 17:30", item("team_month", 5)).pays().on("2025-01-31 17:30").
			has("monthly: pool 5000; 2025-01-31 17:30..2025-03-01 17:30").renews("2025-02-28 17:30").pays().on("2025-02-28 17:30").
			has("rollover: pool 5000; 2025-01-31 17:30..2025-04-01 17:30", "monthly: pool 5000; 2025-02-28 17:30..2025-04-01 17:30")
	})
	t.Run("B8_TheSweepEndsPurchasedAndContributedLotsNotTheTurn", func(t *testing.T) {
		begin(t).gives("2025-01-03", "purchase", 70, "2025-02-15").gives("2025-01-03", "monthly", 30, "2025-02-10").
			renews("2025-02-01").pays().on("2025-02-09").
			has("monthly: pool 30; 2025-01-03..2025-02-10", "purchase: pool 70; 2025-01-03..2025-02-15", rolled, "monthly: pool 5000; 2025-02-01..2025-03-02").
			on("2025-02-10").has("purchase: pool 70; 2025-01-03..2025-02-15", rolled, "monthly: pool 5000; 2025-02-01..2025-03-02").
			on("2025-02-15").has(rolled, "monthly: pool 5000; 2025-02-01..2025-03-02")
	})
}

func TestDowntime(t *testing.T) {
	// told tells the same things to happen, settled at the instants given besides.
	told := func(t *testing.T, change []func(*Plan), settled ...string) *story {
		s := tell(t, plan("team", append([]func(*Plan){keepAll}, change...)...)).subscribes("2025-01-01", item("team_month", 5)).pays().
			spends("2025-01-20", 1000).holdsBack("2025-01-31 23:00", "h", 300, "2025-02-01 05:00").
			renews("2025-02-01").pays()
		for _, at := range settled {
			s.on(at)
		}
		return s.on("2025-02-04")
	}
	for name, change := range map[string][]func(*Plan){
		"Paid": nil, "PeriodStart": {periodStart}, "Cap": {rollover(Rollover{Mode: RolloverCap, CapPerSeat: 500})},
		"Percent": {rollover(Rollover{Mode: RolloverPercent, Percent: 20})}, "None": {rollover(Rollover{Mode: RolloverNone})},
	} {
		t.Run("B8_ThreeDaysDownAcrossARenewalCostNobodyACredit/"+name, func(t *testing.T) {
			prompt := told(t, change, "2025-02-01", "2025-02-01 01:00", "2025-02-01 05:00", "2025-02-02", "2025-02-03")
			late := told(t, change)
			if !slices.Equal(prompt.lots(), late.lots()) {
				t.Errorf("prompt %q\nlate %q", prompt.lots(), late.lots())
			}
			hourly := told(t, change, hours("2025-02-01", "2025-02-04")...)
			if !slices.Equal(hourly.lots(), late.lots()) {
				t.Errorf("hourly %q\nlate %q", hourly.lots(), late.lots())
			}
		})
	}
	t.Run("B4_FourteenMonthsDownOnAYearAreCaughtUpMonthByMonth", func(t *testing.T) {
		s := tell(t, plan("team")).subscribes("2024-01-31", item("team_year", 5)).pays().on("2024-01-31")
		s.renews("2025-01-31").pays().on("2025-03-31")
		s.has("monthly: pool 5000; 2025-03-31..2025-05-01")
		if got := s.posted("grant"); got != 15*5000 {
			t.Errorf("%d credits granted", got)
		}
		if got := s.posted("expiry"); got != 14*5000 {
			t.Errorf("%d credits expired", got)
		}
		ends := map[string]bool{}
		for _, e := range s.state.Book.Entries() {
			if e.Kind == "expiry" {
				ends[shortly(e.At)] = true
			}
		}
		if len(ends) != 14 || !ends["2024-02-29"] || !ends["2025-02-28"] || !ends["2025-03-31"] {
			t.Errorf("they expired at %v", ends)
		}
	})
	t.Run("B4_CaughtUpInOrderSoThatRolloverAges", func(t *testing.T) {
		s := tell(t, plan("team", rollover(Rollover{Mode: RolloverAll, MaxAgeTurns: 2}))).subscribes("2024-01-31", item("team_year", 5)).pays().on("2024-01-31")
		s.on("2024-12-31").has("rollover: pool 5000; 2024-10-31..2025-02-01", "rollover: pool 5000; 2024-11-30..2025-02-01", "monthly: pool 5000; 2024-12-31..2025-02-01")
	})
	t.Run("B4_ByTodaysSeats", func(t *testing.T) {
		tell(t, plan("team", keepAll)).subscribes("2025-01-01", item("team_year", 5)).pays().on("2025-01-01").
			seats(7).on("2025-03-02").has("rollover: pool 5000; 2025-01-01..2025-04-02", "rollover: pool 7000; 2025-02-01..2025-04-02", "monthly: pool 7000; 2025-03-01..2025-04-02")
	})
}

// hours gives every full hour from one instant to another.
func hours(from, to string) []string {
	var all []string
	for at := day(from); at.Before(day(to)); at = at.Add(time.Hour) {
		all = append(all, at.Format("2006-01-02 15:04"))
	}
	return all
}
