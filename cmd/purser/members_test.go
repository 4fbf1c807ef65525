package main

import (
	"strings"
	"testing"

	"purser/api"
	"purser/teams"
)

func TestMembers(t *testing.T) {
	t.Parallel()

	t.Run("T3_InviteAcceptRevoke", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t).with("PURSER_ACCEPT_URL", "https://app.acme.example/join?token={token}")
		c.ok("team", "create", "acme", "--owner", "olga", "--name", "Acme")
		sent := did[sentInvitation](c, "member", "invite", "acme", "ann@acme.example", "--role", "admin", "--limit", "period:500", "--key", "k1")
		if sent.v.AcceptURL != "https://app.acme.example/join?token="+sent.v.Token || sent.v.Role != "admin" || sent.v.Limit.Credits != 500 || sent.v.InvitedBy != "operator" {
			t.Errorf("%+v", sent)
		}
		// The token is shown once, and kept nowhere.
		again := did[sentInvitation](c, "member", "invite", "acme", "ann@acme.example", "--role", "admin", "--limit", "period:500", "--key", "k1")
		if !again.Replayed || again.v.ID != sent.v.ID || again.v.Token != "" {
			t.Errorf("%+v", again)
		}
		c.fails(exitFailed, []string{"inviting", "(already_invited)", "Resend"}, "member", "invite", "acme", "ann@acme.example")
		renewed := did[sentInvitation](c, "invitation", "resend", "acme", sent.v.ID).v
		c.fails(exitFailed, []string{"(invitation_not_found)"}, "invitation", "accept", sent.v.Token, "ann")
		joined := did[api.Joined](c, "invitation", "accept", renewed.Token, "ann").v
		if joined.TeamID != "acme" || joined.UserID != "ann" || joined.Role != "admin" {
			t.Errorf("%+v", joined)
		}
		ben := did[sentInvitation](c, "member", "invite", "acme", "ben@acme.example", "--as", "ann").v
		c.ok("invitation", "revoke", "acme", ben.ID)
		cleo := did[sentInvitation](c, "member", "invite", "acme", "cleo@acme.example").v
		c.ok("invitation", "decline", cleo.Token)
		shows(t, c.ok("invitation", "list", "acme"), `^ID +EMAIL +STATE`, `^inv_\S+ +ann@acme\.example +accepted +admin +credits +period, credits 500 +operator +\S+ +ann$`,
			`ben@acme\.example +revoked .* ann `, `cleo@acme\.example +declined`)
		if list := decoded[page[api.Invitation]](c, "invitation", "list", "acme", "--limit", "1"); !list.More || list.Items[0].ID != cleo.ID || list.Next != cleo.ID {
			t.Errorf("%+v", list)
		}
		c.fails(exitUsage, []string{"PURSER_ACCEPT_URL"}, "member", "invite", "acme", "x@acme.example", "--accept-url", "https://app.acme.example")
		c.fails(exitUsage, []string{"--limit", "period:N"}, "member", "invite", "acme", "x@acme.example", "--limit", "much")
	})
	t.Run("S4_WhoMayAskComesBeforeAReusedKey", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t)
		c.team("100", "ann")
		c.ok("member", "set", "acme", "ann", "--limit", "period:40", "--key", "k1")
		c.fails(exitFailed, []string{"(key_reused)"}, "member", "set", "acme", "ann", "--limit", "period:41", "--key", "k1")
		c.fails(exitFailed, []string{"(role_forbids)"}, "member", "set", "acme", "ann", "--limit", "period:41", "--key", "k1", "--as", "ann")
		c.fails(exitFailed, []string{"(team_not_found)"}, "member", "set", "acme", "ann", "--limit", "period:41", "--key", "k1", "--as", "eve")
		// What wouldn't be refused is not done either.
		shows(t, c.ok("member", "list", "acme"), `^ann +member +credits +period, credits 40,`)
	})
	t.Run("T4_T6_T7_SetAndSwitch", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t)
		c.team("100", "ann", "ben")
		c.ok("member", "set", "acme", "ann", "ben", "--limit", "period:40", "--role", "admin")
		list := decoded[page[api.Member]](c, "member", "list", "acme")
		if len(list.Items) != 3 || list.Items[0].Role != "admin" || list.Items[1].LimitState.Left != 40 {
			t.Errorf("%+v", list)
		}
		shows(t, c.ok("member", "list", "acme"), `^USER +ROLE +ACCESS +LIMIT STATE`, `^ann +admin +credits +period, credits 40, used 0, left 40, resets at \S+ +0 +0 +0 +0 +40$`)
		c.ok("member", "set", "acme", "ben", "--limit", "none", "--role", "member")
		c.fails(exitFailed, []string{"changing members", "1 of 2 rows", "zoe:", "(member_not_found)"}, "member", "set", "acme", "ann", "zoe", "--access", "personal")
		c.fails(exitFailed, []string{"(no_seats)"}, "member", "set", "acme", "ann", "--access", "seat")
		if m := did[api.Settings](c, "member", "go-personal", "acme", "ben", "--as", "ben").v; m.Access != "personal" {
			t.Errorf("%+v", m)
		}
		shows(t, c.ok("member", "show", "acme", "ben"), `^access +personal$`, `^credits of +user$`, `^may spend +no$`, `^refusal +personal_account_empty$`, `^helps +buy_pack$`)
		shows(t, c.ok("member", "explain", "acme", "ben"), `^user +ben$`, `^why +\S.* \S`)
		c.fails(exitFailed, []string{"explaining the member", "(member_not_found)"}, "member", "explain", "acme", "zoe")
		c.fails(exitFailed, []string{"switching the access", "(personal_already)"}, "member", "go-personal", "acme", "ben")
		if m := did[api.Settings](c, "member", "go-back", "acme", "ben").v; m.Access != "credits" {
			t.Errorf("%+v", m)
		}
		c.fails(exitFailed, []string{"(role_forbids)"}, "member", "set", "acme", "ann", "--limit", "none", "--as", "ben")
		c.ok("allocate", "acme", "ben", "30")
		c.ok("member", "remove", "acme", "ben", "--as", "ben")
		c.fails(exitFailed, []string{"(owner_stays)"}, "member", "remove", "acme", "olga")
		if pool := decoded[poolView](c, "pool", "show", "acme"); pool.Available != 100 {
			t.Errorf("%+v", pool)
		}
		c.fails(exitUsage, []string{"--role, --access or --limit"}, "member", "set", "acme", "ann")
	})
	t.Run("T1_T16_TheTeamItself", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t)
		c.team("100", "ann")
		v := did[api.Team](c, "team", "set", "acme", "--name", "Acme Ltd", "--sharing", "balances", "--fall-back").v
		if v.Name != "Acme Ltd" || v.Sharing != "balances" || !v.FallBack {
			t.Errorf("%+v", v)
		}
		if v := did[api.Team](c, "team", "set", "acme", "--no-fall-back", "--sharing", "pool").v; v.Name != "Acme Ltd" || v.FallBack {
			t.Errorf("%+v", v)
		}
		c.fails(exitFailed, []string{"changing the team", "(sharing_invalid)"}, "team", "set", "acme", "--sharing", "some")
		shows(t, c.ok("team", "suspend", "acme"), `^suspended at +2026-03-10T12:00:00Z$`)
		shows(t, c.ok("team", "show", "acme"), `^suspended +2026-03-10T12:00:00Z$`)
		c.fails(exitFailed, []string{"(team_suspended)"}, "spend", "acme", "ann", "1")
		if team := decoded[teams.Team](c, "team", "resume", "acme"); team.SuspendedAt != nil {
			t.Errorf("%+v", team)
		}
		shows(t, c.ok("user", "suspend", "ann"), `^id +ann$`, `^suspended at `)
		c.fails(exitFailed, []string{"(user_suspended)"}, "spend", "acme", "ann", "1")
		c.ok("user", "resume", "ann")
		c.ok("spend", "acme", "ann", "1")
		c.fails(exitFailed, []string{"(user_not_found)"}, "user", "suspend", "zoe")
		c.fails(exitFailed, []string{"(team_not_found)"}, "team", "resume", "nowhere")
		if v := did[api.Team](c, "team", "hand-over", "acme", "ann").v; v.OwnerID != "ann" {
			t.Errorf("%+v", v)
		}
		c.fails(exitFailed, []string{"handing the team over", "(owner_already)"}, "team", "hand-over", "acme", "ann")
	})
	t.Run("T16_Closing", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t)
		c.team("100", "ann")
		shows(t, c.ok("team", "close", "acme", "--preview"), `^expires +100$`, `^expiring +bonus, credits 100`)
		c.fails(exitFailed, []string{"closing the team", "(expiry_unconfirmed)", "100"}, "team", "close", "acme")
		if v := did[api.Closing](c, "team", "close", "acme", "--expires", "100").v; v.Team.ClosedAt == nil || v.Expires != 100 {
			t.Errorf("%+v", v)
		}
		shows(t, c.ok("team", "show", "acme"), `^closed +2026-03-10T12:00:00Z$`)
		c.fails(exitFailed, []string{"(team_closed)"}, "spend", "acme", "ann", "1")
		shows(t, c.ok("audit"), `^audit: 0 differences$`)
	})
}

