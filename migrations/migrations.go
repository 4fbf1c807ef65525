// Package migrations answers whether a database has the tables this binary
// needs, and brings it there.
//
// Two sets run in one go: River's own and ours. River's migrator takes no lock
// and fails when two processes start at once, so one advisory lock is held
// around both; any number of processes may call Up together.
package migrations

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

//go:embed sql/*.sql
var files embed.FS

// lockKey is arbitrary but must never change: an older binary may be waiting on it.
const lockKey = 7_264_190_311

// Status says how far a database is.
type Status struct {
	Applied int64 // the version the database is at
	Latest  int64 // the version this binary needs
	River   bool  // River's own tables are at the version this binary needs
}

// Current reports whether nothing is left to do.
func (s Status) Current() bool { return s.River && s.Applied >= s.Latest }

// Up brings the database to this binary's version. It is safe to call from any
// number of processes at once; all but the first find nothing to do. It may wait for a
// long transaction to end, but nobody waits behind it for more than a moment.
func Up(ctx context.Context, pool *pgxpool.Pool) error {
	return UpTo(ctx, pool, 0)
}

// UpTo is Up, stopping at one of our versions; 0 means the latest. It exists so
// that a test can put data into an older schema before going on.
func UpTo(ctx context.Context, pool *pgxpool.Pool, version int64) error {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connecting to migrate: %w", err)
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, int64(lockKey)); err != nil {
		return fmt.Errorf("taking the migration lock: %w", err)
	}
	defer unlock(ctx, conn.Conn())

	own, err := patient(ctx, pool)
	if err != nil {
		return err
	}
	defer own.Close()
	return untilLocked(ctx, func() error { return run(ctx, own, version) })
}

// run runs River's migrations and then ours, up to a version.
func run(ctx context.Context, pool *pgxpool.Pool, version int64) error {
	river, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	if err != nil {
		return fmt.Errorf("preparing River's migrations: %w", err)
	}
	if _, err := river.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("running River's migrations: %w", err)
	}
	provider, done, err := provider(pool)
	if err != nil {
		return err
	}
	defer done()
	if version == 0 {
		_, err = provider.Up(ctx)
	} else {
		_, err = provider.UpTo(ctx, version)
	}
	if err != nil {
		return fmt.Errorf("running migrations: %w", err)
	}
	return nil
}

// Check reports how far the database is and changes nothing.
func Check(ctx context.Context, pool *pgxpool.Pool) (Status, error) {
	river, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	if err != nil {
		return Status{}, fmt.Errorf("preparing River's migrations: %w", err)
	}
	validated, err := river.Validate(ctx, nil)
	if err != nil {
		return Status{}, fmt.Errorf("checking River's migrations: %w", err)
	}
	provider, done, err := provider(pool)
	if err != nil {
		return Status{}, err
	}
	defer done()
	// On an empty database GetVersions would create goose's own table.
	var empty bool
	if err := pool.QueryRow(ctx, `SELECT to_regclass('goose_db_version') IS NULL`).Scan(&empty); err != nil {
		return Status{}, fmt.Errorf("looking for the schema version: %w", err)
	}
	if sources := provider.ListSources(); empty {
		return Status{Latest: sources[len(sources)-1].Version, River: validated.OK}, nil
	}
	applied, latest, err := provider.GetVersions(ctx)
	if err != nil {
		return Status{}, fmt.Errorf("reading the schema version: %w", err)
	}
	return Status{Applied: applied, Latest: latest, River: validated.OK}, nil
}

// unlock runs even when ctx has ended: an advisory lock outlives the statement,
// and the connection goes back to the pool.
func unlock(ctx context.Context, conn *pgx.Conn) {
	_, _ = conn.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, int64(lockKey))
}

func provider(pool *pgxpool.Pool) (*goose.Provider, func(), error) {
	sub, err := fs.Sub(files, "sql")
	if err != nil {
		return nil, nil, fmt.Errorf("reading embedded migrations: %w", err)
	}
	db := stdlib.OpenDBFromPool(pool)
	p, err := goose.NewProvider(goose.DialectPostgres, db, sub)
	if err != nil {
		_ = db.Close()
		return nil, nil, fmt.Errorf("preparing migrations: %w", err)
	}
	return p, func() { _ = db.Close() }, nil
}
