package teams

import (
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
)

// acme is a team without a subscription: ann owns it, bob and cid are members who draw
// on its 1,000 credits.
func acme(w *world) Team {
	w.t.Helper()
	team := w.team("acme", "ann")
	w.grant(team.BookID, 1000, nil)
	w.join("acme", "bob")
	w.join("acme", "cid")
	return team
}

func TestSpendMany(t *testing.T) {
	t.Run("S3_EachRequestHasItsOwnAnswer", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w)
		other := w.team("other", "olga")
		w.grant(other.BookID, 50, nil)
		w.access("acme", "cid", PersonalAccess)
		cid := w.user("cid")
		w.grant(cid.BookID, 30, nil)
		w.moves(MoveIn{TeamID: "acme", From: ofPool(), To: ofMember("bob"), Credits: 10})

		results := w.batch(
			SpendIn{Op: OpSpend, TeamID: "acme", UserID: "ann", Credits: 100},
			SpendIn{Op: OpSpend, TeamID: "acme", UserID: "bob", Credits: 15},
			SpendIn{Op: OpSpend, TeamID: "other", UserID: "olga", Credits: 60}, // too much
			SpendIn{Op: OpHold, TeamID: "other", UserID: "olga", Credits: 20},
			SpendIn{Op: OpSpend, TeamID: "acme", UserID: "cid", Credits: 25},
			SpendIn{Op: OpSpend, TeamID: "acme", UserID: "cid", Credits: 25}, // too much
			SpendIn{Op: OpSpend, TeamID: "acme", UserID: "nobody", Credits: 1},
			SpendIn{Op: OpSpend, TeamID: "nowhere", UserID: "ann", Credits: 1},
			SpendIn{Op: OpSpend, TeamID: "acme", UserID: "ann", Credits: 0},
			SpendIn{Op: OpSpend, TeamID: "acme", UserID: "ann", Credits: 885},
		)
		wantRefusal(t, results[2].Err, Short, "pool_empty")
		wantRefusal(t, results[5].Err, Short, "personal_account_empty")
		wantRefusal(t, results[6].Err, NotFound, "member_not_found")
		wantRefusal(t, results[7].Err, NotFound, "team_not_found")
		wantRefusal(t, results[8].Err, Rule, "amount_invalid")
		for i, want := range map[int][]PaidFrom{
			0: {{Account: "pool", Credits: 100}}, 1: {{Account: "allocation", Credits: 10}, {Account: "pool", Credits: 5}},
			3: {{Account: "pool", Credits: 20}}, 4: {{Account: "personal", Credits: 25}}, 9: {{Account: "pool", Credits: 885}},
		} {
			if results[i].Err != nil {
				t.Fatalf("request %d: %v", i, results[i].Err)
			}
			got := results[i].Out.Answer.Paid
			if !slices.EqualFunc(got, want, func(a, b PaidFrom) bool { return a.Account == b.Account && a.Credits == b.Credits }) {
				t.Errorf("request %d paid from %+v, want %+v", i, got, want)
			}
			if len(got[0].Lots) != 1 || got[0].Lots[0].Source != ledger.Bonus {
				t.Errorf("request %d drew lots %+v", i, got[0].Lots)
			}
		}
		if left := results[9].Out.Answer.Available; left != 0 {
			t.Errorf("%d remain, want none", left)
		}
		if p := w.pool(team.BookID); p.Used != 1000 || p.Available != 0 {
			t.Errorf("pool %+v", p)
		}
		if p := w.pool(cid.BookID); p.Used != 25 || p.Available != 5 {
			t.Errorf("cid's account: used %d, available %d", p.Used, p.Available)
		}
	})

	t.Run("S2_PersonalSpendLeavesANoteInTheTeamsBook", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w)
		cid := w.user("cid")
		w.access("acme", "cid", PersonalAccess)
		w.grant(cid.BookID, 30, nil)
		first := w.spends(SpendIn{TeamID: "acme", UserID: "cid", Credits: 20, Key: "k"})
		if first.Entry.Book != cid.BookID {
			t.Errorf("drawn in book %d, want cid's", first.Entry.Book)
		}
		var kind string
		var peer, postings int64
		err := w.tx.QueryRow(t.Context(), `
			SELECT kind, peer_book_id, (SELECT count(*) FROM postings p WHERE p.book_id = e.book_id AND p.entry = e.sequence)
			FROM entries e WHERE book_id = $1 AND key = 'request:k'`, team.BookID).Scan(&kind, &peer, &postings)
		if err != nil || kind != "spend_elsewhere" || peer != cid.BookID || postings != 0 {
			t.Errorf("the team's book has %s to book %d with %d postings: %v", kind, peer, postings, err)
		}
		// What was drawn there is given back there, in the team's name.
		w.spends(SpendIn{Op: OpReverse, TeamID: "acme", Of: first.Entry, Credits: 5})
		if p := w.pool(cid.BookID); p.Used != 15 || p.Available != 15 {
			t.Errorf("used %d, available %d", p.Used, p.Available)
		}
		w.team("other", "olga")
		_, err = w.spend(SpendIn{Op: OpReverse, TeamID: "other", Of: first.Entry, Credits: 5})
		wantRefusal(t, err, NotFound, "spend_not_found")
	})

	t.Run("S2_PersonalHoldIsCapturedThereAlsoAfterTheMemberLeft", func(t *testing.T) {
		w := newWorld(t)
		acme(w)
		cid := w.user("cid")
		w.access("acme", "cid", PersonalAccess)
		w.grant(cid.BookID, 30, nil)
		hold := w.spends(SpendIn{Op: OpHold, TeamID: "acme", UserID: "cid", Credits: 20})
		w.changes("acme", Change{UserID: "cid", Remove: true})
		got := w.spends(SpendIn{Op: OpCapture, TeamID: "acme", Of: hold.Entry, Credits: 12})
		if got.Released != 8 {
			t.Errorf("released %d", got.Released)
		}
		if p := w.pool(cid.BookID); p.Used != 12 || p.Held != 0 || p.Available != 18 {
			t.Errorf("used %d, held %d, available %d", p.Used, p.Held, p.Available)
		}
	})
}

