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

// inside tells whether t lies in the span and isn't its start.
func (s span) inside(t time.Time) bool { return s.start.Before(t) && t.Before(s.end) }

// within gives the part of the span that lies in another one.
func (s span) within(o span) span {
	return span{later(s.start, o.start), earlier(s.end, o.end)}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

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

// own is Stripe's own period.
func (s *Subscription) own() span { return span{s.PeriodStart, s.PeriodEnd} }

// begins is when the periods that are counted from the anchor begin, as far as Stripe
// tells: after a trial that is its end, or the instant at which a pause was over.
func (s *Subscription) begins() time.Time { return earlier(s.Anchor, s.PeriodStart) }

// inTrial tells whether t lies in a trial that Stripe says is running.
func (s *Subscription) inTrial(t time.Time) bool {
	return s.Status == StatusTrialing && s.TrialStart != nil && s.TrialEnd != nil && span{*s.TrialStart, *s.TrialEnd}.contains(t)
}

// monthly tells whether Stripe's own periods are credit months. All items of a
// subscription are billed at the same interval.
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
// that Stripe doesn't tell of, are counted from the anchor and don't reach over an edge
// of Stripe's own period.
func (s *Subscription) month(t time.Time) (m span, trial bool) {
	if s.inTrial(t) {
		return span{*s.TrialStart, *s.TrialEnd}, true
	}
	own := s.own()
	if s.monthly() && own.contains(t) {
		return own, false
	}
	anchor := s.Anchor
	if anchor.IsZero() {
		anchor = s.PeriodStart
	}
	m = monthFrom(anchor, t)
	switch {
	case own.contains(t):
		m = m.within(own)
	case t.Before(own.start):
		m.end = earlier(m.end, own.start)
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
