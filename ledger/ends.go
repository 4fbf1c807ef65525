package ledger

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
)

// End is what lies free in one account of a book and ends by itself at one instant, if
// nobody uses it before.
type End struct {
	At      time.Time `db:"expires_at"`
	Book    int64     `db:"book_id"`
	Holder  string    `db:"holder_id"` // of an allocation
	Credits int64     `db:"credits"`
}

// EndMark is a place in the order of all ends: by instant, then by book.
type EndMark struct {
	At   time.Time
	Book int64
}

// AllEndsAt is the place behind everything that ends at that instant.
func AllEndsAt(at time.Time) EndMark { return EndMark{At: micro(at), Book: math.MaxInt64} }

// Before tells whether a place lies before another.
func (m EndMark) Before(other EndMark) bool {
	return m.At.Before(other.At) || m.At.Equal(other.At) && m.Book < other.Book
}

// EndsBetween lists what ends by itself behind a place and not behind another, in at most
// so many books, and gives the place behind what it looked at. Lots of a series, which a
// turn ends, are left out, and so is what is held or frozen: it doesn't end.
func EndsBetween(ctx context.Context, tx pgx.Tx, from, to EndMark, booksMax int) (ends []End, reached EndMark, err error) {
	rows, err := tx.Query(ctx, `
		SELECT e.expires_at, e.book_id, COALESCE(a.holder_id, '') AS holder_id, COALESCE(a.credits, 0) AS credits
		FROM (
			SELECT expires_at, book_id FROM lots
			WHERE series = '' AND expires_at IS NOT NULL AND (expires_at, book_id) > ($1, $2) AND (expires_at, book_id) <= ($3, $4)
			GROUP BY expires_at, book_id ORDER BY expires_at, book_id LIMIT $5) e
		LEFT JOIN LATERAL (
			SELECT a.id, a.holder_id, sum(b.balance - b.held)::bigint AS credits
			FROM lots l
			JOIN lot_balances b ON b.book_id = l.book_id AND b.lot_id = l.id AND b.is_open AND b.balance > b.held
			JOIN accounts a ON a.book_id = b.book_id AND a.id = b.account_id
			WHERE l.expires_at = e.expires_at AND l.book_id = e.book_id AND l.series = '' AND NOT l.frozen
			GROUP BY a.id, a.holder_id) a ON true
		ORDER BY e.expires_at, e.book_id, a.id`, from.At, from.Book, to.At, to.Book, booksMax)
	if err != nil {
		return nil, to, fmt.Errorf("listing what ends by itself: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[End])
	if err != nil {
		return nil, to, fmt.Errorf("listing what ends by itself: %w", err)
	}
	reached, looked := to, 0
	for i, e := range list {
		if i == 0 || e.Book != list[i-1].Book || !e.At.Equal(list[i-1].At) {
			looked++
		}
		if e.Credits > 0 {
			ends = append(ends, e)
		}
	}
	if looked == booksMax {
		last := list[len(list)-1]
		reached = EndMark{At: last.At, Book: last.Book}
	}
	return ends, reached, nil
}
