package ledger

import (
	"context"
	"strings"
)

// What is kept beside entries and postings are sums of them: what a lot has left in an
// account, what an account has, what is held, granted, owed; and an entry's credits are the
// sum of its postings. To compare each means to add up by entry, lot and account, which are
// nearly as many as the postings where books are small. The proof adds up without: every
// credit is multiplied with a number that stands for its place, a 64-bit hash, where it is
// with one sign and where it must be with the other, so that the sum over all is 0. Errors
// that cancel as credits don't cancel here, unless by a chance of one in 2^64, since no two
// places have the same number. Memory isn't needed at all. If the sum isn't 0, the same
// sum by book says which books are to be looked at with their entries, lots and accounts,
// so that each difference gets its name.
//
// What isn't a sum is looked at row by row: signs, what is marked open, hashes and keys.

// place is the number of a place: a lot, an account or an entry of a book, and what is said
// of it.
func place(what, number string) string {
	return "hashint8extended((" + number + ")::bigint, hashint8extended(book_id, (" + what + ")::bigint))"
}

// What is said of a place is a number that is no account's and no other's.
var (
	placeGranted = place("1::bigint << 32", "lot_id")
	placeInLots  = place("2::bigint << 32", "account_id")
	placeHeld    = place("3::bigint << 32", "account_id")
	placeDebt    = place("4::bigint << 32", "5") // what its postings come to
	placeOwed    = place("5::bigint << 32", "5") // what debts say
	placeOwn     = place("6::bigint << 32", "0") // a book's own accounts
	placeLotHeld = place("(7::bigint << 32) + account_id", "lot_id")
)

func placeLeft(account string) string { return place(account, "lot_id") }
func placeMoved(entry, way string) string {
	return place("(8::bigint << 32) + "+way, entry)
}

// The ways in which credits go between accounts, by number. Those between members' accounts
// and from there to the debt have none: of these the entry's kind isn't enough to know where
// they may go. 0 is a way that none may go.
const (
	provedWay = `CASE WHEN from_account >= 7 THEN
		CASE to_account WHEN 2 THEN 3 WHEN 6 THEN 5 WHEN 3 THEN 7 WHEN 4 THEN 8 WHEN 1 THEN 2
		                ELSE CASE WHEN to_account >= 7 OR from_account = 7 AND to_account = 5 THEN NULL ELSE 0 END END
		WHEN to_account >= 7 THEN CASE from_account WHEN 1 THEN 1 WHEN 2 THEN 4 WHEN 6 THEN 6 WHEN 4 THEN 9 ELSE 0 END
		WHEN from_account = 5 AND to_account = 4 THEN 8 WHEN from_account = 4 AND to_account = 5 THEN 9
		WHEN from_account = 6 AND to_account = 5 THEN 10 WHEN from_account = 5 AND to_account = 6 THEN 11 ELSE 0 END`
	provedKind = `CASE kind WHEN 'spend' THEN 3 WHEN 'capture' THEN 3 WHEN 'grant' THEN 1 WHEN 'rollover' THEN 5 WHEN 'expiry' THEN 7
		WHEN 'take_back' THEN 2 WHEN 'reversal' THEN 4 WHEN 'contribution' THEN 5 WHEN 'assignment' THEN 5
		WHEN 'contribution_in' THEN 6 WHEN 'assignment_in' THEN 6 WHEN 'clawback' THEN 8 WHEN 'clawback_undone' THEN 9
		WHEN 'debt' THEN 10 WHEN 'debt_in' THEN 11 WHEN 'freeze' THEN 0 WHEN 'thaw' THEN 0 WHEN 'redate' THEN 0 END`
)

// provedPostings and those that follow are the parts of the proof, each a table with its
// credits times their places; postings have one sign and what follows from them the other.
var provedPostings = `
		SELECT book_id, credits * (CASE WHEN to_account = 5 THEN ` + placeDebt + ` ELSE ` + placeLeft("to_account") + ` END::numeric
		                           - CASE WHEN from_account = 5 THEN ` + placeDebt + ` ELSE ` + placeLeft("from_account") + ` END
		                           + CASE WHEN from_account IN (1, 6) AND to_account >= 7 THEN ` + placeGranted + ` ELSE 0 END
		                           + COALESCE(` + placeMoved("entry", "way") + `, 0)) AS mark, false AS is_wrong
		FROM postings p CROSS JOIN LATERAL (SELECT ` + provedWay + ` AS way) w WHERE book_id BETWEEN $1 AND $2`

