package pgtest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"purser/internal/localpg"
	"purser/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// tables counts what migrations made.
const tables = `SELECT count(*) FROM pg_tables WHERE schemaname = 'public'`

func TestPool(t *testing.T) {
	t.Parallel()
	t.Run("IsMigratedAndItsOwn", func(t *testing.T) {
		t.Parallel()
		first, second := pgtest.Pool(t), pgtest.Pool(t)
		for _, statement := range []string{`CREATE TABLE mine (id bigint)`, `INSERT INTO mine VALUES (1)`} {
			if _, err := first.Exec(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := second.Exec(t.Context(), `SELECT 1 FROM mine`); err == nil {
			t.Error("two tests share a database")
		}
		if _, err := second.Exec(t.Context(), `SELECT 1 FROM river_job`); err != nil {
			t.Error(err)
		}
	})
	t.Run("IsDroppedWhenTheTestEnds", func(t *testing.T) {
		t.Parallel()
		var name string
		t.Run("inner", func(t *testing.T) {
			pool := pgtest.Pool(t)
			if err := pool.QueryRow(t.Context(), `SELECT current_database()`).Scan(&name); err != nil {
				t.Fatal(err)
			}
		})
		var exists bool
		err := pgtest.Empty(t).QueryRow(t.Context(),
			`SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)`, name).Scan(&exists)
		if err != nil {
			t.Fatal(err)
		}
		if exists {
			t.Errorf("database %s is still there", name)
		}
	})
}

func TestEmpty(t *testing.T) {
	t.Parallel()
	var count int
	if err := pgtest.Empty(t).QueryRow(t.Context(), tables).Scan(&count); err != nil {
		t.Fatal(err)
	}
	if count != 0 {
		t.Errorf("an empty database has %d tables", count)
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), pgtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	// The connection stays open on purpose: the database is dropped all the same.
	var count int
	if err := conn.QueryRow(t.Context(), tables).Scan(&count); err != nil {
		t.Fatal(err)
	}
	if count == 0 {
		t.Error("the database isn't migrated")
	}
}

func TestTx(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"One", "Another"} {
		// One after the other, so that the second would see what the first left.
		t.Run(name+"IsRolledBack", func(t *testing.T) {
			tx := pgtest.Tx(t)
			if _, err := tx.Exec(t.Context(), `CREATE TABLE left_behind (id bigint)`); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestWithoutMain starts this binary once more in a way that never gets to Main's
// end, and looks for what it leaves running.
func TestWithoutMain(t *testing.T) {
	t.Parallel()
	if os.Getenv("PGTEST_EXIT_EARLY") != "" {
		var dir string
		if err := pgtest.Pool(t).QueryRow(t.Context(), `SHOW data_directory`).Scan(&dir); err != nil {
			t.Fatal(err)
		}
		pid, err := os.ReadFile(filepath.Join(dir, "postmaster.pid"))
		if err != nil {
			t.Fatal(err)
		}
		line, _, _ := strings.Cut(string(pid), "\n")
		if _, err := os.Stdout.WriteString("postmaster " + line + "\n"); err != nil {
			t.Fatal(err)
		}
		os.Exit(0)
	}
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWithoutMain$")
	command.Env = append(os.Environ(), "PGTEST_EXIT_EARLY=1", "PURSER_TEST_DATABASE_URL=")
	output, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(output), "postmaster ")
	line, _, _ := strings.Cut(after, "\n")
	pid, err := strconv.Atoi(line)
	if !found || err != nil {
		t.Fatalf("the other binary said %q", output)
	}
	gone(t, pid)
	removeLeftOvers(t, command.Process.Pid)
}

// removeLeftOvers does what the next binary's sweep would do, so that a test run
// leaves nothing at all.
func removeLeftOvers(t *testing.T, pid int) {
	t.Helper()
	for _, in := range []string{os.TempDir(), "/dev/shm"} {
		found, err := filepath.Glob(filepath.Join(in, "purser-test-"+strconv.Itoa(pid)+"-*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range found {
			if err := os.RemoveAll(dir); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestNamedServer runs other tests of this package once more on a server that is
// named, and looks for what they leave there.
func TestNamedServer(t *testing.T) {
	t.Parallel()
	server, err := localpg.Start(t.Context(), localpg.Config{
		Dir: pgtest.Dir(t), Settings: map[string]string{"fsync": "off"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^(TestPool|TestEmpty|TestURL|TestTx)$")
	command.Env = append(os.Environ(), "PURSER_TEST_DATABASE_URL="+server.URL("postgres"))
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	conn, err := pgx.Connect(t.Context(), server.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var left int
	err = conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_database WHERE datname LIKE 'purser_test_%'`).Scan(&left)
	if err != nil {
		t.Fatal(err)
	}
	if left != 0 {
		t.Errorf("%d databases are left behind", left)
	}
}

// BenchmarkPool is what a test with a database of its own pays.
func BenchmarkPool(b *testing.B) {
	pgtest.URL(b)
	for b.Loop() {
		pgtest.URL(b)
	}
}
