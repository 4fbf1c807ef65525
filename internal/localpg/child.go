package localpg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// stopLimit is how long a fast shutdown may take before an immediate one
// follows. Either keeps every commit; after the second the next start recovers.
const stopLimit = 30 * time.Second

// child is a postmaster that we started.
type child struct {
	command *exec.Cmd
	tail    *tail
	ended   chan struct{} // closed when it has exited
	err     error         // its exit, readable once ended is closed
}

// leash makes a command end when we do; release it when the command has ended.
type leash func(*exec.Cmd) (release func(), err error)

// launch starts a process and returns at once.
func launch(as account, log *slog.Logger, tie leash, name string, arguments ...string) (*child, error) {
	c := &child{tail: &tail{log: log}, ended: make(chan struct{})}
	c.command = exec.Command(name, arguments...) //nolint:noctx // it outlives the context of its start; the leash ends it
	c.command.Dir = "/"
	c.command.Env = environment()
	c.command.Stdout, c.command.Stderr = c.tail, c.tail
	c.command.SysProcAttr = as.attributes()
	// A grandchild may hold the pipe open for a moment after the postmaster.
	c.command.WaitDelay = time.Second
	release, err := tie(c.command)
	if err != nil {
		return nil, fmt.Errorf("tying %s to this process: %w", name, err)
	}
	started := make(chan error, 1)
	go c.hold(started, release)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return c, nil
}

// hold starts the process and stays with it. The thread is kept for the
// process's whole life: if Go's scheduler retired it, Linux would take us for
// dead and signal the process.
func (c *child) hold(started chan<- error, release func()) {
	runtime.LockOSThread()
	defer release()
	if err := c.command.Start(); err != nil {
		started <- err
		return
	}
	started <- nil
	c.err = c.command.Wait()
	close(c.ended)
}

// stop asks for a fast shutdown and waits for it.
func (c *child) stop() error {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
		// The group, since a shell may stand between. It may have ended by now,
		// which is what we want.
		_ = syscall.Kill(-c.command.Process.Pid, signal)
		select {
		case <-c.ended:
			return c.exit()
		case <-time.After(stopLimit):
		}
	}
	return errors.New("stopping the local database: it doesn't end")
}

// exit is nil for a clean shutdown. Call it once the child has ended.
func (c *child) exit() error {
	<-c.ended
	if c.err == nil || errors.Is(c.err, exec.ErrWaitDelay) {
		return nil
	}
	return fmt.Errorf("the local database ended with %w; it last said:\n%s", c.err, c.tail)
}

// run runs a short program to its end as the account and returns all it printed.
func run(ctx context.Context, as account, name string, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, name, arguments...)
	command.Dir = "/"
	command.Env = environment()
	command.SysProcAttr = as.attributes()
	// initdb clears up behind itself when asked to end, but not when killed.
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGINT) }
	command.WaitDelay = 2 * time.Second
	output, err := command.CombinedOutput()
	return strings.TrimSpace(string(output)), err
}

// environment leaves out PostgreSQL's own variables, which would redirect the
// server, and sets the language, since the log is read.
func environment() []string {
	kept := []string{"LC_ALL=C"}
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "PG") && !strings.HasPrefix(entry, "LC_ALL=") {
			kept = append(kept, entry)
		}
	}
	return kept
}

// tail passes the server's log on line by line and remembers its end for error
// messages.
type tail struct {
	log *slog.Logger

	mu    sync.Mutex
	part  []byte
	lines []string
}

const tailLines = 20

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.part = append(t.part, p...)
	for {
		line, rest, found := bytes.Cut(t.part, []byte("\n"))
		if !found {
			return len(p), nil
		}
		t.part = rest
		t.line(string(line))
	}
}

func (t *tail) line(line string) {
	t.lines = append(t.lines, line)
	if len(t.lines) > tailLines {
		t.lines = t.lines[1:]
	}
	level := slog.LevelDebug
	if strings.Contains(line, "PANIC:") {
		level = slog.LevelError
	}
	t.log.Log(context.Background(), level, "postgres: "+line)
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "\n")
}
