package main

import (
	"io"
	"testing"
	"time"
)

func TestBenchPace(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	p := &benchPace{bench: &bench{now: func() time.Time { return at }, progress: io.Discard}}
	for _, again := range []string{"once", "again"} {
		p.start("counting", 50, 2_000)
		for step := range 41 {
			_ = p.now()
			at = at.Add(time.Duration(step+1) * time.Millisecond)
		}
		// 1+2+3+4 ms for the first 200, and 37+38+39+40 ms for the last.
		if got := p.tenths(); got != (benchTenths{First: 0.05, Last: 0.77}) {
			t.Errorf("%s: %v", again, got)
		}
	}
	p.start("counting", 50, 60)
	_, _ = p.now(), p.now()
	if got := p.tenths(); got != (benchTenths{}) {
		t.Errorf("of two steps: %v", got)
	}
}
