package billing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// EventState says how far an event has come.
type EventState string

// The states of an event. All but EventReceived are settled; a settled event can
// be settled again (an unmatched one is done once its customer is known).
const (
	EventReceived  EventState = "received"  // its job is staged
	EventDone      EventState = "done"      // a fetch that knows of it was applied
	EventIgnored   EventState = "ignored"   // there is nothing for us in it
	EventUnmatched EventState = "unmatched" // its customer belongs to nobody yet
	EventUnmapped  EventState = "unmapped"  // it tells of no price of ours
	EventFailed    EventState = "failed"    // tried to the end and set aside
)

// EventOrigin says how an event reached the inbox.
type EventOrigin string

// The ways into the inbox.
const (
	FromWebhook EventOrigin = "webhook" // Stripe delivered it
	FromSweep   EventOrigin = "sweep"   // found in Stripe's event list
)

// ErrEventUnknown is returned when the inbox holds no event of that id.
var ErrEventUnknown = errors.New("event unknown")

// reasonMax bounds what an event remembers of why it was settled; errors of
// others can be long.
const reasonMax = 2000

// Event is one row of the inbox: what Stripe sent, byte for byte, and the few
// fields by which it is found again. ObjectID, CustomerID and the like are
// pointers, not data: what counts is fetched from Stripe.
type Event struct {
	ID         string      `db:"id"`
	CreatedAt  time.Time   `db:"created_at"`  // Stripe's clock, whole seconds
	ReceivedAt time.Time   `db:"received_at"` // ours
	Ticket     int64       `db:"ticket"`      // drawn when it was recorded or reopened
	Type       string      `db:"type"`
	APIVersion string      `db:"api_version"`
	Account    string      `db:"account"` // a Connect account's id, else empty
	ObjectKind string      `db:"object_kind"`
	ObjectID   string      `db:"object_id"`
	CustomerID string      `db:"customer_id"`
	Origin     EventOrigin `db:"origin"`
	Body       []byte      `db:"body"`
	State      EventState  `db:"state"`
	Reason     string      `db:"reason"`
	Attempts   int         `db:"attempts"`
	SettledAt  *time.Time  `db:"settled_at"`

	// Livemode is read from the body and not stored: one deployment serves one mode.
	Livemode bool `db:"-"`
}

// Args names the event for the job that works it.
func (e Event) Args() EventArgs { return EventArgs{EventID: e.ID, CreatedAt: e.CreatedAt.UTC()} }

// inboxDB is a pool, a connection or a transaction.
type inboxDB interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// RecordEvent puts an event into the inbox unless its id is known, and reports
// whether it did. It is RecordEvents of one.
func RecordEvent(ctx context.Context, tx pgx.Tx, e Event) (recorded bool, err error) {
	fresh, err := RecordEvents(ctx, tx, []Event{e})
	if err != nil {
		return false, err
	}
	return fresh[0], nil
}

// RecordEvents puts those events into the inbox whose ids aren't known, in one round
// trip, and reports of each whether it did. Only the id decides: an event of the same
// id with another creation time or body is the same event (E1), and the row stays as
// it was; of two with one id here, the first is recorded.
//
// Deliveries may race. The primary key of event_ids is the arbiter: a second
// transaction with the same id waits until the first has ended, and then records
// nothing if it committed, or everything if it rolled back. So a caller that is
// told "known" may answer Stripe: the event and its job are durable.
//
// They are recorded in the order of their ids, or two such transactions could wait for
// each other. Whoever calls this again in one transaction must keep to that order.
func RecordEvents(ctx context.Context, tx pgx.Tx, events []Event) (fresh []bool, err error) {
	byID := slices.Clone(events)
	slices.SortStableFunc(byID, func(a, b Event) int { return cmp.Compare(a.ID, b.ID) })
	byID = slices.CompactFunc(byID, func(a, b Event) bool { return a.ID == b.ID })
	rows, err := tx.Query(ctx, `
		WITH given AS MATERIALIZED (
			SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::text[], $5::text[], $6::text[],
			                     $7::text[], $8::text[], $9::text[], $10::text[], $11::bytea[])
			     AS g (id, created_at, received_at, type, api_version, account, object_kind, object_id, customer_id, origin, body)
		), fresh AS (
			INSERT INTO event_ids (id, created_at) SELECT id, created_at FROM given ORDER BY id COLLATE "C"
			ON CONFLICT (id) DO NOTHING
			RETURNING id
		)
		INSERT INTO events (id, created_at, received_at, type, api_version, account,
		                    object_kind, object_id, customer_id, origin, body)
		SELECT given.* FROM given JOIN fresh USING (id)
		RETURNING id`,
		eachOf(byID, func(e Event) string { return e.ID }), eachOf(byID, func(e Event) time.Time { return e.CreatedAt }),
		eachOf(byID, func(e Event) time.Time { return e.ReceivedAt }), eachOf(byID, func(e Event) string { return e.Type }),
		eachOf(byID, func(e Event) string { return e.APIVersion }), eachOf(byID, func(e Event) string { return e.Account }),
		eachOf(byID, func(e Event) string { return e.ObjectKind }), eachOf(byID, func(e Event) string { return e.ObjectID }),
		eachOf(byID, func(e Event) string { return e.CustomerID }), eachOf(byID, func(e Event) string { return string(e.Origin) }),
		eachOf(byID, func(e Event) []byte { return e.Body }))
	if err != nil {
		return nil, fmt.Errorf("recording %s: %w", namesOf(events), err)
	}
	recorded := map[string]bool{}
	var id string
	if _, err := pgx.ForEachRow(rows, []any{&id}, func() error { recorded[id] = true; return nil }); err != nil {
		return nil, fmt.Errorf("recording %s: %w", namesOf(events), err)
	}
	fresh = make([]bool, len(events))
	for i, e := range events {
		fresh[i] = recorded[e.ID]
		delete(recorded, e.ID)
	}
	return fresh, nil
}

