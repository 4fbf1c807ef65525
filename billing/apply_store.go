package billing

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// AppliedSince tells whether an object was fetched and applied with a ticket later than
// the given one, so that there is no need to fetch it again. It is never said of what is
// kept waiting, unmatched, unmapped or unpaid: each of its events stays listed until it is
// applied.
func AppliedSince(ctx context.Context, db DB, objectID string, ticket int64) (bool, error) {
	var applied bool
	err := db.QueryRow(ctx, `
		SELECT EXISTS (
			SELECT FROM stripe_objects o
			LEFT JOIN invoices i ON i.id = o.id
			LEFT JOIN subscriptions s ON s.id = COALESCE(i.subscription_id, o.id)
			LEFT JOIN charges c ON c.id = o.id
			WHERE o.id = $1 AND o.applied_ticket > $2 AND COALESCE(s.state, 'placed') = 'placed'
			  AND COALESCE(c.state, 'settled') = 'settled')`, objectID, ticket).Scan(&applied)
	if err != nil {
		return false, fmt.Errorf("reading the applied ticket of %s: %w", objectID, err)
	}
	return applied, nil
}

// applyTickets is ApplyTicket for all that one fetch brought. It gives the ids of what no
// later fetch has brought.
func applyTickets(ctx context.Context, tx pgx.Tx, in ApplyIn, at time.Time) (map[string]bool, error) {
	ids := []string{in.Fetched.Subscription.ID}
	for _, inv := range in.Fetched.Invoices {
		ids = append(ids, inv.ID)
	}
	rows, err := tx.Query(ctx, `
		INSERT INTO stripe_objects (id, applied_ticket, applied_at)
		SELECT DISTINCT id, $2::bigint, $3::timestamptz FROM unnest($1::text[]) AS fetched (id) ORDER BY id
		ON CONFLICT (id) DO UPDATE
		SET applied_ticket = EXCLUDED.applied_ticket, applied_at = EXCLUDED.applied_at
		WHERE stripe_objects.applied_ticket < EXCLUDED.applied_ticket
		RETURNING id`, ids, in.Ticket, at)
	if err != nil {
		return nil, fmt.Errorf("applying ticket %d of %s: %w", in.Ticket, ids[0], err)
	}
	applied, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("applying ticket %d of %s: %w", in.Ticket, ids[0], err)
	}
	fresh := map[string]bool{}
	for _, id := range applied {
		fresh[id] = true
	}
	return fresh, nil
}

// storeFacts writes what is fresh of what Stripe said, and where the subscription is
// kept, and reports whether that tells anything new. A later fetch may have brought newer
// facts of the subscription, so that only an invoice is fresh. Known is what had been
// known of a subscription whose facts are fresh; nil: nothing.
func storeFacts(ctx context.Context, tx pgx.Tx, in ApplyIn, to Location, fresh map[string]bool, at time.Time) (changed bool, known *Subscription, err error) {
	sub := in.Fetched.Subscription
	paid, err := storeInvoices(ctx, tx, in, fresh, at)
	if err != nil {
		return false, nil, err
	}
	if !fresh[sub.ID] {
		tag, err := tx.Exec(ctx, `UPDATE subscriptions SET paid = $2 WHERE id = $1 AND paid <> $2`, sub.ID, paid)
		if err != nil {
			return false, nil, fmt.Errorf("storing what was paid for %s: %w", sub.ID, err)
		}
		return tag.RowsAffected() > 0, nil, nil
	}
	facts, err := json.Marshal(sub)
	if err != nil {
		return false, nil, fmt.Errorf("writing subscription %s: %w", sub.ID, err)
	}
	var book *int64
	if to.BookID != 0 {
		book = &to.BookID
	}
	err = tx.QueryRow(ctx, `
		WITH before AS (SELECT facts, paid FROM subscriptions WHERE id = $1)
		INSERT INTO subscriptions AS s (id, customer_id, status, state, reason, book_id, team_id, facts, paid, created_at, fetched_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, COALESCE($9::jsonb, '[]'), $10, $11)
		ON CONFLICT (id) DO UPDATE SET customer_id = EXCLUDED.customer_id, status = EXCLUDED.status, state = EXCLUDED.state,
			reason = EXCLUDED.reason, book_id = EXCLUDED.book_id, team_id = EXCLUDED.team_id, facts = EXCLUDED.facts,
			paid = COALESCE($9::jsonb, s.paid), fetched_at = EXCLUDED.fetched_at
		RETURNING (s.facts, s.paid) IS DISTINCT FROM (SELECT (facts, paid) FROM before), (SELECT facts FROM before)`,
		sub.ID, sub.CustomerID, sub.Status, to.state, to.reason, book, to.TeamID, facts, paid, sub.CreatedAt, at).Scan(&changed, &known)
	if err != nil {
		return false, nil, fmt.Errorf("storing subscription %s: %w", sub.ID, err)
	}
	return changed, known, nil
}

// storeInvoices writes the fresh invoices and gives, in JSON, what was paid by all of the
// subscription's: nil if no invoice is fresh, since then it is what it was.
func storeInvoices(ctx context.Context, tx pgx.Tx, in ApplyIn, fresh map[string]bool, at time.Time) ([]byte, error) {
	var batch pgx.Batch
	for _, inv := range in.Fetched.Invoices {
		if !fresh[inv.ID] {
			continue
		}
		facts, err := json.Marshal(inv)
		if err != nil {
			return nil, fmt.Errorf("writing invoice %s: %w", inv.ID, err)
		}
		batch.Queue(`
			INSERT INTO invoices (id, subscription_id, customer_id, status, facts, created_at, fetched_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (id) DO UPDATE SET subscription_id = EXCLUDED.subscription_id, customer_id = EXCLUDED.customer_id,
				status = EXCLUDED.status, facts = EXCLUDED.facts, fetched_at = EXCLUDED.fetched_at`,
			inv.ID, inv.SubscriptionID, inv.CustomerID, inv.Status, facts, inv.CreatedAt, at)
	}
	if batch.Len() == 0 {
		return nil, nil
	}
	var invoices []Invoice
	batch.Queue(`
		SELECT facts FROM invoices WHERE subscription_id = $1 AND status = 'paid' ORDER BY created_at DESC, id DESC LIMIT 100`,
		in.Fetched.Subscription.ID,
	).Query(func(rows pgx.Rows) (err error) {
		invoices, err = pgx.CollectRows(rows, pgx.RowTo[Invoice])
		return err
	})
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return nil, fmt.Errorf("storing invoices of %s: %w", in.Fetched.Subscription.ID, err)
	}
	paid, err := json.Marshal(paidLines(invoices))
	if err != nil {
		return nil, fmt.Errorf("writing what was paid: %w", err)
	}
	return paid, nil
}

// paidLinesMax bounds what a subscription remembers of paid lines: years of them.
const paidLinesMax = 200

// paidLines gathers the lines of paid invoices, which come newest first, the newest last.
func paidLines(invoices []Invoice) []PaidLine {
	lines := []PaidLine{}
	for i := len(invoices) - 1; i >= 0; i-- {
		for _, l := range invoices[i].Lines {
			if l.PriceID != "" {
				lines = append(lines, PaidLine{
					InvoiceID: invoices[i].ID, PriceID: l.PriceID, LookupKey: l.LookupKey, Quantity: l.Quantity,
					Amount: l.Amount, Proration: l.Proration, From: l.From, To: l.To, PaidAt: invoices[i].PaidAt,
				})
			}
		}
	}
	return lines[max(0, len(lines)-paidLinesMax):]
}
