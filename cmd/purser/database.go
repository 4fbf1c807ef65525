package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/internal/localpg"
)

// database is an open database, and the private server behind it if there is one.
type database struct {
	Pool  *pgxpool.Pool
	URL   string
	local *localpg.Server
}

// openDatabase opens the database that url names, or without one a private PostgreSQL in
// dir, which is started if it isn't running.
func openDatabase(ctx context.Context, url, dir string, logger *slog.Logger) (*database, error) {
	d := &database{URL: url}
	if url == "" {
		local, err := startLocal(ctx, dir, logger)
		if err != nil {
			return nil, err
		}
		d.local, d.URL = local, local.URL("purser")
	}
	cfg, err := poolConfig(d.URL)
	if err != nil {
		d.Close()
		return nil, err
	}
	if d.Pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		d.Close()
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	ping, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if err := d.Pool.Ping(ping); err != nil {
		d.Close()
		return nil, fmt.Errorf("reaching the database: %w", err)
	}
	return d, nil
}

// connectionsMin is enough for the jobs that run at once, since each fetches from Stripe
// with no connection in hand.
const connectionsMin = 16

// connectPatience is how long one server is given to answer, unless the address says
// otherwise: of several, one that is gone without a word would keep everybody from the next.
const connectPatience = 5 * time.Second

// idlePatience is how long a transaction may stand still, in PostgreSQL's words, unless the
// address says otherwise. One that does is of a process that the network has lost, or that
// hangs: without an end the books that it has locked would stay so for hours. A file that is
// sent piece by piece needs a minute.
const idlePatience = "5min"

func poolConfig(url string) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		// The driver's own error quotes the address.
		return nil, errors.New("reading PURSER_DATABASE_URL: it must look like postgres://user:password@host:5432/database")
	}
	cfg.ConnConfig.RuntimeParams["application_name"] = "purser"
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = connectPatience
	}
	cfg.ConnConfig.OnPgError = leaveStandby(cfg.ConnConfig.OnPgError)
	// Every statement looks up few rows; compiling one costs more than it ever saves.
	// As statements, since poolers in between refuse what they don't know in a connection's
	// first message.
	settings := `SET jit = off`
	if _, told := cfg.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"]; !told {
		settings += `; SET idle_in_transaction_session_timeout = '` + idlePatience + `'`
	}
	cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, settings)
		return err
	}
	if cfg.MaxConns < connectionsMin && !strings.Contains(url, "pool_max_conns") {
		cfg.MaxConns = connectionsMin
	}
	return cfg, nil
}

// readOnlyServer is what a server answers that takes no writes: a standby, or a primary that
// has become one behind an address that stayed.
const readOnlyServer = "25006"

// leaveStandby gives a connection up whose server takes no writes, so that the next one is
// made to whichever server does.
func leaveStandby(before pgconn.PgErrorHandler) pgconn.PgErrorHandler {
	return func(conn *pgconn.PgConn, err *pgconn.PgError) bool {
		return before(conn, err) && err.Code != readOnlyServer
	}
}

// place says for people where the database is, without the password.
func (d *database) place() string {
	if d.local != nil {
		return "private PostgreSQL at " + d.Pool.Config().ConnConfig.Host
	}
	c := d.Pool.Config().ConnConfig
	return fmt.Sprintf("database %s at %s", c.Database, c.Host)
}

func startLocal(ctx context.Context, dir string, logger *slog.Logger) (*localpg.Server, error) {
	if dir == "" {
		var err error
		if dir, err = localpg.DefaultDir(); err != nil {
			return nil, err
		}
	}
	local, err := localpg.Start(ctx, localpg.Config{Dir: dir, Logger: logger})
	if err != nil {
		return nil, fmt.Errorf("starting the private PostgreSQL: %w", err)
	}
	if err := local.EnsureDatabase(ctx, "purser"); err != nil {
		_ = local.Stop()
		return nil, fmt.Errorf("making the database: %w", err)
	}
	return local, nil
}

// Close closes the pool and stops the private server, unless another process owns it.
func (d *database) Close() {
	if d.Pool != nil {
		d.Pool.Close()
	}
	if d.local != nil {
		_ = d.local.Stop()
	}
}
