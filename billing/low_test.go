package billing

import "testing"

func TestPool_LowIsTheLowestShareThatIsReached(t *testing.T) {
	t.Parallel()
	for available, want := range map[int64]int64{0: 5, 250: 5, 251: 20, 1000: 20, 1001: 0, 5000: 0} {
		if got := (Pool{Plan: "team", Seats: 5, MonthlyPerSeat: 1000, Available: available}).Low(); got != want {
			t.Errorf("%d of 5,000 left: low at %d %%, want %d", available, got, want)
		}
	}
	if got := (Pool{}).Low(); got != 0 {
		t.Errorf("without a plan: low at %d %%", got)
	}
}
