package api_test

import (
	"bytes"
	"strings"
	"testing"

	"purser/teams"
)

func TestBonus(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Team("acme", "ann", 0)
	w.Join("acme", "bob", teams.Plain)
	w.run("L11_IsGrantedOnceAndTakenBackUnspent", func(t *testing.T) {
		r := request{method: "POST", path: "/v1/teams/acme/bonus", key: "gift", body: object{"credits": 100, "memo": "sorry", "expires_at": "2026-04-01T00:00:00+02:00"}}
		first := w.do(r)
		if v := first.ok(201); v["kind"] != "grant" || v["credits"] != 100.0 {
			t.Errorf("%v", v)
		}
		if again := w.do(r); !bytes.Equal(first.raw, again.raw) {
			t.Errorf("%s", again.raw)
		}
		if lot := w.get("/v1/teams/acme/lots").ok(200)["items"].([]any)[0].(object); lot["expires_at"] != "2026-03-31T22:00:00Z" || lot["source"] != "bonus" || lot["remaining"] != 100.0 {
			t.Errorf("%v", lot)
		}
		w.post("/v1/teams/acme/bonus", object{"credits": 40, "memo": "for bob", "user_id": "bob"}).ok(201)
		w.post("/v1/teams/acme/bonus/take", object{"credits": 30, "memo": "too much", "grant": "gift"}).ok(201)
		w.post("/v1/teams/acme/bonus/take", object{"credits": 71, "memo": "more"}).refused(402, "too_few_credits")
		w.post("/v1/teams/acme/bonus/take", object{"credits": 1, "memo": "x", "grant": "other"}).refused(404, "grant_not_found")
		w.post("/v1/teams/acme/bonus/take", object{"credits": 5, "memo": "x", "user_id": "bob"}).ok(201)
		if p := w.pool("acme"); p.Bonus != 105 || p.Available != 70 || p.Allocated != 35 {
			t.Errorf("%+v", p)
		}
	})
	w.run("IsRefused", func(t *testing.T) {
		w.post("/v1/teams/acme/bonus", object{"credits": 0, "memo": "x"}).refused(422, "amount_invalid")
		w.post("/v1/teams/acme/bonus", object{"credits": 1, "memo": "x", "expires_at": "2026-03-10T12:00:00Z"}).refused(422, "bonus_ended")
		w.post("/v1/teams/acme/bonus", object{"credits": 1, "memo": "x", "user_id": "eve"}).refused(404, "member_not_found")
		w.post("/v1/teams/nowhere/bonus", object{"credits": 1, "memo": "x"}).refused(404, "team_not_found")
		w.post("/v1/users/nobody/bonus", object{"credits": 1, "memo": "x"}).refused(404, "user_not_found")
		w.as("ann", "POST", "/v1/teams/acme/bonus", object{"credits": 1, "memo": "x"}).refused(403, "backend_only")
		w.post("/v1/teams/acme/bonus/take", object{"credits": 1, "memo": "x", "user_id": "ann"}).refused(422, "nothing_allocated")
	})
	w.run("ToAPersonalAccount", func(t *testing.T) {
		w.post("/v1/users/bob/bonus", object{"credits": 7, "memo": "hi"}).ok(201)
		w.post("/v1/users/bob/bonus/take", object{"credits": 3, "memo": "oh"}).ok(201)
		if v := w.get("/v1/users/bob/account").ok(200); v["available"] != 4.0 || v["total"] != 4.0 {
			t.Errorf("%v", v)
		}
		if items := w.get("/v1/users/bob/lots").ok(200)["items"].([]any); len(items) != 1 {
			t.Errorf("%v", items)
		}
		if v := w.get("/v1/users/bob/teams").ok(200)["items"].([]any)[0].(object); v["role"] != "member" || v["allocated"] != 35.0 || v["remaining"] != 35.0 || v["team"].(object)["id"] != "acme" {
			t.Errorf("T14: %v", v)
		}
		w.as("eve", "GET", "/v1/users/bob/teams", nil).refused(404, "user_not_found")
		w.get("/v1/users/nobody/teams").refused(404, "user_not_found")
	})
}

