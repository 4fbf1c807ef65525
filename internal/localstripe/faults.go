package localstripe

import (
	"errors"
	"math/rand/v2"
	"time"
)

// Faults disturb deliveries from now on. A pattern is an event's id, its type, or the beginning of a type
// with a star.
type Faults struct {
	Drop      []string `json:"drop"`      // never delivered; only the event list knows of them
	Hold      []string `json:"hold"`      // not delivered until Release
	Duplicate int      `json:"duplicate"` // sent so many times more
	Twin      []string `json:"twin"`      // told by two events with ids of their own, as Stripe sometimes does
	// Wait lets an invoice stay a draft while its invoice.created is not acknowledged, up to 72 hours.
	Wait    bool          `json:"wait"`
	Delay   time.Duration `json:"delay"`   // in nanoseconds, before the first attempt of each delivery
	Version string        `json:"version"` // the API version that bodies are rendered in, whatever the endpoint's
	Down    []string      `json:"down"`    // addresses of endpoints that can't be reached, as long as this stands
}

var errEndpointDown = errors.New("connection refused: the endpoint is down")

func (o *outbox) down(address string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return matchesAny(o.faults.Down, address)
}

// rendered is an event as it goes over the wire to an endpoint of a version.
func (o *outbox) rendered(e *event, version string) []byte {
	envelope := e.envelope(o.pendingLocked(e.id))
	if version != "" {
		envelope = inVersion(envelope, version)
	}
	return encode(envelope)
}

func (f Faults) drops(d *delivery) bool {
	return matchesAny(f.Drop, d.kind) || matchesAny(f.Drop, d.event)
}

func (f Faults) holds(d *delivery) bool {
	return matchesAny(f.Hold, d.kind) || matchesAny(f.Hold, d.event)
}

func (o *outbox) twins(kind string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return matchesAny(o.faults.Twin, kind)
}

// waits says whether an event keeps its invoice a draft.
func (o *outbox) waits(eventID string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.faults.Wait && o.pendingLocked(eventID) > 0
}

// SetDelivery replaces the faults. Deliveries that are held stay held until Release.
func (s *Server) SetDelivery(f Faults) {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	s.out.faults = f
}

// Release sends what is held, in an order that the seed decides; 0 keeps the order of the events.
func (s *Server) Release(seed uint64) int {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	var held []*delivery
	for _, d := range s.out.order {
		if d.state == deliveryHeld {
			held = append(held, d)
		}
	}
	shuffle(held, seed)
	for _, d := range held {
		s.out.launch(d)
	}
	return len(held)
}

// Resend delivers events again to the endpoints that want them, as the dashboard's button does, whatever
// the faults say. Without ids all events are meant.
func (s *Server) Resend(times int, seed uint64, ids ...string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	chosen := s.events.where(func(e *event) bool { return len(ids) == 0 || matchesAny(ids, e.id) })
	var again []*delivery
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	for range times {
		for _, e := range chosen {
			for _, endpoint := range s.listeners(e.kind) {
				body := s.out.rendered(e, endpoint.version)
				again = append(again, &delivery{event: e.id, kind: e.kind, endpoint: endpoint.id, body: body})
			}
		}
	}
	shuffle(again, seed)
	for _, d := range again {
		s.out.add(d)
		s.out.launch(d)
	}
	return len(again)
}

func shuffle(deliveries []*delivery, seed uint64) {
	if seed == 0 {
		return
	}
	r := rand.New(rand.NewPCG(seed, 0))
	r.Shuffle(len(deliveries), func(i, j int) { deliveries[i], deliveries[j] = deliveries[j], deliveries[i] })
}
