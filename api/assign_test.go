package api_test

import (
	"bytes"
	"testing"

	"purser/teams"
)

func TestAssigning(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme := w.Team("acme", "ann", 100)
	sub := w.Subscribe(acme, 3)
	w.Join("acme", "bob", teams.Plain)
	const assign, unassign = "/v1/teams/acme/subscription/assign", "/v1/teams/acme/subscription/unassign"
	w.run("T13_UnassignShowsBothSides", func(t *testing.T) {
		r := request{method: "POST", path: unassign, user: "ann", key: "off"}
		first := w.do(r)
		v := first.ok(200)
		pool, account, of := v["pool"].(object), v["account"].(object), v["subscription"].(object)
		if pool["monthly"] != 0.0 || pool["bonus"] != 100.0 || pool["seats"] != 0.0 || account["monthly"] != 3000.0 || account["seats"] != 3.0 {
			t.Errorf("%v", v)
		}
		if of["id"] != sub || of["team_id"] != nil || of["user_id"] != "ann" {
			t.Errorf("%v", of)
		}
		if again := w.do(r); !bytes.Equal(first.raw, again.raw) {
			t.Errorf("L6: again %s", again.raw)
		}
		w.as("ann", "POST", unassign, nil).refused(409, "no_subscription")
	})
	w.run("T13_AssignBringsThemBack", func(t *testing.T) {
		body := object{"subscription_id": sub}
		w.as("bob", "POST", assign, body).refused(403, "role_forbids")
		w.as("eve", "POST", assign, body).refused(404, "team_not_found")
		w.as("ann", "POST", assign, object{"subscription_id": "sub_none"}).refused(404, "subscription_not_found")
		v := w.as("ann", "POST", assign, body).ok(200)
		if pool := v["pool"].(object); pool["monthly"] != 3000.0 || pool["total"] != 3100.0 || v["account"].(object)["total"] != 0.0 {
			t.Errorf("%v", v)
		}
		if of := v["subscription"].(object); of["team_id"] != "acme" {
			t.Errorf("%v", of)
		}
		w.as("bob", "POST", unassign, nil).refused(403, "role_forbids")
	})
	w.run("T1_WhoOwnsTheSubscriptionAloneTakesItAndSeesNoPoolOfOthers", func(t *testing.T) {
		w.as("ann", "POST", "/v1/teams/acme/ownership", object{"user_id": "bob"}).ok(200)
		w.as("bob", "POST", unassign, nil).refused(403, "role_forbids")
		w.post("/v1/teams/acme/members/changes", object{"changes": []object{{"user_id": "ann", "remove": true}}}).ok(200)
		v := w.as("ann", "POST", unassign, nil).ok(200)
		if _, told := v["pool"]; told || v["account"].(object)["monthly"] != 3000.0 {
			t.Errorf("%v", v)
		}
		w.as("bob", "POST", assign, object{"subscription_id": sub}).refused(404, "subscription_not_found")
	})
}
