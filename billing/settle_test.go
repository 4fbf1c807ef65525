package billing

import (
	"slices"
	"testing"
)

func TestSettle(t *testing.T) {
	t.Run("T15_EachSubscriptionTurnsOnlyItsOwnLots", func(t *testing.T) {
		s := tell(t, plan("team", keepAll)).subscribes("2025-01-01", item("team_month", 5)).pays()
		s.subscribes("2025-01-15", item("team_month", 2)).pays()
		s.sub.Facts.ID = "sub_2"
		s.on("2025-01-15").has("monthly: pool 5000; 2025-01-01..2025-02-02", "monthly: pool 2000; 2025-01-15..2025-02-16").
			on("2025-02-02").has("monthly: pool 2000; 2025-01-15..2025-02-16", "rollover: pool 5000; 2025-01-01..2025-03-02").
			on("2025-02-16").has("rollover: pool 5000; 2025-01-01..2025-03-02", "rollover: pool 2000; 2025-01-15..2025-03-16")
	})
	t.Run("T15_ACanceledOneLeavesTheOthersLotsAlone", func(t *testing.T) {
		s := tell(t, plan("team", keepAll)).subscribes("2025-01-01", item("team_month", 5)).pays().on("2025-01-01").cancels("2025-01-10")
		s.subscribes("2025-01-15", item("team_month", 2)).pays()
		s.sub.Facts.ID = "sub_2"
		s.on("2025-02-01").has("monthly: pool 2000; 2025-01-15..2025-02-16")
	})
	t.Run("B6_OfTwoThatStartTogetherOnlyTheFirstAnswersForTheCustomer", func(t *testing.T) {
		s := tell(t, plan("team")).subscribes("2025-01-01", item("team_month", 5)).pays()
		owed := s.sub.customerOwed
		owed.now = 700
		s.subscribes("2025-01-01", item("team_month", 2)).pays()
		s.sub.Facts.ID, s.sub.customerOwed = "sub_2", owed
		s.on("2025-01-01").has("monthly: pool 4300; 2025-01-01..2025-02-02", "monthly: pool 2000; 2025-01-01..2025-02-02")
	})
	t.Run("B6_WhatTheFirstGrantLacksStaysOwedInIt", func(t *testing.T) {
		s := tell(t, plan("team")).subscribes("2025-01-01", item("team_month", 5)).pays()
		s.sub.customerOwed.now = 7000
		s.on("2025-01-01").remembers(1, "T 5000 O 2000 granted 0 taken 0").has()
		if s.sub.customerOwed.now != 0 {
			t.Error("the customer owes it still")
		}
	})
	t.Run("B6_OnlyTheFirstGrantOfASubscriptionAnswersForTheCustomer", func(t *testing.T) {
		s := tell(t, plan("team")).subscribes("2025-01-01", item("team_month", 5)).pays().on("2025-01-01")
		s.sub.customerOwed.now = 700
		s.renews("2025-02-01").pays().on("2025-02-01").remembers(2, "T 5000 O 0 granted 5000 taken 0")
		loaded := &Sub{Periods: []*Period{{Number: 4}}} // those before are over for long
		if !loaded.everGranted() {
			t.Error("it was granted before")
		}
	})
	t.Run("B14_ASubscriptionWithoutACustomerOfOurs", func(t *testing.T) {
		s := tell(t, plan("team")).subscribes("2025-01-01", item("team_month", 5)).pays()
		s.sub.customerOwed = nil
		s.on("2025-01-01").spends("2025-01-02", 5000).switches("2025-01-10", item("team_year", 5)).cancels("2025-01-11").on("2025-01-11")
		if s.sub.Owed != 3549 {
			t.Errorf("%d are owed", s.sub.Owed)
		}
	})
	t.Run("B11_WhatALateGrantCannotAnswerForIsForgottenWithItsPeriodOrCarried", func(t *testing.T) {
		for _, c := range []struct {
			change []func(*Plan)
			owed   int64
		}{{nil, 0}, {[]func(*Plan){proration}, 4355}} {
			s := tell(t, plan("team", c.change...)).subscribes("2025-01-01", item("team_month", 5)).pays().spends("2025-01-02", 5000)
			s.switches("2025-01-05", item("team_year", 0)).on("2025-03-01").pays().on("2025-03-01")
			s.remembers(2, "T 0 O 0 granted 0 taken 0")
			if s.sub.Owed != 0 || s.sub.last().Owed != c.owed {
				t.Errorf("%d and %d are owed, want %d", s.sub.Owed, s.sub.last().Owed, c.owed)
			}
		}
	})
	t.Run("B2_ThePeriodKnowsItsSeats", func(t *testing.T) {
		s := tell(t, plan("team"), plan("fee", baseFee)).subscribes("2025-01-01", item("team_month", 5), item("fee_month", 1)).on("2025-01-01")
		if n := s.sub.last().Seats; n != 5 {
			t.Errorf("%d seats before the grant", n)
		}
		if n := s.pays().seats(7).on("2025-01-02").sub.last().Seats; n != 7 {
			t.Errorf("%d seats after it", n)
		}
	})
	t.Run("B8_APaymentAfterTheGraceComesAfterTheTurnWheneverWeHearOfIt", func(t *testing.T) {
		told := func(settled ...string) []string {
			s := tell(t, plan("team", rollover(Rollover{Mode: RolloverCap, CapPerSeat: 300}))).
				subscribes("2025-01-01", item("team_month", 5)).pays().on("2025-01-01").is(StatusPastDue)
			for _, at := range settled {
				s.on(at)
			}
			s.renews("2025-03-01").is(StatusActive)
			s.paysLine(line("2025-02-01", "2025-03-01", func(l *PaidLine) { l.PaidAt = ptr(day("2025-03-04")) }))
			return s.on("2025-03-05").lots()
		}
		prompt, late := told("2025-02-02", "2025-03-02"), told()
		if !slices.Equal(prompt, late) {
			t.Errorf("prompt %q, late %q", prompt, late)
		}
	})
	t.Run("L8_HoldsAndLotsEndInTheirOwnTime", func(t *testing.T) {
		s := tell(t, plan("team")).gives("2025-01-01", "purchase", 900, "2025-01-10").
			holdsBack("2025-01-09 23:00", "h", 300, "2025-01-10 10:00").on("2025-02-01").has()
		at := []string{}
		for _, e := range s.state.Book.Entries() {
			if e.Kind == "expiry" {
				at = append(at, shortly(e.At))
			}
		}
		if want := []string{"2025-01-10", "2025-01-10 10:00"}; !slices.Equal(at, want) {
			t.Errorf("expired at %v", at)
		}
	})
	t.Run("B12_TheWindowFollowsThePeriodNotTheTurn", func(t *testing.T) {
		s := tell(t, plan("team")).subscribes("2025-01-15", item("team_month", 5)).pays()
		for _, c := range [][2]string{{"2025-01-20", "2025-01-15"}, {"2025-02-15", "2025-02-15"}, {"2025-02-16", "2025-02-15"}} {
			if got := s.on(c[0]).state.Book.Window; !got.Equal(day(c[1])) {
				t.Errorf("at %s the window begins %s", c[0], got)
			}
		}
	})
}
