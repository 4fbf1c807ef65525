package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/jackc/pgx/v5"
)

// resetPeak forgets how much memory this process has had at once, and what it doesn't need
// any more, so that what follows is measured alone.
func resetPeak() {
	debug.FreeOSMemory()
	// Linux only; elsewhere the whole run counts.
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o600)
}

// peakMiB is how much memory this process has had at once.
func peakMiB() float64 {
	if peak := statusMiB("/proc/self/status", "VmHWM"); peak > 0 {
		return peak
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return rounded(float64(m.Sys) / (1 << 20))
}

// backendGlance is how often a database's process is looked at.
const backendGlance = 20 * time.Millisecond

// watchBackend watches the process that serves a transaction until it is told to stop, and
// gives then the most memory of its own that was seen, without what it shares with others.
func watchBackend(ctx context.Context, tx pgx.Tx) (stop func() float64, err error) {
	var pid int
	if err := tx.QueryRow(ctx, `SELECT pg_backend_pid()`).Scan(&pid); err != nil {
		return nil, fmt.Errorf("finding the database's process: %w", err)
	}
	done, most := make(chan struct{}), make(chan float64)
	go func() {
		tick := time.NewTicker(backendGlance)
		defer tick.Stop()
		seen := 0.0
		for {
			seen = max(seen, statusMiB(fmt.Sprintf("/proc/%d/status", pid), "RssAnon"))
			select {
			case <-tick.C:
			case <-done:
				most <- seen
				return
			}
		}
	}()
	return func() float64 { close(done); return <-most }, nil
}

// statusMiB is one of the figures of memory that Linux tells of a process; 0 elsewhere.
func statusMiB(path, name string) float64 {
	status, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for lines := bufio.NewScanner(bytes.NewReader(status)); lines.Scan(); {
		var kibibytes float64
		if n, _ := fmt.Sscanf(lines.Text(), name+": %f kB", &kibibytes); n == 1 {
			return rounded(kibibytes / 1024)
		}
	}
	return 0
}
