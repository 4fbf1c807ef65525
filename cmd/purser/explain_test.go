package main

import (
	"testing"

	"purser/billing"
)

func TestPoolExplain(t *testing.T) {
	t.Parallel()
	a := newActed(t)
	a.ok("team", "create", "acme", "--owner", "olga", "--name", "Acme")
	a.subscribe("team_monthly", "5", "purser_team", "acme", "purser_user", "olga")
	shows(t, a.ok("pool", "explain", "acme"), `^Plan "team" is active with 5 seats; the period runs from 2026-01-15 \S+ UTC to 2026-02-15 \S+ UTC\.$`,
		`^5000 credits were granted for this period, 0 of them taken back since\.$`,
		`^On 2026-02-15 \S+ UTC 2500 credits roll over, if nobody uses them before\.$`,
		`^On 2026-02-15 \S+ UTC 2500 credits expire, if nobody uses them before\.$`,
		`^On 2026-02-15 \S+ UTC 5000 credits are granted`)
	if e := decoded[billing.Explanation](a.cli, "pool", "explain", "acme"); len(e.Next) != 3 || e.Next[2].If == "" || e.Pool.Total != 5000 {
		t.Errorf("N2: %+v", e)
	}
	a.ok("user", "set", "olga")
	shows(t, a.ok("pool", "explain", "--user", "olga"), `^There is no subscription, so the period is the calendar month`, `^Automatic top-up is off`)
}
