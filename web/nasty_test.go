package web_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/internal/browsertest"
	"purser/teams"
)

// nasty is a team of people whose names are long or written from right to left, with very
// many credits.
func (w *world) nasty() {
	w.T.Helper()
	long := strings.Repeat("Wolfeschlegelsteinhausenbergerdorff", 5)
	team := w.Team("nasty", "ann", 0)
	for range 6 {
		w.Grant(team.BookID, 1_000_000_000_000)
	}
	for _, user := range []string{"long", "hebrew"} {
		w.Join("nasty", user, teams.Plain)
	}
	w.Must(func(tx pgx.Tx) error {
		for user, name := range map[string]string{"long": long, "hebrew": "דוד בן-גוריון (ראש)"} {
			if _, err := teams.SetUser(w.T.Context(), tx, user, user+strings.Repeat("y", 100)+"@example.com", name); err != nil {
				return err
			}
		}
		description := strings.Repeat("x", 400)
		_, err := teams.ChangeTeam(w.T.Context(), tx, w.Catalog, "nasty", teams.TeamChange{Name: &long, Description: &description}, teams.Actor{}, noon)
		return err
	})
	w.spend("nasty", "long", 123_456_789_012)
	w.spend("nasty", "hebrew", 7)
}

// Nothing is pushed off the screen, whatever people are called and however much they have.
func TestBrowser_LongNamesAndLargeNumbersFit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.nasty()
	c := w.chrome()
	c.goTo(w.link("ann", "nasty"))
	for _, path := range []string{"", "/members", "/members/long", "/usage", "/history", "/settings", "/billing", "/moves/allocate?look=1&to=long&credits=987654321098", "/mine", "/mine/leave"} {
		c.goTo("/page/teams/nasty" + path)
		c.fits(path)
	}
	c.goTo("/page/teams/nasty/moves/allocate?look=1&to=long&credits=5")
	c.clean("a preview with a long name")
	c.goTo("/page/teams/nasty/usage")
	c.clean("usage with large numbers")
	own := w.chrome()
	own.goTo(w.link("ann", ""))
	own.goTo("/page/teams")
	own.fits("teams")
}

// fits fails the test if anything is pushed off the screen, or out of its card.
func (c *chrome) fits(what string) {
	c.T.Helper()
	for _, width := range []int64{390, 1280} {
		c.Size(width, 800)
		if wide := c.Wide(); wide > width {
			c.T.Errorf("%s is %d wide on a screen of %d", what, wide, width)
		}
		if cut := browsertest.Eval[string](c.Tab, `[...document.querySelectorAll("dd, dt, h1, .lead, .figure, text")].filter(e => {
			const at = e.getBoundingClientRect(), card = (e.closest("svg") || e.closest(".card") || document.body).getBoundingClientRect();
			return at.width > 0 && (at.right > card.right + 1 || at.left < card.left - 1 || e.tagName !== "text" && e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0);
		}).map(e => e.textContent).join(" | ")`); cut != "" {
			c.T.Errorf("%s: cut off on a screen of %d: %s", what, width, cut)
		}
	}
}

// A name that is written from right to left turns nothing around it.
func TestNamesFromRightToLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.nasty()
	b := w.as("hebrew", "nasty")
	if !strings.Contains(b.body, "You are \u2068דוד בן-גוריון (ראש)\u2069<") {
		t.Errorf("the name isn't isolated: %s", visibleText(b.body))
	}
	b = w.as("ann", "nasty").get("/page/teams/nasty/members")
	if !strings.Contains(b.body, "<bdi>דוד בן-גוריון (ראש)</bdi>") || strings.Contains(b.body, "\u2068ann") {
		t.Error("names in a table aren't isolated, or are though nothing turns")
	}
}

// Whoever hears or touches the page stands, after an action, where it says what became of
// it: with scripts and without.
func TestBrowser_FocusIsOnWhatBecameOfIt(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]browsertest.Option{"WithScripts": nil, "WithoutScripts": {browsertest.WithoutScripts}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.acme()
			c := w.chrome(options...)
			c.goTo(w.link("ann", "acme"))
			focused := func(want string) {
				t.Helper()
				if !c.Until(func() bool {
					return browsertest.Eval[string](c.Tab, `document.activeElement.getAttribute("role") || ""`) == want
				}) {
					t.Errorf("the focus isn't on the %s: %s", want, browsertest.Eval[string](c.Tab, `document.activeElement.outerHTML.slice(0, 80)`))
				}
			}
			c.goTo(membersAt)
			c.Fill("E-mail address", "dan@example.com")
			c.Press("Invite")
			focused("status")
			c.Fill("E-mail address", "dan@example.com")
			c.Press("Invite")
			focused("alert")
			if said := browsertest.Eval[string](c.Tab, `document.title`); !strings.HasPrefix(said, "That didn't work: Members") {
				t.Errorf("the title is %q", said)
			}
			c.goTo("/page/teams/acme/moves/allocate")
			c.Fill("Credits", "1.5")
			c.Press("See what would happen")
			focused("alert")
			described := browsertest.Eval[string](c.Tab, `(e => e ? e.getAttribute("aria-describedby").split(" ").map(id => document.getElementById(id).innerText).join(" ") : "")(document.querySelector("[aria-invalid]"))`)
			if !strings.Contains(described, "An amount of credits is a whole number") {
				t.Errorf("the wrong field is described as %q", described)
			}
			c.Content()
		})
	}
}

