package teams

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// A user's own credits are spent outside any team as a member's are within one.
func TestSpendOfAPersonalAccount(t *testing.T) {
	// rich gives ann 100 credits of her own and membership of a team.
	rich := func(t *testing.T) (*world, User) {
		t.Helper()
		w := newWorld(t)
		acme(w)
		ann := w.user("ann")
		w.grant(ann.BookID, 100, nil)
		return w, ann
	}
	t.Run("S1_IsSpentHeldCapturedReleasedAndReversed", func(t *testing.T) {
		w, ann := rich(t)
		spent := w.spends(SpendIn{UserID: "ann", Credits: 30, Reference: "job"})
		if spent.Available != 70 || spent.Entry.Book != ann.BookID || len(spent.Paid) != 1 || spent.Paid[0].Account != "personal" {
			t.Errorf("S3: got %+v", spent)
		}
		hold := w.spends(SpendIn{Op: OpHold, UserID: "ann", Credits: 50})
		if hold.ExpiresAt == nil || !hold.ExpiresAt.Equal(w.at.Add(HoldDefault)) || hold.Available != 20 {
			t.Errorf("got %+v", hold)
		}
		_, err := w.spend(SpendIn{Op: OpCapture, UserID: "ann", Of: hold.Entry, Credits: 51})
		wantRefusal(t, err, Rule, "more_than_held")
		if got := w.spends(SpendIn{Op: OpCapture, UserID: "ann", Of: hold.Entry, Credits: 10}); got.Released != 40 || got.Available != 60 || got.User != "ann" {
			t.Errorf("got %+v", got)
		}
		_, err = w.spend(SpendIn{Op: OpRelease, UserID: "ann", Of: hold.Entry})
		wantRefusal(t, err, Conflict, "hold_settled")
		if got := w.spends(SpendIn{Op: OpReverse, UserID: "ann", Of: spent.Entry, Whole: true}); got.Credits != 30 || got.Available != 90 {
			t.Errorf("got %+v", got)
		}
		if p := w.pool(ann.BookID); p.Used != 10 || p.Available != 90 || p.Held != 0 {
			t.Errorf("B12: %+v", p)
		}
	})
	t.Run("L7_NeverBelowZeroWithinABatchBesideATeamsSpends", func(t *testing.T) {
		w, ann := rich(t)
		w.access("acme", "ann", PersonalAccess)
		results := w.batch(
			SpendIn{Op: OpSpend, TeamID: "acme", UserID: "ann", Credits: 60},
			SpendIn{Op: OpSpend, UserID: "ann", Credits: 41},
			SpendIn{Op: OpHold, UserID: "ann", Credits: 40},
			SpendIn{Op: OpSpend, TeamID: "acme", UserID: "ann", Credits: 1},
		)
		short := wantRefusal(t, results[1].Err, Short, "personal_account_empty")
		if short.Available != 40 || len(short.Helps) != 1 || short.Helps[0] != "buy_pack" {
			t.Errorf("T7: %+v", short)
		}
		wantRefusal(t, results[3].Err, Short, "personal_account_empty")
		if results[0].Err != nil || results[2].Err != nil {
			t.Fatalf("%v, %v", results[0].Err, results[2].Err)
		}
		if p := w.pool(ann.BookID); p.Used != 60 || p.Held != 40 || p.Available != 0 {
			t.Errorf("%+v", p)
		}
	})
	t.Run("L6_TheKeyLivesInTheUsersBook", func(t *testing.T) {
		w, ann := rich(t)
		team := SpendIn{Op: OpSpend, TeamID: "acme", UserID: "ann", Credits: 5, Key: "k"}
		own := SpendIn{Op: OpSpend, UserID: "ann", Credits: 7, Key: "k"}
		other := SpendIn{Op: OpSpend, UserID: "ann", Credits: 8, Key: "k"}
		results := w.batch(team, own, own, other)
		if results[0].Err != nil || results[0].Out.Replayed || results[1].Err != nil || results[1].Out.Replayed {
			t.Fatalf("one key in two books: %+v", results)
		}
		if !results[2].Out.Replayed || results[2].Out.Answer.Entry != results[1].Out.Answer.Entry {
			t.Errorf("within the batch: %+v", results[2].Out)
		}
		wantRefusal(t, results[3].Err, Conflict, "key_reused")
		w.at = w.at.Add(time.Hour)
		again, err := w.spend(own)
		if err != nil || !again.Replayed || again.Answer.Available != 93 {
			t.Errorf("later: %+v, %v", again, err)
		}
		if p := w.pool(ann.BookID); p.Used != 7 {
			t.Errorf("used %d", p.Used)
		}
	})
	t.Run("S4_RefusalsComeInTheirOrder", func(t *testing.T) {
		w, _ := rich(t)
		spent := w.spends(SpendIn{UserID: "ann", Credits: 1, By: Actor{User: "ann"}})
		_, err := w.spend(SpendIn{UserID: "nobody", Credits: 1})
		wantRefusal(t, err, NotFound, "user_not_found")
		_, err = w.spend(SpendIn{UserID: "ann", Credits: 1, By: Actor{User: "bob"}})
		wantRefusal(t, err, NotFound, "user_not_found")
		_, err = w.spend(SpendIn{UserID: "ann", Credits: 0})
		wantRefusal(t, err, Rule, "amount_invalid")
		_, err = w.spend(SpendIn{Op: OpHold, UserID: "ann", Credits: 1, TTL: HoldMax + 1})
		wantRefusal(t, err, Rule, "hold_too_long")
		_, err = w.spend(SpendIn{Op: OpReverse, UserID: "ann", Of: spent.Entry, Whole: true, By: Actor{User: "ann"}})
		wantRefusal(t, err, Forbidden, "backend_only")
	})
	t.Run("T16_ASuspendedUserSpendsNothingButMayReleaseWhatIsHeld", func(t *testing.T) {
		w, _ := rich(t)
		hold := w.spends(SpendIn{Op: OpHold, UserID: "ann", Credits: 5})
		w.must(func(tx pgx.Tx) error { return SuspendUser(t.Context(), tx, "ann", true, w.at) })
		for _, in := range []SpendIn{{Op: OpSpend, Credits: 1}, {Op: OpHold, Credits: 1}, {Op: OpCapture, Of: hold.Entry, Whole: true}} {
			in.UserID = "ann"
			_, err := w.spend(in)
			wantRefusal(t, err, Suspended, "user_suspended")
		}
		w.spends(SpendIn{Op: OpRelease, UserID: "ann", Of: hold.Entry})
	})
	t.Run("S1_WhatWasAskedForInATeamIsSettledThere", func(t *testing.T) {
		w, _ := rich(t)
		w.access("acme", "ann", PersonalAccess)
		inTeam := w.spends(SpendIn{Op: OpHold, TeamID: "acme", UserID: "ann", Credits: 5})
		alone := w.spends(SpendIn{Op: OpHold, UserID: "ann", Credits: 6})
		w.grant(w.user("bob").BookID, 100, nil)
		bobs := w.spends(SpendIn{Op: OpHold, UserID: "bob", Credits: 6})
		for _, in := range []SpendIn{{UserID: "ann", Of: inTeam.Entry}, {TeamID: "acme", Of: alone.Entry}, {UserID: "ann", Of: bobs.Entry}} {
			in.Op = OpRelease
			_, err := w.spend(in)
			wantRefusal(t, err, NotFound, "hold_not_found")
		}
		// Also in one batch, in which the other's book is open.
		results := w.batch(
			SpendIn{Op: OpRelease, UserID: "bob", Of: bobs.Entry}, SpendIn{Op: OpReverse, UserID: "ann", Of: bobs.Entry, Whole: true},
			SpendIn{Op: OpRelease, TeamID: "acme", Of: inTeam.Entry}, SpendIn{Op: OpRelease, UserID: "ann", Of: alone.Entry},
		)
		wantRefusal(t, results[1].Err, NotFound, "spend_not_found")
		for _, i := range []int{0, 2, 3} {
			if results[i].Err != nil {
				t.Errorf("%d: %v", i, results[i].Err)
			}
		}
	})
}
