package ledger

import (
	"testing"
	"time"
)

// threeLots is a team with a: 10, b: 10 in ann's allocation and c: 10 in the pool, drawn
// by ann in the order b, a, c.
func threeLots(t testing.TB) (*Book, []Payer) {
	b := team("ann")
	give(t, b, bonus("a", until(20)), 10)
	give(t, b, bonus("b", until(25)), 10, "ann")
	give(t, b, bonus("c", until(30)), 10)
	ann, _ := b.AllocationOf("ann")
	return b, []Payer{From(ann), From(mainOf(t, b))}
}

func hold(t testing.TB, b *Book, key string, credits int64, end time.Time, payers ...Payer) int64 {
	t.Helper()
	return must(t)(b.Hold(ask(key, day(0)), HoldIn{Credits: credits, Payers: payers, ExpiresAt: end})).Sequence
}

func TestHold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		credits int64 // captured of 25 held: b 10, a 10, c 5
		drawn   string
		after   string
	}{
		{"L8_CapturedWholeUsesAll", 25, "b@8:10 a@7:10 c@7:5", "pool c:5"},
		{"L8_LastDrawnReturnsFirst", 22, "b@8:10 a@7:10 c@7:2", "pool c:8"},
		{"L8_AsIfTheSmallerAmountHadBeenDrawn", 12, "b@8:10 a@7:2", "pool a:8 c:10"},
		{"L8_OneCreditIsOfTheFirstDrawn", 1, "b@8:1", "pool a:10 c:10; ann b:9"},
		{"S1_CapturingNothingIsARelease", 0, "", "pool a:10 c:10; ann b:10"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, payers := threeLots(t)
			id := hold(t, b, "h", 25, day(1), payers...)
			wantState(t, b, "pool a:10/10 c:10/5; ann b:10/10")
			e := must(t)(b.Capture(ask("c", day(0)), id, c.credits))
			if got := drawn(b, e); got != c.drawn {
				t.Errorf("captured %q, want %q", got, c.drawn)
			}
			wantState(t, b, c.after)
			h, _ := b.HoldOf(id)
			if h.Captured != c.credits || h.Status == HoldOpen {
				t.Errorf("the hold is %s with %d captured", h.Status, h.Captured)
			}
		})
	}
	t.Run("S1_ACaptureSpendsWhatTheSameSpendWould", func(t *testing.T) {
		for n := int64(1); n <= 25; n++ {
			b, payers := threeLots(t)
			id := hold(t, b, "h", 25, day(1), payers...)
			captured := must(t)(b.Capture(ask("c", day(0)), id, n))
			plain, payers := threeLots(t)
			spent := must(t)(spend(plain, "s", day(0), n, payers...))
			if got, want := drawn(b, captured), drawn(plain, spent); got != want {
				t.Errorf("%d captured drew %q, spent %q", n, got, want)
			}
		}
	})
	t.Run("S1_MoreThanHeldIsRefused", func(t *testing.T) {
		b, payers := threeLots(t)
		id := hold(t, b, "h", 5, day(1), payers...)
		wantRefusal(t, b, ErrMoreThanHeld, func() error { _, err := b.Capture(ask("c", day(0)), id, 6); return err })
		wantRefusal(t, b, &AmountError{Credits: -1}, func() error { _, err := b.Capture(ask("c", day(0)), id, -1); return err })
		wantRefusal(t, b, ErrHoldNotFound, func() error { _, err := b.Capture(ask("c", day(0)), 99, 1); return err })
	})
	t.Run("S1_SettledOnce", func(t *testing.T) {
		b, payers := threeLots(t)
		id := hold(t, b, "h", 5, day(1), payers...)
		must(t)(b.Capture(ask("c", day(0)), id, 5))
		wantRefusal(t, b, ErrHoldSettled, func() error { _, err := b.Capture(ask("c2", day(0)), id, 1); return err })
		wantRefusal(t, b, ErrHoldSettled, func() error { _, err := b.Release(ask("r", day(2)), id); return err })
	})
	t.Run("S1_EndsByItself", func(t *testing.T) {
		b, payers := threeLots(t)
		id := hold(t, b, "h", 25, day(1), payers...)
		other := hold(t, b, "h2", 1, day(2), payers...)
		wantRefusal(t, b, ErrHoldExpired, func() error { _, err := b.Capture(ask("c", day(1)), id, 1); return err })
		if n := b.ExpireHolds(day(1)); n != 1 {
			t.Errorf("%d holds ended, want 1", n)
		}
		wantState(t, b, "pool a:10 c:10/1; ann b:10")
		wantRefusal(t, b, ErrHoldExpired, func() error { _, err := b.Release(ask("r", day(0)), id); return err })
		must(t)(b.Capture(ask("c2", day(1)), other, 1))
	})
	t.Run("S1_AnEndedHoldCountsAsOfItsEnd", func(t *testing.T) {
		b, payers := threeLots(t)
		hold(t, b, "h", 25, day(1), payers...)
		b.ExpireHolds(day(9))
		last := b.Entries()[len(b.Entries())-1]
		if last.Kind != KindHoldExpiry || !last.At.Equal(day(1)) {
			t.Errorf("a %s counts at %v", last.Kind, last.At)
		}
	})
	t.Run("L7_WhatIsHeldIsNobodyElses", func(t *testing.T) {
		b, payers := threeLots(t)
		hold(t, b, "h", 25, day(1), payers...)
		wantRefusal(t, b, &InsufficientError{Wanted: 6, Available: 5, Accounts: []int32{8, 7}}, func() error {
			_, err := spend(b, "s", day(0), 6, payers...)
			return err
		})
		must(t)(spend(b, "s", day(0), 5, payers...))
		wantState(t, b, "pool a:10/10 c:5/5; ann b:10/10")
	})
	t.Run("S1_ARepeatedHoldSaysWhatItDrewAndWhenItEnds", func(t *testing.T) {
		b, payers := threeLots(t)
		hold(t, b, "h", 12, day(1), payers...)
		e := must(t)(b.Hold(ask("h", day(0)), HoldIn{Credits: 12, Payers: payers, ExpiresAt: day(1)}))
		if !e.Replayed || drawn(b, e) != "b@8:10 a@7:2" || !e.EndsAt.Equal(day(1)) {
			t.Errorf("got %+v", e)
		}
	})
	t.Run("T12_WhatReturnsToAClosedAllocationGoesToThePool", func(t *testing.T) {
		b, payers := threeLots(t)
		spent := must(t)(spend(b, "s", day(0), 3, payers...))
		b.undoable[spent.Sequence] = &undoable{entry: spent}
		id := hold(t, b, "h", 22, day(1), payers...)
		ann, _ := b.AllocationOf("ann")
		b.CloseAllocation(ann)
		must(t)(b.Capture(ask("c", day(0)), id, 4))
		wantState(t, b, "pool a:10 b:3 c:10")
		must(t)(b.Reverse(ask("r", day(0)), spent.Sequence, 2))
		wantState(t, b, "pool a:10 b:5 c:10")
		in := MoveIn{Kind: KindAllocation, From: mainOf(t, b), To: ann, Credits: 1}
		wantRefusal(t, b, ErrAccountClosed, func() error { _, err := b.Move(ask("m", day(0)), in); return err })
		b.MakeAllocation("ann", day(0))
		must(t)(b.Move(ask("m", day(0)), in))
		wantState(t, b, "pool a:9 b:5 c:10; ann a:1")
	})
}

