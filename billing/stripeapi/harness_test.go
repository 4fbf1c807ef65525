package stripeapi_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"purser/billing/stripeapi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testKey = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"

// day1 is where every test's clock begins.
var day1 = time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)

func at(s int64) time.Time   { return time.Unix(s, 0).UTC() }
func ptr(s int64) *time.Time { t := at(s); return &t }

// clock moves only when somebody sleeps.
type clock struct {
	mu    sync.Mutex
	now   time.Time
	slept []time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slept = append(c.slept, d)
	c.now = c.now.Add(d)
	return ctx.Err()
}

func (c *clock) sleeps() []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]time.Duration(nil), c.slept...)
}

// request is what the fake Stripe was asked.
type request struct {
	method, path string
	query, form  url.Values
	header       http.Header
	at           time.Time // by the test's clock
}

// stripe is a fake that answers what the test tells it to, by method and path.
type stripe struct {
	*httptest.Server
	t     *testing.T
	clock *clock

	mu       sync.Mutex
	requests []request
	answers  map[string]func(request) (int, string)
	headers  map[string]http.Header
}

func newStripe(t *testing.T) *stripe {
	t.Helper()
	s := &stripe{
		t: t, clock: &clock{now: day1}, answers: map[string]func(request) (int, string){}, headers: map[string]http.Header{},
	}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Server.Close)
	return s
}

func (s *stripe) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	checkRequest(s.t, r, body)
	form, _ := url.ParseQuery(string(body))
	asked := request{method: r.Method, path: r.URL.Path, query: r.URL.Query(), form: form, header: r.Header.Clone(), at: s.clock.Now()}
	s.mu.Lock()
	s.requests = append(s.requests, asked)
	answer, known := s.answers[r.Method+" "+r.URL.Path]
	extra := s.headers[r.Method+" "+r.URL.Path]
	s.mu.Unlock()
	if !known {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprintf(w, `{"error": {"type": "invalid_request_error", "message": "Unrecognized request URL (%s: %s)."}}`, r.Method, r.URL.Path)
		return
	}
	status, text := answer(asked)
	if status == 0 {
		panic(http.ErrAbortHandler) // cuts the connection
	}
	w.Header().Set("Request-Id", "req_1")
	w.Header().Set("Content-Type", "application/json")
	for name, values := range extra {
		w.Header()[name] = values
	}
	w.WriteHeader(status)
	io.WriteString(w, text)
}

// on answers a call by a function.
func (s *stripe) on(call string, answer func(request) (int, string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[call] = answer
}

// says answers a call always the same, with headers given in pairs.
func (s *stripe) says(call string, status int, text string, header ...string) {
	s.on(call, func(request) (int, string) { return status, text })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.headers[call] = http.Header{}
	for i := 0; i < len(header); i += 2 {
		s.headers[call].Set(header[i], header[i+1])
	}
}

// fails answers a call with one of Stripe's errors so many times, then with 200 and text.
func (s *stripe) fails(call string, times, status int, code, text string, header ...string) {
	s.says(call, 0, "", header...)
	s.on(call, func(request) (int, string) {
		if times--; times >= 0 {
			return status, fault(code)
		}
		return http.StatusOK, text
	})
}

func fault(code string) string {
	return fmt.Sprintf(`{"error": {"type": "invalid_request_error", "code": %q, "message": "This is what Stripe says."}}`, code)
}

func (s *stripe) asked() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]request(nil), s.requests...)
}

// calls lists what was asked as "METHOD path".
func (s *stripe) calls() []string {
	var calls []string
	for _, r := range s.asked() {
		calls = append(calls, r.method+" "+r.path)
	}
	return calls
}

// client is one that talks to the fake, by the fake's clock.
func (s *stripe) client(t *testing.T, change ...func(*stripeapi.Config)) *stripeapi.Client {
	t.Helper()
	cfg := stripeapi.Config{Key: testKey, BaseURL: s.URL, Now: s.clock.Now, Sleep: s.clock.Sleep}
	for _, c := range change {
		c(&cfg)
	}
	client, err := stripeapi.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

func wantText(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q doesn't say %q", text, part)
		}
	}
}
