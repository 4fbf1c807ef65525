package main

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
	"purser/internal/localpg"
	"purser/internal/pgtest"
	"purser/migrations"
	"purser/teams"
)

// pair is a primary and a standby that confirms every commit.
type pair struct {
	t                        *testing.T
	settings                 map[string]string
	database, binDir         string
	primaryDir, standbyDir   string
	primaryHost, standbyHost string
	primary, standby         *localpg.Server
	primaryDB, standbyDB     *pgxpool.Pool
}

// newPair makes both, as an operator would: a server, a base backup of it that follows, and
// the order to wait for that one with each commit.
func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{t: t, primaryDir: filepath.Join(pgtest.Dir(t), "primary"), database: "purser"}
	p.settings = map[string]string{"wal_keep_size": "256MB", "max_wal_size": "1GB"}
	p.primary = p.server(p.primaryDir, p.settings)
	if err := p.primary.EnsureDatabase(t.Context(), p.database); err != nil {
		t.Fatal(err)
	}
	p.primaryDB, p.primaryHost = p.pool(p.primary)
	p.read(p.primaryDB, `SELECT setting FROM pg_config WHERE name = 'BINDIR'`, &p.binDir)

	p.standbyDir = filepath.Join(pgtest.Dir(t), "standby")
	p.backUp(filepath.Join(p.standbyDir, "data"))
	p.standby = p.server(p.standbyDir, p.settings)
	p.standbyDB, p.standbyHost = p.pool(p.standby)
	p.exec(p.primaryDB, `ALTER SYSTEM SET synchronous_standby_names = '*'`)
	p.exec(p.primaryDB, `SELECT pg_reload_conf()`)
	p.until("the standby confirms commits", func() bool {
		var count int
		p.read(p.primaryDB, `SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'`, &count)
		return count == 1
	})
	return p
}

func (p *pair) server(dir string, settings map[string]string) *localpg.Server {
	p.t.Helper()
	s, err := localpg.Start(p.t.Context(), localpg.Config{Dir: dir, Settings: settings})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = s.Stop() }) // of one that was killed there is nothing to stop
	return s
}

func (p *pair) pool(s *localpg.Server) (db *pgxpool.Pool, host string) {
	p.t.Helper()
	db, err := pgxpool.New(p.t.Context(), s.URL(p.database))
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(db.Close)
	return db, db.Config().ConnConfig.Host
}

// backUp makes a data directory that follows the primary.
func (p *pair) backUp(data string) {
	p.t.Helper()
	args := []string{"-D", data, "-h", p.primaryHost, "-U", "purser", "-R", "-c", "fast"}
	if out, err := exec.CommandContext(p.t.Context(), filepath.Join(p.binDir, "pg_basebackup"), args...).CombinedOutput(); err != nil {
		p.t.Fatalf("pg_basebackup: %v\n%s", err, out)
	}
	if os.Geteuid() != 0 {
		return
	}
	// As root we made it, and the server is somebody else.
	info, err := os.Stat(filepath.Join(p.primaryDir, "data"))
	if err != nil {
		p.t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	err = filepath.WalkDir(data, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(owner.Uid), int(owner.Gid))
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

// dsn names both servers and asks for the one that takes writes.
func (p *pair) dsn() string {
	return fmt.Sprintf("postgres:///%s?host=%s,%s&port=5432,5432&user=purser&sslmode=disable&target_session_attrs=read-write&connect_timeout=2",
		p.database, p.primaryHost, p.standbyHost)
}

// killPrimary ends the primary at once, and for good: without that file nobody takes its
// data for a server's.
func (p *pair) killPrimary() {
	p.t.Helper()
	data := filepath.Join(p.primaryDir, "data")
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		p.t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(string(text), &pid); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(data, "PG_VERSION")); err != nil {
		p.t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGQUIT); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pair) promote() {
	p.t.Helper()
	var promoted bool
	p.read(p.standbyDB, `SELECT pg_promote()`, &promoted)
	if !promoted {
		p.t.Fatal("the standby isn't promoted")
	}
}

func (p *pair) read(db *pgxpool.Pool, sql string, into any) {
	p.t.Helper()
	if err := db.QueryRow(p.t.Context(), sql).Scan(into); err != nil {
		p.t.Fatalf("%s: %v", sql, err)
	}
}

func (p *pair) exec(db *pgxpool.Pool, sql string) {
	p.t.Helper()
	if _, err := db.Exec(p.t.Context(), sql); err != nil {
		p.t.Fatalf("%s: %v", sql, err)
	}
}

func (p *pair) until(what string, holds func() bool) {
	p.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			p.t.Fatalf("waited %s in vain until %s", patience, what)
		}
	}
}

