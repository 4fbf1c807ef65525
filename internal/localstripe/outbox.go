package localstripe

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// outbox delivers events over HTTP, many at a time and in no order. It has a mutex of its own, which may
// be taken while the server's is held, never the other way round.
type outbox struct {
	server  *Server
	client  *http.Client
	ctx     context.Context
	cancel  context.CancelFunc
	slots   chan struct{}
	senders sync.WaitGroup

	mu      sync.Mutex
	faults  Faults
	order   []*delivery
	byEvent map[string][]*delivery
	moved   chan struct{} // closed and replaced whenever a delivery changes its state
}

type deliveryState string

const (
	deliveryDue       deliveryState = "due" // being sent, or waiting for its next attempt
	deliveryDone      deliveryState = "delivered"
	deliveryGivenUp   deliveryState = "given_up"
	deliveryHeld      deliveryState = "held"
	deliveryDropped   deliveryState = "dropped"
	deliveryCancelled deliveryState = "cancelled" // its endpoint was deleted or disabled
)

// delivery is one event on its way to one endpoint.
type delivery struct {
	event    string
	kind     string
	endpoint string
	body     []byte
	state    deliveryState
	first    bool // not a repetition
	attempts int
	lastErr  error
}

const (
	deliveriesAtOnce = 8
	attemptsMax      = 12
	firstBackoff     = 20 * time.Millisecond
	backoffMax       = 2 * time.Second
)

func newOutbox(s *Server) *outbox {
	ctx, cancel := context.WithCancel(context.Background())
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		if !dialsLoopback(address) {
			return fmt.Errorf("%s is not a loopback address", address)
		}
		return nil
	}}
	return &outbox{
		server: s, ctx: ctx, cancel: cancel, slots: make(chan struct{}, deliveriesAtOnce),
		byEvent: map[string][]*delivery{}, moved: make(chan struct{}),
		client: &http.Client{
			Timeout:   deliveryTimeout,
			Transport: &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: deliveriesAtOnce},
			// Stripe counts a redirect as a failure.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

func (o *outbox) close() {
	o.cancel()
	o.senders.Wait()
	o.client.CloseIdleConnections()
}

// post sends an event to its listeners, as far as the faults let it.
func (o *outbox) post(e *event, to []*endpoint) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var fresh []*delivery
	for _, endpoint := range to {
		d := &delivery{event: e.id, kind: e.kind, endpoint: endpoint.id, state: deliveryDue, first: true}
		o.add(d)
		fresh = append(fresh, d)
	}
	if len(fresh) == 0 {
		return
	}
	body := encode(e.envelope(o.pendingLocked(e.id)))
	for _, d := range fresh {
		d.body = body
		o.begin(d)
	}
}

func (o *outbox) add(d *delivery) {
	o.order = append(o.order, d)
	o.byEvent[d.event] = append(o.byEvent[d.event], d)
}

// begin applies the faults and starts sending.
func (o *outbox) begin(d *delivery) {
	switch {
	case o.faults.drops(d):
		d.state = deliveryDropped
	case o.faults.holds(d):
		d.state = deliveryHeld
	default:
		o.launch(d)
		for range o.faults.Duplicate {
			again := &delivery{event: d.event, kind: d.kind, endpoint: d.endpoint, body: d.body}
			o.add(again)
			o.launch(again)
		}
	}
}

func (o *outbox) launch(d *delivery) {
	d.state, d.attempts, d.lastErr = deliveryDue, 0, nil
	o.senders.Add(1)
	go o.send(d)
}

// send tries until the endpoint answers 2xx, backing off between attempts.
func (o *outbox) send(d *delivery) {
	defer o.senders.Done()
	backoff := firstBackoff
	for attempt := 1; ; attempt++ {
		state, err := o.attempt(d)
		if err != nil {
			state = deliveryDue
			if attempt == attemptsMax {
				state = deliveryGivenUp
			}
		}
		o.note(d, state, attempt, err)
		if state != deliveryDue {
			return
		}
		pause := time.NewTimer(backoff)
		select {
		case <-o.ctx.Done():
			pause.Stop()
			return
		case <-pause.C:
		}
		backoff = min(2*backoff, backoffMax)
	}
}

