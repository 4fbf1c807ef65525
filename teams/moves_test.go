package teams

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// foretold previews a move, which may post nothing, then makes it, and fails the test
// unless both say the same.
func (w *world) foretold(in MoveIn) *MoveOut {
	w.t.Helper()
	var before, after int
	count := func(n *int) {
		if err := w.tx.QueryRow(w.t.Context(), `SELECT count(*) FROM entries`).Scan(n); err != nil {
			w.t.Fatal(err)
		}
	}
	count(&before)
	var preview *MoveOut
	w.must(func(tx pgx.Tx) (err error) {
		preview, err = Preview(w.t.Context(), tx, w.catalog, in, w.at)
		return err
	})
	count(&after)
	if before != after || preview.Entry != nil {
		w.t.Fatalf("T9: the preview posted %d entries, and names %v", after-before, preview.Entry)
	}
	out := w.moves(in)
	if out.Entry == nil {
		w.t.Fatal("the move names no entry")
	}
	told := *out
	told.Entry = nil
	if !reflect.DeepEqual(preview, &told) {
		w.t.Fatalf("T9: foretold %+v, but it did %+v", preview, told)
	}
	return out
}

func TestMove(t *testing.T) {
	t.Run("T8_Allocate", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w)
		out := w.foretold(MoveIn{TeamID: "acme", From: ofPool(), To: ofMember("bob"), Credits: 300, Reason: "for the launch", By: Actor{User: "ann"}})
		if out.Before != (Balances{1000, 0}) || out.After != (Balances{700, 300}) || len(out.Lots) != 1 || out.Lots[0].Credits != 300 {
			t.Errorf("got %+v", out)
		}
		if p := w.pool(team.BookID); p.Allocated != 300 || p.Available != 700 || p.Total != 1000 {
			t.Errorf("pool %+v", p)
		}
		var kind, actor, memo, holder string
		var raw json.RawMessage
		err := w.tx.QueryRow(t.Context(), `SELECT kind, actor, memo, holder_id, metadata FROM entries WHERE book_id = $1 AND sequence = $2`,
			out.Entry.Book, out.Entry.Sequence).Scan(&kind, &actor, &memo, &holder, &raw)
		if err != nil || kind != "allocation" || actor != "ann" || memo != "for the launch" || holder != "bob" || !strings.Contains(string(raw), `"bob"`) {
			t.Errorf("T10: logged as %s by %s for %s: %q %s, %v", kind, actor, holder, memo, raw, err)
		}
	})

	t.Run("T8_ReclaimPartAndAllButWhatIsHeld", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w)
		w.moves(MoveIn{TeamID: "acme", From: ofPool(), To: ofMember("bob"), Credits: 300})
		hold := w.spends(SpendIn{Op: OpHold, TeamID: "acme", UserID: "bob", Credits: 50})
		if out := w.foretold(MoveIn{TeamID: "acme", From: ofMember("bob"), To: ofPool(), Credits: 20}); out.After != (Balances{230, 720}) {
			t.Errorf("got %+v", out)
		}
		_, err := w.move(MoveIn{TeamID: "acme", From: ofMember("bob"), To: ofPool(), Credits: 231})
		if r := wantRefusal(t, err, Short, "too_few_credits"); r.Available != 230 {
			t.Errorf("got %+v", r)
		}
		if out := w.foretold(MoveIn{TeamID: "acme", From: ofMember("bob"), To: ofPool(), All: true}); out.Credits != 230 || out.After != (Balances{0, 950}) {
			t.Errorf("got %+v", out)
		}
		_, err = w.move(MoveIn{TeamID: "acme", From: ofMember("bob"), To: ofPool(), All: true})
		wantRefusal(t, err, Short, "too_few_credits")
		w.spends(SpendIn{Op: OpRelease, TeamID: "acme", Of: hold.Entry})
		if p := w.pool(team.BookID); p.Allocated != 50 || p.Available != 950 {
			t.Errorf("L8: allocated %d, available %d", p.Allocated, p.Available)
		}
	})

	t.Run("T8_TransferFromMemberToMember", func(t *testing.T) {
		w := newWorld(t)
		acme(w)
		w.moves(MoveIn{TeamID: "acme", From: ofPool(), To: ofMember("bob"), Credits: 300})
		if out := w.foretold(MoveIn{TeamID: "acme", From: ofMember("bob"), To: ofMember("cid"), Credits: 120}); out.After != (Balances{180, 120}) {
			t.Errorf("got %+v", out)
		}
		if out := w.spends(SpendIn{TeamID: "acme", UserID: "cid", Credits: 120}); len(out.Paid) != 1 || out.Paid[0].Account != "allocation" {
			t.Errorf("S2: paid from %+v", out.Paid)
		}
	})

	t.Run("L4_MovesTakeLotsInDrawOrderAndKeepTheirEnd", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w)
		soon := start.AddDate(0, 0, 5)
		w.grant(team.BookID, 40, &soon)
		out := w.foretold(MoveIn{TeamID: "acme", From: ofPool(), To: ofMember("bob"), Credits: 50})
		if len(out.Lots) != 2 || out.Lots[0].ExpiresAt == nil || !out.Lots[0].ExpiresAt.Equal(soon) || out.Lots[0].Credits != 40 || out.Lots[1].ExpiresAt != nil {
			t.Errorf("moved %+v", out.Lots)
		}
		w.at = soon
		if p := w.pool(team.BookID); p.Allocated != 10 {
			t.Errorf("T10: %d allocated after the end", p.Allocated)
		}
	})

	t.Run("L6_SameKeyGetsTheFirstAnswer", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w)
		in := MoveIn{TeamID: "acme", From: ofPool(), To: ofMember("bob"), Credits: 300, Key: "k"}
		first := w.moves(in)
		n := w.entries(team.BookID)
		w.spends(SpendIn{TeamID: "acme", UserID: "bob", Credits: 300})
		w.changes("acme", Change{UserID: "bob", Remove: true})
		again := w.moves(in)
		if !again.Replayed || again.After != first.After || *again.Entry != *first.Entry || w.entries(team.BookID) != n+1 {
			t.Errorf("got %+v, want %+v", again, first)
		}
		in.Credits, in.Hash = 299, nil
		_, err := w.move(in)
		wantRefusal(t, err, NotFound, "member_not_found") // S4: who may ask comes before the key
		w.join("acme", "bob")
		_, err = w.move(in)
		wantRefusal(t, err, Conflict, "key_reused")
	})
}

