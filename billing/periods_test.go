package billing_test

import (
	"strings"
	"testing"
	"time"

	"purser/billing"
	"purser/ledger"
)

// periods are those of a book since an instant, the first one first: when each began, and
// when the last one ends. They must leave no gap.
func (s *shop) periods(book int64, since time.Time) string {
	s.t.Helper()
	list, err := billing.ReadPeriods(s.t.Context(), s.tx, billing.DemoCatalog(), book, since, s.now)
	s.ok(err)
	said := list[0].End.Format(time.DateOnly)
	for i, p := range list {
		if i > 0 && !p.End.Equal(list[i-1].Start) || !p.Start.Before(p.End) {
			s.t.Errorf("%v stands before %v", p, list[max(i-1, 0)])
		}
		said = p.Start.Format(time.DateOnly) + " " + said
	}
	pool, err := billing.ReadPool(s.t.Context(), s.tx, billing.DemoCatalog(), book, s.now)
	s.ok(err)
	if !pool.PeriodStart.Equal(list[0].Start) || !pool.PeriodEnd.Equal(list[0].End) {
		s.t.Errorf("the pool's period is %s to %s, not %v", pool.PeriodStart, pool.PeriodEnd, list[0])
	}
	return said
}

// from is the shop's subscription as somebody has changed it.
func (s *shop) from(start time.Time, change func(*billing.Subscription)) billing.Fetched {
	s.t.Helper()
	f := s.sub(5)
	sub := f.Subscription
	sub.PeriodStart, sub.PeriodEnd, sub.Anchor, sub.CreatedAt = start, billing.AddMonths(start, 1), start, start
	f.Invoices[0].Lines[0].From, f.Invoices[0].Lines[0].To = sub.PeriodStart, sub.PeriodEnd
	if change != nil {
		change(sub)
	}
	return f
}

func on(text string) time.Time {
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return at.Add(9 * time.Hour)
}

