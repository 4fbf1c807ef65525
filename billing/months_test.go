package billing

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestAddMonths(t *testing.T) {
	for anchor, want := range map[string][]string{
		"2025-01-31":          {"2025-01-31", "2025-02-28", "2025-03-31", "2025-04-30", "2025-05-31"},
		"2024-01-31":          {"2024-01-31", "2024-02-29", "2024-03-31"},
		"2025-01-30":          {"2025-01-30", "2025-02-28", "2025-03-30", "2025-04-30"},
		"2025-01-29":          {"2025-01-29", "2025-02-28", "2025-03-29"},
		"2024-01-29":          {"2024-01-29", "2024-02-29", "2024-03-29"},
		"2025-11-30 23:59:59": {"2025-11-30 23:59:59", "2025-12-30 23:59:59", "2026-01-30 23:59:59", "2026-02-28 23:59:59", "2026-03-30 23:59:59"},
		"2024-02-29":          {"2024-02-29", "2024-03-29"},
	} {
		t.Run("B4_CountsFromTheOriginalDay/"+anchor, func(t *testing.T) {
			for n, w := range want {
				if got := AddMonths(day(anchor), n); !got.Equal(day(w)) {
					t.Errorf("%d months after %s: %s, want %s", n, anchor, got, w)
				}
			}
		})
	}
	t.Run("B4_AYearAfterALeapDayIsItsLastFebruaryDay", func(t *testing.T) {
		if got := AddMonths(day("2024-02-29"), 12); !got.Equal(day("2025-02-28")) {
			t.Error(got)
		}
		if got := AddMonths(day("2024-02-29"), 48); !got.Equal(day("2028-02-29")) {
			t.Error(got)
		}
		if got := AddMonths(day("2025-03-31"), -1); !got.Equal(day("2025-02-28")) {
			t.Error(got)
		}
	})
}

func TestMonthFrom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := day("1999-01-01").Unix()
		end := day("2101-01-01").Unix()
		anchor := time.Unix(rapid.Int64Range(start, end).Draw(t, "anchor"), 0).UTC()
		at := time.Unix(rapid.Int64Range(start, end).Draw(t, "at"), 0).UTC()
		m := monthFrom(anchor, at)
		if !m.contains(at) {
			t.Fatalf("the month of %s from %s is %s..%s", at, anchor, m.start, m.end)
		}
		if next := monthFrom(anchor, m.end); !next.start.Equal(m.end) {
			t.Fatalf("after %s comes %s", m.end, next.start)
		}
		if before := monthFrom(anchor, m.start.Add(-1)); !before.end.Equal(m.start) {
			t.Fatalf("before %s comes %s", m.start, before.end)
		}
	})
}

func TestMonth(t *testing.T) {
	sub := func(price, anchor, start, end string) *Subscription {
		return &Subscription{Status: StatusActive, Items: []Item{item(price, 1)}, Anchor: day(anchor), PeriodStart: day(start), PeriodEnd: day(end)}
	}
	for _, c := range []struct {
		name     string
		sub      *Subscription
		at, want string
	}{
		{"AMonthlyPlanHasStripesOwnPeriod", sub("team_month", "2025-01-31", "2025-02-28", "2025-03-31"), "2025-03-30", "2025-02-28..2025-03-31"},
		{"StripesOwnPeriodMayBeAnyLength", sub("team_month", "2025-02-01", "2025-01-20", "2025-02-01"), "2025-01-25", "2025-01-20..2025-02-01"},
		{"AfterStripesOwnPeriodTheAnchorCounts", sub("team_month", "2025-01-31", "2025-02-28", "2025-03-31"), "2025-03-31", "2025-03-31..2025-04-30"},
		{"BeforeStripesOwnPeriodTheAnchorCounts", sub("team_month", "2025-01-31", "2025-02-28", "2025-03-31"), "2025-02-01", "2025-01-31..2025-02-28"},
		{"NothingReachesOverTheStartOfStripesOwnPeriod", sub("team_month", "2025-01-10", "2025-02-20", "2025-03-20"), "2025-02-15", "2025-02-10..2025-02-20"},
		{"AYearHasMonthsFromTheAnchor", sub("team_year", "2024-01-31", "2024-01-31", "2025-01-31"), "2024-02-29", "2024-02-29..2024-03-31"},
		{"AYearsFirstMonth", sub("team_year", "2024-02-29", "2024-02-29", "2025-02-28"), "2024-02-29", "2024-02-29..2024-03-29"},
		{"AYearsLastMonth", sub("team_year", "2024-02-29", "2024-02-29", "2025-02-28"), "2025-02-27", "2025-01-29..2025-02-28"},
		{"ThreeMonths", sub("team_quarter", "2025-01-31", "2025-01-31", "2025-04-30"), "2025-03-15", "2025-02-28..2025-03-31"},
		{"ALongPeriodBeforeItsAnchorBeginsWithAStub", sub("team_year", "2025-03-01", "2025-01-10", "2025-03-01"), "2025-01-20", "2025-01-10..2025-02-01"},
		{"WithoutAnAnchorStripesOwnPeriodCounts", sub("team_year", "0001-01-01", "2025-01-10", "2026-01-10"), "2025-02-09", "2025-01-10..2025-02-10"},
	} {
		t.Run("B4_"+c.name, func(t *testing.T) {
			if c.sub.Anchor.Year() == 1 {
				c.sub.Anchor = time.Time{}
			}
			m, trial := c.sub.month(day(c.at))
			if got := shortly(m.start) + ".." + shortly(m.end); got != c.want || trial {
				t.Errorf("%s, trial %v, want %s", got, trial, c.want)
			}
		})
	}
}

