package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Querier is what loading needs: a transaction, a connection or a pool.
type Querier interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// Want names a book and what of its past is needed beside its present: entries that may
// answer a repeated key, holds to settle, spends to reverse, lots by origin even when
// nothing is left of them.
type Want struct {
	Book    int64
	Keys    []string
	Holds   []int64
	Undo    []int64
	Origins []string
}

// Open locks books, in id order, and loads them as they stand. The transaction should
// be READ COMMITTED: what is loaded is what was committed once the lock was granted.
// Holds that are due by at are loaded too, so that the caller can settle them.
func Open(ctx context.Context, tx pgx.Tx, at time.Time, wants ...Want) ([]*Book, error) {
	return load(ctx, tx, at, wants, true)
}

// View loads books without locking them, to be looked at and never written. The caller
// gives a REPEATABLE READ transaction, or else the parts may be of different instants.
func View(ctx context.Context, q Querier, at time.Time, wants ...Want) ([]*Book, error) {
	return load(ctx, q, at, wants, false)
}

// Lock locks books in id order and loads nothing: for callers who must read tables of
// their own under the lock before they know what to open.
func Lock(ctx context.Context, tx pgx.Tx, books ...int64) error {
	var n int
	err := tx.QueryRow(ctx, `
		SELECT count(*) FROM (SELECT id FROM books WHERE id = ANY($1) ORDER BY id FOR UPDATE) locked`, books).Scan(&n)
	if err != nil {
		return fmt.Errorf("locking books: %w", err)
	}
	slices.Sort(books)
	if n != len(slices.Compact(books)) {
		return ErrBookNotFound
	}
	return nil
}

// loader collects what the batch brings in.
type loader struct {
	at    time.Time
	books map[int64]*Book
	batch pgx.Batch

	ids                []int64
	keyBooks           []int64
	keys               []string
	holdBooks, holdIDs []int64
	undoBooks, undoIDs []int64
	originBooks        []int64
	origins            []string
}

func load(ctx context.Context, q Querier, at time.Time, wants []Want, lock bool) ([]*Book, error) {
	l := &loader{at: at, books: map[int64]*Book{}}
	for _, w := range wants {
		l.want(w)
	}
	slices.Sort(l.ids)
	l.ids = slices.Compact(l.ids)
	l.queueBooks(lock)
	l.queueAccounts()
	l.queueLots()
	l.queueEntries()
	l.queuePostings()
	l.queueReturned()
	l.queueHolds()
	l.queueDebts()
	if err := q.SendBatch(ctx, &l.batch).Close(); err != nil {
		return nil, fmt.Errorf("loading books: %w", err)
	}
	out := make([]*Book, 0, len(wants))
	for _, w := range wants {
		b, ok := l.books[w.Book]
		if !ok {
			return nil, fmt.Errorf("book %d: %w", w.Book, ErrBookNotFound)
		}
		out = append(out, b)
	}
	return out, nil
}

func (l *loader) want(w Want) {
	l.ids = append(l.ids, w.Book)
	for _, k := range w.Keys {
		l.keyBooks, l.keys = append(l.keyBooks, w.Book), append(l.keys, k)
	}
	for _, id := range w.Holds {
		l.holdBooks, l.holdIDs = append(l.holdBooks, w.Book), append(l.holdIDs, id)
	}
	for _, id := range w.Undo {
		l.undoBooks, l.undoIDs = append(l.undoBooks, w.Book), append(l.undoIDs, id)
	}
	for _, o := range w.Origins {
		l.originBooks, l.origins = append(l.originBooks, w.Book), append(l.origins, o)
	}
}

func (l *loader) queueBooks(lock bool) {
	sql := `SELECT id, kind, sequence, window_start, due_at FROM books WHERE id = ANY($1) ORDER BY id`
	if lock {
		sql += ` FOR UPDATE`
	}
	l.batch.Queue(sql, l.ids).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			b := newBook(0, "")
			b.at, b.locked = l.at, lock
			var window *time.Time
			if err := rows.Scan(&b.ID, &b.Kind, &b.sequence, &window, &b.loadedDue); err != nil {
				return fmt.Errorf("reading a book: %w", err)
			}
			if window != nil {
				b.Window, b.loadedWindow = *window, *window
			}
			l.books[b.ID] = b
		}
		return rows.Err()
	})
}

