package main

import (
	"encoding/json"
	"strings"
	"testing"

	"purser/api"
)

// done is what a command that changes something prints with --json.
type done[T any] struct {
	v        T
	Key      string
	Replayed bool
}

// did runs a command that changes something, and gives what it answers.
func did[T any](c *cli, args ...string) (d done[T]) {
	c.t.Helper()
	text := c.ok(append(args, "--json")...)
	extra := struct {
		Key      *string `json:"idempotency_key"`
		Replayed *bool   `json:"replayed"`
	}{&d.Key, &d.Replayed}
	for _, into := range []any{&d.v, &extra} {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			c.t.Fatalf("purser %s --json: %v\n%s", strings.Join(args, " "), err, text)
		}
	}
	if d.Key == "" {
		c.t.Errorf("purser %s names no key:\n%s", strings.Join(args, " "), text)
	}
	return d
}

// team makes acme, olga's, with some members who have credits access, and a bonus in its pool.
func (c *cli) team(credits string, members ...string) {
	c.t.Helper()
	c.ok("team", "create", "acme", "--owner", "olga", "--name", "Acme")
	for _, user := range members {
		invited := did[sentInvitation](c, "member", "invite", "acme", user+"@acme.example")
		c.ok("invitation", "accept", invited.v.Token, user)
	}
	c.ok("bonus", "grant", credits, "--team", "acme", "--key", "first", "--memo", "to begin with")
}

