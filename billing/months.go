package billing

import "time"

// AddMonths counts months from the anchor, always from the original day: a month that
// is too short ends the count on its last day, and the next goes back (B4:
// 31 Jan → 28/29 Feb → 31 Mar).
func AddMonths(anchor time.Time, n int) time.Time {
	anchor = anchor.UTC()
	y, m, d := anchor.Date()
	first := time.Date(y, m+time.Month(n), 1, anchor.Hour(), anchor.Minute(), anchor.Second(), anchor.Nanosecond(), time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(d, last)-1)
}

// span is a stretch of time, its end not included.
type span struct{ start, end time.Time }

func (s span) contains(t time.Time) bool { return !t.Before(s.start) && t.Before(s.end) }

// monthFrom gives the month, counted from the anchor, that t lies in.
func monthFrom(anchor, t time.Time) span {
	ty, tm, _ := t.UTC().Date()
	ay, am, _ := anchor.UTC().Date()
	n := (ty-ay)*12 + int(tm-am)
	if AddMonths(anchor, n).After(t) {
		n--
	}
	return span{AddMonths(anchor, n), AddMonths(anchor, n+1)}
}

// CalendarMonth is the period of a team without a subscription.
func CalendarMonth(t time.Time) (start, end time.Time) {
	y, m, _ := t.UTC().Date()
	start = time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
	return start, start.AddDate(0, 1, 0)
}

// inTrial tells whether t lies in the subscription's trial.
func (s *Subscription) inTrial(t time.Time) bool {
	return s.TrialStart != nil && s.TrialEnd != nil && span{*s.TrialStart, *s.TrialEnd}.contains(t)
}

// monthly tells whether Stripe's own periods are credit months.
func (s *Subscription) monthly() bool {
	for _, i := range s.Items {
		if i.Interval != "" {
			return i.Interval == IntervalMonth && i.IntervalCount <= 1
		}
	}
	return false
}

// month gives the credit month that t lies in, and whether it is the trial (B4).
// Stripe's own period decides where it is a month; months of a longer one, and those
// that Stripe doesn't tell of, are counted from the anchor.
func (s *Subscription) month(t time.Time) (m span, trial bool) {
	if s.inTrial(t) {
		return span{*s.TrialStart, *s.TrialEnd}, true
	}
	own := span{s.PeriodStart, s.PeriodEnd}
	if s.monthly() && own.contains(t) {
		return own, false
	}
	m = monthFrom(s.Anchor, t)
	if own.contains(t) {
		if m.start.Before(own.start) {
			m.start = own.start
		}
		if m.end.After(own.end) {
			m.end = own.end
		}
	}
	return m, false
}

// cancelSet gives when the subscription is set to end, if it is.
func (s *Subscription) cancelSet() *time.Time {
	switch {
	case s.Status.Ended():
		return nil
	case s.CancelAt != nil:
		return s.CancelAt
	case s.CancelAtPeriodEnd:
		return &s.PeriodEnd
	}
	return nil
}

// endedAt gives when the subscription ended. Stripe always says; a fetch that doesn't
// is taken to mean the end of its period.
func (s *Subscription) endedAt() *time.Time {
	switch {
	case !s.Status.Ended():
		return nil
	case s.EndedAt != nil:
		return s.EndedAt
	}
	return &s.PeriodEnd
}