func newBook(id int64, kind Kind) *Book {
	return &Book{
		ID: id, Kind: kind, lots: map[int64]*Lot{}, byOrigin: map[string]*Lot{}, known: map[string]*Entry{},
		undoable: map[int64]*undoable{}, holds: map[int64]*HoldState{}, systemDelta: map[portionKey]int64{},
		usageDelta: map[string]*Usage{},
	}
}

func (l *loader) queueAccounts() {
	l.batch.Queue(`
		SELECT book_id, id, kind, holder_id, balance, held
		FROM accounts WHERE book_id = ANY($1) ORDER BY book_id, id`, l.ids,
	).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var book int64
			var a Account
			if err := rows.Scan(&book, &a.ID, &a.Kind, &a.Holder, &a.Balance, &a.Held); err != nil {
				return fmt.Errorf("reading an account: %w", err)
			}
			l.books[book].accounts = append(l.books[book].accounts, &a)
		}
		return rows.Err()
	})
}

// queueLots loads the lots that have something left, those that were asked for, and
// their descendants in the book: what comes back to an old lot may have to join a
// rollover lot that is used up.
func (l *loader) queueLots() {
	l.batch.Queue(`
		WITH RECURSIVE wanted (book_id, id) AS (
			(SELECT book_id, lot_id FROM lot_balances WHERE book_id = ANY($1) AND is_open
			 UNION
			 SELECT lots.book_id, lots.id
			 FROM unnest($2::bigint[], $3::text[]) AS w (book_id, origin) JOIN lots USING (book_id, origin)
			 UNION
			 SELECT p.book_id, p.lot_id
			 FROM unnest($4::bigint[], $5::bigint[]) AS w (book_id, entry) JOIN postings p USING (book_id, entry))
			UNION
			SELECT c.book_id, c.id
			FROM wanted w JOIN lots c ON c.book_id = w.book_id AND c.parent_lot_id = w.id AND c.parent_book_id = w.book_id
		)
		SELECT l.book_id, l.id, l.source, l.origin, l.granted, l.effective_at, l.expires_at, l.first_granted_at, l.series,
		       l.step, l.turns_survived, l.contributor, l.payer, l.frozen, l.parent_book_id, l.parent_lot_id, l.root_origin,
		       l.created_entry
		FROM wanted JOIN lots l USING (book_id, id)`, l.ids, l.originBooks, l.origins, l.undoBooks, l.undoIDs,
	).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var book int64
			var parentBook, parentLot *int64
			var t Lot
			if err := rows.Scan(&book, &t.ID, &t.Source, &t.Origin, &t.Granted, &t.EffectiveAt, &t.ExpiresAt,
				&t.FirstGrantedAt, &t.Series, &t.Step, &t.TurnsSurvived, &t.Contributor, &t.Payer, &t.Frozen,
				&parentBook, &parentLot, &t.RootOrigin, &t.createdEntry); err != nil {
				return fmt.Errorf("reading a lot: %w", err)
			}
			if parentBook != nil {
				t.Parent = &LotRef{Book: *parentBook, Lot: *parentLot}
			}
			l.books[book].addLot(&t)
		}
		return rows.Err()
	})
	l.batch.Queue(`
		SELECT book_id, lot_id, account_id, balance, held
		FROM lot_balances WHERE book_id = ANY($1) AND is_open ORDER BY book_id, account_id, lot_id`, l.ids,
	).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var book, lot, balance, held int64
			var account int32
			if err := rows.Scan(&book, &lot, &account, &balance, &held); err != nil {
				return fmt.Errorf("reading what a lot has left: %w", err)
			}
			b := l.books[book]
			a, ok := b.Account(account)
			if !ok || b.lots[lot] == nil {
				return fmt.Errorf("book %d: lot %d has credits in account %d, which can't be", book, lot, account)
			}
			a.portions = append(a.portions, &Portion{Lot: b.lots[lot], Account: a, Balance: balance, Held: held})
			a.unsorted = true
		}
		return rows.Err()
	})
}