func TestSpending(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.team("1000", "ann")

	shows(t, c.ok("spend", "acme", "ann", "100", "--reference", "report-1", "--memo", "a report"), `^id +ent_\d+_\d+$`, `^user +ann$`, `^credits +100$`,
		`^available +900$`, `^paid from +pool, credits 100, lots lot_\S+, bonus, credits 100$`, `^at +2026-03-10T12:00:00Z$`, `^idempotency key +key_\w+$`)

	t.Run("L6_TheSameKeyGivesTheFirstAnswer", func(t *testing.T) {
		first := did[api.Spend](c, "spend", "acme", "ann", "50", "--key", "k1")
		again := did[api.Spend](c, "spend", "acme", "ann", "50", "--key", "k1")
		if first.Replayed || !again.Replayed || again.v.ID != first.v.ID || again.v.Available != 850 || again.Key != "k1" {
			t.Errorf("%+v, then %+v", first, again)
		}
		c.fails(exitFailed, []string{"spending", "(key_reused)", "new key"}, "spend", "acme", "ann", "51", "--key", "k1")
		c.fails(exitFailed, []string{"(key_reused)"}, "spend", "acme", "ann", "50", "--key", "k1", "--as", "ann")
	})
	t.Run("S1_HoldCaptureReleaseReverse", func(t *testing.T) {
		hold := did[api.Hold](c, "hold", "make", "acme", "ann", "200", "--for", "1h").v
		shows(t, c.ok("hold", "list", "acme"), `^ID +USER +CREDITS`, `^`+hold.ID+` +ann +200 +2026-03-10T12:00:00Z +2026-03-10T13:00:00Z$`)
		if list := decoded[page[api.HoldState]](c, "hold", "list", "acme", "--member", "olga"); len(list.Items) != 0 {
			t.Errorf("%+v", list)
		}
		if hold.ExpiresAt == nil || hold.ExpiresAt.Sub(hold.At).Hours() != 1 || hold.Available != 650 {
			t.Errorf("%+v", hold)
		}
		used := did[api.Capture](c, "hold", "capture", "acme", hold.ID, "150").v
		if used.Credits != 150 || used.Released != 50 || used.HoldID != hold.ID || used.Available != 700 {
			t.Errorf("%+v", used)
		}
		c.fails(exitFailed, []string{"capturing", "(hold_settled)"}, "hold", "capture", "acme", hold.ID)
		whole := did[api.Hold](c, "hold", "make", "acme", "ann", "30").v
		if used := did[api.Capture](c, "hold", "capture", "acme", whole.ID).v; used.Credits != 30 {
			t.Errorf("%+v", used)
		}
		freed := did[api.Hold](c, "hold", "make", "acme", "ann", "20").v
		if back := did[api.Release](c, "hold", "release", "acme", freed.ID).v; back.Credits != 20 || back.HoldID != freed.ID || back.Available != 670 {
			t.Errorf("%+v", back)
		}
		if back := did[api.Reversal](c, "reverse", "acme", used.ID, "50").v; back.Credits != 50 || back.SpendID != used.ID || back.Available != 720 {
			t.Errorf("%+v", back)
		}
		if back := did[api.Reversal](c, "reverse", "acme", used.ID).v; back.Credits != 100 || back.Available != 820 {
			t.Errorf("%+v", back)
		}
	})
	t.Run("T7_ARefusalSaysWhatStoppedItAndWhatWouldHelp", func(t *testing.T) {
		c.fails(exitFailed, []string{"spending", "the pool has too few credits", "(pool_empty; 820 available)", "buy_pack, add_seats, go_personal"},
			"spend", "acme", "ann", "821")
		c.ok("member", "set", "acme", "ann", "--limit", "total:280") // 180 are used
		c.fails(exitFailed, []string{"(limit_reached; 100 available)", "raise_limit, allocate, go_personal"}, "spend", "acme", "ann", "101")
		c.fails(exitFailed, []string{"(role_forbids)", "admin"}, "spend", "acme", "olga", "1", "--as", "ann")
		c.fails(exitFailed, []string{"(team_not_found)"}, "spend", "nowhere", "ann", "1")
		c.fails(exitFailed, []string{"(member_not_found)", "Invite"}, "spend", "acme", "zoe", "1")
		c.fails(exitFailed, []string{"(amount_invalid)"}, "spend", "acme", "ann", "0")
		c.fails(exitUsage, []string{"ent_7", "hold_…"}, "hold", "capture", "acme", "ent_7")
		c.fails(exitUsage, []string{"<credits>"}, "spend", "acme", "ann")
	})
	t.Run("L10_TheHistoryNamesWhoAsked", func(t *testing.T) {
		c.ok("spend", "acme", "ann", "1", "--as", "ann", "--memo", "hers")
		c.ok("spend", "acme", "ann", "2", "--by", "support", "--memo", "for her")
		rows := decoded[page[api.Entry]](c, "history", "acme", "--kind", "spend", "--limit", "2")
		if len(rows.Items) != 2 || rows.Items[0].Actor != "support" || rows.Items[1].Actor != "ann" || !rows.More {
			t.Errorf("%+v", rows)
		}
		more := decoded[page[api.Entry]](c, "history", "acme", "--kind", "spend", "--after", rows.Next)
		if len(more.Items) != 2 || more.Items[1].Reference != "report-1" || more.Items[0].Key != "k1" {
			t.Errorf("%+v", more)
		}
		shows(t, c.ok("history", "acme", "--reference", "report-1"), `^ID +AT +KIND +CREDITS +USER +ACTOR`, `^ent_\S+ +2026-03-10T12:00:00Z +spend +100 +ann +operator +a report +report-1$`)
		file := c.ok("history", "acme", "--csv")
		if !strings.HasPrefix(file, "id,at,") || strings.Count(file, "\n") != len(decoded[page[api.Entry]](c, "history", "acme").Items)+1 {
			t.Errorf("the file:\n%s", file)
		}
		c.fails(exitUsage, []string{"purser history TEAM"}, "history")
		c.fails(exitUsage, []string{"--after"}, "history", "acme", "--after", "x")
	})
	t.Run("T14_UsageByMemberAndByDay", func(t *testing.T) {
		shows(t, c.ok("usage", "acme"), `^USER +USED +MONTHLY`, `^ann +183 +0 +0 +0 +183 +0$`)
		shows(t, c.ok("usage", "acme", "--days"), `^DAY +USER`, `^2026-03-10 +ann +333 +150 +183$`)
		if rows := decoded[page[dayUsage]](c, "usage", "acme", "--days", "--from", "2026-03-11T00:00:00Z", "--to", "2026-03-12T00:00:00Z"); len(rows.Items) != 0 {
			t.Errorf("%+v", rows)
		}
		c.fails(exitUsage, []string{"--days"}, "usage", "acme", "--from", "2026-03-11T00:00:00Z")
	})
	shows(t, c.ok("audit"), `^audit: 0 differences$`)
}

