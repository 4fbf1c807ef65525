package api_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"purser/api"
	"purser/teams"
)

func TestInvitations(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *api.Config) { c.AcceptURL = "https://app.example.com/join?token={token}" })
	team := w.Team("acme", "ann", 0)
	w.Subscribe(team, 3)
	invite := func(body object) reply { return w.post("/v1/teams/acme/invitations", body) }
	w.run("T3_AreAcceptedWithTheTokenInTheLink", func(t *testing.T) {
		v := invite(object{"email": "bob@example.com", "access": "seat", "limit": object{"kind": "period", "credits": 50}}).ok(201)
		token := v["token"].(string)
		if v["accept_url"] != "https://app.example.com/join?token="+token || v["state"] != "pending" || v["role"] != "member" {
			t.Errorf("%v", v)
		}
		w.as("eve", "POST", "/v1/invitations/accept", object{"token": token, "user_id": "bob"}).refused(404, "user_not_found")
		w.post("/v1/invitations/accept", object{"token": "x", "user_id": "bob"}).refused(404, "invitation_not_found")
		m := w.post("/v1/invitations/accept", object{"token": token, "user_id": "bob"}).ok(201)
		if m["team_id"] != "acme" || m["user_id"] != "bob" || m["access"] != "seat" || m["limit"].(object)["credits"] != 50.0 {
			t.Errorf("%v", m)
		}
		w.post("/v1/invitations/accept", object{"token": token, "user_id": "bob"}).refused(409, "invitation_settled")
	})
	w.run("TheSecretIsInNoTable", func(t *testing.T) {
		r := request{method: "POST", path: "/v1/teams/acme/invitations", body: object{"email": "sue@example.com"}, key: "sue"}
		first := w.do(r)
		token := first.ok(201)["token"].(string)
		if again := w.do(r); !bytes.Equal(first.raw, again.raw) {
			t.Errorf("first %s\nagain %s", first.raw, again.raw)
		}
		r.auth = w.newKey(teams.ScopeManage)
		w.do(r).refused(409, "answer_sealed")
		var found bool
		if err := w.DB.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM request_keys WHERE answer::text LIKE '%' || $1 || '%')`, token).Scan(&found); err != nil || found {
			t.Errorf("the token is stored: %v %v", found, err)
		}
		if list := w.get("/v1/teams/acme/invitations").raw; bytes.Contains(list, []byte(token)) {
			t.Error("the list shows the token")
		}
		w.post("/v1/invitations/decline", object{"token": token}).ok(200)
		w.post("/v1/invitations/decline", object{"token": token}).refused(409, "invitation_settled")
	})
	w.run("AreResentRevokedAndExpire", func(t *testing.T) {
		v := invite(object{"email": "kim@example.com", "role": "admin"}).ok(201)
		id, token := v["id"].(string), v["token"].(string)
		invite(object{"email": "KIM@example.com"}).refused(409, "already_invited")
		w.Clock.Advance(6 * 24 * time.Hour)
		again := w.post("/v1/teams/acme/invitations/"+id+"/resend", nil).ok(200)
		w.post("/v1/invitations/accept", object{"token": token, "user_id": "kim"}).refused(404, "invitation_not_found")
		w.Clock.Advance(6 * 24 * time.Hour)
		if again["token"] == token || again["id"] != id {
			t.Errorf("%v", again)
		}
		w.as("bob", "POST", "/v1/teams/acme/invitations/"+id+"/revoke", nil).refused(403, "role_forbids")
		w.Team("other", "olga", 0)
		w.as("olga", "POST", "/v1/teams/other/invitations/"+id+"/revoke", nil).refused(404, "invitation_not_found")
		w.post("/v1/teams/acme/invitations/"+id+"/revoke", nil).ok(200)
		w.post("/v1/teams/acme/invitations/"+id+"/resend", nil).refused(409, "invitation_settled")
		late := invite(object{"email": "lee@example.com"}).ok(201)
		w.Clock.Advance(8 * 24 * time.Hour)
		w.post("/v1/invitations/accept", object{"token": late["token"], "user_id": "lee"}).refused(409, "invitation_expired")
		states := w.all("/v1/teams/acme/invitations?limit=2", "state")
		if strings.Join(states, " ") != "expired revoked declined accepted" {
			t.Errorf("got %v", states)
		}
		w.as("bob", "GET", "/v1/teams/acme/invitations", nil).refused(403, "role_forbids")
		w.as("ann", "GET", "/v1/teams/acme/invitations", nil).ok(200)
	})
	w.run("AreRefused", func(t *testing.T) {
		w.do(request{method: "PUT", path: "/v1/users/bob", body: object{"email": "bob@example.com"}}).ok(200)
		invite(object{"email": "bob@example.com"}).refused(409, "already_member")
		invite(object{"email": "nobody"}).refused(422, "email_invalid")
		invite(object{"email": "x@example.com", "role": "owner"}).refused(422, "request_invalid")
		invite(object{"email": "x@example.com", "limit": object{"kind": "none", "credits": 5}}).refused(422, "limit_invalid")
		w.as("bob", "POST", "/v1/teams/acme/invitations", object{"email": "x@example.com"}).refused(403, "role_forbids")
		w.as("eve", "POST", "/v1/teams/acme/invitations", object{"email": "x@example.com"}).refused(404, "team_not_found")
		// The owner and bob have seats; one is free.
		invite(object{"email": "s1@example.com", "access": "seat"}).ok(201)
		invite(object{"email": "s2@example.com", "access": "seat"}).refused(409, "no_seat_free")
		w.Team("small", "sam", 0)
		for n := range 4 {
			w.post("/v1/teams/small/invitations", object{"email": fmt.Sprintf("m%d@example.com", n)}).ok(201)
		}
		w.post("/v1/teams/small/invitations", object{"email": "m5@example.com"}).refused(422, "team_full")
	})
}

func TestMembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	team := w.Team("acme", "ann", 0)
	w.Subscribe(team, 2)
	for _, user := range []string{"bob", "cid", "dan"} {
		w.Join("acme", user, teams.Plain)
	}
	change := func(user string, rows ...object) reply {
		return w.as(user, "POST", "/v1/teams/acme/members/changes", object{"changes": rows})
	}
	w.run("T4_BulkChangesAreAllOrNothingWithAResultPerRow", func(t *testing.T) {
		v := change("ann", object{"user_id": "bob", "access": "seat", "limit": object{"kind": "period", "credits": 100}}, object{"user_id": "cid", "role": "admin"}).ok(200)
		rows := v["results"].([]any)
		if bob := rows[0].(object)["member"].(object); bob["access"] != "seat" || bob["seat_at"] == nil || bob["limit"].(object)["credits"] != 100.0 {
			t.Errorf("%v", bob)
		}
		p := change("ann", object{"user_id": "dan", "limit": object{"kind": "total", "credits": 5}}, object{"user_id": "nobody", "remove": true}).refused(404, "member_not_found")
		bad := p["rows"].([]any)
		if bad[0].(object)["code"] != nil || bad[1].(object)["code"] != "member_not_found" {
			t.Errorf("%v", bad)
		}
		if m := w.member("acme", "dan"); m["limit"].(object)["kind"] != "none" {
			t.Errorf("a refused change was done in part: %v", m)
		}
		change("ann", object{"user_id": "dan", "access": "seat"}).refused(409, "no_seat_free")
		change("ann", object{"user_id": "bob", "access": "credits"}, object{"user_id": "dan", "access": "seat"}).ok(200)
		change("bob", object{"user_id": "dan", "access": "credits"}).refused(403, "role_forbids")
		change("ann", object{"user_id": "ann", "remove": true}).refused(422, "owner_stays")
		change("ann").refused(422, "request_invalid")
	})
	w.run("T4_OneCallAnswersFeaturesAndCredits", func(t *testing.T) {
		v := w.get("/v1/teams/acme/members/dan/access").ok(200)
		if v["features_of"] != "team" || fmt.Sprint(v["features"]) != "[shared_pool exports]" || v["credits_of"] != "team" || v["available"] != 2000.0 || v["may_spend"] != true || v["plan"] != "team" {
			t.Errorf("a seat: %v", v)
		}
		v = w.as("bob", "GET", "/v1/teams/acme/members/bob/access", nil).ok(200)
		if v["features_of"] != "user" || len(v["features"].([]any)) != 0 || v["available"] != 100.0 || v["limit_state"].(object)["left"] != 100.0 {
			t.Errorf("credits: %v", v)
		}
		w.as("bob", "GET", "/v1/teams/acme/members/dan/access", nil).refused(403, "role_forbids")
		w.get("/v1/teams/acme/members/nobody/access").refused(404, "member_not_found")
		w.do(request{method: "GET", path: "/v1/teams/acme/members/bob/access", auth: w.newKey(teams.ScopeSpend)}).ok(200)
	})
	w.run("T7_GoPersonalAndBack", func(t *testing.T) {
		if v := w.as("bob", "POST", "/v1/teams/acme/members/bob/go-personal", nil).ok(200); v["access"] != "personal" {
			t.Errorf("%v", v)
		}
		v := w.get("/v1/teams/acme/members/bob/access").ok(200)
		if v["credits_of"] != "user" || v["may_spend"] != false || v["refusal"] != "personal_account_empty" {
			t.Errorf("%v", v)
		}
		w.as("bob", "POST", "/v1/teams/acme/members/bob/go-personal", nil).refused(409, "personal_already")
		w.as("bob", "POST", "/v1/teams/acme/members/dan/go-personal", nil).refused(403, "role_forbids")
		w.as("bob", "POST", "/v1/teams/acme/members/bob/go-back", nil).ok(200)
		w.as("bob", "POST", "/v1/teams/acme/members/bob/go-back", nil).refused(409, "not_personal")
		change("ann", object{"user_id": "bob", "access": "personal"}).ok(200)
		w.as("bob", "POST", "/v1/teams/acme/members/bob/go-back", nil).refused(403, "access_set_by_admin")
		change("ann", object{"user_id": "bob", "access": "credits"}).ok(200)
	})
	w.run("T6_ALimitIsHeldAndSaysWhenItResets", func(t *testing.T) {
		w.post("/v1/teams/acme/spends", object{"user_id": "bob", "credits": 60}).ok(201)
		p := w.post("/v1/teams/acme/spends", object{"user_id": "bob", "credits": 41}).refused(402, "limit_reached")
		if l := p["limit"].(object); l["left"] != 40.0 || l["used"] != 60.0 || l["resets_at"] != "2026-04-10T12:00:00Z" || p["available"] != 40.0 {
			t.Errorf("%v", p)
		}
		m := w.member("acme", "bob")
		if m["used"] != 60.0 || m["limit_state"].(object)["used"] != 60.0 || m["available"] != 40.0 {
			t.Errorf("T14: %v", m)
		}
	})
	w.run("T14_FiguresOfMembersAndOnesOwnOnly", func(t *testing.T) {
		w.post("/v1/teams/acme/allocations", object{"user_id": "bob", "credits": 30}).ok(201)
		w.post("/v1/teams/acme/holds", object{"user_id": "bob", "credits": 45}).ok(201)
		m := w.member("acme", "bob")
		if m["allocated"] != 30.0 || m["remaining"] != 0.0 || m["held"] != 45.0 || m["available"] != 25.0 {
			t.Errorf("%v", m)
		}
		if ids := w.all("/v1/teams/acme/members?limit=3", "user_id"); strings.Join(ids, " ") != "ann bob cid dan" {
			t.Errorf("%v", ids)
		}
		own := w.as("bob", "GET", "/v1/teams/acme/members", nil).ok(200)["items"].([]any)
		if len(own) != 1 || own[0].(object)["user_id"] != "bob" {
			t.Errorf("%v", own)
		}
	})
	w.run("T12_LeavingReturnsTheAllocation", func(t *testing.T) {
		w.post("/v1/teams/acme/allocations", object{"user_id": "bob", "credits": 10}).ok(201)
		r := request{method: "POST", path: "/v1/teams/acme/members/changes", body: object{"changes": []object{{"user_id": "bob", "remove": true}}}, user: "bob", key: "leave"}
		first := w.do(r)
		if v := first.ok(200)["results"].([]any)[0].(object); v["member"] != nil {
			t.Errorf("%v", v)
		}
		if p := w.pool("acme"); p.Allocated != 0 {
			t.Errorf("still allocated: %+v", p)
		}
		// L6: the same again, though bob is no member any more.
		if again := w.do(r); !bytes.Equal(first.raw, again.raw) {
			t.Errorf("again %d %s", again.status, again.raw)
		}
	})
	w.run("T3_OwnershipIsHandedOver", func(t *testing.T) {
		hand := func(user, to string) reply {
			return w.as(user, "POST", "/v1/teams/acme/ownership", object{"user_id": to})
		}
		hand("cid", "cid").refused(403, "role_forbids")
		hand("ann", "nobody").refused(404, "member_not_found")
		hand("ann", "ann").refused(409, "owner_already")
		if v := hand("ann", "dan").ok(200); v["owner_id"] != "dan" {
			t.Errorf("%v", v)
		}
		if m := w.member("acme", "ann"); m["role"] != "admin" {
			t.Errorf("%v", m)
		}
	})
}

// member is a member as the list shows one.
func (w *world) member(team, user string) object {
	w.T.Helper()
	for _, m := range w.get("/v1/teams/" + team + "/members?limit=500").ok(200)["items"].([]any) {
		if m := m.(object); m["user_id"] == user {
			return m
		}
	}
	w.T.Fatalf("%s is not in %s", user, team)
	return nil
}