func (l *loader) queueEntries() {
	l.batch.Queue(`
		SELECT e.book_id, e.sequence, e.kind, e.key, e.request_hash, e.actor, e.at, e.created_at, e.credits, e.holder_id,
		       e.memo, e.reference, e.metadata, COALESCE(e.undoes, 0), e.peer_book_id, e.peer_sequence
		FROM unnest($1::bigint[], $2::text[]) AS w (book_id, key)
		CROSS JOIN LATERAL (SELECT * FROM entries WHERE book_id = w.book_id AND key = w.key LIMIT 1) e
		UNION ALL
		SELECT e.book_id, e.sequence, e.kind, e.key, e.request_hash, e.actor, e.at, e.created_at, e.credits, e.holder_id,
		       e.memo, e.reference, e.metadata, COALESCE(e.undoes, 0), e.peer_book_id, e.peer_sequence
		FROM unnest($3::bigint[], $4::bigint[]) AS w (book_id, sequence) JOIN entries e USING (book_id, sequence)`,
		l.keyBooks, l.keys, l.undoBooks, l.undoIDs,
	).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			e, err := scanEntry(rows)
			if err != nil {
				return err
			}
			b := l.books[e.Book]
			b.known[e.Key] = e
			if slices.Contains(l.undoIDs, e.Sequence) && reversible(e.Kind) {
				b.undoable[e.Sequence] = &undoable{entry: e, returned: map[portionKey]int64{}}
			}
		}
		return rows.Err()
	})
}

func reversible(k EntryKind) bool { return k == KindSpend || k == KindCapture || k == KindClawback }

func scanEntry(rows pgx.Rows) (*Entry, error) {
	var e Entry
	var peerBook, peerSequence *int64
	if err := rows.Scan(&e.Book, &e.Sequence, &e.Kind, &e.Key, &e.Hash, &e.Actor, &e.At, &e.CreatedAt, &e.Credits,
		&e.Holder, &e.Memo, &e.Reference, &e.Metadata, &e.Undoes, &peerBook, &peerSequence); err != nil {
		return nil, fmt.Errorf("reading an entry: %w", err)
	}
	if peerBook != nil {
		e.Peer = &EntryRef{Book: *peerBook, Sequence: *peerSequence}
	}
	return &e, nil
}

func (l *loader) queuePostings() {
	l.batch.Queue(`
		SELECT p.book_id, p.entry, p.lot_id, p.from_account, p.to_account, p.credits
		FROM (SELECT e.book_id, e.sequence
		      FROM unnest($1::bigint[], $2::text[]) AS w (book_id, key) JOIN entries e USING (book_id, key)
		      UNION
		      SELECT * FROM unnest($3::bigint[], $4::bigint[])) AS e (book_id, entry)
		JOIN postings p USING (book_id, entry)
		ORDER BY p.book_id, p.entry, p.line`, l.keyBooks, l.keys, l.undoBooks, l.undoIDs,
	).Query(func(rows pgx.Rows) error {
		bySequence := map[EntryRef]*Entry{}
		for _, b := range l.books {
			for _, e := range b.known {
				bySequence[EntryRef{b.ID, e.Sequence}] = e
			}
		}
		for rows.Next() {
			var ref EntryRef
			var p Posting
			if err := rows.Scan(&ref.Book, &ref.Sequence, &p.Lot, &p.From, &p.To, &p.Credits); err != nil {
				return fmt.Errorf("reading a posting: %w", err)
			}
			if e := bySequence[ref]; e != nil {
				e.Postings = append(e.Postings, p)
			}
		}
		return rows.Err()
	})
}