func TestMoving(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.team("1000", "ann", "ben")
	c.ok("bonus", "grant", "300", "--user", "olga", "--key", "hers", "--memo", "hers")

	t.Run("T9_APreviewPostsNothing", func(t *testing.T) {
		shows(t, c.ok("allocate", "acme", "ann", "400", "--preview"), `^kind +allocation$`, `^from +pool$`, `^to +member, user ann$`, `^lots +bonus, credits 400$`,
			`^before +from 1,000, to 0$`, `^after +from 600, to 400$`)
		if pool := decoded[poolView](c, "pool", "show", "acme"); pool.Available != 1000 {
			t.Errorf("%+v", pool)
		}
		c.fails(exitFailed, []string{"allocating", "(too_few_credits; 1,000 available)"}, "allocate", "acme", "ann", "1001", "--preview")
	})
	t.Run("T8_EachMove", func(t *testing.T) {
		for _, step := range []struct {
			args          string
			kind          string
			credits, from int64 // from: what is left there
			to            int64
		}{
			{"allocate acme ann 400 --reason posters", "allocation", 400, 600, 400},
			{"transfer acme 150 --from ann --to ben --as olga", "transfer", 150, 250, 150},
			{"transfer acme 100 --to ben", "allocation", 100, 500, 250},
			{"reclaim acme ben 50", "reclaim", 50, 200, 550},
			{"reclaim acme ben", "reclaim", 200, 0, 750},
			{"contribute acme olga 120 --as olga", "contribution", 120, 180, 870},
		} {
			m := did[api.Move](c, strings.Fields(step.args)...).v
			if m.Kind != step.kind || m.Credits != step.credits || m.After.From != step.from || m.After.To != step.to {
				t.Errorf("%s: %+v", step.args, m)
			}
		}
		pool := decoded[poolView](c, "pool", "show", "acme")
		if pool.Total != 1120 || pool.Contributed != 120 || pool.Allocated != 250 || pool.Available != 870 {
			t.Errorf("%+v", pool)
		}
	})
	t.Run("L6_TheSameKeyGivesTheFirstAnswer", func(t *testing.T) {
		first := did[api.Move](c, "allocate", "acme", "ben", "5", "--key", "k1")
		again := did[api.Move](c, "allocate", "acme", "ben", "5", "--key", "k1")
		if first.Replayed || !again.Replayed || again.v.ID != first.v.ID || again.v.After.To != 5 {
			t.Errorf("%+v, then %+v", first, again)
		}
		c.fails(exitFailed, []string{"(key_reused)"}, "allocate", "acme", "ben", "6", "--key", "k1")
		c.fails(exitFailed, []string{"(key_reused)"}, "spend", "acme", "ben", "5", "--key", "k1")
	})
	t.Run("Refused", func(t *testing.T) {
		c.fails(exitFailed, []string{"transferring", "(role_forbids)"}, "transfer", "acme", "1", "--from", "ann", "--to", "ben", "--as", "ann")
		c.fails(exitFailed, []string{"(move_to_oneself)"}, "transfer", "acme", "1", "--from", "ann", "--to", "ann")
		c.fails(exitFailed, []string{"(member_not_found)"}, "allocate", "acme", "zoe", "1")
		c.fails(exitFailed, []string{"(role_forbids)"}, "contribute", "acme", "ann", "1")
		c.fails(exitUsage, []string{"--to"}, "transfer", "acme", "1")
	})
	shows(t, c.ok("audit"), `^audit: 0 differences$`)
}
