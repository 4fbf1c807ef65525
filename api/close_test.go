package api_test

import (
	"bytes"
	"sync"
	"testing"

	"purser/teams"
)

func TestClose(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sub := w.Subscribe(w.Team("acme", "ann", 100), 3)
	w.Join("acme", "bob", teams.Plain)
	w.Join("acme", "adm", teams.Admin)
	w.Grant(w.User("adm").BookID, 30)
	w.as("adm", "POST", "/v1/teams/acme/contributions", object{"user_id": "adm", "credits": 30}).ok(201)
	w.post("/v1/teams/acme/spends", object{"user_id": "bob", "credits": 500}).ok(201)
	token := w.post("/v1/teams/acme/invitations", object{"email": "new@example.com"}).ok(201)["token"]
	const path = "/v1/teams/acme/close"
	w.run("T16_ThePreviewTellsWhatGoesWhereAndChangesNothing", func(t *testing.T) {
		for _, user := range []string{"", "ann"} {
			v := w.as(user, "GET", path+"/preview", nil).ok(200)
			home := v["homeward"].([]any)[0].(object)
			if v["expires"] != 130.0 || len(v["expiring"].([]any)) != 2 || home["user_id"] != "ann" || home["credits"] != 2500.0 || home["subscriptions"].([]any)[0] != sub {
				t.Errorf("%v", v)
			}
			if put := v["contributions"].([]any)[0].(object); put["user_id"] != "adm" || put["put_in"] != 30.0 || put["left"] != 30.0 {
				t.Errorf("%v", put)
			}
			if v["invitations"] != 1.0 || v["open_holds"] != 0.0 || v["team"].(object)["closed_at"] != nil {
				t.Errorf("%v", v)
			}
		}
		if p := w.pool("acme"); p.Total != 3130 {
			t.Errorf("%+v", p)
		}
	})
	w.run("T16_IsRefused", func(t *testing.T) {
		body := object{"expires": 130}
		w.as("bob", "POST", path, body).refused(403, "role_forbids")
		w.as("adm", "POST", path, body).refused(403, "role_forbids")
		w.as("eve", "POST", path, body).refused(404, "team_not_found")
		w.as("adm", "GET", path+"/preview", nil).refused(403, "role_forbids")
		w.as("ann", "POST", path, object{}).refused(422, "request_invalid")
		w.as("ann", "POST", path, object{"expires": -1}).refused(422, "request_invalid")
		if p := w.as("ann", "POST", path, object{"expires": 100}).refused(409, "expiry_unconfirmed"); p["expires"] != 130.0 {
			t.Errorf("%v", p)
		}
		hold := w.post("/v1/teams/acme/holds", object{"user_id": "bob", "credits": 10}).ok(201)
		w.as("ann", "POST", path, body).refused(409, "holds_open")
		w.post("/v1/teams/acme/holds/"+hold["id"].(string)+"/release", nil).ok(201)
	})
	w.run("T16_ClosesOnceUnderOneKey", func(t *testing.T) {
		r := request{method: "POST", path: path, user: "ann", key: "close", body: object{"expires": 130}}
		answers := make([]reply, 6)
		var wg sync.WaitGroup
		for n := range answers {
			wg.Go(func() {
				var err error
				if answers[n], err = w.try(r); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, a := range answers {
			if a.ok(200); !bytes.Equal(a.raw, answers[0].raw) {
				t.Errorf("L6: %s and %s", a.raw, answers[0].raw)
			}
		}
		if v := answers[0].ok(200); v["team"].(object)["closed_at"] != "2026-03-10T12:00:00Z" || v["expires"] != 130.0 {
			t.Errorf("%v", v)
		}
		w.as("ann", "POST", path, object{"expires": 0}).refused(409, "team_closed")
		w.as("ann", "GET", path+"/preview", nil).refused(409, "team_closed")
	})
	w.run("T16_HistoryStaysAndNothingElseHappens", func(t *testing.T) {
		v := w.get("/v1/users/ann/account").ok(200)
		if v["monthly"] != 2500.0 || v["seats"] != 3.0 {
			t.Errorf("%v", v)
		}
		for _, rest := range []string{"", "/pool", "/lots", "/members", "/entries", "/explain", "/members/bob/access", "/members/bob/explain"} {
			w.as("bob", "GET", "/v1/teams/acme"+rest, nil).ok(200)
		}
		if p := w.pool("acme"); p.Used != 500 || p.Total != 500 || p.Available != 0 {
			t.Errorf("%+v", p)
		}
		w.post("/v1/teams/acme/spends", object{"user_id": "bob", "credits": 1}).refused(409, "team_closed")
		w.post("/v1/teams/acme/holds", object{"user_id": "bob", "credits": 1}).refused(409, "team_closed")
		w.as("ann", "POST", "/v1/teams/acme/invitations", object{"email": "x@example.com"}).refused(409, "team_closed")
		w.post("/v1/invitations/accept", object{"token": token, "user_id": "new"}).refused(409, "team_closed")
		w.as("ann", "POST", "/v1/teams/acme/subscription/assign", object{"subscription_id": sub}).refused(409, "team_closed")
		w.as("bob", "POST", "/v1/teams/acme/members/changes", object{"changes": []object{{"user_id": "bob", "remove": true}}}).refused(409, "team_closed")
		w.post("/v1/teams/acme/billing-portal-sessions", object{"return_url": "https://x.example"}).refused(409, "no_subscription")
		if ids := w.all("/v1/teams?owner_id=ann&limit=9", "id"); len(ids) != 1 {
			t.Errorf("%v", ids)
		}
	})
}

// Whatever is spent while a team closes: each spend either went through before, and then
// counts, or is refused.
func TestClose_AmongSpends(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Team("acme", "ann", 10_000)
	var wg sync.WaitGroup
	var mu sync.Mutex
	spent := int64(0)
	for range 8 {
		wg.Go(func() {
			for range 500 {
				r, err := w.try(request{method: "POST", path: "/v1/teams/acme/spends", body: object{"user_id": "ann", "credits": 1}})
				if err != nil || r.status != 201 {
					if err != nil || r.status != 409 {
						t.Errorf("%v %s", err, r.raw)
					}
					return
				}
				mu.Lock()
				spent++
				mu.Unlock()
			}
		})
	}
	var expired int64
	for closed := false; !closed; { // what is confirmed is overtaken until nobody spends for a moment
		expires := w.get("/v1/teams/acme/close/preview").ok(200)["expires"]
		r := w.post("/v1/teams/acme/close", object{"expires": expires})
		if closed = r.status == 200; closed {
			expired = int64(expires.(float64))
		} else {
			r.refused(409, "expiry_unconfirmed")
		}
	}
	wg.Wait()
	p := w.pool("acme")
	if p.Used != spent || p.Used != p.Total || spent+expired != 10_000 {
		t.Errorf("%d were spent and %d expired: %+v", spent, expired, p)
	}
}