// queueReturned adds up what earlier reversals of the wanted entries gave back.
func (l *loader) queueReturned() {
	l.batch.Queue(`
		SELECT e.book_id, e.undoes, p.lot_id, p.to_account, sum(p.credits)::bigint
		FROM unnest($1::bigint[], $2::bigint[]) AS w (book_id, undoes)
		JOIN entries e USING (book_id, undoes)
		JOIN postings p ON p.book_id = e.book_id AND p.entry = e.sequence AND p.from_account IN (2, 4)
		WHERE e.kind IN ('reversal', 'clawback_undone')
		GROUP BY 1, 2, 3, 4`, l.undoBooks, l.undoIDs,
	).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var book, undoes, lot, credits int64
			var account int32
			if err := rows.Scan(&book, &undoes, &lot, &account, &credits); err != nil {
				return fmt.Errorf("reading what was given back: %w", err)
			}
			if u := l.books[book].undoable[undoes]; u != nil {
				u.reversed += credits
				u.returned[portionKey{lot, account}] += credits
			}
		}
		return rows.Err()
	})
}

func (l *loader) queueHolds() {
	l.batch.Queue(`
		SELECT h.book_id, h.id, h.holder_id, h.state, h.credits, h.captured, h.held_at, h.expires_at, h.settled_at
		FROM holds h
		WHERE h.book_id = ANY($1) AND h.state = 'open' AND h.expires_at <= $2
		UNION
		SELECT h.book_id, h.id, h.holder_id, h.state, h.credits, h.captured, h.held_at, h.expires_at, h.settled_at
		FROM unnest($3::bigint[], $4::bigint[]) AS w (book_id, id) JOIN holds h USING (book_id, id)`,
		l.ids, l.at, l.holdBooks, l.holdIDs,
	).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var book int64
			var h HoldState
			if err := rows.Scan(&book, &h.ID, &h.Holder, &h.Status, &h.Credits, &h.Captured, &h.HeldAt, &h.ExpiresAt,
				&h.SettledAt); err != nil {
				return fmt.Errorf("reading a hold: %w", err)
			}
			l.books[book].holds[h.ID] = &h
		}
		return rows.Err()
	})
	l.batch.Queue(`
		SELECT d.book_id, d.hold_id, d.lot_id, d.account_id, d.credits
		FROM (SELECT book_id, id FROM holds WHERE book_id = ANY($1) AND state = 'open' AND expires_at <= $2
		      UNION
		      SELECT * FROM unnest($3::bigint[], $4::bigint[])) AS h (book_id, hold_id)
		JOIN hold_draws d USING (book_id, hold_id)
		ORDER BY d.book_id, d.hold_id, d.line`, l.ids, l.at, l.holdBooks, l.holdIDs,
	).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var book, hold, lot, credits int64
			var account int32
			if err := rows.Scan(&book, &hold, &lot, &account, &credits); err != nil {
				return fmt.Errorf("reading what a hold keeps: %w", err)
			}
			b := l.books[book]
			if h := b.holds[hold]; h != nil && h.Status == HoldOpen {
				a, _ := b.Account(account)
				h.draws = append(h.draws, Draw{Portion: b.portion(b.lots[lot], a), Credits: credits})
			}
		}
		return rows.Err()
	})
	l.batch.Queue(`
		SELECT ids.id, h.expires_at
		FROM unnest($1::bigint[]) AS ids (id)
		CROSS JOIN LATERAL (SELECT expires_at FROM holds
		                    WHERE book_id = ids.id AND state = 'open' AND expires_at > $2
		                    ORDER BY expires_at LIMIT 1) h`, l.ids, l.at,
	).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var book int64
			var end time.Time
			if err := rows.Scan(&book, &end); err != nil {
				return fmt.Errorf("reading the next hold's end: %w", err)
			}
			l.books[book].nextHoldEnd = &end
		}
		return rows.Err()
	})
}

func (l *loader) queueDebts() {
	l.batch.Queue(`
		SELECT book_id, id, cause, credits, paid FROM debts WHERE book_id = ANY($1) AND paid < credits
		ORDER BY book_id, id`, l.ids,
	).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var book int64
			var d debt
			if err := rows.Scan(&book, &d.ID, &d.Cause, &d.Credits, &d.Paid); err != nil {
				return fmt.Errorf("reading a debt: %w", err)
			}
			l.books[book].debts = append(l.books[book].debts, &d)
		}
		return rows.Err()
	})
}
