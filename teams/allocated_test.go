package teams

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// allocation is what the team's view shows of a member's allocation. It must add up.
func (w *world) allocation(user string) Allocation {
	w.t.Helper()
	var v *TeamView
	w.must(func(tx pgx.Tx) (err error) {
		v, err = View(w.t.Context(), tx, w.catalog, "acme", backend, w.at)
		return err
	})
	var shown Allocation
	for _, m := range v.Members {
		if m.UserID == user {
			shown = m.Allocation
		}
	}
	if shown.All != shown.Used+shown.Held+shown.Frozen+shown.Remaining {
		w.t.Errorf("it doesn't add up: %+v", shown)
	}
	var list []Membership
	w.must(func(tx pgx.Tx) (err error) {
		list, err = Memberships(w.t.Context(), tx, w.catalog, user, "", 10, w.at)
		return err
	})
	if len(list) != 1 || list[0].Allocation != shown {
		w.t.Errorf("T14: the user's teams show %+v, the team %+v", list, shown)
	}
	return shown
}

// What a member was allocated in all, in a period of March and the next one.
func TestAllocated(t *testing.T) {
	w := newWorld(t)
	acme(w)
	want := func(t *testing.T, user string, want Allocation) {
		t.Helper()
		if got := w.allocation(user); got != want {
			t.Errorf("%s: %+v, want %+v", user, got, want)
		}
	}
	move := func(from, to Place, credits int64) {
		w.moves(MoveIn{TeamID: "acme", From: from, To: to, Credits: credits})
	}
	t.Run("T14_WhatWasMovedThereLessWhatWasTakenAway", func(t *testing.T) {
		move(ofPool(), ofMember("bob"), 300)
		move(ofPool(), ofMember("bob"), 200)
		move(ofMember("bob"), ofMember("cid"), 100)
		move(ofMember("bob"), ofPool(), 50)
		want(t, "bob", Allocation{All: 350, Remaining: 350})
		want(t, "cid", Allocation{All: 100, Remaining: 100})
		want(t, "ann", Allocation{})
	})
	spent := w.spends(SpendIn{TeamID: "acme", UserID: "bob", Credits: 120})
	w.spends(SpendIn{Op: OpHold, TeamID: "acme", UserID: "bob", Credits: 30, TTL: HoldMax})
	w.spends(SpendIn{Op: OpReverse, TeamID: "acme", Of: spent.Entry, Credits: 20})
	t.Run("T14_SpendingDoesntChangeIt", func(t *testing.T) {
		want(t, "bob", Allocation{All: 350, Used: 100, Held: 30, Remaining: 220})
	})
	// cid's 100 and 60 of the pool: only the 100 were allocated.
	w.spends(SpendIn{TeamID: "acme", UserID: "cid", Credits: 160})
	t.Run("T14_WhatThePoolPaidIsNoPartOfIt", func(t *testing.T) {
		want(t, "cid", Allocation{All: 100, Used: 100})
	})

	w.at = time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	again := w.spends(SpendIn{Op: OpHold, TeamID: "acme", UserID: "bob", Credits: 40, TTL: HoldMax})
	w.at = time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	t.Run("B4_ThePeriodBeginsWithWhatIsThere", func(t *testing.T) {
		// The first hold has ended: 350 - 100 used in March, 40 of it held.
		want(t, "bob", Allocation{All: 250, Held: 40, Remaining: 210})
		want(t, "cid", Allocation{})
	})
	w.spends(SpendIn{Op: OpCapture, TeamID: "acme", Of: again.Entry, Credits: 25})
	move(ofMember("bob"), ofPool(), 100)
	t.Run("B12_AHoldIsUsedWhenItIsCaptured", func(t *testing.T) {
		want(t, "bob", Allocation{All: 150, Used: 25, Remaining: 125})
	})
	w.spends(SpendIn{Op: OpReverse, TeamID: "acme", Of: spent.Entry, Credits: 10})
	t.Run("B12_TheReversalOfAnEarlierPeriodsSpendIsPutIn", func(t *testing.T) {
		want(t, "bob", Allocation{All: 160, Used: 25, Remaining: 135})
	})
	t.Run("T12_WhoLeavesTakesNothingAlong", func(t *testing.T) {
		w.changes("acme", Change{UserID: "bob", Remove: true})
		w.join("acme", "bob")
		want(t, "bob", Allocation{All: 25, Used: 25})
	})
}
