package ledger

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// jumped gives the books that count in a new window, with its start. A window jumps when a
// period turns or a subscription comes or goes, and its start may lie before the last spend.
func jumped(books []*Book) (ids []int64, windows []time.Time) {
	for _, b := range books {
		if !b.Window.IsZero() && !b.Window.Equal(b.loadedWindow) {
			ids, windows = append(ids, b.ID), append(windows, b.Window)
		}
	}
	return ids, windows
}

// queueUsageRecount counts a new window's usage from the entries that are there already.
// It runs before the new entries are written.
func queueUsageRecount(batch *pgx.Batch, books []*Book) {
	ids, windows := jumped(books)
	if ids == nil {
		return
	}
	batch.Queue(`
		DELETE FROM usage x USING unnest($1::bigint[], $2::timestamptz[]) AS u (book_id, window_start)
		WHERE x.book_id = u.book_id AND x.window_start = u.window_start`, ids, windows)
	batch.Queue(`
		INSERT INTO usage (book_id, window_start, holder_id, monthly, purchased, rollover, bonus, contributed, allocation)
		SELECT u.book_id, u.window_start, holder_id, monthly, purchased, rollover, bonus, contributed, allocation
		FROM unnest($1::bigint[], $2::timestamptz[]) AS u (book_id, window_start)
		CROSS JOIN LATERAL (`+countUsage("u.book_id", "u.window_start")+`) counted`, ids, windows)
}

// countUsage adds up spends and captures of a book since an instant, less the reversals of
// those. Both are SQL.
func countUsage(book, since string) string {
	return strings.NewReplacer("{book}", book, "{since}", since).Replace(`
	SELECT holder_id,
	       COALESCE(sum(credits) FILTER (WHERE class = 'monthly'), 0)::bigint AS monthly,
	       COALESCE(sum(credits) FILTER (WHERE class = 'purchase'), 0)::bigint AS purchased,
	       COALESCE(sum(credits) FILTER (WHERE class = 'rollover'), 0)::bigint AS rollover,
	       COALESCE(sum(credits) FILTER (WHERE class = 'bonus'), 0)::bigint AS bonus,
	       COALESCE(sum(credits) FILTER (WHERE class = 'contributed'), 0)::bigint AS contributed,
	       COALESCE(sum(credits) FILTER (WHERE 8 <= account), 0)::bigint AS allocation
	FROM (
		SELECT e.holder_id, CASE WHEN l.contributor <> '' THEN 'contributed' ELSE l.source END AS class,
		       CASE WHEN p.to_account = 2 THEN p.credits ELSE -p.credits END AS credits,
		       CASE WHEN p.to_account = 2 THEN p.from_account ELSE p.to_account END AS account
		FROM entries e
		JOIN postings p ON p.book_id = e.book_id AND p.entry = e.sequence AND (p.to_account = 2 OR p.from_account = 2)
		JOIN lots l ON l.book_id = p.book_id AND l.id = p.lot_id
		LEFT JOIN entries undone ON undone.book_id = e.book_id AND undone.sequence = e.undoes AND e.kind = 'reversal'
		WHERE e.book_id = {book} AND e.at >= {since} AND e.kind IN ('spend', 'capture', 'reversal')
		  AND (e.kind <> 'reversal' OR undone.at >= {since})
	) moved GROUP BY holder_id`)
}

func queueUsageRows(batch *pgx.Batch, books []*Book) {
	var bookIDs []int64
	var windows []time.Time
	var usages []*Usage
	for _, b := range books {
		for _, u := range slices.SortedFunc(maps.Values(b.used()), func(x, y *Usage) int { return cmp.Compare(x.Holder, y.Holder) }) {
			bookIDs, windows, usages = append(bookIDs, b.ID), append(windows, b.Window), append(usages, u)
		}
	}
	if usages == nil {
		return
	}
	batch.Queue(`
		INSERT INTO usage (book_id, window_start, holder_id, monthly, purchased, rollover, bonus, contributed, allocation)
		SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
		                     $7::bigint[], $8::bigint[], $9::bigint[])
		ON CONFLICT (book_id, window_start, holder_id) DO UPDATE SET
			monthly = usage.monthly + EXCLUDED.monthly, purchased = usage.purchased + EXCLUDED.purchased,
			rollover = usage.rollover + EXCLUDED.rollover, bonus = usage.bonus + EXCLUDED.bonus,
			contributed = usage.contributed + EXCLUDED.contributed, allocation = usage.allocation + EXCLUDED.allocation`, bookIDs, windows,
		column(usages, func(u *Usage) string { return u.Holder }), column(usages, func(u *Usage) int64 { return u.Monthly }),
		column(usages, func(u *Usage) int64 { return u.Purchased }), column(usages, func(u *Usage) int64 { return u.Rollover }),
		column(usages, func(u *Usage) int64 { return u.Bonus }), column(usages, func(u *Usage) int64 { return u.Contributed }),
		column(usages, func(u *Usage) int64 { return u.Allocation }))
}
