package web_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/teams"
)

// crowd makes a team of so many members beside its owner, who all have used something; one
// in ten has credits set aside, and one in seven a limit.
func (w *world) crowd(id string, members int) {
	w.T.Helper()
	team := w.Team(id, "ann", 100_000_000)
	ids := make([]string, members)
	w.Must(func(tx pgx.Tx) error {
		for i := range ids {
			ids[i] = fmt.Sprintf("user-%05d", i)
			if _, err := teams.EnsureUser(w.T.Context(), tx, ids[i], w.Clock.Now()); err != nil {
				return err
			}
			if _, err := teams.SetUser(w.T.Context(), tx, ids[i], ids[i]+"@example.com", fmt.Sprintf("Member number %d", i)); err != nil {
				return err
			}
		}
		// They come by no invitation: a plan may allow fewer.
		_, err := tx.Exec(w.T.Context(), `
			INSERT INTO members (team_id, user_id, role, access, access_given, limit_kind, limit_credits, joined_at)
			SELECT $1, u, 'member', 'credits', 'credits', CASE WHEN n % 7 = 0 THEN 'period' ELSE 'none' END, CASE WHEN n % 7 = 0 THEN 5000 ELSE 0 END, $3
			FROM unnest($2::text[]) WITH ORDINALITY AS m (u, n)`, team.ID, ids, w.Clock.Now())
		return err
	})
	for some := range slices.Chunk(ids, 200) {
		w.Must(func(tx pgx.Tx) error {
			in := make([]teams.SpendIn, len(some))
			for i, user := range some {
				in[i] = teams.SpendIn{Op: teams.OpSpend, TeamID: team.ID, UserID: user, Credits: int64(i + 1), Key: fmt.Sprintf("c%d", w.Made.Add(1)), Hash: []byte("h")}
			}
			out, _, err := teams.SpendMany(w.T.Context(), tx, w.Catalog, in, w.Clock.Now())
			for _, one := range out {
				if err == nil {
					err = one.Err
				}
			}
			return err
		})
	}
	for i := 0; i < members; i += 10 {
		w.Must(func(tx pgx.Tx) error {
			_, err := teams.Move(w.T.Context(), tx, w.Catalog, teams.MoveIn{
				TeamID: team.ID, From: teams.Place{Kind: teams.PlacePool}, To: teams.Place{Kind: teams.PlaceMember, User: ids[i]}, Credits: 50,
				Key: fmt.Sprintf("m%d", w.Made.Add(1)), Hash: []byte("h"),
			}, w.Clock.Now())
			return err
		})
	}
	if _, err := w.DB.Exec(w.T.Context(), `VACUUM (ANALYZE)`); err != nil {
		w.T.Fatal(err)
	}
}

// Pages of large teams are as light as those of small ones: they are cut, or one types
// whom one means.
func TestPages_LargeTeamsAreLight(t *testing.T) {
	t.Parallel()
	for _, members := range []int{199, 300} {
		t.Run(fmt.Sprint(members), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.crowd("crowd", members)
			b := w.as("ann", "crowd")
			assets := b.assets()
			for _, below := range []string{
				"", "/members", "/members?page=2", "/members?sort=used&q=number", "/moves", "/moves/transfer", "/usage", "/usage?from=2025-03-11&to=2026-03-10",
				"/history", "/billing", "/explain", "/settings",
			} {
				b.get("/page/teams/crowd" + below).want(200)
				if size := len(b.body) + assets; size > weightMax {
					t.Errorf("%s weighs %d bytes", below, size)
				}
				b.legible()
			}
		})
	}
}

// What pages take on the server, to their first byte over a connection that stands: all of
// it, since a page is rendered whole before it is sent. A team of five thousand members is
// listed in pages of fifty.
func BenchmarkPage(b *testing.B) {
	for _, one := range []struct {
		name string
		make func(w *world)
		team string
	}{
		{"Acme", func(w *world) { w.acme() }, "acme"},
		{"5000Members", func(w *world) { w.crowd("crowd", 5000) }, "crowd"},
	} {
		b.Run(one.name, func(b *testing.B) {
			w := newWorld(b)
			one.make(w)
			who := w.as("ann", one.team)
			for name, below := range map[string]string{
				"Overview": "", "Members": "/members", "MembersByUse": "/members?sort=used&page=2", "Moves": "/moves", "Allocate": "/moves/allocate",
				"Usage": "/usage", "History": "/history", "Billing": "/billing", "Explain": "/explain", "Settings": "/settings",
			} {
				b.Run(name, func(b *testing.B) { who.firstBytes(b, "/page/teams/"+one.team+below) })
			}
		})
	}
}

// firstBytes measures how long a page's first byte takes.
func (b *browser) firstBytes(bench *testing.B, path string) {
	took := make([]time.Duration, 0, 1000)
	var size int64
	for bench.Loop() {
		began := time.Now()
		res, err := b.client.Get(b.url + path)
		if err != nil {
			bench.Fatal(err)
		}
		took = append(took, time.Since(began)) // its head is there, and with it the first of its body
		size, err = io.Copy(io.Discard, res.Body)
		if err != nil || res.Body.Close() != nil || res.StatusCode != http.StatusOK {
			bench.Fatalf("%s: %d %v", path, res.StatusCode, err)
		}
	}
	slices.Sort(took)
	at := func(percent int) float64 { return float64(took[(len(took)-1)*percent/100].Microseconds()) / 1000 }
	bench.ReportMetric(at(50), "p50-ms")
	bench.ReportMetric(at(99), "p99-ms")
	bench.ReportMetric(float64(size)/1024, "KiB")
	bench.ReportMetric(0, "ns/op")
}
