package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"purser/teams"
)

func TestAutoTopUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Team("acme", "ann", 0)
	w.Join("acme", "bob", teams.Plain)
	good := func(change ...any) object {
		body := object{"on": true, "threshold": 0, "pack": "pack_1000", "credits_per_month_max": 5000, "amount_per_month_max": 100_000}
		for i := 0; i < len(change); i += 2 {
			body[change[i].(string)] = change[i+1]
		}
		return body
	}
	put := func(body object, user string) reply {
		return w.do(request{method: http.MethodPut, path: "/v1/teams/acme/auto-top-up", body: body, user: user})
	}
	w.run("P2_OffUntilSomebodyChooses", func(t *testing.T) {
		got := w.get("/v1/teams/acme/auto-top-up").ok(200)
		if got["on"] != false || got["state"] != "off" || got["changed_at"] != nil || fmt.Sprint(got["helps"]) != "[switch_on]" {
			t.Errorf("nobody chose: %v", got)
		}
	})
	w.run("P2_Refusals", func(t *testing.T) {
		for _, c := range []struct {
			name string
			body object
			user string
			code string
			at   string
		}{
			{"T1_AMemberMayNot", good(), "bob", "role_forbids", ""},
			{"AnotherTeamsIdIsUnknown", good(), "eve", "team_not_found", ""},
			{"NoSuchPack", good("pack", "gold"), "", "pack_not_found", "body.pack"},
			{"BothCapsAreNeeded", good("credits_per_month_max", 0), "", "request_invalid", ""},
			{"TheCapInCreditsBuysNothing", good("credits_per_month_max", 999), "", "caps_invalid", "body.credits_per_month_max"},
			{"TheCapInMoneyBuysNothing", good("amount_per_month_max", 1), "", "caps_invalid", "body.amount_per_month_max"},
			{"AnotherCurrency", good("currency", "eur"), "", "currency_invalid", "body.currency"},
			{"ANegativeThreshold", good("threshold", -1), "", "request_invalid", ""},
		} {
			p := put(c.body, c.user)
			got := p.ok(p.status)
			if got["code"] != c.code {
				t.Errorf("%s: %d %v, want %s", c.name, p.status, got["code"], c.code)
				continue
			}
			if c.at == "" {
				continue
			}
			fields, _ := got["errors"].([]any)
			if len(fields) != 1 || fields[0].(object)["location"] != c.at {
				t.Errorf("%s: the place is %v, want %s", c.name, got["errors"], c.at)
			}
		}
		if got := w.get("/v1/teams/acme/auto-top-up").ok(200); got["state"] != "off" {
			t.Errorf("a refusal changed something: %v", got)
		}
	})
	w.run("P2_SwitchedOnIsDecidedAtOnce", func(t *testing.T) {
		got := put(good(), "ann").ok(200)
		if got["on"] != true || got["currency"] != "usd" || got["next_check_at"] == nil || got["changed_by"] != "ann" {
			t.Errorf("switched on: %v", got)
		}
		again := w.get("/v1/teams/acme/auto-top-up").ok(200)
		if again["state"] != got["state"] || again["pack"] != "pack_1000" || !strings.Contains(again["sentence"].(string), "buys pack_1000 once 0 credits") {
			t.Errorf("read again: %v", again)
		}
	})
	w.run("T15_APersonalAccountHasItsOwn", func(t *testing.T) {
		r := w.do(request{method: http.MethodPut, path: "/v1/users/bob/auto-top-up", body: good(), user: "bob"})
		if got := r.ok(200); got["user_id"] != "bob" || got["team_id"] != nil {
			t.Errorf("bob's: %v", got)
		}
		if r := w.do(request{method: http.MethodGet, path: "/v1/users/bob/auto-top-up", user: "ann"}); r.status != http.StatusNotFound {
			t.Errorf("another's account: %d", r.status)
		}
	})
}
