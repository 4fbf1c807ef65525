package teams

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// limitOf gives bob's limit as the team's view shows it.
func (w *world) limitOf(user string) LimitState {
	w.t.Helper()
	v, err := View(w.t.Context(), w.tx, w.catalog, "acme", backend, w.at)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, m := range v.Members {
		if m.UserID == user && m.Limit != nil {
			return *m.Limit
		}
	}
	w.t.Fatalf("%s has no limit", user)
	return LimitState{}
}

func TestLimit(t *testing.T) {
	// left fails the test unless the limit, and what a spend is allowed, are that.
	left := func(w *world, used, left int64) {
		w.t.Helper()
		if s := w.limitOf("bob"); s.Used != used || s.Left != left {
			w.t.Fatalf("%d used and %d left, want %d and %d", s.Used, s.Left, used, left)
		}
		_, err := w.spend(SpendIn{TeamID: "acme", UserID: "bob", Credits: left + 1})
		wantRefusal(w.t, err, Short, "limit_reached")
	}
	t.Run("T6_CountsSpendsAndHoldsAndGetsBackWhatComesBack", func(t *testing.T) {
		w := newWorld(t)
		acme(w)
		w.limit("acme", "bob", LimitPeriod, 100)
		spent := w.spends(SpendIn{TeamID: "acme", UserID: "bob", Credits: 30})
		left(w, 30, 70)
		hold := w.spends(SpendIn{Op: OpHold, TeamID: "acme", UserID: "bob", Credits: 40})
		left(w, 70, 30)
		captured := w.spends(SpendIn{Op: OpCapture, TeamID: "acme", Of: hold.Entry, Credits: 15})
		left(w, 45, 55)
		w.spends(SpendIn{Op: OpReverse, TeamID: "acme", Of: captured.Entry, Credits: 5})
		left(w, 40, 60)
		w.spends(SpendIn{Op: OpReverse, TeamID: "acme", Of: spent.Entry, Credits: 10})
		left(w, 30, 70)
		hold = w.spends(SpendIn{Op: OpHold, TeamID: "acme", UserID: "bob", Credits: 70})
		w.spends(SpendIn{Op: OpRelease, TeamID: "acme", Of: hold.Entry})
		left(w, 30, 70)
		w.spends(SpendIn{Op: OpHold, TeamID: "acme", UserID: "bob", Credits: 70, TTL: time.Minute})
		left(w, 100, 0)
		w.at = w.at.Add(time.Minute)
		left(w, 30, 70)
		w.spends(SpendIn{TeamID: "acme", UserID: "cid", Credits: 500}) // another's spends don't count
		left(w, 30, 70)
	})

	t.Run("T6_IsHeldWithinABatch", func(t *testing.T) {
		w := newWorld(t)
		acme(w)
		w.limit("acme", "bob", LimitTotal, 100)
		in := SpendIn{Op: OpSpend, TeamID: "acme", UserID: "bob", Credits: 40}
		hold := in
		hold.Op = OpHold
		results := w.batch(in, hold, in, SpendIn{Op: OpSpend, TeamID: "acme", UserID: "bob", Credits: 20})
		wantRefusal(t, results[2].Err, Short, "limit_reached")
		if results[0].Err != nil || results[1].Err != nil || results[3].Err != nil {
			t.Errorf("got %+v", results)
		}
		left(w, 100, 0)
	})

	t.Run("T6_AllocationsAreOutsideIt", func(t *testing.T) {
		w := newWorld(t)
		acme(w)
		w.limit("acme", "bob", LimitPeriod, 10)
		w.moves(MoveIn{TeamID: "acme", From: ofPool(), To: ofMember("bob"), Credits: 50})
		w.spends(SpendIn{TeamID: "acme", UserID: "bob", Credits: 55})
		left(w, 5, 5)
	})

	t.Run("T6_ChangingItNeverResetsWhatWasUsed", func(t *testing.T) {
		w := newWorld(t)
		acme(w)
		w.spends(SpendIn{TeamID: "acme", UserID: "bob", Credits: 30}) // before there was any
		w.limit("acme", "bob", LimitPeriod, 100)
		left(w, 30, 70)
		w.limit("acme", "bob", LimitPeriod, 20)
		left(w, 30, 0)
		w.limit("acme", "bob", LimitNone, 0)
		w.spends(SpendIn{TeamID: "acme", UserID: "bob", Credits: 100})
		w.limit("acme", "bob", LimitTotal, 200)
		left(w, 130, 70)
	})

	t.Run("T6_APeriodsLimitResetsWithThePeriodAndATotalOneNever", func(t *testing.T) {
		w := newWorld(t)
		acme(w)
		w.limit("acme", "bob", LimitPeriod, 100)
		w.at = start.AddDate(0, 0, 30).Add(23 * time.Hour)
		spent := w.spends(SpendIn{TeamID: "acme", UserID: "bob", Credits: 60})
		hold := w.spends(SpendIn{Op: OpHold, TeamID: "acme", UserID: "bob", Credits: 40, TTL: HoldMax})
		left(w, 100, 0)
		w.at = start.AddDate(0, 1, 0) // a team without a subscription has calendar months
		left(w, 0, 100)
		// A hold counts in the period in which it was made (L8), and what comes back goes there.
		captured := w.spends(SpendIn{Op: OpCapture, TeamID: "acme", Of: hold.Entry, Credits: 25})
		left(w, 0, 100)
		w.spends(SpendIn{Op: OpReverse, TeamID: "acme", Of: captured.Entry, Credits: 10})
		w.spends(SpendIn{Op: OpReverse, TeamID: "acme", Of: spent.Entry, Credits: 20})
		left(w, 0, 100)
		w.spends(SpendIn{TeamID: "acme", UserID: "bob", Credits: 7})
		left(w, 7, 93)
		w.limit("acme", "bob", LimitTotal, 100)
		left(w, 40+15+7, 38)
	})

	t.Run("B8_ItsWindowJumpsWithTheSubscription", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w)
		w.limit("acme", "bob", LimitPeriod, 100)
		w.spends(SpendIn{TeamID: "acme", UserID: "bob", Credits: 60})
		w.at = start.AddDate(0, 0, 9)
		w.subscribe("sub_1", "ann", "team", 1, &team)
		left(w, 0, 100) // use before the window's start isn't counted
		w.spends(SpendIn{TeamID: "acme", UserID: "bob", Credits: 30})
		left(w, 30, 70)
		w.at = w.at.AddDate(0, 0, 1)
		w.must(func(tx pgx.Tx) error {
			_, err := UnassignSubscription(t.Context(), tx, w.catalog, "acme", backend, w.at)
			return err
		})
		left(w, 90, 10) // back to the calendar month
	})
}

