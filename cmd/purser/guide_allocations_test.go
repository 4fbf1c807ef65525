package main

import "testing"

// Pool with allocations: a team without a subscription. Its owner puts credits of her own
// into the pool, sets some aside for a member, takes back what isn't used, and tops the
// pool up again.
func TestGuideAllocations(t *testing.T) {
	t.Parallel()
	g := newGuide(t, nil)

	g.step("T2_ATeamNeedsNoSubscription", func() {
		g.as("olga").post("/v1/teams", `{"id": "band", "owner_id": "olga", "name": "The band", "description": "Four, soon five"}`).
			answers(`{"owner_id": "olga", "sharing": "pool", "fall_back": false}`)
		g.pool("band", `{"plan": "", "seats": 0, "total": 0, "available": 0,
			"period_start": "2026-01-01T00:00:00Z", "period_end": "2026-02-01T00:00:00Z"}`)
	})
	g.step("P1_L11_CreditsOfOnesOwnAreBoughtOrGiven", func() {
		g.buys("olga", "/v1/users/olga", "pack_1000")
		g.backend().post("/v1/users/olga/bonus", `{"credits": 500, "expires_at": "2026-03-01T00:00:00Z", "memo": "Welcome"}`).
			answers(`{"kind": "grant", "credits": 500}`)
		g.account("olga", `{"total": 1500, "purchased": 1000, "bonus": 500, "available": 1500}`)
	})
	g.step("T8_T9_ContributeWithAPreview", func() {
		// What ends first goes first: the bonus on 1 March, then the pack after 12 months.
		moved := `{"kind": "contribution", "credits": 700, "before": {"from": 1500, "to": 0}, "after": {"from": 800, "to": 700},
			"lots": [{"source": "bonus", "credits": 500, "expires_at": "2026-03-01T00:00:00Z"},
			         {"source": "purchase", "credits": 200, "expires_at": "2027-01-15T09:00:00Z"}]}`
		ask := `{"user_id": "olga", "credits": 700, "reason": "Our first tour"}`
		g.as("olga").post("/v1/teams/band/contributions/preview", ask).answers(moved)
		g.pool("band", `{"total": 0}`) // a preview posts nothing
		g.as("olga").post("/v1/teams/band/contributions", ask).answers(moved)

		// In the team they count as put in, whatever they were; they keep their ends.
		g.pool("band", `{"total": 700, "contributed": 700, "bonus": 0, "purchased": 0, "allocated": 0, "available": 700}`)
		g.account("olga", `{"total": 800, "purchased": 800, "bonus": 0, "available": 800}`)
		g.as("olga").post("/v1/teams/band/contributions", `{"user_id": "olga", "credits": 801}`).
			refused(402, "too_few_credits", `{"available": 800}`)
	})
	g.step("T3_InviteByMailAndAccept", func() {
		// A limit of 0 in all: only what is set aside for Ann.
		sent := g.as("olga").post("/v1/teams/band/invitations", `{"email": "ann@band.example", "limit": {"kind": "total", "credits": 0}}`).
			answers(`{"state": "pending", "role": "member", "access": "credits", "expires_at": "2026-01-22T09:00:00Z"}`)
		token := g.linked(sent) // of the link in the mail: https://app.acme.example/join?token=…
		g.as("olga").get("/v1/teams/band/members").answers(`{"items": [{"user_id": "olga", "role": "owner"}]}`)

		accept := `{"token": "` + token + `", "user_id": "ann"}`
		g.backend().post("/v1/invitations/accept", accept).
			answers(`{"team_id": "band", "user_id": "ann", "role": "member", "access": "credits", "limit": {"kind": "total"}}`)
		g.backend().post("/v1/invitations/accept", accept).refused(409, "invitation_settled")
		g.as("olga").get("/v1/teams/band/invitations").answers(`{"items": [{"email": "ann@band.example", "state": "accepted", "user_id": "ann"}]}`)
	})
	g.step("T8_T9_SetSomeAsideForAMember", func() {
		moved := `{"kind": "allocation", "credits": 300, "before": {"from": 700, "to": 0}, "after": {"from": 400, "to": 300},
			"lots": [{"source": "bonus", "credits": 300, "expires_at": "2026-03-01T00:00:00Z"}]}`
		ask := `{"user_id": "ann", "credits": 300, "reason": "Posters"}`
		g.as("olga").post("/v1/teams/band/allocations/preview", ask).answers(moved)
		g.pool("band", `{"total": 700, "allocated": 0, "available": 700}`)
		g.as("olga").post("/v1/teams/band/allocations", ask).answers(moved)
		g.pool("band", `{"total": 700, "allocated": 300, "available": 400}`)
		g.as("olga").get("/v1/teams/band/members").answers(`{"items": [
			{"user_id": "ann", "allocated": 300, "remaining": 300, "used": 0, "available": 300},
			{"user_id": "olga", "allocated": 0, "remaining": 0, "used": 0, "available": 400}]}`)
		g.as("ann").get("/v1/users/ann/teams").answers(`{"items": [{"team": {"id": "band"}, "role": "member", "allocated": 300, "remaining": 300}]}`)
	})
	g.step("S2_TheMemberSpends", func() {
		g.as("ann").post("/v1/teams/band/spends", `{"user_id": "ann", "credits": 120, "reference": "poster-1"}`).
			answers(`{"credits": 120, "available": 180, "paid_from": [{"account": "allocation", "credits": 120}]}`)
		g.pool("band", `{"total": 700, "used": 120, "allocated": 180, "available": 400}`)

		// 200 would need 20 of the pool, and Ann may draw none of it.
		ask := `{"user_id": "ann", "credits": 200, "reference": "poster-2"}`
		g.as("ann").post("/v1/teams/band/spends", ask).refused(402, "limit_reached",
			`{"available": 180, "limit": {"kind": "total", "credits": 0, "used": 0, "left": 0}, "helps": ["raise_limit", "allocate", "go_personal"]}`)
		g.as("olga").post("/v1/teams/band/members/changes", `{"changes": [{"user_id": "ann", "limit": {"kind": "total", "credits": 100}}]}`).
			answers(`{"results": [{"user_id": "ann"}]}`)
		g.as("ann").post("/v1/teams/band/spends", ask).answers(`{"credits": 200, "available": 80, "paid_from": [
			{"account": "allocation", "credits": 180, "lots": [{"source": "bonus", "credits": 180}]},
			{"account": "pool", "credits": 20, "lots": [{"source": "bonus", "credits": 20}]}]}`)
		g.pool("band", `{"total": 700, "used": 320, "allocated": 0, "available": 380}`)
		g.as("ann").get("/v1/teams/band/members").answers(`{"items": [
			{"user_id": "ann", "used": 320, "remaining": 0, "limit_state": {"credits": 100, "used": 20, "left": 80}}]}`)
	})
	g.step("T8_ReclaimWhatIsUnused", func() {
		// 180 of the bonus and 200 of the pack are in the pool; 250 of them go to Ann, and
		// she holds 100.
		g.as("olga").post("/v1/teams/band/allocations", `{"user_id": "ann", "credits": 250}`).answers(
			`{"lots": [{"source": "bonus", "credits": 180}, {"source": "purchase", "credits": 70}]}`)
		hold := g.as("ann").post("/v1/teams/band/holds", `{"user_id": "ann", "credits": 100}`).
			answers(`{"expires_at": "2026-01-15T09:15:00Z"}`).text("id")
		g.pool("band", `{"total": 700, "used": 320, "held": 100, "allocated": 150, "available": 130}`)

		g.as("olga").post("/v1/teams/band/reclaims/preview", `{"user_id": "ann"}`).
			answers(`{"credits": 150, "before": {"from": 150, "to": 130}, "after": {"from": 0, "to": 280}}`)
		g.as("olga").post("/v1/teams/band/reclaims", `{"user_id": "ann", "credits": 50}`).
			answers(`{"lots": [{"source": "bonus", "credits": 50}], "after": {"from": 100, "to": 180}}`)
		g.as("olga").post("/v1/teams/band/reclaims", `{"user_id": "ann"}`).
			answers(`{"credits": 100, "lots": [{"source": "bonus", "credits": 30}, {"source": "purchase", "credits": 70}], "after": {"from": 0, "to": 280}}`)
		// What is held is still hers.
		g.as("olga").post("/v1/teams/band/reclaims", `{"user_id": "ann"}`).refused(402, "too_few_credits", `{"available": 0}`)

		// 40 come back to the allocation, and Ann may draw 80 of the pool.
		g.as("ann").post("/v1/teams/band/holds/"+hold+"/capture", `{"credits": 60}`).
			answers(`{"credits": 60, "released": 40, "available": 120}`)
		g.as("olga").post("/v1/teams/band/reclaims", `{"user_id": "ann"}`).answers(`{"credits": 40}`)
		g.pool("band", `{"total": 700, "used": 380, "held": 0, "allocated": 0, "available": 320}`)
	})
	g.step("TopThePoolUpAgain", func() {
		g.as("olga").post("/v1/teams/band/contributions", `{"user_id": "olga", "credits": 800}`).
			answers(`{"after": {"from": 0, "to": 1120}}`)
		g.pool("band", `{"total": 1500, "contributed": 1500, "available": 1120}`)
		// Or at once for the team: its owner's customer pays.
		g.buys("olga", "/v1/teams/band", "pack_5000")
		g.pool("band", `{"total": 6500, "contributed": 1500, "purchased": 5000, "available": 6120}`)
	})
	g.step("B12_T14_AtAGlance", func() {
		g.as("olga").post("/v1/teams/band/allocations", `{"user_id": "ann", "credits": 1000}`).answers(`{"credits": 1000}`)
		g.pool("band", `{"total": 6500, "monthly": 0, "purchased": 5000, "rollover": 0, "bonus": 0, "contributed": 1500,
			"used": 380, "held": 0, "allocated": 1000, "frozen": 0, "available": 5120, "debt": 0, "upcoming": 0}`)
		g.as("olga").get("/v1/teams/band/usage/members").answers(`{"items": [{"user_id": "ann", "used": 380, "contributed": 380}]}`)
		g.as("olga").get("/v1/teams/band/usage/days").answers(`{"items": [{"day": "2026-01-15", "spent": 380, "reversed": 0, "used": 380}]}`)
	})
	g.step("L9_TheAuditFindsNothing", g.audited)
}
