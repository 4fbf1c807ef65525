package web

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
	"purser/teams"
)

// usagePage is what was used over some days.
type usagePage struct {
	From, To time.Time // days in UTC, as usage is counted; To is the last one
	Total    dayUsed   // of all days
	Days     []dayUsed
	Members  []memberUsed // of a team, for those who manage it
	Chart    chart
	Choices  []tab

	Period         *billing.PeriodSpan // that these days are; nil: others were asked for
	Earlier, Later string              // where the period before it is, and the one after it; "": there is none
}

// dayUsed is what was used on one day.
type dayUsed struct {
	Day      time.Time
	Spent    int64
	Reversed int64 // given back on that day, of spends of whatever day
	Earlier  int64 // of it, of spends from before all the days that are shown
}

// Used is what was spent less what of it was given back (B12).
func (d dayUsed) Used() int64 { return d.Spent - d.Reversed + d.Earlier }

func (d *dayUsed) add(r ledger.DayUsage) {
	d.Spent += r.Spent
	d.Reversed += r.Reversed
	d.Earlier += r.Earlier
}

// memberUsed is what one member used.
type memberUsed struct {
	Name  string
	Used  int64
	Width int64 // of the bar, beside the one who used most
}

func (s *Server) registerUsage() {
	s.page(Root+"/teams/{team}/usage", s.usage)
	s.page(Root+"/account/usage", s.usage)
}

func (s *Server) usage(ctx context.Context, tx pgx.Tx, v *visit) (view, error) {
	book, since := v.Person.BookID, v.Person.CreatedAt
	if v.Team != nil {
		book, since = v.Team.BookID, v.Team.CreatedAt
	}
	periods, err := billing.ReadPeriods(ctx, tx, s.cfg.Catalog, book, since, v.At)
	if err != nil {
		return view{}, err
	}
	days := v.daysOf(periods)
	rows, err := ledger.UsageByDay(ctx, tx, book, days.from, days.to)
	if err != nil {
		return view{}, err
	}
	if v.Team != nil && !v.Manages() {
		rows = slices.DeleteFunc(rows, func(r ledger.DayUsage) bool { return r.Holder != v.By.User })
	}
	p := &usagePage{From: days.from, To: days.last(), Period: days.period, Choices: v.choices(periods, days)}
	p.Earlier, p.Later = v.steps(periods, days.period)
	p.Days = byDay(rows, days.from, days.to)
	for _, r := range rows {
		p.Total.add(r)
	}
	p.Chart = v.chartOf(p.Days)
	if v.Team != nil && v.Manages() {
		p.Members, err = v.byMember(ctx, tx, rows)
	}
	return view{"usage", v.T("usage.title"), p}, err
}

// byDay adds up the days, and has those on which nothing was used, too.
func byDay(rows []ledger.DayUsage, from, to time.Time) []dayUsed {
	var days []dayUsed
	for at := dayOf(from); at.Before(to); at = at.AddDate(0, 0, 1) {
		days = append(days, dayUsed{Day: at})
	}
	for _, r := range rows {
		i := int(dayOf(r.Day).Sub(dayOf(from)) / (24 * time.Hour))
		if i >= 0 && i < len(days) {
			days[i].add(r)
		}
	}
	return days
}

// usersMax is how many members a page names; the rest are in the history's file.
const usersMax = 100

func (v *visit) byMember(ctx context.Context, tx pgx.Tx, rows []ledger.DayUsage) ([]memberUsed, error) {
	used := map[string]int64{}
	var ids []string
	for _, r := range rows {
		if _, seen := used[r.Holder]; !seen {
			ids = append(ids, r.Holder)
		}
		used[r.Holder] += r.Spent - r.Reversed + r.Earlier
	}
	people, err := teams.People(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	list := make([]memberUsed, len(ids))
	for i, id := range ids {
		list[i] = memberUsed{Name: Named(people[id], id), Used: used[id]}
	}
	slices.SortFunc(list, func(a, b memberUsed) int { return cmp.Or(cmp.Compare(b.Used, a.Used), cmp.Compare(a.Name, b.Name)) })
	if len(list) > usersMax {
		list = list[:usersMax]
	}
	for i := range list {
		if list[0].Used > 0 && list[i].Used > 0 {
			list[i].Width = scaled(list[i].Used, list[0].Used)
		}
	}
	return list, nil
}
