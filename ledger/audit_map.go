package ledger

import (
	"context"
	mathbits "math/bits"
	"strings"
)

// Usage is by member and by class of lots. The member is in the entry and the lot in the
// posting, so that where a book's spends drew on several classes, or both on the main
// account and on allocations, sums of either table don't tell it, and a join of both costs
// more than all else that the audit does. The map joins without: for 64 entries that follow
// each other in a book it has 64 bytes, one for each entry whose only posting is a spend's,
// which say what class and kind of account that drew on. The pass over the entries looks
// itself up in it, and adds up what each member used by class.
//
// It says nothing of an entry of several postings, which are looked up one by one, and
// nothing is believed of a book whose entries and postings aren't as they must be: that each
// spend has the one posting whose byte it finds is what equal marks prove.

// auditMapMax bounds the entries of a ledger that is mapped: the map takes about one byte for
// each, here and in the database. Spends of a larger one are joined.
const auditMapMax = 16_000_000

// auditMapParts bounds the parts in which entries are read by the map, since each part takes
// it up anew.
const auditMapParts = 6

// auditIsMapped says whether mapping is worth it: whether, as usage has it, at least a quarter
// of all there is was spent in the current window in books that drew on several classes, or on
// the main account and allocations. It decides only how the audit reads, not what it finds.
const auditIsMapped = `
	SELECT COALESCE(4 * sum(LEAST(u.used, b.sequence)) FILTER (WHERE u.is_mixed) > sum(b.sequence) AND sum(b.sequence) <= $1, false)
	FROM books b
	LEFT JOIN (
		SELECT book_id, window_start, sum(monthly + purchased + rollover + bonus + contributed) AS used,
		       (sum(monthly) > 0)::int + (sum(purchased) > 0)::int + (sum(rollover) > 0)::int + (sum(bonus) > 0)::int + (sum(contributed) > 0)::int > 1
		       OR sum(allocation) > 0 AND sum(allocation) < sum(monthly + purchased + rollover + bonus + contributed) AS is_mixed
		FROM usage GROUP BY 1, 2) u ON u.book_id = b.id AND u.window_start = b.window_start`

// auditMapPart gathers the bits of a part of the postings.
const auditMapPart = `
	SELECT p.book_id, p.lot_id, p.from_account, p.line = 1 AS first, p.entry >> 6 AS block, bit_or(1::bigint << (p.entry & 63)::int) AS bits
	FROM postings p
	WHERE PART AND (p.line <> 1 OR p.from_account >= 7 AND p.to_account = 2)
	GROUP BY 1, 2, 3, 4, 5`

// auditMap gives the map by bits: of which blocks of which books an allocation paid for which
// entries, which are spends, and which drew on which class.
const auditMap = `
	WITH parts AS MATERIALIZED (PARTS
	), classes AS (
		SELECT book_id, id AS lot_id, CASE WHEN contributor <> '' THEN 'contributed' ELSE source END AS class FROM lots
	), blocks AS (
		SELECT p.book_id, p.block, ~COALESCE(bit_or(p.bits) FILTER (WHERE NOT p.first), 0) AS lone,
		       COALESCE(bit_or(p.bits) FILTER (WHERE p.first), 0) AS spent,
		       COALESCE(bit_or(p.bits) FILTER (WHERE p.first AND p.from_account > 7), 0) AS allocation,
		       COALESCE(bit_or(p.bits) FILTER (WHERE p.first AND c.class = 'monthly'), 0) AS monthly,
		       COALESCE(bit_or(p.bits) FILTER (WHERE p.first AND c.class = 'purchase'), 0) AS purchase,
		       COALESCE(bit_or(p.bits) FILTER (WHERE p.first AND c.class = 'rollover'), 0) AS rollover,
		       COALESCE(bit_or(p.bits) FILTER (WHERE p.first AND c.class = 'bonus'), 0) AS bonus,
		       COALESCE(bit_or(p.bits) FILTER (WHERE p.first AND c.class = 'contributed'), 0) AS contributed
		FROM parts p LEFT JOIN classes c ON c.book_id = p.book_id AND c.lot_id = p.lot_id
		GROUP BY 1, 2
	)
	SELECT array_agg(book_id), array_agg(block), array_agg(allocation & lone), array_agg(spent & lone), array_agg(monthly & lone),
	       array_agg(purchase & lone), array_agg(rollover & lone), array_agg(bonus & lone), array_agg(contributed & lone)
	FROM blocks`

