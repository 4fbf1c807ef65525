package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/api"
	"purser/billing"
	"purser/internal/pgtest"
	"purser/ledger"
	"purser/teams"
)

func TestMain(m *testing.M) {
	// Answers are in UTC wherever the machine stands.
	time.Local = time.FixedZone("elsewhere", 5*60*60)
	pgtest.Main(m)
}

// noon is when most tests take place.
var noon = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

// clock is a clock that tests move.
type clock struct{ nanos atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.nanos.Load()).UTC() }
func (c *clock) set(t time.Time)         { c.nanos.Store(t.UnixNano()) }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

// world is an API over a database of its own.
type world struct {
	t       *testing.T
	db      *pgxpool.Pool
	api     *api.Server
	url     string
	catalog *billing.Catalog
	clock   *clock // that credits follow
	wall    *clock
	log     *syncBuffer
	stripe  *fakeStripe
	http    *http.Client
	made    atomic.Int64
	key     string // of a backend that may do all
}

// syncBuffer is a log that may be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newWorld(t *testing.T, change ...func(*api.Config)) *world {
	t.Helper()
	w := &world{t: t, db: pgtest.Pool(t), catalog: billing.DemoCatalog(), clock: &clock{}, wall: &clock{}, log: &syncBuffer{}, stripe: &fakeStripe{}}
	w.clock.set(noon)
	w.wall.set(noon)
	cfg := api.Config{
		Pool: w.db, Catalog: w.catalog, Stripe: w.stripe, Now: w.clock.now, Wall: w.wall.now,
		Logger: slog.New(slog.NewJSONHandler(w.log, nil)), Version: "test",
		NewID: func(kind string) string { return fmt.Sprintf("%s_%06d", kind, w.made.Add(1)) },
		Stage: func(context.Context, pgx.Tx, []billing.EventArgs) error { return nil },
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
		w.audited()
	})
	w.key = w.newKey(teams.ScopeSpend, teams.ScopeRead, teams.ScopeManage, teams.ScopeOperate)
	return w
}

// run is t.Run for a step of a story: the world's failures are the step's.
func (w *world) run(name string, do func(t *testing.T)) {
	w.t.Helper()
	whole := w.t
	defer func() { w.t = whole }()
	whole.Run(name, func(t *testing.T) {
		w.t = t
		do(t)
	})
}

// audited proves the ledger at the end of every test.
func (w *world) audited() {
	w.t.Helper()
	ctx := context.WithoutCancel(w.t.Context())
	err := pgx.BeginTxFunc(ctx, w.db, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) error {
		_, err := ledger.Audit(ctx, tx, func(d ledger.Difference) error {
			w.t.Errorf("audit: %s", d)
			return nil
		})
		return err
	})
	if err != nil {
		w.t.Error(err)
	}
}

// must runs something in a transaction that commits.
func (w *world) must(do func(tx pgx.Tx) error) {
	w.t.Helper()
	if err := pgx.BeginFunc(w.t.Context(), w.db, do); err != nil {
		w.t.Fatal(err)
	}
}

// newKey makes an API key.
func (w *world) newKey(scopes ...teams.Scope) string {
	w.t.Helper()
	n := w.made.Add(1)
	id, token, hash := api.NewKey(func(b []byte) {
		copy(b, fmt.Sprintf("%032d", n))
		copy(b[max(0, len(b)-10):], fmt.Sprintf("%010d", n))
	})
	w.must(func(tx pgx.Tx) error {
		return teams.CreateKey(w.t.Context(), tx, teams.APIKey{ID: id, Name: "test", Scopes: scopes, CreatedBy: "test", CreatedAt: noon}, hash)
	})
	return token
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
	t      *testing.T
	what   string
	status int
	header http.Header
	raw    []byte
}

