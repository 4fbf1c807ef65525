package migrations_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/internal/pgtest"
	"purser/migrations"
)

// TestMain lets the test binary be started again as one of several processes
// that migrate the same database.
func TestMain(m *testing.M) {
	if url := os.Getenv("MIGRATIONS_TEST_URL"); url != "" {
		if err := migrate(context.Background(), url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	pgtest.Main(m)
}

// migrate is what a program does when it starts.
func migrate(ctx context.Context, url string) error {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close()
	return migrations.Up(ctx, pool)
}

func TestUp(t *testing.T) {
	t.Parallel()
	t.Run("BringsAnEmptyDatabaseToTheLatestVersion", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Empty(t)
		up(t, pool)
		status := check(t, pool)
		if !status.Current() || status.Applied != status.Latest || status.Latest == 0 {
			t.Errorf("after Up: %+v", status)
		}
		tables := tables(t, pool)
		for _, want := range []string{"river_job", "river_leader", "river_queue", "goose_db_version"} {
			if !slices.Contains(tables, want) {
				t.Errorf("table %s is missing among %v", want, tables)
			}
		}
	})
	t.Run("FindsNothingToDoTheSecondTime", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Empty(t)
		up(t, pool)
		before := applied(t, pool)
		up(t, pool)
		if after := applied(t, pool); !slices.Equal(before, after) {
			t.Errorf("applied %v, then %v", before, after)
		}
	})
	t.Run("MayRunInManyGoroutinesAtOnce", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Empty(t)
		url := pool.Config().ConnString()
		together(t, 6, func(ctx context.Context) error { return migrate(ctx, url) })
		appliedOnce(t, pool)
	})
	t.Run("MayRunInManyProcessesAtOnce", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Empty(t)
		url := pool.Config().ConnString()
		together(t, 4, func(ctx context.Context) error {
			command := exec.CommandContext(ctx, os.Args[0])
			command.Env = append(os.Environ(), "MIGRATIONS_TEST_URL="+url)
			if output, err := command.CombinedOutput(); err != nil {
				return fmt.Errorf("%w: %s", err, output)
			}
			return nil
		})
		appliedOnce(t, pool)
	})
	t.Run("GivesTheLockBack", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Empty(t)
		up(t, pool)
		var held int
		if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks
			WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
		).Scan(&held); err != nil {
			t.Fatal(err)
		}
		if held != 0 {
			t.Errorf("%d advisory locks are still held", held)
		}
	})
	t.Run("FailsWithItsContext", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := migrations.Up(ctx, pgtest.Empty(t)); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestUpTo(t *testing.T) {
	t.Parallel()
	pool := pgtest.Empty(t)
	latest := check(t, pool).Latest
	// One version at a time, as a database that was there for every release.
	for version := int64(1); version <= latest; version++ {
		if err := migrations.UpTo(t.Context(), pool, version); err != nil {
			t.Fatal(err)
		}
		status := check(t, pool)
		if status.Applied != version || status.Current() != (version == latest) {
			t.Errorf("after UpTo(%d): %+v", version, status)
		}
	}
	whole := pgtest.Pool(t)
	if stepwise, atOnce := columns(t, pool), columns(t, whole); !slices.Equal(stepwise, atOnce) {
		t.Errorf("the schema depends on the way:\n%v\n%v", stepwise, atOnce)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	t.Run("ReportsAnEmptyDatabaseAndChangesNothing", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Empty(t)
		status := check(t, pool)
		if status.Current() || status.River || status.Applied != 0 || status.Latest == 0 {
			t.Errorf("an empty database: %+v", status)
		}
		if found := tables(t, pool); len(found) != 0 {
			t.Errorf("Check made tables %v", found)
		}
	})
	t.Run("NeedsRiversTablesToo", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Pool(t)
		if _, err := pool.Exec(t.Context(), `DELETE FROM river_migration WHERE version = (SELECT max(version) FROM river_migration)`); err != nil {
			t.Fatal(err)
		}
		if status := check(t, pool); status.River || status.Current() || status.Applied != status.Latest {
			t.Errorf("without River's latest: %+v", status)
		}
	})
	t.Run("AcceptsADatabaseThatANewerBinaryMigrated", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Pool(t)
		if _, err := pool.Exec(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)`); err != nil {
			t.Fatal(err)
		}
		if status := check(t, pool); !status.Current() {
			t.Errorf("a newer schema: %+v", status)
		}
	})
}

func up(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	if err := migrations.Up(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
}

func check(t *testing.T, pool *pgxpool.Pool) migrations.Status {
	t.Helper()
	status, err := migrations.Check(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	return status
}

// together runs do many times at once, and expects each to succeed.
func together(t *testing.T, count int, do func(context.Context) error) {
	t.Helper()
	failures := make([]error, count)
	begin := make(chan struct{})
	var group sync.WaitGroup
	for i := range failures {
		group.Go(func() {
			<-begin
			failures[i] = do(t.Context())
		})
	}
	close(begin)
	group.Wait()
	if err := errors.Join(failures...); err != nil {
		t.Fatal(err)
	}
}

// appliedOnce holds that every version was applied, each by one of the many.
func appliedOnce(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	status := check(t, pool)
	if !status.Current() {
		t.Errorf("after all: %+v", status)
	}
	versions := applied(t, pool)
	if unique := slices.Compact(slices.Clone(versions)); len(unique) != len(versions) {
		t.Errorf("a version was applied twice: %v", versions)
	}
}

func applied(t *testing.T, pool *pgxpool.Pool) []int64 {
	t.Helper()
	return collect[int64](t, pool, `SELECT version_id FROM goose_db_version ORDER BY version_id`)
}

func tables(t *testing.T, pool *pgxpool.Pool) []string {
	t.Helper()
	return collect[string](t, pool, `SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`)
}

// columns is the schema as far as the catalogue tells it: tables, columns, constraints, indexes.
func columns(t *testing.T, pool *pgxpool.Pool) []string {
	t.Helper()
	return collect[string](t, pool, `
		SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable
		FROM information_schema.columns WHERE table_schema = 'public'
		UNION ALL
		SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
		FROM pg_constraint WHERE connamespace = 'public'::regnamespace
		UNION ALL
		SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
		ORDER BY 1`)
}

func collect[T any](t *testing.T, pool *pgxpool.Pool, sql string) []T {
	t.Helper()
	rows, err := pool.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[T])
	if err != nil {
		t.Fatal(err)
	}
	return found
}
