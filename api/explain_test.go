package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/teams"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Subscribe(w.Team("acme", "ann", 50), 3)
	w.Join("acme", "bob", teams.Plain)
	w.Join("acme", "cid", teams.Plain)
	sentences := func(v object) string { return strings.Trim(fmt.Sprint(v["sentences"]), "[]") }
	w.post("/v1/teams/acme/allocations", object{"user_id": "bob", "credits": 40}).ok(201)
	w.post("/v1/teams/acme/allocations", object{"user_id": "cid", "credits": 11}).ok(201)
	w.post("/v1/teams/acme/members/changes", object{"changes": []object{{"user_id": "bob", "limit": object{"kind": "period", "credits": 100}}}}).ok(200)
	w.post("/v1/teams/acme/spends", object{"user_id": "bob", "credits": 60}).ok(201)
	w.run("N2_APoolSaysWhyAndWhatComesNext", func(t *testing.T) {
		for _, user := range []string{"", "ann", "bob"} {
			r := w.as(user, "GET", "/v1/teams/acme/explain", nil)
			v := r.ok(200)
			if v["pool"].(object)["total"] != 3050.0 || v["pool"].(object)["used"] != 60.0 {
				t.Errorf("%v", v["pool"])
			}
			if !strings.Contains(sentences(v), `Plan "team" is active with 3 seats`) || !strings.Contains(sentences(v), "3000 credits were granted") {
				t.Errorf("%s", sentences(v))
			}
			var grant object
			for _, f := range v["next"].([]any) {
				if f.(object)["kind"] == "grant" {
					grant = f.(object)
				}
			}
			if grant["credits"] != 3000.0 || grant["if"] != "the renewal is paid" || grant["at"] != "2026-04-10T12:00:00Z" {
				t.Errorf("%v", v["next"])
			}
			w.Clock.Advance(time.Second)
			if again := w.do(request{method: "GET", path: "/v1/teams/acme/explain", user: user, header: map[string]string{"If-None-Match": r.header.Get("ETag")}}); again.status != 304 {
				t.Errorf("a second later: %d", again.status)
			}
		}
		w.as("eve", "GET", "/v1/teams/acme/explain", nil).refused(404, "team_not_found")
		w.get("/v1/teams/none/explain").refused(404, "team_not_found")
	})
	w.run("N2_WhyTheAutomaticTopUpDidOrDidNotBuy", func(t *testing.T) {
		topUp := func(user string) (object, string) {
			v := w.as(user, "GET", "/v1/teams/acme/explain", nil).ok(200)
			up, _ := v["auto_top_up"].(object)
			return up, sentences(v)
		}
		if up, said := topUp("ann"); up["state"] != "off" || up["team_id"] != "acme" || up["last_purchase"] != nil || !strings.Contains(said, "Automatic top-up is off") {
			t.Errorf("never set: %v, %s", up, said)
		}
		w.do(request{method: "PUT", path: "/v1/teams/acme/auto-top-up", body: object{
			"on": true, "threshold": 100, "pack": "pack_1000", "credits_per_month_max": 5000, "amount_per_month_max": 100_000,
		}}).ok(200)
		if up, said := topUp(""); up["state"] != "ready" || !strings.Contains(said, "buys pack_1000 once 100 credits or fewer are available; there are ") {
			t.Errorf("ready: %v, %s", up, said)
		}
		w.Must(func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), `UPDATE auto_top_ups SET state = 'suspended', reason = 'hard_decline', declines = 1, series_at = $1, check_at = NULL`, w.Clock.Now())
			if err == nil {
				_, err = tx.Exec(t.Context(), `
					INSERT INTO purchases (id, book_id, team_id, user_id, customer_id, pack, credits, state, created_by, created_at, kind, attempt, decline_code)
					SELECT 'top_1', book_id, id, owner_id, 'cus_ann', 'pack_1000', 1000, 'failed', 'auto_top_up', $1, 'auto', 1, 'lost_card' FROM teams WHERE id = 'acme'`, w.Clock.Now())
			}
			return err
		})
		up, said := topUp("ann")
		if up["state"] != "suspended" || up["reason"] != "hard_decline" || fmt.Sprint(up["helps"]) != "[change_card switch_on]" ||
			up["last_purchase"].(object)["decline_code"] != "lost_card" || !strings.Contains(said, "never to try this card again") || !strings.Contains(said, "was declined: lost_card.") {
			t.Errorf("suspended: %v, %s", up, said)
		}
		// How the team pays is no plain member's business.
		if up, said := topUp("bob"); up != nil || strings.Contains(said, "top-up") {
			t.Errorf("bob sees %v, %s", up, said)
		}
	})
	w.run("N2_APersonalAccount", func(t *testing.T) {
		w.Grant(w.User("bob").BookID, 5)
		v := w.as("bob", "GET", "/v1/users/bob/explain", nil).ok(200)
		if v["pool"].(object)["total"] != 5.0 || !strings.Contains(sentences(v), "There is no subscription") {
			t.Errorf("%v", v)
		}
		w.as("ann", "GET", "/v1/users/bob/explain", nil).refused(404, "user_not_found")
		w.get("/v1/users/none/explain").refused(404, "user_not_found")
	})
	w.run("N2_AMemberSeesOneselfAndNobodyElse", func(t *testing.T) {
		for _, user := range []string{"", "ann", "bob"} {
			v := w.as(user, "GET", "/v1/teams/acme/members/bob/explain", nil).ok(200)
			m, access := v["member"].(object), v["access"].(object)
			if m["used"] != 60.0 || m["remaining"] != 0.0 || access["available"] != 80.0 || access["may_spend"] != true {
				t.Errorf("%v", v)
			}
			text := sentences(v)
			for _, said := range []string{"No credits are set aside", "draw 100 from the pool until 2026-04-10 12:00 UTC: 20 are drawn, 80 are left", "80 can be drawn now"} {
				if !strings.Contains(text, said) {
					t.Errorf("it doesn't say %q: %s", said, text)
				}
			}
			if strings.Contains(text, "cid") || strings.Contains(text, "11 ") {
				t.Errorf("it tells of cid: %s", text)
			}
		}
		w.as("cid", "GET", "/v1/teams/acme/members/bob/explain", nil).refused(403, "role_forbids")
		w.as("eve", "GET", "/v1/teams/acme/members/bob/explain", nil).refused(404, "team_not_found")
		w.get("/v1/teams/acme/members/eve/explain").refused(404, "member_not_found")
	})
	w.run("T7_ARefusalIsForetold", func(t *testing.T) {
		w.as("cid", "POST", "/v1/teams/acme/members/cid/go-personal", nil).ok(200)
		v := w.as("cid", "GET", "/v1/teams/acme/members/cid/explain", nil).ok(200)
		text := sentences(v)
		for _, said := range []string{"by the member's own choice", "11 credits are set aside", "refused now", "personal_account_empty"} {
			if !strings.Contains(text, said) {
				t.Errorf("it doesn't say %q: %s", said, text)
			}
		}
		// What was set aside is monthly credits: they roll over or expire, and are cid's alone.
		var sum float64
		for _, f := range v["next"].([]any) {
			sum += f.(object)["credits"].(float64)
		}
		if sum != 11 {
			t.Errorf("cid's forecast: %v", v["next"])
		}
	})
}
