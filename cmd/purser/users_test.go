package main

import (
	"fmt"
	"strings"
	"testing"

	"purser/teams"
)

func TestUsers(t *testing.T) {
	t.Parallel()

	t.Run("T0_ComeIntoBeingAndKeepWhatIsLeftOut", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t)
		shows(t, c.ok("user", "set", "olga", "--email", "olga@acme.example", "--name", "Olga"), `^user +olga$`, `^e-mail +olga@acme\.example$`)
		c.ok("user", "set", "olga", "--name", "Olga N.")
		view := decoded[userView](c, "user", "show", "olga")
		if view.ID != "olga" || view.Email != "olga@acme.example" || view.Name != "Olga N." || !view.CreatedAt.Equal(now) {
			t.Errorf("user is %+v", view.User)
		}
		if view.Customers == nil || view.Teams == nil || view.Subscriptions == nil {
			t.Error("an empty list isn't written as a list")
		}
	})
	t.Run("ShowsCustomersAndTeams", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t)
		c.ok("customer", "link", "cus_1", "olga")
		c.ok("team", "create", "acme", "--owner", "olga", "--name", "Acme")
		shows(t, c.ok("user", "show", "olga"), `^customer +cus_1$`, `^owns team +acme$`)
	})
	t.Run("Refused", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t)
		c.fails(exitFailed, []string{`user "nobody"`, "purser user set"}, "user", "show", "nobody")
		c.fails(exitFailed, []string{"setting user", "e-mail address"}, "user", "set", "olga", "--email", "olga")
		c.fails(exitFailed, []string{"200 characters"}, "user", "set", strings.Repeat("x", 201))
		c.ok("user", "set", "olga", "--email", "olga@acme.example")
		c.fails(exitFailed, []string{"another user has", "purser user list"}, "user", "set", "ben", "--email", "OLGA@acme.example")
		if list := decoded[page[teams.User]](c, "user", "list"); len(list.Items) != 1 {
			t.Errorf("a refused command left %+v", list.Items)
		}
	})
	t.Run("ListsPageByPage", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t)
		if out := c.ok("user", "list"); out != "none\n" {
			t.Errorf("nobody is listed as %q", out)
		}
		for i := range 5 {
			c.ok("user", "set", fmt.Sprintf("user-%d", i))
		}
		var seen []string
		for after, more := "", true; more; {
			list := decoded[page[teams.User]](c, "user", "list", "--limit", "2", "--after", after)
			for _, u := range list.Items {
				seen = append(seen, u.ID)
			}
			after, more = list.Next, list.More
		}
		if got := strings.Join(seen, " "); got != "user-0 user-1 user-2 user-3 user-4" {
			t.Errorf("listed %s", got)
		}
		shows(t, c.ok("user", "list", "--limit", "2"), `^USER +E-MAIL`, `^user-1 `, `^there are more: --after user-1$`)
		if out := c.ok("user", "list", "--limit", "5"); strings.Contains(out, "more") {
			t.Errorf("there is no more:\n%s", out)
		}
	})
	t.Run("NamesCannotMoveTheCursor", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t)
		c.ok("user", "set", "olga", "--name", "O\x1b[2Jlga\u202e\nx")
		if out := c.ok("user", "list") + c.ok("user", "show", "olga"); strings.ContainsAny(out, "\x1b\u202e") || strings.Contains(out, "\nx") {
			t.Errorf("printed %q", out)
		}
	})
}

func TestTeams(t *testing.T) {
	t.Parallel()

	t.Run("T2_TheCreatorOwnsIt", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t)
		c.ok("team", "create", "acme", "--owner", "olga", "--name", "Acme", "--description", "Rockets")
		view := decoded[teamView](c, "team", "show", "acme")
		if view.OwnerID != "olga" || view.Name != "Acme" || view.Description != "Rockets" || view.Sharing != "pool" {
			t.Errorf("team is %+v", view.Team)
		}
		shows(t, c.ok("team", "show", "acme"), `^owner +olga$`)
		c.ok("team", "create", "bolt", "--owner", "ben", "--name", "Bolt")
		shows(t, c.ok("team", "list"), `^TEAM +NAME +OWNER`, `^acme +Acme +olga +2026-03-10T12:00:00Z$`, `^bolt `)
		if list := decoded[page[teams.Team]](c, "team", "list", "--owner", "ben"); len(list.Items) != 1 || list.Items[0].ID != "bolt" {
			t.Errorf("ben owns %+v", list.Items)
		}
	})
	t.Run("Refused", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t)
		c.ok("team", "create", "acme", "--owner", "olga", "--name", "Acme")
		c.fails(exitFailed, []string{`creating team "acme"`, "exists already", "purser team show"}, "team", "create", "acme", "--owner", "ben", "--name", "Other")
		c.fails(exitFailed, []string{`team "nowhere"`, "purser team list"}, "team", "show", "nowhere")
		c.fails(exitUsage, []string{"--owner", "--name"}, "team", "create", "x")
		c.with("PURSER_CATALOG", "").fails(exitUsage, []string{"set PURSER_CATALOG"}, "team", "create", "x", "--owner", "o", "--name", "n")
	})
}