func TestSpendOrder(t *testing.T) {
	// S4: 404, 403 suspended, 403 role, 409 state and key, 422 rule, 402 limit, then credits.
	w := newWorld(t)
	team := acme(w)
	w.limit("acme", "bob", LimitPeriod, 10)
	w.spends(SpendIn{TeamID: "acme", UserID: "bob", Credits: 1, Key: "used"})
	suspend := func(team, user bool) {
		t.Helper()
		w.must(func(tx pgx.Tx) error { return SuspendTeam(t.Context(), tx, "acme", team, w.at) })
		w.must(func(tx pgx.Tx) error { return SuspendUser(t.Context(), tx, "bob", user, w.at) })
	}
	in := SpendIn{Op: OpSpend, TeamID: "acme", UserID: "bob", Credits: 5000, By: Actor{User: "cid"}, Key: "used"}
	try := func(class Class, code string, change func(*SpendIn)) {
		t.Helper()
		change(&in)
		in.Hash = nil
		_, err := w.spend(in)
		wantRefusal(t, err, class, code)
	}
	suspend(true, true)
	try(NotFound, "team_not_found", func(in *SpendIn) { in.TeamID = "nowhere" })
	try(NotFound, "member_not_found", func(in *SpendIn) { in.TeamID, in.UserID = "acme", "nobody" })
	try(Suspended, "team_suspended", func(in *SpendIn) { in.UserID = "bob" })
	suspend(false, true)
	try(Suspended, "user_suspended", func(*SpendIn) {})
	suspend(false, false)
	try(Forbidden, "role_forbids", func(*SpendIn) {})
	try(Conflict, "key_reused", func(in *SpendIn) { in.By.User = "bob" })
	try(Rule, "amount_invalid", func(in *SpendIn) { in.Key, in.Credits = "new", -1 })
	try(Short, "limit_reached", func(in *SpendIn) { in.Credits = 5000 })
	try(Short, "pool_empty", func(in *SpendIn) { in.By, in.UserID = backend, "ann" })
	in.By = Actor{User: "stranger"}
	try(NotFound, "team_not_found", func(*SpendIn) {})

	t.Run("T16_WhatASuspendedTeamHoldsMayGoBack", func(t *testing.T) {
		hold := w.spends(SpendIn{Op: OpHold, TeamID: "acme", UserID: "ann", Credits: 5})
		suspend(true, false)
		_, err := w.spend(SpendIn{Op: OpCapture, TeamID: "acme", Of: hold.Entry, Credits: 5})
		wantRefusal(t, err, Suspended, "team_suspended")
		w.spends(SpendIn{Op: OpRelease, TeamID: "acme", Of: hold.Entry})
		suspend(false, false)
		if p := w.pool(team.BookID); p.Held != 0 || p.Used != 1 {
			t.Errorf("held %d, used %d", p.Held, p.Used)
		}
	})
	t.Run("T16_ASuspendedUserSettlesNothingForOthers", func(t *testing.T) {
		w.changes("acme", Change{UserID: "bob", Role: ptr(Admin)})
		spent := w.spends(SpendIn{TeamID: "acme", UserID: "ann", Credits: 5})
		suspend(false, true)
		_, err := w.spend(SpendIn{Op: OpReverse, TeamID: "acme", Of: spent.Entry, Credits: 5, By: Actor{User: "bob"}})
		wantRefusal(t, err, Suspended, "user_suspended")
		_, err = w.move(MoveIn{TeamID: "acme", From: ofPool(), To: ofMember("bob"), Credits: 5, By: Actor{User: "bob"}})
		wantRefusal(t, err, Suspended, "user_suspended")
	})
}

