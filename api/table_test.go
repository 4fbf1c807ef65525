package api_test

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/api"
	"purser/internal/teamtest"
	"purser/teams"
)

// csv reads a file, which must be whole.
func (r reply) csv() [][]string {
	r.t.Helper()
	rows, err := csv.NewReader(strings.NewReader(string(r.raw))).ReadAll()
	if err != nil || r.status != 200 || !strings.HasPrefix(r.header.Get("Content-Type"), "text/csv") {
		r.t.Fatalf("%s: %d %v %v\n%s", r.what, r.status, r.header, err, r.raw)
	}
	return rows
}

// spendOften makes n spends of a team's owner at once.
func (w *world) spendOften(team, user string, n int) {
	w.T.Helper()
	many := make([]teams.SpendIn, n)
	for i := range many {
		key := fmt.Sprintf("often%d-%d", w.Made.Add(1), i)
		many[i] = teams.SpendIn{Op: teams.OpSpend, TeamID: team, UserID: user, Credits: 1, Key: key, Hash: []byte(key)}
	}
	w.Must(func(tx pgx.Tx) error {
		_, _, err := teams.SpendMany(w.T.Context(), tx, w.Catalog, many, w.Clock.Now())
		return err
	})
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Team("acme", "ann", 100)
	spend := func(metadata object) string {
		w.Clock.Advance(time.Hour)
		return w.post("/v1/teams/acme/spends", object{"user_id": "ann", "credits": 1, "metadata": metadata}).ok(201)["id"].(string)
	}
	seven := spend(object{"job": 7, "kind": "render", "deep": object{"a": 1}, "on": true})
	text := spend(object{"job": "7", "kind": "upscale"})
	spend(object{"job": 70, "kind": nil})
	w.post("/v1/teams/acme/spends", object{"user_id": "ann", "credits": 1}).ok(201)
	const since = "/v1/teams/acme/entries?from=2026-03-10T00:00:00Z&limit=1"
	w.run("S5_IsSearchedByItsFields", func(t *testing.T) {
		for query, want := range map[string][]string{
			"&metadata[job]=7":                         {text, seven},
			"&metadata[job]=7&metadata[kind]=render":   {seven},
			"&metadata%5Bon%5D=true":                   {seven},
			"&metadata[job]=7&to=2026-03-10T13:30:00Z": {seven},
			"&metadata[job]=8":                         nil,
			"&metadata[kind]=":                         nil,
			"&metadata[a]=1":                           nil, // only at the top
		} {
			if ids := w.all(since+query, "id"); !slices.Equal(ids, want) {
				t.Errorf("%s: %v, want %v", query, ids, want)
			}
		}
		if rows := w.get(since + "&format=csv&metadata[job]=7").csv(); len(rows) != 3 || rows[1][0] != text {
			t.Errorf("as a file: %v", rows)
		}
	})
	w.run("S5_WithinARangeOfTime", func(t *testing.T) {
		w.get("/v1/teams/acme/entries?metadata[job]=7").refused(422, "request_invalid")
		w.get("/v1/teams/acme/entries?metadata[job]=7&from=2025-03-01T00:00:00Z").refused(422, "request_invalid")
		w.get("/v1/teams/acme/entries?metadata[job]=7&from=2025-03-01T00:00:00Z&to=2026-03-01T00:00:00Z").ok(200)
		w.get("/v1/users/ann/entries?metadata[job]=7&from=2026-03-01T00:00:00Z").ok(200)
		many := ""
		for n := range 11 {
			many += fmt.Sprintf("&metadata[f%d]=x", n)
		}
		w.get(since+many).refused(422, "request_invalid")
	})
}

func TestUsageFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.history()
	w.run("T14_ByMember", func(t *testing.T) {
		rows := w.get("/v1/teams/acme/usage/members?format=csv&limit=1").csv()
		if len(rows) != 3 || !slices.Equal(rows[1][:2], []string{"ann", "106"}) || !slices.Equal(rows[2][:2], []string{"bob", "26"}) {
			t.Errorf("%v", rows)
		}
		if rows := w.as("bob", "GET", "/v1/teams/acme/usage/members?format=csv", nil).csv(); len(rows) != 2 || rows[1][0] != "bob" {
			t.Errorf("bob sees %v", rows)
		}
	})
	w.run("T14_ByDay", func(t *testing.T) {
		rows := w.get("/v1/teams/acme/usage/days?format=csv").csv()
		if len(rows) != 7 || !slices.Equal(rows[6], []string{"2026-03-15", "106", "4", "102"}) {
			t.Errorf("%v", rows)
		}
		if rows := w.get("/v1/teams/acme/usage/days?format=csv&user_id=bob&from=2026-03-15T00:00:00Z").csv(); !slices.Equal(rows[1], []string{"2026-03-15", "0", "4", "-4"}) {
			t.Errorf("%v", rows)
		}
	})
	w.run("T15_OfAPersonalAccount", func(t *testing.T) {
		w.Grant(w.User("bob").BookID, 50)
		w.post("/v1/users/bob/spends", object{"credits": 5}).ok(201)
		days := w.as("bob", "GET", "/v1/users/bob/usage/days", nil).ok(200)["items"].([]any)
		if len(days) != 1 || days[0].(object)["used"] != 5.0 {
			t.Errorf("%v", days)
		}
		w.as("ann", "GET", "/v1/users/bob/usage/days", nil).refused(404, "user_not_found")
	})
}

func TestPurchaseLists(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Team("acme", "ann", 0)
	w.Join("acme", "adm", teams.Admin)
	w.Join("acme", "bob", teams.Plain)
	w.Team("other", "ann", 0)
	buy := func(at, by string) string {
		w.Clock.Advance(24 * time.Hour)
		return w.as(by, "POST", at+"/checkouts", object{"pack": "pack_1000", "success_url": "https://x.example", "cancel_url": "https://x.example"}).ok(201)["id"].(string)
	}
	first, second, third := buy("/v1/teams/acme", "ann"), buy("/v1/teams/acme", "adm"), buy("/v1/teams/acme", "ann")
	elsewhere, own := buy("/v1/teams/other", "ann"), buy("/v1/users/ann", "ann")
	w.Must(func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `UPDATE purchases SET state = 'failed', reason = '=1+1', amount = 900, currency = 'eur', attempt = 2, decline_code = 'expired_card', refunded = 300, taken_back = 333, dispute = 'lost' WHERE id = $1`, second)
		return err
	})
	const path = "/v1/teams/acme/purchases"
	w.run("AreListedTheNewestFirst", func(t *testing.T) {
		for query, want := range map[string][]string{
			"": {third, second, first}, "&state=failed": {second}, "&state=paid": nil, "&created_by=adm": {second}, "&kind=auto": nil,
			"&kind=checkout&state=open": {third, first}, "&from=2026-03-12T00:00:00Z": {third, second}, "&to=2026-03-12T12:00:00Z": {first},
		} {
			if ids := w.all(path+"?limit=1"+query, "id"); !slices.Equal(ids, want) {
				t.Errorf("%s: %v, want %v", query, ids, want)
			}
		}
		if ids := w.all("/v1/teams/other/purchases?limit=1", "id"); !slices.Equal(ids, []string{elsewhere}) {
			t.Errorf("the other team's: %v", ids)
		}
		if ids := w.all("/v1/users/ann/purchases?limit=1", "id"); !slices.Equal(ids, []string{own}) {
			t.Errorf("T11: ann's own: %v", ids)
		}
		w.get(path+"?state=lost").refused(422, "request_invalid")
	})
	w.run("AsAFile", func(t *testing.T) {
		rows := w.as("adm", "GET", path+"?format=csv&limit=1", nil).csv()
		if len(rows) != 4 || rows[2][0] != second || !slices.Equal(rows[2][5:11], []string{"1000", "900", "eur", "failed", "'=1+1", "acme"}) {
			t.Errorf("%q", rows)
		}
		if !slices.Equal(rows[2][13:], []string{"1", "2", "expired_card", "300", "333", "lost"}) {
			t.Errorf("P5: %q", rows)
		}
	})
	w.run("P5_AnAttemptSaysWhyItWasDeclined", func(t *testing.T) {
		p := w.get("/v1/purchases/" + second).ok(200)
		if p["attempt"] != 2.0 || p["decline_code"] != "expired_card" || p["packs"] != 1.0 {
			t.Errorf("%v", p)
		}
		if p := w.get("/v1/purchases/" + first).ok(200); p["attempt"] != nil || p["decline_code"] != nil || p["url"] == nil {
			t.Errorf("of a page: %v", p)
		}
	})
	w.run("R1_SaysWhatWasRefundedAndTakenBack", func(t *testing.T) {
		if p := w.get("/v1/purchases/" + second).ok(200); p["refunded"] != 300.0 || p["taken_back"] != 333.0 || p["dispute"] != "lost" {
			t.Errorf("%v", p)
		}
		if p := w.get("/v1/purchases/" + first).ok(200); p["refunded"] != 0.0 || p["taken_back"] != 0.0 || p["dispute"] != nil {
			t.Errorf("of one that nobody gave back: %v", p)
		}
	})
	w.run("T1_OnlyWhoManagesTheTeamSeesThem", func(t *testing.T) {
		w.as("bob", "GET", path, nil).refused(403, "role_forbids")
		w.as("eve", "GET", path, nil).refused(404, "team_not_found")
		w.as("bob", "GET", "/v1/users/ann/purchases", nil).refused(404, "user_not_found")
		w.get("/v1/users/nobody/purchases").refused(404, "user_not_found")
	})
}

