package billing

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// AppliedSince tells whether an object was fetched and applied with a ticket later than
// the given one, so that there is no need to fetch it again. It is never said of what is
// kept waiting, unmatched, unmapped or unpaid: each of its events stays listed until it is
// applied.
func AppliedSince(ctx context.Context, db DB, objectID string, ticket int64) (bool, error) {
	var applied bool
	err := db.QueryRow(ctx, `SELECT `+appliedSince+` FROM (SELECT $1::text AS id, $2::bigint AS since) w`, objectID, ticket).Scan(&applied)
	if err != nil {
		return false, fmt.Errorf("reading the applied ticket of %s: %w", objectID, err)
	}
	return applied, nil
}

// appliedSince is that of the object w.id and the ticket w.since.
const appliedSince = `EXISTS (
			SELECT FROM stripe_objects o
			LEFT JOIN invoices i ON i.id = o.id
			LEFT JOIN subscriptions s ON s.id = COALESCE(i.subscription_id, o.id)
			LEFT JOIN charges c ON c.id = o.id
			WHERE o.id = w.id AND o.applied_ticket > w.since AND COALESCE(s.state, 'placed') = 'placed'
			  AND COALESCE(c.state, 'settled') = 'settled')`

// applyTickets is ApplyTicket for all that fetches brought. It notes the ids of what no
// later fetch has brought.
func applyTickets(ctx context.Context, tx pgx.Tx, at time.Time, all ...*applying) error {
	var ids []string
	var tickets []int64
	of := map[string]*applying{}
	for _, a := range all {
		a.fresh = map[string]bool{}
		for _, id := range a.brought() {
			if of[id] == nil {
				of[id] = a
				ids, tickets = append(ids, id), append(tickets, a.Ticket)
			}
		}
	}
	rows, err := tx.Query(ctx, `
		INSERT INTO stripe_objects (id, applied_ticket, applied_at)
		SELECT id, ticket, $3::timestamptz FROM unnest($1::text[], $2::bigint[]) AS fetched (id, ticket) ORDER BY id
		ON CONFLICT (id) DO UPDATE
		SET applied_ticket = EXCLUDED.applied_ticket, applied_at = EXCLUDED.applied_at
		WHERE stripe_objects.applied_ticket < EXCLUDED.applied_ticket
		RETURNING id`, ids, tickets, at)
	if err != nil {
		return fmt.Errorf("applying tickets of %s: %w", subscriptionsOf(idsOf(all)), err)
	}
	applied, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("applying tickets of %s: %w", subscriptionsOf(idsOf(all)), err)
	}
	for _, id := range applied {
		of[id].fresh[id] = true
	}
	return nil
}

// brought are the ids of all that a fetch brought.
func (a *applying) brought() []string {
	ids := []string{a.id()}
	for _, inv := range a.Fetched.Invoices {
		ids = append(ids, inv.ID)
	}
	return ids
}

func idsOf(all []*applying) []string { return eachOf(all, (*applying).id) }

// storeFacts writes what is fresh of what Stripe said, and where the subscriptions are
// kept, and notes whether that tells anything new. A later fetch may have brought newer
// facts of a subscription, so that only an invoice is fresh. Known is what had been known
// of a subscription whose facts are fresh; nil: nothing.
func storeFacts(ctx context.Context, tx pgx.Tx, at time.Time, all ...*applying) error {
	paid, err := storeInvoices(ctx, tx, at, all)
	if err != nil {
		return err
	}
	var fresh, stale []*applying
	for _, a := range all {
		if a.fresh[a.id()] {
			fresh = append(fresh, a)
		} else if paid[a.id()] != nil {
			stale = append(stale, a)
		}
	}
	if err := storePaid(ctx, tx, stale, paid); err != nil {
		return err
	}
	return storeSubscriptions(ctx, tx, at, fresh, paid)
}