func ptr[T any](v T) *T { return &v }

func TestSettleUnknown(t *testing.T) {
	w := newWorld(t)
	team := acme(w)
	w.team("other", "olga")
	spent := w.spends(SpendIn{TeamID: "acme", UserID: "bob", Credits: 5})
	hold := w.spends(SpendIn{Op: OpHold, TeamID: "acme", UserID: "bob", Credits: 5})
	nowhere := spent.Entry
	nowhere.Sequence = 9999
	grant := spent.Entry
	grant.Sequence = 1
	for name, c := range map[string]struct {
		in   SpendIn
		code string
	}{
		"NoSuchHold":            {SpendIn{Op: OpCapture, TeamID: "acme", Of: nowhere, Credits: 1}, "hold_not_found"},
		"NoSuchSpend":           {SpendIn{Op: OpReverse, TeamID: "acme", Of: nowhere, Credits: 1}, "spend_not_found"},
		"NoSuchSpendWhole":      {SpendIn{Op: OpReverse, TeamID: "acme", Of: nowhere, Whole: true}, "spend_not_found"},
		"ASpendIsNoHold":        {SpendIn{Op: OpRelease, TeamID: "acme", Of: spent.Entry}, "hold_not_found"},
		"AHoldIsNoSpend":        {SpendIn{Op: OpReverse, TeamID: "acme", Of: hold.Entry, Credits: 1}, "spend_not_found"},
		"AHoldIsNoSpendWhole":   {SpendIn{Op: OpReverse, TeamID: "acme", Of: hold.Entry, Whole: true}, "spend_not_found"},
		"AGrantIsNoSpend":       {SpendIn{Op: OpReverse, TeamID: "acme", Of: grant, Whole: true}, "spend_not_found"},
		"AnotherTeamsHold":      {SpendIn{Op: OpCapture, TeamID: "other", Of: hold.Entry, Credits: 1}, "hold_not_found"},
		"AnotherTeamsSpend":     {SpendIn{Op: OpReverse, TeamID: "other", Of: spent.Entry, Credits: 1}, "spend_not_found"},
		"NothingNamed":          {SpendIn{Op: OpReverse, TeamID: "acme", Credits: 1}, "spend_not_found"},
		"NothingNamedToCapture": {SpendIn{Op: OpCapture, TeamID: "acme", Credits: 1}, "hold_not_found"},
	} {
		t.Run("S4_"+name, func(t *testing.T) {
			_, err := w.spend(c.in)
			wantRefusal(t, err, NotFound, c.code)
		})
	}
	if p := w.pool(team.BookID); p.Used != 5 || p.Held != 5 {
		t.Errorf("used %d, held %d", p.Used, p.Held)
	}
}
