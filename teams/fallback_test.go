package teams

import (
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestFallBack(t *testing.T) {
	fallsBack := func(w *world) {
		w.t.Helper()
		on := true
		w.must(func(tx pgx.Tx) error {
			_, err := ChangeTeam(w.t.Context(), tx, w.catalog, "acme", TeamChange{FallBack: &on}, backend, w.at)
			return err
		})
	}
	t.Run("T7_SwitchesAccessAndPaysTheWholeSpendPersonally", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w)
		fallsBack(w)
		bob := w.user("bob")
		w.grant(bob.BookID, 60, nil)
		w.limit("acme", "bob", LimitPeriod, 10)
		results := w.batch(
			SpendIn{Op: OpSpend, TeamID: "acme", UserID: "bob", Credits: 8},
			SpendIn{Op: OpSpend, TeamID: "acme", UserID: "bob", Credits: 50},
			SpendIn{Op: OpSpend, TeamID: "acme", UserID: "bob", Credits: 4}, // personal by now
		)
		a, b, c := results[0].Out.Answer, results[1].Out.Answer, results[2].Out.Answer
		if a.FellBack || a.Paid[0].Account != "pool" || !b.FellBack || b.Paid[0].Account != "personal" || b.Paid[0].Credits != 50 ||
			c.FellBack || c.Paid[0].Account != "personal" || c.Available != 6 {
			t.Errorf("got %+v, %+v, %+v", a, b, c)
		}
		if m := w.member("acme", "bob"); m.Access != PersonalAccess || m.PersonalBy != byFallback || m.AccessGiven != CreditsAccess {
			t.Errorf("bob is %+v", m)
		}
		if p := w.pool(team.BookID); p.Used != 8 {
			t.Errorf("used %d of the pool", p.Used)
		}
		w.must(func(tx pgx.Tx) error {
			_, err := GoBack(t.Context(), tx, w.catalog, "acme", "bob", Actor{User: "bob"}, w.at)
			return err
		})
	})
	t.Run("T7_StaysAndIsToldWhyIfTheOwnAccountIsTooPoor", func(t *testing.T) {
		w := newWorld(t)
		acme(w)
		fallsBack(w)
		w.grant(w.user("bob").BookID, 60, nil)
		_, err := w.spend(SpendIn{TeamID: "acme", UserID: "bob", Credits: 1001})
		wantRefusal(t, err, Short, "pool_empty")
		if m := w.member("acme", "bob"); m.Access != CreditsAccess {
			t.Errorf("bob is %s", m.Access)
		}
	})
	t.Run("T7_OnlyIfTheTeamWantsIt", func(t *testing.T) {
		w := newWorld(t)
		acme(w)
		w.grant(w.user("bob").BookID, 6000, nil)
		_, err := w.spend(SpendIn{TeamID: "acme", UserID: "bob", Credits: 1001})
		if r := wantRefusal(t, err, Short, "pool_empty"); r.Available != 1000 || !slices.Contains(r.Helps, "go_personal") {
			t.Errorf("got %+v", r)
		}
	})
}
