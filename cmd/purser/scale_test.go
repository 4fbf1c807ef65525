package main

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

// TestThreeProcesses has three processes share a database under load, and kills one of
// them after the other. It is short unless PURSER_SOAK says for how long to go on.
func TestThreeProcesses(t *testing.T) {
	t.Parallel()
	c := newCLI(t).with("PURSER_API_RATE", "1000000").with("PURSER_LOG_LEVEL", "warn")
	c.now = time.Now
	callers := newCallers(c, "hot", "warm", "cool", "cold")
	const count = 3
	var processes [count]*exec.Cmd
	var urls [count]string
	for i := range count {
		processes[i], urls[i], _ = c.process()
	}
	callers.at(urls[:]...)
	callers.start(24)
	for n, end := 0, soakUntil(t); ; n++ {
		callers.await(400)
		if n > 0 && time.Now().After(end) {
			break
		}
		if err := processes[n%count].Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = processes[n%count].Wait() // it was killed
		callers.await(400)
		callers.notice()
		processes[n%count], urls[n%count], _ = c.process()
		callers.at(urls[:]...)
	}
	callers.stop()
	callers.hold(c.db)
	callers.repeat(50)
	shows(t, c.ok("audit"), `^audit: 0 differences$`)
}

// soakUntil is when a test that may go on for longer is to end.
func soakUntil(t *testing.T) time.Time {
	t.Helper()
	s := os.Getenv("PURSER_SOAK")
	if s == "" {
		return time.Now()
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatalf("PURSER_SOAK must be a duration: %v", err)
	}
	return time.Now().Add(d)
}
