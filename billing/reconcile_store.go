package billing

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// ReconcileScope narrows a comparison down to a team or a user.
type ReconcileScope struct {
	TeamID string
	UserID string
}

const keptColumns = `
	s.id, s.facts, s.state, s.reason, s.team_id, COALESCE(c.user_id, ''), c.id IS NOT NULL, c.deleted_at IS NOT NULL, s.fetched_at,
	LEAST((SELECT min(start_at) FROM periods WHERE subscription_id = s.id), (s.facts->>'period_start')::timestamptz)`

// KeptSubscriptions reads what is kept of subscriptions, by id.
func KeptSubscriptions(ctx context.Context, db DB, ids []string) (map[string]*KeptSubscription, error) {
	rows, err := db.Query(ctx, `
		SELECT `+keptColumns+` FROM subscriptions s LEFT JOIN customers c ON c.id = s.customer_id WHERE s.id = ANY($1)`, ids)
	if err != nil {
		return nil, fmt.Errorf("reading what is kept of subscriptions: %w", err)
	}
	return scanKept(rows)
}

// RunningSubscriptions reads those that haven't ended, a page at a time, by id.
func RunningSubscriptions(ctx context.Context, db DB, scope ReconcileScope, after string, limit int) (map[string]*KeptSubscription, error) {
	rows, err := db.Query(ctx, `
		SELECT `+keptColumns+` FROM subscriptions s LEFT JOIN customers c ON c.id = s.customer_id
		WHERE s.status NOT IN ('canceled', 'incomplete_expired') AND ($1 = '' OR s.team_id = $1) AND ($2 = '' OR c.user_id = $2) AND s.id > $3
		ORDER BY s.id LIMIT $4`, scope.TeamID, scope.UserID, after, limit)
	if err != nil {
		return nil, fmt.Errorf("reading subscriptions that run: %w", err)
	}
	return scanKept(rows)
}

func scanKept(rows pgx.Rows) (map[string]*KeptSubscription, error) {
	defer rows.Close()
	kept := map[string]*KeptSubscription{}
	for rows.Next() {
		var id string
		var k KeptSubscription
		if err := rows.Scan(&id, &k.Facts, &k.State, &k.Reason, &k.TeamID, &k.UserID, &k.Linked, &k.CustomerDeleted, &k.FetchedAt, &k.First); err != nil {
			return nil, fmt.Errorf("reading what is kept of a subscription: %w", err)
		}
		kept[id] = &k
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading what is kept of subscriptions: %w", err)
	}
	return kept, nil
}

// KeptInvoices reads what is kept of invoices, by id.
func KeptInvoices(ctx context.Context, db DB, ids []string) (map[string]*KeptInvoice, error) {
	rows, err := db.Query(ctx, `SELECT id, status, fetched_at FROM invoices WHERE id = ANY($1)`, ids)
	if err != nil {
		return nil, fmt.Errorf("reading what is kept of invoices: %w", err)
	}
	defer rows.Close()
	kept := map[string]*KeptInvoice{}
	for rows.Next() {
		var id string
		var k KeptInvoice
		if err := rows.Scan(&id, &k.Status, &k.FetchedAt); err != nil {
			return nil, fmt.Errorf("reading what is kept of an invoice: %w", err)
		}
		kept[id] = &k
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading what is kept of invoices: %w", err)
	}
	return kept, nil
}

// invoicesReach is how long an invoice may lie back that still matters: as far as a
// payment may come late.
const invoicesReach = lateMonths

// InvoicesSince tells since when invoices matter: since the earliest of the periods that
// Stripe has begun for subscriptions that run, and of those that nobody is known to have
// paid for.
func InvoicesSince(ctx context.Context, db DB, at time.Time) (time.Time, error) {
	reach := AddMonths(at, -invoicesReach)
	var since *time.Time
	err := db.QueryRow(ctx, `
		SELECT min(begun) FROM (
			SELECT (facts->>'period_start')::timestamptz AS begun FROM subscriptions WHERE status NOT IN ('canceled', 'incomplete_expired')
			UNION ALL
			SELECT start_at FROM periods WHERE granted_at IS NULL) kept
		WHERE begun > $1`, reach).Scan(&since)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading since when invoices matter: %w", err)
	}
	if since == nil {
		return at, nil
	}
	return *since, nil
}

