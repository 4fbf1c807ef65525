package api_test

import (
	"strings"
	"testing"
	"time"

	"purser/api"
	"purser/teams"
)

func TestPageSessions(t *testing.T) {
	t.Parallel()
	const path = "/v1/page_sessions"
	w := newWorld(t, func(c *api.Config) { c.PageURL = "https://credits.example/page/open/{token}" })
	w.Team("acme", "ann", 10)
	w.run("ALinkForOneUser_FiveMinutesLong", func(t *testing.T) {
		body := object{"user_id": "ann", "team_id": "acme", "return_url": "https://app.example/", "locale": "de-DE", "time_zone": "Europe/Berlin"}
		r := w.do(request{method: "POST", path: path, body: body, key: "k"})
		made := into[api.PageSession](r, 201)
		token, ok := strings.CutPrefix(made.URL, "https://credits.example/page/open/")
		if !ok || len(token) < 40 {
			t.Errorf("%+v", made)
		}
		if want := w.wall.Now().Add(5 * time.Minute); !made.ExpiresAt.Equal(want.Truncate(time.Microsecond)) && !made.ExpiresAt.Equal(want) {
			t.Errorf("until %s, want %s", made.ExpiresAt, want)
		}
		if again := w.do(request{method: "POST", path: path, body: body, key: "k"}); string(again.raw) != string(r.raw) {
			t.Errorf("the same key again: %s", again.raw)
		}
		var found bool
		if err := w.DB.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM page_sessions p WHERE p::text LIKE '%' || $1 || '%')
			OR EXISTS (SELECT FROM request_keys k WHERE k::text LIKE '%' || $1 || '%')`, token).Scan(&found); err != nil || found {
			t.Errorf("the database keeps the link itself: %v, %v", found, err)
		}
	})
	w.run("TheUsersOwnPage_MadeAtThisMention", func(*testing.T) {
		w.post(path, object{"user_id": "new", "return_url": "https://app.example/"}).ok(201)
		w.get("/v1/users/new").ok(200)
	})
	w.run("ATeamThatTheUserIsNotIn", func(*testing.T) {
		w.post(path, object{"user_id": "eve", "team_id": "acme", "return_url": "https://app.example/"}).refused(404, "team_not_found")
		w.post(path, object{"user_id": "ann", "team_id": "none", "return_url": "https://app.example/"}).refused(404, "team_not_found")
	})
	w.run("NobodyOpensAnothersPage", func(*testing.T) {
		body := object{"user_id": "ann", "return_url": "https://app.example/"}
		w.as("eve", "POST", path, body).refused(404, "user_not_found")
		w.as("ann", "POST", path, body).ok(201)
		w.do(request{method: "POST", path: path, body: body, auth: w.newKey(teams.ScopeRead, teams.ScopeSpend)}).refused(403, "scope_missing")
	})
	w.run("WhereToGoBackToMustBeAPage", func(*testing.T) {
		for _, to := range []string{"javascript:alert(1)", "/settings", "ftp://x.example"} {
			w.post(path, object{"user_id": "ann", "return_url": to}).refused(422, "request_invalid")
		}
	})
	w.run("WithoutAnAddressThereIsNoPage", func(t *testing.T) {
		bare := newWorld(t)
		bare.post(path, object{"user_id": "ann", "return_url": "https://app.example/"}).refused(422, "page_without_address")
	})
}
