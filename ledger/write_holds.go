package ledger

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

func queueHoldRows(batch *pgx.Batch, books []*Book) {
	var made, settled []*HoldState
	var madeBooks, settledBooks []int64
	for _, b := range books {
		for _, id := range slices.Sorted(maps.Keys(b.holds)) {
			switch h := b.holds[id]; {
			case h.isNew:
				made, madeBooks = append(made, h), append(madeBooks, b.ID)
			case h.dirty:
				settled, settledBooks = append(settled, h), append(settledBooks, b.ID)
			}
		}
	}
	if made != nil {
		queueNewHolds(batch, madeBooks, made)
		queueHoldDraws(batch, madeBooks, made)
	}
	if settled != nil {
		batch.Queue(`
			UPDATE holds SET state = u.state, captured = u.captured, settled_at = u.settled_at
			FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::timestamptz[])
			     AS u (book_id, id, state, captured, settled_at)
			WHERE holds.book_id = u.book_id AND holds.id = u.id`, settledBooks,
			column(settled, func(h *HoldState) int64 { return h.ID }),
			column(settled, func(h *HoldState) string { return string(h.Status) }),
			column(settled, func(h *HoldState) int64 { return h.Captured }),
			column(settled, func(h *HoldState) *time.Time { return h.SettledAt }))
	}
}

func queueNewHolds(batch *pgx.Batch, books []int64, holds []*HoldState) {
	batch.Queue(`
		INSERT INTO holds (book_id, id, holder_id, state, credits, captured, held_at, expires_at, settled_at)
		SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[],
		                     $7::timestamptz[], $8::timestamptz[], $9::timestamptz[])`, books,
		column(holds, func(h *HoldState) int64 { return h.ID }),
		column(holds, func(h *HoldState) string { return h.Holder }),
		column(holds, func(h *HoldState) string { return string(h.Status) }),
		column(holds, func(h *HoldState) int64 { return h.Credits }),
		column(holds, func(h *HoldState) int64 { return h.Captured }),
		column(holds, func(h *HoldState) time.Time { return h.HeldAt }),
		column(holds, func(h *HoldState) time.Time { return h.ExpiresAt }),
		column(holds, func(h *HoldState) *time.Time { return h.SettledAt }))
}

func queueHoldDraws(batch *pgx.Batch, books []int64, holds []*HoldState) {
	var bookIDs, ids, lots, credits []int64
	var lines, accounts []int32
	for i, h := range holds {
		for line, d := range h.draws {
			bookIDs, ids, lines = append(bookIDs, books[i]), append(ids, h.ID), append(lines, int32(line+1))
			lots, accounts = append(lots, d.Portion.Lot.ID), append(accounts, d.Portion.Account.ID)
			credits = append(credits, d.Credits)
		}
	}
	batch.Queue(`
		INSERT INTO hold_draws (book_id, hold_id, line, lot_id, account_id, credits)
		SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::bigint[], $5::int[], $6::bigint[])`,
		bookIDs, ids, lines, lots, accounts, credits)
}

func queueDebtRows(batch *pgx.Batch, books []*Book) {
	var bookIDs []int64
	var debts []*debt
	for _, b := range books {
		for _, d := range b.debts {
			if d.isNew || d.dirty {
				bookIDs, debts = append(bookIDs, b.ID), append(debts, d)
			}
		}
	}
	if debts == nil {
		return
	}
	batch.Queue(`
		INSERT INTO debts (book_id, id, cause, credits, paid)
		SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[])
		ON CONFLICT (book_id, id) DO UPDATE SET paid = EXCLUDED.paid`, bookIDs,
		column(debts, func(d *debt) int64 { return d.ID }), column(debts, func(d *debt) string { return d.Cause }),
		column(debts, func(d *debt) int64 { return d.Credits }), column(debts, func(d *debt) int64 { return d.Paid }))
}

