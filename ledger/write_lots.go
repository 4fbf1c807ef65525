package ledger

import (
	"time"

	"github.com/jackc/pgx/v5"
)

func queueLotRows(batch *pgx.Batch, books []*Book) {
	var made, changed []*Lot
	var madeBooks, changedBooks []int64
	for _, b := range books {
		for _, l := range b.lotsInOrder() {
			switch {
			case l.isNew:
				made, madeBooks = append(made, l), append(madeBooks, b.ID)
			case l.dirty:
				changed, changedBooks = append(changed, l), append(changedBooks, b.ID)
			}
		}
	}
	if made != nil {
		queueNewLots(batch, madeBooks, made)
	}
	if changed != nil {
		batch.Queue(`
			UPDATE lots SET granted = u.granted, expires_at = u.expires_at, frozen = u.frozen, series = u.series, step = u.step
			FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::boolean[], $6::text[], $7::bigint[])
			     AS u (book_id, id, granted, expires_at, frozen, series, step)
			WHERE lots.book_id = u.book_id AND lots.id = u.id`, changedBooks,
			column(changed, func(l *Lot) int64 { return l.ID }), column(changed, func(l *Lot) int64 { return l.Granted }),
			column(changed, func(l *Lot) *time.Time { return l.ExpiresAt }),
			column(changed, func(l *Lot) bool { return l.Frozen }), column(changed, func(l *Lot) string { return l.Series }),
			column(changed, func(l *Lot) int64 { return l.Step }))
	}
}

func queueNewLots(batch *pgx.Batch, books []int64, lots []*Lot) {
	batch.Queue(`
		INSERT INTO lots (book_id, id, source, origin, granted, effective_at, expires_at, first_granted_at, series, step,
		                  turns_survived, contributor, payer, frozen, parent_book_id, parent_lot_id, root_origin, created_entry)
		SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::timestamptz[],
		            $7::timestamptz[], $8::timestamptz[], $9::text[], $10::bigint[], $11::int[], $12::text[], $13::text[],
		            $14::boolean[], $15::bigint[], $16::bigint[], $17::text[], $18::bigint[])`,
		books,
		column(lots, func(l *Lot) int64 { return l.ID }),
		column(lots, func(l *Lot) string { return string(l.Source) }),
		column(lots, func(l *Lot) string { return l.Origin }),
		column(lots, func(l *Lot) int64 { return l.Granted }),
		column(lots, func(l *Lot) time.Time { return l.EffectiveAt }),
		column(lots, func(l *Lot) *time.Time { return l.ExpiresAt }),
		column(lots, func(l *Lot) time.Time { return l.FirstGrantedAt }),
		column(lots, func(l *Lot) string { return l.Series }),
		column(lots, func(l *Lot) int64 { return l.Step }),
		column(lots, func(l *Lot) int32 { return int32(l.TurnsSurvived) }),
		column(lots, func(l *Lot) string { return l.Contributor }),
		column(lots, func(l *Lot) string { return l.Payer }),
		column(lots, func(l *Lot) bool { return l.Frozen }),
		column(lots, func(l *Lot) *int64 { return parentOf(l, func(r LotRef) int64 { return r.Book }) }),
		column(lots, func(l *Lot) *int64 { return parentOf(l, func(r LotRef) int64 { return r.Lot }) }),
		column(lots, func(l *Lot) string { return l.RootOrigin }),
		column(lots, func(l *Lot) int64 { return l.createdEntry }))
}

func parentOf(l *Lot, part func(LotRef) int64) *int64 {
	if l.Parent == nil {
		return nil
	}
	n := part(*l.Parent)
	return &n
}

// column turns rows into one array parameter.
func column[R, C any](rows []R, of func(R) C) []C {
	out := make([]C, len(rows))
	for i, r := range rows {
		out[i] = of(r)
	}
	return out
}