func TestReverse(t *testing.T) {
	t.Parallel()
	setup := func(t *testing.T) (*Book, *Entry) {
		b, payers := threeLots(t)
		e := must(t)(spend(b, "s", day(0), 25, payers...))
		b.undoable[e.Sequence] = &undoable{entry: e, returned: map[portionKey]int64{}}
		wantState(t, b, "pool c:5")
		return b, e
	}
	reverse := func(b *Book, key string, e *Entry, credits int64) (*Entry, error) {
		return b.Reverse(ask(key, day(1)), e.Sequence, credits)
	}
	t.Run("L8_PartsReturnAsIfLessHadBeenSpent", func(t *testing.T) {
		for _, parts := range [][]int64{{25}, {1, 24}, {5, 20}, {6, 9, 10}, {3, 3, 3, 3, 3, 3, 3, 4}} {
			b, e := setup(t)
			left := int64(25)
			for i, n := range parts {
				left -= n
				must(t)(reverse(b, string(rune('a'+i)), e, n))
				plain, payers := threeLots(t)
				if left > 0 {
					must(t)(spend(plain, "s", day(0), left, payers...))
				}
				wantState(t, b, state(plain))
			}
		}
	})
	t.Run("S1_AtMostOnceItsAmount", func(t *testing.T) {
		b, e := setup(t)
		must(t)(reverse(b, "r", e, 20))
		wantRefusal(t, b, ErrMoreThanSpent, func() error { _, err := reverse(b, "r2", e, 6); return err })
		must(t)(reverse(b, "r3", e, 5))
		wantRefusal(t, b, ErrMoreThanSpent, func() error { _, err := reverse(b, "r4", e, 1); return err })
	})
	t.Run("L6_ARepeatedReversalGivesBackOnce", func(t *testing.T) {
		b, e := setup(t)
		must(t)(reverse(b, "r", e, 20))
		must(t)(reverse(b, "r", e, 20))
		wantState(t, b, "pool a:10 c:10; ann b:5")
	})
	t.Run("S1_OnlySpendsAndCaptures", func(t *testing.T) {
		b, _ := setup(t)
		lot, _ := b.Lot("c")
		taken := must(t)(b.Clawback(ask("cb", day(1)), lot, b.Take(lot, 5), 0))
		b.undoable[taken.Sequence] = &undoable{entry: taken, returned: map[portionKey]int64{}}
		wantRefusal(t, b, ErrEntryNotFound, func() error { _, err := reverse(b, "r", taken, 1); return err })
		wantRefusal(t, b, ErrEntryNotFound, func() error { _, err := b.Reverse(ask("r", day(1)), 999, 1); return err })
	})
	t.Run("S1_ACaptureCanBeReversed", func(t *testing.T) {
		b, payers := threeLots(t)
		id := hold(t, b, "h", 25, day(1), payers...)
		e := must(t)(b.Capture(ask("c", day(0)), id, 15))
		b.undoable[e.Sequence] = &undoable{entry: e, returned: map[portionKey]int64{}}
		must(t)(reverse(b, "r", e, 6))
		wantState(t, b, "pool a:10 c:10; ann b:1")
	})
	t.Run("L8_WhatReturnsToADeadLotExpiresAtOnce", func(t *testing.T) {
		b, e := setup(t)
		must(t)(b.Reverse(ask("r", day(26)), e.Sequence, 25))
		if n := b.ExpireLots(day(26)); n != 2 {
			t.Errorf("%d lots ended, want 2", n)
		}
		wantState(t, b, "pool c:10")
		for _, e := range b.Entries()[len(b.Entries())-2:] {
			if e.Kind != KindExpiry || !e.At.Equal(day(26)) {
				t.Errorf("a %s counts at %v, want when it came back", e.Kind, e.At)
			}
		}
	})
}

