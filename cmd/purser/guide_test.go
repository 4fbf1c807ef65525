package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"purser/billing"
	"purser/internal/localstripe"
)

// guide is a product's backend at work, told so that a test reads like a page of
// documentation: it has an API key, says with Purser-User who acts, and talks HTTP and JSON
// with purser as `purser serve` wires it, beside a Stripe and a database of its own.
type guide struct{ *acted }

func newGuide(t *testing.T, catalog *billing.Catalog) *guide {
	t.Helper()
	return &guide{newActedWith(t, catalog)}
}

// step is a heading of the page. What follows builds on it, so a step that fails is the
// last one.
func (g *guide) step(title string, tell func()) {
	g.t.Helper()
	page := g.t
	ok := page.Run(title, func(t *testing.T) {
		g.t = t
		defer func() { g.t = page }()
		tell()
	})
	if !ok {
		page.FailNow()
	}
}

// as names the user who acts; nobody is the backend itself.
func (g *guide) as(user string) asking { return asking{g, user} }

// backend acts by itself, with no user's role.
func (g *guide) backend() asking { return g.as("") }

type asking struct {
	*guide
	user string
}

// reply is what purser answered.
type reply struct {
	*guide
	what   string
	status int
	raw    []byte
}

func (a asking) get(path string) reply { a.t.Helper(); return a.ask(http.MethodGet, path, "") }
func (a asking) post(path string, body string) reply {
	a.t.Helper()
	return a.ask(http.MethodPost, path, body)
}
func (a asking) patch(path, body string) reply {
	a.t.Helper()
	return a.ask(http.MethodPatch, path, body)
}

func (a asking) ask(method, path, body string) reply {
	a.t.Helper()
	status, raw, err := a.product.call(a.t.Context(), a.user, method, path, body)
	a.must(err)
	return reply{a.guide, strings.TrimSpace(method + " " + path + " " + body), status, raw}
}

// answers fails the test unless the request was done and each field of want stands in the
// answer. Fields that want leaves out aren't looked at; a list is compared whole.
func (r reply) answers(want string) reply {
	r.t.Helper()
	if r.status != http.StatusOK && r.status != http.StatusCreated {
		r.t.Fatalf("%s\n%d %s", r.what, r.status, r.raw)
	}
	r.compare(want)
	return r
}

// refused fails the test unless the request was refused with that status and code, and
// each field of want stands in the problem.
func (r reply) refused(status int, code string, want ...string) reply {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("%s\nisn't refused with %d %s: %d %s", r.what, status, code, r.status, r.raw)
	}
	for _, w := range append(want, fmt.Sprintf(`{"status": %d, "code": %q}`, status, code)) {
		r.compare(w)
	}
	return r
}

func (r reply) compare(want string) {
	r.t.Helper()
	if wrong := differences("", r.parse([]byte(want)), r.parse(r.raw)); wrong != nil {
		r.t.Errorf("%s\n%s\nin %s", r.what, strings.Join(wrong, "\n"), r.raw)
	}
}

func (r reply) parse(raw []byte) (v any) {
	r.t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		r.t.Fatalf("%s: %v in %s", r.what, err, raw)
	}
	return v
}

// text gives a field of the answer, for a later request.
func (r reply) text(field string) string {
	r.t.Helper()
	object, _ := r.parse(r.raw).(map[string]any)
	text, ok := object[field].(string)
	if !ok {
		r.t.Fatalf("%s\nanswers no text %q: %s", r.what, field, r.raw)
	}
	return text
}

// differences names every place at which got hasn't what want says.
func differences(at string, want, got any) (wrong []string) {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s: %v is no object", at, got)}
		}
		for name, v := range want {
			if there, ok := object[name]; ok {
				wrong = append(wrong, differences(at+"."+name, v, there)...)
			} else {
				wrong = append(wrong, fmt.Sprintf("%s.%s isn't there", at, name))
			}
		}
		slices.Sort(wrong)
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return []string{fmt.Sprintf("%s: %v, not %v", at, got, want)}
		}
		for i, v := range want {
			wrong = append(wrong, differences(fmt.Sprintf("%s[%d]", at, i), v, list[i])...)
		}
	default:
		if got != want {
			wrong = append(wrong, fmt.Sprintf("%s is %v, not %v", at, got, want))
		}
	}
	return wrong
}