// slowReader is an answer whose reader takes a while for each piece of it.
type slowReader struct {
	*httptest.ResponseRecorder
	clock    *teamtest.Clock
	took     time.Duration
	deadline time.Time
	late     int
}

func (r *slowReader) SetWriteDeadline(t time.Time) error { r.deadline = t; return nil }

func (r *slowReader) Write(b []byte) (int, error) {
	r.clock.Advance(r.took)
	if r.clock.Now().After(r.deadline) {
		r.late++
	}
	return r.ResponseRecorder.Write(b)
}

func exportOf(t *testing.T, w *world) *http.Request {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/teams/long/entries?format=csv&kind=spend", nil)
	r.Header.Set("Authorization", "Bearer "+w.key)
	return r
}

func TestExport_ASlowReaderGetsAllOfIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Team("long", "lee", 3000)
	w.spendOften("long", "lee", 1100)
	out := &slowReader{ResponseRecorder: httptest.NewRecorder(), clock: w.wall, took: api.PatienceDefault - time.Second}
	began := w.wall.Now()
	w.api.ServeHTTP(out, exportOf(t, w))
	rows, err := csv.NewReader(out.Body).ReadAll()
	if took := w.wall.Now().Sub(began); err != nil || len(rows) != 1101 || out.late != 0 || took < 5*time.Minute {
		t.Errorf("%v: %d rows, %d pieces came late, in %v", err, len(rows), out.late, took)
	}
}

// pipes are connections without any buffer: who doesn't read stops the writer at once.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	if c, ok := <-p.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.conns) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.IPAddr{} }

func TestExport_WhoStopsReadingIsDroppedAndHoldsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *api.Config) { c.Wall, c.Patience = time.Now, time.Second })
	w.Team("long", "lee", 3000)
	w.spendOften("long", "lee", 1100)
	listener, dropped, served := &pipes{conns: make(chan net.Conn, 1)}, make(chan struct{}), make(chan error, 1)
	server := &http.Server{Handler: w.api, ReadHeaderTimeout: time.Minute, ConnState: func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			close(dropped)
		}
	}}
	go func() { served <- server.Serve(listener) }()
	client, conn := net.Pipe()
	listener.conns <- conn
	if err := exportOf(t, w).Write(client); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(client)
	if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Fatalf("%q %v", line, err)
	}
	var busy int
	if err := w.DB.QueryRow(t.Context(), `
		SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'`).Scan(&busy); err != nil || busy != 0 {
		t.Errorf("%d transactions are open while it waits (%v)", busy, err)
	}
	select {
	case <-dropped:
	case <-time.After(20 * time.Second):
		t.Fatal("the connection is still held")
	}
	if rest, err := io.ReadAll(in); err == nil && strings.HasSuffix(string(rest), "0\r\n\r\n") {
		t.Error("what was broken off looks whole")
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}