func TestSubscriptionsAndPurchases(t *testing.T) {
	t.Parallel()
	a := newActed(t)
	a.ok("team", "create", "acme", "--owner", "olga", "--name", "Acme")
	_, subscription := a.subscribe("team_monthly", "5", "purser_team", "acme", "purser_user", "olga")

	v := did[api.Subscription](a.cli, "subscriptions", "unassign", "acme", "--key", "k1")
	if v.v.ID != subscription || v.v.TeamID != "" || v.v.UserID != "olga" {
		t.Errorf("%+v", v)
	}
	if again := did[api.Subscription](a.cli, "subscriptions", "unassign", "acme", "--key", "k1"); !again.Replayed || again.v.ID != subscription {
		t.Errorf("%+v", again)
	}
	a.fails(exitFailed, []string{"unassigning the subscription", "(no_subscription)"}, "subscriptions", "unassign", "acme")
	if pool := decoded[poolView](a.cli, "pool", "show", "--user", "olga"); pool.Available != 5000 {
		t.Errorf("%+v", pool)
	}
	if v := did[api.Subscription](a.cli, "subscriptions", "assign", "acme", subscription, "--as", "olga").v; v.TeamID != "acme" {
		t.Errorf("%+v", v)
	}
	if pool := decoded[poolView](a.cli, "pool", "show", "acme"); pool.Available != 5000 {
		t.Errorf("%+v", pool)
	}
	a.fails(exitFailed, []string{"assigning the subscription", "(subscription_not_found)"}, "subscriptions", "assign", "acme", "sub_none")

	a.ok("pool", "buy", "--team", "acme", "--pack", "pack_1000", "--by", "ann")
	a.ok("pool", "buy", "--user", "olga", "--pack", "pack_1000")
	list := decoded[page[api.Purchase]](a.cli, "purchases", "list")
	if len(list.Items) != 2 || list.Items[0].TeamID != "" || list.Items[1].TeamID != "acme" || list.Items[1].CreatedBy != "ann" {
		t.Errorf("%+v", list)
	}
	for args, want := range map[string]int{"--team acme": 1, "--user olga": 1, "--user ann": 0, "--state paid": 0, "--kind auto": 0, "--kind checkout": 2, "--state open": 2, "--after " + list.Items[0].ID: 1} {
		if some := decoded[page[api.Purchase]](a.cli, append([]string{"purchases", "list"}, strings.Fields(args)...)...); len(some.Items) != want {
			t.Errorf("%s: %+v", args, some)
		}
	}
	shows(t, a.ok("purchases", "list", "--team", "acme"), `^ID +TEAM +USER +PACK`, `^top_\S+ +acme +olga +pack_1000 +1,000 +open +ann `)
	shows(t, a.ok("audit"), `^audit: 0 differences$`)
}
