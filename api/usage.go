package api

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
	"purser/teams"
)

// MemberUsage is what one member used in the current period, by source.
type MemberUsage struct {
	UserID      string `json:"user_id"`
	Used        int64  `json:"used" doc:"All, less what was given back"`
	Monthly     int64  `json:"monthly"`
	Purchased   int64  `json:"purchased"`
	Rollover    int64  `json:"rollover"`
	Bonus       int64  `json:"bonus"`
	Contributed int64  `json:"contributed"`
}

func viewUsage(u ledger.Usage) MemberUsage {
	return MemberUsage{
		UserID: u.Holder, Used: u.Total(), Monthly: u.Monthly, Purchased: u.Purchased, Rollover: u.Rollover, Bonus: u.Bonus, Contributed: u.Contributed,
	}
}

// UsageByMember is what members used in the current period, those who left included.
type UsageByMember struct {
	PeriodStart time.Time     `json:"period_start"`
	PeriodEnd   time.Time     `json:"period_end"`
	Items       []MemberUsage `json:"items"`
	Next        string        `json:"next,omitempty" doc:"Give it as cursor for the next page; absent on the last"`
}

// DayUsage is what was used on one day.
type DayUsage struct {
	Day      string `json:"day" format:"date" doc:"In UTC"`
	Spent    int64  `json:"spent"`
	Reversed int64  `json:"reversed" doc:"Given back on that day, of spends of whatever day"`
	Used     int64  `json:"used" doc:"spent less reversed"`
}

// UsageByDay is what was used on each day on which something was.
type UsageByDay struct {
	From  time.Time  `json:"from"`
	To    time.Time  `json:"to"`
	Items []DayUsage `json:"items"`
}

func (u UsageByDay) withoutAt() any { u.To = time.Time{}; return u }

// daysMax bounds the days of one answer.
const daysMax = 366

// UsageDaysFilter asks for usage by day.
type UsageDaysFilter struct {
	Format
	From time.Time `query:"from" doc:"From this instant on; left out: from the period's start"`
	To   time.Time `query:"to" doc:"Before this instant; left out: until now. At most 366 days after from"`
}

var (
	memberUsageTable = table[ledger.Usage]{
		name: "usage-by-member", head: []string{"user_id", "used", "monthly", "purchased", "rollover", "bonus", "contributed"},
		row: func(u ledger.Usage) []string {
			return plainCells(append([]string{u.Holder}, numbers(u.Total(), u.Monthly, u.Purchased, u.Rollover, u.Bonus, u.Contributed)...))
		},
	}
	dayUsageTable = table[DayUsage]{
		name: "usage-by-day", head: []string{"day", "spent", "reversed", "used"},
		// A negative number is one, not a formula.
		row: func(d DayUsage) []string { return append([]string{d.Day}, numbers(d.Spent, d.Reversed, d.Used)...) },
	}
)

func numbers(list ...int64) []string {
	return mapped(list, func(n int64) string { return strconv.FormatInt(n, 10) })
}

func (s *Server) registerUsage() {
	type byMember struct {
		Reading
		TeamPath
		Paging
		Format
	}
	listing(s, spec{
		id: "list-usage-by-member", path: "/v1/teams/{team}/usage/members", tag: "Credits",
		summary: "List what members used in the current period, by id", doc: "A plain member sees one's own. The sum is the pool's used.",
	}, memberUsageTable, func(in *byMember) Format { return in.Format },
		func(ctx context.Context, tx pgx.Tx, c *call, in *byMember) (source[ledger.Usage, UsageByMember], error) {
			return s.usageByMember(ctx, tx, c, in.TeamID, in.Paging)
		})
	s.registerUsageDays()
}

func (s *Server) usageByMember(ctx context.Context, tx pgx.Tx, c *call, teamID string, paging Paging) (source[ledger.Usage, UsageByMember], error) {
	src := source[ledger.Usage, UsageByMember]{limit: paging.Limit}
	after, err := paging.after("usage")
	if err != nil {
		return src, err
	}
	view, err := teams.View(ctx, tx, s.cfg.Catalog, teamID, c.by, c.at)
	if err != nil {
		return src, err
	}
	all := slices.Clone(view.Usage)
	slices.SortFunc(all, func(a, b ledger.Usage) int { return strings.Compare(a.Holder, b.Holder) })
	src.rows = func(_ context.Context, _ pgx.Tx, last *ledger.Usage, limit int) ([]ledger.Usage, error) {
		from := after
		if last != nil {
			from = last.Holder
		}
		rest := slices.DeleteFunc(slices.Clone(all), func(u ledger.Usage) bool { return u.Holder <= from })
		return rest[:min(len(rest), limit)], nil
	}
	src.page = func(rows []ledger.Usage) UsageByMember {
		p := page("usage", paging, rows, func(u ledger.Usage) string { return u.Holder }, viewUsage)
		return UsageByMember{PeriodStart: view.Pool.PeriodStart.UTC(), PeriodEnd: view.Pool.PeriodEnd.UTC(), Items: p.Items, Next: p.Next}
	}
	return src, nil
}

