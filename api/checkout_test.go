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
	team := w.Team("acme", "ann", 0)
	w.Join("acme", "bob", teams.Plain)
	body := object{"pack": "pack_1000", "success_url": "https://app.example.com/ok", "cancel_url": "https://app.example.com/no"}
	w.run("P1_OpensOnePageForOneKey", func(t *testing.T) {
		w.Subscribe(team, 1)
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
		w.Must(func(tx pgx.Tx) error {
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
	id := w.Subscribe(w.Team("acme", "ann", 0), 3)
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
		at := w.Clock.Now()
		w.Must(func(tx pgx.Tx) error {
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
