package teams

import (
	"testing"
	"time"
)

func TestHold(t *testing.T) {
	t.Run("S1_PartCaptureReleasesTheRest", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w)
		w.moves(MoveIn{TeamID: "acme", From: ofPool(), To: ofMember("bob"), Credits: 10})
		hold := w.spends(SpendIn{Op: OpHold, TeamID: "acme", UserID: "bob", Credits: 30})
		if hold.ExpiresAt == nil || !hold.ExpiresAt.Equal(w.at.Add(15*time.Minute)) {
			t.Errorf("ends at %v", hold.ExpiresAt)
		}
		if p := w.pool(team.BookID); p.Held != 30 || p.Available != 970 || p.Allocated != 0 {
			t.Errorf("held %d, available %d, allocated %d", p.Held, p.Available, p.Allocated)
		}
		_, err := w.spend(SpendIn{Op: OpCapture, TeamID: "acme", Of: hold.Entry, Credits: 31})
		wantRefusal(t, err, Rule, "more_than_held")
		got := w.spends(SpendIn{Op: OpCapture, TeamID: "acme", Of: hold.Entry, Credits: 12})
		if got.Credits != 12 || got.Released != 18 || got.User != "bob" || got.Available != 988 {
			t.Errorf("got %+v", got)
		}
		_, err = w.spend(SpendIn{Op: OpRelease, TeamID: "acme", Of: hold.Entry})
		wantRefusal(t, err, Conflict, "hold_settled")
	})
	t.Run("S1_WholeCaptureAndCaptureOfNothing", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w)
		a := w.spends(SpendIn{Op: OpHold, TeamID: "acme", UserID: "bob", Credits: 30})
		b := w.spends(SpendIn{Op: OpHold, TeamID: "acme", UserID: "cid", Credits: 7})
		if got := w.spends(SpendIn{Op: OpCapture, TeamID: "acme", Of: a.Entry, Whole: true}); got.Credits != 30 || got.Released != 0 {
			t.Errorf("got %+v", got)
		}
		if got := w.spends(SpendIn{Op: OpCapture, TeamID: "acme", Of: b.Entry, Credits: 0}); got.Credits != 0 || got.Released != 7 {
			t.Errorf("got %+v", got)
		}
		if p := w.pool(team.BookID); p.Used != 30 || p.Held != 0 {
			t.Errorf("used %d, held %d", p.Used, p.Held)
		}
	})
	t.Run("S1_EndsByItselfAndThenOnlyOneOutcome", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w)
		hold := w.spends(SpendIn{Op: OpHold, TeamID: "acme", UserID: "bob", Credits: 30, TTL: time.Minute})
		w.at = w.at.Add(time.Minute)
		results := w.batch(
			SpendIn{Op: OpCapture, TeamID: "acme", Of: hold.Entry, Whole: true},
			SpendIn{Op: OpRelease, TeamID: "acme", Of: hold.Entry},
		)
		wantRefusal(t, results[0].Err, Conflict, "hold_expired")
		wantRefusal(t, results[1].Err, Conflict, "hold_expired")
		if p := w.pool(team.BookID); p.Used != 0 || p.Held != 0 || p.Available != 1000 {
			t.Errorf("used %d, held %d, available %d", p.Used, p.Held, p.Available)
		}
	})
	t.Run("S1_LivesAtMostADay", func(t *testing.T) {
		w := newWorld(t)
		acme(w)
		_, err := w.spend(SpendIn{Op: OpHold, TeamID: "acme", UserID: "bob", Credits: 1, TTL: HoldMax + 1})
		wantRefusal(t, err, Rule, "hold_too_long")
		w.spends(SpendIn{Op: OpHold, TeamID: "acme", UserID: "bob", Credits: 1, TTL: HoldMax})
	})
}

func TestReverse(t *testing.T) {
	w := newWorld(t)
	team := acme(w)
	w.moves(MoveIn{TeamID: "acme", From: ofPool(), To: ofMember("bob"), Credits: 10})
	spent := w.spends(SpendIn{TeamID: "acme", UserID: "bob", Credits: 30})
	back := func(in SpendIn) (*SpendOut, error) {
		in.Op, in.TeamID, in.Of = OpReverse, "acme", spent.Entry
		return w.spend(in)
	}
	// The last drawn returns first: 20 came from the pool, after bob's own 10.
	if _, err := back(SpendIn{Credits: 5}); err != nil {
		t.Fatal(err)
	}
	if p := w.pool(team.BookID); p.Used != 25 || p.Allocated != 0 || p.Available != 975 {
		t.Errorf("L8: used %d, allocated %d, available %d", p.Used, p.Allocated, p.Available)
	}
	_, err := back(SpendIn{Credits: 26})
	wantRefusal(t, err, Rule, "more_than_spent")
	if out, err := back(SpendIn{Whole: true}); err != nil || out.Answer.Credits != 25 {
		t.Fatalf("S1: got %+v, %v", out, err)
	}
	if p := w.pool(team.BookID); p.Used != 0 || p.Allocated != 10 || p.Available != 990 {
		t.Errorf("L8: used %d, allocated %d, available %d", p.Used, p.Allocated, p.Available)
	}
	for _, again := range []SpendIn{{Credits: 1}, {Whole: true}} {
		_, err := back(again)
		wantRefusal(t, err, Rule, "more_than_spent")
	}
}