func TestSpendKeys(t *testing.T) {
	t.Run("L6_SameRequestGetsTheFirstAnswerThoughAccessChanged", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w)
		in := SpendIn{TeamID: "acme", UserID: "bob", Credits: 40, Key: "k"}
		first := w.spends(in)
		w.access("acme", "bob", PersonalAccess)
		n := w.entries(team.BookID)
		for range 2 {
			out, err := w.spend(in)
			if err != nil || !out.Replayed || out.Answer.Entry != first.Entry || out.Answer.Available != first.Available ||
				out.Answer.Paid[0].Account != "pool" {
				t.Fatalf("got %+v, %v, want %+v again", out, err, first)
			}
			w.changes("acme", Change{UserID: "bob", Remove: n == w.entries(team.BookID)})
			w.join("acme", "bob")
		}
		if got := w.entries(team.BookID); got != n {
			t.Errorf("posted %d entries more", got-n)
		}
	})

	t.Run("L6_PersonalSpendIsAnsweredAgainFromTheNote", func(t *testing.T) {
		w := newWorld(t)
		acme(w)
		cid := w.user("cid")
		w.access("acme", "cid", PersonalAccess)
		w.grant(cid.BookID, 30, nil)
		in := SpendIn{TeamID: "acme", UserID: "cid", Credits: 20, Key: "k"}
		first := w.spends(in)
		w.access("acme", "cid", CreditsAccess)
		out, err := w.spend(in)
		if err != nil || !out.Replayed || out.Answer.Entry != first.Entry || out.Answer.Paid[0].Account != "personal" {
			t.Errorf("got %+v, %v", out, err)
		}
	})

	t.Run("L6_AnotherRequestIsRefused", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w)
		w.spends(SpendIn{TeamID: "acme", UserID: "bob", Credits: 40, Key: "k"})
		n := w.entries(team.BookID)
		_, err := w.spend(SpendIn{TeamID: "acme", UserID: "bob", Credits: 41, Key: "k"})
		wantRefusal(t, err, Conflict, "key_reused")
		_, err = w.move(MoveIn{TeamID: "acme", From: ofPool(), To: ofMember("bob"), Credits: 40, Key: "k"})
		wantRefusal(t, err, Conflict, "key_reused")
		if got := w.entries(team.BookID); got != n {
			t.Errorf("posted %d entries more", got-n)
		}
	})

	t.Run("L6_ARefusedSpendIsDecidedAnew", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w)
		in := SpendIn{TeamID: "acme", UserID: "bob", Credits: 1500, Key: "k"}
		_, err := w.spend(in)
		wantRefusal(t, err, Short, "pool_empty")
		w.grant(team.BookID, 500, nil)
		if out, err := w.spend(in); err != nil || out.Replayed {
			t.Errorf("got %+v, %v", out, err)
		}
	})

	t.Run("L6_EqualKeysWithinABatch", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w)
		w.access("acme", "cid", PersonalAccess)
		w.grant(w.user("cid").BookID, 30, nil)
		spend := SpendIn{Op: OpSpend, TeamID: "acme", UserID: "bob", Credits: 40, Key: "k"}
		another := spend
		another.Credits = 41
		personal := SpendIn{Op: OpSpend, TeamID: "acme", UserID: "cid", Credits: 20, Key: "p"}
		tooMuch := SpendIn{Op: OpSpend, TeamID: "acme", UserID: "bob", Credits: 5000, Key: "m"}
		less := tooMuch
		less.Credits = 1
		results := w.batch(spend, spend, another, personal, personal, tooMuch, less)
		if a, b := results[0].Out, results[1].Out; b == nil || !b.Replayed || a.Answer.Entry != b.Answer.Entry || a.Answer.Available != b.Answer.Available {
			t.Errorf("got %+v and %+v", a, b)
		}
		wantRefusal(t, results[2].Err, Conflict, "key_reused")
		if a, b := results[3].Out, results[4].Out; b == nil || !b.Replayed || a.Answer.Entry != b.Answer.Entry {
			t.Errorf("got %+v and %+v", a, b)
		}
		wantRefusal(t, results[5].Err, Short, "pool_empty")
		if results[6].Err != nil {
			t.Errorf("what was refused isn't remembered, yet: %v", results[6].Err)
		}
		if p := w.pool(team.BookID); p.Used != 41 {
			t.Errorf("used %d", p.Used)
		}
	})

	t.Run("L6_AKeyIsNeededAndNeverMeetsOneOfTheRulesOwn", func(t *testing.T) {
		w := newWorld(t)
		acme(w)
		results := []SpendResult{}
		w.must(func(tx pgx.Tx) (err error) {
			results, _, err = SpendMany(t.Context(), tx, w.catalog, []SpendIn{
				{Op: OpSpend, TeamID: "acme", UserID: "bob", Credits: 1, Hash: []byte("a")},
				{Op: OpSpend, TeamID: "acme", UserID: "bob", Credits: 1, Hash: []byte("b"), Key: "ledger:expiry:1:1"},
			}, w.at)
			return err
		})
		wantRefusal(t, results[0].Err, Rule, "key_missing")
		if results[1].Err != nil {
			t.Errorf("a key that begins as the ledger's own do: %v", results[1].Err)
		}
		// A client may use a key that a rule will need later: both must work.
		w.spends(SpendIn{TeamID: "acme", UserID: "bob", Credits: 1, Key: "grant:sub_1:2026-03-01T00:00:00Z:0"})
		team, _ := GetTeam(t.Context(), w.tx, "acme")
		w.subscribe("sub_1", "ann", "team", 5, &team)
		if p := w.pool(team.BookID); p.Monthly != 5000 {
			t.Errorf("granted %d", p.Monthly)
		}
	})

	t.Run("L6_AKeyBelongsToItsTeam", func(t *testing.T) {
		w := newWorld(t)
		acme(w)
		other := w.team("other", "olga")
		w.grant(other.BookID, 50, nil)
		w.spends(SpendIn{TeamID: "acme", UserID: "bob", Credits: 1, Key: "k"})
		if out, err := w.spend(SpendIn{TeamID: "other", UserID: "olga", Credits: 2, Key: "k"}); err != nil || out.Replayed {
			t.Errorf("got %+v, %v", out, err)
		}
	})
}
