package api

import (
	"context"
	"net/http"
	"slices"
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

// UsageDaysIn asks for usage by day.
type UsageDaysIn struct {
	Reading
	TeamPath
	UserID string    `query:"user_id" maxLength:"200" doc:"Of this member only"`
	From   time.Time `query:"from" doc:"From this instant on; left out: from the period's start"`
	To     time.Time `query:"to" doc:"Before this instant; left out: until now. At most 366 days after from"`
}

func (s *Server) registerUsage() {
	notFound := []int{http.StatusNotFound}
	read(s, spec{
		id: "list-usage-by-member", method: http.MethodGet, path: "/v1/teams/{team}/usage/members", tag: "Credits", scopes: reads, refusals: notFound,
		summary: "List what members used in the current period, by id", doc: "A plain member sees one's own. The sum is the pool's used.",
	}, func(ctx context.Context, tx pgx.Tx, c *call, in *struct {
		Reading
		TeamPath
		Paging
	},
	) (UsageByMember, error) {
		after, err := in.after("usage")
		if err != nil {
			return UsageByMember{}, err
		}
		view, err := teams.View(ctx, tx, s.cfg.Catalog, in.TeamID, c.by, c.at)
		if err != nil {
			return UsageByMember{}, err
		}
		rows := slices.DeleteFunc(view.Usage, func(u ledger.Usage) bool { return u.Holder <= after })
		slices.SortFunc(rows, func(a, b ledger.Usage) int { return strings.Compare(a.Holder, b.Holder) })
		p := page("usage", in.Paging, rows, func(u ledger.Usage) string { return u.Holder }, viewUsage)
		return UsageByMember{PeriodStart: view.Pool.PeriodStart.UTC(), PeriodEnd: view.Pool.PeriodEnd.UTC(), Items: p.Items, Next: p.Next}, nil
	})
	read(s, spec{
		id: "list-usage-by-day", method: http.MethodGet, path: "/v1/teams/{team}/usage/days", tag: "Credits", scopes: reads, refusals: notFound,
		summary: "List what was used, by day", doc: "A plain member sees one's own.",
	}, s.usageByDay)
}

func (s *Server) usageByDay(ctx context.Context, tx pgx.Tx, c *call, in *UsageDaysIn) (UsageByDay, error) {
	team, role, err := teams.Look(ctx, tx, in.TeamID, c.by)
	if err != nil {
		return UsageByDay{}, err
	}
	only, err := ownOnly(c, role, in.UserID)
	if err != nil {
		return UsageByDay{}, err
	}
	out := UsageByDay{From: in.From.UTC(), To: in.To.UTC(), Items: []DayUsage{}}
	if in.To.IsZero() {
		out.To = c.at.UTC().Add(time.Microsecond) // what counts now is in it
	}
	if in.From.IsZero() {
		pool, err := billing.ReadPool(ctx, tx, s.cfg.Catalog, team.BookID, c.at)
		if err != nil {
			return UsageByDay{}, err
		}
		out.From = pool.PeriodStart.UTC()
	}
	if out.To.Before(out.From) || out.To.Sub(out.From) > daysMax*24*time.Hour {
		return UsageByDay{}, wrongPlace("query.to", "must follow from, by at most 366 days")
	}
	rows, err := ledger.UsageByDay(ctx, tx, team.BookID, out.From, out.To)
	if err != nil {
		return UsageByDay{}, err
	}
	for _, r := range rows {
		if only != "" && r.Holder != only {
			continue
		}
		day := r.Day.UTC().Format(time.DateOnly)
		if n := len(out.Items); n == 0 || out.Items[n-1].Day != day {
			out.Items = append(out.Items, DayUsage{Day: day})
		}
		last := &out.Items[len(out.Items)-1]
		last.Spent += r.Spent
		last.Reversed += r.Reversed
		last.Used = last.Spent - last.Reversed
	}
	return out, nil
}
