package ledger

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Difference is one thing that isn't as the entries and postings say it must be.
type Difference struct {
	Book  int64
	Place string // "account 7", "lot 12 in account 7", "entry 15", …
	What  string // the sentence that doesn't hold
	Want  string
	Got   string
}

func (d Difference) String() string {
	return fmt.Sprintf("book %d, %s: %s: want %s, got %s", d.Book, d.Place, d.What, d.Want, d.Got)
}

// Summary says how much was audited and how many differences there were.
type Summary struct {
	Books       int64
	Accounts    int64
	Lots        int64
	Entries     int64
	Postings    int64
	Holds       int64
	Debts       int64
	Differences int64
}

// chunkBooks and chunkSequence bound how much one chunk looks at, so that the database
// sorts and hashes in memory: so many books, or fewer with so many entries among them.
// A book larger than that is a chunk of its own.
const (
	chunkBooks    = 5_000
	chunkSequence = 500_000
)

// auditQueries each look at the books from $1 to $2 and give book, place, what, want and
// got of what is wrong. Each reads a large table at most once, in the order of its key.
var auditQueries = []string{
	auditSums, auditHeld, auditEntries, auditKeys, auditSettled, auditUndone, auditPeers, auditPeerLots,
	auditHolds, auditDebts, auditLots, auditLotMarks, auditBooks, auditUsed,
}

// Audit recomputes all that the ledger keeps beside its entries and postings (L9), and
// looks whether these fit together: sums, holds, debts, usage, keys, lineage and the two
// halves of what went from book to book. It reports each difference as it finds it and
// stops when report fails.
//
// The caller gives a REPEATABLE READ transaction: every query must see one snapshot.
// Memory stays flat however large the ledger is.
func Audit(ctx context.Context, q interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}, report func(Difference) error,
) (Summary, error) {
	var sum Summary
	for first := int64(1); ; {
		last, err := auditChunk(ctx, q, first, &sum)
		if err != nil {
			return sum, fmt.Errorf("choosing books to audit: %w", err)
		}
		if last == 0 {
			return sum, nil
		}
		for _, sql := range auditQueries {
			rows, err := q.Query(ctx, sql, first, last)
			if err != nil {
				return sum, fmt.Errorf("auditing books %d to %d: %w", first, last, err)
			}
			var d Difference
			_, err = pgx.ForEachRow(rows, []any{&d.Book, &d.Place, &d.What, &d.Want, &d.Got}, func() error {
				sum.Differences++
				return report(d)
			})
			if err != nil {
				return sum, fmt.Errorf("auditing books %d to %d: %w", first, last, err)
			}
		}
		first = last + 1
	}
}

// auditChunk gives the last of the books from first on that are audited next, 0 when
// there are none, and counts what they hold.
func auditChunk(ctx context.Context, q interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}, first int64, sum *Summary,
) (last int64, err error) {
	rows, err := q.Query(ctx, `
		SELECT id FROM (
			SELECT id, sum(sequence) OVER (ORDER BY id) - sequence AS before, row_number() OVER (ORDER BY id) AS n
			FROM (SELECT id, sequence FROM books WHERE id >= $1 ORDER BY id LIMIT $2) next
		) counted
		WHERE n = 1 OR before < $3 ORDER BY id DESC LIMIT 1`, first, chunkBooks, chunkSequence)
	if err != nil {
		return 0, err
	}
	if _, err := pgx.ForEachRow(rows, []any{&last}, func() error { return nil }); err != nil || last == 0 {
		return 0, err
	}
	rows, err = q.Query(ctx, `
		SELECT (SELECT count(*) FROM books WHERE id BETWEEN $1 AND $2),
		       (SELECT count(*) FROM accounts WHERE book_id BETWEEN $1 AND $2),
		       (SELECT count(*) FROM lots WHERE book_id BETWEEN $1 AND $2),
		       (SELECT count(*) FROM entries WHERE book_id BETWEEN $1 AND $2),
		       (SELECT count(*) FROM postings WHERE book_id BETWEEN $1 AND $2),
		       (SELECT count(*) FROM holds WHERE book_id BETWEEN $1 AND $2),
		       (SELECT count(*) FROM debts WHERE book_id BETWEEN $1 AND $2)`, first, last)
	if err != nil {
		return 0, err
	}
	var c Summary
	_, err = pgx.ForEachRow(rows, []any{&c.Books, &c.Accounts, &c.Lots, &c.Entries, &c.Postings, &c.Holds, &c.Debts}, func() error {
		sum.Books += c.Books
		sum.Accounts += c.Accounts
		sum.Lots += c.Lots
		sum.Entries += c.Entries
		sum.Postings += c.Postings
		sum.Holds += c.Holds
		sum.Debts += c.Debts
		return nil
	})
	return last, err
}
