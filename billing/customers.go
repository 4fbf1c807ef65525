package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// DB is a pool, a connection or a transaction.
type DB interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Owner is the user who owns a Stripe customer, with that user's personal book.
type Owner struct {
	CustomerID string     `db:"id"`
	UserID     string     `db:"user_id"`
	BookID     int64      `db:"book_id"`
	Owed       int64      `db:"owed"`
	LinkedBy   string     `db:"linked_by"`
	LinkedAt   time.Time  `db:"linked_at"`
	DeletedAt  *time.Time `db:"deleted_at"`
}

// Errors of linking customers.
var (
	ErrCustomerUnknown = errors.New("customer is not linked to a user")
	ErrCustomerTaken   = errors.New("customer is linked to another user")
)

const ownerColumns = `id, user_id, book_id, owed, linked_by, linked_at, deleted_at`

// CustomerOwner tells whose customer it is.
func CustomerOwner(ctx context.Context, db DB, customerID string) (Owner, error) {
	rows, err := db.Query(ctx, `SELECT `+ownerColumns+` FROM customers WHERE id = $1`, customerID)
	if err != nil {
		return Owner{}, fmt.Errorf("reading customer %s: %w", customerID, err)
	}
	o, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Owner])
	if errors.Is(err, pgx.ErrNoRows) {
		return Owner{}, fmt.Errorf("customer %s: %w", customerID, ErrCustomerUnknown)
	}
	if err != nil {
		return Owner{}, fmt.Errorf("reading customer %s: %w", customerID, err)
	}
	return o, nil
}

// customersMax bounds how many customers of one user are looked at.
const customersMax = 1000

// Customers gives the customers of a user, by id.
func Customers(ctx context.Context, db DB, userID string) ([]Owner, error) {
	return ListCustomers(ctx, db, userID, "", customersMax)
}

// ListCustomers lists linked customers by id, after a given one; of one user, if one is
// named.
func ListCustomers(ctx context.Context, db DB, userID, after string, limit int) ([]Owner, error) {
	rows, err := db.Query(ctx, `
		SELECT `+ownerColumns+` FROM customers WHERE ($1 = '' OR user_id = $1) AND id > $2 ORDER BY id LIMIT $3`, userID, after, limit)
	if err != nil {
		return nil, fmt.Errorf("listing customers: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Owner])
	if err != nil {
		return nil, fmt.Errorf("listing customers: %w", err)
	}
	return list, nil
}

// LinkCustomer makes a user the owner of a Stripe customer, and gives back the events
// that waited for it (B14). Linking it again to the same user changes nothing.
func LinkCustomer(ctx context.Context, tx pgx.Tx, customerID, userID string, book int64, by string, at time.Time) ([]EventArgs, error) {
	if err := lockCustomer(ctx, tx, customerID); err != nil {
		return nil, err
	}
	tag, err := tx.Exec(ctx, `
		INSERT INTO customers (id, user_id, book_id, linked_by, linked_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (id) DO NOTHING`, customerID, userID, book, by, at)
	if err != nil {
		return nil, fmt.Errorf("linking customer %s: %w", customerID, err)
	}
	owner, err := CustomerOwner(ctx, tx, customerID)
	if err != nil {
		return nil, err
	}
	if owner.UserID != userID {
		return nil, fmt.Errorf("customer %s belongs to user %s: %w", customerID, owner.UserID, ErrCustomerTaken)
	}
	if tag.RowsAffected() == 0 {
		return nil, nil
	}
	return reopenAll(ctx, tx, customerID, EventUnmatched)
}

// reopenAll reopens all of a customer's events that wait in one of the states.
func reopenAll(ctx context.Context, tx pgx.Tx, customerID string, states ...EventState) ([]EventArgs, error) {
	var all []EventArgs
	for {
		some, err := ReopenEvents(ctx, tx, EventFilter{Customer: customerID, States: states})
		if err != nil || len(some) == 0 {
			return all, err
		}
		all = append(all, some...)
	}
}

// lockCustomer keeps linking a customer and keeping its events unmatched apart until the
// transaction ends: an event that is kept just while its customer is linked would wait
// for ever. There is no row yet that could be locked. It comes before any book's lock.
func lockCustomer(ctx context.Context, tx pgx.Tx, customerID string) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended($1, 7265))`, customerID); err != nil {
		return fmt.Errorf("locking customer %s: %w", customerID, err)
	}
	return nil
}

// MarkCustomerDeleted remembers that Stripe deleted a customer. What it bought stays.
func MarkCustomerDeleted(ctx context.Context, tx pgx.Tx, customerID string, at time.Time) error {
	if _, err := tx.Exec(ctx, `UPDATE customers SET deleted_at = $2 WHERE id = $1 AND deleted_at IS NULL`, customerID, at); err != nil {
		return fmt.Errorf("marking customer %s deleted: %w", customerID, err)
	}
	return nil
}
