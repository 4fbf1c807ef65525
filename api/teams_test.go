package api_test

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"purser/teams"
)

func TestUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run("T0_ComeIntoBeingAndHaveAttributes", func(t *testing.T) {
		w.get("/v1/users/ann").refused(404, "user_not_found")
		put := func(body object) reply { return w.do(request{method: "PUT", path: "/v1/users/ann", body: body}) }
		if v := put(object{"email": "ann@example.com", "name": "Ann"}).ok(200); v["email"] != "ann@example.com" || v["name"] != "Ann" {
			t.Errorf("%v", v)
		}
		if v := put(object{"name": "Anna"}).ok(200); v["email"] != "ann@example.com" || v["name"] != "Anna" {
			t.Errorf("%v", v)
		}
		put(object{"email": "no address"}).refused(422, "request_invalid")
		w.do(request{method: "PUT", path: "/v1/users/bob", body: object{"email": "ANN@example.com"}}).refused(409, "email_taken")
		w.get("/v1/users/bob").refused(404, "user_not_found")
	})
	w.run("SeeThemselvesOnly", func(t *testing.T) {
		w.as("ann", "GET", "/v1/users/ann", nil).ok(200)
		w.as("eve", "GET", "/v1/users/ann", nil).refused(404, "user_not_found")
		w.as("eve", "PUT", "/v1/users/ann", object{"name": "Eve"}).refused(404, "user_not_found")
		w.as("ann", "GET", "/v1/users", nil).refused(403, "backend_only")
		w.as("ann", "GET", "/v1/users/ann/account", nil).ok(200)
		w.as("ann", "GET", "/v1/users/ann/lots", nil).ok(200)
		w.as("eve", "GET", "/v1/users/ann/account", nil).refused(404, "user_not_found")
	})
	w.run("AreListedInPages", func(t *testing.T) {
		for n := range 7 {
			w.do(request{method: "PUT", path: fmt.Sprintf("/v1/users/u%d", n), body: object{}}).ok(200)
		}
		ids := w.all("/v1/users?limit=3", "id")
		if strings.Join(ids, " ") != "ann u0 u1 u2 u3 u4 u5 u6" {
			t.Errorf("got %v", ids)
		}
		w.get("/v1/users?limit=0").refused(422, "request_invalid")
		w.get("/v1/users?limit=501").refused(422, "request_invalid")
		w.get("/v1/users?limit=x").refused(422, "request_invalid")
		for _, cursor := range []string{"x", "!!", "dGVhbXMKYQ"} { // the last is of another list
			w.get("/v1/users?cursor="+url.QueryEscape(cursor)).refused(422, "cursor_invalid")
		}
	})
	w.run("L6_TheSameKeyGetsTheFirstAnswer", func(t *testing.T) {
		r := request{method: "PUT", path: "/v1/users/kim", body: object{"name": "Kim"}, key: "kim"}
		first := w.do(r)
		first.ok(200)
		w.do(request{method: "PUT", path: "/v1/users/kim", body: object{"name": "Kimberly"}}).ok(200)
		if again := w.do(r); !bytes.Equal(first.raw, again.raw) || again.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("first %s\nagain %s", first.raw, again.raw)
		}
		if v := w.get("/v1/users/kim").ok(200); v["name"] != "Kimberly" {
			t.Errorf("done twice: %v", v)
		}
		w.do(request{method: "PUT", path: "/v1/users/kim", body: object{"name": "K"}, key: "kim"}).refused(409, "key_reused")
		// A key is a user's own: of another one it is new.
		w.do(request{method: "PUT", path: "/v1/users/lee", body: object{"name": "Lee"}, key: "kim"}).ok(200)
	})
}

// all pages through a list.
func (w *world) all(path, field string) []string {
	w.T.Helper()
	var out []string
	for next, pages := "", 0; pages < 100; pages++ {
		v := w.get(path + next).ok(200)
		for _, item := range v["items"].([]any) {
			out = append(out, item.(object)[field].(string))
		}
		cursor, more := v["next"].(string)
		if !more {
			return out
		}
		next = "&cursor=" + url.QueryEscape(cursor)
	}
	w.T.Fatal("the list has no end")
	return nil
}

