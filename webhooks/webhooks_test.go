package webhooks_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"purser/billing"
	"purser/internal/pgtest"
	"purser/webhooks"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const secret = "whsec_first"

// noon is when everything here happens.
var noon = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

// bundle is a receiver over a database of its own.
type bundle struct {
	pool    *pgxpool.Pool
	config  webhooks.Config
	handler http.Handler
	log     *lines
}

func setup(t testing.TB, changes ...func(*webhooks.Config)) *bundle {
	t.Helper()
	pool := pgtest.Pool(t)
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{})
	if err != nil {
		t.Fatal(err)
	}
	log := &lines{}
	config := webhooks.Config{
		Pool: pool,
		Stage: func(ctx context.Context, tx pgx.Tx, args []billing.EventArgs) error {
			params := make([]river.InsertManyParams, len(args))
			for i, a := range args {
				params[i].Args = a
			}
			_, err := client.InsertManyTx(ctx, tx, params)
			return err
		},
		Secrets: []string{secret},
		Now:     func() time.Time { return noon },
		Logger:  slog.New(slog.NewJSONHandler(log, nil)),
	}
	for _, change := range changes {
		change(&config)
	}
	return &bundle{pool, config, webhooks.New(config), log}
}

// lines collects log lines.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), what)
}

func (l *lines) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.b.String()
	l.b.Reset()
	return s
}

// event is a small body; changes are pairs of old and new text in it.
func event(id string, changes ...string) string {
	return strings.NewReplacer(changes...).Replace(`{
  "id": "` + id + `",
  "object": "event",
  "api_version": "2023-10-16",
  "created": 1709208000,
  "data": {"object": {"id": "sub_1", "object": "subscription", "customer": "cus_1"}},
  "livemode": false,
  "type": "customer.subscription.updated"
}`)
}

func v1(body, secret, stamp string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%s.%s", stamp, body)
	return hex.EncodeToString(mac.Sum(nil))
}

func signature(body, secret string, at time.Time) string {
	stamp := fmt.Sprint(at.Unix())
	return "t=" + stamp + ",v1=" + v1(body, secret, stamp)
}

func request(body, header string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/webhooks/stripe", strings.NewReader(body))
	if header != "" {
		r.Header.Set("Stripe-Signature", header)
	}
	return r
}

// answer is what came back, whichever of the two shapes it has.
type answer struct {
	Status  int         `json:"-"`
	Header  http.Header `json:"-"`
	Outcome string      `json:"outcome"`
	Code    string      `json:"code"`
	Problem int         `json:"status"`
	Raw     string      `json:"-"`
}

func (b *bundle) send(t testing.TB, r *http.Request) answer {
	t.Helper()
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	a := answer{Status: w.Code, Header: w.Header(), Raw: w.Body.String()}
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatalf("answer %d isn't JSON: %v\n%s", w.Code, err, a.Raw)
	}
	return a
}

func (b *bundle) deliver(t testing.TB, body string) answer {
	t.Helper()
	return b.send(t, request(body, signature(body, secret, noon)))
}

// state is all that a delivery could change, to the last byte.
func (b *bundle) state(t *testing.T) string {
	t.Helper()
	var s string
	err := b.pool.QueryRow(t.Context(), `
		SELECT concat_ws(' ',
			(SELECT count(*) FROM events),
			(SELECT count(*) FROM event_ids),
			(SELECT count(*) FROM river_job),
			(SELECT md5(string_agg(e::text, '|' ORDER BY e.id, e.created_at)) FROM events e),
			(SELECT md5(string_agg(j::text, '|' ORDER BY j.id)) FROM river_job j))`).Scan(&s)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// counts is how many events and jobs there are.
func (b *bundle) counts(t *testing.T) (events, jobs int) {
	t.Helper()
	err := b.pool.QueryRow(t.Context(), `
		SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM river_job WHERE kind = 'stripe_event')`).Scan(&events, &jobs)
	if err != nil {
		t.Fatal(err)
	}
	return events, jobs
}

func (b *bundle) wantCounts(t *testing.T, events, jobs int) {
	t.Helper()
	if e, j := b.counts(t); e != events || j != jobs {
		t.Errorf("%d events and %d jobs, want %d and %d", e, j, events, jobs)
	}
}

func (a answer) want(t *testing.T, status int, word string) {
	t.Helper()
	if a.Status != status || (a.Outcome != word && a.Code != word) {
		t.Errorf("answered %d %s, want %d %s", a.Status, strings.TrimSpace(a.Raw), status, word)
	}
}
