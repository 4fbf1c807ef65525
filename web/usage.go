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

// usageDaysMax bounds the days that are looked at.
const usageDaysMax = 366

func (s *Server) registerUsage() {
	s.page(Root+"/teams/{team}/usage", s.usage)
	s.page(Root+"/account/usage", s.usage)
}

func (s *Server) usage(ctx context.Context, tx pgx.Tx, v *visit) (view, error) {
	book := v.Person.BookID
	if v.Team != nil {
		book = v.Team.BookID
	}
	pool, err := billing.ReadPool(ctx, tx, s.cfg.Catalog, book, v.At)
	if err != nil {
		return view{}, err
	}
	from, to := v.span(pool)
	rows, err := ledger.UsageByDay(ctx, tx, book, from, to)
	if err != nil {
		return view{}, err
	}
	if v.Team != nil && !v.Manages() {
		rows = slices.DeleteFunc(rows, func(r ledger.DayUsage) bool { return r.Holder != v.By.User })
	}
	p := &usagePage{From: from, To: to.Add(-time.Nanosecond), Choices: v.spans(pool)}
	p.Days = byDay(rows, from, to)
	for _, r := range rows {
		p.Total.add(r)
	}
	p.Chart = v.chartOf(p.Days)
	if v.Team != nil && v.Manages() {
		p.Members, err = v.byMember(ctx, tx, rows)
	}
	return view{"usage", v.T("usage.title"), p}, err
}

// span is which days are looked at: the current period's, unless others are asked for.
func (v *visit) span(pool billing.Pool) (from, to time.Time) {
	from, to = dayOf(pool.PeriodStart), dayOf(v.At).AddDate(0, 0, 1)
	day := func(name string) (time.Time, bool) {
		at, err := time.ParseInLocation(time.DateOnly, v.form.Text(name), time.UTC)
		return at, err == nil
	}
	if at, ok := day("from"); ok {
		from = at
	}
	if at, ok := day("to"); ok {
		to = at.AddDate(0, 0, 1)
	}
	if !to.After(from) {
		to = from.AddDate(0, 0, 1)
	}
	if last := from.AddDate(0, 0, usageDaysMax); to.After(last) {
		to = last
	}
	return v.turned(pool, from, to)
}

// turned has a span that is a period begin and end with its turn, in the midst of a day: so
// it comes to what the pool says was used.
func (v *visit) turned(pool billing.Pool, from, to time.Time) (time.Time, time.Time) {
	before := billing.AddMonths(pool.PeriodStart.UTC(), -1)
	switch {
	case from.Equal(dayOf(pool.PeriodStart)):
		from = pool.PeriodStart
	case from.Equal(dayOf(before)) && dayOf(pool.PeriodStart).AddDate(0, 0, 1).Equal(to):
		from, to = before, pool.PeriodStart
	}
	return from, to
}

func dayOf(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// spans are the spans of time that are offered.
func (v *visit) spans(pool billing.Pool) []tab {
	start := dayOf(pool.PeriodStart)
	before := dayOf(billing.AddMonths(pool.PeriodStart.UTC(), -1))
	today := dayOf(v.At)
	choice := func(key string, from, to time.Time) tab {
		t := tab{Text: v.T("usage." + key), Path: v.Query("from", from.Format(time.DateOnly), "to", to.Format(time.DateOnly))}
		t.Here = v.Was("from", start.Format(time.DateOnly)) == from.Format(time.DateOnly) && v.Was("to", today.Format(time.DateOnly)) == to.Format(time.DateOnly)
		return t
	}
	return []tab{
		choice("this_period", start, today), choice("last_period", before, start), choice("quarter", today.AddDate(0, 0, -89), today),
	}
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
