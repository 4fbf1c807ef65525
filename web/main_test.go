package web_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/internal/pgtest"
	"purser/internal/teamtest"
	"purser/teams"
	"purser/web"
)

func TestMain(m *testing.M) {
	// What the page says is in the viewer's zone wherever the machine stands.
	time.Local = time.FixedZone("elsewhere", 5*60*60)
	pgtest.Main(m)
}

// noon is when most tests take place.
var noon = teamtest.Noon

// world is a page over a database of its own.
type world struct {
	*teamtest.World
	page   *web.Server
	url    string
	wall   *teamtest.Clock // that sessions follow
	stripe *fakeStripe
	log    *teamtest.Log
	staged atomic.Int64 // decisions of automatic top-ups
}

// front answers once there is a page: its address is known only after it listens.
type front struct{ page atomic.Pointer[web.Server] }

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) { f.page.Load().ServeHTTP(w, r) }

func newWorld(t testing.TB, change ...func(*web.Config)) *world {
	t.Helper()
	w := &world{World: teamtest.New(t), wall: &teamtest.Clock{}, stripe: &fakeStripe{}, log: &teamtest.Log{}}
	// It has nothing to do with the other, but sockets' deadlines follow it, beside the real time: they
	// must not be over on any day.
	w.wall.Set(time.Now().AddDate(1, 0, 0).Truncate(time.Second)) // whole, as what a cookie counts in
	f := &front{}
	server := httptest.NewServer(f)
	w.url = server.URL
	cfg := web.Config{
		Pool: w.DB, Catalog: w.Catalog, Stripe: w.stripe, Now: w.Clock.Now, Wall: w.wall.Now, URL: server.URL,
		NewID:       w.NewID,
		StageTopUps: func(context.Context, pgx.Tx, []int64) error { w.staged.Add(1); return nil },
		Logger:      slog.New(slog.NewJSONHandler(w.log, nil)), StripeAt: []string{"https://stripe.example"},
		AcceptURL: "https://app.example/join?token={token}", Brand: web.Brand{Name: "Sketchpad"},
	}
	for _, c := range change {
		c(&cfg)
	}
	var err error
	if w.page, err = web.New(cfg); err != nil {
		t.Fatal(err)
	}
	f.page.Store(w.page)
	t.Cleanup(func() {
		server.Close()
		w.Audited()
	})
	return w
}

// browser is somebody's browser: it keeps cookies, follows redirects, and has no
// JavaScript.
type browser struct {
	*world
	client *http.Client
	at     string // where it is: the path with its query
	status int
	header http.Header
	body   string
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.T.Fatal(err)
	}
	b := &browser{world: w}
	b.client = &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if "http://"+r.URL.Host != w.url {
			return http.ErrUseLastResponse // it leads away
		}
		return nil
	}}
	return b
}

// link asks for a session as the backend does, and gives the path that opens it.
func (w *world) link(user, team string) string {
	w.T.Helper()
	return w.linkIn(user, team, "", "")
}

// linkIn is link with what the product says of the viewer.
func (w *world) linkIn(user, team, locale, zone string) string {
	w.T.Helper()
	token := fmt.Sprintf("link %d", w.Made.Add(1))
	hash := sha256.Sum256([]byte(token))
	w.Must(func(tx pgx.Tx) error {
		_, err := teams.CreatePageSession(w.T.Context(), tx, teams.PageSessionIn{
			ID: token, UserID: user, TeamID: team, ReturnURL: "https://app.example/settings?x=1&y=2", Locale: locale, TimeZone: zone, LinkHash: hash[:],
		}, w.wall.Now())
		return err
	})
	return strings.ReplaceAll(strings.TrimPrefix(web.LinkURL(""), w.url), "{token}", url.PathEscape(token))
}

// as opens the page as a user, for one team or with "" for all.
func (w *world) as(user, team string) *browser {
	w.T.Helper()
	b := w.browser()
	return b.get(w.link(user, team)).want(200)
}

func (b *browser) send(r *http.Request) *browser {
	b.T.Helper()
	res, err := b.client.Do(r)
	if err != nil {
		b.T.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		b.T.Fatal(err)
	}
	b.at, b.status, b.header, b.body = res.Request.URL.RequestURI(), res.StatusCode, res.Header, string(raw)
	return b
}

func (b *browser) get(path string) *browser {
	b.T.Helper()
	r, err := http.NewRequestWithContext(b.T.Context(), http.MethodGet, b.world.url+path, nil)
	if err != nil {
		b.T.Fatal(err)
	}
	return b.send(r)
}

// want fails the test unless the page has that status and says these texts.
func (b *browser) want(status int, texts ...string) *browser {
	b.T.Helper()
	if b.status != status {
		if b.status >= http.StatusInternalServerError {
			b.T.Log(b.log.String())
		}
		b.T.Fatalf("%s: %d, want %d: %s", b.at, b.status, status, visibleText(b.body))
	}
	for _, text := range texts {
		if !strings.Contains(visibleText(b.body), text) {
			b.T.Errorf("%s doesn't say %q: %s", b.at, text, visibleText(b.body))
		}
	}
	return b
}

// wantNot fails the test if the page says one of these texts.
func (b *browser) wantNot(texts ...string) *browser {
	b.T.Helper()
	for _, text := range texts {
		if strings.Contains(visibleText(b.body), text) {
			b.T.Errorf("%s says %q", b.at, text)
		}
	}
	return b
}

var (
	tags   = regexp.MustCompile(`(?s)<(?:script|style|head)\b.*?</(?:script|style|head)>|<[^>]*>`)
	blanks = regexp.MustCompile(`\s+`)
)

// visibleText is what a page says, without its marks.
func visibleText(body string) string {
	text := tags.ReplaceAllString(body, " ")
	text = strings.NewReplacer("&#39;", "'", "&amp;", "&", "&#43;", "+", "&lt;", "<", "&gt;", ">", "&#34;", `"`).Replace(text)
	return blanks.ReplaceAllString(text, " ")
}
