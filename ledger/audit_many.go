package ledger

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A ledger of very many books has so many holders, lots and accounts that sums over all of
// it would neither fit in memory nor be few beside its rows. It is audited some books at a
// time, so that each statement's memory is bounded whatever their number. What can be proved
// without adding up by anything is proved of the whole ledger first.

// auditIsMany says whether a ledger is such a one: more than $1 books, with fewer than $2
// entries and lots each, or more than $3 in any case.
const auditIsMany = `SELECT count(*) > $1 AND (COALESCE(sum(sequence), 0) < $2 * count(*) OR count(*) > $3) FROM books`

const (
	manyBooks         = 20_000
	manySequence      = 200
	manyBooksWhatever = 200_000
)

// chunkOfMany bounds a chunk of many books.
const chunkOfMany = 50_000

// detailsMax is how many books are looked at one by one for what is wrong with them; where
// there are more in one chunk, all of it is looked at.
const detailsMax = 16

// auditQueriesOfMany look at the books from $1 to $2, beside what is proved of them.
var auditQueriesOfMany = []string{auditBesideOfMany, auditUndone, auditTogether}

// auditTogether is several in one, which the database may share among its processes.
var auditTogether = strings.Join([]string{auditLots, auditLotMarks, auditDue, auditCountedOfMany, auditHolds, auditSettled, auditPeerLots}, `
	UNION ALL`)

// auditDetails name what is wrong with entries, postings and what is kept beside them.
var auditDetails = []string{auditEntries, auditBalances, auditHeld, auditDebts, auditOwnAccounts}

// auditBalances compares balances with the sums of the postings, of some books alone.
const auditBalances = `
	WITH flows AS MATERIALIZED (
		SELECT book_id, lot_id, from_account, to_account, sum(credits) AS credits
		FROM postings WHERE book_id BETWEEN $1 AND $2 GROUP BY 1, 2, 3, 4
	)` + auditMovedAs + auditSums

// auditBesideOfMany looks at what follows from entries of a few kinds, and joins spends with
// their postings for what members used and drew.
const auditBesideOfMany = `
	WITH odd AS MATERIALIZED (
		SELECT ` + auditOddColumns + ` FROM entries e
		WHERE e.book_id BETWEEN $1 AND $2 AND NOT ` + auditPlain + `
		  AND (e.kind IN ('spend', 'capture', 'reversal', 'hold', 'contribution', 'contribution_in', 'assignment', 'assignment_in', 'debt', 'debt_in',
		                  'spend_elsewhere') OR e.peer_book_id IS NOT NULL OR e.lot_id IS NOT NULL)
	), flows AS (
		SELECT book_id, from_account FROM postings WHERE book_id BETWEEN $1 AND $2 AND from_account = 5
	)` + auditClassesAs + `
	, spent AS MATERIALIZED (
		SELECT e.book_id, e.holder_id, c.class, p.from_account AS account, COALESCE(e.at >= b.window_start, false) AS in_window, sum(p.credits) AS credits
		FROM entries e
		JOIN postings p ON p.book_id = e.book_id AND p.entry = e.sequence AND p.to_account = 2 AND p.book_id BETWEEN $1 AND $2
		JOIN books b ON b.id = e.book_id AND b.id BETWEEN $1 AND $2
		LEFT JOIN classes c ON c.book_id = p.book_id AND c.lot_id = p.lot_id AND c.book_id BETWEEN $1 AND $2
		WHERE e.book_id BETWEEN $1 AND $2 AND ` + auditPlain + `
		GROUP BY 1, 2, 3, 4, 5
	)` + auditUsedAs + auditOdd + `
	UNION ALL` + auditDebtCauses + `
	UNION ALL` + auditUsed

// many audits a ledger of very many books, those before the first and after the last
// included: what belongs to none must be found, too.
func (a *auditing) many(ctx context.Context, queries []string) error {
	proved := false
	err := a.inProcesses(ctx, func() (err error) {
		proved, err = a.proved(ctx)
		return err
	})()
	if err != nil {
		return fmt.Errorf("auditing entries and postings: %w", err)
	}
	proofs := []string{auditMissing, auditSpecial}
	if !proved {
		proofs = append(proofs, auditUnprovedOfMany)
	}
	var highest int64
	if err := a.each(ctx, `SELECT COALESCE(max(id), 0) FROM books`, nil, []any{&highest}, func() error { return nil }); err != nil {
		return fmt.Errorf("looking for the last book: %w", err)
	}
	for first := int64(math.MinInt64); ; {
		last, err := a.chunk(ctx, first, chunkOfMany)
		if err != nil {
			return fmt.Errorf("choosing books to audit: %w", err)
		}
		if last == 0 || last >= highest {
			last = math.MaxInt64
		}
		if err := a.someOfMany(ctx, proofs, queries, first, last); err != nil {
			return fmt.Errorf("auditing books %d to %d: %w", first, last, err)
		}
		if last == math.MaxInt64 {
			return nil
		}
		first = last + 1
	}
}

// someOfMany audits the books from first to last.
func (a *auditing) someOfMany(ctx context.Context, proofs, queries []string, first, last int64) error {
	unproved, err := a.unproved(ctx, proofs, first, last)
	if err != nil {
		return err
	}
	slices.Sort(unproved)
	unproved = slices.Compact(unproved)
	if len(unproved) > detailsMax {
		if err := a.details(ctx, first, last); err != nil {
			return err
		}
		unproved = nil
	}
	for _, book := range unproved {
		if err := a.details(ctx, book, book); err != nil {
			return err
		}
	}
	return a.inProcesses(ctx, func() error { return a.ask(ctx, queries, first, last) })()
}

// details names what is wrong with books of which what is kept isn't proved.
func (a *auditing) details(ctx context.Context, first, last int64) error {
	before := a.sum.Differences
	if err := a.ask(ctx, auditDetails, first, last); err != nil || a.sum.Differences > before {
		return err
	}
	return a.found(Difference{
		Book: max(first, 0), Place: "book", What: "its sums are those of its entries and postings", Want: "equal sums", Got: "other sums",
	})
}
