package billing

import "testing"

func TestCanceled(t *testing.T) {
	all := rollover(Rollover{Mode: RolloverAll})
	begin := func(t *testing.T, change ...func(*Plan)) *story {
		return tell(t, plan("team", append(change, all)...)).subscribes("2025-01-01", item("team_month", 5)).pays().on("2025-01-01")
	}
	setToEnd := func(s *story, set bool) *story {
		s.sub.Facts.CancelAtPeriodEnd = set
		return s
	}
	t.Run("B6_WhatIsUnspentEndsWithTheCreditMonthWithoutGrace", func(t *testing.T) {
		begin(t).cancels("2025-01-10").on("2025-01-10").has("monthly: pool 5000; 2025-01-01..2025-02-01").
			on("2025-01-31 23:59").has("monthly: pool 5000; 2025-01-01..2025-02-01").on("2025-02-01").has()
	})
	t.Run("B6_OrAtOnceIfThatIsOver", func(t *testing.T) {
		s := begin(t).on("2025-02-01 10:00").has("monthly: pool 5000; 2025-01-01..2025-02-02").cancels("2025-02-01 11:00").on("2025-02-01 11:00").has()
		if got := s.posted("rollover"); got != 0 {
			t.Errorf("%d rolled", got)
		}
	})
	t.Run("B8_CanceledInsteadOfPaidWhatWasRolledEndsToo", func(t *testing.T) {
		begin(t).is(StatusPastDue).on("2025-02-10").has("rollover: pool 5000; 2025-01-01..2025-03-02").
			cancels("2025-02-11").on("2025-02-11").has()
	})
	t.Run("B6_RolloverEndsWithTheMonthThatItIsIn", func(t *testing.T) {
		begin(t).renews("2025-02-01").pays().on("2025-02-01").cancels("2025-02-11").on("2025-02-11").
			has("rollover: pool 5000; 2025-01-01..2025-03-01", "monthly: pool 5000; 2025-02-01..2025-03-01").on("2025-03-01").has()
	})
	t.Run("B6_GrantsNothingFromThenOn", func(t *testing.T) {
		begin(t).cancels("2025-01-10").seats(9).on("2025-01-11").remembers(1, "T 5000 O 0 granted 5000 taken 0").
			renews("2025-02-01").pays().on("2025-02-01").has().spans("2025-01-01..2025-02-01")
	})
	t.Run("B6_AnOpenInvoiceThatIsPaidLaterGivesNoCredits", func(t *testing.T) {
		begin(t).renews("2025-02-01").is(StatusPastDue).on("2025-02-05").cancels("2025-02-10").on("2025-02-10").
			paysLine(line("2025-02-01", "2025-03-01", func(l *PaidLine) { l.PaidAt = ptr(day("2025-02-12")) })).on("2025-02-12").has()
	})
	t.Run("B6_AYearThatIsCanceledEndsWithItsCreditMonth", func(t *testing.T) {
		tell(t, plan("team")).subscribes("2025-01-01", item("team_year", 5)).pays().on("2025-03-10").
			cancels("2025-03-15").on("2025-03-15").has("monthly: pool 5000; 2025-03-01..2025-04-01").on("2025-04-01").has()
	})
	t.Run("B8_ASetCancellationShortensToTheEndAndUndoneItRestores", func(t *testing.T) {
		s := begin(t)
		setToEnd(s, true).on("2025-01-10").has("monthly: pool 5000; 2025-01-01..2025-02-01")
		setToEnd(s, false).on("2025-01-11").has("monthly: pool 5000; 2025-01-01..2025-02-02")
		setToEnd(s, true).on("2025-01-12").on("2025-02-01").has().spans("2025-01-01..2025-02-01")
		s.cancels("2025-02-01").on("2025-02-01 00:10").has()
	})
	t.Run("B8_ASetCancellationShortensTheLastPeriodOnly", func(t *testing.T) {
		s := tell(t, plan("team")).subscribes("2025-01-01", item("team_year", 5)).pays().on("2025-01-01")
		setToEnd(s, true).on("2025-11-15").has("monthly: pool 5000; 2025-11-01..2025-12-02").
			on("2025-12-15").has("monthly: pool 5000; 2025-12-01..2026-01-01")
		setToEnd(s, false).on("2025-12-16").has("monthly: pool 5000; 2025-12-01..2026-01-02")
	})
	t.Run("B8_ASetCancellationInTheMiddleOfTheMonth", func(t *testing.T) {
		s := begin(t)
		s.sub.Facts.CancelAt = ptr(day("2025-01-20"))
		s.on("2025-01-10").has("monthly: pool 5000; 2025-01-01..2025-02-01").
			cancels("2025-01-20").on("2025-01-20").has("monthly: pool 5000; 2025-01-01..2025-02-01").on("2025-02-01").has()
	})
	t.Run("B6_PurchasedCreditsStay", func(t *testing.T) {
		begin(t).gives("2025-01-02", "purchase", 700, "2026-01-02").cancels("2025-01-10").on("2025-02-01").
			has("purchase: pool 700; 2025-01-02..2026-01-02")
	})
	t.Run("B3_PaidAndThenCanceledCountsWheneverWeHearOfIt", func(t *testing.T) {
		paid := func(l *PaidLine) { l.PaidAt = ptr(day("2025-02-01 01:00")) }
		s := begin(t).spends("2025-01-02", 1000)
		s.renews("2025-02-01").paysLine(line("2025-02-01", "2025-03-01", paid)).cancels("2025-02-20").on("2025-02-25").
			has("rollover: pool 4000; 2025-01-01..2025-03-01", "monthly: pool 5000; 2025-02-01..2025-03-01").on("2025-03-01").has()
	})
	t.Run("B3_PaidAndCanceledWithinTheGraceItHadRolledBefore", func(t *testing.T) {
		paid := func(l *PaidLine) { l.PaidAt = ptr(day("2025-02-01 01:00")) }
		begin(t).renews("2025-02-01").paysLine(line("2025-02-01", "2025-03-01", paid)).cancels("2025-02-01 10:00").on("2025-02-01 11:00").
			has("rollover: pool 5000; 2025-01-01..2025-03-01", "monthly: pool 5000; 2025-02-01..2025-03-01")
	})
	t.Run("B3_ThePaymentMayBeHeardOfAfterTheCancellation", func(t *testing.T) {
		s := tell(t, plan("team")).subscribes("2025-01-01", item("team_month", 5)).cancels("2025-01-20").on("2025-01-20").has()
		s.paysLine(line("2025-01-01", "2025-02-01", func(l *PaidLine) { l.PaidAt = ptr(day("2025-01-01 00:05")) })).on("2025-01-20 00:01").
			has("monthly: pool 5000; 2025-01-01..2025-02-01").on("2025-02-01").has()
	})
	t.Run("B6_WhatEndsIsDatedByTheCancellationOrByTheMonthsEnd", func(t *testing.T) {
		for _, s := range []*story{
			begin(t).is(StatusPastDue).on("2025-02-10").cancels("2025-02-11").on("2025-02-20"),
			begin(t).spends("2025-01-02", 5000).on("2025-02-05").cancels("2025-02-11").on("2025-02-20"),
		} {
			for _, e := range s.state.Book.Entries() {
				if e.Kind == "expiry" && shortly(e.At) != "2025-02-11" {
					t.Errorf("%s at %s", e.Key, e.At)
				}
			}
			if turned := *s.sub.last().TurnedAt; shortly(turned) != "2025-02-11" {
				t.Errorf("turned at %s", turned)
			}
		}
	})
	t.Run("B6_AMonthGrantedBeforeWeHeardThatItHadEndedEndsAtOnce", func(t *testing.T) {
		begin(t, periodStart).on("2025-02-01").cancels("2025-01-20").on("2025-02-02").has()
	})
}