func TestPeriods(t *testing.T) {
	for _, c := range []struct {
		name, price, start, until string
		want                      []string
	}{
		{"MonthlyFromThe31st", "team_month", "2025-01-31", "2025-05-01", []string{
			"2025-01-31..2025-02-28", "2025-02-28..2025-03-31", "2025-03-31..2025-04-30", "2025-04-30..2025-05-31"}},
		{"AYearFromALeapDay", "team_year", "2024-02-29", "2025-03-01", []string{
			"2024-02-29..2024-03-29", "2024-03-29..2024-04-29", "2024-04-29..2024-05-29", "2024-05-29..2024-06-29",
			"2024-06-29..2024-07-29", "2024-07-29..2024-08-29", "2024-08-29..2024-09-29", "2024-09-29..2024-10-29",
			"2024-10-29..2024-11-29", "2024-11-29..2024-12-29", "2024-12-29..2025-01-29", "2025-01-29..2025-02-28",
			"2025-02-28..2025-03-29"}},
		{"ThreeMonthsFromThe30th", "team_quarter", "2025-11-30", "2026-03-01", []string{
			"2025-11-30..2025-12-30", "2025-12-30..2026-01-30", "2026-01-30..2026-02-28", "2026-02-28..2026-03-30"}},
	} {
		t.Run("B4_NoGapNoOverlap/"+c.name, func(t *testing.T) {
			s := tell(t, plan("team", periodStart)).subscribes(c.start, item(c.price, 1)).on(c.start)
			s.on(c.until).spans(c.want...)
		})
	}
	t.Run("B4_EveryPeriodBeginsWhereTheLastOneEnded", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			s := tell(t, plan("team", periodStart))
			price := rapid.SampledFrom([]string{"team_month", "team_quarter", "team_year"}).Draw(t, "price")
			at := day("2023-12-01").Add(time.Duration(rapid.IntRange(0, 120*24*60).Draw(t, "start")) * time.Minute)
			s.subscribes(at.Format("2006-01-02 15:04"), item(price, 1)).at(at)
			for range 8 {
				at = at.Add(time.Duration(rapid.IntRange(1, 60*24*60).Draw(t, "wait")) * time.Minute)
				for !s.sub.Facts.PeriodEnd.After(at) {
					s.renews(s.sub.Facts.PeriodEnd.Format("2006-01-02 15:04"))
				}
				s.at(at)
			}
			for i, p := range s.sub.Periods[1:] {
				if before := s.sub.Periods[i]; !p.Start.Equal(before.End) || !p.End.After(p.Start) || p.CutAt != nil {
					t.Fatalf("after %s..%s comes %s..%s", before.Start, before.End, p.Start, p.End)
				}
			}
			if !s.sub.last().span().contains(at) {
				t.Fatalf("at %s the last period is %s..%s", at, s.sub.last().Start, s.sub.last().End)
			}
		})
	})
	t.Run("B4_ASubscriptionIsTakenInFromItsCurrentPeriodOn", func(t *testing.T) {
		tell(t, plan("team", periodStart)).subscribes("2023-01-15", item("team_month", 5)).renews("2025-03-15").
			on("2025-03-20").spans("2025-03-15..2025-04-15").has("monthly: pool 5000; 2025-03-15..2025-04-15")
	})
	t.Run("B4_AClockALittleBehindStripesOpensNoMonthBeforeTheFirst", func(t *testing.T) {
		tell(t, plan("team", periodStart)).subscribes("2025-03-15", item("team_month", 5)).
			on("2025-03-14 23:59:58").spans("2025-03-15..2025-04-15").has("monthly: pool 5000; 2025-03-15..2025-04-15").
			on("2025-03-15").has("monthly: pool 5000; 2025-03-15..2025-04-15")
		tell(t, plan("team")).subscribes("2025-03-15", item("team_month", 5)).trials("2025-03-15", "2025-03-30").
			on("2025-03-14 23:59:58").spans("2025-03-15..2025-03-30 trial").has("bonus: pool 500; 2025-03-15..2025-03-30")
	})
	t.Run("B4_AMonthThatBeginsLaterWaits", func(t *testing.T) {
		tell(t, plan("team", periodStart)).subscribes("2025-03-15", item("team_month", 5)).
			on("2025-03-14").spans("2025-03-15..2025-04-15 ungranted").has().
			on("2025-03-15").has("monthly: pool 5000; 2025-03-15..2025-04-15")
	})
	t.Run("B4_AnAbsurdlyOldPeriodIsntCaughtUpMonthByMonth", func(t *testing.T) {
		s := tell(t, plan("team", periodStart)).subscribes("1925-01-01", item("team_month", 5)).on("1925-01-02")
		s.renews("2025-01-01").on("2025-01-02")
		if n := len(s.sub.Periods); n > 3 {
			t.Fatalf("%d periods", n)
		}
		s.has("monthly: pool 5000; 2025-01-01..2025-02-01")
	})
}

