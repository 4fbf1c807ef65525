package worker

import (
	"os"
	"testing"

	"purser/internal/pgtest"
)

// TestMain runs the tests, or where a test has started this binary again as its child,
// the child's part: to work one job and be killed at a chosen point.
func TestMain(m *testing.M) {
	if point := os.Getenv(dieAt); point != "" {
		workAndDie(point)
	}
	pgtest.Main(m)
}
