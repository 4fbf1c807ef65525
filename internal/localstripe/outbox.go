package localstripe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
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
	closed  bool          // nothing new is begun
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
	delay    time.Duration // before the first attempt
}

// deliveriesAtOnce is how many requests are under way at a time.
const deliveriesAtOnce = 8

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
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
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
	for i, d := range fresh {
		version := to[i].version
		if o.faults.Version != "" {
			version = o.faults.Version
		}
		d.body, d.delay = o.rendered(e, version), o.faults.Delay
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
			again := &delivery{event: d.event, kind: d.kind, endpoint: d.endpoint, body: d.body, delay: d.delay}
			o.add(again)
			o.launch(again)
		}
	}
}

func (o *outbox) launch(d *delivery) {
	d.state, d.attempts, d.lastErr = deliveryDue, 0, nil
	o.spawn(func() { o.send(d) })
}

// spawn runs something that close waits for. The mutex is held.
func (o *outbox) spawn(do func()) {
	if !o.closed {
		o.senders.Go(do)
	}
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
	var failed []error
	for len(awaited) > 0 {
		o.mu.Lock()
		first, moved := awaited[0], o.moved
		state, err := first.state, first.lastErr
		o.mu.Unlock()
		if state != deliveryDue {
			if state == deliveryGivenUp {
				failed = append(failed, err)
			}
			awaited = awaited[1:]
			continue
		}
		select {
		case <-moved:
		case <-o.ctx.Done():
			return errors.New("flushing deliveries: the local Stripe is closed")
		case <-ctx.Done():
			return fmt.Errorf("flushing deliveries, up to %d are still due: %w", len(awaited), errors.Join(ctx.Err(), err))
		}
	}
	return errors.Join(failed...)
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
