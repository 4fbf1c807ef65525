package api_test

import (
	"bytes"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/teams"
)

func TestPortal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme := w.Team("acme", "ann", 0)
	sub := w.Subscribe(acme, 3)
	w.Join("acme", "bob", teams.Plain)
	w.Join("acme", "adm", teams.Admin)
	const ofTeam, ofAnn = "/v1/teams/acme/billing-portal-sessions", "/v1/users/ann/billing-portal-sessions"
	body := object{"return_url": "https://app.example.com/team"}
	with := func(more object) object {
		b := object{"return_url": body["return_url"]}
		for name, v := range more {
			b[name] = v
		}
		return b
	}
	w.run("E5_LeadsStraightToTheSeatsUnderOneKeyToOneSession", func(t *testing.T) {
		r := request{method: "POST", path: ofTeam, user: "ann", key: "seats", body: with(object{"flow": "seats"})}
		first := w.do(r)
		v := first.ok(201)
		asked := w.stripe.portals()[0]
		if asked.CustomerID != "cus_ann" || asked.SubscriptionID != sub || asked.Flow != billing.PortalUpdate || asked.ReturnURL != "https://app.example.com/team" {
			t.Errorf("%+v", asked)
		}
		if v["url"] != "https://portal.example/"+asked.Key || v["subscription_id"] != sub || v["customer_id"] != "cus_ann" {
			t.Errorf("%v", v)
		}
		if again := w.do(r); !bytes.Equal(first.raw, again.raw) || len(w.stripe.portals()) != 1 {
			t.Errorf("L6: again %s, asked %d times", again.raw, len(w.stripe.portals()))
		}
		other := r
		other.body = with(object{"flow": "cancel"})
		w.do(other).refused(409, "key_reused")
		other.user = "eve"
		w.do(other).refused(404, "team_not_found") // S4: before the key
		other = r
		other.auth = w.newKey(teams.ScopeManage)
		w.do(other).refused(409, "answer_sealed")
	})
	w.run("E4_AsksWithTheSameKeyAgainWhenStripeWasAway", func(t *testing.T) {
		asked := len(w.stripe.portals())
		r := request{method: "POST", path: ofTeam, key: "later", body: body}
		w.expectAway(func() {
			w.stripe.fail(billing.ErrStripeUnavailable)
			w.do(r).refused(503, "stripe_away")
			w.stripe.fail(nil)
		})
		w.do(r).ok(201)
		r.key = "another"
		w.do(r).ok(201)
		calls := w.stripe.portals()[asked:]
		if len(calls) != 3 || calls[0].Key != calls[1].Key || calls[1].Key == calls[2].Key || calls[0].Flow != billing.PortalFront {
			t.Errorf("%+v", calls)
		}
	})
	w.run("AtOnceWithOneKeyIsOneAnswer", func(t *testing.T) {
		var wg sync.WaitGroup
		answers := make([]reply, 8)
		for n := range answers {
			wg.Go(func() {
				var err error
				if answers[n], err = w.try(request{method: "POST", path: ofTeam, key: "rush", body: body}); err != nil {
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
	w.run("T1_OpensForTheSubscriptionsOwnerOnly", func(t *testing.T) {
		w.as("bob", "POST", ofTeam, body).refused(403, "role_forbids")
		w.as("adm", "POST", ofTeam, body).refused(403, "role_forbids")
		w.as("eve", "POST", ofTeam, body).refused(404, "team_not_found")
		w.as("bob", "POST", ofAnn, body).refused(404, "user_not_found")
		w.as("ann", "POST", "/v1/teams/acme/ownership", object{"user_id": "adm"}).ok(200)
		w.as("adm", "POST", ofTeam, body).refused(403, "role_forbids")
		w.post("/v1/teams/acme/members/changes", object{"changes": []object{{"user_id": "ann", "remove": true}}}).ok(200)
		w.as("ann", "POST", ofTeam, body).ok(201)
		w.post("/v1/teams/acme/suspend", nil).ok(200) // T16: it stops spends, not bills
		w.as("ann", "POST", ofTeam, body).ok(201)
		w.post("/v1/teams/acme/resume", nil).ok(200)
	})
	w.run("OfAUserFindsTheSubscription", func(t *testing.T) {
		last := func() billing.PortalIn { all := w.stripe.portals(); return all[len(all)-1] }
		w.as("ann", "POST", ofAnn, body).ok(201)
		if in := last(); in.CustomerID != "cus_ann" || in.SubscriptionID != "" {
			t.Errorf("%+v", in)
		}
		w.as("ann", "POST", ofAnn, with(object{"flow": "seats"})).refused(409, "no_subscription") // hers is the team's
		w.as("ann", "POST", ofAnn, with(object{"flow": "seats", "subscription_id": sub})).ok(201)
		if in := last(); in.SubscriptionID != sub || in.Flow != billing.PortalUpdate {
			t.Errorf("%+v", in)
		}
		one := w.Subscribe(acme, 1) // on her personal account, since acme has one
		w.as("ann", "POST", ofAnn, with(object{"flow": "payment_method"})).ok(201)
		if in := last(); in.SubscriptionID != one || in.Flow != billing.PortalPaymentMethod {
			t.Errorf("%+v", in)
		}
		w.as("ann", "POST", ofAnn, with(object{"flow": "cancel"})).ok(201)
		w.Subscribe(acme, 2)
		w.as("ann", "POST", ofAnn, with(object{"flow": "cancel"})).refused(422, "subscription_unnamed")
	})
	w.run("IsRefused", func(t *testing.T) {
		w.Team("bare", "ben", 0)
		w.as("ben", "POST", "/v1/teams/bare/billing-portal-sessions", body).refused(409, "no_subscription")
		w.post("/v1/teams/none/billing-portal-sessions", body).refused(404, "team_not_found")
		w.as("ben", "POST", "/v1/users/ben/billing-portal-sessions", body).refused(404, "customer_not_found")
		w.post("/v1/users/none/billing-portal-sessions", body).refused(404, "user_not_found")
		w.post(ofAnn, with(object{"subscription_id": "sub_none"})).refused(404, "subscription_not_found")
		w.post(ofTeam, object{"return_url": "javascript:x"}).refused(422, "request_invalid")
		w.post(ofTeam, with(object{"flow": "other"})).refused(422, "request_invalid")
		w.Must(func(tx pgx.Tx) error { return billing.MarkCustomerDeleted(t.Context(), tx, "cus_ann", w.Clock.Now()) })
		w.post(ofTeam, body).refused(404, "customer_not_found")
	})
}
