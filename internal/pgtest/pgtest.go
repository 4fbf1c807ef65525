// Package pgtest answers where a test gets a PostgreSQL database of its own.
//
// Each test binary starts one throwaway cluster, when its first test asks, and
// migrates one database in it. Every other database is a copy of that one, which
// takes a fraction of the time. PURSER_TEST_DATABASE_URL names a server to use
// instead; databases are then created there, so its role needs CREATEDB.
//
// Most tests want Tx, which costs next to nothing. Pool is for those in which
// commits matter, Empty for migrations, URL for those that start a program.
// Nothing here skips a test: without PostgreSQL the tests fail and say what to
// install.
package pgtest

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// poolSize is more than the tests of one binary open at once, yet few enough
	// that several binaries may share a server of 100 connections.
	poolSize = 16
	// cleanupLimit is for a test that forgets to give a connection back.
	cleanupLimit = 20 * time.Second
)

// Main is all of a package's TestMain: it runs the tests, stops the cluster and
// ends the process. Where it isn't called, the cluster ends with the process all
// the same, but its files stay until the next test binary sweeps them up.
func Main(m *testing.M) {
	code := m.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stopping the test cluster:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// Pool connects to a fresh, migrated database that goes when the test ends.
func Pool(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return connect(t, URL(t))
}

// Empty connects to a fresh database without any tables.
func Empty(t testing.TB) *pgxpool.Pool {
	t.Helper()
	c := need(t)
	return connect(t, create(t, c, ""))
}

// URL names a fresh, migrated database that goes when the test ends.
func URL(t testing.TB) string {
	t.Helper()
	c := need(t)
	template, err := c.template()
	if err != nil {
		t.Fatal(err)
	}
	return create(t, c, template)
}

// Tx is a transaction that is rolled back when the test ends, in a migrated
// database that all tests of the binary share and none writes to. Tests in
// parallel don't see each other's rows, but their locks do meet: two that insert
// the same unique key wait for each other.
func Tx(t testing.TB) pgx.Tx {
	t.Helper()
	pool, err := need(t).shared()
	if err != nil {
		t.Fatal(err)
	}
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatalf("beginning the test's transaction: %v", err)
	}
	t.Cleanup(func() {
		// Whether it is still open is the test's business.
		_ = tx.Rollback(context.WithoutCancel(t.Context()))
	})
	return tx
}

// Dir is a folder that goes when the test ends, for tests that start a local
// database of their own. Unlike t.TempDir it lets the server's user in when the
// tests run as root, and it is in memory where there is room.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := makeDir(fast())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("removing the test's folder: %v", err)
		}
	})
	return dir
}

func need(t testing.TB) *cluster {
	t.Helper()
	c, err := start()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// create makes a database, a copy of the template or empty, and drops it at the
// end whoever is still connected.
func create(t testing.TB, c *cluster, template string) string {
	t.Helper()
	name, err := c.create(t.Context(), template)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.drop(context.WithoutCancel(t.Context()), name); err != nil {
			t.Error(err)
		}
	})
	return c.url(name)
}

func connect(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		closed := make(chan struct{})
		go func() {
			pool.Close()
			close(closed)
		}()
		select {
		case <-closed:
		case <-time.After(cleanupLimit):
			t.Error("the test has kept a connection of its pool")
		}
	})
	return pool
}

func open(ctx context.Context, url string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("reading the test database's URL: %w", err)
	}
	config.MaxConns = poolSize
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the test database: %w", err)
	}
	return pool, nil
}
