package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/teams"
	"purser/web"
)

func TestSession(t *testing.T) {
	t.Parallel()
	t.Run("ALinkOpensThePageOnce_AUsedOneLeadsBack", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		link := w.link("ann", "acme")
		first := w.browser().get(link).want(200, "Team acme", "You are ann")
		if first.at != "/page/teams/acme" {
			t.Errorf("it leads to %s", first.at)
		}
		second := w.browser().get(link).want(410, "used already")
		if !strings.Contains(second.body, `href="https://app.example/settings?x=1&amp;y=2"`) {
			t.Errorf("it doesn't lead back: %s", second.body)
		}
		w.browser().get("/page/open/nobody-made-this").want(404, "doesn't work")
		late := w.link("ann", "acme")
		w.wall.Advance(5 * time.Minute)
		w.browser().get(late).want(410)
	})
	t.Run("LookingWhetherTheLinkIsThereOpensNothing", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		link := w.link("ann", "acme")
		r, err := http.NewRequestWithContext(t.Context(), http.MethodHead, w.url+link, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b := w.browser().send(r); b.header.Get("Set-Cookie") != "" {
			t.Error("HEAD opened it")
		}
		w.browser().get(link).want(200)
	})
	t.Run("WithoutASessionThereIsNothing", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		for _, path := range []string{"/page", "/page/account", "/page/teams/acme", "/page/teams/acme/mine"} {
			w.browser().get(path).want(401, "aren't signed in").wantNot("acme", "5,000")
		}
	})
	t.Run("AnExpiredSessionLeadsBack", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		b := w.as("ann", "acme")
		w.wall.Advance(8 * time.Hour)
		b.get("/page/teams/acme").want(401, "session is over").wantNot("5,000")
		if !strings.Contains(b.body, `href="https://app.example/settings`) {
			t.Error("it doesn't lead back")
		}
	})
	t.Run("WhoIsRemovedSeesNothingMore", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		bound, own := w.as("bob", "acme"), w.as("bob", "")
		own.get("/page/teams/acme").want(200)
		w.Must(func(tx pgx.Tx) error {
			_, _, err := teams.ChangeMembers(t.Context(), tx, w.Catalog, "acme", []teams.Change{{UserID: "bob", Remove: true}}, teams.Actor{}, noon)
			return err
		})
		bound.get("/page/teams/acme").want(410, "You are no longer in Team acme.").wantNot("3,300")
		own.get("/page/teams/acme").want(410, "You are no longer in Team acme.").wantNot("3,300")
		own.get("/page/account").want(200)
	})
	t.Run("LeavingEndsIt", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		b := w.as("ann", "acme")
		stale := *b
		b.submit("/page/leave").want(200, "You are signed out")
		b.get("/page/teams/acme").want(401)
		stale.submit("/page/leave").want(401)
	})
	t.Run("AnothersTeamAndAnothersPageDoNotExist", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		w.Team("zeta", "zoe", 777)
		w.Join("zeta", "ann", teams.Admin)
		for user, team := range map[string]string{"ann": "acme", "bob": "acme", "zoe": ""} {
			b := w.as(user, team)
			other := map[string]string{"acme": "zeta", "": "acme"}[team]
			b.get("/page/teams/"+other).want(404, "nothing here").wantNot("777", "Team")
		}
		w.as("ann", "acme").get("/page/account").want(404)
		w.as("ann", "").get("/page/teams/zeta").want(200, "Team zeta")
	})
}

