package localpg_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/internal/pgtest"
)

func TestKilledOwner(t *testing.T) {
	t.Parallel()
	t.Run("LeavesNoServerBehind", func(t *testing.T) {
		t.Parallel()
		dir := created(t)
		owner, err := helper(t, os.Args[0], dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		pid := postmaster(t, dir)
		owner.kill(t)
		eventually(t, "the server is gone", func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
		if _, err := os.Stat(filepath.Join(dir, "data", "postmaster.pid")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("it didn't shut down cleanly: %v", err)
		}
	})
	t.Run("IsFollowedByTheNextStartAtOnce", func(t *testing.T) {
		t.Parallel()
		dir := created(t)
		owner, err := helper(t, os.Args[0], dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		execute(t, owner.url, `CREATE TABLE kept AS SELECT 'committed' AS note`)
		owner.kill(t)
		next := start(t, config(dir))
		if next.Shared() {
			t.Error("it shares a server that nobody owns")
		}
		if got := query(t, next.URL("postgres"), `SELECT note FROM kept`); got != "committed" {
			t.Errorf("read %q", got)
		}
	})
}

func TestSecondProcess(t *testing.T) {
	t.Parallel()
	t.Run("SharesTheRunningServerAndLeavesItRunning", func(t *testing.T) {
		t.Parallel()
		dir := created(t)
		owner := start(t, config(dir))
		execute(t, owner.URL("postgres"), `CREATE TABLE seen AS SELECT 'by both' AS note`)
		second, err := helper(t, os.Args[0], dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !second.shared || owner.Shared() {
			t.Errorf("shared: owner %t, second %t", owner.Shared(), second.shared)
		}
		if second.url != owner.URL("postgres") {
			t.Errorf("two URLs for one server: %s and %s", owner.URL("postgres"), second.url)
		}
		if err := second.stop(); err != nil {
			t.Fatal(err)
		}
		if got := query(t, owner.URL("postgres"), `SELECT note FROM seen`); got != "by both" {
			t.Errorf("read %q", got)
		}
	})
	t.Run("TakesOverWhenTheOwnerStops", func(t *testing.T) {
		t.Parallel()
		takesOver(t, func(t *testing.T, owner *process) {
			if err := owner.stop(); err != nil {
				t.Fatal(err)
			}
		})
	})
	t.Run("TakesOverWhenTheOwnerIsKilled", func(t *testing.T) {
		t.Parallel()
		takesOver(t, func(t *testing.T, owner *process) { owner.kill(t) })
	})
}

// takesOver holds that a pool of the second process goes on after the owner's end.
func takesOver(t *testing.T, end func(*testing.T, *process)) {
	dir := created(t)
	owner, err := helper(t, os.Args[0], dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	second := start(t, config(dir))
	if !second.Shared() {
		t.Fatal("two owners")
	}
	pool, err := pgxpool.New(t.Context(), second.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if _, err := pool.Exec(t.Context(), `CREATE TABLE kept AS SELECT 1 AS one`); err != nil {
		t.Fatal(err)
	}
	end(t, owner)
	eventually(t, "the second process owns the server", func() bool { return !second.Shared() })
	var one int
	eventually(t, "the pool works again", func() bool {
		return pool.QueryRow(t.Context(), `SELECT one FROM kept`).Scan(&one) == nil
	})
}

func TestManyProcessesOnAnEmptyDirectory(t *testing.T) {
	t.Parallel()
	dir := pgtest.Dir(t)
	const count = 4
	processes, failures := make([]*process, count), make([]error, count)
	var group sync.WaitGroup
	for i := range count {
		group.Go(func() { processes[i], failures[i] = helper(t, os.Args[0], dir, nil) })
	}
	group.Wait()
	if err := errors.Join(failures...); err != nil {
		t.Fatal(err)
	}
	owners := 0
	for _, p := range processes {
		if !p.shared {
			owners++
		}
		if got := query(t, p.url, `SELECT 'up'`); got != "up" {
			t.Errorf("got %q", got)
		}
	}
	if owners != 1 {
		t.Errorf("%d of %d processes own the server", owners, count)
	}
}

// TestUser needs root, to be able to become somebody else; for a normal user
// every other test has shown the normal user's case.
func TestUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		server := start(t, config(created(t)))
		execute(t, server.URL("postgres"), `SELECT 1`)
		return
	}
	nobody := &syscall.Credential{Uid: 65534, Gid: 65534}
	t.Run("RootsServerRunsAsSomebodyElseInFoldersOfItsOwn", func(t *testing.T) {
		t.Parallel()
		dir := created(t)
		server := start(t, config(dir))
		parsed, err := pgx.ParseConfig(server.URL("postgres"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{filepath.Join(dir, "data"), parsed.Host} {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if owner := info.Sys().(*syscall.Stat_t).Uid; owner == 0 || info.Mode().Perm() != 0o700 {
				t.Errorf("%s belongs to %d with mode %s", path, owner, info.Mode())
			}
		}
	})
	t.Run("RootIsToldOfAFolderThatTheServerCannotEnter", func(t *testing.T) {
		t.Parallel()
		closed := filepath.Join(pgtest.Dir(t), "closed")
		if err := os.Mkdir(closed, 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := helper(t, os.Args[0], filepath.Join(closed, "below"), nil)
		if err == nil || !strings.Contains(err.Error(), `run "chmod a+x `+closed+`"`) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("ANormalUserOwnsAServerAndRootMayShareIt", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(pgtest.Dir(t), "theirs")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(dir, int(nobody.Uid), int(nobody.Gid)); err != nil {
			t.Fatal(err)
		}
		owner, err := helper(t, copyOfThisBinary(t), dir, nobody)
		if err != nil {
			t.Fatal(err)
		}
		shared := start(t, config(dir))
		if !shared.Shared() {
			t.Error("root started a second server")
		}
		owner.kill(t)
		eventually(t, "root has taken over", func() bool { return !shared.Shared() })
		status, err := os.ReadFile("/proc/" + strconv.Itoa(postmaster(t, dir)) + "/status")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(status), "\nUid:\t65534\t65534\t") {
			t.Errorf("the data's owner doesn't run the server:\n%s", status)
		}
	})
}

// copyOfThisBinary is one that other users may run; go test builds in a closed
// folder. It isn't in memory, from where some systems let nobody run anything.
func copyOfThisBinary(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "localpg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	from, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.OpenFile(filepath.Join(dir, "helper"), os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return to.Name()
}
