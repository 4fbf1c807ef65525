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
	w.t.Helper()
	return &chrome{w, browsertest.Open(w.t, options...)}
}

func (c *chrome) goTo(path string) {
	c.t.Helper()
	c.Go(c.url + path)
}

// axe-core finds nothing on any page, in light and in dark, on a desk and on a phone.
func TestBrowser_AxeFindsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.acme()
	w.as("ann", "acme").get(membersAt).submit(inviteAt, "email", "dan@example.com").want(200)
	pages := map[[2]string][]string{
		{"ann", "acme"}: {
			"", "/members", "/members/bob", "/moves", "/moves/allocate", "/moves/transfer?look=1&from=bob&to=cleo&credits=5", "/moves/allocate?look=1&to=cleo&credits=999999",
			"/usage", "/history", "/billing", "/billing/unassign", "/explain", "/mine", "/none",
			"/settings", "/settings/owner?to=bob", "/settings/owner?to=nobody", "/settings/close",
		},
		{"bob", "acme"}: {"", "/usage", "/history"},
	}
	c := w.chrome()
	for _, at := range []struct {
		scheme string
		width  int64
	}{{"light", 1280}, {"dark", 390}} {
		c.Scheme(at.scheme)
		c.Size(at.width, 800)
		check := func(path string) {
			c.goTo(path)
			for _, bad := range c.Axe() {
				t.Errorf("%s, %s, %d wide: %s", path, at.scheme, at.width, bad)
			}
			if wide := c.Wide(); wide > at.width {
				t.Errorf("%s is %d wide on a screen of %d", path, wide, at.width)
			}
		}
		for who, paths := range pages {
			c.goTo(w.link(who[0], who[1]))
			for _, path := range paths {
				check("/page/teams/acme" + path)
			}
		}
		c.goTo(w.link("ann", ""))
		for _, path := range []string{"/page/account", "/page/account/billing", "/page/account/explain", "/page/teams", "/page/open/used"} {
			check(path)
		}
	}
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
	c.Says("4 members get another limit")
	c.Press("Confirm")
	c.Says("Done: 4 members changed")
	c.Content()
}