func TestSuspension(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Team("acme", "ann", 100)
	w.Join("acme", "bob", teams.Plain)
	spend := func(user string) reply { return w.post("/v1/teams/acme/spends", object{"user_id": user, "credits": 1}) }
	hold := w.post("/v1/teams/acme/holds", object{"user_id": "bob", "credits": 5}).ok(201)["id"].(string)
	w.run("T16_ATeamsStopsAllSpendingAndLosesNothing", func(t *testing.T) {
		if v := w.post("/v1/teams/acme/suspend", nil).ok(200); v["suspended_at"] != "2026-03-10T12:00:00Z" {
			t.Errorf("%v", v)
		}
		spend("bob").refused(403, "team_suspended")
		w.post("/v1/teams/acme/holds/"+hold+"/capture", nil).refused(403, "team_suspended")
		w.post("/v1/teams/acme/allocations", object{"user_id": "bob", "credits": 1}).refused(403, "team_suspended")
		if v := w.get("/v1/teams/acme/members/bob/access").ok(200); v["may_spend"] != false || v["refusal"] != "team_suspended" {
			t.Errorf("%v", v)
		}
		w.post("/v1/teams/acme/resume", nil).ok(200)
		spend("bob").ok(201)
	})
	w.run("T16_AUsersToo", func(t *testing.T) {
		w.post("/v1/users/bob/suspend", nil).ok(200)
		spend("bob").refused(403, "user_suspended")
		spend("ann").ok(201)
		w.post("/v1/users/bob/resume", nil).ok(200)
		spend("bob").ok(201)
	})
	w.run("IsTheOperators", func(t *testing.T) {
		w.as("ann", "POST", "/v1/teams/acme/suspend", nil).refused(403, "backend_only")
		w.as("ann", "POST", "/v1/users/bob/suspend", nil).refused(403, "backend_only")
		w.post("/v1/teams/nowhere/suspend", nil).refused(404, "team_not_found")
		w.post("/v1/users/nobody/resume", nil).refused(404, "user_not_found")
	})
}

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := request{method: "POST", path: "/v1/api-keys", key: "make", body: object{"name": "worker", "scopes": []string{"read", "spend"}}}
	first := w.do(r)
	v := first.ok(201)
	token, id := v["token"].(string), v["id"].(string)
	w.run("AreMadeOnceAndKeptAsAHash", func(t *testing.T) {
		if again := w.do(r); !bytes.Equal(first.raw, again.raw) {
			t.Errorf("%s", again.raw)
		}
		other := r
		other.auth = w.newKey(teams.ScopeOperate)
		w.do(other).refused(409, "answer_sealed")
		secret := token[strings.LastIndex(token, "_")+1:]
		var found bool
		err := w.DB.QueryRow(t.Context(), `
			SELECT EXISTS (SELECT FROM request_keys WHERE answer::text LIKE '%' || $1 || '%')
			    OR EXISTS (SELECT FROM api_keys WHERE api_keys::text LIKE '%' || $1 || '%')`, secret).Scan(&found)
		if err != nil || found {
			t.Errorf("the secret is stored: %v %v", found, err)
		}
		if list := w.get("/v1/api-keys"); !bytes.Contains(list.raw, []byte(id)) || bytes.Contains(list.raw, []byte(secret)) {
			t.Errorf("%s", list.raw)
		}
	})
	w.run("OpenWhatTheirScopesSayUntilRevoked", func(t *testing.T) {
		w.do(request{method: "GET", path: "/v1/plans", auth: token}).ok(200)
		w.do(request{method: "GET", path: "/v1/api-keys", auth: token}).refused(403, "scope_missing")
		w.post("/v1/api-keys/"+id+"/revoke", nil).ok(200)
		w.do(request{method: "GET", path: "/v1/plans", auth: token}).refused(401, "unauthorized")
		w.post("/v1/api-keys/pk_none/revoke", nil).refused(404, "api_key_not_found")
	})
	w.run("AreRefused", func(t *testing.T) {
		w.post("/v1/api-keys", object{"name": "x", "scopes": []string{"all"}}).refused(422, "request_invalid")
		w.post("/v1/api-keys", object{"name": "x", "scopes": []string{}}).refused(422, "request_invalid")
		w.as("ann", "POST", "/v1/api-keys", object{"name": "x", "scopes": []string{"read"}}).refused(403, "backend_only")
		w.as("ann", "GET", "/v1/api-keys", nil).refused(403, "backend_only")
	})
}
