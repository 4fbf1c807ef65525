package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"purser/teams"
)

const settingsAt = "/page/teams/acme/settings"

// reach sends to an action by hand, past the pages that wouldn't offer it.
func (b *browser) reach(action string, values ...string) *browser {
	b.T.Helper()
	fields := url.Values{"csrf": {b.csrf()}, "key": {"page-" + strings.Repeat("k", 24)}}
	for i := 0; i < len(values); i += 2 {
		fields.Set(values[i], values[i+1])
	}
	return b.sendForm(formOn{action: action, method: http.MethodPost, fields: fields})
}

// csrf is the session's proof, from the form that every page has.
func (b *browser) csrf() string {
	b.T.Helper()
	page := *b
	return page.get("/page").form("/page/leave").fields.Get("csrf")
}

// guarded holds an action against those who may not, other sites, and the ids of other
// teams. None of it may change anything, which is told by what unchanged gives.
func (w *world) guarded(action, may string, mayNot []string, unchanged func() any, values ...string) {
	w.T.Helper()
	w.Team("other", "oz", 0)
	before := unchanged()
	for _, user := range mayNot {
		w.as(user, "acme").reach(action, values...).want(http.StatusForbidden)
	}
	w.as("oz", "").reach(action, values...).want(http.StatusNotFound)
	w.as(may, "acme").reach(strings.Replace(action, "/acme/", "/other/", 1), values...).want(http.StatusNotFound)
	w.as(may, "").reach(strings.Replace(action, "/acme/", "/other/", 1), values...).want(http.StatusNotFound)
	b := w.as(may, "acme")
	fields := url.Values{"csrf": {b.csrf()}, "key": {"page-" + strings.Repeat("k", 24)}}
	for i := 0; i < len(values); i += 2 {
		fields.Set(values[i], values[i+1])
	}
	for _, foreign := range []string{"cross-site", "same-site"} {
		r, err := http.NewRequestWithContext(w.T.Context(), http.MethodPost, w.url+action, strings.NewReader(fields.Encode()))
		if err != nil {
			w.T.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", foreign)
		b.send(r).want(http.StatusForbidden, "didn't come from this page")
	}
	fields.Del("csrf")
	b.sendForm(formOn{action: action, method: http.MethodPost, fields: fields}).want(http.StatusForbidden, "didn't come from this page")
	if after := unchanged(); after != before {
		w.T.Errorf("%s changed %v to %v", action, before, after)
	}
}

// acmeNow is the team as it stands.
func (w *world) acmeNow() (team teams.Team) {
	w.T.Helper()
	w.Must(func(tx pgx.Tx) (err error) {
		team, err = teams.GetTeam(w.T.Context(), tx, "acme")
		return err
	})
	return team
}

func TestSettings(t *testing.T) {
	t.Parallel()
	t.Run("T1_AnAdminRenamesTheTeamAndChoosesHowItShares", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		b := w.as("abe", "acme").get(settingsAt).want(200, "belongs to ann", "Only the owner can hand the team over").wantNot("Close the team")
		b.submit(settingsAt, "name", " Acme Design ", "description", "We draw.", "sharing", "balances", "fall_back", "yes").want(200, "settings are saved", "We draw.")
		if team := w.acmeNow(); team.Name != "Acme Design" || team.Description != "We draw." || team.Sharing != teams.SharingBalances || !team.FallBack {
			t.Errorf("%+v", team)
		}
		b.get("/page/teams/acme").want(200, "Acme Design", "We draw.")
		b.get(settingsAt).submit(settingsAt, "name", "", "sharing", "pool").want(422, "between 1 and 200 characters")
		if got := b.form(settingsAt).fields; got.Get("name") != "" || got.Get("sharing") != "pool" || got.Get("fall_back") != "yes" {
			t.Errorf("what was typed is lost: %v", got)
		}
		b.get(settingsAt).submit(settingsAt, "sharing", "nobody").want(422, "Choose who draws")
		f := b.get(settingsAt).form(settingsAt)
		f.fields.Del("fall_back")
		if b.sendForm(f).want(200); w.acmeNow().FallBack {
			t.Error("a box can't be unticked")
		}
	})
	t.Run("S4_OnlyThoseWhoManageTheTeamMay", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		w.guarded(settingsAt, "abe", []string{"bob"}, func() any { return w.acmeNow() }, "name", "Stolen", "sharing", "balances")
		w.as("bob", "acme").wantNot("Settings").get(settingsAt).want(403).wantNot("Hand the team over")
	})
}