// unused is the credit that Stripe gives for the rest of a month.
func unused(from, to string) PaidLine {
	return line(from, to, func(l *PaidLine) { l.Proration, l.Amount = true, -400 })
}

func TestCanceledWithMoneyBack(t *testing.T) {
	begin := func(t *testing.T) *story {
		return tell(t, plan("team", rollover(Rollover{Mode: RolloverAll}))).
			subscribes("2025-06-01", item("team_month", 5)).pays().on("2025-06-01")
	}
	// resubscribes begins the same customer's next subscription.
	resubscribes := func(s *story, start string) *story {
		first := s.sub
		s.subscribes(start, item("team_month", 5)).pays()
		s.sub.Facts.ID, s.sub.customerOwed = "sub_2", first.customerOwed
		return s
	}
	t.Run("B6_ThePeriodIsCutAndWhatStaysOwedIsSetOffAgainstTheNextFirstGrant", func(t *testing.T) {
		s := begin(t).spends("2025-06-05", 2000).cancels("2025-06-11").paysLine(unused("2025-06-11", "2025-07-01")).on("2025-06-11").
			remembers(1, "T 1666 O 0 granted 5000 taken 3000").has()
		if owed := s.sub.customerOwed.now; owed != 334 {
			t.Errorf("the customer owes %d", owed)
		}
		resubscribes(s, "2025-06-20").on("2025-06-20").remembers(1, "T 5000 O 0 granted 4666 taken 0").
			renews("2025-07-20").pays().on("2025-07-20").remembers(2, "T 5000 O 0 granted 5000 taken 0")
	})
	t.Run("B6_TheCreditNoteMayComeLater", func(t *testing.T) {
		begin(t).spends("2025-06-05", 2000).cancels("2025-06-11").on("2025-06-11").has("monthly: pool 3000; 2025-06-01..2025-07-01").
			paysLine(unused("2025-06-11", "2025-07-01")).on("2025-06-11 00:05").has().remembers(1, "T 1666 O 0 granted 5000 taken 3000")
	})
	t.Run("B6_SpentByLessThanHasElapsedNothingIsOwed", func(t *testing.T) {
		s := begin(t).spends("2025-06-05", 1000).cancels("2025-06-11").paysLine(unused("2025-06-11", "2025-07-01")).on("2025-06-11").
			remembers(1, "T 1666 O 0 granted 5000 taken 3334").has()
		if owed := s.sub.customerOwed.now; owed != 0 {
			t.Errorf("the customer owes %d", owed)
		}
	})
	t.Run("B6_WhatWasCarriedIntoAMonthThatNeverCameIsTheCustomers", func(t *testing.T) {
		s := begin(t).spends("2025-06-05", 5000).switches("2025-06-11", item("team_year", 5)).is(StatusPastDue).on("2025-06-13").
			cancels("2025-06-14").on("2025-06-14")
		if owed := s.sub.customerOwed.now; owed != 3334 {
			t.Errorf("the customer owes %d", owed)
		}
	})
	t.Run("B6_CreditForSeatsRemovedBeforeIsNoMoneyBackForTheMonth", func(t *testing.T) {
		begin(t).paysLine(unused("2025-06-05", "2025-07-01")).cancels("2025-06-11").on("2025-06-11").
			has("monthly: pool 5000; 2025-06-01..2025-07-01")
	})
	t.Run("B6_AYearMostOfWhichIsGivenBack", func(t *testing.T) {
		s := tell(t, plan("team")).subscribes("2025-01-01", item("team_year", 5)).pays().on("2025-01-01").spends("2025-06-05", 2000)
		s.paysLine(unused("2025-06-11", "2026-01-01")).cancels("2025-06-11").on("2025-06-11").
			remembers(6, "T 1666 O 0 granted 5000 taken 3000").has()
	})
	t.Run("B6_AMonthGrantedAfterAnEndThatWeHeardOfLateIsTakenWhole", func(t *testing.T) {
		s := tell(t, plan("team")).subscribes("2025-01-01", item("team_year", 5)).pays().on("2025-01-01").spends("2025-06-05", 2000)
		s.paysLine(unused("2025-05-11", "2026-01-01")).cancels("2025-05-11").on("2025-06-11").
			remembers(6, "T 0 O 0 granted 5000 taken 3000").has()
		if owed := s.sub.customerOwed.now; owed != 2000 {
			t.Errorf("the customer owes %d", owed)
		}
	})
}
