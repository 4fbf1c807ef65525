package ledger

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"
)

// Reserve gives a number for a book that is not made yet, so that whoever is to own it
// can be written first and a race for the owner's id leaves no book behind.
func Reserve(ctx context.Context, tx pgx.Tx) (int64, error) {
	var id int64
	if err := tx.QueryRow(ctx, `SELECT nextval(pg_get_serial_sequence('books', 'id'))`).Scan(&id); err != nil {
		return 0, fmt.Errorf("reserving a book: %w", err)
	}
	return id, nil
}

// CreateReserved makes the book that was reserved, with its own accounts, empty.
func CreateReserved(ctx context.Context, tx pgx.Tx, id int64, kind Kind, at time.Time) error {
	main := Personal
	if kind == TeamBook {
		main = Pool
	}
	_, err := tx.Exec(ctx, `
		WITH book AS (INSERT INTO books (id, kind, created_at) VALUES ($1, $2, $3) RETURNING id)
		INSERT INTO accounts (book_id, id, kind, created_at)
		SELECT book.id, a.id, a.kind, $3
		FROM book, (VALUES (1, 'issued'), (2, 'spent'), (3, 'expired'), (4, 'clawed_back'), (5, 'debt'), (6, 'clearing'),
		                   (7, $4)) AS a (id, kind)`, id, kind, at, main)
	if err != nil {
		return fmt.Errorf("making book %d: %w", id, err)
	}
	return nil
}

// Lots gives the loaded lots, those with nothing left too, in no order.
func (b *Book) Lots() iter.Seq[*Lot] { return maps.Values(b.lots) }

// LotByID gives a loaded lot by its number.
func (b *Book) LotByID(id int64) (*Lot, bool) {
	l, ok := b.lots[id]
	return l, ok
}

// LockFree locks those of the books that nobody else has, in id order, and gives them.
func LockFree(ctx context.Context, tx pgx.Tx, books []int64) ([]int64, error) {
	rows, err := tx.Query(ctx, `SELECT id FROM books WHERE id = ANY($1) ORDER BY id FOR UPDATE SKIP LOCKED`, books)
	if err != nil {
		return nil, fmt.Errorf("locking books: %w", err)
	}
	free, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("locking books: %w", err)
	}
	return free, nil
}

// DueBooks gives books in which a hold or a lot has ended, the most overdue first.
func DueBooks(ctx context.Context, q interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}, at time.Time, limit int) ([]int64, error) {
	rows, err := q.Query(ctx, `SELECT id FROM books WHERE due_at <= $1 ORDER BY due_at LIMIT $2`, at, limit)
	if err != nil {
		return nil, fmt.Errorf("listing books in which something is due: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("listing books in which something is due: %w", err)
	}
	return ids, nil
}