func TestMoveRefusals(t *testing.T) {
	w := newWorld(t)
	team := acme(w)
	w.team("other", "olga")
	w.moves(MoveIn{TeamID: "acme", From: ofPool(), To: ofMember("bob"), Credits: 300})
	w.grant(w.user("bob").BookID, 100, nil)
	w.grant(w.user("ann").BookID, 100, nil)
	before := w.pool(team.BookID)
	for name, c := range map[string]struct {
		in    MoveIn
		class Class
		code  string
	}{
		"TeamToPersonal":          {MoveIn{From: ofPool(), To: ofPersonal("ann"), Credits: 1}, Rule, "move_to_personal"},
		"TeamToAnotherTeam":       {MoveIn{From: ofPool(), To: Place{Kind: PlacePool, Team: "other"}, Credits: 1}, Rule, "move_to_other_team"},
		"ToANonMember":            {MoveIn{From: ofPool(), To: ofMember("olga"), Credits: 1}, NotFound, "member_not_found"},
		"ToNobody":                {MoveIn{From: ofPool(), To: ofMember(""), Credits: 1}, NotFound, "member_not_found"},
		"ToOneself":               {MoveIn{From: ofMember("bob"), To: ofMember("bob"), Credits: 1}, Rule, "move_to_oneself"},
		"ByAPlainMember":          {MoveIn{From: ofPool(), To: ofMember("bob"), Credits: 1, By: Actor{User: "bob"}}, Forbidden, "role_forbids"},
		"ByAPlainMemberToAnother": {MoveIn{From: ofMember("bob"), To: ofMember("cid"), Credits: 1, By: Actor{User: "bob"}}, Forbidden, "role_forbids"},
		"ByAStranger":             {MoveIn{From: ofPool(), To: ofMember("bob"), Credits: 1, By: Actor{User: "olga"}}, NotFound, "team_not_found"},
		"MoreThanAvailable":       {MoveIn{From: ofPool(), To: ofMember("bob"), Credits: 701}, Short, "too_few_credits"},
		"Zero":                    {MoveIn{From: ofPool(), To: ofMember("bob"), Credits: 0}, Rule, "amount_invalid"},
		"LessThanZero":            {MoveIn{From: ofPool(), To: ofMember("bob"), Credits: -5}, Rule, "amount_invalid"},
		"TooLongAReason":          {MoveIn{From: ofPool(), To: ofMember("bob"), Credits: 1, Reason: strings.Repeat("ä", 501)}, Rule, "reason_too_long"},
		"ContributionOfAMember":   {MoveIn{From: ofPersonal("bob"), To: ofPool(), Credits: 1, By: Actor{User: "bob"}}, Forbidden, "role_forbids"},
		"ContributionOfAnother":   {MoveIn{From: ofPersonal("ann"), To: ofPool(), Credits: 1, By: Actor{User: "bob"}}, Forbidden, "role_forbids"},
		"ContributionOfAStranger": {MoveIn{From: ofPersonal("olga"), To: ofPool(), Credits: 1}, NotFound, "member_not_found"},
		"ContributionOfNobody":    {MoveIn{From: ofPersonal("nobody"), To: ofPool(), Credits: 1}, NotFound, "user_not_found"},
		"MoreThanOneHas":          {MoveIn{From: ofPersonal("ann"), To: ofPool(), Credits: 101}, Short, "too_few_credits"},
		"AllOfSomethingElse":      {MoveIn{From: ofPool(), To: ofMember("bob"), All: true}, Rule, "move_invalid"},
	} {
		t.Run("T8_"+name, func(t *testing.T) {
			c.in.TeamID = "acme"
			_, err := w.move(c.in)
			wantRefusal(t, err, c.class, c.code)
			err = w.act(func(tx pgx.Tx) error {
				_, err := Preview(t.Context(), tx, w.catalog, c.in, w.at)
				return err
			})
			wantRefusal(t, err, c.class, c.code)
		})
	}
	t.Run("T8_OnAPlanWithoutTeamsOnlyReclaim", func(t *testing.T) {
		w.subscribe("sub_basic", "ann", "basic", 1, &team) // a downgrade ends here
		for _, in := range []MoveIn{
			{TeamID: "acme", From: ofPool(), To: ofMember("bob"), Credits: 1},
			{TeamID: "acme", From: ofMember("bob"), To: ofMember("cid"), Credits: 1},
			{TeamID: "acme", From: ofPersonal("ann"), To: ofPool(), Credits: 1},
		} {
			_, err := w.move(in)
			wantRefusal(t, err, Rule, "plan_without_teams")
		}
		w.moves(MoveIn{TeamID: "acme", From: ofMember("bob"), To: ofPool(), Credits: 300})
		w.changes("acme", Change{UserID: "bob", Remove: true})
	})
	if p := w.pool(team.BookID); p.Available+p.Allocated-p.Monthly != before.Available+before.Allocated {
		t.Errorf("%d and %d, were %d and %d", p.Available, p.Allocated, before.Available, before.Allocated)
	}
}