// pool is a team's pool, which must say what want says, and add up in both ways (B12).
func (g *guide) pool(team, want string) {
	g.t.Helper()
	g.addsUp(g.backend().get("/v1/teams/" + team + "/pool").answers(want))
}

// account is a user's personal account, likewise.
func (g *guide) account(user, want string) {
	g.t.Helper()
	g.addsUp(g.as(user).get("/v1/users/" + user + "/account").answers(want))
}

func (g *guide) addsUp(r reply) {
	g.t.Helper()
	var p struct {
		Total, Monthly, Purchased, Rollover, Bonus, Contributed int64
		Used, Held, Allocated, Frozen, Available                int64
	}
	g.must(json.Unmarshal(r.raw, &p))
	if p.Total != p.Monthly+p.Purchased+p.Rollover+p.Bonus+p.Contributed || p.Total != p.Used+p.Held+p.Allocated+p.Frozen+p.Available {
		g.t.Errorf("B12: %s doesn't add up: %s", r.what, r.raw)
	}
}

// joins lets somebody into a team: an admin invites, the mail carries the link of the
// answer, and the backend says who followed it.
func (g *guide) joins(team, admin, user, invitation string) {
	g.t.Helper()
	sent := g.as(admin).post("/v1/teams/"+team+"/invitations", invitation).answers(`{"state": "pending"}`)
	g.backend().post("/v1/invitations/accept", fmt.Sprintf(`{"token": %q, "user_id": %q}`, g.linked(sent), user)).
		answers(fmt.Sprintf(`{"team_id": %q, "user_id": %q}`, team, user))
}

// linked is the token in an invitation's link, as the page behind the link would find it.
func (g *guide) linked(sent reply) string {
	g.t.Helper()
	link, err := url.Parse(sent.text("accept_url"))
	g.must(err)
	if link.Host != "app.acme.example" || link.Query().Get("token") == "" {
		g.t.Fatalf("the link is %s", link)
	}
	return link.Query().Get("token")
}

// buys lets somebody buy a pack for an account on Stripe's page.
func (g *guide) buys(user, account, pack string) {
	g.t.Helper()
	purchase := g.as(user).post(account+"/checkouts", fmt.Sprintf(
		`{"pack": %q, "success_url": "https://app.acme.example/thanks", "cancel_url": "https://app.acme.example/credits"}`, pack)).
		answers(`{"state": "open"}`)
	session := regexp.MustCompile(`cs_test_\w+`).FindString(purchase.text("url"))
	g.must(g.stripe.PaySession(g.t.Context(), session, localstripe.Payment{}))
	g.must(g.settled(g.t.Context()))
	g.as(user).get("/v1/purchases/" + purchase.text("id")).answers(`{"state": "paid"}`)
}

// portal leads the owner to Stripe's billing portal, and presses the button there that
// changes the subscription, with the fields of its form.
func (g *guide) portal(team, owner, subscription string, form url.Values) {
	g.t.Helper()
	page := g.as(owner).post("/v1/teams/"+team+"/billing-portal-sessions", `{"return_url": "https://app.acme.example/credits", "flow": "seats"}`).
		answers(fmt.Sprintf(`{"subscription_id": %q}`, subscription)).text("url")
	form.Set("do", "update")
	req, err := http.NewRequestWithContext(g.t.Context(), http.MethodPost, page+"/subscriptions/"+subscription, strings.NewReader(form.Encode()))
	g.must(err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := stay.Do(req)
	g.must(err)
	g.must(res.Body.Close())
	if res.StatusCode != http.StatusSeeOther {
		g.t.Fatalf("the portal answers %s", res.Status)
	}
	g.must(g.settled(g.t.Context()))
}

// seats is the portal's form that changes the number of seats.
func seats(n int) url.Values { return url.Values{"seats": {fmt.Sprint(n)}} }

// later moves everybody's clock.
func (g *guide) later(by time.Duration) { g.t.Helper(); g.until(g.stripe.Now().Add(by)) }

func (g *guide) until(at time.Time) {
	g.t.Helper()
	g.must(g.stripe.Advance(g.t.Context(), at))
	g.must(g.settled(g.t.Context()))
}

// audited fails the test if `purser audit` finds anything.
func (g *guide) audited() {
	g.t.Helper()
	shows(g.t, g.ok("audit"), `^audit: 0 differences$`)
}
