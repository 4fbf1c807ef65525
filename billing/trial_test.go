package billing

import "testing"

func TestTrial(t *testing.T) {
	begin := func(t *testing.T, change ...func(*Plan)) *story {
		return tell(t, plan("team", append(change, rollover(Rollover{Mode: RolloverAll}))...), plan("business", credits(2000), func(p *Plan) { p.TrialCredits = 200 })).
			subscribes("2025-01-01", item("team_month", 5)).trials("2025-01-01", "2025-01-15").on("2025-01-01")
	}
	trial := "bonus: pool 500; 2025-01-01..2025-01-15"
	converts := func(s *story, at string) *story {
		f := &s.sub.Facts
		f.Status, f.TrialEnd, f.Anchor = StatusActive, ptr(day(at)), day(at)
		return s.own(at)
	}
	t.Run("B4_SeatsTimesTrialCreditsAsBonus", func(t *testing.T) {
		begin(t).has(trial).spans("2025-01-01..2025-01-15 trial")
	})
	t.Run("B4_EndsWithoutGraceAndNeverRolls", func(t *testing.T) {
		begin(t).on("2025-01-14 23:59").has(trial).on("2025-01-15").has()
	})
	t.Run("B6_NothingIsGrantedWhileStripeStillCallsItATrial", func(t *testing.T) {
		begin(t, periodStart).on("2025-01-15").has().is(StatusActive).on("2025-01-15 00:10").has("monthly: pool 5000; 2025-01-15..2025-02-15")
	})
	t.Run("B4_Converted", func(t *testing.T) {
		converts(begin(t), "2025-01-15").pays().on("2025-01-15").has("monthly: pool 5000; 2025-01-15..2025-02-16").
			spans("2025-01-01..2025-01-15 trial", "2025-01-15..2025-02-15")
	})
	t.Run("B4_CountsAtMostTheSeatsAtItsStart", func(t *testing.T) {
		begin(t).seats(9).on("2025-01-05").has(trial).
			seats(2).on("2025-01-06").has("bonus: pool 200; 2025-01-01..2025-01-15").
			seats(9).on("2025-01-07").has(trial)
	})
	t.Run("B4_AnotherPlanCountsItsOwnTrialCredits", func(t *testing.T) {
		begin(t).switches("2025-01-05", item("business_month", 9)).remembers(1, "T 1000 O 0 granted 1000 taken 0")
	})
	t.Run("B6_OnlyATrialThatStripeCallsOneIsRecomputed", func(t *testing.T) {
		begin(t).is(StatusPastDue).seats(1).on("2025-01-05").has(trial)
		begin(t).is(StatusActive).seats(1).on("2025-01-05").has(trial)
	})
	t.Run("B4_EndedEarlyItJustEndsAndNothingIsOwed", func(t *testing.T) {
		s := converts(begin(t, proration).spends("2025-01-02", 400).seats(1).on("2025-01-03"), "2025-01-04").pays().on("2025-01-04")
		s.has("monthly: pool 1000; 2025-01-04..2025-02-05").remembers(2, "T 1000 O 0 granted 1000 taken 0")
	})
	t.Run("B4_EndedEarlyHeardAfterItsEnd", func(t *testing.T) {
		s := converts(begin(t).on("2025-01-15"), "2025-01-10").pays().on("2025-01-16")
		s.spans("2025-01-01..2025-01-10 trial", "2025-01-10..2025-02-10").has("monthly: pool 5000; 2025-01-10..2025-02-11")
	})
	t.Run("B4_EndedEarlyThoughStripeKeptItsEnd", func(t *testing.T) {
		s := begin(t).is(StatusActive)
		s.sub.Facts.Anchor = day("2025-01-10")
		s.own("2025-01-10").pays().on("2025-01-10").spans("2025-01-01..2025-01-10 trial", "2025-01-10..2025-02-10").
			has("monthly: pool 5000; 2025-01-10..2025-02-11")
	})
	t.Run("B4_ExtendedAsATrialThatBeginsAnew", func(t *testing.T) {
		begin(t).spends("2025-01-02", 100).trials("2025-01-10", "2025-01-24").on("2025-01-10").has("bonus: pool 400; 2025-01-01..2025-01-24").
			spans("2025-01-01..2025-01-24 trial")
	})
	t.Run("B4_ExtendedItKeepsItsLot", func(t *testing.T) {
		s := begin(t).spends("2025-01-02", 100)
		s.sub.Facts.TrialEnd, s.sub.Facts.PeriodEnd, s.sub.Facts.Anchor = ptr(day("2025-01-20")), day("2025-01-20"), day("2025-01-20")
		s.on("2025-01-10").has("bonus: pool 400; 2025-01-01..2025-01-20").on("2025-01-20").has()
	})
	t.Run("B4_Canceled", func(t *testing.T) {
		begin(t).cancels("2025-01-05").on("2025-01-05").has()
	})
	t.Run("B6_UnpaidAfterTheTrial", func(t *testing.T) {
		converts(begin(t), "2025-01-15").is(StatusPastDue).on("2025-01-15").has().on("2025-03-01").has()
	})
	t.Run("E6_PausedAfterTheTrialAndResumed", func(t *testing.T) {
		for _, heard := range []string{"2025-01-14", "2025-01-17"} { // before and after the clock opened a month
			s := begin(t, periodStart).on(heard).is(StatusPaused).on("2025-01-18").spans("2025-01-01..2025-01-15 trial").has()
			s.is(StatusActive).sub.Facts.Anchor = day("2025-02-20")
			s.own("2025-02-20").on("2025-02-20").spans("2025-01-01..2025-01-15 trial", "2025-02-20..2025-03-20").
				has("monthly: pool 5000; 2025-02-20..2025-03-20")
		}
	})
	t.Run("E6_ResumedBeforeWeHeardOfThePause", func(t *testing.T) {
		s := begin(t).on("2025-01-16")
		s.is(StatusActive).sub.Facts.Anchor = day("2025-01-20")
		s.own("2025-01-20").pays().on("2025-01-21").spans("2025-01-01..2025-01-15 trial", "2025-01-20..2025-02-20")
	})
	t.Run("B4_ATrialIsNeverCut", func(t *testing.T) {
		s := begin(t).spends("2025-01-02", 400)
		s.sub.Facts.Items = []Item{item("team_year", 5)}
		converts(s, "2025-01-08").pays().on("2025-01-08").spans("2025-01-01..2025-01-08 trial", "2025-01-08..2025-02-08").
			remembers(1, "T 500 O 0 granted 500 taken 0").remembers(2, "T 5000 O 0 granted 5000 taken 0")
	})
	t.Run("B4_NoTrialCreditsNoLot", func(t *testing.T) {
		s := begin(t, func(p *Plan) { p.TrialCredits = 0 }).has()
		converts(s, "2025-01-15").pays().on("2025-01-15").has("monthly: pool 5000; 2025-01-15..2025-02-16")
	})
	t.Run("B6_AnActiveSubscriptionThatIsSentBackIntoATrial", func(t *testing.T) {
		s := tell(t, plan("team")).subscribes("2025-01-01", item("team_month", 5)).pays().spends("2025-01-02", 2000)
		s.trials("2025-01-11", "2025-01-25").on("2025-01-11").
			spans("2025-01-01..2025-01-11 cut", "2025-01-11..2025-01-25 trial").has("bonus: pool 500; 2025-01-11..2025-01-25").
			remembers(1, "T 1612 O 0 granted 5000 taken 3000")
	})
}