// namesOf tells in an error which events are meant.
func namesOf(events []Event) string {
	if len(events) == 1 {
		return "event " + events[0].ID
	}
	return fmt.Sprintf("%d events", len(events))
}

// eachOf turns rows into one array parameter.
func eachOf[R, C any](rows []R, of func(R) C) []C {
	out := make([]C, len(rows))
	for i, r := range rows {
		out[i] = of(r)
	}
	return out
}

// GetEvent reads one event with its body, or returns ErrEventUnknown.
func GetEvent(ctx context.Context, db inboxDB, id string) (Event, error) {
	events, err := GetEvents(ctx, db, []string{id})
	if err != nil {
		return Event{}, err
	}
	e, known := events[id]
	if !known {
		return Event{}, fmt.Errorf("reading event %s: %w", id, ErrEventUnknown)
	}
	return e, nil
}

// GetEvents reads events with their bodies. One that the inbox doesn't hold is missing.
func GetEvents(ctx context.Context, db inboxDB, ids []string) (map[string]Event, error) {
	// By way of event_ids, so that one partition is read and not every month.
	rows, err := db.Query(ctx, `
		SELECT e.id, e.created_at, e.received_at, e.ticket, e.type, e.api_version, e.account,
		       e.object_kind, e.object_id, e.customer_id, e.origin, e.body,
		       e.state, e.reason, e.attempts, e.settled_at
		FROM event_ids i
		JOIN events e ON e.id = i.id AND e.created_at = i.created_at
		WHERE i.id = ANY($1)`, ids)
	if err != nil {
		return nil, fmt.Errorf("reading events: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Event])
	if err != nil {
		return nil, fmt.Errorf("reading events: %w", err)
	}
	events := make(map[string]Event, len(list))
	for _, e := range list {
		events[e.ID] = e.inUTC()
	}
	return events, nil
}

// CountEvents counts the events in each of the named states, or in all states
// when none is named. Counting what is open (received, unmatched, unmapped,
// failed) reads an index over just those; counting what is done reads the inbox.
// A state with no events is absent.
func CountEvents(ctx context.Context, db inboxDB, states ...EventState) (map[EventState]int64, error) {
	if len(states) == 0 {
		states = []EventState{EventReceived, EventDone, EventIgnored, EventUnmatched, EventUnmapped, EventFailed}
	}
	rows, err := db.Query(ctx, `
		SELECT state, count(*)
		FROM events
		WHERE state = ANY($1)
		GROUP BY state`, planned, states)
	if err != nil {
		return nil, fmt.Errorf("counting events: %w", err)
	}
	counts := make(map[EventState]int64, len(states))
	var state EventState
	var count int64
	_, err = pgx.ForEachRow(rows, []any{&state, &count}, func() error {
		counts[state] = count
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("counting events: %w", err)
	}
	return counts, nil
}

// storableReason makes any error text fit a text column: PostgreSQL refuses NUL
// and invalid UTF-8, and an event that can't be settled would be tried for ever.
func storableReason(reason string) string {
	reason = strings.ReplaceAll(strings.ToValidUTF8(reason, "\uFFFD"), "\x00", "\uFFFD")
	if len(reason) <= reasonMax {
		return reason
	}
	cut := reasonMax
	for !utf8.RuneStart(reason[cut]) {
		cut--
	}
	return reason[:cut]
}

// inUTC turns the instants that the driver gave in the machine's zone to UTC.
func (e Event) inUTC() Event {
	e.CreatedAt, e.ReceivedAt = e.CreatedAt.UTC(), e.ReceivedAt.UTC()
	if e.SettledAt != nil {
		settled := e.SettledAt.UTC()
		e.SettledAt = &settled
	}
	return e
}
