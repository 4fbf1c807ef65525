package billing

import (
	"fmt"
	"strings"
	"testing"

	"purser/ledger"
)

// told says what a state would tell, as "pool.low 20 for ada, …".
func told(s *State) string {
	var parts []string
	for _, n := range s.notices {
		part := string(n.Kind)
		for _, field := range []string{"percent", "credits", "from", "to"} {
			if v, ok := n.Data[field]; ok {
				part += fmt.Sprint(" ", v)
			}
		}
		if n.UserID != "" {
			part += " for " + n.UserID
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// N1: a pool is low once for each mark that it crosses, and empty once.
func TestTellLow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		before, after int64
		want          string
	}{
		{"EnoughLeft", 5000, 1001, ""},
		{"AtAFifth", 5000, 1000, "pool.low 20"},
		{"BelowAFifth", 1001, 999, "pool.low 20"},
		{"OnceOnly", 1000, 999, ""},
		{"AtATwentieth", 999, 250, "pool.low 5"},
		{"TheLowestMarkOnly", 5000, 100, "pool.low 5"},
		{"Empty", 100, 0, "pool.empty"},
		{"EmptyAtOnce", 5000, 0, "pool.empty"},
		{"StillEmpty", 0, 0, ""},
		{"Rising", 100, 900, ""},
		{"RisingAbove", 0, 5000, ""},
	} {
		t.Run("N1_"+c.name, func(t *testing.T) {
			t.Parallel()
			at := day("2026-03-10")
			book := ledger.Blank(1, ledger.TeamBook, at)
			pool, _ := book.Account(ledger.Main)
			if c.after > 0 {
				_, err := book.Grant(ledger.Request{Key: "g", Actor: "x", At: at}, pool, ledger.LotIn{Source: ledger.Bonus, Origin: "g", EffectiveAt: at}, c.after)
				if err != nil {
					t.Fatal(err)
				}
			}
			s := &State{Book: book, Catalog: &Catalog{}, at: at, resting: c.before, Subs: []*Sub{{
				Facts:   Subscription{ID: "sub_1", Status: StatusActive},
				Periods: []*Period{{Number: 1, Start: day("2026-03-01"), End: day("2026-04-01"), Target: 5000}},
			}}}
			s.tellLow()
			if got := told(s); got != c.want {
				t.Errorf("told %q, want %q", got, c.want)
			}
		})
	}
}

func TestLowMark(t *testing.T) {
	t.Parallel()
	for credits, want := range map[int64]int64{0: 0, 1: 0, 5: 1, 99: 19, 100: 20, 101: 20, 5000: 1000, ledger.CreditsMax: ledger.CreditsMax / 5} {
		if got := lowMark(credits, 20); got != want {
			t.Errorf("a fifth of %d is %d, want %d", credits, got, want)
		}
	}
}