// TestStandbyTakesOver kills the primary under load. What was acknowledged has to be on the
// standby, and everybody has to find it: spends, deliveries and jobs.
func TestStandbyTakesOver(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	c := (&cli{t: t, db: p.standbyDB, now: time.Now, env: map[string]string{
		"PURSER_DATABASE_URL": p.dsn(), "PURSER_CATALOG": "demo", "PURSER_API_RATE": "1000000", "PURSER_LOG_LEVEL": "warn",
		"PURSER_STRIPE_KEY": testKey, "PURSER_STRIPE_WEBHOOK_SECRETS": testSecret,
	}})
	c.ok("migrate")
	callers := newCallers(c, "hot", "warm", "cool")
	_, first, _ := c.process()
	_, second, _ := c.process()
	callers.at(first, second)
	if code := deliver(t, first, anEvent("evt_before"), testSecret); code != http.StatusOK {
		t.Errorf("delivering before: %d", code)
	}
	callers.start(16)
	callers.await(400)

	killed := time.Now()
	p.killPrimary()
	p.promote()
	promoted := time.Now()
	callers.await(400)
	callers.stop()
	last, next := callers.gap(killed)
	t.Logf("killed; promoted after %s; the last answer before came %s before, the next one %s after the kill, %s after the promotion",
		promoted.Sub(killed).Round(time.Millisecond), killed.Sub(last).Round(time.Millisecond), next.Sub(killed).Round(time.Millisecond), next.Sub(promoted).Round(time.Millisecond))
	callers.hold(p.standbyDB)
	callers.repeat(50)
	shows(t, c.ok("audit"), `^audit: 0 differences$`)

	delivered := time.Now()
	if code := deliver(t, first, anEvent("evt_after"), testSecret); code != http.StatusOK {
		t.Errorf("delivering after: %d", code)
	}
	c.reaches("evt_before", billing.EventIgnored)
	c.reaches("evt_after", billing.EventIgnored)
	t.Logf("an event is worked %s after its delivery", time.Since(delivered).Round(time.Millisecond))
	// The leader's row isn't written to the log: the standby began without one.
	p.until("the queue has a leader again, who sees to what is due", func() bool {
		var count int
		p.read(p.standbyDB, `SELECT count(*) FROM river_leader WHERE expires_at > now()`, &count)
		return count == 1
	})
	t.Logf("the queue's leader is elected %s after the kill", time.Since(killed).Round(time.Millisecond))
	for _, url := range []string{first, second} {
		if code, body := get(t, url+"/readyz"); code != http.StatusOK {
			t.Errorf("readyz: %d %s", code, body)
		}
	}
}

