package localpg_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/internal/localpg"
	"purser/internal/pgtest"
)

// patience bounds every wait; on a loaded machine a start takes some seconds.
const patience = 60 * time.Second

// TestMain lets the test binary be started again as a process that owns or
// shares a server, so that a test can kill it.
func TestMain(m *testing.M) {
	if dir := os.Getenv("LOCALPG_TEST_HELPER"); dir != "" {
		if err := help(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if err := os.RemoveAll(original.dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// help starts a server, says so, and stops it when its input ends.
func help(dir string) error {
	server, err := localpg.Start(context.Background(), config(dir))
	if err != nil {
		return err
	}
	fmt.Printf("shared=%t url=%s\n", server.Shared(), server.URL("postgres"))
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return server.Stop()
}

// config skips the disk's flushes: these tests kill processes, not machines.
func config(dir string) localpg.Config {
	return localpg.Config{Dir: dir, Settings: map[string]string{"fsync": "off"}}
}

// original is one directory whose database exists, for the tests to copy.
var original struct {
	once sync.Once
	dir  string
	err  error
}

// created is a folder where the database exists already. Creating it is most of
// what a first start takes, so only the tests that are about it do so.
func created(t *testing.T) string {
	t.Helper()
	original.once.Do(func() {
		if original.dir, original.err = os.MkdirTemp("", "localpg-"); original.err != nil {
			return
		}
		var server *localpg.Server
		if server, original.err = localpg.Start(context.Background(), config(original.dir)); original.err == nil {
			original.err = server.Stop()
		}
	})
	if original.err != nil {
		t.Fatal(original.err)
	}
	dir := pgtest.Dir(t)
	from := filepath.Join(original.dir, "data")
	if output, err := exec.CommandContext(t.Context(), "cp", "-a", from, dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	return dir
}

func start(t *testing.T, config localpg.Config) *localpg.Server {
	t.Helper()
	server, err := localpg.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// execute runs one statement on a connection of its own.
func execute(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func query(t *testing.T, url, sql string) string {
	t.Helper()
	answer, err := ask(t.Context(), url, sql)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func ask(ctx context.Context, url, sql string) (string, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return "", err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var answer string
	err = conn.QueryRow(ctx, sql).Scan(&answer)
	return answer, err
}

// process is this test binary, started again.
type process struct {
	command *exec.Cmd
	input   io.WriteCloser
	shared  bool
	url     string
}

// helper starts a process on the directory and waits until its server answers.
// A credential makes it run as another user.
func helper(t *testing.T, binary, dir string, as *syscall.Credential) (*process, error) {
	t.Helper()
	p := &process{command: exec.Command(binary)}
	p.command.Env = append(os.Environ(), "LOCALPG_TEST_HELPER="+dir)
	p.command.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	p.command.Dir = "/"
	var complaint strings.Builder
	p.command.Stderr = &complaint
	output, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if p.input, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		_ = p.command.Process.Kill() // most have ended by now
		_ = p.command.Wait()
	})
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		_ = p.command.Wait()
		return nil, fmt.Errorf("helper: %w: %s", err, complaint.String())
	}
	_, err = fmt.Sscanf(line, "shared=%t url=%s\n", &p.shared, &p.url)
	return p, err
}

// stop ends the process the polite way.
func (p *process) stop() error {
	return errors.Join(p.input.Close(), p.command.Wait())
}

// kill leaves it no chance to clear up.
func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := p.command.Wait(); !errors.As(err, &exit) {
		t.Fatal(err)
	}
}

// eventually polls until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited %s in vain until %s", patience, what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// postmaster is the process id that the server wrote down.
func postmaster(t *testing.T, dir string) int {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(string(content), &pid); err != nil {
		t.Fatal(err)
	}
	return pid
}
