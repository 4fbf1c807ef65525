package localstripe

import "time"

// event is a snapshot of an object at one change.
type event struct {
	id, kind string
	created  int64
	object   obj
	previous obj // nil when nothing is to be told
	cause    cause
}

func (e *event) identity() string { return e.id }
func (e *event) createdAt() int64 { return e.created }

func (e *event) render(s *Server) obj { return e.envelope(s.out.pending(e.id)) }

// envelope copies, because the answer may be expanded and the event may not change.
func (e *event) envelope(pending int64) obj {
	data := obj{"object": deepCopy(e.object)}
	if e.previous != nil {
		data["previous_attributes"] = deepCopy(e.previous)
	}
	return obj{
		"id": e.id, "object": "event", "api_version": APIVersion, "created": e.created, "data": data, "livemode": false,
		"pending_webhooks": pending,
		"request":          obj{"id": orNil(e.cause.request), "idempotency_key": orNil(e.cause.key)},
		"type":             e.kind,
	}
}

// emit records an event and sends it off. The object is a rendering of its own, so it stays as it is.
func (s *Server) emit(c *clock, kind string, object, before obj) {
	if s.batch != nil {
		*s.batch = append(*s.batch, pendingEvent{clock: c, kind: kind, object: object, prev: before})
		return
	}
	s.record(&event{kind: kind, created: c.now, object: object, previous: before, cause: s.cause})
	if s.out.twins(kind) {
		s.record(&event{kind: kind, created: c.now, object: object, previous: before, cause: s.cause})
	}
}

func (s *Server) record(e *event) {
	e.id = s.id("evt")
	s.events.add(e)
	s.log.Debug("local Stripe event", "type", e.kind, "event", e.id, "object", e.object["id"])
	s.out.post(e, s.listeners(e.kind))
}

// tell emits an event about an object as it is now.
func (s *Server) tell(c *clock, kind string, about entity) {
	if s.batch != nil && endSnapshots[kind] {
		*s.batch = append(*s.batch, pendingEvent{clock: c, kind: kind, about: about})
		return
	}
	s.emit(c, kind, about.render(s), nil)
}

// change carries out a change and tells of it, with the old values of what changed; of nothing, nothing.
func (s *Server) change(c *clock, kind string, about entity, do func()) {
	before := about.render(s)
	do()
	s.changed(c, kind, about, before)
}

// changed tells of a change that began with before.
func (s *Server) changed(c *clock, kind string, about entity, before obj) {
	after := about.render(s)
	if was := previous(before, after); len(was) > 0 {
		s.emit(c, kind, after, was)
	}
}

func listEvents(c *call) (any, error) {
	pg := c.page()
	kinds := c.strings("types")
	if kind := c.str("type"); kind != "" {
		kinds = append(kinds, kind)
	}
	success, asked := c.bool("delivery_success"), c.has("delivery_success")
	related := c.str("related_object")
	if err := c.finish(); err != nil {
		return nil, err
	}
	return answerList(c.Server, pg, "/v1/events", c.events.where(func(e *event) bool {
		return (len(kinds) == 0 || matchesAny(kinds, e.kind)) && (!asked || c.out.delivered(e.id) == success) &&
			(related == "" || e.object["id"] == related)
	}))
}

func getEvent(c *call) (any, error) {
	e, ok := c.events.get(c.id())
	if !ok {
		return nil, noSuch(404, "event", c.id(), "id")
	}
	return e.render(c.Server), c.finish()
}

// Event is what happened, in short.
type Event struct {
	ID, Type string
	Object   string // the id of what it is about; empty for invoice.upcoming
	Created  time.Time
}

// Events are all events since the start, oldest first.
func (s *Server) Events() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	events := make([]Event, 0, len(s.events.order))
	for _, e := range s.events.order {
		id, _ := e.object["id"].(string)
		events = append(events, Event{ID: e.id, Type: e.kind, Object: id, Created: time.Unix(e.created, 0).UTC()})
	}
	return events
}
