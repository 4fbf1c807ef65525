package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
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
	status, err := os.ReadFile("/proc/self/status")
	if err == nil {
		for lines := bufio.NewScanner(bytes.NewReader(status)); lines.Scan(); {
			var kibibytes float64
			if n, _ := fmt.Sscanf(lines.Text(), "VmHWM: %f kB", &kibibytes); n == 1 {
				return rounded(kibibytes / 1024)
			}
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return rounded(float64(m.Sys) / (1 << 20))
}
