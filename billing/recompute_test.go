package billing

import (
	"testing"
)

func TestRecompute(t *testing.T) {
	t.Run("B10_TheExample", func(t *testing.T) {
		tell(t, plan("team")).subscribes("2025-01-01", item("team_month", 8)).pays().
			spends("2025-01-05", 4000).
			allocates("2025-01-05", "bob", 1000).
			holdsBack("2025-01-05", "h", 200, "2025-01-06").
			seats(3).on("2025-01-05 12:00").
			remembers(1, "T 3000 O 2200 granted 8000 taken 2800").
			has("monthly: pool 200 (200 held), bob 1000; 2025-01-01..2025-02-02").
			seats(8).on("2025-01-05 13:00").
			remembers(1, "T 8000 O 0 granted 10800 taken 2800").
			has("monthly: pool 3000 (200 held), bob 1000; 2025-01-01..2025-02-02")
	})
}

func TestCut(t *testing.T) {
	t.Run("B11_TheExample", func(t *testing.T) {
		s := tell(t, plan("team")).subscribes("2025-06-01", item("team_month", 5)).pays().
			spends("2025-06-05", 2000).
			switches("2025-06-11", item("team_year", 5)).
			spans("2025-06-01..2025-06-11 cut", "2025-06-11..2025-07-11 ungranted").
			remembers(1, "T 1666 O 334 granted 5000 taken 3000").
			has()
		s.pays().on("2025-06-11 00:01").
			remembers(2, "T 5000 O 0 granted 4666 taken 0").
			has("monthly: pool 4666; 2025-06-11..2025-07-12")
	})
}
