package api_test

import (
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"purser/teams"
)

func TestNotices(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Team("acme", "ann", 100)
	w.Join("acme", "bob", teams.Plain)
	w.Join("acme", "cid", teams.Plain)
	w.post("/v1/teams/acme/allocations", object{"user_id": "bob", "credits": 7, "reason": "June"}).ok(201)
	w.as("bob", "POST", "/v1/teams/acme/members/bob/go-personal", nil).ok(200)
	const path = "/v1/teams/acme/notices"
	kinds := func(user string) (kinds []string) {
		w.T.Helper()
		for cursor := ""; ; {
			got := w.as(user, "GET", path+"?limit=2"+cursor, nil).ok(200)
			for _, item := range got["items"].([]any) {
				n := item.(object)
				line := n["kind"].(string)
				if n["user_id"] != nil {
					line += " " + n["user_id"].(string)
				}
				if n["team_id"] != "acme" {
					w.T.Errorf("of %v", n["team_id"])
				}
				kinds = append(kinds, line)
			}
			next, more := got["next"].(string)
			if !more {
				return kinds
			}
			cursor = "&cursor=" + next
		}
	}
	w.run("N1_WhoManagesSeesAllTheOldestFirst", func(t *testing.T) {
		want := []string{
			"invitation.created", "member.joined bob", "invitation.created", "member.joined cid", "credits.moved bob", "member.changed bob",
		}
		for _, user := range []string{"", "ann"} {
			if got := kinds(user); !slices.Equal(got, want) {
				t.Errorf("%q sees %q", user, got)
			}
		}
	})
	w.run("N1_AMemberSeesTheOwn", func(t *testing.T) {
		if got := kinds("bob"); !slices.Equal(got, []string{"member.joined bob", "credits.moved bob", "member.changed bob"}) {
			t.Errorf("bob sees %q", got)
		}
		if got := kinds("cid"); !slices.Equal(got, []string{"member.joined cid"}) {
			t.Errorf("cid sees %q", got)
		}
		w.as("eve", "GET", path, nil).refused(404, "team_not_found")
	})
	w.run("ItsParticulars", func(t *testing.T) {
		items := w.as("bob", "GET", path, nil).ok(200)["items"].([]any)
		data := items[1].(object)["data"].(object)
		if data["credits"] != 7.0 || data["kind"] != "allocation" || data["reason"] != "June" || data["by"] != "backend" {
			t.Errorf("%v", data)
		}
	})
	w.run("OfAPersonalAccount", func(t *testing.T) {
		w.Must(func(tx pgx.Tx) error { return teams.SuspendUser(t.Context(), tx, "bob", true, w.Clock.Now()) })
		items := w.as("bob", "GET", "/v1/users/bob/notices", nil).ok(200)["items"].([]any)
		if len(items) != 1 || items[0].(object)["kind"] != "user.suspended" || items[0].(object)["user_id"] != "bob" || items[0].(object)["team_id"] != nil {
			t.Errorf("%v", items)
		}
		w.as("ann", "GET", "/v1/users/bob/notices", nil).refused(404, "user_not_found")
		w.get("/v1/users/nobody/notices").refused(404, "user_not_found")
	})
	w.run("ACursorOfAnotherListIsRefused", func(t *testing.T) {
		w.get(path+"?cursor=bm90aWNlcwp4").refused(422, "cursor_invalid") // "notices\nx"
	})
}
