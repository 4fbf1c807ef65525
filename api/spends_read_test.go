package api_test

import (
	"net/url"
	"slices"
	"testing"
	"time"

	"purser/teams"
)

func TestSpendReads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Team("acme", "ann", 100)
	w.Join("acme", "bob", teams.Plain)
	w.Join("acme", "cid", teams.Plain)
	w.Team("other", "olga", 10)
	w.post("/v1/teams/acme/allocations", object{"user_id": "bob", "credits": 10}).ok(201)
	const path = "/v1/teams/acme"
	w.run("ASpendSaysWhatWasGivenBackSoFar", func(t *testing.T) {
		made := w.post(path+"/spends", object{"user_id": "bob", "credits": 30, "reference": "job", "memo": "why", "metadata": object{"a": 1}}).ok(201)
		id := made["id"].(string)
		v := w.get(path + "/spends/" + id).ok(200)
		if v["credits"] != 30.0 || v["reversed"] != 0.0 || v["user_id"] != "bob" || v["team_id"] != "acme" || !equal(v["paid_from"], made["paid_from"]) || v["at"] != made["at"] {
			t.Errorf("%v, was made as %v", v, made)
		}
		if v["reference"] != "job" || v["memo"] != "why" || !equal(v["metadata"], object{"a": 1.0}) || v["actor"] != "backend" {
			t.Errorf("%v", v)
		}
		w.post(path+"/spends/"+id+"/reversals", object{"credits": 12}).ok(201)
		w.post(path+"/spends/"+id+"/reversals", object{"credits": 8}).ok(201)
		if v := w.as("bob", "GET", path+"/spends/"+id, nil).ok(200); v["reversed"] != 20.0 || v["credits"] != 30.0 {
			t.Errorf("%v", v)
		}
	})
	w.run("S1_AHoldSaysWhereItStands", func(t *testing.T) {
		hold := func(credits int64) string {
			return w.post(path+"/holds", object{"user_id": "bob", "credits": credits, "expires_in": 60}).ok(201)["id"].(string)
		}
		shows := func(id, state string, captured, released float64) object {
			t.Helper()
			v := w.as("bob", "GET", path+"/holds/"+id, nil).ok(200)
			if v["state"] != state || v["captured"] != captured || v["released"] != released || (v["settled_at"] == nil) != (state == "open") {
				t.Errorf("want it %s, %v captured, %v released: %v", state, captured, released, v)
			}
			return v
		}
		id := hold(20)
		v := shows(id, "open", 0, 0)
		if from := v["held_from"].([]any); len(from) != 1 || from[0].(object)["credits"] != 20.0 || from[0].(object)["account"] != "pool" {
			t.Errorf("%v", from)
		}
		captured := w.post(path+"/holds/"+id+"/capture", object{"credits": 5}).ok(201)
		if v := shows(id, "captured", 5, 15); v["spend_id"] != captured["id"] || v["settled_at"] != captured["at"] {
			t.Errorf("%v, captured as %v", v, captured)
		}
		if v := w.get(path + "/spends/" + captured["id"].(string)).ok(200); v["hold_id"] != id || v["credits"] != 5.0 {
			t.Errorf("%v", v)
		}
		id = hold(7)
		w.post(path+"/holds/"+id+"/release", nil).ok(201)
		shows(id, "released", 0, 7)
		id = hold(8)
		w.Clock.Advance(time.Minute)
		if v := shows(id, "expired", 0, 8); v["settled_at"] != v["expires_at"] {
			t.Errorf("B4: nothing was written, yet its end has come: %v", v)
		}
		w.post(path+"/spends", object{"user_id": "bob", "credits": 1}).ok(201) // now it is written
		shows(id, "expired", 0, 8)
	})
	w.run("S4_OthersAndOtherTeamsAreRefused", func(t *testing.T) {
		spend := w.post(path+"/spends", object{"user_id": "bob", "credits": 1}).ok(201)["id"].(string)
		hold := w.post(path+"/holds", object{"user_id": "bob", "credits": 1}).ok(201)["id"].(string)
		for _, rest := range []string{"/spends/" + spend, "/holds/" + hold} {
			w.as("ann", "GET", path+rest, nil).ok(200)
			w.as("cid", "GET", path+rest, nil).refused(403, "role_forbids")
			w.as("eve", "GET", path+rest, nil).refused(404, "team_not_found")
		}
		w.get("/v1/teams/other/spends/"+spend).refused(404, "spend_not_found")
		w.get("/v1/teams/other/holds/"+hold).refused(404, "hold_not_found")
		w.get("/v1/users/bob/spends/"+spend).refused(404, "spend_not_found")
		w.get(path+"/spends/"+hold).refused(404, "spend_not_found")
		grant := w.get(path + "/entries?kind=grant").ok(200)["items"].([]any)[0].(object)["id"].(string)
		w.get(path+"/spends/"+grant).refused(404, "spend_not_found")
		for _, odd := range []string{"hold_0_1", "ent_1_1", "hold_9223372036854775807_1", "ent_1_99999999999999999999", "x"} {
			w.get(path+"/holds/"+odd).refused(404, "hold_not_found")
			w.get("/v1/users/ann/spends/"+odd).refused(404, "spend_not_found")
		}
		w.post(path+"/holds/"+hold+"/release", nil).ok(201)
	})
	w.run("S2_WhatAPersonalAccountPaidIsTheUsersAndTheTeams", func(t *testing.T) {
		w.Grant(w.User("cid").BookID, 50)
		w.as("cid", "POST", path+"/members/cid/go-personal", nil).ok(200)
		spend := w.post(path+"/spends", object{"user_id": "cid", "credits": 3}).ok(201)["id"].(string)
		hold := w.post(path+"/holds", object{"user_id": "cid", "credits": 4}).ok(201)["id"].(string)
		own := w.post("/v1/users/cid/holds", object{"credits": 5, "expires_in": 60}).ok(201)["id"].(string)
		for _, at := range []string{path, "/v1/users/cid"} {
			if v := w.as("cid", "GET", at+"/spends/"+spend, nil).ok(200); v["team_id"] != "acme" || v["credits"] != 3.0 {
				t.Errorf("%s: %v", at, v)
			}
			if v := w.as("cid", "GET", at+"/holds/"+hold, nil).ok(200); v["team_id"] != "acme" || v["state"] != "open" {
				t.Errorf("%s: %v", at, v)
			}
		}
		w.get("/v1/teams/other/holds/"+hold).refused(404, "hold_not_found")
		w.get(path+"/holds/"+own).refused(404, "hold_not_found")
		w.as("bob", "GET", path+"/holds/"+hold, nil).refused(403, "role_forbids")
		w.as("bob", "GET", "/v1/users/cid/holds/"+own, nil).refused(404, "user_not_found")
		if ids := w.all("/v1/users/cid/holds?limit=1", "id"); !slices.Equal(ids, []string{own, hold}) {
			t.Errorf("cid's holds: %v, want %s and %s", ids, own, hold)
		}
		w.as("bob", "GET", "/v1/users/cid/holds", nil).refused(404, "user_not_found")
	})
}