// A rollover's credits go out to the clearing account and come back from it.
var provedEntries = `
		SELECT book_id, -credits * (` + placeMoved("sequence", "way") + `::numeric
		                            + CASE WHEN kind = 'rollover' THEN ` + placeMoved("sequence", "6") + ` ELSE 0 END) AS mark,
		       request_hash = '' OR (undoes IS NOT NULL) <> (kind IN ` + auditUndoes + `)
		       OR kind <> 'expiry' AND (starts_with(key, 'ledger:') OR kind IN ('hold_expiry', 'assignment_in', 'debt_in'))
		          AND e.key IS DISTINCT FROM ` + strings.ReplaceAll(auditOwnKey, "p.lot_id", "0") + ` AS is_wrong
		FROM entries e CROSS JOIN LATERAL (SELECT ` + provedKind + ` AS way) w WHERE book_id BETWEEN $1 AND $2`

var provedLeft = `
		SELECT book_id, balance * (CASE WHEN account_id = 5 THEN 0 ELSE ` + placeInLots + ` END::numeric - ` + placeLeft("account_id") + `)
		                - CASE WHEN held = 0 THEN 0 ELSE held * ` + placeLotHeld + `::numeric END AS mark,
		       account_id >= 7 AND (balance < held OR held < 0) OR is_open <> (account_id >= 7 AND balance > 0) AS is_wrong
		FROM lot_balances WHERE book_id BETWEEN $1 AND $2`

var provedAccounts = `
		SELECT book_id, CASE WHEN balance <> 0 OR held <> 0 THEN
		                balance * CASE WHEN account_id = 5 THEN ` + placeOwed + `::numeric - ` + placeDebt + ` ELSE -` + placeInLots + `::numeric END
		                - held * ` + placeHeld + `::numeric END AS mark,
		       account_id >= 7 AND (balance < held OR held < 0) OR account_id = 5 AND balance > 0
		       OR account_id IN (2, 3, 4) AND balance < 0 AS is_wrong,
		       CASE WHEN account_id BETWEEN 1 AND 7 THEN ` + placeOwn + ` END AS own
		FROM (SELECT book_id, id AS account_id, balance, held FROM accounts) a WHERE book_id BETWEEN $1 AND $2`

var provedLots = `
		SELECT book_id, -granted * ` + placeGranted + `::numeric AS mark, false AS is_wrong
		FROM (SELECT book_id, id AS lot_id, granted FROM lots) l WHERE book_id BETWEEN $1 AND $2`

var provedDraws = `
		SELECT book_id, credits * (` + placeLotHeld + `::numeric + ` + placeHeld + `) AS mark, false AS is_wrong
		FROM (SELECT d.* FROM hold_draws d JOIN holds h ON h.book_id = d.book_id AND h.id = d.hold_id AND h.state = 'open') d
		WHERE book_id BETWEEN $1 AND $2`

var provedDebts = `
		SELECT book_id, (credits - paid) * ` + placeOwed + `::numeric AS mark, false AS is_wrong FROM debts WHERE book_id BETWEEN $1 AND $2`

// Each book has seven accounts of its own, the main one included.
var provedBooks = `
		SELECT book_id, NULL::numeric AS mark, false AS is_wrong, ` + placeOwn + ` AS own FROM (SELECT id AS book_id FROM books) b WHERE book_id BETWEEN $1 AND $2`

// auditProof says whether the whole ledger's sums are right, and counts what it holds. A
// wrong row weighs 1: no sum of marks makes up for it, since it is added up apart.
var auditProof = `
	SELECT COALESCE(sum(mark), 0) = 0 AND sum(wrong) = 0 AND COALESCE(sum(own), 0) = 7 * COALESCE(sum(book), 0),
	       ` + provedCount("books") + `, ` + provedCount("accounts") + `, ` + provedCount("lots") + `,
	       ` + provedCount("entries") + `, ` + provedCount("postings") + `,
	       (SELECT count(*) FROM holds), ` + provedCount("debts") + `
	FROM (` + provedSum("postings", "0", "0", provedPostings) + `
	      UNION ALL` + provedSum("entries", "0", "0", provedEntries) + `
	      UNION ALL` + provedSum("lot_balances", "0", "0", provedLeft) + `
	      UNION ALL` + provedSum("accounts", "sum(own)", "0", provedAccounts) + `
	      UNION ALL` + provedSum("lots", "0", "0", provedLots) + `
	      UNION ALL` + provedSum("hold_draws", "0", "0", provedDraws) + `
	      UNION ALL` + provedSum("debts", "0", "0", provedDebts) + `
	      UNION ALL` + provedSum("books", "0", "sum(own)", provedBooks) + `
	) tables`