// TopUpsSince tells when the first automatic top-up was begun.
func TopUpsSince(ctx context.Context, db DB, at time.Time) (time.Time, error) {
	var since *time.Time
	if err := db.QueryRow(ctx, `SELECT min(created_at) FROM purchases WHERE kind = 'auto'`).Scan(&since); err != nil {
		return time.Time{}, fmt.Errorf("reading when the first automatic top-up was begun: %w", err)
	}
	if since == nil {
		return at, nil
	}
	return *since, nil
}

// KeptPurchases reads purchases, by id.
func KeptPurchases(ctx context.Context, db DB, ids []string) (map[string]*Purchase, error) {
	rows, err := db.Query(ctx, `SELECT `+purchaseColumns+` FROM purchases WHERE id = ANY($1)`, ids)
	if err != nil {
		return nil, fmt.Errorf("reading purchases: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[Purchase])
	if err != nil {
		return nil, fmt.Errorf("reading purchases: %w", err)
	}
	kept := map[string]*Purchase{}
	for _, p := range list {
		kept[p.ID] = p
	}
	return kept, nil
}

// PaidPurchases reads a page of the purchases that count as paid, by id: those that were
// begun since an instant and posted before another.
func PaidPurchases(ctx context.Context, db DB, scope ReconcileScope, since, before time.Time, after string, limit int) ([]Purchase, error) {
	rows, err := db.Query(ctx, `
		SELECT `+purchaseColumns+` FROM purchases
		WHERE state = 'paid' AND created_at >= $1 AND posted_at <= $2 AND ($3 = '' OR team_id = $3) AND ($4 = '' OR user_id = $4) AND id > $5
		ORDER BY id LIMIT $6`, since, before, scope.TeamID, scope.UserID, after, limit)
	if err != nil {
		return nil, fmt.Errorf("reading paid purchases: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Purchase])
	if err != nil {
		return nil, fmt.Errorf("reading paid purchases: %w", err)
	}
	return list, nil
}

// KeptCharges reads what is kept of the charges that refunds and disputes are of, in
// their order. Whether one paid an invoice of ours is for the caller to add.
func KeptCharges(ctx context.Context, db DB, of []Reversal) ([]KeptCharge, error) {
	charges, purchases, payments, invoices := make([]string, len(of)), make([]string, len(of)), make([]string, len(of)), make([]string, len(of))
	for i, r := range of {
		charges[i], purchases[i], payments[i], invoices[i] = r.ChargeID, r.PurchaseID, r.PaymentIntentID, r.Invoice.ID
	}
	rows, err := db.Query(ctx, `
		SELECT p.id IS NOT NULL, COALESCE(k.refunded, 0), COALESCE(k.disputes, '[]'), COALESCE(p.team_id, ''), COALESCE(p.user_id, ''), k.fetched_at
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS r (charge, purchase, payment, invoice, n)
		LEFT JOIN charges k ON k.id = r.charge
		LEFT JOIN LATERAL (
			SELECT id, team_id, user_id FROM purchases
			WHERE id = r.purchase OR r.payment <> '' AND payment_intent_id = r.payment OR r.invoice <> '' AND invoice_id = r.invoice LIMIT 1) p ON true
		ORDER BY r.n`, charges, purchases, payments, invoices)
	if err != nil {
		return nil, fmt.Errorf("reading what is kept of charges: %w", err)
	}
	kept, err := pgx.CollectRows(rows, pgx.RowToStructByPos[KeptCharge])
	if err != nil {
		return nil, fmt.Errorf("reading what is kept of charges: %w", err)
	}
	return kept, nil
}
