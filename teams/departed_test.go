package teams

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestDeparted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.team("acme", "ann")
	w.team("zeta", "zoe")
	w.join("acme", "bob")
	// how gives what bob is told of a team: "" if nothing.
	how := func(team string) string {
		t.Helper()
		err := CheckDeparted(t.Context(), w.tx, team, "bob")
		var gone *Departed
		switch {
		case err == nil:
			return ""
		case !errors.As(err, &gone) || gone.Team.ID != team:
			t.Fatal(err)
		case gone.Left:
			return "left"
		}
		return "removed"
	}
	remove := func(by string) {
		t.Helper()
		w.must(func(tx pgx.Tx) error {
			_, _, err := ChangeMembers(t.Context(), tx, w.catalog, "acme", []Change{{UserID: "bob", Remove: true}}, Actor{User: by}, w.at)
			return err
		})
	}
	for _, one := range []struct {
		what string
		do   func()
		want string
	}{
		{"a member is there", func() {}, ""},
		{"who leaves has left", func() { remove("bob") }, "left"},
		{"who is back is there", func() { w.join("acme", "bob") }, ""},
		{"the last time counts", func() { remove("ann") }, "removed"},
	} {
		w.at = w.at.Add(time.Minute)
		one.do()
		if got := how("acme"); got != one.want {
			t.Errorf("%s: %q", one.what, got)
		}
		if got := how("zeta") + how("nowhere"); got != "" {
			t.Errorf("somebody who was never there is told %q", got)
		}
	}
}
