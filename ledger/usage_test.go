package ledger

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/internal/pgtest"
)

// used is each holder's usage since an instant, as "ann 5 (m3 p2)".
func used(t *testing.T, tx pgx.Tx, id int64, since time.Time) []string {
	t.Helper()
	books, err := View(t.Context(), tx, since, Want{Book: id})
	if err != nil {
		t.Fatal(err)
	}
	usage, err := UsageSince(t.Context(), tx, books[0], since)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, u := range usage {
		if u.Total() != 0 {
			lines = append(lines, fmt.Sprintf("%s %d (m%d p%d r%d b%d c%d)", u.Holder, u.Total(), u.Monthly, u.Purchased, u.Rollover, u.Bonus, u.Contributed))
		}
	}
	slices.Sort(lines)
	return lines
}

func TestUsage(t *testing.T) {
	t.Parallel()
	tx := pgtest.Tx(t)
	id := create(t, tx, TeamBook)
	var captured, spent *Entry
	on := func(n int, want Want, decide func(b *Book)) {
		t.Helper()
		want.Book = id
		b := open(t, tx, day(n), want)
		decide(b)
		write(t, tx, b)
	}
	by := func(holder, key string, n int) Request {
		r := ask(key, day(n))
		r.Holder = holder
		return r
	}
	wantUsed := func(t *testing.T, since int, want ...string) {
		t.Helper()
		if got := used(t, tx, id, day(since)); !slices.Equal(got, want) {
			t.Errorf("used since day %d: %q, want %q", since, got, want)
		}
		wantSound(t, tx)
	}

	on(0, Want{}, func(b *Book) {
		give(t, b, monthly("m", 1, until(31)), 10)
		give(t, b, pack("p", nil), 100)
		must(t)(b.Spend(by("ann", "before any window", 0), SpendIn{Credits: 4, Payers: []Payer{From(mainOf(t, b))}}))
	})
	t.Run("B12_CountedFromTheEntriesWhereThereIsNoWindow", func(t *testing.T) { wantUsed(t, 0, "ann 4 (m4 p0 r0 b0 c0)") })
	on(1, Want{}, func(b *Book) {
		b.SetWindow(day(0))
		spent = must(t)(b.Spend(by("bob", "spend", 1), SpendIn{Credits: 8, Payers: []Payer{From(mainOf(t, b))}}))
		hold := must(t)(b.Hold(by("ann", "hold", 1), HoldIn{Credits: 5, Payers: []Payer{From(mainOf(t, b))}, ExpiresAt: day(50)}))
		captured = hold
	})
	t.Run("B12_TheFirstWindowTakesInWhatWasThere", func(t *testing.T) {
		wantUsed(t, 0, "ann 4 (m4 p0 r0 b0 c0)", "bob 8 (m6 p2 r0 b0 c0)")
	})
	on(10, Want{Holds: []int64{captured.Sequence}}, func(b *Book) {
		b.SetWindow(day(5))
		captured = must(t)(b.Capture(ask("capture", day(10)), captured.Sequence, 3))
	})
	t.Run("B12_AHoldIsUsedWhenItIsCaptured", func(t *testing.T) { wantUsed(t, 5, "ann 3 (m0 p3 r0 b0 c0)") })
	on(11, Want{Undo: []int64{spent.Sequence, captured.Sequence}}, func(b *Book) {
		must(t)(b.Reverse(ask("earlier", day(11)), spent.Sequence, 5))
		must(t)(b.Reverse(ask("now", day(11)), captured.Sequence, 1))
	})
	t.Run("B12_TheReversalOfAnEarlierPeriodsSpendIsNoUsage", func(t *testing.T) { wantUsed(t, 5, "ann 2 (m0 p2 r0 b0 c0)") })
	on(12, Want{}, func(b *Book) {
		must(t)(b.Spend(by("bob", "in the old window", 12), SpendIn{Credits: 1, Payers: []Payer{From(mainOf(t, b))}}))
		b.SetWindow(day(12))
		must(t)(b.Spend(by("bob", "in the new window", 12), SpendIn{Credits: 2, Payers: []Payer{From(mainOf(t, b))}}))
		must(t)(b.Spend(by("bob", "backdated", 11), SpendIn{Credits: 1, Payers: []Payer{From(mainOf(t, b))}}))
	})
	t.Run("B8_AWindowJumpsForward", func(t *testing.T) { wantUsed(t, 12, "bob 3 (m3 p0 r0 b0 c0)") })
	on(13, Want{}, func(b *Book) {
		b.SetWindow(day(0))
		must(t)(b.Spend(by("", "nobody's", 13), SpendIn{Credits: 1, Payers: []Payer{From(mainOf(t, b))}}))
	})
	t.Run("B8_AWindowJumpsBack", func(t *testing.T) {
		wantUsed(t, 0, " 1 (m0 p1 r0 b0 c0)", "ann 6 (m4 p2 r0 b0 c0)", "bob 7 (m6 p1 r0 b0 c0)")
	})
	on(14, Want{}, func(b *Book) { b.SetWindow(day(5)) })
	t.Run("B8_AWindowThatWasLeftIsCountedAnew", func(t *testing.T) {
		wantUsed(t, 5, " 1 (m0 p1 r0 b0 c0)", "ann 2 (m0 p2 r0 b0 c0)", "bob 4 (m3 p1 r0 b0 c0)")
	})
	t.Run("B12_AnyOtherWindowIsCountedFromTheEntries", func(t *testing.T) {
		wantUsed(t, 12, " 1 (m0 p1 r0 b0 c0)", "bob 3 (m3 p0 r0 b0 c0)")
	})
}
