package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// TakeTicket draws the next ticket. It must be taken before Stripe is asked, and
// not in the transaction that applies the answer: what a later ticket fetched is
// then never older than what an earlier one did (B3).
func TakeTicket(ctx context.Context, db inboxDB) (int64, error) {
	var ticket int64
	if err := db.QueryRow(ctx, `SELECT nextval('tickets')`).Scan(&ticket); err != nil {
		return 0, fmt.Errorf("taking a ticket: %w", err)
	}
	return ticket, nil
}

// Wanted is an object that is to be fetched because of an event, unless a fetch with a
// ticket after the event's was applied already.
type Wanted struct {
	ObjectID string
	Since    int64 // the event's ticket
}

// Ticket is what Stripe may be asked with.
type Ticket struct {
	Applied bool // there is no need to: a later fetch was applied
	Number  int64
}

// TakeTickets is AppliedSince and TakeTicket for several objects in one round trip. A
// ticket is drawn for each, also in vain.
func TakeTickets(ctx context.Context, db DB, wanted []Wanted) ([]Ticket, error) {
	rows, err := db.Query(ctx, `
		SELECT `+appliedSince+`, nextval('tickets')
		FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS w (id, since, n) ORDER BY n`,
		eachOf(wanted, func(w Wanted) string { return w.ObjectID }), eachOf(wanted, func(w Wanted) int64 { return w.Since }))
	if err != nil {
		return nil, fmt.Errorf("taking tickets: %w", err)
	}
	tickets, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Ticket])
	if err != nil {
		return nil, fmt.Errorf("taking tickets: %w", err)
	}
	return tickets, nil
}

// ApplyTicket reports whether what was fetched of an object with this ticket may
// be applied, and if so remembers that it was. False means that a later fetch
// was applied already: this one was overtaken and must be dropped.
//
// It locks the object's row until the transaction ends, so of two fetches at once
// the second to arrive waits and is then compared with what the first left. In a
// transaction that rolls back nothing was applied.
func ApplyTicket(ctx context.Context, tx pgx.Tx, objectID string, ticket int64, at time.Time) (applied bool, err error) {
	if objectID == "" {
		return false, errors.New("applying a ticket: an object id is needed")
	}
	tag, err := tx.Exec(ctx, `
		INSERT INTO stripe_objects (id, applied_ticket, applied_at)
		VALUES ($1, $2, $3)
		ON CONFLICT (id) DO UPDATE
		SET applied_ticket = EXCLUDED.applied_ticket, applied_at = EXCLUDED.applied_at
		WHERE stripe_objects.applied_ticket < EXCLUDED.applied_ticket`,
		objectID, ticket, at)
	if err != nil {
		return false, fmt.Errorf("applying ticket %d of %s: %w", ticket, objectID, err)
	}
	return tag.RowsAffected() == 1, nil
}

// AppliedTicket returns the latest ticket with which an object was applied, or 0
// if it never was. An event whose own ticket is lower is done.
func AppliedTicket(ctx context.Context, db inboxDB, objectID string) (int64, error) {
	var ticket int64
	err := db.QueryRow(ctx, `SELECT applied_ticket FROM stripe_objects WHERE id = $1`, objectID).Scan(&ticket)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading the applied ticket of %s: %w", objectID, err)
	}
	return ticket, nil
}