func TestReadPeriods(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		name  string
		since string
		do    func(s *shop)
		want  string
	}{
		{"B4_WithoutASubscriptionThereAreCalendarMonths", "2025-12-20", func(s *shop) { s.now = on("2026-02-10") }, "2025-12-01 2026-01-01 2026-02-01 2026-03-01"},
		{"B4_TheFirstPeriodIsTheOneInWhichTheTeamWasMade", "2026-02-10", func(s *shop) { s.now = on("2026-02-10") }, "2026-02-01 2026-03-01"},
		{"B4_MonthsFromTheEndOfAMonthGoBackToTheOriginalDay", "2026-01-31", func(s *shop) {
			s.now = on("2026-01-31")
			s.apply(s.from(s.now, func(sub *billing.Subscription) {
				sub.PeriodEnd, sub.Items[0].LookupKey, sub.Items[0].Interval = billing.AddMonths(s.now, 12), "team_yearly", "year"
			}), s.ticket())
			s.now = on("2026-05-20")
		}, "2026-01-31 2026-02-28 2026-03-31 2026-04-30 2026-05-31"},
		{"B4_BeforeTheSubscriptionThereWereCalendarMonths_TheLastOfThemCutShort", "2025-12-05", func(s *shop) {
			s.now = on("2026-01-15")
			s.apply(s.from(s.now, nil), s.ticket())
			s.now = on("2026-01-20")
		}, "2025-12-01 2026-01-01 2026-01-15 2026-02-15"},
		{"B4_MoreMonthsThanAStateKeeps", "2026-01-15", func(s *shop) {
			for n := range 9 {
				s.now = billing.AddMonths(on("2026-01-15"), n)
				s.apply(s.from(s.now, func(sub *billing.Subscription) { sub.Anchor, sub.CreatedAt = on("2026-01-15"), on("2026-01-15") }), s.ticket())
			}
		}, "2026-01-15 2026-02-15 2026-03-15 2026-04-15 2026-05-15 2026-06-15 2026-07-15 2026-08-15 2026-09-15 2026-10-15"},
		{"B11_ASwitchOfTheIntervalCutsThePeriod", "2026-01-15", func(s *shop) {
			s.now = on("2026-01-15")
			s.apply(s.from(s.now, nil), s.ticket())
			s.now = on("2026-01-25")
			s.apply(s.from(s.now, func(sub *billing.Subscription) {
				sub.CreatedAt, sub.PeriodEnd = on("2026-01-15"), billing.AddMonths(s.now, 12)
				sub.Items[0].PriceID, sub.Items[0].LookupKey, sub.Items[0].Interval = "price_2", "team_yearly", "year"
			}), s.ticket())
			s.now = on("2026-03-01")
		}, "2026-01-15 2026-01-25 2026-02-25 2026-03-25"},
		{"B4_ATrialIsOnePeriod", "2026-01-15", func(s *shop) {
			start, end := on("2026-01-15"), on("2026-01-29")
			s.now = start
			s.apply(s.from(start, func(sub *billing.Subscription) {
				sub.Status, sub.TrialStart, sub.TrialEnd, sub.PeriodEnd, sub.Anchor = billing.StatusTrialing, &start, &end, end, end
			}), s.ticket())
			s.now = end
			s.apply(s.from(end, func(sub *billing.Subscription) { sub.CreatedAt = start }), s.ticket())
			s.now = on("2026-02-03")
		}, "2026-01-15 2026-01-29 2026-02-28"},
		{"B6_AfterItsEndThereAreCalendarMonthsAgain", "2026-01-15", func(s *shop) {
			start, end := on("2026-01-15"), on("2026-03-15")
			s.now = start
			s.apply(s.from(start, nil), s.ticket())
			s.now = on("2026-02-15")
			s.apply(s.from(s.now, func(sub *billing.Subscription) { sub.Anchor, sub.CreatedAt = start, start }), s.ticket())
			s.now = end
			s.apply(s.from(on("2026-02-15"), func(sub *billing.Subscription) {
				sub.Anchor, sub.CreatedAt, sub.Status, sub.EndedAt = start, start, billing.StatusCanceled, &end
			}), s.ticket())
			s.now = on("2026-04-10")
		}, "2026-01-15 2026-02-15 2026-03-01 2026-04-01 2026-05-01"},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			s := openShop(t)
			one.do(s)
			s.has("the periods", s.periods(s.owner.BookID, on(one.since)), one.want)
		})
	}
	t.Run("T13_ASubscriptionCountsWhileItIsInTheTeam", func(t *testing.T) {
		t.Parallel()
		s := openShop(t)
		s.now = on("2026-01-15")
		s.apply(s.from(s.now, nil), s.ticket())
		book, err := ledger.Create(t.Context(), s.tx, ledger.TeamBook, s.now)
		s.ok(err)
		team := billing.Slot{TeamID: "team_" + strings.ReplaceAll(t.Name(), "/", "_"), BookID: book}
		month := func(start string) {
			s.now = on(start)
			s.apply(s.from(s.now, func(sub *billing.Subscription) { sub.Anchor, sub.CreatedAt = on("2026-01-15"), on("2026-01-15") }), s.ticket())
		}
		periods := func(want string) {
			t.Helper()
			s.has("the team's periods", s.periods(book, on("2025-12-28")), want)
		}
		s.now = on("2026-02-03")
		periods("2025-12-01 2026-01-01 2026-02-01 2026-03-01")
		s.ok(billing.Assign(t.Context(), s.tx, billing.DemoCatalog(), "sub_"+t.Name(), s.owner.BookID, team, "test", s.now))
		periods("2025-12-01 2026-01-01 2026-01-15 2026-02-15")
		month("2026-02-15")
		month("2026-03-15")
		s.now = on("2026-04-05")
		_, err = billing.Unassign(t.Context(), s.tx, billing.DemoCatalog(), team, s.owner.UserID, s.owner.BookID, "test", s.now)
		s.ok(err)
		periods("2025-12-01 2026-01-01 2026-01-15 2026-02-15 2026-03-15 2026-04-01 2026-05-01")
		month("2026-04-15") // on its owner's account
		month("2026-05-15")
		s.now = on("2026-05-20")
		periods("2025-12-01 2026-01-01 2026-01-15 2026-02-15 2026-03-15 2026-04-01 2026-05-01 2026-06-01")
	})
}
