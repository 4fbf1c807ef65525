package localpg_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/internal/localpg"
	"purser/internal/pgtest"
)

func TestStart(t *testing.T) {
	t.Parallel()
	t.Run("CreatesADurableDatabaseInUTCWithoutANetworkPort", func(t *testing.T) {
		t.Parallel()
		server := start(t, localpg.Config{Dir: filepath.Join(pgtest.Dir(t), "new", "place")})
		for setting, want := range map[string]string{
			"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "data_checksums": "on",
			"TimeZone": "UTC", "listen_addresses": "", "server_encoding": "UTF8", "lc_collate": "C",
		} {
			sql := `SELECT setting FROM pg_settings WHERE name = '` + setting + `' UNION ALL SELECT datcollate FROM pg_database WHERE datname = 'postgres' AND '` + setting + `' = 'lc_collate' LIMIT 1`
			if got := query(t, server.URL("postgres"), sql); got != want {
				t.Errorf("%s is %q, want %q", setting, got, want)
			}
		}
	})
	t.Run("KeepsDataAcrossARestart", func(t *testing.T) {
		t.Parallel()
		dir := created(t)
		first := start(t, config(dir))
		if err := first.EnsureDatabase(t.Context(), "purser"); err != nil {
			t.Fatal(err)
		}
		execute(t, first.URL("purser"), `CREATE TABLE kept AS SELECT 'still here' AS note`)
		if err := first.Stop(); err != nil {
			t.Fatal(err)
		}
		second := start(t, config(dir))
		if got := query(t, second.URL("purser"), `SELECT note FROM kept`); got != "still here" {
			t.Errorf("read %q after a restart", got)
		}
	})
	t.Run("TakesSettingsAndConnections", func(t *testing.T) {
		t.Parallel()
		wanted := config(created(t))
		wanted.MaxConnections = 17
		wanted.Settings["work_mem"] = "7MB"
		server := start(t, wanted)
		if got := query(t, server.URL("postgres"), `SHOW max_connections`); got != "17" {
			t.Errorf("max_connections is %s", got)
		}
		if got := query(t, server.URL("postgres"), `SHOW work_mem`); got != "7MB" {
			t.Errorf("work_mem is %s", got)
		}
	})
	t.Run("SaysWhatTheServerSaidWhenItWontStart", func(t *testing.T) {
		t.Parallel()
		wrong := config(created(t))
		wrong.Settings["no_such_setting"] = "1"
		_, err := localpg.Start(t.Context(), wrong)
		if err == nil || !strings.Contains(err.Error(), `unrecognized configuration parameter "no_such_setting"`) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("EndsWithItsContextAndLeavesNothingBehind", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		dir := pgtest.Dir(t)
		if _, err := localpg.Start(ctx, config(dir)); err == nil {
			t.Fatal("started although its context had ended")
		}
		if _, err := os.Stat(filepath.Join(dir, "data")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("it left data behind: %v", err)
		}
	})
	t.Run("WorksWhereTheDirectoryIsTooLongForASocket", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(pgtest.Dir(t), strings.Repeat("long", 30))
		server := start(t, config(dir))
		if got := query(t, server.URL("postgres"), `SELECT 'reached'`); got != "reached" {
			t.Errorf("got %q", got)
		}
		parsed, err := pgx.ParseConfig(server.URL("postgres"))
		if err != nil {
			t.Fatal(err)
		}
		if err := server.Stop(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(parsed.Host); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the socket's folder %s is left behind: %v", parsed.Host, err)
		}
	})
	for _, name := range []string{`a & b=c?%20 é`, `one, two`, `"that's"`} {
		t.Run("WorksInADirectoryWithAWildName/"+name, func(t *testing.T) {
			t.Parallel()
			server := start(t, config(filepath.Join(pgtest.Dir(t), name)))
			if got := query(t, server.URL("postgres"), `SELECT 'reached'`); got != "reached" {
				t.Errorf("got %q", got)
			}
		})
	}
	t.Run("WorksWithADatabaseOfAWildName", func(t *testing.T) {
		t.Parallel()
		server := start(t, config(created(t)))
		if err := server.EnsureDatabase(t.Context(), `Wild "name"`); err != nil {
			t.Fatal(err)
		}
		if got := query(t, server.URL(`Wild "name"`), `SELECT current_database()::text`); got != `Wild "name"` {
			t.Errorf("reached %q", got)
		}
	})
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	t.Run("DataOfAnotherMajorVersionAndLeavesItUntouched", func(t *testing.T) {
		t.Parallel()
		dir := created(t)
		version := filepath.Join(dir, "data", "PG_VERSION")
		if err := os.WriteFile(version, []byte("9\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		before := listing(t, dir)
		_, err := localpg.Start(t.Context(), config(dir))
		if err == nil || !strings.Contains(err.Error(), "written by PostgreSQL 9") || !strings.Contains(err.Error(), "pg_upgrade") {
			t.Errorf("got %v", err)
		}
		if after := listing(t, dir); !slices.Equal(before, after) {
			t.Errorf("the directory changed:\n%v\n%v", before, after)
		}
	})
	t.Run("ADataFolderThatIsNotPostgreSQLs", func(t *testing.T) {
		t.Parallel()
		dir := pgtest.Dir(t)
		if err := os.MkdirAll(filepath.Join(dir, "data", "photos"), 0o755); err != nil {
			t.Fatal(err)
		}
		_, err := localpg.Start(t.Context(), config(dir))
		if err == nil || !strings.Contains(err.Error(), "holds files but no PostgreSQL data") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("ADirectoryThatIsItselfADataDirectory", func(t *testing.T) {
		t.Parallel()
		dir := created(t)
		_, err := localpg.Start(t.Context(), config(filepath.Join(dir, "data")))
		if err == nil || !strings.Contains(err.Error(), "is itself a PostgreSQL data directory") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("AMachineWithoutBinariesAndSaysWhatToInstall", func(t *testing.T) {
		t.Parallel()
		wanted := config(pgtest.Dir(t))
		wanted.BinDir = pgtest.Dir(t)
		_, err := localpg.Start(t.Context(), wanted)
		if !errors.Is(err, localpg.ErrNotInstalled) {
			t.Fatalf("got %v", err)
		}
		for _, hint := range []string{"apt-get install", "dnf install", "brew install", wanted.BinDir} {
			if !strings.Contains(err.Error(), hint) {
				t.Errorf("the error doesn't mention %s: %v", hint, err)
			}
		}
	})
	t.Run("ASocketFolderThatOthersMayEnter", func(t *testing.T) {
		t.Parallel()
		dir := created(t)
		run := filepath.Join(dir, "run")
		if err := os.Mkdir(run, 0o755); err != nil {
			t.Fatal(err)
		}
		_, err := localpg.Start(t.Context(), config(dir))
		if err == nil || !strings.Contains(err.Error(), run+" has to be a folder that only user") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("AnEmptyDirectoryName", func(t *testing.T) {
		t.Parallel()
		if _, err := localpg.Start(t.Context(), localpg.Config{}); err == nil {
			t.Error("started nowhere")
		}
	})
}

func TestStop(t *testing.T) {
	t.Parallel()
	server := start(t, config(created(t)))
	url := server.URL("postgres")
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := server.Stop(); err != nil {
		t.Errorf("the second Stop: %v", err)
	}
	if _, err := ask(t.Context(), url, `SELECT 'up'`); err == nil {
		t.Error("the server still answers")
	}
}

func TestEnsureDatabase(t *testing.T) {
	t.Parallel()
	t.Run("MayBeAskedByManyAtOnce", func(t *testing.T) {
		t.Parallel()
		server := start(t, config(created(t)))
		failures := make([]error, 8)
		var group sync.WaitGroup
		for i := range failures {
			group.Go(func() { failures[i] = server.EnsureDatabase(t.Context(), "purser") })
		}
		group.Wait()
		if err := errors.Join(failures...); err != nil {
			t.Error(err)
		}
	})
}

func TestServerThatIsKilled(t *testing.T) {
	t.Parallel()
	t.Run("IsStartedAgainAtTheSameURL", func(t *testing.T) {
		t.Parallel()
		dir := created(t)
		wanted := config(dir)
		wanted.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
		server := start(t, wanted)
		pool, err := pgxpool.New(t.Context(), server.URL("postgres"))
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		if err := syscall.Kill(postmaster(t, dir), syscall.SIGQUIT); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the pool works again", func() bool { return pool.Ping(t.Context()) == nil })
	})
}

// listing is every file below dir with its size and time, so that a change shows.
func listing(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		all = append(all, strings.Join([]string{path, info.Mode().String(), info.ModTime().String()}, " "))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
