package api_test

import (
	"bytes"
	"strings"
	"testing"

	"purser/teams"
)

func TestMoves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Team("acme", "ann", 1000)
	for _, user := range []string{"bob", "cid"} {
		w.Join("acme", user, teams.Plain)
	}
	w.Join("acme", "adm", teams.Admin)
	pool, bob, cid := object{"kind": "pool"}, object{"kind": "member", "user_id": "bob"}, object{"kind": "member", "user_id": "cid"}
	move := func(user, kind string, body object) reply { return w.as(user, "POST", "/v1/teams/acme/"+kind, body) }

	w.run("T9_APreviewSaysWhatAMoveDoesAndPostsNothing", func(t *testing.T) {
		before := w.pool("acme")
		preview := w.do(request{method: "POST", path: "/v1/teams/acme/allocations/preview", body: object{"user_id": "bob", "credits": 300, "reason": "Q1"}, key: "-"}).ok(200)
		if _, has := preview["id"]; has || w.pool("acme") != before {
			t.Errorf("it posted: %v", preview)
		}
		done := move("ann", "allocations", object{"user_id": "bob", "credits": 300, "reason": "Q1"}).ok(201)
		if done["id"] == nil || done["kind"] != "allocation" {
			t.Errorf("%v", done)
		}
		delete(done, "id")
		for name, v := range done {
			if name == "at" {
				continue
			}
			if !equal(v, preview[name]) {
				t.Errorf("%s: %v, the preview said %v", name, v, preview[name])
			}
		}
		if b, a := done["before"].(object), done["after"].(object); b["from"] != 1000.0 || b["to"] != 0.0 || a["from"] != 700.0 || a["to"] != 300.0 {
			t.Errorf("%v", done)
		}
	})
	w.run("T8_TransferReclaimAndContribute", func(t *testing.T) {
		if v := move("adm", "transfers", object{"from": bob, "to": cid, "credits": 100}).ok(201); v["kind"] != "transfer" {
			t.Errorf("%v", v)
		}
		if v := move("adm", "transfers", object{"from": pool, "to": cid, "credits": 50}).ok(201); v["kind"] != "allocation" {
			t.Errorf("%v", v)
		}
		if v := move("adm", "reclaims", object{"user_id": "bob", "credits": 20}).ok(201); v["credits"] != 20.0 {
			t.Errorf("%v", v)
		}
		if v := move("adm", "reclaims", object{"user_id": "bob"}).ok(201); v["credits"] != 180.0 {
			t.Errorf("all that is left: %v", v)
		}
		w.Grant(w.User("adm").BookID, 75)
		r := request{method: "POST", path: "/v1/teams/acme/contributions", body: object{"user_id": "adm", "credits": 70}, user: "adm", key: "gift"}
		first := w.do(r)
		if v := first.ok(201); v["kind"] != "contribution" || v["before"].(object)["from"] != 75.0 {
			t.Errorf("%v", v)
		}
		w.as("adm", "POST", "/v1/teams/acme/members/changes", object{"changes": []object{{"user_id": "adm", "remove": true}}}).ok(200)
		if again := w.do(r); !bytes.Equal(first.raw, again.raw) {
			t.Errorf("L6, though adm has left: %d %s", again.status, again.raw)
		}
		if p := w.pool("acme"); p.Allocated != 150 || p.Contributed != 70 || p.Available != 920 {
			t.Errorf("%+v", p)
		}
	})
	w.run("T8_IsRefused", func(t *testing.T) {
		w.Team("other", "olga", 10)
		for _, c := range []struct {
			user, kind string
			body       object
			status     int
			code       string
		}{
			{"bob", "allocations", object{"user_id": "bob", "credits": 1}, 403, "role_forbids"},
			{"eve", "allocations", object{"user_id": "bob", "credits": 1}, 404, "team_not_found"},
			{"ann", "allocations", object{"user_id": "eve", "credits": 1}, 404, "member_not_found"},
			{"ann", "allocations", object{"user_id": "bob", "credits": 0}, 422, "amount_invalid"},
			{"ann", "allocations", object{"user_id": "bob", "credits": 921}, 402, "too_few_credits"},
			{"ann", "allocations", object{"user_id": "bob", "credits": 1, "reason": strings.Repeat("ä", 501)}, 422, "reason_too_long"},
			{"ann", "reclaims", object{"user_id": "cid", "credits": 151}, 402, "too_few_credits"},
			{"ann", "reclaims", object{"user_id": "eve"}, 404, "member_not_found"},
			{"ann", "transfers", object{"from": cid, "to": cid, "credits": 1}, 422, "move_to_oneself"},
			{"ann", "transfers", object{"from": pool, "to": object{"kind": "personal", "user_id": "ann"}, "credits": 1}, 422, "move_to_personal"},
			{"ann", "transfers", object{"from": pool, "to": object{"kind": "pool", "team_id": "other"}, "credits": 1}, 422, "move_to_other_team"},
			{"ann", "transfers", object{"from": pool, "to": pool, "credits": 1}, 422, "move_invalid"},
			{"ann", "transfers", object{"from": object{"kind": "moon"}, "to": pool, "credits": 1}, 422, "request_invalid"},
			{"ann", "contributions", object{"user_id": "cid", "credits": 1}, 403, "role_forbids"},
			{"", "contributions", object{"user_id": "cid", "credits": 1}, 403, "role_forbids"},
			{"", "contributions", object{"user_id": "olga", "credits": 1}, 404, "member_not_found"},
			{"ann", "contributions", object{"user_id": "ann", "credits": 1}, 402, "too_few_credits"},
		} {
			before := w.pool("acme")
			move(c.user, c.kind, c.body).refused(c.status, c.code)
			w.do(request{method: "POST", path: "/v1/teams/acme/" + c.kind + "/preview", body: c.body, user: c.user, key: "-"}).refused(c.status, c.code)
			if after := w.pool("acme"); after != before {
				t.Errorf("%s %v changed %+v to %+v", c.kind, c.body, before, after)
			}
		}
	})
	w.run("T8_ReclaimingWorksOnEveryPlan", func(t *testing.T) {
		if v := move("ann", "reclaims", object{"user_id": "cid"}).ok(201); v["credits"] != 150.0 {
			t.Errorf("%v", v)
		}
	})
}
