package api_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"purser/api"
	"purser/billing"
	"purser/teams"
)

func TestBonus(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.team("acme", "ann", 0)
	w.join("acme", "bob", teams.Plain)
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
	w.team("acme", "ann", 100)
	w.join("acme", "bob", teams.Plain)
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
		err := w.db.QueryRow(t.Context(), `
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

func TestCatalogue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plans := w.get("/v1/plans").ok(200)
	team := plans["items"].([]any)[0].(object)
	if team["name"] != "team" || team["monthly_credits"] != 1000.0 || fmt.Sprint(team["packs"]) != "[pack_1000 pack_5000]" || team["prices"].([]any)[0].(object)["lookup_key"] != "team_monthly" {
		t.Errorf("%v", team)
	}
	if without := plans["without_subscription"].(object); without["members_max"] != 5.0 || fmt.Sprint(without["features"]) != "[]" {
		t.Errorf("%v", without)
	}
	if packs := w.get("/v1/packs").ok(200)["items"].([]any); len(packs) != 2 || packs[0].(object)["credits"] != 1000.0 {
		t.Errorf("%v", packs)
	}
}

func TestCheckout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	team := w.team("acme", "ann", 0)
	w.join("acme", "bob", teams.Plain)
	body := object{"pack": "pack_1000", "success_url": "https://app.example.com/ok", "cancel_url": "https://app.example.com/no"}
	w.run("P1_OpensOnePageForOneKey", func(t *testing.T) {
		w.subscribe(team, 1)
		r := request{method: "POST", path: "/v1/teams/acme/checkouts", body: body, user: "ann", key: "buy"}
		first := w.do(r)
		v := first.ok(201)
		if v["state"] != "open" || v["credits"] != 1000.0 || v["created_by"] != "ann" || !strings.HasPrefix(v["url"].(string), "https://checkout.example/") {
			t.Errorf("%v", v)
		}
		if again := w.do(r); !bytes.Equal(first.raw, again.raw) || len(w.stripe.calls()) != 1 {
			t.Errorf("%s, asked %d times", again.raw, len(w.stripe.calls()))
		}
		if asked := w.stripe.calls()[0]; asked.PurchaseID != v["id"] || asked.CustomerID != "cus_ann" || asked.LookupKey != "pack_1000" {
			t.Errorf("%+v", asked)
		}
		path := "/v1/purchases/" + v["id"].(string)
		w.get(path).ok(200)
		w.as("ann", "GET", path, nil).ok(200)
		w.as("bob", "GET", path, nil).refused(404, "purchase_not_found")
		w.as("eve", "GET", path, nil).refused(404, "purchase_not_found")
		w.get("/v1/purchases/none").refused(404, "purchase_not_found")
	})
	w.run("P1_GoesOnWithTheSamePurchaseWhenStripeWasAway", func(t *testing.T) {
		asked := len(w.stripe.calls())
		r := request{method: "POST", path: "/v1/users/bob/checkouts", body: body, key: "later"}
		w.expectAway(func() {
			w.stripe.fail(billing.ErrStripeUnavailable)
			w.do(r).refused(503, "stripe_away")
			w.stripe.fail(fmt.Errorf("no such price: sk_test_secret"))
			if p := w.do(r); strings.Contains(string(p.raw), "sk_test") {
				t.Errorf("it tells what happened inside: %s", p.raw)
			} else {
				p.refused(502, "stripe_refused")
			}
			w.stripe.fail(nil)
		})
		v := w.do(r).ok(201)
		calls := w.stripe.calls()[asked:]
		if len(calls) != 3 || calls[0].PurchaseID != calls[2].PurchaseID || v["id"] != calls[0].PurchaseID || v["user_id"] != "bob" || v["team_id"] != nil {
			t.Errorf("%v %+v", v, calls)
		}
	})
	w.run("ThatWasGivenUpIsNoLongerSold", func(t *testing.T) {
		r := request{method: "POST", path: "/v1/users/bob/checkouts", body: body, key: "never"}
		w.expectAway(func() {
			w.stripe.fail(billing.ErrStripeUnavailable)
			w.do(r).refused(503, "stripe_away")
			w.stripe.fail(nil)
		})
		calls := w.stripe.calls()
		w.must(func(tx pgx.Tx) error {
			return billing.PurchaseLost(t.Context(), tx, calls[len(calls)-1].PurchaseID, "nobody heard of it")
		})
		if p := w.do(r).refused(409, "purchase_failed"); p["detail"] != "nobody heard of it" {
			t.Errorf("%v", p)
		}
	})
	w.run("AtOnceWithOneKeyIsOnePurchase", func(t *testing.T) {
		var wg sync.WaitGroup
		answers := make([]reply, 10)
		for n := range answers {
			wg.Go(func() {
				var err error
				if answers[n], err = w.try(request{method: "POST", path: "/v1/users/ann/checkouts", body: body, key: "rush"}); err != nil {
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
	w.run("IsRefused", func(t *testing.T) {
		buy := func(user, path string, change object) reply {
			b := object{}
			for _, from := range []object{body, change} {
				for name, v := range from {
					b[name] = v
				}
			}
			return w.as(user, "POST", path, b)
		}
		buy("bob", "/v1/teams/acme/checkouts", nil).refused(403, "role_forbids")
		buy("eve", "/v1/teams/acme/checkouts", nil).refused(404, "team_not_found")
		buy("eve", "/v1/users/bob/checkouts", nil).refused(404, "user_not_found")
		buy("", "/v1/users/nobody/checkouts", nil).refused(404, "user_not_found")
		buy("", "/v1/teams/acme/checkouts", object{"pack": "none"}).refused(404, "pack_not_found")
		buy("", "/v1/teams/acme/checkouts", object{"success_url": "javascript:x"}).refused(422, "request_invalid")
		w.do(request{method: "POST", path: "/v1/teams/acme/checkouts", key: "buy", body: object{"pack": "pack_5000", "success_url": "https://x.example", "cancel_url": "https://x.example"}}).refused(409, "key_reused")
		w.do(request{method: "POST", path: "/v1/teams/acme/checkouts", key: "buy", user: "eve", body: body}).refused(404, "team_not_found")
	})
}

func TestSubscriptions(t *testing.T) {
	t.Parallel()
	var staged []billing.EventArgs
	w := newWorld(t, func(c *api.Config) {
		c.Stage = func(_ context.Context, _ pgx.Tx, args []billing.EventArgs) error {
			staged = append(staged, args...)
			return nil
		}
	})
	id := w.subscribe(w.team("acme", "ann", 0), 3)
	w.run("AreSeenByTheirOwner", func(t *testing.T) {
		for _, user := range []string{"", "ann"} {
			v := w.as(user, "GET", "/v1/subscriptions/"+id, nil).ok(200)
			if v["team_id"] != "acme" || v["status"] != "active" || v["user_id"] != "ann" || v["items"].([]any)[0].(object)["quantity"] != 3.0 {
				t.Errorf("%v", v)
			}
			if items := w.as(user, "GET", "/v1/subscriptions?state=placed&team_id=acme", nil).ok(200)["items"].([]any); len(items) != 1 {
				t.Errorf("%v", items)
			}
		}
		w.as("eve", "GET", "/v1/subscriptions/"+id, nil).refused(404, "subscription_not_found")
		if items := w.as("eve", "GET", "/v1/subscriptions", nil).ok(200)["items"].([]any); len(items) != 0 {
			t.Errorf("%v", items)
		}
		w.as("eve", "GET", "/v1/subscriptions?user_id=ann", nil).refused(403, "backend_only")
		w.get("/v1/subscriptions?state=other").refused(422, "request_invalid")
	})
	w.run("B14_ACustomerIsLinkedAndItsEventsWorked", func(t *testing.T) {
		at := w.clock.now()
		w.must(func(tx pgx.Tx) error {
			e := billing.Event{ID: "evt_1", Origin: "webhook", Type: "customer.subscription.updated", CreatedAt: at, ReceivedAt: at, ObjectKind: "subscription", ObjectID: "sub_9", CustomerID: "cus_9", Body: []byte("{}")}
			if _, err := billing.RecordEvent(t.Context(), tx, e); err != nil {
				return err
			}
			return billing.SettleEvent(t.Context(), tx, e.ID, e.CreatedAt, billing.EventUnmatched, "unknown customer", at)
		})
		r := request{method: "PUT", path: "/v1/customers/cus_9", body: object{"user_id": "zoe"}, key: "link"}
		first := w.do(r)
		if v := first.ok(200); v["user_id"] != "zoe" || v["linked_by"] != "backend" {
			t.Errorf("%v", v)
		}
		if again := w.do(r); !bytes.Equal(first.raw, again.raw) || len(staged) != 1 || staged[0].EventID != "evt_1" {
			t.Errorf("%s, staged %v", again.raw, staged)
		}
		w.do(request{method: "PUT", path: "/v1/customers/cus_9", body: object{"user_id": "eve"}}).refused(409, "customer_taken")
		w.as("zoe", "PUT", "/v1/customers/cus_8", object{"user_id": "zoe"}).refused(403, "backend_only")
		if ids := w.all("/v1/customers?limit=1", "id"); strings.Join(ids, " ") != "cus_9 cus_ann" {
			t.Errorf("%v", ids)
		}
		w.as("zoe", "GET", "/v1/customers", nil).refused(403, "backend_only")
	})
}
