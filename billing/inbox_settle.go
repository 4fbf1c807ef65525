package billing

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Worked is an event as it was read to be worked, and what became of it.
type Worked struct {
	Event  Event
	State  EventState
	Reason string
}

// SettleEvent says what became of an event, and why when that isn't plain. It
// may be called again, and the last word counts. An event that the inbox doesn't
// hold is ErrEventUnknown; EventReceived is refused, since only ReopenEvents
// takes an event back.
func SettleEvent(ctx context.Context, tx pgx.Tx, id string, createdAt time.Time, state EventState, reason string, at time.Time) error {
	settled, err := settleEvents(ctx, tx, at, []Worked{{Event{ID: id, CreatedAt: createdAt}, state, reason}}, false)
	if err == nil && settled == 0 {
		err = fmt.Errorf("settling event %s: %w", id, ErrEventUnknown)
	}
	return err
}

// SettleWorked is SettleEvent by whoever worked events as they were read: when one was
// reopened since, by a replay or because its customer was linked, that word stands, and
// the job staged then works it again.
func SettleWorked(ctx context.Context, tx pgx.Tx, at time.Time, worked ...Worked) error {
	_, err := settleEvents(ctx, tx, at, worked, true)
	return err
}

// settleEvents settles events, and if asked to only those that still have the ticket they
// were read with. It reports how many.
func settleEvents(ctx context.Context, tx pgx.Tx, at time.Time, worked []Worked, unchanged bool) (int64, error) {
	for _, w := range worked {
		switch w.State {
		case EventDone, EventIgnored, EventUnmatched, EventUnmapped, EventFailed:
		default:
			return 0, fmt.Errorf("settling event %s: %q settles nothing", w.Event.ID, w.State)
		}
	}
	tag, err := tx.Exec(ctx, `
		UPDATE events e
		SET state = u.state, reason = u.reason, settled_at = $6, attempts = attempts + 1
		FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::bigint[]) AS u (id, created_at, state, reason, ticket)
		WHERE e.id = u.id AND e.created_at = u.created_at AND (NOT $7 OR e.ticket = u.ticket)`,
		eachOf(worked, func(w Worked) string { return w.Event.ID }), eachOf(worked, func(w Worked) time.Time { return w.Event.CreatedAt }),
		eachOf(worked, func(w Worked) string { return string(w.State) }), eachOf(worked, func(w Worked) string { return storableReason(w.Reason) }),
		eachOf(worked, func(w Worked) int64 { return w.Event.Ticket }), at, unchanged)
	if err != nil {
		return 0, fmt.Errorf("settling %s: %w", namesOf(eachOf(worked, func(w Worked) Event { return w.Event })), err)
	}
	return tag.RowsAffected(), nil
}
