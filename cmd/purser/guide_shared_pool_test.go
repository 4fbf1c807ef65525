package main

import (
	"testing"
	"time"
)

// Shared pool: a subscription of so many seats is assigned to a team, and its members draw
// from one pool, each by an access type and up to a limit.
func TestGuideSharedPool(t *testing.T) {
	t.Parallel()
	g := newGuide(t, nil)
	var subscription string
	change := func(changes string) reply {
		return g.as("olga").post("/v1/teams/acme/members/changes", `{"changes": [`+changes+`]}`)
	}

	g.step("T2_CreatingATeamAssignsTheSubscription", func() {
		_, subscription = g.subscribe("team_monthly", "3", "purser_user", "olga")
		g.account("olga", `{"plan": "team", "seats": 3, "monthly_per_seat": 1000, "total": 3000, "monthly": 3000, "available": 3000}`)

		g.as("olga").post("/v1/teams", `{"id": "acme", "owner_id": "olga", "name": "Acme"}`).answers(`{"owner_id": "olga", "sharing": "pool"}`)
		g.pool("acme", `{"plan": "team", "status": "active", "seats": 3, "total": 3000, "monthly": 3000, "available": 3000,
			"period_start": "2026-01-15T09:00:00Z", "period_end": "2026-02-15T09:00:00Z"}`)
		g.account("olga", `{"plan": "", "seats": 0, "total": 0}`)
		g.as("olga").get("/v1/teams/acme/members").answers(`{"items": [{"user_id": "olga", "role": "owner", "access": "seat"}]}`)
	})
	g.step("T3_T4_InviteWithEachAccessType", func() {
		g.later(time.Minute)
		g.joins("acme", "olga", "ann", `{"email": "ann@acme.example", "access": "seat"}`)
		g.later(time.Minute)
		g.joins("acme", "olga", "ben", `{"email": "ben@acme.example", "role": "admin", "access": "seat", "limit": {"kind": "period", "credits": 500}}`)
		g.joins("acme", "olga", "cleo", `{"email": "cleo@acme.example"}`)
		g.joins("acme", "ben", "dora", `{"email": "dora@acme.example", "access": "personal"}`)
		g.as("olga").post("/v1/teams/acme/invitations", `{"email": "eve@acme.example", "access": "seat"}`).refused(409, "no_seat_free")

		// One call answers which features and which credits a member has.
		g.as("ann").get("/v1/teams/acme/members/ann/access").answers(`{"access": "seat", "features": ["shared_pool", "exports"], "plan": "team",
			"features_of": "team", "credits_of": "team", "available": 3000, "may_spend": true}`)
		g.as("ben").get("/v1/teams/acme/members/ben/access").answers(`{"features_of": "team", "available": 500, "limit_state": {"credits": 500, "left": 500}}`)
		g.as("cleo").get("/v1/teams/acme/members/cleo/access").answers(`{"access": "credits", "features": [], "plan": "",
			"features_of": "user", "credits_of": "team", "available": 3000, "may_spend": true}`)
		g.as("dora").get("/v1/teams/acme/members/dora/access").answers(`{"access": "personal", "features_of": "user", "credits_of": "user",
			"available": 0, "may_spend": false, "refusal": "personal_account_empty", "helps": ["buy_pack"]}`)
	})
	g.step("S2_T6_MembersDrawFromOnePoolUpToTheirLimits", func() {
		g.as("ann").post("/v1/teams/acme/spends", `{"user_id": "ann", "credits": 700}`).
			answers(`{"available": 2300, "paid_from": [{"account": "pool", "credits": 700}]}`)
		g.as("cleo").post("/v1/teams/acme/spends", `{"user_id": "cleo", "credits": 300}`).answers(`{"available": 2000}`)
		g.as("ben").post("/v1/teams/acme/spends", `{"user_id": "ben", "credits": 400}`).answers(`{"available": 100}`)
		g.as("ben").post("/v1/teams/acme/spends", `{"user_id": "ben", "credits": 200}`).refused(402, "limit_reached",
			`{"available": 100, "limit": {"kind": "period", "credits": 500, "used": 400, "left": 100, "resets_at": "2026-02-15T09:00:00Z"},
			  "helps": ["raise_limit", "allocate", "wait_for_reset", "go_personal"]}`)
		g.pool("acme", `{"total": 3000, "used": 1400, "available": 1600}`)
	})
	g.step("T7_GoingPersonalAndComingBack", func() {
		g.as("ben").post("/v1/teams/acme/members/ben/go-personal", ``).answers(`{"access": "personal", "seat_at": null}`)
		g.as("ben").post("/v1/teams/acme/spends", `{"user_id": "ben", "credits": 200}`).
			refused(402, "personal_account_empty", `{"available": 0, "helps": ["buy_pack"]}`)
		g.buys("ben", "/v1/users/ben", "pack_1000")
		g.as("ben").post("/v1/teams/acme/spends", `{"user_id": "ben", "credits": 200}`).
			answers(`{"available": 800, "paid_from": [{"account": "personal", "credits": 200, "lots": [{"source": "purchase"}]}]}`)
		g.account("ben", `{"total": 1000, "purchased": 1000, "used": 200, "available": 800}`)
		g.pool("acme", `{"total": 3000, "used": 1400, "available": 1600}`) // not the team's

		// Back to the seat only while it is free.
		change(`{"user_id": "cleo", "access": "seat"}`).answers(`{"results": [{"member": {"access": "seat"}}]}`)
		g.as("ben").post("/v1/teams/acme/members/ben/go-back", ``).refused(409, "no_seat_free")
		change(`{"user_id": "cleo", "access": "credits"}`).answers(`{"results": [{"member": {"access": "credits"}}]}`)
		g.later(time.Minute)
		g.as("ben").post("/v1/teams/acme/members/ben/go-back", ``).answers(`{"access": "seat", "seat_at": "2026-01-15T09:03:00Z"}`)

		// Raising the limit doesn't reset what was used: 600 are left, then 400.
		change(`{"user_id": "ben", "limit": {"kind": "period", "credits": 1000}}`).answers(`{"results": [{"user_id": "ben"}]}`)
		g.as("ben").get("/v1/teams/acme/members/ben/access").answers(`{"available": 600, "limit_state": {"used": 400, "left": 600}}`)
		g.as("ben").post("/v1/teams/acme/spends", `{"user_id": "ben", "credits": 200}`).answers(`{"available": 400}`)
		g.pool("acme", `{"total": 3000, "used": 1600, "available": 1400}`)
	})
	g.step("T4_AccessOneByOneAndInBulk", func() {
		g.later(time.Minute)
		// A seat that one gives up another may take.
		change(`{"user_id": "cleo", "access": "seat"}, {"user_id": "ann", "access": "credits"}`).
			answers(`{"results": [{"member": {"user_id": "cleo", "access": "seat"}}, {"member": {"user_id": "ann", "access": "credits"}}]}`)
		// All or nothing: Dora stays personal since there is no seat for Ann.
		change(`{"user_id": "dora", "access": "credits"}, {"user_id": "ann", "access": "seat"}`).
			refused(409, "no_seat_free", `{"rows": [{"user_id": "dora"}, {"user_id": "ann", "code": "no_seat_free"}]}`)
		g.as("olga").get("/v1/teams/acme/members").answers(`{"items": [{"user_id": "ann", "access": "credits"}, {"user_id": "ben", "access": "seat"},
			{"user_id": "cleo", "access": "seat"}, {"user_id": "dora", "access": "personal"}, {"user_id": "olga", "access": "seat"}]}`)
		change(`{"user_id": "dora", "access": "credits"}`).answers(`{"results": [{"member": {"access": "credits"}}]}`)
	})
	g.step("B10_SeatsBoughtInThePortalRaiseThePool", func() {
		g.portal("acme", "olga", subscription, seats(5))
		g.pool("acme", `{"seats": 5, "total": 5000, "monthly": 5000, "used": 1600, "available": 3400}`)
		g.later(time.Minute)
		change(`{"user_id": "ann", "access": "seat"}`).answers(`{"results": [{"member": {"seat_at": "2026-01-15T09:05:00Z"}}]}`)
		g.later(time.Minute)
		change(`{"user_id": "dora", "access": "seat"}`).answers(`{"results": [{"member": {"seat_at": "2026-01-15T09:06:00Z"}}]}`)
	})
	g.step("T5_FewerSeatsMakeTheYoungestFallBack", func() {
		g.portal("acme", "olga", subscription, seats(3))
		g.pool("acme", `{"seats": 3, "total": 3000, "monthly": 3000, "used": 1600, "available": 1400}`)
		g.as("olga").get("/v1/teams/acme/members").answers(`{"items": [{"user_id": "ann", "access": "personal"}, {"user_id": "ben", "access": "seat"},
			{"user_id": "cleo", "access": "seat"}, {"user_id": "dora", "access": "personal"}, {"user_id": "olga", "access": "seat"}]}`)
		// Not by themselves, but by an admin they come back to the team's credits.
		g.as("ann").post("/v1/teams/acme/members/ann/go-back", ``).refused(403, "access_set_by_admin")
		change(`{"user_id": "ann", "access": "credits"}`).answers(`{"results": [{"member": {"access": "credits"}}]}`)
		g.as("ann").post("/v1/teams/acme/spends", `{"user_id": "ann", "credits": 100}`).answers(`{"available": 1300}`)
	})
	g.step("T13_UnassignTheSubscription", func() {
		g.as("ben").post("/v1/teams/acme/contributions", `{"user_id": "ben", "credits": 300}`).answers(`{"after": {"from": 500, "to": 1600}}`)
		g.pool("acme", `{"total": 3300, "monthly": 3000, "contributed": 300, "used": 1700, "available": 1600}`)
		g.as("ben").post("/v1/teams/acme/subscription/unassign", ``).refused(403, "role_forbids")

		// 1,300 of the month go along; what Ben put in stays, and so does what was spent.
		g.as("olga").post("/v1/teams/acme/subscription/unassign", ``).answers(`{"account": {"plan": "team", "seats": 3, "total": 1300, "available": 1300}}`)
		g.pool("acme", `{"plan": "", "seats": 0, "total": 2000, "monthly": 1700, "contributed": 300, "used": 1700, "available": 300,
			"period_start": "2026-01-01T00:00:00Z", "period_end": "2026-02-01T00:00:00Z"}`)
		g.account("olga", `{"plan": "team", "seats": 3, "total": 1300, "monthly": 1300, "available": 1300}`)

		// Members with a seat are personal now; Ann keeps drawing on what stays.
		g.as("olga").get("/v1/teams/acme/members").answers(`{"items": [{"user_id": "ann", "access": "credits"}, {"user_id": "ben", "access": "personal"},
			{"user_id": "cleo", "access": "personal"}, {"user_id": "dora", "access": "personal"}, {"user_id": "olga", "access": "personal"}]}`)
		g.as("ann").post("/v1/teams/acme/spends", `{"user_id": "ann", "credits": 50}`).answers(`{"available": 250}`)
		g.as("olga").post("/v1/teams/acme/spends", `{"user_id": "olga", "credits": 100}`).
			answers(`{"available": 1200, "paid_from": [{"account": "personal", "credits": 100}]}`)
		g.as("ben").post("/v1/teams/acme/members/ben/go-back", ``).refused(403, "access_set_by_admin")
		g.as("olga").post("/v1/teams/acme/subscription/unassign", ``).refused(409, "no_subscription")
	})
	g.step("T13_AssignItAgain", func() {
		ask := `{"subscription_id": "` + subscription + `"}`
		g.as("ben").post("/v1/teams/acme/subscription/assign", ask).refused(403, "role_forbids")
		// Nothing is granted again: of 3,000 Olga spent 100 personally.
		g.as("olga").post("/v1/teams/acme/subscription/assign", ask).answers(`{"account": {"total": 100, "used": 100, "available": 0}}`)
		g.pool("acme", `{"plan": "team", "seats": 3, "total": 3200, "monthly": 2900, "contributed": 300, "used": 1750, "available": 1450}`)
		// Its owner has a seat again at once; the others get theirs together.
		change(`{"user_id": "ben", "access": "seat"}, {"user_id": "cleo", "access": "seat"}`).
			answers(`{"results": [{"member": {"access": "seat"}}, {"member": {"access": "seat"}}]}`)
		g.as("olga").get("/v1/teams/acme/members/olga/access").answers(`{"access": "seat", "features_of": "team", "credits_of": "team"}`)
	})
	g.step("B8_T6_TheMonthTurnsAndLimitsBeginAnew", func() {
		g.as("ben").get("/v1/teams/acme/members/ben/access").answers(`{"limit_state": {"used": 600, "left": 400}}`)
		g.until(time.Date(2026, 2, 15, 11, 0, 0, 0, time.UTC))
		// 1,200 of the month are left, fewer than 3 seats × 500: all roll. What Ben put in
		// keeps its own end.
		g.pool("acme", `{"seats": 3, "total": 4450, "monthly": 3000, "rollover": 1200, "contributed": 250, "used": 0, "available": 4450}`)
		g.as("ben").get("/v1/teams/acme/members/ben/access").answers(`{"limit_state": {"used": 0, "left": 1000, "resets_at": "2026-03-15T09:00:00Z"}}`)
	})
	g.step("L9_TheAuditFindsNothing", g.audited)
}
