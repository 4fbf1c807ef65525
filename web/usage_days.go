package web

import (
	"time"

	"purser/billing"
)

// usageDaysMax bounds the days that are looked at.
const usageDaysMax = 366

// usageDays are the days that are looked at, up to an instant. A period begins and ends with
// its turn, in the midst of a day: so it comes to what the pool says was used.
type usageDays struct {
	from, to time.Time
	period   *billing.PeriodSpan // that they are; nil: they are none
}

// last is the last of the days.
func (d usageDays) last() time.Time { return d.to.Add(-time.Nanosecond) }

// same tells whether both begin and end on the same days, in UTC.
func (d usageDays) same(o usageDays) bool {
	return dayOf(d.from).Equal(dayOf(o.from)) && dayOf(d.last()).Equal(dayOf(o.last()))
}

// daysOf is which days are looked at: the current period's, unless another one or others are
// asked for.
func (v *visit) daysOf(periods []billing.PeriodSpan) usageDays {
	if at, err := time.Parse(time.RFC3339Nano, v.form.Text("period")); err == nil {
		for i := range periods {
			if !at.Before(periods[i].Start) {
				return v.daysIn(&periods[i])
			}
		}
		return v.daysIn(&periods[len(periods)-1])
	}
	asked := v.daysIn(&periods[0])
	typed := asked
	if at, ok := v.typedDay("from"); ok {
		typed.from = at
	}
	if at, ok := v.typedDay("to"); ok {
		typed.to = at.AddDate(0, 0, 1)
	}
	if !typed.to.After(typed.from) {
		typed.to = dayOf(typed.from).AddDate(0, 0, 1)
	}
	for i := range periods {
		if one := v.daysIn(&periods[i]); typed.same(one) {
			return one
		}
	}
	typed.from, typed.period = dayOf(typed.from), nil
	typed.to = cut(typed.from, typed.to)
	return typed
}

// typedDay is a day that was typed, if it is one.
func (v *visit) typedDay(name string) (time.Time, bool) {
	at, err := time.ParseInLocation(time.DateOnly, v.form.Text(name), time.UTC)
	return at, err == nil
}

// daysIn are the days of a period, of the current one those until today.
func (v *visit) daysIn(p *billing.PeriodSpan) usageDays {
	to := p.End
	if tomorrow := dayOf(v.At).AddDate(0, 0, 1); tomorrow.Before(to) {
		to = tomorrow
	}
	return usageDays{p.Start, cut(p.Start, to), p}
}

func cut(from, to time.Time) time.Time {
	if last := from.AddDate(0, 0, usageDaysMax); to.After(last) {
		return last
	}
	return to
}

func dayOf(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// periodAt is where a period is shown.
func (v *visit) periodAt(periods []billing.PeriodSpan, i int) string {
	switch {
	case i < 0 || i >= len(periods):
		return ""
	case i == 0:
		return v.Query("period", "", "from", "", "to", "")
	}
	return v.Query("period", periods[i].Start.UTC().Format(time.RFC3339Nano), "from", "", "to", "")
}

// steps are where the periods before and after one are.
func (v *visit) steps(periods []billing.PeriodSpan, shown *billing.PeriodSpan) (earlier, later string) {
	for i := range periods {
		if shown != nil && periods[i].Start.Equal(shown.Start) {
			return v.periodAt(periods, i+1), v.periodAt(periods, i-1)
		}
	}
	return "", ""
}

// choices are the spans of time that are offered.
func (v *visit) choices(periods []billing.PeriodSpan, shown usageDays) []tab {
	var tabs []tab
	for i, key := range []string{"this_period", "last_period"} {
		if i < len(periods) {
			here := shown.period != nil && shown.period.Start.Equal(periods[i].Start)
			tabs = append(tabs, tab{Text: v.T("usage." + key), Path: v.periodAt(periods, i), Here: here})
		}
	}
	today := dayOf(v.At)
	quarter := usageDays{from: today.AddDate(0, 0, -89), to: today.AddDate(0, 0, 1)}
	at := v.Query("period", "", "from", quarter.from.Format(time.DateOnly), "to", today.Format(time.DateOnly))
	return append(tabs, tab{Text: v.T("usage.quarter"), Path: at, Here: shown.period == nil && shown.same(quarter)})
}
