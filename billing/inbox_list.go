package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// eventsMax is the most events that one call lists or reopens; eventsDefault is
// what it takes when no limit is given.
const (
	eventsMax     = 1000
	eventsDefault = 100
)

// ErrEventFilterEmpty is returned when events are to be reopened and the filter
// chooses nothing out: replaying a whole inbox by a forgotten flag is no use to anyone.
var ErrEventFilterEmpty = errors.New("a filter is needed that says which events")

// EventFilter chooses events. A zero field leaves that choice open; those that
// are set must all hold.
type EventFilter struct {
	IDs      []string
	States   []EventState
	Types    []string
	Customer string
	ObjectID string
	Since    time.Time     // received at or after
	Until    time.Time     // received before
	After    EventPosition // where the page before ended
	Limit    int           // at most 1,000; 0 means 100, or 1,000 where events are reopened
}

// EventPosition is a place in the list of events, newest first.
type EventPosition struct {
	ReceivedAt time.Time
	ID         string
}

// Position is where the event stands in the list; the page that follows it is
// asked for with EventFilter.After.
func (e Event) Position() EventPosition { return EventPosition{e.ReceivedAt, e.ID} }

// eventsChosen is the one condition behind a filter, so that what ListEvents
// shows is what ReopenEvents takes.
const eventsChosen = `
	    (@ids::text[] IS NULL OR id = ANY(@ids))
	AND (@states::text[] IS NULL OR state = ANY(@states))
	AND (@types::text[] IS NULL OR type = ANY(@types))
	AND (@customer::text = '' OR customer_id = @customer)
	AND (@object::text = '' OR object_id = @object)
	AND (@since::timestamptz IS NULL OR received_at >= @since)
	AND (@until::timestamptz IS NULL OR received_at < @until)
	AND (@after_at::timestamptz IS NULL OR (received_at, id) < (@after_at, @after_id::text))`

// ListEvents lists events newest first, without their bodies.
func ListEvents(ctx context.Context, db inboxDB, f EventFilter) ([]Event, error) {
	rows, err := db.Query(ctx, `
		SELECT id, created_at, received_at, ticket, type, api_version, account,
		       object_kind, object_id, customer_id, origin,
		       state, reason, attempts, settled_at
		FROM events
		WHERE `+eventsChosen+`
		ORDER BY received_at DESC, id DESC
		LIMIT @limit`, planned, f.args())
	if err != nil {
		return nil, fmt.Errorf("listing events: %w", err)
	}
	events, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Event, error) {
		e, err := pgx.RowToStructByNameLax[Event](row)
		return e.inUTC(), err
	})
	if err != nil {
		return nil, fmt.Errorf("listing events: %w", err)
	}
	return events, nil
}

// UnmatchedEventsOf lists what waits for a customer to be known, newest first and
// at most 1,000. Whoever links the customer reopens them in the same transaction
// (ReopenEvents with States and Customer, until none comes).
func UnmatchedEventsOf(ctx context.Context, tx pgx.Tx, customerID string) ([]Event, error) {
	if customerID == "" {
		return nil, nil
	}
	return ListEvents(ctx, tx, EventFilter{States: []EventState{EventUnmatched}, Customer: customerID, Limit: eventsMax})
}

// ReopenEvents takes events back to received, for a replay by id or by filter,
// and returns the jobs that the caller stages in the same transaction. Each gets
// a new ticket, so that no fetch made before counts for it: a replay asks Stripe
// anew.
//
// A filter that names neither ids nor states takes settled events only. At most
// 1,000 are taken; since they leave the settled states, a caller who may have
// more asks again until none comes. A filter that chooses nothing out is
// ErrEventFilterEmpty.
func ReopenEvents(ctx context.Context, tx pgx.Tx, f EventFilter) ([]EventArgs, error) {
	if f.open() {
		return nil, fmt.Errorf("reopening events: %w", ErrEventFilterEmpty)
	}
	if len(f.IDs) == 0 && len(f.States) == 0 {
		f.States = []EventState{EventDone, EventIgnored, EventUnmatched, EventUnmapped, EventFailed}
	}
	if f.Limit <= 0 {
		f.Limit = eventsMax
	}
	// Locked in one order, so that two replays at once can't wait for each other.
	rows, err := tx.Query(ctx, `
		WITH chosen AS (
			SELECT id, created_at
			FROM events
			WHERE `+eventsChosen+`
			ORDER BY received_at DESC, id DESC
			LIMIT @limit
			FOR UPDATE
		)
		UPDATE events e
		SET state = 'received', reason = '', settled_at = NULL, ticket = nextval('tickets')
		FROM chosen c
		WHERE e.id = c.id AND e.created_at = c.created_at
		RETURNING e.id, e.created_at`, planned, f.args())
	if err != nil {
		return nil, fmt.Errorf("reopening events: %w", err)
	}
	args, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (EventArgs, error) {
		var e Event
		err := row.Scan(&e.ID, &e.CreatedAt)
		return e.Args(), err
	})
	if err != nil {
		return nil, fmt.Errorf("reopening events: %w", err)
	}
	return args, nil
}

// planned has PostgreSQL plan for the choice at hand. A plan shared by all
// choices could use none of the inbox's partial indexes, nor any other where a
// field may be open.
const planned = pgx.QueryExecModeCacheDescribe

// open reports whether the filter chooses nothing out.
func (f EventFilter) open() bool {
	return len(f.IDs) == 0 && len(f.States) == 0 && len(f.Types) == 0 &&
		f.Customer == "" && f.ObjectID == "" && f.Since.IsZero() && f.Until.IsZero()
}

func (f EventFilter) args() pgx.NamedArgs {
	limit := f.Limit
	if limit <= 0 {
		limit = eventsDefault
	}
	return pgx.NamedArgs{
		"ids":      orNull(f.IDs),
		"states":   orNull(f.States),
		"types":    orNull(f.Types),
		"customer": f.Customer,
		"object":   f.ObjectID,
		"since":    instantOrNull(f.Since),
		"until":    instantOrNull(f.Until),
		"after_at": instantOrNull(f.After.ReceivedAt),
		"after_id": f.After.ID,
		"limit":    min(limit, eventsMax),
	}
}

// orNull makes an empty choice NULL; an empty array would match nothing.
func orNull[T ~string](choice []T) []string {
	if len(choice) == 0 {
		return nil
	}
	texts := make([]string, len(choice))
	for i, c := range choice {
		texts[i] = string(c)
	}
	return texts
}

func instantOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
