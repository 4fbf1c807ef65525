package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// benchCPU is the time of a core that one event takes, in milliseconds. It is 0 where there
// is no /proc to tell.
type benchCPU struct {
	Purser     float64 `json:"purser"`
	PostgreSQL float64 `json:"postgresql"`
	Stripe     float64 `json:"local_stripe"` // with the load: who changes subscriptions
}

// cpuTimes are what processes have used so far.
type cpuTimes struct{ purser, postgres, stripe time.Duration }

// each is what one of many took since.
func (t cpuTimes) each(since cpuTimes, many int) benchCPU {
	of := func(d time.Duration) float64 {
		return rounded(float64(d) / float64(time.Millisecond) / float64(max(1, many)))
	}
	return benchCPU{of(t.purser - since.purser), of(t.postgres - since.postgres), of(t.stripe - since.stripe)}
}

// cpu adds up what this process, all of PostgreSQL's and the local Stripe's have used.
func (f *benchFollower) cpu(ctx context.Context) (t cpuTimes, err error) {
	pids, err := backends(ctx, f.db.Pool)
	if err != nil {
		return t, err
	}
	for _, pid := range pids {
		t.postgres += cpuOf(pid)
	}
	t.purser, t.stripe = cpuOf(os.Getpid()), cpuOf(f.away.cmd.Process.Pid)
	return t, nil
}

// backends are PostgreSQL's processes, on this machine.
func backends(ctx context.Context, pool *pgxpool.Pool) ([]int, error) {
	rows, err := pool.Query(ctx, `SELECT pid FROM pg_stat_activity`)
	if err != nil {
		return nil, fmt.Errorf("finding PostgreSQL's processes: %w", err)
	}
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		return nil, fmt.Errorf("finding PostgreSQL's processes: %w", err)
	}
	return pids, nil
}

// cpuTick is Linux's unit of time for processes, the same on all machines that matter.
const cpuTick = 10 * time.Millisecond

// cpuOf is the time of a core that a process has used, in Linux's words.
func cpuOf(pid int) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name is in brackets and may hold anything; time in and out of the kernel are the
	// twelfth and thirteenth field after it.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	var user, system int64
	if n, _ := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); n != 2 {
		return 0
	}
	return time.Duration(user+system) * cpuTick
}
