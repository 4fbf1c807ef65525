package migrations_test

import (
	"context"
	"testing"
	"time"

	"purser/internal/pgtest"
	"purser/migrations"
)

// While a long transaction reads what a migration wants to change, those who serve by the
// version before go on, and the migration is done once that transaction has ended.
func TestUp_KeepsNobodyWaitingBehindIt(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	pool := pgtest.Empty(t)
	if err := migrations.UpTo(ctx, pool, 14); err != nil {
		t.Fatal(err)
	}
	long, err := pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = long.Rollback(context.WithoutCancel(ctx)) }()
	if _, err := long.Exec(ctx, `SELECT FROM books`); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- migrations.Up(ctx, pool) }()

	// Those who come while it waits are served before the long transaction ends.
	for range 2 {
		for waits := false; !waits; {
			err := pool.QueryRow(ctx, `
				SELECT count(*) > 0 FROM pg_locks
				WHERE NOT granted AND mode = 'AccessExclusiveLock' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&waits)
			if err != nil {
				t.Fatalf("the migration never waited for the long transaction: %v", err)
			}
		}
		if _, err := pool.Exec(ctx, `INSERT INTO books (kind, created_at) VALUES ('team', now())`); err != nil {
			t.Fatalf("a write had to wait behind the migration: %v", err)
		}
	}
	select {
	case err := <-done:
		t.Fatalf("it was done while its tables were in use: %v", err)
	default:
	}
	if err := long.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if status := check(t, pool); !status.Current() {
		t.Errorf("afterwards: %+v", status)
	}
}
