package billing

import (
	"slices"
	"testing"
)

// line is a paid line of the plan "team", monthly.
func line(from, to string, change ...func(*PaidLine)) PaidLine {
	l := PaidLine{InvoiceID: "in_1", PriceID: "team_month", Quantity: 5, Amount: 500, From: day(from), To: day(to)}
	for _, c := range change {
		c(&l)
	}
	return l
}

func TestGrant(t *testing.T) {
	begin := func(t *testing.T, change ...func(*Plan)) *story {
		return tell(t, plan("team", change...)).subscribes("2025-01-01", item("team_month", 5))
	}
	granted := "monthly: pool 5000; 2025-01-01..2025-02-02"

	t.Run("B7_PaidWaitsForTheInvoice", func(t *testing.T) {
		begin(t).on("2025-01-01").has().on("2025-01-03").has().pays().on("2025-01-03 00:01").has(granted)
	})
	t.Run("B7_PaidBeforeWeHeardOfTheSubscription", func(t *testing.T) {
		begin(t).pays().on("2025-01-09").has(granted)
	})
	t.Run("B7_PaidBeforeThePeriodBegins", func(t *testing.T) {
		begin(t).pays().on("2025-01-01").
			paysLine(line("2025-02-01", "2025-03-01")).on("2025-01-31").has(granted).
			renews("2025-02-01").on("2025-02-01").has("monthly: pool 5000; 2025-02-01..2025-03-02")
	})
	t.Run("B7_PeriodStartDoesNotWait", func(t *testing.T) {
		begin(t, periodStart).on("2025-01-01").has("monthly: pool 5000; 2025-01-01..2025-02-01")
	})
	t.Run("B7_NothingToPayCountsAsPaid", func(t *testing.T) {
		begin(t).paysLine(line("2025-01-01", "2025-02-01", func(l *PaidLine) { l.Amount = 0 })).on("2025-01-01").has(granted)
	})
	for _, c := range []struct {
		name string
		line PaidLine
	}{
		{"AProration", line("2025-01-01", "2025-02-01", func(l *PaidLine) { l.Proration = true })},
		{"AnUnknownPrice", line("2025-01-01", "2025-02-01", func(l *PaidLine) { l.PriceID = "addon_month" })},
		{"TheMonthBefore", line("2024-12-01", "2025-01-01")},
		{"TheMonthAfter", line("2025-02-01", "2025-03-01")},
		{"APartOfTheMonth", line("2025-01-02", "2025-02-01")},
		{"NotYetTheEnd", line("2025-01-01", "2025-01-31")},
	} {
		t.Run("B7_IsNotCoveredBy/"+c.name, func(t *testing.T) {
			begin(t).paysLine(c.line).on("2025-01-05").has()
		})
	}
	t.Run("B7_AnInvoiceThatIsVoidedAgainGrantsNothingMore", func(t *testing.T) {
		s := begin(t).pays().on("2025-01-01").renews("2025-02-01").on("2025-02-01")
		s.sub.Paid = nil // voided, uncollectible: its lines aren't among the paid ones
		s.on("2025-02-03").has().remembers(2, "T 5000 O 0 granted 0 taken 0")
	})
	t.Run("B7_AYearlyLineCoversItsMonths", func(t *testing.T) {
		tell(t, plan("team")).subscribes("2024-01-31", item("team_year", 5)).pays().
			on("2024-01-31").has("monthly: pool 5000; 2024-01-31..2024-03-01").
			on("2024-02-29").has("monthly: pool 5000; 2024-02-29..2024-04-01").
			on("2025-01-30").has("monthly: pool 5000; 2024-12-31..2025-02-01").
			on("2025-02-01").has()
	})
	t.Run("B5_OneBaseGrantWhateverAsks", func(t *testing.T) {
		s := begin(t, periodStart).pays().on("2025-01-01").pays().on("2025-01-02").renews("2025-01-01").on("2025-01-31").
			has("monthly: pool 5000; 2025-01-01..2025-02-01")
		if got, want := s.grantKeys(), []string{"grant:sub_1:2025-01-01T00:00:00Z:0 5000"}; !slices.Equal(got, want) {
			t.Error(got)
		}
	})
	t.Run("B5_IncreasesCountOn", func(t *testing.T) {
		s := begin(t).pays().on("2025-01-01").seats(6).on("2025-01-02").seats(8).on("2025-01-03").
			renews("2025-02-01").pays().on("2025-02-01")
		want := []string{
			"grant:sub_1:2025-01-01T00:00:00Z:0 5000", "grant:sub_1:2025-01-01T00:00:00Z:1 1000",
			"grant:sub_1:2025-01-01T00:00:00Z:2 2000", "grant:sub_1:2025-02-01T00:00:00Z:0 8000",
		}
		if got := s.grantKeys(); !slices.Equal(got, want) {
			t.Error(got)
		}
	})
	t.Run("B5_CountedOnAcrossPeriodsWithOneStart", func(t *testing.T) {
		// A trial that is ended in the second in which it began.
		s := begin(t).trials("2025-01-01", "2025-01-15").on("2025-01-01").has("bonus: pool 500; 2025-01-01..2025-01-15")
		s.is(StatusActive).sub.Facts.TrialEnd = ptr(day("2025-01-01"))
		s.sub.Facts.Anchor = day("2025-01-01")
		s.renews("2025-01-01").pays().on("2025-01-01 00:01")
		if got, want := s.grantKeys(), []string{"grant:sub_1:2025-01-01T00:00:00Z:0 500", "grant:sub_1:2025-01-01T00:00:00Z:1 5000"}; !slices.Equal(got, want) {
			t.Error(got)
		}
		s.has(granted)
	})
	t.Run("B10_OneMonthlyLotForAPeriod", func(t *testing.T) {
		begin(t).pays().on("2025-01-01").seats(6).on("2025-01-10").has("monthly: pool 6000; 2025-01-01..2025-02-02")
	})
	t.Run("B5_NoSeatsNoLotAndSeatsBoughtLaterMakeIt", func(t *testing.T) {
		s := begin(t).seats(0).pays().on("2025-01-01").has().seats(2).on("2025-01-10").has("monthly: pool 2000; 2025-01-01..2025-02-02")
		if got := s.grantKeys(); !slices.Equal(got, []string{"grant:sub_1:2025-01-01T00:00:00Z:0 2000"}) {
			t.Error(got)
		}
	})
}

