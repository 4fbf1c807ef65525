package stripeapi

import (
	"testing"
	"time"
)

func TestDefaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in                Config
		live              bool
		requestsPerSecond float64
		retries           int
		timeout           time.Duration
	}{
		"E4_Live":  {Config{}, true, 80, 3, 30 * time.Second},
		"E4_Test":  {Config{}, false, 20, 3, 30 * time.Second},
		"NoRetry":  {Config{MaxRetries: -1}, true, 80, 0, 30 * time.Second},
		"AsIsSaid": {Config{RequestsPerSecond: 7, MaxRetries: 9, Timeout: time.Second}, true, 7, 9, time.Second},
	} {
		got := c.in.withDefaults(c.live)
		if got.RequestsPerSecond != c.requestsPerSecond || got.MaxRetries != c.retries || got.Timeout != c.timeout || got.Sleep == nil || got.Logger == nil {
			t.Errorf("%s: %+v", name, got)
		}
		// What Stripe allows within a second: 100 live, 25 in test mode.
		if burst := newPace(got).reads.Burst(); c.in.RequestsPerSecond == 0 && c.requestsPerSecond+float64(burst) != map[bool]float64{true: 100, false: 25}[c.live] {
			t.Errorf("%s: a burst of %d", name, burst)
		}
	}
}
