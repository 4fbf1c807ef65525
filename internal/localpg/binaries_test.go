package localpg

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fake writes a folder of programs that only tell their version.
func fake(t *testing.T, version string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "localpg-bin-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"postgres", "initdb"} {
		script := "#!/bin/sh\necho '" + name + " " + version + "'\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func self(t *testing.T) account {
	t.Helper()
	as, err := accountFor("")
	if err != nil {
		t.Fatal(err)
	}
	return as
}

func TestFind(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, says   string
		major, minor int
		written      int // the version of existing data
		wrong        string
	}{
		{name: "ReadsARelease", says: "(PostgreSQL) 17.4 (Debian 17.4-1)", major: 17, minor: 4},
		{name: "ReadsABeta", says: "(PostgreSQL) 19beta2", major: 19},
		{name: "TakesTheOldestSupported", says: "(PostgreSQL) 14.0", major: 14},
		{name: "RefusesOlderOnes", says: "(PostgreSQL) 13.20", wrong: "no PostgreSQL server found"},
		{name: "RefusesWhatIsNotPostgreSQL", says: "hello", wrong: "no PostgreSQL server found"},
		{name: "TakesTheVersionThatWroteTheData", says: "(PostgreSQL) 16.2", written: 16, major: 16, minor: 2},
		{name: "RefusesAnUpgrade", says: "(PostgreSQL) 17.4", written: 16, wrong: "written by PostgreSQL 16"},
		{name: "RefusesADowngrade", says: "(PostgreSQL) 16.2", written: 17, wrong: "written by PostgreSQL 17"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := fake(t, c.says)
			found, err := find(t.Context(), dir, self(t), c.written)
			if c.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), c.wrong) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if want := (binaries{dir: dir, major: c.major, minor: c.minor}); found != want {
				t.Errorf("got %v, want %v", found, want)
			}
		})
	}
}

// TestCandidates changes PATH, so it can't run beside others.
func TestCandidates(t *testing.T) {
	t.Run("ResolvesLinksOnThePath", func(t *testing.T) {
		real, links := fake(t, "(PostgreSQL) 98.1"), t.TempDir()
		if err := os.Symlink(filepath.Join(real, "postgres"), filepath.Join(links, "postgres")); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", links+":"+os.Getenv("PATH"))
		found, err := find(t.Context(), "", self(t), 0)
		if err != nil || found.dir != real {
			t.Errorf("found %v, %v; want %s", found, err, real)
		}
	})
	t.Run("AsksPgConfigAndPrefersTheNewest", func(t *testing.T) {
		old, newest, links := fake(t, "(PostgreSQL) 98.1"), fake(t, "(PostgreSQL) 99.0"), t.TempDir()
		if err := os.Symlink(filepath.Join(old, "postgres"), filepath.Join(links, "postgres")); err != nil {
			t.Fatal(err)
		}
		script := "#!/bin/sh\necho " + newest + "\n"
		if err := os.WriteFile(filepath.Join(links, "pg_config"), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", links+":"+os.Getenv("PATH"))
		found, err := find(t.Context(), "", self(t), 0)
		if err != nil || found.dir != newest {
			t.Errorf("found %v, %v; want %s", found, err, newest)
		}
	})
}