func provedSum(table, own, book, part string) string {
	return `
	SELECT '` + table + `' AS name, count(*) AS n, sum(mark) AS mark, count(*) FILTER (WHERE is_wrong) AS wrong,
	       ` + own + ` AS own, ` + book + ` AS book FROM (` + part + `) rows`
}

func provedCount(table string) string {
	return `sum(n) FILTER (WHERE name = '` + table + `')::bigint`
}

// auditUnprovedOfMany gives the books of which the sums aren't right.
var auditUnprovedOfMany = `
	SELECT book_id
	FROM (
		SELECT book_id, mark, is_wrong, NULL::bigint AS own, NULL::bigint AS book
		FROM (` + strings.Join([]string{provedPostings, provedEntries, provedLeft, provedLots, provedDraws, provedDebts}, `
			UNION ALL`) + `) rows
		UNION ALL
		SELECT book_id, mark, is_wrong, own, NULL FROM (` + provedAccounts + `) rows
		UNION ALL
		SELECT book_id, mark, is_wrong, NULL, own FROM (` + provedBooks + `) rows
	) sides
	GROUP BY book_id
	HAVING COALESCE(sum(mark), 0) <> 0 OR bool_or(is_wrong) OR COALESCE(sum(own), 0) <> 7 * COALESCE(sum(book), 0)`

// auditMissing gives the books of which postings name lots or accounts that aren't there.
// That each book has the first seven accounts is proved with its sums.
const auditMissing = `
	SELECT p.book_id FROM postings p
	WHERE p.book_id BETWEEN $1 AND $2
	  AND NOT EXISTS (SELECT FROM lots l WHERE l.book_id = p.book_id AND l.id = p.lot_id AND l.book_id BETWEEN $1 AND $2)
	UNION
	SELECT p.book_id
	FROM (SELECT book_id, from_account AS account_id FROM postings WHERE book_id BETWEEN $1 AND $2 AND from_account NOT BETWEEN 1 AND 7
	      UNION ALL
	      SELECT book_id, to_account FROM postings WHERE book_id BETWEEN $1 AND $2 AND to_account NOT BETWEEN 1 AND 7) p
	WHERE NOT EXISTS (SELECT FROM accounts a WHERE a.book_id = p.book_id AND a.id = p.account_id AND a.book_id BETWEEN $1 AND $2)`

// auditSpecial gives the books in which something is wrong with an entry that the sums don't
// prove: one that moves credits between members or to the debt, or has its posting's lot in
// its key. These are looked at one by one.
const auditSpecial = `
	WITH suspects AS MATERIALIZED (
		SELECT book_id, sequence FROM entries
		WHERE book_id BETWEEN $1 AND $2 AND kind IN ('allocation', 'reclaim', 'transfer')
		UNION
		SELECT e.book_id, e.sequence
		FROM entries e
		LEFT JOIN postings p ON p.book_id = e.book_id AND p.entry = e.sequence AND p.line = 1 AND p.to_account = 3 AND p.book_id BETWEEN $1 AND $2
		WHERE e.book_id BETWEEN $1 AND $2 AND e.kind = 'expiry' AND starts_with(e.key, 'ledger:') AND e.key IS DISTINCT FROM ` + auditOwnKey + `
		UNION
		SELECT book_id, entry FROM postings
		WHERE book_id BETWEEN $1 AND $2 AND (from_account >= 7 AND to_account >= 7 OR from_account = 7 AND to_account = 5)
	), looked AS MATERIALIZED (` + auditLooked + `
	), wrong AS (` + auditWrong + `
	)
	SELECT book_id FROM wrong
	UNION
	SELECT s.book_id FROM suspects s
	WHERE NOT EXISTS (SELECT FROM entries e WHERE e.book_id = s.book_id AND e.sequence = s.sequence AND e.book_id BETWEEN $1 AND $2)`

// proved says whether the whole ledger's sums are right.
func (a *auditing) proved(ctx context.Context) (is bool, err error) {
	s := &a.sum
	err = a.each(ctx, wholeLedger.Replace(auditProof), nil,
		[]any{&is, &s.Books, &s.Accounts, &s.Lots, &s.Entries, &s.Postings, &s.Holds, &s.Debts}, func() error { return nil })
	return is, err
}

// unproved gives the books from first to last of which something isn't proved.
func (a *auditing) unproved(ctx context.Context, queries []string, first, last int64) (books []int64, err error) {
	for _, sql := range queries {
		var book int64
		err := a.each(ctx, sql, []any{first, last}, []any{&book}, func() error {
			books = append(books, book)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return books, nil
}
