package worker

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"purser/internal/localstripe"
)

// What Stripe does to the calls of a top-up, at every step.
func TestAutoTopUpTrouble(t *testing.T) {
	t.Parallel()
	troubles, times := []localstripe.Trouble{{Status: 500, After: true}, {Status: 0}, {Status: 429}}, []int{1}
	if os.Getenv(soak) != "" {
		troubles = append(troubles, localstripe.Trouble{Status: 500}, localstripe.Trouble{Status: 0, After: true}, localstripe.Trouble{Status: 409})
		times = append(times, 3)
	}
	for _, step := range []struct{ method, path string }{
		{"POST", "/v1/invoices"}, {"POST", "/v1/invoiceitems"}, {"POST", "/v1/invoices/"}, {"GET", "/v1/invoices/"}, {"GET", "/v1/prices"},
	} {
		for _, trouble := range troubles {
			trouble.Method, trouble.Path = step.method, step.path
			for _, n := range times {
				trouble.Times = n
				name := fmt.Sprintf("P4_%s_%s_%d_%v_%dx", step.method, strings.Trim(strings.ReplaceAll(step.path, "/", "_"), "_"), trouble.Status, trouble.After, n)
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					h := newTopped(t)
					h.set()
					h.stripe.Disturb(trouble)
					h.askUntilKnown(h.worker)
					h.wants("in the end", "ready", 1000, "paid 1000")
					same(t, "charges", h.charged(), 1)
				})
			}
		}
	}
}

// askUntilKnown lets an hour pass in which the sweeps come by.
func (h *topped) askUntilKnown(worker *Worker) {
	h.t.Helper()
	for range 8 {
		_, _ = worker.SweepTopUps(h.t.Context())
		h.advance(6 * time.Minute)
		_, _ = worker.SweepPurchases(h.t.Context())
		h.settled()
	}
}

// TestAutoTopUpCrash kills the process at every step of a top-up: before and after each
// call that changes something at Stripe, and before and after each commit.
func TestAutoTopUpCrash(t *testing.T) {
	t.Parallel()
	crash := func(name string, kill func(h *topped)) {
		t.Run("P4_"+name, func(t *testing.T) {
			t.Parallel()
			h := raiseTopped(t)
			h.set()
			kill(h)
			// That the queue takes up what a dead process worked is TestCrash's business.
			h.exec(`DELETE FROM river_leader`)
			h.exec(`UPDATE river_job SET state = 'available' WHERE state = 'running'`)
			h.begin()
			if n := h.charged(); n > 1 {
				t.Fatalf("%d charges for one gap", n)
			}
			h.askUntilKnown(h.worker)
			h.wants("in the end", "ready", 1000, "paid 1000")
			same(t, "charges", h.charged(), 1)
		})
	}
	for _, point := range []string{"topup begun", "topup invoiced", "topup asked", "topup commit", "topup applied"} {
		crash("KilledAt_"+point, func(h *topped) { h.killChild(point) })
	}
	for n, call := range []string{"invoice", "item", "finalize", "pay"} {
		crash("KilledBefore_"+call, func(h *topped) { h.killAtCall(n+1, false) })
		crash("KilledAfter_"+call, func(h *topped) { h.killAtCall(n+1, true) })
	}
}

// killAtCall has another process work until its n-th call that changes something at
// Stripe, and kills it before or after Stripe carried the call out.
func (h *topped) killAtCall(n int, after bool) {
	h.t.Helper()
	upstream, err := url.Parse(h.stripe.URL())
	ok(h.t, err)
	var child *exec.Cmd
	started := make(chan struct{})
	proxy := httputil.NewSingleHostReverseProxy(upstream)
	var mu sync.Mutex
	between := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		<-started
		mu.Lock()
		defer mu.Unlock()
		if r.Method != http.MethodPost {
			proxy.ServeHTTP(rw, r)
			return
		}
		if n--; n != 0 {
			proxy.ServeHTTP(rw, r)
			return
		}
		if after {
			proxy.ServeHTTP(httptest.NewRecorder(), r)
		}
		_ = child.Process.Kill()
		panic(http.ErrAbortHandler)
	}))
	defer between.Close()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	child = exec.CommandContext(ctx, os.Args[0])
	child.Env = append(os.Environ(), dieAt+"=nowhere", dieDatabase+"="+h.url, dieStripe+"="+between.URL, dieKey+"="+h.stripe.Key(),
		dieNow+"="+h.stripe.Now().Format(time.RFC3339))
	ok(h.t, child.Start())
	close(started)
	err = child.Wait()
	if status, exited := child.ProcessState.Sys().(syscall.WaitStatus); !exited || status.Signal() != syscall.SIGKILL || ctx.Err() != nil {
		h.t.Fatalf("the child ended with %v", err)
	}
	h.buried()
}
