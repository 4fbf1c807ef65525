package web_test

import (
	"strings"
	"testing"

	"purser/internal/browsertest"
)

// chrome is a real browser at the page, as one person uses it.
type chrome struct {
	*world
	*browsertest.Tab
}

func (w *world) chrome(options ...browsertest.Option) *chrome {
	w.T.Helper()
	return &chrome{w, browsertest.Open(w.T, options...)}
}

func (c *chrome) goTo(path string) {
	c.T.Helper()
	c.Go(c.url + path)
}

// clean fails the test if axe-core finds anything on the page that is shown, in light and in
// dark, on a phone and on a desk, or if the page is wider than the screen.
func (c *chrome) clean(what string) {
	c.T.Helper()
	for _, width := range []int64{390, 1280} {
		c.Size(width, 800)
		for _, scheme := range []string{"light", "dark"} {
			c.Scheme(scheme)
			for _, bad := range c.Axe() {
				c.T.Errorf("%s, %s, %d wide: %s", what, scheme, width, bad)
			}
		}
		if wide := c.Wide(); wide > width {
			c.T.Errorf("%s is %d wide on a screen of %d", what, wide, width)
		}
	}
}

// Every page that has an address of its own.
func TestBrowser_AxeFindsNothing(t *testing.T) {
	t.Parallel()
	team := []string{
		"", "/members", "/members/bob", "/moves", "/moves/allocate", "/moves/transfer?look=1&from=bob&to=cleo&credits=5", "/moves/allocate?look=1&to=cleo&credits=999999",
		"/usage", "/history", "/billing", "/billing?bought=1", "/billing/unassign", "/explain", "/mine", "/none",
		"/billing/card", "/settings", "/settings/owner?to=bob", "/settings/owner?to=nobody", "/settings/close", "/mine/leave",
	}
	account := []string{"", "/usage", "/history", "/billing", "/explain", "/../teams", "/../open/none"}
	for _, one := range []struct {
		user, team string
		paths      []string
	}{{"ann", "acme", team[:10]}, {"ann", "acme", team[10:]}, {"bob", "acme", []string{"", "/usage", "/history", "/members", "/mine/leave"}}, {"ann", "", account}} {
		t.Run(strings.ReplaceAll(one.user+" "+one.team+" "+one.paths[1], "/", ""), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.acme()
			w.as("ann", "acme").get(membersAt).submit(inviteAt, "email", "dan@example.com").want(200)
			c := w.chrome()
			link := w.link(one.user, one.team)
			c.goTo(link)
			root := "/page/account"
			if one.team != "" {
				root = "/page/teams/" + one.team
			}
			for _, path := range one.paths {
				c.goTo(root + path)
				c.clean(path)
			}
			c.goTo(link)
			c.Says("This link was used already")
			c.clean("a used link")
			c.Content()
		})
	}
}

