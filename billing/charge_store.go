package billing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// keptCharge is what we remember of a charge: what was taken back for which money.
type keptCharge struct {
	state     string // "": not at all
	roots     []string
	settled   int64
	clawbacks []*clawback // in order
	paid      span        // the months that an invoice paid for begin in it
}

func loadCharge(ctx context.Context, tx pgx.Tx, id string) (keptCharge, error) {
	var k keptCharge
	err := tx.QueryRow(ctx, `SELECT state, roots, settled_money FROM charges WHERE id = $1`, id).Scan(&k.state, &k.roots, &k.settled)
	if errors.Is(err, pgx.ErrNoRows) {
		return k, nil
	}
	if err != nil {
		return k, fmt.Errorf("reading charge %s: %w", id, err)
	}
	rows, err := tx.Query(ctx, `
		SELECT number, part, book_id, entry, root, credits, owed, returned, money_from, money_to, whole
		FROM clawbacks WHERE charge_id = $1 ORDER BY number, part`, id)
	if err != nil {
		return k, fmt.Errorf("reading what was taken back for charge %s: %w", id, err)
	}
	k.clawbacks, err = pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[clawback])
	if err != nil {
		return k, fmt.Errorf("reading what was taken back for charge %s: %w", id, err)
	}
	return k, nil
}

// readOthers reads what other charges took back of the same grant, and which of the lots
// another one paid for that is disputed.
func (r *refunding) readOthers(ctx context.Context, tx pgx.Tx) error {
	err := tx.QueryRow(ctx, `
		SELECT (SELECT COALESCE(sum(credits - returned), 0)::bigint FROM clawbacks WHERE root = $2 AND charge_id <> $1),
		       ARRAY(SELECT DISTINCT root FROM charges, unnest(roots) root WHERE dispute_open AND id <> $1 AND roots && $3)`, r.charge, r.root, r.roots,
	).Scan(&r.others, &r.beside)
	if err != nil {
		return fmt.Errorf("reading the charges beside %s: %w", r.charge, err)
	}
	return nil
}

// store writes what Stripe said of a charge and what came of it. While it waits it is
// asked about again.
func (k keptCharge) store(ctx context.Context, tx pgx.Tx, c Charge, place *chargePlace, at time.Time) error {
	var batch pgx.Batch
	if err := k.queueCharge(&batch, c, place, at); err != nil {
		return err
	}
	for _, cb := range k.clawbacks {
		batch.Queue(`
			INSERT INTO clawbacks (charge_id, number, part, book_id, entry, root, credits, owed, returned, money_from, money_to, whole)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
			ON CONFLICT (charge_id, number, part) DO UPDATE SET returned = EXCLUDED.returned, money_to = EXCLUDED.money_to`,
			c.ID, cb.Number, cb.Part, cb.BookID, cb.Entry, cb.Root, cb.Credits, cb.Owed, cb.Returned, cb.MoneyFrom, cb.MoneyTo, cb.Whole)
	}
	if place.purchase != nil {
		batch.Queue(`UPDATE purchases SET refunded = $2, taken_back = $3, dispute = $4 WHERE id = $1`,
			place.purchase.ID, c.refunded(), k.taken(), c.lastDispute())
	}
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("storing charge %s: %w", c.ID, err)
	}
	return nil
}

func (k keptCharge) queueCharge(batch *pgx.Batch, c Charge, place *chargePlace, at time.Time) error {
	disputes, err := json.Marshal(append([]Dispute{}, c.Disputes...))
	if err != nil {
		return fmt.Errorf("writing the disputes of charge %s: %w", c.ID, err)
	}
	var check *time.Time
	if place.state != chargeSettled {
		again := checkAgain(c, at)
		check = &again
	}
	var purchase, sub string
	if place.purchase != nil {
		purchase = place.purchase.ID
	} else {
		sub = c.Fetched.Subscription.ID
	}
	batch.Queue(`
		INSERT INTO charges (id, customer_id, purchase_id, subscription_id, invoice_id, state, reason, amount, currency, refunded, lost,
		                     disputes, dispute_open, roots, paid_from, paid_to, settled_money, taken_back, check_at, created_at, fetched_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
		ON CONFLICT (id) DO UPDATE SET customer_id = EXCLUDED.customer_id, purchase_id = EXCLUDED.purchase_id,
			subscription_id = EXCLUDED.subscription_id, invoice_id = EXCLUDED.invoice_id, state = EXCLUDED.state,
			reason = EXCLUDED.reason, amount = EXCLUDED.amount, currency = EXCLUDED.currency, refunded = EXCLUDED.refunded,
			lost = EXCLUDED.lost, disputes = EXCLUDED.disputes, dispute_open = EXCLUDED.dispute_open, roots = EXCLUDED.roots,
			paid_from = EXCLUDED.paid_from, paid_to = EXCLUDED.paid_to, settled_money = EXCLUDED.settled_money,
			taken_back = EXCLUDED.taken_back, check_at = EXCLUDED.check_at, fetched_at = EXCLUDED.fetched_at`,
		c.ID, c.CustomerID, purchase, sub, c.InvoiceID, place.state, place.waits, c.Amount, c.Currency, c.refunded(), c.lost(), disputes,
		c.disputed(), append([]string{}, k.roots...), k.paid.start, k.paid.end, k.settled, k.taken(), check, c.CreatedAt, at)
	return nil
}

func (k keptCharge) taken() int64 {
	var sum int64
	for _, c := range k.clawbacks {
		sum += c.left()
	}
	return sum
}

// lastDispute is the status of the latest dispute. Stripe lists them newest first.
func (c Charge) lastDispute() string {
	if len(c.Disputes) == 0 {
		return ""
	}
	return c.Disputes[0].Status
}

// PutOffCharge has Stripe asked about a charge that waits again later.
func PutOffCharge(ctx context.Context, db DB, id string, until time.Time) error {
	if _, err := db.Exec(ctx, `UPDATE charges SET check_at = $2 WHERE id = $1 AND check_at < $2`, id, until); err != nil {
		return fmt.Errorf("putting charge %s off: %w", id, err)
	}
	return nil
}

// WaitingCharges lists charges that are to be looked at again: what they paid for is known
// as paid by now, it is time to ask, or a month was granted that a disputed charge has
// paid for, too.
func WaitingCharges(ctx context.Context, db DB, at time.Time, limit int) ([]string, error) {
	rows, err := db.Query(ctx, `
		SELECT c.id FROM charges c
		LEFT JOIN purchases p ON p.id = c.purchase_id
		LEFT JOIN subscriptions s ON s.id = c.subscription_id
		WHERE c.check_at IS NOT NULL
		  AND (c.check_at <= $1 OR c.state = 'unpaid' AND p.state = 'paid' OR c.state = 'unplaced' AND s.state = 'placed')
		   OR c.dispute_open AND EXISTS (
			SELECT FROM periods m
			WHERE m.subscription_id = c.subscription_id AND m.start_at >= c.paid_from AND m.start_at < c.paid_to AND NOT m.trial
			  AND m.turned_at IS NULL AND m.lot_origin <> '' AND split_part(m.lot_origin, '@', 1) <> ALL (c.roots))
		ORDER BY c.check_at LIMIT $2`, at, limit)
	if err != nil {
		return nil, fmt.Errorf("listing charges that wait: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("listing charges that wait: %w", err)
	}
	return ids, nil
}
