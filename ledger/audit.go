package ledger

import (
	"context"
	"fmt"
	"slices"

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

// auditQueries each look at the books from $1 to $2 and give book, place, what, want and
// got of what is wrong. They read small tables, and of the history what an index leads to.
var auditQueries = []string{
	auditHeld, auditSettled, auditUndone, auditPeerLots, auditHolds, auditDebts, auditLots, auditLotMarks, auditCounted, auditOwnAccounts, auditDue,
}

// reader is the transaction that an audit reads in.
type reader interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Audit recomputes all that the ledger keeps beside its entries and postings (L9), and
// looks whether these fit together: sums, holds, debts, usage, keys, lineage and the two
// halves of what went from book to book. It reports each difference as it finds it and
// stops when report fails.
//
// The caller gives a REPEATABLE READ transaction: every query must see one snapshot. Until
// that ends, the planner's settings and the memory for sorting are the audit's. Memory here
// stays flat however large the ledger is, but for a map of bounded size (auditMapMax); the
// database's is bounded by these settings.
func Audit(ctx context.Context, q interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}, report func(Difference) error,
) (Summary, error) {
	a := auditing{reader: q, report: report}
	entries, postings, err := a.cuts(ctx)
	if err == nil {
		err = a.all(ctx, entries, postings)
	}
	return a.sum, err
}

// auditing is an audit under way.
type auditing struct {
	reader
	report func(Difference) error
	sum    Summary
	isMany bool // there are very many books
	mapped bool // what spends drew on is told by a map
}

// all audits the whole ledger.
func (a *auditing) all(ctx context.Context, entries, postings cut) error {
	unique := false
	if err := a.each(ctx, auditKeysUnique, nil, []any{&unique}, func() error { return nil }); err != nil {
		return fmt.Errorf("looking how keys are kept unique: %w", err)
	}
	audit, queries := a.many, auditQueriesOfMany
	if a.isMany {
		inner := audit
		audit = func(ctx context.Context, queries []string) error {
			return a.inProcesses(ctx, func() error { return inner(ctx, queries) })()
		}
	} else {
		audit, queries = a.few, auditQueries
		if err := a.whole(ctx, entries, postings); err != nil {
			return err
		}
	}
	if !unique {
		queries = append(slices.Clip(queries), auditKeys)
	}
	return audit(ctx, queries)
}

// whole audits the whole history in one statement.
func (a *auditing) whole(ctx context.Context, entries, postings cut) error {
	var unproved []int64
	history := func() (err error) {
		unproved, err = a.history(ctx, entries, postings)
		return err
	}
	if entries.parts > 1 || postings.parts > 1 {
		history = a.inProcesses(ctx, history)
	}
	if err := history(); err != nil {
		return fmt.Errorf("auditing entries and postings: %w", err)
	}
	for _, book := range unproved {
		if err := a.bookByRow(ctx, book); err != nil {
			return fmt.Errorf("auditing the entries of book %d: %w", book, err)
		}
	}
	return nil
}

// few audits what is kept beside the history, some books at a time.
func (a *auditing) few(ctx context.Context, queries []string) error {
	for first := int64(1); ; {
		last, err := a.chunk(ctx, first, chunkBooks)
		if err != nil {
			return fmt.Errorf("choosing books to audit: %w", err)
		}
		if last == 0 {
			return nil
		}
		err = a.count(ctx, first, last)
		if err == nil {
			err = a.ask(ctx, queries, first, last)
		}
		if err != nil {
			return fmt.Errorf("auditing books %d to %d: %w", first, last, err)
		}
		first = last + 1
	}
}

// each runs a query and does something with each of its rows.
func (a *auditing) each(ctx context.Context, sql string, args, into []any, do func() error) error {
	rows, err := a.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, into, do)
	return err
}

// ask reports what queries about some books find.
func (a *auditing) ask(ctx context.Context, queries []string, first, last int64) error {
	for _, sql := range queries {
		if err := a.differences(ctx, sql, first, last); err != nil {
			return err
		}
	}
	return nil
}

// differences reports what a query about some books finds.
func (a *auditing) differences(ctx context.Context, sql string, first, last int64) error {
	var d Difference
	return a.each(ctx, sql, []any{first, last}, []any{&d.Book, &d.Place, &d.What, &d.Want, &d.Got}, func() error { return a.found(d) })
}

func (a *auditing) found(d Difference) error {
	a.sum.Differences++
	return a.report(d)
}

// chunkBooks and chunkSequence bound how much one chunk looks at, so that the database
// sorts and hashes in memory: so many books, or fewer with so many entries among them.
// A book larger than that is a chunk of its own.
const (
	chunkBooks    = 5_000
	chunkSequence = 500_000
)

// chunk gives the last of the books from first on that are audited next, at most so many,
// and 0 when there are none.
func (a *auditing) chunk(ctx context.Context, first int64, books int) (last int64, err error) {
	err = a.each(ctx, `
		SELECT id FROM (
			SELECT id, sum(sequence) OVER (ORDER BY id) - sequence AS before, row_number() OVER (ORDER BY id) AS n
			FROM (SELECT id, sequence FROM books WHERE id >= $1 ORDER BY id LIMIT $2) next
		) counted
		WHERE n = 1 OR before < $3 ORDER BY id DESC LIMIT 1`, []any{first, books, chunkSequence}, []any{&last}, func() error { return nil })
	return last, err
}

// count counts what some books hold beside their history.
func (a *auditing) count(ctx context.Context, first, last int64) error {
	var c Summary
	return a.each(ctx, `
		SELECT (SELECT count(*) FROM books WHERE id BETWEEN $1 AND $2),
		       (SELECT count(*) FROM accounts WHERE book_id BETWEEN $1 AND $2),
		       (SELECT count(*) FROM lots WHERE book_id BETWEEN $1 AND $2),
		       (SELECT count(*) FROM holds WHERE book_id BETWEEN $1 AND $2),
		       (SELECT count(*) FROM debts WHERE book_id BETWEEN $1 AND $2)`, []any{first, last},
		[]any{&c.Books, &c.Accounts, &c.Lots, &c.Holds, &c.Debts}, func() error {
			a.sum.Books += c.Books
			a.sum.Accounts += c.Accounts
			a.sum.Lots += c.Lots
			a.sum.Holds += c.Holds
			a.sum.Debts += c.Debts
			return nil
		})
}