func TestExpireLots(t *testing.T) {
	t.Parallel()
	t.Run("L8_HeldCreditsOutliveTheirLot", func(t *testing.T) {
		b, payers := threeLots(t)
		id := hold(t, b, "h", 15, day(40), payers...)
		b.ExpireLots(day(35))
		wantState(t, b, "pool a:5/5; ann b:10/10")
		must(t)(b.Capture(ask("c", day(36)), id, 12))
		wantState(t, b, "pool a:3")
		b.ExpireLots(day(36))
		wantState(t, b, "")
	})
	t.Run("L8_FrozenCreditsOutliveTheirLot", func(t *testing.T) {
		b, _ := threeLots(t)
		lot, _ := b.Lot("a")
		must(t)(b.SetFrozen(ask("f", day(1)), lot, true))
		b.ExpireLots(day(22))
		wantState(t, b, "pool a:10 c:10; ann b:10")
		must(t)(b.SetFrozen(ask("t", day(23)), lot, false))
		b.ExpireLots(day(23))
		wantState(t, b, "pool c:10; ann b:10")
	})
	t.Run("B8_LotsOfASeriesWaitForTheirTurn", func(t *testing.T) {
		b := team()
		give(t, b, monthly("m", 1, until(31)), 10)
		give(t, b, bonus("b", until(31)), 10)
		if n := b.ExpireLots(day(99)); n != 1 {
			t.Errorf("%d lots ended, want 1", n)
		}
		wantState(t, b, "pool m:10")
	})
	t.Run("B4_ALotCountsAsEndedAtItsEnd", func(t *testing.T) {
		b, _ := threeLots(t)
		b.ExpireLots(day(99))
		last := b.Entries()[len(b.Entries())-1]
		if !last.At.Equal(day(30)) || last.Credits != 10 {
			t.Errorf("%d expired at %v", last.Credits, last.At)
		}
	})
	t.Run("L1_ALotBeyondWhatOneEntryCanSay", func(t *testing.T) {
		b := team()
		give(t, b, bonus("b", until(1)), CreditsMax)
		give(t, b, bonus("b", until(1)), CreditsMax)
		give(t, b, bonus("b", until(1)), 1)
		if n := b.ExpireLots(day(1)); n != 1 {
			t.Errorf("%d lots ended, want 1", n)
		}
		wantState(t, b, "")
		if n := len(b.Entries()); n != 6 {
			t.Errorf("%d entries, want three grants and three expiries", n)
		}
	})
}

func TestNextDue(t *testing.T) {
	t.Parallel()
	due := func(t *testing.T, b *Book, want *time.Time) {
		t.Helper()
		got := b.NextDue()
		if !equalTimes(got, want) {
			t.Errorf("due %v, want %v", got, want)
		}
	}
	b := team()
	due(t, b, nil)
	give(t, b, monthly("m", 1, until(10)), 10)
	give(t, b, bonus("never", nil), 10)
	due(t, b, nil)
	late := give(t, b, bonus("late", until(20)), 10)
	due(t, b, until(20))
	id := hold(t, b, "h", 25, day(1), From(mainOf(t, b)))
	due(t, b, until(1))
	must(t)(b.Release(ask("r", day(0)), id))
	due(t, b, until(20))
	must(t)(b.Redate(ask("d", day(0)), late, until(3)))
	due(t, b, until(3))
	must(t)(b.SetFrozen(ask("f", day(0)), late, true))
	due(t, b, nil)
	must(t)(b.SetFrozen(ask("t", day(4)), late, false))
	due(t, b, until(3)) // late already, and so due at once
	b.ExpireLots(day(4))
	due(t, b, nil)
}
