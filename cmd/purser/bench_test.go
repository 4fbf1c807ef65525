package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestBenchSpends(t *testing.T) {
	t.Parallel()

	t.Run("WhatIsMeasuredIsBookedOnceAndAudited", func(t *testing.T) {
		t.Parallel()
		got := map[string]float64{}
		for name, value := range benchJSON(t, "spends", "--pools", "2", "--clients", "4", "--seconds", "1", "--processes", "2") {
			got[name] = value.(float64)
		}
		for name, want := range map[string]float64{"pools": 2, "clients": 4, "seconds": 1, "processes": 2, "errors": 0, "differences": 0} {
			if v, there := got[name]; !there || v != want {
				t.Errorf("%s is %v, not %v", name, v, want)
			}
		}
		for _, name := range []string{
			"per_second", "p50_ms", "p99_ms", "baseline_per_second", "baseline_p50_ms", "baseline_p99_ms", "floor_per_second", "ratio", "spends",
			"several_per_second", "several_p50_ms", "several_p99_ms",
		} {
			if got[name] <= 0 {
				t.Errorf("%s is %v", name, got[name])
			}
		}
		if got["p50_ms"] > got["p99_ms"] || got["baseline_p50_ms"] > got["baseline_p99_ms"] {
			t.Errorf("half of the spends took longer than 99 of 100: %v", got)
		}
		// What was acknowledged while warming up counts here, too.
		if least := got["per_second"] + got["baseline_per_second"]; got["spends"] < least {
			t.Errorf("%v spends, of which %v were counted", got["spends"], least)
		}
		if c := got["credits_acknowledged"]; c != got["spends"]*benchCredits || c != got["credits_booked"] {
			t.Errorf("%v credits were acknowledged and %v booked", c, got["credits_booked"])
		}
	})
	t.Run("NothingButNumbersInBoundsIsMeasured", func(t *testing.T) {
		t.Parallel()
		c := bare(t)
		for _, wrong := range [][]string{
			{"--pools", "0"}, {"--pools", "100001"}, {"--clients", "0"}, {"--clients", "4097"}, {"--seconds", "0"}, {"--seconds", "601"}, {"--processes", "0"}, {"--processes", "5"},
			{"--pools", "many"},
		} {
			c.fails(exitUsage, []string{wrong[0]}, append([]string{"bench", "spends"}, wrong...)...)
		}
		c.fails(exitUsage, []string{"--classes"}, "bench", "audit", "--classes", "3")
		c.fails(exitUsage, []string{"--classes"}, "bench", "audit", "--classes", "0")
		c.fails(exitFailed, []string{"profile"}, "bench", "spends", "--cpuprofile", t.TempDir()+"/none/cpu")
	})
	t.Run("AFailedSpendAWrongSumOrADifferenceFails", func(t *testing.T) {
		t.Parallel()
		sound := benchReport{Spends: 3, Credits: 3 * benchCredits, Booked: 3 * benchCredits}
		for name, change := range map[string]func(*benchReport){
			"error":      func(r *benchReport) { r.Errors, r.failed = 1, errors.New("answered with 500") },
			"lost":       func(r *benchReport) { r.Booked-- },
			"twice":      func(r *benchReport) { r.Booked++ },
			"difference": func(r *benchReport) { r.Differences = 1 },
		} {
			r := sound
			change(&r)
			if err := r.verdict(); report(&bytes.Buffer{}, err) != exitFailed {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := sound.verdict(); err != nil {
			t.Error(err)
		}
	})
}

// benchJSON runs a measurement in a process of its own, as it starts the load generator as
// one in turn, and gives what it printed.
func benchJSON(t *testing.T, args ...string) map[string]any {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, append(append([]string{"bench"}, args...), "--json")...)
	cmd.Env = append(os.Environ(), runAsPurser+"=1")
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, out.String(), stderr.String())
	}
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	return got
}