// mapClasses are the classes of which a byte of the map gives the number, and mapAllocation
// is added to it where an allocation paid. A byte of 0 says nothing; of a lot of no such class
// it says which kind of account paid.
const (
	mapClasses    = `'{"",monthly,purchase,rollover,bonus,contributed}'`
	mapNone       = 1
	mapAllocation = 16
)

// auditEnteredByMap adds up a part of the entries as auditEntered does, by what the map says
// of them, too.
const auditEnteredByMap = `
	SELECT e.book_id, e.holder_id, COALESCE(e.at >= b.window_start, false) AS in_window, ` + auditPlain + ` AS plain,
	       get_byte(m.paid, (e.sequence & 63)::int) AS paid,
	       count(*) AS n, sum(e.credits) AS credits, sum(hashint8extended(e.sequence, e.credits)) AS mark
	FROM entries e
	LEFT JOIN books b ON b.id = e.book_id
	LEFT JOIN unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS m (book_id, block, paid) ON m.book_id = e.book_id AND m.block = e.sequence >> 6
	WHERE PART
	GROUP BY 1, 2, 3, 4, 5`

// auditSpentByMap is what spends of one posting used as the map says, and what spends of
// several did, one by one.
const auditSpentByMap = `
		SELECT t.book_id, t.holder_id, (` + mapClasses + `::text[])[t.paid & 15], CASE WHEN t.paid >= 16 THEN 8 ELSE 7 END, t.in_window, t.credits
		FROM entered t
		JOIN ways w ON w.book_id = t.book_id AND w.knows_class
		WHERE t.plain AND t.paid > 0
		UNION ALL
		SELECT e.book_id, e.holder_id, c.class, p.from_account, COALESCE(e.at >= w.window_start, false), p.credits
		FROM (SELECT DISTINCT book_id, entry FROM postings WHERE line <> 1 AND (SELECT EXISTS (SELECT FROM flowed WHERE NOT first))) s
		JOIN ways w ON w.book_id = s.book_id AND w.knows_class
		CROSS JOIN LATERAL (SELECT * FROM entries e WHERE e.book_id = s.book_id AND e.sequence = s.entry AND ` + auditPlain + ` LIMIT 1) e
		CROSS JOIN LATERAL (SELECT * FROM postings p WHERE p.book_id = e.book_id AND p.entry = e.sequence AND p.to_account = 2 OFFSET 0) p
		LEFT JOIN classes c ON c.book_id = p.book_id AND c.lot_id = p.lot_id`

// readByMap takes spends for what the map says.
var readByMap = auditReading{
	entered: auditEnteredByMap,
	paid:    ", paid",
	known:   `COALESCE(w.is_told, false) AS knows_account, COALESCE(w.is_told, false) AS knows_class`,
	spent:   auditSpentByMap,
}

// posted makes the map: what auditHistory asks for when it reads by it.
func (a *auditing) posted(ctx context.Context, postings cut) ([]any, error) {
	var books, blocks, allocation []int64
	var classes [6][]int64
	into := []any{&books, &blocks, &allocation}
	for i := range classes {
		into = append(into, &classes[i])
	}
	err := a.each(ctx, strings.Replace(auditMap, "PARTS", postings.apart("p", auditMapPart), 1), nil, into, func() error { return nil })
	if err != nil {
		return nil, err
	}
	all := make([]byte, len(books)*64)
	paid := make([][]byte, len(books))
	for block := range paid {
		paid[block] = all[block*64 : (block+1)*64]
		for class, bits := range classes {
			for left := uint64(bits[block]); left != 0; left &= left - 1 {
				paid[block][mathbits.TrailingZeros64(left)] = byte(class + mapNone)
			}
		}
		for left := uint64(allocation[block]); left != 0; left &= left - 1 {
			paid[block][mathbits.TrailingZeros64(left)] += mapAllocation
		}
	}
	return []any{books, blocks, paid}, nil
}

// planned says how statements are planned from here on: for any arguments or for those given,
// and whether the planner may sort. A plan for the map itself would hold it once for each
// part, and each process would get it spelled out. And to sort is what the planner wants
// where it can't know how few members and accounts the entries add up to.
func (a *auditing) planned(ctx context.Context, mode, sort string) error {
	return a.each(ctx, `SELECT set_config('plan_cache_mode', $1, true), set_config('enable_sort', $2, true)`, []any{mode, sort},
		[]any{nil, nil}, func() error { return nil })
}
