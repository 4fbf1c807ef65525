package billing

import "testing"

func TestStatus(t *testing.T) {
	all := rollover(Rollover{Mode: RolloverAll})
	begin := func(t *testing.T, change ...func(*Plan)) *story {
		return tell(t, plan("team", append(change, all)...)).subscribes("2025-01-01", item("team_month", 5)).pays().on("2025-01-01")
	}
	monthly := "monthly: pool 5000; 2025-01-01..2025-02-02"

	for _, status := range []Status{StatusPastDue, StatusUnpaid, StatusPaused, StatusIncomplete, "unheard_of"} {
		t.Run("B6_GrantsNothingNewAndTakesNothingBeforeItsTime/"+string(status), func(t *testing.T) {
			begin(t).is(status).on("2025-01-10").has(monthly).
				seats(3).on("2025-01-11").has(monthly).
				seats(9).on("2025-01-12").has(monthly).remembers(1, "T 5000 O 0 granted 5000 taken 0").
				on("2025-02-01").has(monthly)
		})
	}
	for _, status := range []Status{StatusPastDue, StatusUnpaid, StatusPaused} {
		t.Run("B8_StillUnpaidWhenTheGraceIsOverItRollsAndNothingIsGranted/"+string(status), func(t *testing.T) {
			begin(t).is(status).on("2025-02-02").has("rollover: pool 5000; 2025-01-01..2025-03-02").
				on("2025-03-02").has("rollover: pool 5000; 2025-01-01..2025-04-02")
		})
		t.Run("B6_PeriodStartGrantsNothingEither/"+string(status), func(t *testing.T) {
			begin(t, periodStart).is(status).on("2025-02-01").has("rollover: pool 5000; 2025-01-01..2025-03-01").
				is(StatusActive).on("2025-02-10").has("rollover: pool 5000; 2025-01-01..2025-03-01", "monthly: pool 5000; 2025-02-01..2025-03-01")
		})
		t.Run("B6_AMonthThatItSleptThroughIsGrantedOnlyIfPaid/"+string(status), func(t *testing.T) {
			s := begin(t, periodStart).spends("2025-01-02", 5000).is(status).on("2025-02-01").on("2025-03-05").
				is(StatusActive).renews("2025-03-01").on("2025-03-10").
				spans("2025-01-01..2025-02-01", "2025-02-01..2025-03-01 ungranted", "2025-03-01..2025-04-01").
				has("monthly: pool 5000; 2025-03-01..2025-04-01")
			s.paysLine(line("2025-02-01", "2025-03-01")).on("2025-03-11").
				has("rollover: pool 5000; 2025-02-01..2025-04-01", "monthly: pool 5000; 2025-03-01..2025-04-01")
		})
		t.Run("B6_ActiveAgainItFollowsOnceByTheSeatsOfThen/"+string(status), func(t *testing.T) {
			begin(t).is(status).seats(2).on("2025-01-10").seats(9).on("2025-01-12").seats(7).on("2025-01-14").
				is(StatusActive).on("2025-01-15").remembers(1, "T 7000 O 0 granted 7000 taken 0")
		})
		t.Run("B6_MonthsOfAPaidYearAreGrantedAllTheSame/"+string(status), func(t *testing.T) {
			tell(t, plan("team")).subscribes("2025-01-01", item("team_year", 5)).pays().on("2025-01-01").
				is(status).on("2025-02-01").has("monthly: pool 5000; 2025-02-01..2025-03-02").
				seats(6).on("2025-02-10").has("monthly: pool 5000; 2025-02-01..2025-03-02").
				on("2025-03-01").has("monthly: pool 6000; 2025-03-01..2025-04-02")
		})
	}
	t.Run("B6_PastDueThenPaidInTheNextMonth", func(t *testing.T) {
		begin(t).renews("2025-02-01").is(StatusPastDue).on("2025-02-01").seats(6).on("2025-02-10").has("rollover: pool 5000; 2025-01-01..2025-03-02").
			is(StatusActive).pays().on("2025-02-11").
			has("rollover: pool 5000; 2025-01-01..2025-03-02", "monthly: pool 6000; 2025-02-01..2025-03-02")
	})
	t.Run("B6_IncompleteOpensNothing", func(t *testing.T) {
		s := tell(t, plan("team", periodStart)).subscribes("2025-01-01", item("team_month", 5)).is(StatusIncomplete)
		s.on("2025-01-01").spans().has().is(StatusIncompleteExpired).on("2025-01-02").spans().has()
	})
	t.Run("B6_IncompleteThenActive", func(t *testing.T) {
		tell(t, plan("team")).subscribes("2025-01-01", item("team_month", 5)).is(StatusIncomplete).on("2025-01-01").
			is(StatusActive).pays().on("2025-01-01 10:00").has(monthly)
	})
}