func TestCurrentPeriod(t *testing.T) {
	period := func(s *story, at string) string {
		start, end, _ := s.state.CurrentPeriod(day(at))
		return shortly(start) + ".." + shortly(end)
	}
	t.Run("B4_WithoutASubscriptionItIsTheCalendarMonth", func(t *testing.T) {
		s := tell(t, plan("team"))
		for at, want := range map[string]string{
			"2025-01-31 23:59:59": "2025-01-01..2025-02-01", "2024-02-29": "2024-02-01..2024-03-01", "2025-12-31": "2025-12-01..2026-01-01",
		} {
			if got := period(s, at); got != want {
				t.Errorf("at %s: %s, want %s", at, got, want)
			}
		}
	})
	t.Run("B4_TheClockAloneTellsNotWhetherItIsPaid", func(t *testing.T) {
		s := tell(t, plan("team")).subscribes("2025-01-10", item("team_month", 5)).on("2025-01-10").is(StatusPastDue).on("2025-02-10")
		if got := period(s, "2025-02-10"); got != "2025-02-10..2025-03-10" {
			t.Error(got)
		}
	})
	t.Run("B4_OnceWhatWasGrantedHasEndedItIsTheCalendarMonthAgain", func(t *testing.T) {
		s := tell(t, plan("team")).subscribes("2025-01-10", item("team_month", 5)).pays().on("2025-01-10").cancels("2025-01-20").on("2025-01-20")
		got := []string{period(s.on("2025-02-09"), "2025-02-09"), period(s.on("2025-02-10"), "2025-02-10")}
		if want := []string{"2025-01-10..2025-02-10", "2025-02-01..2025-03-01"}; !slices.Equal(got, want) {
			t.Error(strings.Join(got, " "))
		}
	})
	t.Run("T15_OfSeveralTheOldestThatGoesOn", func(t *testing.T) {
		s := tell(t, plan("team"))
		for i, start := range []string{"2025-01-10", "2025-01-12", "2025-01-14"} {
			s.subscribes(start, item("team_month", 5)).pays()
			s.sub.Facts.ID = fmt.Sprint("sub_", i)
		}
		s.on("2025-01-14")
		s.state.Subs[0].Facts.Status, s.state.Subs[0].Facts.EndedAt = StatusCanceled, ptr(day("2025-01-15"))
		if got := period(s.on("2025-01-16"), "2025-01-16"); got != "2025-01-12..2025-02-12" {
			t.Error(got)
		}
	})
}