// queueUsageRecount counts a new window's usage from the entries that are there
// already: a window jumps when a subscription comes or goes, and its start may lie
// before the last spend. It runs before the new entries are written.
func queueUsageRecount(batch *pgx.Batch, books []*Book) {
	for _, b := range books {
		if b.Window.IsZero() || b.Window.Equal(b.loadedWindow) {
			continue
		}
		batch.Queue(`DELETE FROM usage WHERE book_id = $1 AND window_start = $2`, b.ID, b.Window)
		batch.Queue(`
			INSERT INTO usage (book_id, window_start, holder_id, monthly, purchased, rollover, bonus, contributed)
			SELECT $1, $2, holder_id, monthly, purchased, rollover, bonus, contributed FROM (`+countUsage+`) counted`,
			b.ID, b.Window)
	}
}

// countUsage adds up spends and captures since an instant, less the reversals of those.
const countUsage = `
	SELECT holder_id,
	       COALESCE(sum(credits) FILTER (WHERE class = 'monthly'), 0)::bigint AS monthly,
	       COALESCE(sum(credits) FILTER (WHERE class = 'purchase'), 0)::bigint AS purchased,
	       COALESCE(sum(credits) FILTER (WHERE class = 'rollover'), 0)::bigint AS rollover,
	       COALESCE(sum(credits) FILTER (WHERE class = 'bonus'), 0)::bigint AS bonus,
	       COALESCE(sum(credits) FILTER (WHERE class = 'contributed'), 0)::bigint AS contributed
	FROM (
		SELECT e.holder_id, CASE WHEN l.contributor <> '' THEN 'contributed' ELSE l.source END AS class,
		       CASE WHEN p.to_account = 2 THEN p.credits ELSE -p.credits END AS credits
		FROM entries e
		JOIN postings p ON p.book_id = e.book_id AND p.entry = e.sequence AND (p.to_account = 2 OR p.from_account = 2)
		JOIN lots l ON l.book_id = p.book_id AND l.id = p.lot_id
		LEFT JOIN entries undone ON undone.book_id = e.book_id AND undone.sequence = e.undoes AND e.kind = 'reversal'
		WHERE e.book_id = $1 AND e.at >= $2 AND e.kind IN ('spend', 'capture', 'reversal')
		  AND (e.kind <> 'reversal' OR undone.at >= $2)
	) moved GROUP BY holder_id`

func queueUsageRows(batch *pgx.Batch, books []*Book) {
	var bookIDs []int64
	var windows []time.Time
	var usages []*Usage
	for _, b := range books {
		if b.Window.IsZero() {
			continue
		}
		for _, u := range slices.SortedFunc(maps.Values(b.usageDelta), func(x, y *Usage) int { return cmp.Compare(x.Holder, y.Holder) }) {
			bookIDs, windows, usages = append(bookIDs, b.ID), append(windows, b.Window), append(usages, u)
		}
	}
	if usages == nil {
		return
	}
	batch.Queue(`
		INSERT INTO usage (book_id, window_start, holder_id, monthly, purchased, rollover, bonus, contributed)
		SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
		                     $7::bigint[], $8::bigint[])
		ON CONFLICT (book_id, window_start, holder_id) DO UPDATE SET
			monthly = usage.monthly + EXCLUDED.monthly, purchased = usage.purchased + EXCLUDED.purchased,
			rollover = usage.rollover + EXCLUDED.rollover, bonus = usage.bonus + EXCLUDED.bonus,
			contributed = usage.contributed + EXCLUDED.contributed`, bookIDs, windows,
		column(usages, func(u *Usage) string { return u.Holder }), column(usages, func(u *Usage) int64 { return u.Monthly }),
		column(usages, func(u *Usage) int64 { return u.Purchased }), column(usages, func(u *Usage) int64 { return u.Rollover }),
		column(usages, func(u *Usage) int64 { return u.Bonus }), column(usages, func(u *Usage) int64 { return u.Contributed }))
}
