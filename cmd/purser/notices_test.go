package main

import (
	"testing"

	"purser/api"
)

func TestNoticesList(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.team("100", "ann")
	c.ok("allocate", "acme", "ann", "30", "--reason", "posters", "--key", "k1")
	c.ok("allocate", "acme", "ann", "30", "--reason", "posters", "--key", "k1")
	c.ok("user", "suspend", "ann")
	c.ok("user", "suspend", "ann")

	list := decoded[page[api.Notice]](c, "notices", "list", "--team", "acme")
	if len(list.Items) != 3 || list.More {
		t.Fatalf("%+v", list)
	}
	shows(t, c.ok("notices", "list", "--team", "acme"), `^ID +AT +KIND +TEAM +USER +DATA$`, `^ntc_\d+ +2026-03-10T12:00:00Z +invitation\.created +acme +\S`,
		`^ntc_\d+ +2026-03-10T12:00:00Z +member\.joined +acme +ann `, `^ntc_\d+ +2026-03-10T12:00:00Z +credits\.moved +acme +ann +by operator, credits 30, `)
	after := decoded[page[api.Notice]](c, "notices", "list", "--team", "acme", "--after", list.Items[1].ID)
	if len(after.Items) != 1 || after.Items[0].Kind != "credits.moved" {
		t.Errorf("%+v", after)
	}
	own := decoded[page[api.Notice]](c, "notices", "list", "--user", "ann")
	if len(own.Items) != 1 || own.Items[0].Kind != "user.suspended" || own.Items[0].UserID != "ann" || own.Items[0].TeamID != "" {
		t.Errorf("%+v", own)
	}
	first := decoded[page[api.Notice]](c, "notices", "list", "--limit", "3")
	rest := decoded[page[api.Notice]](c, "notices", "list", "--after", first.Next)
	if !first.More || len(rest.Items) != 1 || rest.Items[0].UserID != "ann" || first.Items[0].TeamID != "acme" {
		t.Errorf("%+v, then %+v", first, rest)
	}
	c.fails(exitUsage, []string{"--after"}, "notices", "list", "--after", "7")
	c.fails(exitUsage, []string{"--team"}, "notices", "list", "--team", "acme", "--user", "ann")
	c.fails(exitFailed, []string{"(team_not_found)"}, "notices", "list", "--team", "nowhere")
}
