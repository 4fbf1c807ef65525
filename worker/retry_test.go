package worker

import (
	"testing"
	"time"

	"github.com/riverqueue/river/rivertype"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	var whole time.Duration
	for attempt := 1; attempt < eventAttempts; attempt++ {
		wait := retryAfter(&rivertype.JobRow{ID: 64, Attempt: attempt})
		if least := time.Second << min(attempt, 11); wait < least {
			t.Errorf("after attempt %d it waits %s", attempt, wait)
		}
		whole += wait
	}
	if whole < 8*time.Hour || whole > 13*time.Hour {
		t.Errorf("an event is tried for %s", whole)
	}
	waits := map[time.Duration]bool{}
	for id := range int64(64) {
		wait := retryAfter(&rivertype.JobRow{ID: id, Attempt: 5})
		waits[wait] = true
		if wait < 32*time.Second || wait > 40*time.Second {
			t.Errorf("job %d waits %s", id, wait)
		}
	}
	same(t, "moments at which 64 jobs that failed together are tried again", len(waits), 64)
}
