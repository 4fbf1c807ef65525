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

// Errors of a caller that writes what it may not; no request can cause them.
var (
	errNotLocked = errors.New("a book that was only viewed can't be written")
	errWritten   = errors.New("a book can be written once; open it again to decide more")
)

// Write stores what was decided since the books were opened, in one round trip. The
// books are spent afterwards: open them again to decide more. When it fails, the
// transaction must be rolled back.
func Write(ctx context.Context, tx pgx.Tx, books ...*Book) error {
	var batch pgx.Batch
	if err := QueueWrite(&batch, books...); err != nil || batch.Len() == 0 {
		return err
	}
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("writing to the ledger: %w", err)
	}
	return nil
}

// QueueWrite queues Write, for callers who have more to write.
func QueueWrite(batch *pgx.Batch, books ...*Book) error {
	books = slices.Clone(books)
	slices.SortFunc(books, func(x, y *Book) int { return cmp.Compare(x.ID, y.ID) })
	books = slices.Compact(books)
	for _, b := range books {
		switch {
		case b.written:
			return fmt.Errorf("book %d: %w", b.ID, errWritten)
		case !b.locked:
			return fmt.Errorf("book %d: %w", b.ID, errNotLocked)
		}
		b.written = true
	}
	queueBookRows(batch, books)
	queueAccountRows(batch, books)
	queueUsageRecount(batch, books)
	queueDrawnRecount(batch, books)
	queueEntryRows(batch, books)
	queueLotRows(batch, books)
	queuePostingRows(batch, books)
	queuePortionRows(batch, books)
	queueHoldRows(batch, books)
	queueDebtRows(batch, books)
	queueUsageRows(batch, books)
	queueDrawnRows(batch, books)
	return nil
}

func queueBookRows(batch *pgx.Batch, books []*Book) {
	var ids, sequences []int64
	var windows, dues []*time.Time
	for _, b := range books {
		due := b.dueKept()
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

// dueKept is when the book is to be looked at next. As long as the instant that is written
// down hasn't come it stays, though less may be due then: it may be early, and holds that
// are captured one after the other would move it with each batch, whose row couldn't be
// changed in place since it is indexed.
func (b *Book) dueKept() *time.Time {
	due := b.NextDue()
	if b.loadedDue == nil || !b.loadedDue.After(b.at) || due != nil && due.Before(*b.loadedDue) {
		return due
	}
	return b.loadedDue
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
	var madeBooks, closedBooks, bookIDs, deltas, heldDeltas []int64
	var madeIDs, closedIDs, ids []int32
	var closed []bool
	var holders []string
	var madeAt []time.Time
	for _, b := range books {
		for _, a := range b.accounts {
			if a.isNew {
				madeBooks, madeIDs = append(madeBooks, b.ID), append(madeIDs, a.ID)
				holders, madeAt = append(holders, a.Holder), append(madeAt, a.createdAt)
			}
			if a.dirty {
				closedBooks, closedIDs, closed = append(closedBooks, b.ID), append(closedIDs, a.ID), append(closed, a.Closed)
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
	if closedIDs != nil {
		batch.Queue(`
			UPDATE accounts SET closed = u.closed
			FROM unnest($1::bigint[], $2::int[], $3::boolean[]) AS u (book_id, id, closed)
			WHERE accounts.book_id = u.book_id AND accounts.id = u.id`, closedBooks, closedIDs, closed)
	}
	if ids != nil {
		batch.Queue(`
			UPDATE accounts SET balance = accounts.balance + u.balance, held = accounts.held + u.held
			FROM unnest($1::bigint[], $2::int[], $3::bigint[], $4::bigint[]) AS u (book_id, id, balance, held)
			WHERE accounts.book_id = u.book_id AND accounts.id = u.id`, bookIDs, ids, deltas, heldDeltas)
	}
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
