package api_test

import (
	"bytes"
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/teams"
)

type spendView struct {
	ID, TeamID, UserID string
	Credits, Available int64
	FellBack           bool `json:"fell_back"`
	PaidFrom           []struct {
		Account string
		Credits int64
	} `json:"paid_from"`
}

type poolNumbers struct {
	Total, Used, Held, Allocated, Frozen, Available  int64
	Monthly, Purchased, Rollover, Bonus, Contributed int64
}

// pool reads a team's pool, which must add up (B12).
func (w *world) pool(team string) poolNumbers {
	w.T.Helper()
	p := into[poolNumbers](w.get("/v1/teams/"+url.PathEscape(team)+"/pool"), 200)
	if p.Total != p.Used+p.Held+p.Allocated+p.Frozen+p.Available || p.Total != p.Monthly+p.Purchased+p.Rollover+p.Bonus+p.Contributed {
		w.T.Errorf("the pool of %s doesn't add up: %+v", team, p)
	}
	return p
}

func TestSpend(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Team("acme", "ann", 100)
	w.Join("acme", "bob", teams.Plain)

	w.run("S3_TheAnswerNamesWhatPaidAndWhatRemains", func(t *testing.T) {
		v := into[spendView](w.post("/v1/teams/acme/spends", object{
			"user_id": "bob", "credits": 30, "reference": "job 7", "memo": "a render", "metadata": object{"b": 1.5, "a": "x"},
		}), 201)
		if v.Credits != 30 || v.Available != 70 || len(v.PaidFrom) != 1 || v.PaidFrom[0].Account != "pool" {
			t.Errorf("got %+v", v)
		}
		if p := w.pool("acme"); p.Used != 30 || p.Available != 70 {
			t.Errorf("the pool is %+v", p)
		}
	})
	w.run("L6_TheSameKeyGetsTheFirstAnswerAndPostsNothing", func(t *testing.T) {
		r := request{method: "POST", path: "/v1/teams/acme/spends", body: object{"user_id": "bob", "credits": 5}, key: "once"}
		first := w.do(r)
		first.ok(201)
		w.Clock.Advance(time.Minute)
		// However it is written: blanks and order mean nothing.
		r.body = `{ "credits": 5,  "user_id": "bob"}`
		again := w.do(r)
		again.ok(201)
		if !bytes.Equal(first.raw, again.raw) || again.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("first %s\nagain %s", first.raw, again.raw)
		}
		w.Must(func(tx pgx.Tx) error {
			_, err := teams.GoPersonal(t.Context(), tx, w.Catalog, "acme", "bob", teams.Actor{User: "ann"}, w.Clock.Now())
			return err
		})
		if after := w.do(r); !bytes.Equal(first.raw, after.raw) {
			t.Errorf("after the member's access changed: %s", after.raw)
		}
		if p := w.pool("acme"); p.Used != 35 {
			t.Errorf("used %d", p.Used)
		}
		for _, other := range []request{
			{body: object{"user_id": "bob", "credits": 6}},
			{body: object{"user_id": "bob", "credits": 5}, user: "bob"},
			{path: "/v1/teams/acme/holds", body: object{"user_id": "bob", "credits": 5}},
		} {
			if other.path == "" {
				other.path = r.path
			}
			other.method, other.key = "POST", "once"
			w.do(other).refused(409, "key_reused")
		}
		// S4: whether the member exists comes before the key.
		w.do(request{method: "POST", path: r.path, body: object{"user_id": "nobody", "credits": 5}, key: "once"}).refused(404, "member_not_found")
		w.as("ann", "POST", "/v1/teams/acme/members/bob/go-back", nil)
		w.Must(func(tx pgx.Tx) error {
			access := teams.CreditsAccess
			_, _, err := teams.ChangeMembers(t.Context(), tx, w.Catalog, "acme", []teams.Change{{UserID: "bob", Access: &access}}, teams.Actor{}, w.Clock.Now())
			return err
		})
	})
	w.run("L6_ARefusedSpendIsDecidedAnew", func(t *testing.T) {
		team := w.Team("poor", "pat", 10)
		r := request{method: "POST", path: "/v1/teams/poor/spends", body: object{"user_id": "pat", "credits": 25}, key: "wish"}
		p := w.do(r).refused(402, "pool_empty")
		if p["available"] != 10.0 || len(p["helps"].([]any)) == 0 {
			t.Errorf("T7: it doesn't say what there is and what helps: %v", p)
		}
		w.Grant(team.BookID, 15)
		w.do(r).ok(201)
		if p := w.pool("poor"); p.Used != 25 || p.Available != 0 {
			t.Errorf("the pool is %+v", p)
		}
	})
	w.run("AWriteWithoutAKeyIsRefused", func(t *testing.T) {
		w.do(request{method: "POST", path: "/v1/teams/acme/spends", body: object{"user_id": "bob", "credits": 1}, key: "-"}).refused(422, "key_missing")
		w.do(request{method: "POST", path: "/v1/teams/acme/spends", body: object{"user_id": "bob", "credits": 1}, key: "a b"}).refused(422, "key_invalid")
	})
	w.run("S4_RefusalsComeInTheirOrder", func(t *testing.T) {
		spend := func(team, user string, credits int64) reply {
			return w.post("/v1/teams/"+team+"/spends", object{"user_id": user, "credits": credits})
		}
		spend("nowhere", "bob", 1).refused(404, "team_not_found")
		spend("acme", "nobody", 1).refused(404, "member_not_found")
		spend("acme", "bob", 0).refused(422, "amount_invalid")
		spend("acme", "bob", 1_000_000_000_001).refused(422, "amount_invalid")
		spend("acme", "bob", 1000).refused(402, "pool_empty")
		w.as("bob", "POST", "/v1/teams/acme/spends", object{"user_id": "ann", "credits": 1}).refused(403, "role_forbids")
		w.as("ann", "POST", "/v1/teams/acme/spends", object{"user_id": "bob", "credits": 1}).refused(403, "role_forbids")
		w.as("eve", "POST", "/v1/teams/acme/spends", object{"user_id": "bob", "credits": 1}).refused(404, "team_not_found")
		w.as("bob", "POST", "/v1/teams/acme/spends", object{"user_id": "bob", "credits": 1}).ok(201)
	})
}

func TestHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Team("acme", "ann", 100)
	w.Join("acme", "bob", teams.Plain)
	hold := func(credits int64) string {
		return w.post("/v1/teams/acme/holds", object{"user_id": "bob", "credits": credits, "expires_in": 60}).ok(201)["id"].(string)
	}
	w.run("S1_IsCapturedInPartAndTheRestReleased", func(t *testing.T) {
		id := hold(40)
		if p := w.pool("acme"); p.Held != 40 || p.Available != 60 {
			t.Errorf("held: %+v", p)
		}
		r := request{method: "POST", path: "/v1/teams/acme/holds/" + id + "/capture", body: object{"credits": 25}, key: "capture"}
		first := w.do(r)
		v := first.ok(201)
		if v["credits"] != 25.0 || v["released"] != 15.0 || v["hold_id"] != id || v["available"] != 75.0 || v["user_id"] != "bob" {
			t.Errorf("captured: %v", v)
		}
		if again := w.do(r); !bytes.Equal(first.raw, again.raw) {
			t.Errorf("again: %s", again.raw)
		}
		w.post("/v1/teams/acme/holds/"+id+"/capture", nil).refused(409, "hold_settled")
		w.post("/v1/teams/acme/holds/"+id+"/release", nil).refused(409, "hold_settled")
		w.post("/v1/teams/acme/spends/"+v["id"].(string)+"/reversals", object{"credits": 26}).refused(422, "more_than_spent")
		if back := w.post("/v1/teams/acme/spends/"+v["id"].(string)+"/reversals", object{"credits": 5}).ok(201); back["available"] != 80.0 {
			t.Errorf("reversed: %v", back)
		}
		if back := w.post("/v1/teams/acme/spends/"+v["id"].(string)+"/reversals", nil).ok(201); back["credits"] != 20.0 {
			t.Errorf("the rest: %v", back)
		}
	})
	w.run("S1_IsCapturedWholeWithoutABody", func(t *testing.T) {
		id := hold(10)
		if v := w.post("/v1/teams/acme/holds/"+id+"/capture", nil).ok(201); v["credits"] != 10.0 || v["released"] != 0.0 {
			t.Errorf("captured: %v", v)
		}
	})
	w.run("S1_CapturingNothingReleases", func(t *testing.T) {
		id := hold(10)
		if v := w.post("/v1/teams/acme/holds/"+id+"/capture", object{"credits": 0}).ok(201); v["credits"] != 0.0 || v["released"] != 10.0 {
			t.Errorf("captured: %v", v)
		}
		if p := w.pool("acme"); p.Held != 0 {
			t.Errorf("held %d", p.Held)
		}
	})
	w.run("S1_IsReleased", func(t *testing.T) {
		id := hold(10)
		w.as("eve", "POST", "/v1/teams/acme/holds/"+id+"/release", nil).refused(404, "team_not_found")
		if v := w.as("bob", "POST", "/v1/teams/acme/holds/"+id+"/release", nil).ok(201); v["credits"] != 10.0 || v["available"] != 90.0 {
			t.Errorf("released: %v", v)
		}
	})
	w.run("S1_MoreThanIsHeldIsRefused", func(t *testing.T) {
		w.post("/v1/teams/acme/holds/"+hold(10)+"/capture", object{"credits": 11}).refused(422, "more_than_held")
	})
	w.run("S1_EndsByItself", func(t *testing.T) {
		id := hold(10)
		before := w.pool("acme").Available
		w.Clock.Advance(2 * time.Minute)
		if p := w.pool("acme"); p.Held != 0 || p.Available != before+20 { // the one above ended too
			t.Errorf("after its end: %+v, before %d", p, before)
		}
		w.post("/v1/teams/acme/holds/"+id+"/capture", nil).refused(409, "hold_expired")
	})
	w.run("LivesADayAtMost", func(t *testing.T) {
		w.post("/v1/teams/acme/holds", object{"user_id": "bob", "credits": 1, "expires_in": 86401}).refused(422, "request_invalid")
	})
	w.run("AnotherTeamsIsUnknown", func(t *testing.T) {
		w.Team("other", "olga", 10)
		id := hold(1)
		w.post("/v1/teams/other/holds/"+id+"/capture", nil).refused(404, "hold_not_found")
		w.post("/v1/teams/other/holds/"+id+"/release", nil).refused(404, "hold_not_found")
		for _, odd := range []string{"hold_0_1", "hold_1", "ent_1_1", "hold_9223372036854775807_1", "hold_1_99999999999999999999", "hold_+1_1", "x"} {
			w.post("/v1/teams/acme/holds/"+odd+"/release", nil).refused(404, "hold_not_found")
			w.post("/v1/teams/acme/spends/"+odd+"/reversals", nil).refused(404, "spend_not_found")
		}
	})
	w.run("OnlyAdminsGiveSpendsBack", func(t *testing.T) {
		id := w.as("bob", "POST", "/v1/teams/acme/spends", object{"user_id": "bob", "credits": 3}).ok(201)["id"].(string)
		w.as("bob", "POST", "/v1/teams/acme/spends/"+id+"/reversals", nil).refused(403, "role_forbids")
		w.as("ann", "POST", "/v1/teams/acme/spends/"+id+"/reversals", nil).ok(201)
	})
}

