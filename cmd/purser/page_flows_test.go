package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"purser/internal/browsertest"
)

// pageFlows are the ways through the hosted page that people take, each from the link that
// the product gets over the API to what it leaves in the ledger.
var pageFlows = []struct {
	name string
	take func(*flow)
}{
	{"ALinkOpensThePageOnceAndShowsWhatTheRoleMaySee", (*flow).doors},
	{"ARoleThatIsLostForbidsWhatIsConfirmedAfterwards", (*flow).roleLost},
	{"TheOverviewShowsThePoolsFigures", (*flow).overview},
	{"SomebodyIsInvitedAndComes", (*flow).invite},
	{"SeveralMembersAreChangedAtOnce", (*flow).bulk},
	{"OneRefusedRowRefusesAll", (*flow).bulkRole},
	{"CreditsAreMovedInEveryWay", (*flow).moves},
	{"AMoveThatCameTooLateIsRefused", (*flow).lost},
	{"AMemberPaysWithOwnCreditsAndComesBack", (*flow).mine},
	{"AMemberLeavesAndTheOwnerCannot", (*flow).leaving},
	{"SeatsAreChangedAndCanceledInStripesPortal", (*flow).portal},
	{"PacksAreBoughtOnStripesCheckoutPage", (*flow).checkout},
	{"AutomaticTopUpIsSetAndBuys", (*flow).topUp},
	{"TheSubscriptionLeavesTheTeamAndComesBack", (*flow).assigning},
	{"ATeamIsRenamedAndHandedOver", (*flow).settings},
	{"ATeamIsClosedForGood", (*flow).closing},
	{"OnesOwnPageMakesATeam", (*flow).own},
	{"UsageByDayAndMember", (*flow).usage},
	{"HistoryIsFilteredAndComesAsAFile", (*flow).history},
}

// pages is a service whose hosted page is used in browsers, with all that it talks to. All
// flows share it; each has people and a team of its own.
type pages struct {
	*acted
	mu    sync.Mutex // of the product, which counts its requests
	flows int
}

// flow is somebody's way through the page.
type flow struct {
	*pages
	*browsertest.Tab
	t       *testing.T
	n       int // of the flow: what it makes is named after it
	scripts bool
	team    string
}

// Everything on the page works with and without scripts, over real HTTP, through Stripe's
// pages too, and leaves a ledger that adds up.
func TestPage(t *testing.T) {
	t.Parallel()
	p := &pages{acted: newActed(t)}
	p.past(&flow{pages: p, t: t})
	t.Run("Flows", func(t *testing.T) {
		for _, one := range pageFlows {
			for mode, options := range map[string][]browsertest.Option{"WithScripts": nil, "WithoutScripts": {browsertest.WithoutScripts}} {
				p.flows++
				f := &flow{pages: p, n: p.flows, scripts: options == nil}
				t.Run(one.name+"/"+mode, func(t *testing.T) {
					t.Parallel()
					f.t = t
					f.Tab = browsertest.Open(t, options...)
					one.take(f)
					f.Content()
				})
			}
		}
	})
	shows(t, p.ok("audit"), `^audit: 0 differences$`)
}

// id is how a user of this flow is called by the product.
func (f *flow) id(name string) string { return fmt.Sprintf("%s-%d", strings.ToLower(name), f.n) }

func (f *flow) mail(name string) string { return f.id(name) + "@acme.example" }

// ask asks the API as the product's backend, and fails the test unless it is done.
func (f *flow) ask(method, path string, body any, into any) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	raw := []byte{}
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			f.t.Fatal(err)
		}
	}
	status, answer, err := f.product.call(f.t.Context(), "", method, path, string(raw))
	if err != nil || status >= http.StatusBadRequest {
		f.t.Fatalf("%s %s %s: %d %s %v", method, path, raw, status, answer, err)
	}
	if into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			f.t.Fatalf("%s: %v", answer, err)
		}
	}
}

type fields = map[string]any

// people are users with names.
func (f *flow) people(names ...string) {
	f.t.Helper()
	for _, name := range names {
		f.ask(http.MethodPut, "/v1/users/"+f.id(name), fields{"name": name, "email": f.mail(name)}, nil)
	}
}