// Each measurement does what it says, small as it is here, and finds nothing wrong in the
// ledger that it leaves.
func TestBench(t *testing.T) {
	t.Parallel()
	compared := []string{"per_second", "baseline_per_second", "ratio"}
	times := []string{"p50_ms", "p99_ms", "baseline_p50_ms", "baseline_p99_ms"}
	for _, c := range []struct {
		args []string
		want map[string]float64
		some []string
	}{
		{[]string{"holds", "--clients", "4", "--seconds", "1"}, map[string]float64{"differences": 0}, append([]string{"floor_per_second", "pairs", "credits_booked"}, append(times, compared...)...)},
		{[]string{"read", "--spends", "300", "--clients", "2", "--seconds", "1"}, map[string]float64{"spends": 300}, append([]string{"p99_ratio"}, append(times, compared...)...)},
		{[]string{"audit", "--postings", "3000", "--pools", "7"}, map[string]float64{"differences": 0}, append([]string{"postings", "peak_memory_mib"}, compared...)},
		{[]string{"audit", "--postings", "3000", "--pools", "7", "--turned", "--classes", "2"}, map[string]float64{"differences": 0},
			append([]string{"postings", "backend_memory_mib"}, compared...)},
		{[]string{"growth", "--spends", "3000", "--pools", "7", "--clients", "4", "--seconds", "1"}, map[string]float64{"pools": 7}, []string{"bytes_per_spend", "p99_ratio"}},
		{[]string{"turn", "--teams", "60", "--seconds", "1"}, map[string]float64{"differences": 0, "teams": 60}, append([]string{"rows", "peak_memory_mib", "spends_ratio"}, append(times, compared...)...)},
		{[]string{"events", "--clients", "4", "--seconds", "1", "--rate", "10", "--lifted-rate", "10", "--burst", "30", "--subscriptions", "3"}, map[string]float64{"clients": 4},
			append([]string{"floor_per_second", "accepted"}, append(times, compared...)...)},
		{[]string{"fair", "--clients", "8", "--queue", "4", "--rate", "2000", "--seconds", "1"}, nil, append([]string{"loud_per_second", "ratio"}, times...)},
	} {
		t.Run(c.args[0], func(t *testing.T) {
			t.Parallel()
			got := benchJSON(t, c.args...)
			for name, want := range c.want {
				if v, there := got[name].(float64); !there || v != want {
					t.Errorf("%s is %v, not %v", name, got[name], want)
				}
			}
			for _, name := range c.some {
				if v, there := got[name].(float64); !there || v <= 0 {
					t.Errorf("%s is %v", name, got[name])
				}
			}
		})
	}
}

// What an event took is from its receipt until its job had committed.
func TestBenchWatch(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 15, 9, 0, 0, 0, time.UTC)
	w := &benchWatch{now: func() time.Time { return at }}
	w.forget()
	log := slog.New(w)
	log.Info("stripe delivery", "event", "evt_1", "duration", 20*time.Millisecond)
	at = at.Add(100 * time.Millisecond)
	log.With("event", "evt_1").Info("event worked")
	// The delivery's own line may come after its job's.
	log.With("event", "evt_2").Info("event worked")
	at = at.Add(30 * time.Millisecond)
	log.Info("stripe delivery", "event", "evt_2", "duration", 40*time.Millisecond)
	log.Info("event worked", "event", "evt_unheard")
	if got := w.took(); !slices.Equal(got, []time.Duration{10 * time.Millisecond, 120 * time.Millisecond}) {
		t.Errorf("took %v", got)
	}
}

func TestBenchLoad(t *testing.T) {
	t.Parallel()
	order := benchOrder{Address: "127.0.0.1:1", Kind: benchSpend, Clients: 1, Pools: 1, Members: 1, Warm: time.Second, Count: time.Second}

	t.Run("LoadsThisMachineOnlyAndNotForLong", func(t *testing.T) {
		t.Parallel()
		if err := order.check(); err != nil {
			t.Error(err)
		}
		for _, change := range []func(*benchOrder){
			func(o *benchOrder) { o.Address = "192.0.2.1:80" }, func(o *benchOrder) { o.Address = "example.com:80" },
			func(o *benchOrder) { o.Others = []string{"127.0.0.1:2", "192.0.2.1:80"} },
			func(o *benchOrder) { o.Address = "127.0.0.1" }, func(o *benchOrder) { o.Clients = benchClientsMax + 1 },
			func(o *benchOrder) { o.Count = 24 * time.Hour }, func(o *benchOrder) { o.Pools = 0 }, func(o *benchOrder) { o.Kind = "anything" }, func(o *benchOrder) { o.Rate = benchRateMax + 1 },
		} {
			wrong := order
			change(&wrong)
			if wrong.check() == nil {
				t.Errorf("%+v was let through", wrong)
			}
		}
	})
	t.Run("AnAnswerThatIsNoSpendIsAnErrorAnd503IsAskedAgain", func(t *testing.T) {
		t.Parallel()
		listen, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = listen.Close() }()
		go func() {
			conn, err := listen.Accept()
			if err != nil {
				return
			}
			defer func() { _ = conn.Close() }()
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = conn.Write([]byte("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 4\r\n\r\nwait"))
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = conn.Write([]byte("HTTP/1.1 402 Payment Required\r\nContent-Length: 4\r\n\r\nnone"))
		}()
		refused := order
		refused.Address = listen.Addr().String()
		if load := refused.run(t.Context(), time.Now); load.Errors != 1 || load.Retries != 1 || load.Acknowledged != 0 || !strings.Contains(load.FirstError, "402: none") {
			t.Errorf("counted %+v", load)
		}
	})
}