func TestPersonalSpend(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Team("acme", "ann", 100)
	w.Join("acme", "bob", teams.Plain)
	w.Grant(w.User("bob").BookID, 50)
	w.Must(func(tx pgx.Tx) error {
		_, err := teams.GoPersonal(t.Context(), tx, w.Catalog, "acme", "bob", teams.Actor{User: "bob"}, w.Clock.Now())
		return err
	})
	w.run("S2_IsPaidByThePersonalAccountAndAnsweredAgain", func(t *testing.T) {
		r := request{method: "POST", path: "/v1/teams/acme/spends", body: object{"user_id": "bob", "credits": 20}, key: "mine"}
		first := w.do(r)
		v := into[spendView](first, 201)
		if v.PaidFrom[0].Account != "personal" || v.Available != 30 {
			t.Errorf("got %+v", v)
		}
		if again := w.do(r); !bytes.Equal(first.raw, again.raw) {
			t.Errorf("first %s\nagain %s", first.raw, again.raw)
		}
		w.Team("other", "olga", 5)
		w.Join("other", "bob", teams.Plain)
		w.post("/v1/teams/other/spends/"+v.ID+"/reversals", nil).refused(404, "spend_not_found")
		if back := w.post("/v1/teams/acme/spends/"+v.ID+"/reversals", nil).ok(201); back["available"] != 50.0 {
			t.Errorf("reversed: %v", back)
		}
	})
	w.run("S1_HoldsAreCapturedAndAnsweredAgain", func(t *testing.T) {
		r := request{method: "POST", path: "/v1/teams/acme/holds", body: object{"user_id": "bob", "credits": 20}, key: "hold mine"}
		r.key = "hold-mine"
		first := w.do(r)
		v := first.ok(201)
		if again := w.do(r); !bytes.Equal(first.raw, again.raw) {
			t.Errorf("first %s\nagain %s", first.raw, again.raw)
		}
		c := request{method: "POST", path: "/v1/teams/acme/holds/" + v["id"].(string) + "/capture", body: object{"credits": 5}, key: "capture-mine"}
		captured := w.do(c)
		if got := captured.ok(201); got["user_id"] != "bob" || got["released"] != 15.0 || got["available"] != 45.0 {
			t.Errorf("captured: %v", got)
		}
		if again := w.do(c); !bytes.Equal(captured.raw, again.raw) {
			t.Errorf("first %s\nagain %s", captured.raw, again.raw)
		}
	})
}