func TestIncreasePaid(t *testing.T) {
	begin := func(t *testing.T) *story {
		return tell(t, plan("team", increasePaid), plan("platform", credits(300), baseFee)).
			subscribes("2025-01-01", item("team_month", 5)).pays().on("2025-01-01")
	}
	change := func(from string, quantity, amount int64) PaidLine {
		return line(from, "2025-02-01", func(l *PaidLine) { l.Proration, l.Quantity, l.Amount = true, quantity, amount })
	}
	t.Run("B7_AnIncreaseWaitsForItsInvoice", func(t *testing.T) {
		begin(t).seats(8).on("2025-01-10").remembers(1, "T 5000 O 0 granted 5000 taken 0").
			paysLine(change("2025-01-10", 5, -300)).paysLine(change("2025-01-10", 8, 500)).
			on("2025-01-11").remembers(1, "T 8000 O 0 granted 8000 taken 0")
	})
	t.Run("B7_OnlyWhatWasPaidForCounts", func(t *testing.T) {
		begin(t).seats(7).on("2025-01-10").seats(9).on("2025-01-11").
			paysLine(change("2025-01-10", 7, 500)).on("2025-01-11").remembers(1, "T 7000 O 0 granted 7000 taken 0")
	})
	t.Run("B7_ADecreaseDoesNotWait", func(t *testing.T) {
		begin(t).seats(3).on("2025-01-10").remembers(1, "T 3000 O 0 granted 5000 taken 2000")
	})
	t.Run("B7_SeatsPaidForBeforeADecreaseAreNotPaidForTwice", func(t *testing.T) {
		begin(t).seats(3).on("2025-01-10").
			paysLine(change("2025-01-10", 5, -300)).paysLine(change("2025-01-10", 3, 200)).on("2025-01-10 00:01").
			seats(5).on("2025-01-12").remembers(1, "T 3000 O 0 granted 5000 taken 2000").
			paysLine(change("2025-01-12", 5, 500)).on("2025-01-13").remembers(1, "T 5000 O 0 granted 7000 taken 2000")
	})
	t.Run("B7_ABaseFeeThatIsAddedWaitsToo", func(t *testing.T) {
		s := begin(t)
		s.switches("2025-01-10", item("team_month", 5), item("platform_month", 1)).remembers(1, "T 5000 O 0 granted 5000 taken 0")
		fee := change("2025-01-10", 1, 50)
		fee.PriceID = "platform_month"
		s.paysLine(fee).on("2025-01-11").remembers(1, "T 5300 O 0 granted 5300 taken 0")
	})
	t.Run("B7_TwoPricesOfOnePlanAddUp", func(t *testing.T) {
		s := tell(t, plan("team", increasePaid)).subscribes("2025-01-01", item("team_month", 5), item("team_quarter", 2)).pays().
			on("2025-01-01").remembers(1, "T 7000 O 0 granted 7000 taken 0")
		s.seats(6).on("2025-01-10").paysLine(change("2025-01-10", 6, 200)).on("2025-01-11").
			remembers(1, "T 8000 O 0 granted 8000 taken 0")
	})
	t.Run("B7_AnIncreaseIsGrantedAtOnceUnlessThePlanSaysSo", func(t *testing.T) {
		tell(t, plan("team")).subscribes("2025-01-01", item("team_month", 5)).pays().on("2025-01-01").
			seats(8).on("2025-01-10").remembers(1, "T 8000 O 0 granted 8000 taken 0")
	})
}