// Pages that one comes to by sending a form: what would become of it, what became of it, and
// why it is refused.
func TestBrowser_AxeFindsNothingOnWhatFormsLeadTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.acme()
	c := w.chrome()
	c.goTo(w.link("ann", "acme"))
	choose := func(what, credits string) {
		c.goTo(membersAt)
		c.Tick("Choose bob")
		c.Tick("Choose cleo")
		bulk := c.Within("fieldset.bulk")
		bulk.Choose("Do this", what)
		if credits != "" {
			bulk.Fill("Credits for each", credits)
		}
		c.Press("See what would change")
	}
	press := func(button, says string) {
		c.Press(button)
		c.Says(says)
		c.clean(says)
	}
	choose("Set credits aside", "999999")
	c.Says("some rows are refused")
	c.clean("refused rows")
	choose("Remove from the team", "")
	c.Says("2 members leave the team")
	c.clean("removal to be confirmed")
	choose("Set credits aside", "5")
	c.clean("credits to be confirmed")
	press("Confirm", "Done: 2 members changed")
	c.Fill("E-mail address", "dan@example.com")
	press("Invite", "dan@example.com is invited")
	c.Fill("E-mail address", "dan@example.com")
	press("Invite", "invited already")
	c.goTo("/page/teams/acme/moves/allocate?look=1&to=cleo&credits=5")
	press("Move 5 credits", "Done: 5 credits are set aside")
	c.goTo("/page/teams/acme/billing")
	for _, field := range []string{"When this many credits are left", "At most this many credits a month", "At most this much money a month"} {
		c.Card("h-topup").Fill(field, "ten")
	}
	press("Save", "Automatic top-up")
	c.goTo("/page/teams/acme/billing/unassign")
	press("Confirm", "The subscription is yours alone again")
	c.Follow("Use your subscription for this team")
	c.clean("a subscription to be assigned")
	press("Confirm", "The subscription is the team's")
	w.spend("acme", "cleo", 3000)
	c.Follow("Overview")
	c.Says("credits are left")
	c.clean("a warning")
	press("Sign out", "You are signed out")
	c.goTo("/page/teams/acme")
	c.Says("You aren't signed in here")
	c.clean("no session")
	c.goTo(w.link("bob", "acme"))
	c.Follow("See what leaving would do")
	press("Leave the team", "You have left Team acme.")
	c.goTo("/page/teams/acme/mine/leave")
	c.Says("You have left Team acme.")
	c.clean("a team that was left")
	c.goTo(w.link("cleo", ""))
	c.goTo("/page/teams/acme/mine/leave")
	press("Leave the team", "You have left Team acme.")
	c.goTo("/page/teams/acme/mine/leave")
	c.Says("You have left Team acme.", "Your teams")
	c.clean("a team that was left, on the own page")
	c.Content()
}

// A page of usage with one before it and one after.
func TestBrowser_AxeFindsNothingOnAPeriodBetweenTwo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.acme()
	w.Clock.Set(noon.AddDate(0, 2, 3))
	c := w.chrome()
	c.goTo(w.link("ann", "acme"))
	c.Follow("Usage")
	c.Follow("Earlier period")
	c.Card("h-days").Has("10 Apr 2026 – 10 May 2026", "Earlier period", "Later period", "0 used")
	c.clean("a period between two")
	c.Follow("Earlier period")
	c.Card("h-days").Has("10 Mar 2026 – 10 Apr 2026", "1,500 used")
	c.clean("the first period")
	c.Content()
}

// What axe-core doesn't find it can't be trusted with.
func TestBrowser_AxeFindsWhatIsBad(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.chrome()
	c.goTo("/page/open/none")
	browsertest.Eval[bool](c.Tab, `document.querySelector("main").insertAdjacentHTML("beforeend", "<input><img src='x.png'>"), true`)
	if found := strings.Join(c.Axe(), "\n"); !strings.Contains(found, "label: ") || !strings.Contains(found, "image-alt: ") {
		t.Errorf("it found: %s", found)
	}
}

// What scripts add: the zone that the browser is in, all rows ticked at once, and only the
// fields that belong to what is to be done.
func TestBrowser_Scripts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.acme()
	c := w.chrome(browsertest.In("Pacific/Auckland"))
	c.goTo(w.link("ann", "acme"))
	c.Says("Times are in Pacific/Auckland")
	c.goTo(membersAt)
	c.Tick("Choose all on this page")
	if n := browsertest.Eval[int64](c.Tab, `document.querySelectorAll("input[name=user]:checked").length`); n != 4 {
		t.Errorf("%d of 4 are ticked", n)
	}
	shown := func() string {
		return browsertest.Eval[string](c.Tab, `[...document.querySelectorAll("[data-for]")].filter(f => !f.hidden).map(f => f.dataset.for).join()`)
	}
	if got := shown(); got != "access" {
		t.Errorf("shown: %s", got)
	}
	c.Choose("Do this", "Set the limit")
	if got := shown(); got != "limit" {
		t.Errorf("shown: %s", got)
	}
	c.Within("fieldset").Choose("Limit", "In all")
	c.Within("fieldset").Fill("Credits at most", "900")
	c.Press("See what would change")
	c.Says("4 members get a different limit")
	c.Press("Confirm")
	c.Says("Done: 4 members changed")
	c.Content()
}
