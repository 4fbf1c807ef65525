package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"purser/billing"
	"purser/internal/localstripe"
	"purser/internal/pgtest"
	"purser/teams"
)

// patience is how long these tests wait for what should happen at once.
const patience = 30 * time.Second

// serving is a purser serve that runs within the test.
type serving struct {
	url  string
	stop context.CancelFunc
	log  *writer
	done chan result
}

// quietStripe is a Stripe in which nothing happens.
func quietStripe(t *testing.T) *localstripe.Server {
	t.Helper()
	s, err := localstripe.Start(localstripe.Config{Wall: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// writer collects output that a goroutine writes, and tells of each line.
type writer struct {
	mu    sync.Mutex
	text  bytes.Buffer
	lines chan string
}

func (w *writer) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for line := range strings.Lines(string(b)) {
		select {
		case w.lines <- line:
		default:
		}
	}
	return w.text.Write(b)
}

// await waits for a line in which the text stands.
func (w *writer) await(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case line := <-w.lines:
			if strings.Contains(line, text) {
				return
			}
		case <-deadline:
			t.Fatalf("no line has %s:\n%s", text, w.String())
		}
	}
}

func (w *writer) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// serve starts a service and waits until it says that it is ready.
func (c *cli) serve(args ...string) *serving {
	c.t.Helper()
	ctx, stop := context.WithCancel(c.t.Context())
	out, log := &writer{lines: make(chan string, 1)}, &writer{lines: make(chan string, 1000)}
	s := &serving{stop: stop, log: log, done: make(chan result, 1)}
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--stripe-url", quietStripe(c.t).URL()}, args...)
	go func() {
		code := Main{Now: time.Now}.Run(ctx, args, out, log, func(name string) string { return c.env[name] })
		s.done <- result{code, out.String(), log.String()}
	}()
	c.t.Cleanup(stop)
	select {
	case line := <-out.lines:
		s.url = regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(line)
	case r := <-s.done:
		c.t.Fatalf("it ended with %d before it was ready\n%s%s", r.code, r.out, r.err)
	case <-time.After(patience):
		c.t.Fatalf("it isn't ready\n%s", log.String())
	}
	return s
}

// ended waits for the end and looks into all that was printed.
func (c *cli) ended(s *serving) result {
	c.t.Helper()
	select {
	case r := <-s.done:
		c.noSecrets(r, []string{"serve"})
		return r
	case <-time.After(patience):
		c.t.Fatal("it doesn't end")
	}
	return result{}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	res, err := http.Get(url) //nolint:gosec // a test's own server
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// deliver posts an event as Stripe does.
func deliver(t *testing.T, url, body, secret string) int {
	t.Helper()
	at := time.Now().Unix()
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%d.%s", at, body)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/webhooks/stripe", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Stripe-Signature", fmt.Sprintf("t=%d,v1=%s", at, hex.EncodeToString(mac.Sum(nil))))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// anEvent is one that nothing is done for.
func anEvent(id string) string {
	return fmt.Sprintf(`{"id":%q,"object":"event","api_version":"2023-10-16","created":%d,"livemode":false,"type":"plan.created","data":{"object":{"id":"plan_1","object":"plan"}}}`,
		id, time.Now().Unix())
}

// reaches waits until an event is in a state.
func (c *cli) reaches(id string, state billing.EventState) {
	c.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		e, err := billing.GetEvent(c.t.Context(), c.db, id)
		if err != nil {
			c.t.Fatal(err)
		}
		if e.State == state {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%s is %s, not %s", id, e.State, state)
		}
	}
}

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

// process starts purser serve as a process of its own and waits until it is ready.
func (c *cli) process(args ...string) (cmd *exec.Cmd, url string, log *writer) {
	c.t.Helper()
	self, err := os.Executable()
	if err != nil {
		c.t.Fatal(err)
	}
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--stripe-url", quietStripe(c.t).URL()}, args...)
	cmd = exec.CommandContext(c.t.Context(), self, args...)
	cmd.Env = append(os.Environ(), runAsPurser+"=1")
	for name, value := range c.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	log = &writer{lines: make(chan string, 100)}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_ = cmd.Wait()
		c.t.Fatalf("it isn't ready: %v\n%s", err, log.String())
	}
	return cmd, regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(line), log
}

func TestSignals(t *testing.T) {
	t.Parallel()

	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String()+"EndsItInOrder", func(t *testing.T) {
			t.Parallel()
			cmd, url, log := newCLI(t).process()
			if code, _ := get(t, url+"/readyz"); code != http.StatusOK {
				t.Errorf("readyz: %d", code)
			}
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("it ended with %v\n%s", err, log.String())
			}
			shows(t, log.String(), `"msg":"stopping`, `"msg":"stopped"`)
		})
	}
	t.Run("ASecondSignalEndsItAtOnce", func(t *testing.T) {
		t.Parallel()
		cmd, url, log := newCLI(t).process()
		// A delivery that never ends keeps a stopping process waiting.
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if _, err := fmt.Fprint(conn, "POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf"); err != nil {
			t.Fatal(err)
		}
		// Answered after the first request was accepted, so that one is being read by now.
		if code, _ := get(t, url+"/healthz"); code != http.StatusOK {
			t.Errorf("healthz: %d", code)
		}
		begun := time.Now()
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		log.await(t, `"msg":"stopping`)
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if !ok || !status.Signaled() || status.Signal() != syscall.SIGTERM {
			t.Errorf("it ended with %v\n%s", cmd.ProcessState, log.String())
		}
		if took := time.Since(begun); took > stopPatience/2 {
			t.Errorf("it took %s", took)
		}
	})
}
