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
	type explained struct {
		Pool           billing.Pool
		Why, Sentences []string
		TopUp          struct {
			State, Reason string
			Helps, Why    []string
		} `json:"auto_top_up"`
		Next []struct {
			At, Kind, If, Sentence string
			Credits                int64
		}
	}
	if e := decoded[explained](a.cli, "pool", "explain", "acme"); len(e.Next) != 3 || e.Next[2].If == "" || e.Pool.Total != 5000 || len(e.Why) != 3 || len(e.Sentences) != 7 {
		t.Errorf("N2: %+v", e)
	}
	a.ok("user", "set", "olga")
	shows(t, a.ok("pool", "explain", "--user", "olga"), `^There is no subscription, so the period is the calendar month`, `^Automatic top-up is off`)
}