// TestStandbyGone holds that nobody is told of a commit that the standby doesn't have, not
// even who asks once more: what the primary alone has booked would be lost with it.
func TestStandbyGone(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	if err := migrations.Up(t.Context(), p.primaryDB); err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	var team teams.Team
	err := pgx.BeginFunc(t.Context(), p.primaryDB, func(tx pgx.Tx) (err error) {
		if team, err = teams.CreateTeam(t.Context(), tx, billing.DemoCatalog(), teams.TeamIn{ID: "acme", OwnerID: "olga", Name: "Acme"}, at); err != nil {
			return err
		}
		_, err = billing.GrantBonus(t.Context(), tx, billing.DemoCatalog(), billing.BonusIn{Book: team.BookID, Credits: 100, Key: "k", Actor: "m"}, at)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	spend := func(patience time.Duration) (*teams.SpendOut, error) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		var out *teams.SpendOut
		err := pgx.BeginFunc(ctx, p.primaryDB, func(tx pgx.Tx) (err error) {
			out, err = teams.Spend(ctx, tx, billing.DemoCatalog(), teams.SpendIn{
				Op: teams.OpSpend, TeamID: "acme", UserID: "olga", Credits: 7, Key: "once", Hash: []byte("hash"),
			}, at)
			return err
		})
		return out, err
	}
	if err := p.standby.Stop(); err != nil {
		t.Fatal(err)
	}
	p.until("the primary has it alone", func() bool {
		// On a slow machine the time may be up before there is anything to commit.
		if _, err := spend(time.Second); err == nil {
			t.Fatal("acknowledged with no standby there")
		}
		var count int
		p.read(p.primaryDB, `SELECT count(*) FROM entries WHERE key = 'request:once'`, &count)
		return count == 1
	})
	if _, err := spend(time.Second); err == nil {
		t.Error("acknowledged to whoever asked once more, with no standby there")
	}
	p.standby = p.server(p.standbyDir, p.settings)
	if out, err := spend(patience); err != nil || !out.Replayed {
		t.Errorf("with the standby back: %+v, %v", out, err)
	}
	var used int64
	p.read(p.primaryDB, `SELECT sum(balance) FROM accounts WHERE id = 2`, &used)
	if used != 7 {
		t.Errorf("%d credits are used", used)
	}
	// What a standby confirms is on its disk, and a moment later in its tables.
	p.until("the standby has it", func() bool {
		var count int
		p.read(p.standbyDB, `SELECT count(*) FROM entries WHERE key = 'request:once'`, &count)
		return count == 1
	})
}

// TestConnections holds what a connection string leaves open.
func TestConnections(t *testing.T) {
	t.Parallel()

	t.Run("AServerThatDoesNotAnswerIsLeftForTheNextOne", func(t *testing.T) {
		t.Parallel()
		cfg, err := poolConfig("postgres://purser@db1:5432,db2:5433/purser?target_session_attrs=read-write")
		if err != nil {
			t.Fatal(err)
		}
		if cfg.ConnConfig.ConnectTimeout != connectPatience || cfg.ConnConfig.Host != "db1" || cfg.ConnConfig.Fallbacks[len(cfg.ConnConfig.Fallbacks)-1].Port != 5433 {
			t.Errorf("connects within %s to %s, then to %+v", cfg.ConnConfig.ConnectTimeout, cfg.ConnConfig.Host, cfg.ConnConfig.Fallbacks)
		}
		if cfg, err = poolConfig("postgres://purser@db1/purser?connect_timeout=9"); err != nil || cfg.ConnConfig.ConnectTimeout != 9*time.Second {
			t.Errorf("the timeout asked for isn't kept: %v", err)
		}
	})
	t.Run("ATransactionThatStandsStillForLongGivesItsLocksUp", func(t *testing.T) {
		t.Parallel()
		standsStill := func(more string) string {
			url := pgtest.URL(t)
			if more != "" {
				url += map[bool]string{true: "&", false: "?"}[strings.Contains(url, "?")] + more
			}
			cfg, err := poolConfig(url)
			if err != nil {
				t.Fatal(err)
			}
			db, err := pgxpool.NewWithConfig(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			var patience string
			if err := db.QueryRow(t.Context(), `SHOW idle_in_transaction_session_timeout`).Scan(&patience); err != nil {
				t.Fatal(err)
			}
			return patience
		}
		if got := standsStill(""); got != idlePatience {
			t.Errorf("a transaction may stand still for %s", got)
		}
		if got := standsStill("idle_in_transaction_session_timeout=7000"); got != "7s" {
			t.Errorf("the address's own patience is %s", got)
		}
	})
	t.Run("AConnectionToAServerThatTakesNoWritesAnyMoreIsGivenUp", func(t *testing.T) {
		t.Parallel()
		cfg, err := poolConfig(pgtest.URL(t))
		if err != nil {
			t.Fatal(err)
		}
		cfg.MaxConns = 1
		db, err := pgxpool.NewWithConfig(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		write := func() error {
			return pgx.BeginFunc(t.Context(), db, func(tx pgx.Tx) error {
				_, err := tx.Exec(t.Context(), `SELECT nextval('tickets')`)
				return err
			})
		}
		if _, err := db.Exec(t.Context(), `SET default_transaction_read_only = on`); err != nil {
			t.Fatal(err)
		}
		if err := write(); err == nil || !strings.Contains(err.Error(), "25006") {
			t.Errorf("writing where nobody may: %v", err)
		}
		if err := write(); err != nil {
			t.Errorf("writing by a connection of its own: %v", err)
		}
	})
}

// gap is when the last answer before an instant came, and the next after it.
func (c *callers) gap(at time.Time) (last, next time.Time) {
	for _, t := range c.told {
		if !t.at.After(at) && t.at.After(last) {
			last = t.at
		}
		if t.at.After(at) && (next.IsZero() || t.at.Before(next)) {
			next = t.at
		}
	}
	return last, next
}
