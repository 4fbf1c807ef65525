package api_test

import (
	"bytes"
	"context"
	"net"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/api"
	"purser/teams"
)

// trips counts the round trips of the lanes' connections.
type trips struct{ count atomic.Int64 }

// counted is a connection on which writing after reading begins a round trip.
type counted struct {
	net.Conn
	trips *trips
	lane  bool // it was set up as a lane's connection
	read  bool
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.read = c.read || n > 0
	return n, err
}

func (c *counted) Write(b []byte) (int, error) {
	if c.lane && c.read {
		c.trips.count.Add(1)
	}
	c.read = false
	c.lane = c.lane || bytes.Contains(b, []byte("force_generic_plan"))
	return c.Conn.Write(b)
}

// counting has all connections to the database counted.
func (n *trips) counting(t *testing.T) func(*api.Config) {
	return func(c *api.Config) {
		cfg := c.Pool.Config()
		dial := cfg.ConnConfig.DialFunc
		cfg.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &counted{Conn: conn, trips: n}, nil
		}
		// A connection that was idle for a second is pinged: a round trip that only slow machines see.
		cfg.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
		var err error
		if c.Pool, err = pgxpool.NewWithConfig(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Pool.Close)
	}
}

// What a batch costs on a distant database is its round trips: one to lock and load the
// books, one to write and commit, since which books they are is remembered.
func TestBatchTakesTwoRoundTrips(t *testing.T) {
	t.Parallel()
	var n trips
	w := newWorld(t, n.counting(t))
	w.Team("acme", "ann", 10_000)
	post := func(path string, body object) string {
		t.Helper()
		id, _ := w.post("/v1/teams/acme"+path, body).ok(201)["id"].(string)
		return id
	}
	draw := object{"user_id": "ann", "credits": 2}
	all := func(each func(what string, do func())) {
		var spend, hold, other string
		each("a spend", func() { spend = post("/spends", draw) })
		each("a hold", func() { hold = post("/holds", draw) })
		each("a capture", func() { post("/holds/"+hold+"/capture", object{}) })
		each("another hold", func() { other = post("/holds", draw) })
		each("a release", func() { post("/holds/"+other+"/release", object{}) })
		each("a reversal", func() { post("/spends/"+spend+"/reversals", object{}) })
		each("what is refused", func() {
			w.post("/v1/teams/acme/spends", object{"user_id": "ann", "credits": 1 << 30}).refused(402, "pool_empty")
		})
	}
	// Each connection prepares its statements once, which takes trips of its own.
	for range 8 {
		all(func(_ string, do func()) { do() })
	}
	all(func(what string, do func()) {
		before := n.count.Load()
		do()
		if took := n.count.Load() - before; took != 2 {
			t.Errorf("%s took %d round trips", what, took)
		}
	})
}

// Which books a team's requests need is remembered, and who pays is read under the lock:
// what another process changed meanwhile counts at once.
func TestRememberedBooksAreAGuess(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, w *world) {
		w.Team("acme", "ann", 1000)
		w.Team("other", "olga", 100)
		w.Join("acme", "bob", teams.Plain)
		w.Grant(w.User("bob").BookID, 50)
		draw := func(path string, credits int64, payer string) string {
			t.Helper()
			v := into[spendView](w.post("/v1/teams/acme"+path, object{"user_id": "bob", "credits": credits}), 201)
			if v.PaidFrom[0].Account != payer {
				t.Errorf("%s paid, want %s", v.PaidFrom[0].Account, payer)
			}
			return v.ID
		}
		settle := func(path string) reply { return w.post("/v1/teams/acme"+path, object{}) }
		draw("/spends", 1, "pool")
		spent, held := draw("/spends", 2, "pool"), draw("/holds", 5, "pool")
		w.Must(func(tx pgx.Tx) error {
			_, err := teams.GoPersonal(t.Context(), tx, w.Catalog, "acme", "bob", teams.Actor{User: "bob"}, w.Clock.Now())
			return err
		})
		draw("/spends", 20, "personal")
		settle("/holds/" + held + "/capture").ok(201)
		settle("/spends/" + spent + "/reversals").ok(201)
		settle("/holds/" + draw("/holds", 10, "personal") + "/capture").ok(201)
		for range 2 { // after so many batches it is guessed again
			for range 105 {
				w.post("/v1/teams/acme/spends", object{"user_id": "ann", "credits": 1}).ok(201)
			}
			settle("/spends/" + draw("/spends", 1, "personal") + "/reversals").ok(201)
		}
		foreign := w.post("/v1/teams/other/holds", object{"user_id": "olga", "credits": 1}).ok(201)["id"].(string)
		settle("/holds/"+foreign+"/capture").refused(404, "hold_not_found")
		if p := w.pool("acme"); p.Used != 216 || p.Held != 0 {
			t.Errorf("used %d, held %d", p.Used, p.Held)
		}
		if own := w.account("bob"); own.Available != 20 {
			t.Errorf("%d left to bob", own.Available)
		}
	})
}

// What fails before COMMIT, or by it, is as if it had never been asked for, though COMMIT
// was sent along.
func TestFailedBatchIsRolledBack(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, w *world) {
		w.Team("acme", "ann", 100)
		_, err := w.DB.Exec(t.Context(), `
			CREATE FUNCTION refuse_memo() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '57P01'; END $$;
			CREATE TRIGGER at_once AFTER INSERT ON entries FOR EACH ROW WHEN (NEW.memo = 'at once') EXECUTE FUNCTION refuse_memo();
			CREATE CONSTRAINT TRIGGER at_the_end AFTER INSERT ON entries DEFERRABLE INITIALLY DEFERRED
				FOR EACH ROW WHEN (NEW.memo = 'at the end') EXECUTE FUNCTION refuse_memo()`)
		if err != nil {
			t.Fatal(err)
		}
		for i, memo := range []string{"at once", "at the end"} {
			w.expectAway(func() {
				w.post("/v1/teams/acme/spends", object{"user_id": "ann", "credits": 3, "memo": memo}).refused(503, "database_away")
			})
			w.post("/v1/teams/acme/spends", object{"user_id": "ann", "credits": 1}).ok(201)
			if p := w.pool("acme"); p.Used != int64(i+1) || p.Available != int64(99-i) {
				t.Errorf("%s: used %d, available %d", memo, p.Used, p.Available)
			}
		}
	})
}
