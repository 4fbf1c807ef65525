package localstripe

import "time"

// step is the nth moment from an anchor, counted from the original day: 31 January, 28 February, 31 March.
func (r *recurring) step(anchor, n int64) int64 {
	at := time.Unix(anchor, 0).UTC()
	n *= r.count
	switch r.interval {
	case "day":
		return at.AddDate(0, 0, int(n)).Unix()
	case "week":
		return at.AddDate(0, 0, int(7*n)).Unix()
	case "year":
		n *= 12
	}
	return addMonths(at, int(n)).Unix()
}

// addMonths keeps the day where the month has it and takes the month's last day where it hasn't.
func addMonths(at time.Time, n int) time.Time {
	first := time.Date(at.Year(), at.Month(), 1, at.Hour(), at.Minute(), at.Second(), 0, time.UTC).AddDate(0, n, 0)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(at.Day(), last)-1)
}

// after is the first moment of the anchor's rhythm that lies after a time.
func (r *recurring) after(anchor, at int64) int64 {
	days := map[string]int64{"day": 1, "week": 7, "month": 28, "year": 365}[r.interval] * r.count
	// The guess lies at or before the answer, because no interval is shorter than that many days, or, for
	// an anchor that lies ahead, far enough back.
	n := (at - anchor) / (days * 86400)
	if r.interval == "month" || r.interval == "year" {
		n = n*9/10 - 1
	} else {
		n--
	}
	if at < anchor {
		n = (at-anchor)/(days*86400) - 2
	}
	for r.step(anchor, n) > at {
		n--
	}
	for r.step(anchor, n) <= at {
		n++
	}
	return r.step(anchor, n)
}

func (s *Server) yearNow() int { return time.Unix(s.clock.now, 0).UTC().Year() }
