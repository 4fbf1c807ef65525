package ledger

import (
	"fmt"
	"strings"
)

// The history, entries and postings, is nearly all of what there is to audit, and nearly
// all of it is plain: spends of one posting each. auditHistory reads each of the two
// tables from end to end, in the order in which they lie on the disk, and adds up
//
//   - plain entries by holder and window, and
//   - postings by lot and pair of accounts,
//
// which leaves few rows. That each plain entry has the one posting that it must have is
// not looked up: both sides are marked, and the sums of the marks compared book by book.
// A mark is a hash of an entry's number and its credits together, so that two errors that
// would cancel in a sum of credits don't cancel in a sum of marks. Everything else, which
// the sums leave over, is looked at one by one; and a book whose sums differ is joined row
// by row, so that every difference gets its name.

// auditPlain is what a spend is when nothing need be looked up for it but its posting.
const auditPlain = `(e.kind = 'spend' AND e.undoes IS NULL AND e.peer_book_id IS NULL AND e.lot_id IS NULL
	AND e.request_hash <> '' AND e.key NOT LIKE 'ledger:%')`

// auditSound is what an entry is that needs no look at its postings if those are as usual:
// one from a spend or a capture, none from a hold.
const auditSound = `(e.kind IN ('spend', 'capture', 'hold') AND (e.undoes IS NOT NULL) = (e.kind = 'capture')
	AND e.request_hash <> '' AND e.key NOT LIKE 'ledger:%')`

// auditMarked is a sound entry that has a posting, for which its mark stands.
const auditMarked = `(e.kind <> 'hold' AND ` + auditSound + `)`

// auditSeldom is the condition of the index over seldom kinds.
const auditSeldom = `(e.kind NOT IN ('spend', 'hold', 'capture', 'release', 'hold_expiry', 'reversal', 'spend_elsewhere'))`

// auditOddColumns are what is needed of entries that aren't plain.
const auditOddColumns = `e.book_id, e.sequence, e.kind, e.key, e.at, e.credits, e.holder_id, e.undoes, e.peer_book_id, e.peer_sequence, e.lot_id,
		       ` + auditSound + ` AS sound`

// cut is how a table is read in parts, so that several processes of the database read it
// at once.
type cut struct {
	blocks int64
	parts  int
}

// A part smaller than auditPartBlocks isn't worth a process.
const (
	auditPartsMax   = 16
	auditPartBlocks = 1024
)

func cutOf(blocks int64) cut {
	return cut{blocks: blocks, parts: int(min(auditPartsMax, max(1, blocks/auditPartBlocks)))}
}

// apart repeats a SELECT for each part, by where the rows lie: each row that the snapshot
// sees lies in one place, whatever the table grows by meanwhile.
func (c cut) apart(table, sql string) string {
	selects := make([]string, c.parts)
	for i := range selects {
		from, to := "true", "true"
		if i > 0 {
			from = fmt.Sprintf("%s.ctid >= '(%d,0)'", table, c.blocks*int64(i)/int64(c.parts))
		}
		if i < c.parts-1 {
			to = fmt.Sprintf("%s.ctid < '(%d,0)'", table, c.blocks*int64(i+1)/int64(c.parts))
		}
		selects[i] = strings.Replace(sql, "PART", from+" AND "+to, 1)
	}
	return strings.Join(selects, "\n\tUNION ALL")
}

// auditEntered adds up a part of the entries.
const auditEntered = `
	SELECT e.book_id, e.holder_id, COALESCE(e.at >= b.window_start, false) AS in_window, ` + auditPlain + ` AS plain,
	       count(*) AS n, sum(e.credits) AS credits, sum(hashint8extended(e.sequence, e.credits)) AS mark
	FROM entries e LEFT JOIN books b ON b.id = e.book_id
	WHERE PART
	GROUP BY 1, 2, 3, 4`

// auditFlowed adds up a part of the postings.
const auditFlowed = `
	SELECT p.book_id, p.lot_id, p.from_account, p.to_account, p.line = 1 AS first,
	       count(*) AS n, sum(p.credits) AS credits, sum(hashint8extended(p.entry, p.credits)) AS mark
	FROM postings p
	WHERE PART
	GROUP BY 1, 2, 3, 4, 5`

