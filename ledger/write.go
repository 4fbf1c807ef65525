package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Create makes a book with its own accounts, empty.
func Create(ctx context.Context, tx pgx.Tx, kind Kind, at time.Time) (int64, error) {
	main := Personal
	if kind == TeamBook {
		main = Pool
	}
	var id int64
	err := tx.QueryRow(ctx, `
		WITH book AS (INSERT INTO books (kind, created_at) VALUES ($1, $2) RETURNING id),
		made AS (
			INSERT INTO accounts (book_id, id, kind, created_at)
			SELECT book.id, a.id, a.kind, $2
			FROM book, (VALUES (1, 'issued'), (2, 'spent'), (3, 'expired'), (4, 'clawed_back'), (5, 'debt'), (6, 'clearing'),
			                   (7, $3)) AS a (id, kind))
		SELECT id FROM book`, kind, at, main).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("making a book: %w", err)
	}
	return id, nil
}

// errNotLocked guards against writing what was only viewed.
var errNotLocked = errors.New("a book that was only viewed can't be written")

// Write stores what was decided since the books were opened, in one round trip. The
// books are spent afterwards: open them again to decide more.
func Write(ctx context.Context, tx pgx.Tx, books ...*Book) error {
	books = slices.Clone(books)
	slices.SortFunc(books, func(x, y *Book) int { return cmp.Compare(x.ID, y.ID) })
	books = slices.Compact(books)
	for _, b := range books {
		if !b.locked {
			return errNotLocked
		}
	}
	var batch pgx.Batch
	queueBookRows(&batch, books)
	queueAccountRows(&batch, books)
	queueUsageRecount(&batch, books)
	queueEntryRows(&batch, books)
	queueLotRows(&batch, books)
	queuePostingRows(&batch, books)
	queuePortionRows(&batch, books)
	queueHoldRows(&batch, books)
	queueDebtRows(&batch, books)
	queueUsageRows(&batch, books)
	if batch.Len() == 0 {
		return nil
	}
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("writing to the ledger: %w", err)
	}
	return nil
}

func queueBookRows(batch *pgx.Batch, books []*Book) {
	var ids, sequences []int64
	var windows, dues []*time.Time
	for _, b := range books {
		due := b.NextDue()
		if len(b.entries) == 0 && b.Window.Equal(b.loadedWindow) && equalTimes(due, b.loadedDue) {
			continue
		}
		ids, sequences, dues = append(ids, b.ID), append(sequences, b.sequence), append(dues, due)
		windows = append(windows, optional(b.Window))
	}
	if ids == nil {
		return
	}
	batch.Queue(`
		UPDATE books SET sequence = u.sequence, window_start = u.window_start, due_at = u.due_at
		FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::timestamptz[]) AS u (id, sequence, window_start, due_at)
		WHERE books.id = u.id`, ids, sequences, windows, dues)
}