func TestHandOver(t *testing.T) {
	t.Parallel()
	const at = settingsAt + "/owner"
	t.Run("T3_TheOwnerHandsTheTeamOver_OnceItIsConfirmed", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		b := w.as("ann", "acme").get(settingsAt)
		b.submit(at, "to", "bob").want(200, "bob becomes the owner", "You become an admin", "isn't handed over")
		if w.acmeNow().OwnerID != "ann" {
			t.Fatal("looking changed it")
		}
		f := b.secondForm(at)
		b.sendForm(f).want(200, "bob owns the team now", "belongs to bob", "Only the owner can hand")
		if w.acmeNow().OwnerID != "bob" || w.member("ann").Role != teams.Admin || w.member("bob").Role != teams.Owner {
			t.Errorf("%+v", w.acmeNow())
		}
		b.sendForm(f).want(200, "bob owns the team now")
		w.as("bob", "acme").get(settingsAt).want(200, "Close the team")
	})
	t.Run("ARefusalSaysWhy", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		b := w.as("ann", "acme")
		b.get(at+"?to=ann").want(409, "owns the team already")
		b.get(at+"?to=nobody").want(422, "a member of the team")
		w.as("abe", "acme").get(at + "?to=abe").want(403)
	})
	t.Run("S4_OnlyTheOwnerMay", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		w.guarded(at, "ann", []string{"abe", "bob"}, func() any { return w.acmeNow() }, "to", "abe")
	})
}

func TestClose(t *testing.T) {
	t.Parallel()
	const at = settingsAt + "/close"
	t.Run("T16_ClosingSaysWhatGoesWhereAndWhatExpires_AndExactlyThatIsConfirmed", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		team := w.acme()
		w.as("ann", "acme").get(membersAt).submit(inviteAt, "email", "dan@example.com").want(200)
		b := w.as("ann", "acme").get(at).want(200, "3,500 credits go to the personal account of ann", "500 credits expire", "500 credits: Bonus, never expire",
			"1 invitation is taken back", "I know that 500 credits expire")
		f := b.form(at)
		if f.fields.Has("expires") {
			t.Error("the box is ticked before anybody did")
		}
		b.sendForm(f).want(409, "What expires has to be confirmed")
		f.fields.Set("expires", "500")
		w.Grant(team.BookID, 7)
		b.sendForm(f).want(409, "What expires has to be confirmed", "507 credits expire")
		if w.acmeNow().ClosedAt != nil {
			t.Fatal("it is closed")
		}
		f = b.form(at)
		f.fields.Set("expires", "507")
		b.sendForm(f).want(200, "Team acme is closed", "The team is closed")
		if w.acmeNow().ClosedAt == nil {
			t.Fatal("it isn't closed")
		}
		b.sendForm(f).want(200, "Team acme is closed")
		b.get(settingsAt).want(200, "The team is closed").wantNot("Save", "Hand it over", "Close the team")
		b.reach(settingsAt, "name", "New", "sharing", "pool").want(409, "The team is closed")
		w.as("ann", "").get("/page/account").want(200, "3,500 available")
	})
	t.Run("T16_HeldCreditsKeepItOpen", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		w.hold("acme", "cleo", 40)
		b := w.as("ann", "acme").get(at).want(200, "can't be closed while credits are held", "1 open hold keeps 40 credits").wantNot("Close the team for good")
		b.reach(at, "expires", "500").want(409, "can't be closed while credits are held")
	})
	t.Run("S4_OnlyTheOwnerMay", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		w.as("abe", "acme").get(at).want(403)
		w.guarded(at, "ann", []string{"abe", "bob"}, func() any { return w.acmeNow().ClosedAt == nil }, "expires", "500")
	})
}
