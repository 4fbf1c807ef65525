// Command purser answers who may spend how many credits: it receives Stripe's events,
// works them into a ledger, and lets an operator look and correct.
//
// Everything of the outside world comes in here and nowhere else: flags and environment,
// the clock, signals, the connections. Main is the program as a value, so that tests run
// it for real, on a free port, with a database of their own.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	_ "time/tzdata" // schedules may name a zone, and the image has no files but the binary
)

// Stamped by the build.
var (
	version = ""
	commit  = ""
)

// gcPercent is by how much memory may grow between two collections of what is no longer
// used, unless GOGC says otherwise. A server keeps a few MB and makes as much again in
// milliseconds: collected at Go's own 100 %, that was a fifth of its work.
const gcPercent = 300

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, cancel := context.WithCancel(context.Background())
	// Both signals are waited for on one channel, so that a second one that comes at once
	// isn't lost while the first is being looked at.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		// Whoever signals a second time doesn't want to wait: the process ends as if nobody
		// had asked for signals.
		again := <-signals
		signal.Reset(again)
		if self, err := os.FindProcess(os.Getpid()); err != nil || self.Signal(again) != nil {
			os.Exit(exitFailed)
		}
	}()
	os.Exit(Main{Now: time.Now}.Run(ctx, os.Args[1:], os.Stdout, os.Stderr, os.Getenv))
}

// Main is the program.
type Main struct {
	Now func() time.Time
}

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1 // what was asked for didn't work, or a check found something
	exitUsage  = 2 // a flag, an argument or a setting is wrong or missing
	exitLacks  = 3 // the Stripe account lacks something, or has it otherwise
)

// program is what a command gets of the world.
type program struct {
	out, err io.Writer
	now      func() time.Time
	line     *commandLine
	run      func(args ...string) int
}

// Run runs one command and gives the process's exit code. A setting that isn't given as a
// flag is looked up with env. When ctx ends, a service stops and everything else is given
// up.
func (m Main) Run(ctx context.Context, args []string, stdout, stderr io.Writer, env func(string) string) int {
	line, err := newCommandLine(stdout, env)
	if err != nil {
		return report(stderr, err)
	}
	p := &program{out: stdout, err: stderr, now: m.Now, line: line}
	p.run = func(args ...string) int { return m.Run(ctx, args, stdout, stderr, env) }
	return report(stderr, line.hide(line.run(ctx, p, args)))
}
