package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process starts purser serve as a process of its own and waits until it is ready.
func (c *cli) process(args ...string) (cmd *exec.Cmd, url string, log *writer) {
	c.t.Helper()
	self, err := os.Executable()
	if err != nil {
		c.t.Fatal(err)
	}
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--stripe-url", quietStripe(c.t).URL()}, args...)
	cmd = exec.CommandContext(c.t.Context(), self, args...)
	cmd.Env = append(os.Environ(), runAsPurser+"=1")
	for name, value := range c.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	log = &writer{lines: make(chan string, 100)}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_ = cmd.Wait()
		c.t.Fatalf("it isn't ready: %v\n%s", err, log.String())
	}
	return cmd, regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(line), log
}

func TestSignals(t *testing.T) {
	t.Parallel()

	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String()+"EndsItInOrder", func(t *testing.T) {
			t.Parallel()
			cmd, url, log := newCLI(t).process()
			if code, _ := get(t, url+"/readyz"); code != http.StatusOK {
				t.Errorf("readyz: %d", code)
			}
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("it ended with %v\n%s", err, log.String())
			}
			shows(t, log.String(), `"msg":"stopping`, `"msg":"stopped"`)
		})
	}
	t.Run("ASecondSignalEndsItAtOnce", func(t *testing.T) {
		t.Parallel()
		cmd, url, log := newCLI(t).process()
		// A delivery that never ends keeps a stopping process waiting.
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if _, err := fmt.Fprint(conn, "POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf"); err != nil {
			t.Fatal(err)
		}
		// Answered after the first request was accepted, so that one is being read by now.
		if code, _ := get(t, url+"/healthz"); code != http.StatusOK {
			t.Errorf("healthz: %d", code)
		}
		begun := time.Now()
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		log.await(t, `"msg":"stopping`)
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if !ok || !status.Signaled() || status.Signal() != syscall.SIGTERM {
			t.Errorf("it ended with %v\n%s", cmd.ProcessState, log.String())
		}
		if took := time.Since(begun); took > stopPatience/2 {
			t.Errorf("it took %s", took)
		}
	})
}