// acme makes a team of Olga's, with a subscription of five seats that came from Stripe, and
// with members: Ada is an admin, all others are plain.
func (f *flow) acme(members ...string) {
	f.t.Helper()
	f.people("Olga")
	f.team = fmt.Sprintf("acme-%d", f.n)
	f.ask(http.MethodPost, "/v1/teams", fields{"id": f.team, "owner_id": f.id("Olga"), "name": "Acme"}, nil)
	for _, name := range members {
		f.people(name)
		f.join(name, nil)
	}
	f.subscribed("5", f.team)
}

// join lets somebody in by an invitation.
func (f *flow) join(name string, invitation fields) {
	f.t.Helper()
	in := fields{"email": f.mail(name)}
	if name == "Ada" {
		in["role"] = "admin"
	}
	maps.Copy(in, invitation)
	var sent struct{ Token string }
	f.ask(http.MethodPost, "/v1/teams/"+f.team+"/invitations", in, &sent)
	f.accept(name, sent.Token)
}

func (f *flow) accept(name, token string) {
	f.t.Helper()
	f.ask(http.MethodPost, "/v1/invitations/accept", fields{"token": token, "user_id": f.id(name)}, nil)
}

// subscribed gives Olga a customer with a card at Stripe and a subscription, for a team or
// with "" for nobody.
func (f *flow) subscribed(seats, team string) {
	f.t.Helper()
	form := url.Values{"email": {f.mail("Olga")}, "metadata[purser_user]": {f.id("Olga")}}
	var made struct{ ID string }
	f.atStripe("/v1/customers", form, &made)
	customer := made.ID
	f.atStripe("/v1/payment_methods/pm_card_visa/attach", url.Values{"customer": {customer}}, &made)
	f.atStripe("/v1/customers/"+customer, url.Values{"invoice_settings[default_payment_method]": {made.ID}}, nil)
	price, err := f.price(f.t.Context(), "team_monthly")
	if err != nil {
		f.t.Fatal(err)
	}
	form = url.Values{"customer": {customer}, "items[0][price]": {price}, "items[0][quantity]": {seats}}
	if team != "" {
		form.Set("metadata[purser_team]", team)
	}
	f.atStripe("/v1/subscriptions", form, nil)
	f.worked()
}

func (f *flow) atStripe(path string, form url.Values, into any) {
	f.t.Helper()
	if err := f.post(f.t.Context(), path, form, into); err != nil {
		f.t.Fatal(err)
	}
}

// worked waits until purser has worked what happened at Stripe.
func (f *flow) worked() {
	f.t.Helper()
	if err := f.settled(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
}

// spends lets a member spend.
func (f *flow) spends(name string, credits int64) {
	f.t.Helper()
	f.ask(http.MethodPost, "/v1/teams/"+f.team+"/spends", fields{"user_id": f.id(name), "credits": credits}, nil)
}

// advance moves everybody's clock by days.
func (f *flow) advance(days int) {
	f.t.Helper()
	if err := f.stripe.Advance(f.t.Context(), f.stripe.Now().AddDate(0, 0, days)); err != nil {
		f.t.Fatal(err)
	}
	f.worked()
}

// link is what the product leads a user to, for a team or with "" for the user's own page.
func (f *flow) link(name, team string) string {
	f.t.Helper()
	var made struct{ URL string }
	body := fields{"user_id": f.id(name), "return_url": "https://app.acme.example/settings", "time_zone": "Europe/Berlin", "locale": "en-GB"}
	if team != "" {
		body["team_id"] = team
	}
	f.ask(http.MethodPost, "/v1/page_sessions", body, &made)
	return made.URL
}

// enter opens the page of the flow's team as somebody.
func (f *flow) enter(name string) {
	f.t.Helper()
	f.Go(f.link(name, f.team))
	f.Says("You are " + name)
}

// show goes to a page of the team.
func (f *flow) show(below string) {
	f.t.Helper()
	f.Go(f.svc.URL() + "/page/teams/" + f.team + below)
}

// facts fails the test unless a card of the page shows these.
func (f *flow) facts(card string, want map[string]string) {
	f.t.Helper()
	got := f.Card(card).Facts()
	for name, text := range want {
		if got[name] != text {
			f.t.Errorf("%s: %s is %q, not %q: %v", f.At(), name, got[name], text, got)
		}
	}
}