func equalTimes(a, b *time.Time) bool {
	return (a == nil) == (b == nil) && (a == nil || a.Equal(*b))
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func queueAccountRows(batch *pgx.Batch, books []*Book) {
	var madeBooks, bookIDs, deltas, heldDeltas []int64
	var madeIDs, ids []int32
	var holders []string
	var madeAt []time.Time
	for _, b := range books {
		for _, a := range b.accounts {
			if a.isNew {
				madeBooks, madeIDs = append(madeBooks, b.ID), append(madeIDs, a.ID)
				holders, madeAt = append(holders, a.Holder), append(madeAt, a.createdAt)
			}
			if a.delta != 0 || a.heldDelta != 0 {
				bookIDs, ids = append(bookIDs, b.ID), append(ids, a.ID)
				deltas, heldDeltas = append(deltas, a.delta), append(heldDeltas, a.heldDelta)
			}
		}
	}
	if madeIDs != nil {
		batch.Queue(`
			INSERT INTO accounts (book_id, id, kind, holder_id, created_at)
			SELECT book_id, id, 'allocation', holder_id, created_at
			FROM unnest($1::bigint[], $2::int[], $3::text[], $4::timestamptz[]) AS u (book_id, id, holder_id, created_at)`,
			madeBooks, madeIDs, holders, madeAt)
	}
	if ids != nil {
		batch.Queue(`
			UPDATE accounts SET balance = accounts.balance + u.balance, held = accounts.held + u.held
			FROM unnest($1::bigint[], $2::int[], $3::bigint[], $4::bigint[]) AS u (book_id, id, balance, held)
			WHERE accounts.book_id = u.book_id AND accounts.id = u.id`, bookIDs, ids, deltas, heldDeltas)
	}
}

func queueEntryRows(batch *pgx.Batch, books []*Book) {
	var bookIDs, sequences, credits []int64
	var kinds, keys, actors, holders, memos, references []string
	var hashes [][]byte
	var at []time.Time
	var metadata []*string
	var undoes, peerBooks, peerSequences []*int64
	for _, b := range books {
		for _, e := range b.entries {
			bookIDs, sequences, credits = append(bookIDs, b.ID), append(sequences, e.Sequence), append(credits, e.Credits)
			kinds, keys, actors = append(kinds, string(e.Kind)), append(keys, e.Key), append(actors, e.Actor)
			holders, memos, references = append(holders, e.Holder), append(memos, e.Memo), append(references, e.Reference)
			hashes, at = append(hashes, e.Hash), append(at, e.At)
			metadata = append(metadata, jsonText(e.Metadata))
			undoes = append(undoes, nonZero(e.Undoes))
			var peer EntryRef
			if e.Peer != nil {
				peer = *e.Peer
			}
			peerBooks, peerSequences = append(peerBooks, nonZero(peer.Book)), append(peerSequences, nonZero(peer.Sequence))
		}
	}
	if sequences == nil {
		return
	}
	batch.Queue(`
		INSERT INTO entries (book_id, sequence, kind, key, request_hash, actor, at, credits, holder_id, memo, reference, metadata,
		                     undoes, peer_book_id, peer_sequence)
		SELECT book_id, sequence, kind, key, request_hash, actor, at, credits, holder_id, memo, reference, metadata::jsonb,
		       undoes, peer_book_id, peer_sequence
		FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::timestamptz[],
		            $8::bigint[], $9::text[], $10::text[], $11::text[], $12::text[], $13::bigint[], $14::bigint[], $15::bigint[])
		     AS u (book_id, sequence, kind, key, request_hash, actor, at, credits, holder_id, memo, reference, metadata,
		           undoes, peer_book_id, peer_sequence)`,
		bookIDs, sequences, kinds, keys, hashes, actors, at, credits, holders, memos, references, metadata,
		undoes, peerBooks, peerSequences)
}

func jsonText(raw []byte) *string {
	if len(raw) == 0 {
		return nil
	}
	s := string(raw)
	return &s
}

func nonZero(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}

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

func queuePostingRows(batch *pgx.Batch, books []*Book) {
	var bookIDs, entries, lots, credits []int64
	var lines, from, to []int32
	for _, b := range books {
		for _, e := range b.entries {
			for i, p := range e.Postings {
				bookIDs, entries, lines = append(bookIDs, b.ID), append(entries, e.Sequence), append(lines, int32(i+1))
				lots, from, to = append(lots, p.Lot), append(from, p.From), append(to, p.To)
				credits = append(credits, p.Credits)
			}
		}
	}
	if entries == nil {
		return
	}
	batch.Queue(`
		INSERT INTO postings (book_id, entry, line, lot_id, from_account, to_account, credits)
		SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::bigint[], $5::int[], $6::int[], $7::bigint[])`,
		bookIDs, entries, lines, lots, from, to, credits)
}

// queuePortionRows writes absolute figures for accounts that can be drawn from, since
// they were read under the lock and a CHECK looks at the proposed row; and differences
// for the book's own accounts, which were not read.
func queuePortionRows(batch *pgx.Batch, books []*Book) {
	var bookIDs, lots, balances, helds []int64
	var accounts []int32
	var sysBooks, sysLots, sysDeltas []int64
	var sysAccounts []int32
	for _, b := range books {
		for _, a := range b.Accounts() {
			for _, p := range a.portions {
				if p.dirty {
					bookIDs, lots, accounts = append(bookIDs, b.ID), append(lots, p.Lot.ID), append(accounts, a.ID)
					balances, helds = append(balances, p.Balance), append(helds, p.Held)
				}
			}
		}
		for _, k := range slices.SortedFunc(maps.Keys(b.systemDelta), comparePortionKeys) {
			sysBooks, sysLots, sysAccounts = append(sysBooks, b.ID), append(sysLots, k.lot), append(sysAccounts, k.account)
			sysDeltas = append(sysDeltas, b.systemDelta[k])
		}
	}
	if lots != nil {
		batch.Queue(`
			INSERT INTO lot_balances (book_id, lot_id, account_id, balance, held, is_open)
			SELECT book_id, lot_id, account_id, balance, held, balance > 0
			FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::bigint[], $5::bigint[])
			     AS u (book_id, lot_id, account_id, balance, held)
			ON CONFLICT (book_id, lot_id, account_id)
			DO UPDATE SET balance = EXCLUDED.balance, held = EXCLUDED.held, is_open = EXCLUDED.is_open`,
			bookIDs, lots, accounts, balances, helds)
	}
	if sysLots != nil {
		batch.Queue(`
			INSERT INTO lot_balances (book_id, lot_id, account_id, balance, is_open)
			SELECT book_id, lot_id, account_id, balance, false
			FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::bigint[]) AS u (book_id, lot_id, account_id, balance)
			ON CONFLICT (book_id, lot_id, account_id) DO UPDATE SET balance = lot_balances.balance + EXCLUDED.balance`,
			sysBooks, sysLots, sysAccounts, sysDeltas)
	}
}

func comparePortionKeys(a, b portionKey) int {
	return cmp.Or(cmp.Compare(a.lot, b.lot), cmp.Compare(a.account, b.account))
}
