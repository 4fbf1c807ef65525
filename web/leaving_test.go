package web_test

import (
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"purser/teams"
)

// isMember tells whether somebody is in acme.
func (w *world) isMember(user string) bool {
	w.T.Helper()
	var members []teams.Member
	w.Must(func(tx pgx.Tx) (err error) {
		members, err = teams.Members(w.T.Context(), tx, "acme")
		return err
	})
	return slices.ContainsFunc(members, func(m teams.Member) bool { return m.UserID == user })
}

func TestLeaving(t *testing.T) {
	t.Parallel()
	const mine, at = "/page/teams/acme/mine", "/page/teams/acme/mine/leave"
	t.Run("T12_AMemberLeaves_AndWhatIsUnspentGoesBackToThePool", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme() // bob has 700 of 1,000 left, 3,300 are in the pool
		w.hold("acme", "bob", 50)
		b := w.as("bob", "acme").get(mine).want(200, "See what leaving would do")
		b.get(at).want(200, "Set aside for you 650 0", "The team's pool 3,300 3,950", "50 credits are held for you", "Your own credits stay yours").
			wantNot("Your seat becomes free", "frozen")
		if !w.isMember("bob") {
			t.Fatal("looking has done it")
		}
		f := b.form(at)
		b.sendForm(f).want(200, "You have left Team acme.", "Back to Sketchpad").wantNot("Overview", "Sign out")
		if w.isMember("bob") {
			t.Error("bob is still there")
		}
		// A second click, and a page that is opened or sent once more, say the same and lead the same way.
		again := []string{"You have left Team acme.", "Your own credits are still yours", "Back to Sketchpad"}
		b.sendForm(f).want(410, again...).wantNot("Overview", "Sign out", "3,950", "session is over")
		for _, page := range []string{at, mine, "/page/teams/acme"} {
			b.get(page).want(410, again...).wantNot("Overview", "3,950")
		}
		w.as("ann", "acme").get("/page/teams/acme").want(200, "3,950 available")
	})
	t.Run("T12_FromOnesOwnPageItLeadsToTheOtherTeams_Once", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		b := w.as("cleo", "").get(at).want(200)
		f := b.form(at)
		b.sendForm(f).want(200, "You have left Team acme.", "You are in no other team.")
		w.Join("acme", "cleo", teams.Plain) // who is back isn't thrown out by an old form
		if b.sendForm(f).want(200, "You have left Team acme."); !w.isMember("cleo") {
			t.Error("an old form has done it again")
		}
	})
	t.Run("T12_WhoGoesBackOnOnesOwnPageIsToldAndLedToTheOtherTeams", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		w.Team("zeta", "zoe", 777)
		b := w.as("cleo", "").get(at).want(200)
		b.submit(at).want(200, "You have left Team acme.")
		b.get(at).want(410, "You have left Team acme.", "Your teams", "Back to Sketchpad").wantNot("Overview")
		b.get(b.leadsTo("Your teams")).want(200, "You are in no other team.")
		other := w.as("cleo", "")
		other.reach(at).want(410, "You have left Team acme.")
		other.get("/page/teams/zeta/mine/leave").want(404, "nothing here").wantNot("zeta", "777") // she was never there
		w.Join("acme", "cleo", teams.Plain)
		other.get(at).want(200, "What leaving Team acme would do")
	})
	t.Run("T12_WhoIsRemovedIsToldSo", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		bound, own := w.as("bob", "acme"), w.as("bob", "").get(at).want(200)
		f := own.form(at)
		w.Must(func(tx pgx.Tx) error {
			_, _, err := teams.ChangeMembers(t.Context(), tx, w.Catalog, "acme", []teams.Change{{UserID: "bob", Remove: true}}, teams.Actor{User: "abe"}, noon)
			return err
		})
		for _, b := range []*browser{bound.get(at), own.get(at), own.sendForm(f)} {
			b.want(410, "You are no longer in Team acme.", "You were removed from the team", "Back to Sketchpad").wantNot("You have left", "Overview")
		}
	})
	t.Run("T4_ASeatBecomesFree", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		w.Must(func(tx pgx.Tx) error {
			seat := teams.SeatAccess
			_, _, err := teams.ChangeMembers(t.Context(), tx, w.Catalog, "acme", []teams.Change{{UserID: "abe", Access: &seat}}, teams.Actor{}, noon)
			return err
		})
		owner := w.as("ann", "acme").get(membersAt).want(200, "2 of 5 seats")
		w.as("abe", "acme").get(at).want(200, "Your seat becomes free").submit(at).want(200, "You have left")
		owner.get(membersAt).want(200, "1 of 5 seats")
	})
	t.Run("T3_TheOwnerIsToldWhyNot", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		b := w.as("ann", "acme").get(mine).want(200, "You own this team, so you can't leave it").wantNot("See what leaving would do")
		b.get(at).want(422, "the owner can't be removed", "You own this team")
		b.reach(at).want(422, "the owner can't be removed")
		if !w.isMember("ann") {
			t.Error("the owner is gone")
		}
	})
	t.Run("S4_NobodyLeavesForAnother", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		w.guarded(at, "cleo", nil, func() any { return w.isMember("bob") && w.isMember("cleo") }, "user", "bob")
	})
	t.Run("T16_NobodyLeavesAClosedTeam", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		b := w.as("bob", "acme")
		w.Must(func(tx pgx.Tx) error {
			_, err := teams.Close(t.Context(), tx, w.Catalog, teams.CloseIn{TeamID: "acme", Expires: 500}, noon)
			return err
		})
		b.get(mine).want(200).wantNot("Leave the team")
		b.get(at).want(409, "The team is closed")
	})
}
