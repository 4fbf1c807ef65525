package ledger

import (
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
		INSERT INTO debts (book_id, id, cause, lot_id, credits, paid)
		SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])
		ON CONFLICT (book_id, id) DO UPDATE SET paid = EXCLUDED.paid`, bookIDs,
		column(debts, func(d *debt) int64 { return d.ID }), column(debts, func(d *debt) string { return d.Cause }),
		column(debts, func(d *debt) int64 { return d.Lot.ID }),
		column(debts, func(d *debt) int64 { return d.Credits }), column(debts, func(d *debt) int64 { return d.Paid }))
}
