package main

import (
	"encoding/csv"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"purser/billing"
)

// studioPlans are what the product of this guide sells: a plan for teams of up to five,
// and one without teams.
const studioPlans = `
plans:
  - name: studio
    prices: [{lookup_key: studio_monthly, interval: month, unit_amount: 2_000, currency: usd}]
    monthly_credits: 1_000
    members_max: 5
    rollover: {mode: cap, cap_per_seat: 500}
  - name: basic
    prices: [{lookup_key: basic_monthly, interval: month, unit_amount: 500, currency: usd}]
    monthly_credits: 100
    teams: false
`

// Individual balances: nobody draws from the pool. Each member has a balance of one's own,
// and admins transfer credits from balance to balance.
func TestGuideBalances(t *testing.T) {
	t.Parallel()
	plans, err := billing.ParseCatalog("studio.yaml", []byte(studioPlans))
	if err != nil {
		t.Fatal(err)
	}
	g := newGuide(t, plans)
	var subscription string

	g.step("ATeamWhoseMembersHaveBalances", func() {
		g.as("olga").post("/v1/teams", `{"id": "studio", "owner_id": "olga", "name": "Studio"}`).answers(`{"sharing": "pool"}`)
		_, subscription = g.subscribe("studio_monthly", "2", "purser_team", "studio", "purser_user", "olga")
		g.as("olga").patch("/v1/teams/studio", `{"sharing": "balances"}`).answers(`{"sharing": "balances"}`)
		g.pool("studio", `{"plan": "studio", "seats": 2, "total": 2000, "monthly": 2000, "allocated": 0, "available": 2000}`)
	})
	g.step("T3_FiveMembersTheOwnerAndInvitationsIncluded", func() {
		g.joins("studio", "olga", "ann", `{"email": "ann@studio.example", "role": "admin"}`)
		g.joins("studio", "ann", "ben", `{"email": "ben@studio.example"}`)
		g.joins("studio", "ann", "cleo", `{"email": "cleo@studio.example"}`)
		g.as("ann").post("/v1/teams/studio/invitations", `{"email": "dora@studio.example"}`).answers(`{"state": "pending"}`)
		g.as("ann").post("/v1/teams/studio/invitations", `{"email": "eve@studio.example"}`).refused(422, "team_full")
	})
	g.step("S2_NobodyDrawsFromThePool", func() {
		g.as("ben").post("/v1/teams/studio/spends", `{"user_id": "ben", "credits": 1}`).
			refused(402, "allocation_empty", `{"available": 0, "helps": ["allocate", "transfer", "go_personal"]}`)
		g.as("olga").post("/v1/teams/studio/spends", `{"user_id": "olga", "credits": 1}`).refused(402, "allocation_empty")

		g.as("olga").post("/v1/teams/studio/transfers", `{"from": {"kind": "pool"}, "to": {"kind": "member", "user_id": "ann"}, "credits": 800}`).
			answers(`{"kind": "allocation", "before": {"from": 2000, "to": 0}, "after": {"from": 1200, "to": 800}}`)
		g.as("olga").post("/v1/teams/studio/transfers", `{"from": {"kind": "pool"}, "to": {"kind": "member", "user_id": "ben"}, "credits": 600}`).
			answers(`{"before": {"from": 1200, "to": 0}, "after": {"from": 600, "to": 600}}`)
		g.pool("studio", `{"total": 2000, "allocated": 1400, "available": 600}`)
	})
	g.step("T8_T9_FromBalanceToBalanceWithAPreviewOfBoth", func() {
		// The month ends on 15 February; its lots wait a day longer for the renewal's payment.
		moved := `{"kind": "transfer", "credits": 200, "reason": "For the fair", "at": "2026-01-15T09:00:00Z",
			"from": {"kind": "member", "user_id": "ben"}, "to": {"kind": "member", "user_id": "cleo"},
			"before": {"from": 600, "to": 0}, "after": {"from": 400, "to": 200},
			"lots": [{"source": "monthly", "credits": 200, "expires_at": "2026-02-16T09:00:00Z"}]}`
		ask := `{"from": {"kind": "member", "user_id": "ben"}, "to": {"kind": "member", "user_id": "cleo"}, "credits": 200, "reason": "For the fair"}`
		g.as("ann").post("/v1/teams/studio/transfers/preview", ask).answers(moved)
		g.as("cleo").get("/v1/users/cleo/teams").answers(`{"items": [{"remaining": 0}]}`) // a preview posts nothing
		g.as("ann").post("/v1/teams/studio/transfers", ask).answers(moved)
		g.as("cleo").get("/v1/users/cleo/teams").answers(`{"items": [{"allocated": 200, "remaining": 200}]}`)
		g.pool("studio", `{"total": 2000, "allocated": 1400, "available": 600}`)
	})
	g.step("T10_TheHistoryHasDateAmountRecipientAndReason", func() {
		g.as("ann").get("/v1/teams/studio/entries?kind=transfer").answers(`{"items": [{
			"kind": "transfer", "at": "2026-01-15T09:00:00Z", "credits": 200, "actor": "ann", "user_id": "cleo", "memo": "For the fair",
			"postings": [{"source": "monthly", "credits": 200,
				"from": {"kind": "allocation", "user_id": "ben"}, "to": {"kind": "allocation", "user_id": "cleo"}}]}]}`)
		g.as("cleo").get("/v1/teams/studio/entries?kind=transfer").answers(`{"items": [{"credits": 200, "memo": "For the fair"}]}`)

		rows := g.file("ann", "/v1/teams/studio/entries?kind=transfer,allocation&format=csv", "at", "credits", "from", "to", "user_id", "actor", "memo")
		want := [][]string{ // the newest first
			{"2026-01-15T09:00:00Z", "200", "allocation:ben", "allocation:cleo", "cleo", "ann", "For the fair"},
			{"2026-01-15T09:00:00Z", "600", "pool", "allocation:ben", "ben", "olga", ""},
			{"2026-01-15T09:00:00Z", "800", "pool", "allocation:ann", "ann", "olga", ""},
		}
		if fmt.Sprint(rows) != fmt.Sprint(want) {
			t.Errorf("the file has %v", rows)
		}
	})
	g.step("T8_RefusedAndNothingChanged", func() {
		hold := g.as("ben").post("/v1/teams/studio/holds", `{"user_id": "ben", "credits": 100}`).answers(`{"available": 300}`).text("id")
		before := g.everything("studio")
		ben, cleo := `{"kind": "member", "user_id": "ben"}`, `{"kind": "member", "user_id": "cleo"}`
		for _, r := range []struct {
			name, user, from, to string
			credits              int64
			status               int
			code                 string
			want                 string
		}{
			{"to a personal account", "ann", ben, `{"kind": "personal", "user_id": "ben"}`, 1, 422, "move_to_personal", `{}`},
			{"the pool to one's own", "olga", `{"kind": "pool"}`, `{"kind": "personal", "user_id": "olga"}`, 1, 422, "move_to_personal", `{}`},
			{"to another team", "ann", ben, `{"kind": "pool", "team_id": "other"}`, 1, 422, "move_to_other_team", `{}`},
			{"to a member of another team", "ann", ben, `{"kind": "member", "user_id": "cleo", "team_id": "other"}`, 1, 422, "move_to_other_team", `{}`},
			{"to somebody who is no member", "ann", ben, `{"kind": "member", "user_id": "zoe"}`, 1, 404, "member_not_found", `{}`},
			{"to somebody who is only invited", "ann", ben, `{"kind": "member", "user_id": "dora"}`, 1, 404, "member_not_found", `{}`},
			{"to oneself", "ann", ben, ben, 1, 422, "move_to_oneself", `{}`},
			{"by a plain member, even one's own", "ben", ben, cleo, 1, 403, "role_forbids", `{}`},
			{"by a stranger", "zoe", ben, cleo, 1, 404, "team_not_found", `{}`},
			{"more than is free: 100 of 400 are held", "ann", ben, cleo, 301, 402, "too_few_credits", `{"available": 300}`},
			{"more than the pool has", "ann", `{"kind": "pool"}`, cleo, 601, 402, "too_few_credits", `{"available": 600}`},
			{"nothing", "ann", ben, cleo, 0, 422, "amount_invalid", `{}`},
			{"less than nothing", "ann", ben, cleo, -5, 422, "amount_invalid", `{}`},
			{"more than any amount", "ann", ben, cleo, 1_000_000_000_001, 422, "amount_invalid", `{}`},
		} {
			ask := fmt.Sprintf(`{"from": %s, "to": %s, "credits": %d}`, r.from, r.to, r.credits)
			for _, path := range []string{"transfers", "transfers/preview"} {
				g.step(strings.ReplaceAll(r.name+" "+path, "/", " "), func() {
					g.as(r.user).post("/v1/teams/studio/"+path, ask).refused(r.status, r.code, r.want)
				})
			}
		}
		if after := g.everything("studio"); after != before {
			g.t.Errorf("a refusal changed something:\n%s\nbefore:\n%s", after, before)
		}
		g.as("ben").post("/v1/teams/studio/holds/"+hold+"/capture", ``).answers(`{"credits": 100, "available": 300}`)
		g.pool("studio", `{"total": 2000, "used": 100, "allocated": 1300, "available": 600}`)
	})
	g.step("B9_WhatWasTransferredRollsOverWhereItIs", func() {
		g.until(time.Date(2026, 2, 15, 11, 0, 0, 0, time.UTC)) // the renewal is paid within the hour
		// 1,900 are left: 600 in the pool, 800 of Ann's, 300 of Ben's, 200 of Cleo's. 2 seats
		// × 500 roll; the 900 above expire: the pool's 600, then 300 of the first balance.
		g.pool("studio", `{"total": 3000, "monthly": 2000, "rollover": 1000, "used": 0, "allocated": 1000, "available": 2000,
			"period_start": "2026-02-15T09:00:00Z"}`)
		g.as("ann").get("/v1/teams/studio/members").answers(`{"items": [
			{"user_id": "ann", "remaining": 500}, {"user_id": "ben", "remaining": 300, "used": 0},
			{"user_id": "cleo", "remaining": 200}, {"user_id": "olga", "remaining": 0}]}`)
		g.as("cleo").post("/v1/teams/studio/spends", `{"user_id": "cleo", "credits": 10}`).
			answers(`{"paid_from": [{"account": "allocation", "lots": [{"source": "rollover", "credits": 10}]}]}`)
	})
	g.step("T12_AMemberLeaves", func() {
		hold := g.as("ben").post("/v1/teams/studio/holds", `{"user_id": "ben", "credits": 100}`).answers(`{"available": 200}`).text("id")
		g.as("cleo").post("/v1/teams/studio/members/changes", `{"changes": [{"user_id": "ben", "remove": true}]}`).refused(403, "role_forbids")
		g.as("ben").post("/v1/teams/studio/members/changes", `{"changes": [{"user_id": "ben", "remove": true}]}`).answers(`{"results": [{"user_id": "ben"}]}`)

		// His 200 are the pool's at once; the hold is kept, and what it gives back is the pool's.
		g.pool("studio", `{"total": 3000, "used": 10, "held": 100, "allocated": 690, "available": 2200}`)
		g.as("ben").get("/v1/teams/studio").refused(404, "team_not_found")
		g.backend().post("/v1/teams/studio/holds/"+hold+"/capture", `{"credits": 40}`).answers(`{"credits": 40, "released": 60}`)
		g.pool("studio", `{"total": 3000, "used": 50, "held": 0, "allocated": 690, "available": 2260}`)
		// There is room for one more now.
		g.as("ann").post("/v1/teams/studio/invitations", `{"email": "eve@studio.example"}`).answers(`{"state": "pending"}`)
	})
	g.step("B13_T8_APlanWithoutTeams", func() {
		price, err := g.price(g.t.Context(), "basic_monthly")
		g.must(err)
		g.portal("studio", "olga", subscription, url.Values{"price": {price}, "seats": {"2"}})
		// 2 × 100 instead of 2 × 1,000 this month: 1,800 are taken back. Nobody is removed.
		g.pool("studio", `{"plan": "basic", "seats": 2, "total": 1200, "monthly": 200, "rollover": 1000, "used": 50, "allocated": 690, "available": 460}`)
		g.as("ann").get("/v1/teams/studio/members").answers(`{"items": [{"user_id": "ann"}, {"user_id": "cleo"}, {"user_id": "olga"}]}`)

		before := g.everything("studio")
		g.as("ann").post("/v1/teams/studio/transfers", `{"from": {"kind": "member", "user_id": "ann"}, "to": {"kind": "member", "user_id": "cleo"}, "credits": 1}`).
			refused(422, "plan_without_teams")
		g.as("ann").post("/v1/teams/studio/allocations", `{"user_id": "cleo", "credits": 1}`).refused(422, "plan_without_teams")
		g.as("olga").post("/v1/teams/studio/contributions/preview", `{"user_id": "olga", "credits": 1}`).refused(422, "plan_without_teams")
		g.as("ann").post("/v1/teams/studio/invitations", `{"email": "fay@studio.example"}`).refused(422, "plan_without_teams")
		if after := g.everything("studio"); after != before {
			g.t.Errorf("a refusal changed something:\n%s\nbefore:\n%s", after, before)
		}
		// Reclaiming and removing work on every plan.
		g.as("ann").post("/v1/teams/studio/reclaims", `{"user_id": "cleo"}`).answers(`{"credits": 190, "after": {"from": 0, "to": 650}}`)
		g.as("olga").post("/v1/teams/studio/members/changes", `{"changes": [{"user_id": "ann", "remove": true}]}`).answers(`{"results": [{"user_id": "ann"}]}`)
		g.pool("studio", `{"total": 1200, "used": 50, "allocated": 0, "available": 1150}`)
	})
	g.step("L9_TheAuditFindsNothing", g.audited)
}

// everything is all that can be seen of a team, to be compared.
func (g *guide) everything(team string) string {
	g.t.Helper()
	var all []string
	for _, part := range []string{"", "/pool", "/lots", "/members", "/invitations", "/entries?limit=100", "/usage/members"} {
		all = append(all, string(g.backend().get("/v1/teams/"+team+part).answers(`{}`).raw))
	}
	return strings.Join(all, "\n")
}

// file reads columns of a CSV file.
func (g *guide) file(user, path string, columns ...string) (rows [][]string) {
	g.t.Helper()
	all, err := csv.NewReader(strings.NewReader(string(g.as(user).get(path).raw))).ReadAll()
	g.must(err)
	at := map[string]int{}
	for i, name := range all[0] {
		at[name] = i
	}
	for _, line := range all[1:] {
		var row []string
		for _, name := range columns {
			row = append(row, line[at[name]])
		}
		rows = append(rows, row)
	}
	return rows
}