func (o *outbox) note(d *delivery, state deliveryState, attempt int, err error) {
	o.mu.Lock()
	d.state, d.attempts, d.lastErr = state, attempt, err
	close(o.moved)
	o.moved = make(chan struct{})
	o.mu.Unlock()
	if err != nil {
		o.server.log.Debug("local Stripe delivery failed", "event", d.event, "type", d.kind, "attempt", attempt, "error", err)
	}
}

func (o *outbox) attempt(d *delivery) (deliveryState, error) {
	select {
	case o.slots <- struct{}{}:
		defer func() { <-o.slots }()
	case <-o.ctx.Done():
		return deliveryDue, o.ctx.Err()
	}
	url, secret, ok := o.server.target(d.endpoint)
	if !ok {
		return deliveryCancelled, nil
	}
	request, err := http.NewRequestWithContext(o.ctx, http.MethodPost, url, bytes.NewReader(d.body))
	if err != nil {
		return deliveryDue, fmt.Errorf("delivering %s: %w", d.event, err)
	}
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	request.Header.Set("User-Agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
	request.Header.Set("Stripe-Signature", signature(o.server.wall().Unix(), d.body, secret))
	response, err := o.client.Do(request)
	if err != nil {
		return deliveryDue, fmt.Errorf("delivering %s: %w", d.event, err)
	}
	defer response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return deliveryDue, fmt.Errorf("delivering %s: the endpoint answered %s", d.event, response.Status)
	}
	return deliveryDone, nil
}

func (s *Server) target(id string) (url, secret string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.endpoints.get(id)
	if !ok || e.deleted || e.status != "enabled" {
		return "", "", false
	}
	return e.url, e.secret, true
}

// signature is the Stripe-Signature header: v1 is HMAC-SHA256 of "t.body"; v0 is what test mode adds and
// nobody checks.
func signature(at int64, body []byte, secret string) string {
	stamped := strconv.FormatInt(at, 10)
	sign := func(key string) string {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(stamped + "."))
		mac.Write(body)
		return hex.EncodeToString(mac.Sum(nil))
	}
	return "t=" + stamped + ",v1=" + sign(secret) + ",v0=" + sign("v0"+secret)
}

// Flush waits until every delivery that is due by now has been answered 2xx. What had been given up is
// tried again once. Held and dropped deliveries are not due.
func (s *Server) Flush(ctx context.Context) error { return s.out.flush(ctx) }

func (o *outbox) flush(ctx context.Context) error {
	o.mu.Lock()
	var awaited []*delivery
	for _, d := range o.order {
		if d.state == deliveryGivenUp {
			o.launch(d)
		}
		if d.state == deliveryDue {
			awaited = append(awaited, d)
		}
	}
	o.mu.Unlock()
	for {
		o.mu.Lock()
		left, failed, moved := 0, []error{}, o.moved
		for _, d := range awaited {
			switch d.state {
			case deliveryDue:
				left++
			case deliveryGivenUp:
				failed = append(failed, d.lastErr)
			}
		}
		o.mu.Unlock()
		if left == 0 {
			return errors.Join(failed...)
		}
		select {
		case <-moved:
		case <-o.ctx.Done():
			return errors.New("flushing deliveries: the local Stripe is closed")
		case <-ctx.Done():
			return fmt.Errorf("flushing deliveries, %d are still due: %w", left, ctx.Err())
		}
	}
}

func (o *outbox) pending(eventID string) int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.pendingLocked(eventID)
}

// pendingLocked counts the endpoints that none of an event's deliveries has reached yet.
func (o *outbox) pendingLocked(eventID string) int64 {
	waiting := map[string]bool{}
	for _, d := range o.byEvent[eventID] {
		reached := d.state == deliveryDone || d.state == deliveryCancelled
		waiting[d.endpoint] = !reached && (waiting[d.endpoint] || d.first)
	}
	var n int64
	for _, w := range waiting {
		if w {
			n++
		}
	}
	return n
}

// delivered says whether every endpoint that was to hear of an event has.
func (o *outbox) delivered(eventID string) bool { return o.pending(eventID) == 0 }