func TestOpenHolds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Team("acme", "ann", 100)
	w.Join("acme", "bob", teams.Plain)
	const path = "/v1/teams/acme/holds"
	hold := func(user string, seconds int) string {
		return w.post(path, object{"user_id": user, "credits": 1, "expires_in": seconds}).ok(201)["id"].(string)
	}
	late, early, same, also := hold("ann", 300), hold("bob", 60), hold("ann", 120), hold("bob", 120)
	gone := hold("ann", 90)
	w.post(path+"/"+gone+"/release", nil).ok(201)
	w.run("AreListedByTheirEnd", func(t *testing.T) {
		if ids := w.all(path+"?limit=1", "id"); !slices.Equal(ids, []string{early, same, also, late}) {
			t.Errorf("%v", ids)
		}
		if ids := w.all(path+"?limit=3", "id"); len(ids) != 4 {
			t.Errorf("%v", ids)
		}
	})
	w.run("OfOneMember", func(t *testing.T) {
		if ids := w.all(path+"?limit=1&user_id=bob", "id"); !slices.Equal(ids, []string{early, also}) {
			t.Errorf("%v", ids)
		}
		own := w.as("bob", "GET", path, nil).ok(200)["items"].([]any)
		if len(own) != 2 || own[0].(object)["id"] != early {
			t.Errorf("bob sees %v", own)
		}
		w.as("bob", "GET", path+"?user_id=ann", nil).refused(403, "role_forbids")
		w.as("eve", "GET", path, nil).refused(404, "team_not_found")
	})
	w.run("WhatHasEndedIsGone", func(t *testing.T) {
		w.Clock.Advance(2 * time.Minute)
		if ids := w.all(path+"?limit=1", "id"); !slices.Equal(ids, []string{late}) {
			t.Errorf("%v", ids)
		}
		for _, odd := range []string{"aG9sZHMKeA", "aG9sZHMKMjAyNi0wMy0xMFQxMjowMDowMFogeA"} {
			w.get(path+"?cursor="+url.QueryEscape(odd)).refused(422, "cursor_invalid")
		}
	})
}
