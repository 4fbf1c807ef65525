package pgtest_test

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"
)

// gone polls until the process has ended.
func gone(t *testing.T, pid int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		select {
		case <-ctx.Done():
			t.Fatalf("process %d goes on", pid)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