func TestTeams(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	create := object{"id": "acme", "owner_id": "ann", "name": "Acme", "description": "Anvils"}
	w.run("T2_CreatingMakesTheCreatorTheOwner", func(t *testing.T) {
		r := request{method: "POST", path: "/v1/teams", body: create, key: "acme"}
		first := w.do(r)
		if v := first.ok(201); v["owner_id"] != "ann" || v["sharing"] != "pool" || v["fall_back"] != false {
			t.Errorf("%v", v)
		}
		if again := w.do(r); again.status != 201 || !bytes.Equal(first.raw, again.raw) {
			t.Errorf("again: %d %s", again.status, again.raw)
		}
		w.post("/v1/teams", create).refused(409, "team_exists")
		w.do(request{method: "POST", path: "/v1/teams", body: object{"id": "acme", "owner_id": "eve", "name": "Acme"}, key: "acme"}).refused(409, "key_reused")
		w.as("eve", "POST", "/v1/teams", object{"id": "other", "owner_id": "ann", "name": "Other"}).refused(403, "role_forbids")
		w.as("eve", "POST", "/v1/teams", object{"id": "eves", "owner_id": "eve", "name": "Eve's"}).ok(201)
		w.post("/v1/teams", object{"id": "x", "owner_id": "ann", "name": ""}).refused(422, "request_invalid")
	})
	w.run("TwentyAtOnceWithOneKeyMakeOne", func(t *testing.T) {
		var wg sync.WaitGroup
		answers := make([]reply, 20)
		for n := range answers {
			wg.Go(func() {
				var err error
				if answers[n], err = w.try(request{method: "POST", path: "/v1/teams", body: object{"id": "rush", "owner_id": "ann", "name": "Rush"}, key: "rush"}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, a := range answers {
			if a.ok(201); !bytes.Equal(a.raw, answers[0].raw) {
				t.Errorf("%s and %s", a.raw, answers[0].raw)
			}
		}
	})
	w.run("AreSeenByMembersOnly", func(t *testing.T) {
		w.Join("acme", "bob", teams.Plain)
		w.as("bob", "GET", "/v1/teams/acme", nil).ok(200)
		for _, path := range []string{"", "/pool", "/lots", "/members", "/members/bob/access", "/invitations"} {
			w.as("eve", "GET", "/v1/teams/acme"+path, nil).refused(404, "team_not_found")
			w.get("/v1/teams/nowhere"+path).refused(404, "team_not_found")
		}
		w.as("bob", "GET", "/v1/teams", nil).refused(403, "backend_only")
		if ids := w.all("/v1/teams?limit=2&owner_id=ann", "id"); strings.Join(ids, " ") != "acme rush" {
			t.Errorf("ann's: %v", ids)
		}
	})
	w.run("AreChangedByThoseWhoManageThem", func(t *testing.T) {
		patch := func(user string, body object) reply { return w.as(user, "PATCH", "/v1/teams/acme", body) }
		if v := patch("ann", object{"name": "Acme Inc", "sharing": "balances", "fall_back": true}).ok(200); v["name"] != "Acme Inc" || v["sharing"] != "balances" || v["description"] != "Anvils" {
			t.Errorf("%v", v)
		}
		patch("bob", object{"name": "Bob's"}).refused(403, "role_forbids")
		patch("eve", object{"name": "Eve's"}).refused(404, "team_not_found")
		patch("ann", object{"sharing": "other"}).refused(422, "request_invalid")
		patch("ann", object{"sharing": "pool", "fall_back": false}).ok(200)
	})
	w.run("L6_AKeyUsedForASpendIsNotFreeForAnythingElse", func(t *testing.T) {
		team := w.Team("keys", "kim", 10)
		w.do(request{method: "POST", path: "/v1/teams/keys/spends", body: object{"user_id": "kim", "credits": 1}, key: "k1"}).ok(201)
		w.do(request{method: "PATCH", path: "/v1/teams/keys", body: object{"name": "K"}, key: "k1"}).refused(409, "key_reused")
		w.do(request{method: "PATCH", path: "/v1/teams/keys", body: object{"name": "K"}, key: "k2"}).ok(200)
		w.do(request{method: "POST", path: "/v1/teams/keys/spends", body: object{"user_id": "kim", "credits": 1}, key: "k2"}).refused(409, "key_reused")
		w.do(request{method: "POST", path: "/v1/teams/keys/allocations", body: object{"user_id": "kim", "credits": 1}, key: "k2"}).refused(409, "key_reused")
		// After 30 days the key of a change is free again; that of a spend never is.
		w.Clock.Advance(31 * 24 * time.Hour)
		w.do(request{method: "PATCH", path: "/v1/teams/keys", body: object{"name": "K2"}, key: "k2"}).ok(200)
		w.do(request{method: "PATCH", path: "/v1/teams/keys", body: object{"name": "K2"}, key: "k1"}).refused(409, "key_reused")
		_ = team
	})
}
