package ledger

import (
	"testing"
	"time"

	"purser/internal/pgtest"
)

// What a holder drew is kept as it happens. At each step of the story the kept figures,
// those counted anew from the entries and those of the book in memory must be the same.
func TestDrawn(t *testing.T) {
	t.Parallel()
	tx := pgtest.Tx(t)
	id := create(t, tx, TeamBook)
	var e *Entry
	on := func(at time.Time, window time.Time, want FromMain, ask Want, decide func(b *Book, pool *Account)) {
		t.Helper()
		ask.Book, ask.Drawn = id, []string{"ann", "bob"}
		b := open(t, tx, at, ask)
		b.ExpireHolds(at)
		b.SetWindow(window)
		if err := RecountDrawn(t.Context(), tx, b); err != nil {
			t.Fatal(err)
		}
		decide(b, mainOf(t, b))
		if got := b.DrawnBy("ann"); got != want {
			t.Errorf("in memory ann drew %+v, want %+v", got, want)
		}
		since, err := DrawnSince(t.Context(), tx, b, window)
		if err != nil || since["ann"] != want {
			t.Errorf("with what isn't written yet ann drew %+v, %v, want %+v", since["ann"], err, want)
		}
		write(t, tx, b)
		again := open(t, tx, at, ask)
		if got := again.DrawnBy("ann"); got != want {
			t.Errorf("kept is that ann drew %+v, want %+v", got, want)
		}
		if got := again.DrawnBy("bob"); got != (FromMain{}) {
			t.Errorf("kept is that bob drew %+v", got)
		}
		wantSound(t, tx)
	}
	by := func(key string, at time.Time) Request {
		return Request{Key: key, Actor: "ann", Holder: "ann", At: at}
	}
	first, second := day(0), day(30)
	on(day(1), first, FromMain{30, 30}, Want{}, func(b *Book, pool *Account) {
		must(t)(b.Grant(by("g", day(1)), pool, bonus("g", nil), 1000))
		e = must(t)(b.Spend(by("a", day(1)), SpendIn{Credits: 30, Payers: []Payer{From(pool)}}))
	})
	on(day(2), first, FromMain{20, 20}, Want{Undo: []int64{e.Sequence}}, func(b *Book, _ *Account) {
		must(t)(b.Reverse(by("b", day(2)), e.Sequence, 10))
	})
	on(day(3), first, FromMain{20, 20}, Want{}, func(b *Book, pool *Account) { // an allocation is outside of it
		own := b.MakeAllocation("ann", day(3))
		must(t)(b.Move(by("c", day(3)), MoveIn{Kind: KindAllocation, From: pool, To: own, Credits: 50}))
		must(t)(b.Spend(by("d", day(3)), SpendIn{Credits: 5, Payers: []Payer{From(own)}}))
	})
	var stays *Entry
	on(day(29), first, FromMain{90, 90}, Want{}, func(b *Book, pool *Account) {
		hold := func(key string, credits int64, until time.Time) *Entry {
			return must(t)(b.Hold(by(key, day(29)), HoldIn{Credits: credits, Payers: []Payer{From(pool)}, ExpiresAt: until}))
		}
		hold("e", 30, second)
		stays = hold("f", 40, day(40))
	})
	// The window jumps while one hold ends; what was held before it counts there no more.
	on(second, second, FromMain{7, 67}, Want{}, func(b *Book, pool *Account) {
		must(t)(b.Spend(by("g2", second), SpendIn{Credits: 7, Payers: []Payer{From(pool)}}))
	})
	on(day(31), second, FromMain{7, 52}, Want{Holds: []int64{stays.Sequence}}, func(b *Book, _ *Account) {
		e = must(t)(b.Capture(by("h", day(31)), stays.Sequence, 25))
	})
	on(day(32), second, FromMain{7, 47}, Want{Undo: []int64{e.Sequence}}, func(b *Book, _ *Account) {
		must(t)(b.Reverse(by("i", day(32)), e.Sequence, 5))
	})
	// Back to a window that had begun before: what was drawn since then counts again.
	on(day(33), first, FromMain{47, 47}, Want{}, func(*Book, *Account) {})
	on(day(33), second, FromMain{7, 47}, Want{}, func(*Book, *Account) {})
}
