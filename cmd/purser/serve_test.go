package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"purser/billing"
	"purser/internal/pgtest"
	"purser/teams"
)

func TestServe(t *testing.T) {
	t.Parallel()

	t.Run("ReceivesWorksAndStopsWhenToldTo", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t)
		s := c.serve("--log-level", "debug")
		if code, body := get(t, s.url+"/readyz"); code != http.StatusOK || body != "ready\n" {
			t.Errorf("readyz: %d %q", code, body)
		}
		if code, _ := get(t, s.url+"/healthz"); code != http.StatusOK {
			t.Errorf("healthz: %d", code)
		}
		if out := c.with("PURSER_LISTEN", strings.TrimPrefix(s.url, "http://")).ok("health"); out != "ready\n" {
			t.Errorf("health says %q", out)
		}
		if code := deliver(t, s.url, anEvent("evt_1"), testSecret); code != http.StatusOK {
			t.Fatalf("delivering: %d", code)
		}
		if code := deliver(t, s.url, anEvent("evt_2"), "whsec_other"); code != http.StatusBadRequest {
			t.Errorf("delivering with a wrong signature: %d", code)
		}
		c.reaches("evt_1", billing.EventIgnored)
		s.stop()
		r := c.ended(s)
		if r.code != exitDone || strings.Count(r.out, "\n") != 1 {
			t.Errorf("exit %d, printed:\n%s", r.code, r.out)
		}
		shows(t, r.out, `^purser is ready: http://127\.0\.0\.1:\d+, role all, Stripe in test mode, database \S+ at \S+, \d+ plans?$`)
		shows(t, r.err, `"msg":"event worked"`, `"msg":"stopped"`)
	})
	t.Run("MigratesAnEmptyDatabase", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t)
		c.db = pgtest.Empty(t)
		c = c.with("PURSER_DATABASE_URL", c.db.Config().ConnString())
		c.fails(exitFailed, []string{"run: purser migrate"}, "user", "list")
		s := c.serve("--role", "web")
		if code, _ := get(t, s.url+"/readyz"); code != http.StatusOK {
			t.Errorf("readyz: %d", code)
		}
		c.ok("user", "list")
		s.stop()
		if r := c.ended(s); r.code != exitDone {
			t.Errorf("exit %d: %s", r.code, r.err)
		}
	})
	t.Run("WebOnlyReceivesAndWorkerOnlyWorks", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t)
		web := c.serve("--role", "web")
		if code := deliver(t, web.url, anEvent("evt_1"), testSecret); code != http.StatusOK {
			t.Fatalf("delivering: %d", code)
		}
		web.stop()
		if r := c.ended(web); r.code != exitDone {
			t.Errorf("web: exit %d: %s", r.code, r.err)
		}
		c.reaches("evt_1", billing.EventReceived)
		// A worker needs no webhook secret, since it receives nothing.
		worker := c.with("PURSER_STRIPE_WEBHOOK_SECRETS", "").serve("--role", "worker")
		c.reaches("evt_1", billing.EventIgnored)
		if code := deliver(t, worker.url, anEvent("evt_2"), testSecret); code != http.StatusNotFound {
			t.Errorf("delivering to a worker: %d", code)
		}
		worker.stop()
		if r := c.ended(worker); r.code != exitDone {
			t.Errorf("worker: exit %d: %s", r.code, r.err)
		}
	})
	t.Run("E2_WhatRunsIsFinishedBeforeItEnds", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t)
		asked, answer := make(chan struct{}), make(chan struct{})
		slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/v1/subscriptions/") {
				close(asked)
				<-answer
			}
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"error":{"type":"invalid_request_error","code":"resource_missing","message":"No such object"}}`)
		}))
		t.Cleanup(slow.Close)
		s := c.serve("--stripe-url", slow.URL)
		event := strings.NewReplacer("plan.created", "customer.subscription.updated", `"plan_1"`, `"sub_1"`, `"object":"plan"`, `"object":"subscription"`).Replace(anEvent("evt_1"))
		if code := deliver(t, s.url, event, testSecret); code != http.StatusOK {
			t.Fatalf("delivering: %d", code)
		}
		select {
		case <-asked:
		case <-time.After(patience):
			t.Fatal("Stripe isn't asked")
		}
		s.stop()
		s.log.await(t, `"msg":"stopping`)
		close(answer)
		if r := c.ended(s); r.code != exitDone {
			t.Errorf("exit %d: %s", r.code, r.err)
		}
		if state := c.stateOf("evt_1"); state != billing.EventIgnored {
			t.Errorf("the event is %s", state)
		}
	})
	t.Run("WithoutADatabaseOfYoursItStartsOne", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t).with("PURSER_DATABASE_URL", "").with("PURSER_DATA_DIR", pgtest.Dir(t))
		s := c.serve()
		// Whoever comes now shares it.
		c.ok("user", "set", "olga")
		s.stop()
		r := c.ended(s)
		if r.code != exitDone {
			t.Errorf("exit %d: %s", r.code, r.err)
		}
		shows(t, r.out, `, private PostgreSQL at \S+, `)
		// And later finds what was kept.
		if list := decoded[page[teams.User]](c, "user", "list"); len(list.Items) != 1 || list.Items[0].ID != "olga" {
			t.Errorf("kept are %+v", list.Items)
		}
	})
	t.Run("TwoSecretsWhileOneIsReplaced", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t).with("PURSER_STRIPE_WEBHOOK_SECRETS", "whsec_new1234, "+testSecret)
		s := c.serve("--role", "web")
		for i, secret := range []string{"whsec_new1234", testSecret} {
			if code := deliver(t, s.url, anEvent(fmt.Sprintf("evt_%d", i)), secret); code != http.StatusOK {
				t.Errorf("signed with secret %d: %d", i+1, code)
			}
		}
	})
	t.Run("CannotStart", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t).with("PURSER_LOG_LEVEL", "error")
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = taken.Close() }()
		c.fails(exitFailed, []string{"listening on " + taken.Addr().String()}, "serve", "--listen", taken.Addr().String())
		c.with("PURSER_CATALOG", "/nowhere.yaml").fails(exitFailed, []string{"opening catalogue", "/nowhere.yaml"}, "serve")
		c.with("PURSER_LISTEN", taken.Addr().String()+"x").fails(exitUsage, []string{"PURSER_LISTEN"}, "health")
		c.with("PURSER_LISTEN", "127.0.0.1:1").fails(exitFailed, []string{"asking whether it is ready"}, "health")
	})
}