// auditGathered is what the statement begins with. Entries that aren't plain are found by
// two indexes; if these have fewer than were counted, since holds and personal spends are in
// neither, the table is read once more. All that an index leads to isn't plain, so that
// equal numbers mean the same entries.
const auditGathered = `
	WITH entered AS MATERIALIZED (
		SELECT book_id, holder_id, in_window, plainPAID, sum(n) AS n, sum(credits) AS credits, sum(mark) AS mark
		FROM (ENTERED) parts GROUP BY book_id, holder_id, in_window, plainPAID
	), flowed AS MATERIALIZED (
		SELECT book_id, lot_id, from_account, to_account, first, sum(n) AS n, sum(credits) AS credits, sum(mark) AS mark
		FROM (FLOWED) parts GROUP BY 1, 2, 3, 4, 5
	), flows AS MATERIALIZED (
		SELECT book_id, lot_id, from_account, to_account, sum(credits) AS credits FROM flowed GROUP BY 1, 2, 3, 4
	), indexed AS MATERIALIZED (
		SELECT ` + auditOddColumns + ` FROM entries e WHERE ` + auditSeldom + `
		UNION ALL
		SELECT ` + auditOddColumns + ` FROM entries e WHERE e.undoes IS NOT NULL AND NOT ` + auditSeldom + `
	), lacking AS MATERIALIZED (
		SELECT (SELECT COALESCE(sum(n), 0) FROM entered WHERE NOT plain) <> (SELECT count(*) FROM indexed) AS is_so
	), odd AS MATERIALIZED (
		SELECT * FROM indexed WHERE NOT (SELECT is_so FROM lacking)
		UNION ALL
		SELECT ` + auditOddColumns + ` FROM entries e WHERE (SELECT is_so FROM lacking) AND NOT ` + auditPlain + `
	), suspects AS MATERIALIZED (
		SELECT book_id, sequence FROM odd WHERE NOT sound
		UNION
		SELECT book_id, entry FROM postings WHERE line <> 1 AND (SELECT EXISTS (SELECT FROM flowed WHERE NOT first))
	), looked AS MATERIALIZED (` + auditLooked + `
	), wrong AS MATERIALIZED (` + auditWrong + `
	), unproved AS MATERIALIZED (` + auditUnproved + `
	)`

// auditUnproved gives the books in which not every plain entry has its posting, or not
// every posting its entry. All spends and captures that are sound, less those looked at,
// must be the usual first postings, less theirs; all other postings must be of entries
// that were looked at.
const auditUnproved = `
	SELECT book_id FROM (
		SELECT book_id, n, credits, mark, 0 AS others FROM entered WHERE plain
		UNION ALL
		SELECT book_id, 1, credits, hashint8extended(sequence, credits), 0 FROM odd WHERE sound AND kind <> 'hold'
		UNION ALL
		SELECT book_id, -n, -credits, -mark, 0 FROM flowed WHERE first AND from_account >= 7 AND to_account = 2
		UNION ALL
		SELECT book_id, 0, 0, 0, n FROM flowed WHERE NOT (first AND from_account >= 7 AND to_account = 2)
		UNION ALL
		SELECT book_id, -1, -credits, -hashint8extended(sequence, credits)::numeric, 0 FROM looked WHERE marked
		UNION ALL
		SELECT book_id, usual, usual_credits, usual_mark, -others FROM looked
	) sides
	GROUP BY book_id HAVING sum(n) <> 0 OR sum(credits) <> 0 OR sum(mark) <> 0 OR sum(others) <> 0`

// wholeLedger lets a statement about some books look at all.
var wholeLedger = strings.NewReplacer("BETWEEN $1 AND $2", "IS NOT NULL")

// auditHistory gives the statement that audits entries, postings and what follows from
// them, with the tables cut as given, and read as is said. Beside differences it gives rows
// without a what: one for each book that must be joined row by row, and one that counts
// entries and postings.
func auditHistory(entries, postings cut, by auditReading) string {
	gathered := strings.NewReplacer("ENTERED", entries.apart("e", by.entered), "PAID", by.paid, "FLOWED", postings.apart("p", auditFlowed)).Replace(auditGathered)
	spent := strings.NewReplacer("KNOWN", by.known, "SPENT", by.spent).Replace(auditSpentAs)
	return wholeLedger.Replace(gathered + auditMovedAs + spent + auditUsedAs + `
	SELECT book_id, '' AS place, '' AS what, '' AS want, '' AS got FROM unproved
	UNION ALL
	SELECT 0, '', '', COALESCE((SELECT sum(n) FROM entered), 0)::text, COALESCE((SELECT sum(n) FROM flowed), 0)::text
	UNION ALL
	SELECT book_id, place, what, want, got FROM wrong
	UNION ALL` + auditOdd + `
	UNION ALL` + auditSums + `
	UNION ALL` + auditDebtCauses + `
	UNION ALL` + auditUsed)
}

// auditReading is a way to read what plain spends used: how a part of the entries is added
// up, by what else, of what kind a book's spends are known to be, and what is then known of
// them without a join.
type auditReading struct{ entered, paid, known, spent string }