// storePaid writes what was paid for subscriptions whose facts stay.
func storePaid(ctx context.Context, tx pgx.Tx, stale []*applying, paid map[string]*string) error {
	if len(stale) == 0 {
		return nil
	}
	ids := idsOf(stale)
	rows, err := tx.Query(ctx, `
		UPDATE subscriptions s SET paid = u.paid::jsonb FROM unnest($1::text[], $2::text[]) AS u (id, paid)
		WHERE s.id = u.id AND s.paid <> u.paid::jsonb RETURNING s.id`, ids, eachOf(stale, func(a *applying) *string { return paid[a.id()] }))
	if err != nil {
		return fmt.Errorf("storing what was paid for %s: %w", subscriptionsOf(ids), err)
	}
	changed, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("storing what was paid for %s: %w", subscriptionsOf(ids), err)
	}
	for _, a := range stale {
		a.changed = slices.Contains(changed, a.id())
	}
	return nil
}

func storeSubscriptions(ctx context.Context, tx pgx.Tx, at time.Time, fresh []*applying, paid map[string]*string) error {
	if len(fresh) == 0 {
		return nil
	}
	facts := make([]string, len(fresh))
	byID := map[string]*applying{}
	for i, a := range fresh {
		text, err := json.Marshal(a.Fetched.Subscription)
		if err != nil {
			return fmt.Errorf("writing subscription %s: %w", a.id(), err)
		}
		facts[i], byID[a.id()] = string(text), a
	}
	rows, err := tx.Query(ctx, `
		WITH before AS (SELECT id, facts, paid FROM subscriptions WHERE id = ANY($1))
		INSERT INTO subscriptions AS s (id, customer_id, status, state, reason, book_id, team_id, facts, paid, created_at, fetched_at)
		SELECT id, customer_id, status, state, reason, NULLIF(book_id, 0), team_id, facts::jsonb,
		       COALESCE(paid::jsonb, (SELECT paid FROM before WHERE before.id = u.id), '[]'), created_at, $11::timestamptz
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::text[], $10::timestamptz[])
		     AS u (id, customer_id, status, state, reason, book_id, team_id, facts, paid, created_at)
		ON CONFLICT (id) DO UPDATE SET customer_id = EXCLUDED.customer_id, status = EXCLUDED.status, state = EXCLUDED.state,
			reason = EXCLUDED.reason, book_id = EXCLUDED.book_id, team_id = EXCLUDED.team_id, facts = EXCLUDED.facts,
			paid = EXCLUDED.paid, fetched_at = EXCLUDED.fetched_at
		RETURNING id, (s.facts, s.paid) IS DISTINCT FROM (SELECT (facts, paid) FROM before WHERE before.id = s.id),
		          (SELECT facts FROM before WHERE before.id = s.id)`,
		idsOf(fresh), eachOf(fresh, func(a *applying) string { return a.Fetched.Subscription.CustomerID }),
		eachOf(fresh, func(a *applying) string { return string(a.Fetched.Subscription.Status) }),
		eachOf(fresh, func(a *applying) string { return a.after.state }), eachOf(fresh, func(a *applying) string { return a.after.reason }),
		eachOf(fresh, func(a *applying) int64 { return a.after.BookID }), eachOf(fresh, func(a *applying) string { return a.after.TeamID }),
		facts, eachOf(fresh, func(a *applying) *string { return paid[a.id()] }),
		eachOf(fresh, func(a *applying) time.Time { return a.Fetched.Subscription.CreatedAt }), at)
	if err != nil {
		return fmt.Errorf("storing %s: %w", subscriptionsOf(idsOf(fresh)), err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var changed bool
		var known *Subscription
		if err := rows.Scan(&id, &changed, &known); err != nil {
			return fmt.Errorf("storing %s: %w", subscriptionsOf(idsOf(fresh)), err)
		}
		byID[id].changed, byID[id].known = changed, known
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("storing %s: %w", subscriptionsOf(idsOf(fresh)), err)
	}
	return nil
}