func TestContribute(t *testing.T) {
	t.Run("T8_OfAnAdminKeepsItsEndAndIsShownAsContributed", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w)
		w.changes("acme", Change{UserID: "bob", Role: ptr(Admin)})
		bob := w.user("bob")
		soon := start.AddDate(0, 0, 5)
		w.grant(bob.BookID, 100, &soon)
		out := w.foretold(MoveIn{TeamID: "acme", From: ofPersonal("bob"), To: ofPool(), Credits: 60, By: Actor{User: "bob"}, Key: "k"})
		if out.Before != (Balances{100, 1000}) || out.After != (Balances{40, 1060}) || !out.Lots[0].ExpiresAt.Equal(soon) {
			t.Errorf("got %+v", out)
		}
		if p := w.pool(team.BookID); p.Contributed != 60 || p.Bonus != 1000 || p.Total != 1060 {
			t.Errorf("pool %+v", p)
		}
		if p := w.pool(bob.BookID); p.Available != 40 {
			t.Errorf("bob has %d", p.Available)
		}
		// L6: the key is the team's, whatever it is used for next.
		if again := w.moves(MoveIn{TeamID: "acme", From: ofPersonal("bob"), To: ofPool(), Credits: 60, By: Actor{User: "bob"}, Key: "k"}); !again.Replayed {
			t.Error("made twice")
		}
		_, err := w.spend(SpendIn{TeamID: "acme", UserID: "bob", Credits: 60, Key: "k"})
		wantRefusal(t, err, Conflict, "key_reused")
		w.spends(SpendIn{TeamID: "acme", UserID: "bob", Credits: 1, Key: "s"})
		_, err = w.move(MoveIn{TeamID: "acme", From: ofPersonal("bob"), To: ofPool(), Credits: 1, By: Actor{User: "bob"}, Key: "s"})
		wantRefusal(t, err, Conflict, "key_reused")
		// The team's members draw it, and it ends as it would have.
		w.spends(SpendIn{TeamID: "acme", UserID: "cid", Credits: 25})
		w.at = soon
		if p := w.pool(team.BookID); p.Contributed != 26 || p.Available != 1000 {
			t.Errorf("after its end: contributed %d, available %d", p.Contributed, p.Available)
		}
	})

	t.Run("T10_MonthlyCreditsNeverRollAndStandOutsideB10", func(t *testing.T) {
		w := newWorld(t)
		team := w.team("acme", "ann")
		w.join("acme", "dan", asAdmin)
		w.subscribe("sub_team", "ann", "team", 3, &team)
		w.subscribe("sub_dan", "dan", "basic", 1, nil)
		dan := w.user("dan")
		w.moves(MoveIn{TeamID: "acme", From: ofPersonal("dan"), To: ofPool(), Credits: 400, By: Actor{User: "dan"}})
		w.buys("sub_team", "ann", 1)
		if p := w.pool(team.BookID); p.Monthly != 1000 || p.Contributed != 400 || p.Available != 1400 {
			t.Errorf("B10: monthly %d, contributed %d", p.Monthly, p.Contributed)
		}
		w.at = start.AddDate(0, 1, 0)
		if p := w.pool(team.BookID); p.Rollover != 1000 || p.Contributed != 0 {
			t.Errorf("T10: rolled %d, contributed %d left", p.Rollover, p.Contributed)
		}
		if p := w.pool(dan.BookID); p.Rollover != 600 {
			t.Errorf("dan's own: rolled %d", p.Rollover)
		}
	})
}
