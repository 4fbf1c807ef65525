package localpg

import (
	"log/slog"
	"os"
	"os/exec"
	"testing"
	"time"
)

// TestTieWithShell is run on Linux too, where nothing else uses that leash.
func TestTieWithShell(t *testing.T) {
	t.Parallel()
	t.Run("EndsTheServerWhenWeAreGone", func(t *testing.T) {
		t.Parallel()
		child, release := onShell(t)
		release() // the kernel closes our end in the same way when we are killed
		ends(t, child)
	})
	t.Run("PassesTheFastShutdownOn", func(t *testing.T) {
		t.Parallel()
		child, _ := onShell(t)
		if err := child.stop(); err != nil {
			t.Error(err)
		}
	})
}

// onShell starts a real server behind the shell and returns once it answers.
func onShell(t *testing.T) (*child, func()) {
	t.Helper()
	dir, err := os.MkdirTemp("", "localpg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s, err := prepare(t.Context(), Config{Dir: dir, Settings: map[string]string{"fsync": "off"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.home.create(t.Context(), s.binaries, s.account, false); err != nil {
		t.Fatal(err)
	}
	if err := s.home.makeSockets(s.account); err != nil {
		t.Fatal(err)
	}
	var release func()
	leash := func(command *exec.Cmd) (func(), error) {
		var err error
		release, err = tieWithShell(command)
		return release, err
	}
	child, err := launch(s.account, slog.New(slog.DiscardHandler), leash, s.binaries.postgres(), s.arguments()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.stop() })
	if err := s.awaitReady(t.Context(), child); err != nil {
		t.Fatal(err)
	}
	return child, release
}

func ends(t *testing.T, child *child) {
	t.Helper()
	select {
	case <-child.ended:
		if err := child.exit(); err != nil {
			t.Error(err)
		}
	case <-time.After(stopLimit):
		t.Error("the server goes on without us")
	}
}
