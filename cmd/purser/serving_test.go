package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"purser/billing"
	"purser/internal/localstripe"
)

// patience is how long these tests wait for what should happen at once.
const patience = time.Minute

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
