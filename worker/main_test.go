package worker

import (
	"flag"
	"os"
	"strconv"
	"testing"

	"purser/internal/pgtest"
)

// atOnce is how many of these tests run at once where nobody says otherwise: they wait
// for timers and for PostgreSQL far more than they compute.
const atOnce = 6

// TestMain runs the tests, or where a test has started this binary again as its child,
// the child's part: to work one job and be killed at a chosen point.
func TestMain(m *testing.M) {
	if point := os.Getenv(dieAt); point != "" {
		workAndDie(point)
	}
	flag.Parse()
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == "test.parallel" })
	if !said {
		if err := flag.Set("test.parallel", strconv.Itoa(atOnce)); err != nil {
			panic(err)
		}
	}
	pgtest.Main(m)
}