func (w *world) do(r request) reply {
	w.t.Helper()
	out, err := w.try(r)
	if err != nil {
		w.t.Fatal(err)
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
	req, err := http.NewRequestWithContext(w.t.Context(), r.method, w.url+r.path, body)
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
		fresh = "key-" + strconv.FormatInt(w.made.Add(1), 10)
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
	return reply{w.t, r.method + " " + r.path, res.StatusCode, res.Header, raw}, err
}

func (w *world) get(path string) reply { w.t.Helper(); return w.do(request{method: "GET", path: path}) }

func (w *world) post(path string, body any) reply {
	w.t.Helper()
	return w.do(request{method: "POST", path: path, body: body})
}

// as is a call by a user.
func (w *world) as(user, method, path string, body any) reply {
	w.t.Helper()
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

// team makes a team with credits in its pool.
func (w *world) team(id, owner string, credits int64) teams.Team {
	w.t.Helper()
	var team teams.Team
	w.must(func(tx pgx.Tx) (err error) {
		team, err = teams.CreateTeam(w.t.Context(), tx, w.catalog, teams.TeamIn{ID: id, OwnerID: owner, Name: id}, w.clock.now())
		return err
	})
	if credits > 0 {
		w.grant(team.BookID, credits)
	}
	return team
}

// grant puts bonus credits into a pool or a personal account.
func (w *world) grant(book, credits int64) {
	w.t.Helper()
	w.must(func(tx pgx.Tx) error {
		_, err := billing.GrantBonus(w.t.Context(), tx, w.catalog, billing.BonusIn{
			Book: book, Credits: credits, Key: fmt.Sprintf("g%d", w.made.Add(1)), Actor: "test", Memo: "test",
		}, w.clock.now())
		return err
	})
}

// join makes a user a member.
func (w *world) join(team, user string, role teams.Role) {
	w.t.Helper()
	hash := []byte(fmt.Sprintf("token %d", w.made.Add(1)))
	w.must(func(tx pgx.Tx) error {
		_, err := teams.Invite(w.t.Context(), tx, w.catalog, teams.InviteIn{
			ID: string(hash), TeamID: team, Email: user + "@example.com", Role: role, Limit: teams.Limit{Kind: teams.LimitNone}, TokenHash: hash,
		}, w.clock.now())
		if err != nil {
			return err
		}
		_, err = teams.Accept(w.t.Context(), tx, w.catalog, hash, user, w.clock.now())
		return err
	})
}

// user gives a user, made at this mention.
func (w *world) user(id string) teams.User {
	w.t.Helper()
	var u teams.User
	w.must(func(tx pgx.Tx) (err error) {
		u, err = teams.EnsureUser(w.t.Context(), tx, id, w.clock.now())
		return err
	})
	return u
}

// soak is how much longer the long walks are than in a normal run.
func soak() int {
	n, _ := strconv.Atoi(os.Getenv("PURSER_SOAK"))
	return max(n, 1)
}

// subscribe gives a team seats of the plan "team", as if Stripe had told of them and they
// were paid. It is of any period that contains the clock's instant.
func (w *world) subscribe(team teams.Team, seats int64) string {
	w.t.Helper()
	owner := w.user(team.OwnerID)
	at := w.clock.now()
	id := fmt.Sprintf("sub_%s_%d", team.ID, w.made.Add(1))
	sub := &billing.Subscription{
		ID: id, CustomerID: "cus_" + owner.ID, Status: billing.StatusActive, PeriodStart: at, PeriodEnd: at.AddDate(0, 1, 0), Anchor: at, CreatedAt: at,
		Items: []billing.Item{{ID: "si_" + id, PriceID: "price_team", LookupKey: "team_monthly", Interval: billing.IntervalMonth, IntervalCount: 1, Quantity: seats}},
	}
	invoice := billing.Invoice{
		ID: "in_" + id, SubscriptionID: id, CustomerID: sub.CustomerID, Status: "paid", CreatedAt: at, PaidAt: &at,
		Lines: []billing.InvoiceLine{{ID: "il_" + id, PriceID: "price_team", LookupKey: "team_monthly", Quantity: seats, Amount: 2500 * seats, From: sub.PeriodStart, To: sub.PeriodEnd}},
	}
	w.must(func(tx pgx.Tx) error {
		_, err := billing.LinkCustomer(w.t.Context(), tx, sub.CustomerID, owner.ID, owner.BookID, "test", at)
		if err != nil {
			return err
		}
		out, err := billing.Apply(w.t.Context(), tx, w.catalog, billing.ApplyIn{
			Fetched: billing.Fetched{Subscription: sub, Invoices: []billing.Invoice{invoice}}, Ticket: w.made.Add(1), Now: w.clock.now,
			Owner: billing.Owner{CustomerID: sub.CustomerID, UserID: owner.ID, BookID: owner.BookID},
			Named: &billing.Slot{TeamID: team.ID, BookID: team.BookID},
		})
		if err == nil && out.State != billing.EventDone {
			err = fmt.Errorf("the subscription is %s: %s", out.State, out.Reason)
		}
		if err != nil {
			return err
		}
		seat := teams.SeatAccess
		_, _, err = teams.ChangeMembers(w.t.Context(), tx, w.catalog, team.ID, []teams.Change{{UserID: team.OwnerID, Access: &seat}}, teams.Actor{}, at)
		return err
	})
	return id
}

func equal(a, b any) bool { return reflect.DeepEqual(a, b) }
