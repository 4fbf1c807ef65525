package main

import (
	"testing"
	"time"

	"purser/billing"
)

func TestBenchWindow(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 1, 15, 9, 0, 0, 0, time.UTC)
	at := func(d time.Duration) time.Time { return begin.Add(d) }

	t.Run("CountsWhatIsDoneWithinIt", func(t *testing.T) {
		t.Parallel()
		w := newBenchWindow(begin, time.Second)
		for _, c := range []struct {
			at           time.Duration
			counts, over bool
		}{
			{-1, false, false}, {0, true, false}, {time.Second - 1, true, false}, {time.Second, false, true}, {time.Hour, false, true},
		} {
			if counts, over := w.counts(at(c.at)), w.over(at(c.at)); counts != c.counts || over != c.over {
				t.Errorf("after %s: counts %t, over %t", c.at, counts, over)
			}
		}
		if w.counted.Load() != 2 || w.took() != time.Second {
			t.Errorf("%d count in %s", w.counted.Load(), w.took())
		}
	})
	t.Run("StaysOpenUntilSomethingCounts", func(t *testing.T) {
		t.Parallel()
		w := newBenchWindow(begin, time.Second)
		if w.over(at(3 * time.Second)) {
			t.Error("over, and nothing was counted")
		}
		if !w.counts(at(4*time.Second)) || !w.over(at(4*time.Second)) || w.counts(at(5*time.Second)) {
			t.Error("the first that is late counts, and no other")
		}
		if w.counted.Load() != 1 || w.took() != 4*time.Second {
			t.Errorf("%d count in %s", w.counted.Load(), w.took())
		}
	})
	t.Run("ButNotForEver", func(t *testing.T) {
		t.Parallel()
		if w := newBenchWindow(begin, time.Second); w.over(at(time.Second+benchPatience-1)) || !w.over(at(time.Second+benchPatience)) {
			t.Errorf("not open for %s", benchPatience)
		}
	})
}

// A figure that is small isn't none.
func TestRounded(t *testing.T) {
	t.Parallel()
	for n, want := range map[float64]float64{
		0: 0, 1234.567: 1234.57, 0.126: 0.13, 0.0994: 0.099, 0.00473: 0.0047, 0.0000123: 0.000012, -0.00473: -0.0047, -3.456: -3.46,
	} {
		if got := rounded(n); got != want {
			t.Errorf("%v is rounded to %v, not %v", n, got, want)
		}
	}
	if got := ratio(1.4, 400); got != 0.0035 {
		t.Errorf("1.4 is %v of 400", got)
	}
}

// The teams that turn are due on whatever day that is measured, and have one month to turn.
func TestBenchMonthAgo(t *testing.T) {
	t.Parallel()
	for now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC); now.Year() < 2029; now = now.Add(12*time.Hour - time.Second) {
		start := benchMonthAgo(now)
		if end, next := billing.AddMonths(start, 1), billing.AddMonths(start, 2); !end.Before(now) || !next.After(now) {
			t.Errorf("at %s the month is %s to %s, and the next ends %s", now, start, end, next)
		}
	}
}