func (s *Server) registerUsageDays() {
	type teamDays struct {
		Reading
		TeamPath
		Only string `query:"user_id" maxLength:"200" doc:"Of this member only"`
		UsageDaysFilter
	}
	listing(s, spec{
		id: "list-usage-by-day", path: "/v1/teams/{team}/usage/days", tag: "Credits",
		summary: "List what was used, by day", doc: "A plain member sees one's own.",
	}, dayUsageTable, func(in *teamDays) Format { return in.Format },
		func(ctx context.Context, tx pgx.Tx, c *call, in *teamDays) (source[DayUsage, UsageByDay], error) {
			team, role, err := teams.Look(ctx, tx, in.TeamID, c.by)
			if err == nil {
				in.Only, err = ownOnly(c, role, in.Only)
			}
			if err != nil {
				return source[DayUsage, UsageByDay]{}, err
			}
			return s.usageByDay(ctx, tx, c, team.BookID, in.Only, in.UsageDaysFilter)
		})
	type userDays struct {
		Reading
		UserPath
		UsageDaysFilter
	}
	listing(s, spec{
		id: "list-user-usage-by-day", path: "/v1/users/{user}/usage/days", tag: "Credits",
		summary: "List what a personal account used, by day", doc: "In whatever team it was used.",
	}, dayUsageTable, func(in *userDays) Format { return in.Format },
		func(ctx context.Context, tx pgx.Tx, c *call, in *userDays) (source[DayUsage, UsageByDay], error) {
			if err := c.onlySelf(in.UserID); err != nil {
				return source[DayUsage, UsageByDay]{}, err
			}
			user, err := teams.GetUser(ctx, tx, in.UserID)
			if err != nil {
				return source[DayUsage, UsageByDay]{}, err
			}
			return s.usageByDay(ctx, tx, c, user.BookID, "", in.UsageDaysFilter)
		})
}

// usageByDay is read at once: there are few days in it.
func (s *Server) usageByDay(ctx context.Context, tx pgx.Tx, c *call, book int64, only string, f UsageDaysFilter) (source[DayUsage, UsageByDay], error) {
	out := UsageByDay{From: f.From.UTC(), To: f.To.UTC(), Items: []DayUsage{}}
	if f.To.IsZero() {
		out.To = c.at.UTC().Add(time.Microsecond) // what counts now is in it
	}
	if f.From.IsZero() {
		pool, err := billing.ReadPool(ctx, tx, s.cfg.Catalog, book, c.at)
		if err != nil {
			return source[DayUsage, UsageByDay]{}, err
		}
		out.From = pool.PeriodStart.UTC()
	}
	if out.To.Before(out.From) || out.To.Sub(out.From) > daysMax*24*time.Hour {
		return source[DayUsage, UsageByDay]{}, wrongPlace("query.to", "must follow from, by at most 366 days")
	}
	rows, err := ledger.UsageByDay(ctx, tx, book, out.From, out.To)
	if err != nil {
		return source[DayUsage, UsageByDay]{}, err
	}
	for _, r := range rows {
		if only == "" || r.Holder == only {
			out.add(r)
		}
	}
	return source[DayUsage, UsageByDay]{
		limit: daysMax,
		rows:  func(context.Context, pgx.Tx, *DayUsage, int) ([]DayUsage, error) { return out.Items, nil },
		page:  func([]DayUsage) UsageByDay { return out },
	}, nil
}

// add adds what a holder used on a day; the days come in order.
func (u *UsageByDay) add(r ledger.DayUsage) {
	day := r.Day.UTC().Format(time.DateOnly)
	if n := len(u.Items); n == 0 || u.Items[n-1].Day != day {
		u.Items = append(u.Items, DayUsage{Day: day})
	}
	last := &u.Items[len(u.Items)-1]
	last.Spent += r.Spent
	last.Reversed += r.Reversed
	last.Used = last.Spent - last.Reversed
}