func TestCookie(t *testing.T) {
	t.Parallel()
	cookie := func(b *browser) *http.Cookie {
		t.Helper()
		b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		b.get(b.link("ann", "acme"))
		c, err := http.ParseSetCookie(b.header.Get("Set-Cookie"))
		if err != nil {
			t.Fatal(err)
		}
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge != 8*60*60 || len(c.Value) < 43 {
			t.Errorf("%s", c)
		}
		return c
	}
	t.Run("OverHTTPSItIsOfThisHostAlone", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, func(c *web.Config) { c.URL = "https://credits.example" })
		w.acme()
		b := w.browser()
		if c := cookie(b); c.Name != "__Host-purser" || !c.Secure {
			t.Errorf("%s", c)
		}
		if b.header.Get("Strict-Transport-Security") == "" {
			t.Error("browsers may come back over http")
		}
	})
	t.Run("OnOnesOwnMachineBrowsersTakeItOverHTTP", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		if c := cookie(w.browser()); c.Name != "purser_page" || c.Secure {
			t.Errorf("%s", c)
		}
	})
	t.Run("NoOtherAddressMayBePlain", func(t *testing.T) {
		t.Parallel()
		for address, fine := range map[string]bool{
			"https://credits.example": true, "http://127.0.0.1:8080": true, "http://localhost:1": true, "http://[::1]:1": true,
			"http://credits.example": false, "http://10.0.0.1": false, "credits.example": false, "https://x.example/page": false, "": false,
		} {
			if err := web.CheckURL(address); (err == nil) != fine {
				t.Errorf("%s: %v", address, err)
			}
		}
	})
}

// Nothing that another site has a browser send is done.
func TestForeign(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.acme()
	b := w.as("bob", "acme").get("/page/teams/acme/mine").want(200)
	good := b.form("/page/teams/acme/mine/personal")
	other := w.as("cleo", "acme").get("/page/teams/acme/mine").form("/page/teams/acme/mine/personal").fields
	access := func() teams.Access {
		m, err := teams.GetMember(t.Context(), w.DB, "acme", "bob")
		if err != nil {
			t.Fatal(err)
		}
		return m.Access
	}
	post := func(fields url.Values, headers ...string) *browser {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+good.action, strings.NewReader(fields.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		return b.send(r)
	}
	without := func(name, value string) url.Values {
		f := url.Values{}
		for k, v := range good.fields {
			f[k] = v
		}
		f.Set(name, value)
		return f
	}
	post(good.fields, "Sec-Fetch-Site", "cross-site").want(403, "didn't come from this page")
	post(good.fields, "Sec-Fetch-Site", "same-site").want(403)
	post(good.fields, "Origin", "https://evil.example").want(403)
	post(without("csrf", "")).want(403)
	post(without("csrf", "guessed")).want(403)
	post(without("csrf", other.Get("csrf"))).want(403, "didn't come from this page")
	post(without("key", "")).want(422)
	post(without("key", strings.Repeat("x", 300<<10))).want(413)
	b.get(good.action).want(404)
	if access() != teams.CreditsAccess {
		t.Fatal("something was done all the same")
	}
	post(good.fields, "Sec-Fetch-Site", "same-origin").want(200, "your own credits")
	if access() != teams.PersonalAccess {
		t.Error("and what comes from here isn't done")
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *web.Config) { c.Brand.Logo = "https://cdn.example/logo.svg" })
	w.acme()
	b := w.as("ann", "acme")
	for _, path := range []string{"/page/teams/acme", "/page/none", "/page/open/none"} {
		h := b.get(path).header
		policy := h.Get("Content-Security-Policy")
		for _, part := range []string{
			"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data: https://cdn.example",
			"form-action 'self' https://stripe.example", "base-uri 'none'", "frame-ancestors 'none'",
		} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s: the policy lacks %s: %s", path, part, policy)
			}
		}
		if strings.Contains(policy, "unsafe") || h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") != "no-referrer" ||
			h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, h)
		}
	}
	if strings.Contains(b.get("/page/teams/acme").body, "style=") {
		t.Error("a style that the policy forbids")
	}
}

// A form that is sent twice is done once, and says the same.
func TestOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.acme()
	b := w.as("bob", "acme").get("/page/teams/acme/mine")
	f := b.form("/page/teams/acme/mine/personal")
	b.sendForm(f).want(200, "you pay with your own credits")
	b.sendForm(f).want(200, "you pay with your own credits") // it would be refused, were it done again
	b.get("/page/teams/acme/mine").want(200).wantNot("From now on")
	f.fields.Set("more", "else")
	b.sendForm(f).want(409, "sent before with other contents")
}
