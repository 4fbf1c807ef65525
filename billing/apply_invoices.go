package billing

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// storeInvoices writes the fresh invoices and gives, in JSON, what was paid by all of a
// subscription's: nothing where no invoice tells anything new, since then it is what it
// was.
func storeInvoices(ctx context.Context, tx pgx.Tx, at time.Time, all []*applying) (map[string]*string, error) {
	var invoices []Invoice
	var facts, of []string
	for _, a := range all {
		seen := map[string]bool{}
		for _, inv := range a.Fetched.Invoices {
			if !a.fresh[inv.ID] || seen[inv.ID] {
				continue
			}
			seen[inv.ID] = true
			text, err := json.Marshal(inv)
			if err != nil {
				return nil, fmt.Errorf("writing invoice %s: %w", inv.ID, err)
			}
			invoices, facts, of = append(invoices, inv), append(facts, string(text)), append(of, a.id())
		}
	}
	if len(invoices) == 0 {
		return nil, nil
	}
	rows, err := tx.Query(ctx, `
		INSERT INTO invoices (id, subscription_id, customer_id, status, facts, created_at, fetched_at)
		SELECT id, subscription_id, customer_id, status, facts::jsonb, created_at, $7::timestamptz
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
		     AS u (id, subscription_id, customer_id, status, facts, created_at)
		ON CONFLICT (id) DO UPDATE SET subscription_id = EXCLUDED.subscription_id, customer_id = EXCLUDED.customer_id,
			status = EXCLUDED.status, facts = EXCLUDED.facts, fetched_at = EXCLUDED.fetched_at
		WHERE (invoices.subscription_id, invoices.customer_id, invoices.status, invoices.facts)
		      IS DISTINCT FROM (EXCLUDED.subscription_id, EXCLUDED.customer_id, EXCLUDED.status, EXCLUDED.facts)
		RETURNING id`,
		eachOf(invoices, func(i Invoice) string { return i.ID }), eachOf(invoices, func(i Invoice) string { return i.SubscriptionID }),
		eachOf(invoices, func(i Invoice) string { return i.CustomerID }), eachOf(invoices, func(i Invoice) string { return i.Status }),
		facts, eachOf(invoices, func(i Invoice) time.Time { return i.CreatedAt }), at)
	if err != nil {
		return nil, fmt.Errorf("storing invoices of %s: %w", subscriptionsOf(idsOf(all)), err)
	}
	changed, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("storing invoices of %s: %w", subscriptionsOf(idsOf(all)), err)
	}
	var paying []string
	for _, id := range changed {
		for i, inv := range invoices {
			if inv.ID == id {
				paying = append(paying, of[i])
			}
		}
	}
	return readPaid(ctx, tx, paying)
}

// readPaid gives what the latest invoices paid for each of some subscriptions: the latest
// of all, and of those that paid for whole periods, which many that bill a change may have
// followed.
func readPaid(ctx context.Context, tx pgx.Tx, ids []string) (map[string]*string, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	rows, err := tx.Query(ctx, `
		SELECT w.id, i.facts
		FROM unnest($1::text[]) AS w (id)
		CROSS JOIN LATERAL (
			(SELECT facts, created_at, id FROM invoices WHERE subscription_id = w.id AND subscription_id <> '' AND status = 'paid'
			 ORDER BY created_at DESC, id DESC LIMIT 100)
			UNION
			(SELECT facts, created_at, id FROM invoices WHERE subscription_id = w.id AND subscription_id <> '' AND status = 'paid'
			   AND facts @? '$.lines[*] ? (!(@.proration == true))'
			 ORDER BY created_at DESC, id DESC LIMIT 36)) i
		ORDER BY i.created_at DESC, i.id DESC`, ids)
	if err != nil {
		return nil, fmt.Errorf("reading what was paid: %w", err)
	}
	defer rows.Close()
	invoices := map[string][]Invoice{}
	for rows.Next() {
		var id string
		var inv Invoice
		if err := rows.Scan(&id, &inv); err != nil {
			return nil, fmt.Errorf("reading what was paid: %w", err)
		}
		invoices[id] = append(invoices[id], inv)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading what was paid: %w", err)
	}
	paid := map[string]*string{}
	for _, id := range ids {
		lines, err := json.Marshal(paidLines(invoices[id]))
		if err != nil {
			return nil, fmt.Errorf("writing what was paid: %w", err)
		}
		text := string(lines)
		paid[id] = &text
	}
	return paid, nil
}

// paidLinesMax bounds what a subscription remembers of paid lines, of those that paid for
// whole periods and of those that bill changes: years of either. A year that is paid for
// counts for all of it, however many changes were billed since.
const paidLinesMax = 200

// paidLines gathers the lines of paid invoices, which come newest first, the newest last.
func paidLines(invoices []Invoice) []PaidLine {
	lines := []PaidLine{}
	var whole, changes int
	for _, inv := range invoices {
		for _, l := range slices.Backward(inv.Lines) {
			count := &whole
			if l.Proration {
				count = &changes
			}
			if l.PriceID == "" || *count == paidLinesMax {
				continue
			}
			*count++
			lines = append(lines, PaidLine{
				InvoiceID: inv.ID, PriceID: l.PriceID, LookupKey: l.LookupKey, Quantity: l.Quantity,
				Amount: l.Amount, Proration: l.Proration, From: l.From, To: l.To, PaidAt: inv.PaidAt,
			})
		}
	}
	slices.Reverse(lines)
	return lines
}
