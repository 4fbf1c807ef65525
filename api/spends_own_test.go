package api_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/teams"
)

// account is what a personal account shows.
func (w *world) account(user string) poolNumbers {
	w.T.Helper()
	return into[poolNumbers](w.get("/v1/users/"+user+"/account"), 200)
}

// A user spends outside any team what is the user's own.
func TestOwnSpends(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Grant(w.User("ann").BookID, 100)
	w.User("eve")
	w.run("S3_TheAnswerNamesWhatPaidAndWhatRemains", func(t *testing.T) {
		r := request{method: "POST", path: "/v1/users/ann/spends", body: object{"credits": 30, "reference": "job 7", "metadata": object{"a": "x"}}, key: "own"}
		first := w.do(r)
		v := first.ok(201)
		if paid := v["paid_from"].([]any); len(paid) != 1 || paid[0].(object)["account"] != "personal" || v["available"] != 70.0 || v["user_id"] != "ann" {
			t.Errorf("%s", first.raw)
		}
		if _, named := v["team_id"]; named {
			t.Errorf("it names a team: %s", first.raw)
		}
		again := w.do(r)
		if !bytes.Equal(first.raw, again.raw) || again.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("L6: again %s", again.raw)
		}
		r.user = "ann"
		w.do(r).refused(409, "key_reused")
		w.do(request{method: "POST", path: "/v1/users/ann/spends", body: object{"credits": 1}, key: "-"}).refused(422, "key_missing")
	})
	w.run("S1_AHoldIsCapturedInPartAndTheSpendReversed", func(t *testing.T) {
		hold := w.as("ann", "POST", "/v1/users/ann/holds", object{"credits": 40, "expires_in": 60}).ok(201)
		if end := w.Clock.Now().Add(time.Minute).Format(time.RFC3339); hold["expires_at"] != end {
			t.Errorf("it ends at %v, want %s", hold["expires_at"], end)
		}
		path := "/v1/users/ann/holds/" + hold["id"].(string)
		v := w.as("ann", "POST", path+"/capture", object{"credits": 25}).ok(201)
		if v["released"] != 15.0 || v["hold_id"] != hold["id"] || v["available"] != 45.0 {
			t.Errorf("captured: %v", v)
		}
		w.post(path+"/release", nil).refused(409, "hold_settled")
		back := "/v1/users/ann/spends/" + v["id"].(string) + "/reversals"
		w.as("ann", "POST", back, nil).refused(403, "backend_only")
		if v := w.post(back, object{"credits": 5}).ok(201); v["available"] != 50.0 || v["credits"] != 5.0 {
			t.Errorf("reversed: %v", v)
		}
		w.post(back, object{"credits": 21}).refused(422, "more_than_spent")
		if p := w.account("ann"); p.Used != 50 || p.Available != 50 || p.Held != 0 {
			t.Errorf("B12: %+v", p)
		}
	})
	w.run("S1_AHoldEndsByItself", func(t *testing.T) {
		id := w.post("/v1/users/ann/holds", object{"credits": 10, "expires_in": 60}).ok(201)["id"].(string)
		w.Clock.Advance(time.Minute)
		w.post("/v1/users/ann/holds/"+id+"/capture", nil).refused(409, "hold_expired")
		if p := w.account("ann"); p.Held != 0 || p.Available != 50 {
			t.Errorf("%+v", p)
		}
	})
	w.run("S4_RefusalsComeInTheirOrder", func(t *testing.T) {
		w.post("/v1/users/nobody/spends", object{"credits": 1}).refused(404, "user_not_found")
		w.as("eve", "POST", "/v1/users/ann/spends", object{"credits": 1}).refused(404, "user_not_found")
		w.as("eve", "POST", "/v1/users/ann/holds", object{"credits": 1}).refused(404, "user_not_found")
		w.post("/v1/users/ann/spends", object{"credits": 0}).refused(422, "amount_invalid")
		p := w.post("/v1/users/ann/spends", object{"credits": 51}).refused(402, "personal_account_empty")
		if p["available"] != 50.0 || !equal(p["helps"], []any{"buy_pack"}) {
			t.Errorf("T7: %v", p)
		}
		for _, odd := range []string{"hold_0_1", "ent_1_1", "hold_9223372036854775807_1", "x"} {
			w.post("/v1/users/ann/holds/"+odd+"/release", nil).refused(404, "hold_not_found")
			w.post("/v1/users/ann/spends/"+odd+"/reversals", nil).refused(404, "spend_not_found")
		}
		w.Must(func(tx pgx.Tx) error { return teams.SuspendUser(t.Context(), tx, "ann", true, w.Clock.Now()) })
		w.post("/v1/users/ann/spends", object{"credits": 1}).refused(403, "user_suspended")
		w.Must(func(tx pgx.Tx) error { return teams.SuspendUser(t.Context(), tx, "ann", false, w.Clock.Now()) })
	})
	w.run("S1_WhatWasAskedForInATeamIsSettledThere", func(t *testing.T) {
		w.Team("acme", "ann", 0)
		w.post("/v1/teams/acme/members/ann/go-personal", nil).ok(200)
		id := w.post("/v1/teams/acme/holds", object{"user_id": "ann", "credits": 5}).ok(201)["id"].(string)
		own := w.post("/v1/users/ann/holds", object{"credits": 5}).ok(201)["id"].(string)
		w.post("/v1/users/ann/holds/"+id+"/release", nil).refused(404, "hold_not_found")
		w.post("/v1/teams/acme/holds/"+own+"/release", nil).refused(404, "hold_not_found")
		w.post("/v1/teams/acme/holds/"+id+"/release", nil).ok(201)
		w.post("/v1/users/ann/holds/"+own+"/release", nil).ok(201)
	})
}