// Reasons that purser writes down itself are told in the page's words, in the viewer's time.
func TestHistory_SaysOwnReasonsInThePagesWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.acme()
	w.as("ann", "acme").get(billingAt).submit(billingAt+"/checkout", "pack", "pack_1000")
	w.paid()
	w.Must(func(tx pgx.Tx) error {
		_, _, err := teams.ChangeMembers(t.Context(), tx, w.Catalog, "acme", []teams.Change{{UserID: "bob", Remove: true}}, teams.Actor{}, noon)
		return err
	})
	b := w.as("ann", "acme").get("/page/teams/acme/history").want(200, "bought: 1,000 credits", "left the team", "for a project").wantNot("elsewhere", "pack_1000")
	if stamp := regexp.MustCompile(`\d{4}-\d\d-\d\dT`).FindString(visibleText(b.body)); stamp != "" {
		t.Errorf("it says an instant as programs write it: %s", visibleText(b.body))
	}
	b.want(200, "for the period from 10 Mar 2026, with 5 seats")
	b.get("/page/teams/acme/history.csv").want(200, "pack pack_1000")
}

// An automatic top-up that nobody has set begins empty, and a team without a subscription
// is told so.
func TestBilling_Empty(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Team("plain", "ann", 0)
	b := w.as("ann", "plain").get("/page/teams/plain/billing").want(200, "The team has no subscription", "Nothing has been bought yet").wantNot("Only the owner of the subscription")
	if f := b.form("/page/teams/plain/billing/auto-top-up").fields; f.Get("credits_max") != "" || f.Get("threshold") != "" || f.Get("amount_max") != "" {
		t.Errorf("it begins with %v", f)
	}
	w.as("ann", "").get("/page/teams").want(200, "nothing set aside for you")
}

// What isn't there yet is said, and where to get it.
func TestEmpty(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Team("plain", "ann", 0)
	b := w.as("ann", "plain").want(200, "There are no credits here yet. Get some")
	b.get("/page/teams/plain/usage").want(200, "0 used", "Nothing was used on these days.", "As a table")
	if strings.Contains(b.body, "<svg") {
		t.Error("nothing is drawn as a chart")
	}
	w.as("ann", "").want(200, "There are no credits here yet. Get some")
}

func TestWarning_R2_AnOpenDisputeIsToldThoughNothingIsLeftToFreeze(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Team("acme", "ann", 0)
	w.Subscribe(w.acmeNow(), 1)
	w.as("ann", "acme").get(billingAt).submit(billingAt+"/checkout", "pack", "pack_1000")
	id := w.paid()
	w.spend("acme", "ann", 2000)
	disputed := func(status string) {
		t.Helper()
		w.Must(func(tx pgx.Tx) error {
			_, err := billing.ApplyCharge(t.Context(), tx, w.Catalog, billing.Charge{
				ID: "ch_1", PaymentIntentID: "pi_1", CustomerID: "cus_ann", Amount: 1000, Currency: "usd", CreatedAt: noon,
				Metadata: map[string]string{billing.MetadataPurchase: id}, Disputes: []billing.Dispute{{ID: "dp_1", Amount: 1000, Status: status}},
			}, w.Made.Add(1), w.Clock.Now)
			return err
		})
	}
	disputed(billing.DisputeNeedsResponse)
	b := w.as("ann", "acme").want(200, "A payment is disputed. Nothing is bought automatically until that is over. See purchases")
	disputed("won")
	b.get("/page/teams/acme").want(200).wantNot("disputed")
}

func TestMine_T7_WhomAnAdminMadePersonalIsToldSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.acme()
	b := w.as("bob", "acme").submit("/page/teams/acme/mine/personal").want(200, "Use the team's credits again")
	w.Must(func(tx pgx.Tx) error {
		personal := teams.PersonalAccess
		_, _, err := teams.ChangeMembers(t.Context(), tx, w.Catalog, "acme", []teams.Change{{UserID: "bob", Access: &personal}}, teams.Actor{User: "abe"}, noon)
		return err
	})
	b.get("/page/teams/acme/mine").want(200, "An admin has made your access personal, so an admin must give it back.").wantNot("Use the team's credits again")
}

// In a team too large to choose from, a member's history is found by address, too.
func TestHistory_OfALargeTeamIsFoundByAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.crowd("big", 205)
	const at = "/page/teams/big/history"
	b := w.as("ann", "big").get(at+"?member=User-00003@example.com&kind=spend").want(200, "Member number 3").wantNot("Member number 4", "Nothing was found")
	b.get(at+"?member=user-00004").want(200, "Member number 4").wantNot("Member number 3")
	b.get(at+"?member=nobody@example.com").want(200, "That isn't a member of the team")
}
