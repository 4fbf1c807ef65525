package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/api"
	"purser/billing"
	"purser/internal/pgtest"
	"purser/internal/teamtest"
	"purser/teams"
)

func TestMain(m *testing.M) {
	// Answers are in UTC wherever the machine stands.
	time.Local = time.FixedZone("elsewhere", 5*60*60)
	pgtest.Main(m)
}

// noon is when most tests take place.
var noon = teamtest.Noon

// world is an API over a database of its own.
type world struct {
	*teamtest.World
	api    *api.Server
	url    string
	wall   *teamtest.Clock
	log    *teamtest.Log
	stripe *fakeStripe
	http   *http.Client
	key    string // of a backend that may do all
}

func newWorld(t *testing.T, change ...func(*api.Config)) *world {
	t.Helper()
	w := &world{World: teamtest.New(t), wall: &teamtest.Clock{}, log: &teamtest.Log{}, stripe: &fakeStripe{}}
	w.wall.Set(time.Now().Add(time.Hour)) // sockets' deadlines follow it, beside the real time
	cfg := api.Config{
		Pool: w.DB, Catalog: w.Catalog, Stripe: w.stripe, Now: w.Clock.Now, Wall: w.wall.Now,
		Logger: slog.New(slog.NewJSONHandler(w.log, nil)), Version: "test",
		NewID:       w.NewID,
		Stage:       func(context.Context, pgx.Tx, []billing.EventArgs) error { return nil },
		StageTopUps: func(context.Context, pgx.Tx, []int64) error { return nil },
	}
	for _, c := range change {
		c(&cfg)
	}
	var err error
	if w.api, err = api.New(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(w.api)
	w.url = server.URL
	w.http = &http.Client{Transport: &checker{t: t, doc: documentOf(t, w.api), inner: &http.Transport{MaxIdleConnsPerHost: 128}}}
	t.Cleanup(func() {
		w.http.CloseIdleConnections()
		server.Close()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		if err := w.api.Close(ctx); err != nil {
			t.Error(err)
		}
		w.Audited()
	})
	w.key = w.newKey(teams.ScopeSpend, teams.ScopeRead, teams.ScopeManage, teams.ScopeOperate)
	return w
}

// run is t.Run for a step of a story: the world's failures are the step's.
func (w *world) run(name string, do func(t *testing.T)) {
	w.T.Helper()
	whole, ok := w.T.(*testing.T)
	if !ok {
		w.T.Fatal("benchmarks tell no stories")
	}
	defer func() { w.T = whole }()
	whole.Run(name, func(t *testing.T) {
		w.T = t
		do(t)
	})
}

// request is one call of the API.
type request struct {
	method, path string
	body         any    // "": none; a string goes as it is
	user         string // Purser-User
	key          string // of idempotency; "": a new one; "-": none
	auth         string // an API key; "": one that may do all; "-": none
	header       map[string]string
}

// reply is what came back.
type reply struct {
	t      testing.TB
	what   string
	status int
	header http.Header
	raw    []byte
}

func (w *world) do(r request) reply {
	w.T.Helper()
	out, err := w.try(r)
	if err != nil {
		w.T.Fatal(err)
	}
	return out
}

// try is do for goroutines that may not end the test.
func (w *world) try(r request) (reply, error) {
	var body io.Reader
	switch b := r.body.(type) {
	case nil:
	case string:
		body = strings.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			return reply{}, err
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(w.T.Context(), r.method, w.url+r.path, body)
	if err != nil {
		return reply{}, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	set := func(name, value, standard string) {
		switch value {
		case "-":
		case "":
			if standard != "" {
				req.Header.Set(name, standard)
			}
		default:
			req.Header.Set(name, value)
		}
	}
	if r.auth == "" {
		r.auth = w.key
	}
	if r.auth != "-" {
		req.Header.Set("Authorization", "Bearer "+r.auth)
	}
	fresh := ""
	if r.method != http.MethodGet {
		fresh = "key-" + strconv.FormatInt(w.Made.Add(1), 10)
	}
	set("Idempotency-Key", r.key, fresh)
	set("Purser-User", r.user, "")
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	res, err := w.http.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	return reply{w.T, r.method + " " + r.path, res.StatusCode, res.Header, raw}, err
}

func (w *world) get(path string) reply { w.T.Helper(); return w.do(request{method: "GET", path: path}) }

func (w *world) post(path string, body any) reply {
	w.T.Helper()
	return w.do(request{method: "POST", path: path, body: body})
}

// as is a call by a user.
func (w *world) as(user, method, path string, body any) reply {
	w.T.Helper()
	return w.do(request{method: method, path: path, body: body, user: user})
}

// ok fails the test unless the status is that, and gives the body.
func (r reply) ok(status int) map[string]any {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("%s: %d, want %d: %s", r.what, r.status, status, r.raw)
	}
	var v map[string]any
	if err := json.Unmarshal(r.raw, &v); err != nil {
		r.t.Fatalf("%s: %v: %s", r.what, err, r.raw)
	}
	return v
}

// refused fails the test unless it is a problem of that status and code.
func (r reply) refused(status int, code string) map[string]any {
	r.t.Helper()
	v := r.ok(status)
	if v["code"] != code {
		r.t.Fatalf("%s: code %v, want %s: %s", r.what, v["code"], code, r.raw)
	}
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		r.t.Errorf("%s: %s", r.what, got)
	}
	if v["type"] != "/problems#"+code || v["status"] != float64(status) || v["title"] == "" || v["detail"] == "" {
		r.t.Errorf("%s: not a whole problem: %s", r.what, r.raw)
	}
	return v
}

// into decodes a body.
func into[T any](r reply, status int) T {
	r.t.Helper()
	r.ok(status)
	var v T
	if err := json.Unmarshal(r.raw, &v); err != nil {
		r.t.Fatal(err)
	}
	return v
}

type object = map[string]any

func equal(a, b any) bool { return reflect.DeepEqual(a, b) }
