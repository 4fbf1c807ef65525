package main

import (
	"sync/atomic"
	"time"
)

// benchWindow is the time in which what is done counts. It stays open until something does:
// on a machine that stood still all the while, one late answer is what there is to measure.
type benchWindow struct {
	begin, end time.Time

	counted atomic.Int64
	late    atomic.Int64 // how long after its begin the one came that was late, in nanoseconds
}

func newBenchWindow(begin time.Time, count time.Duration) *benchWindow {
	return &benchWindow{begin: begin, end: begin.Add(count)}
}

// counts tells whether what is done at an instant counts, and counts it.
func (w *benchWindow) counts(at time.Time) bool {
	switch {
	case at.Before(w.begin):
		return false
	case at.Before(w.end):
		w.counted.Add(1)
		return true
	case w.counted.CompareAndSwap(0, 1):
		w.late.Store(int64(at.Sub(w.begin)))
		return true
	}
	return false
}

// over tells whether nothing more is to be begun. Nobody waits for ever for the first that
// counts.
func (w *benchWindow) over(at time.Time) bool {
	return !at.Before(w.end) && (w.counted.Load() > 0 || !at.Before(w.end.Add(benchPatience)))
}

// took is how long it was open.
func (w *benchWindow) took() time.Duration {
	return max(w.end.Sub(w.begin), time.Duration(w.late.Load()))
}
