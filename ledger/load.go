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
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// Want names a book and what of its past is needed beside its present: entries that may
// answer a repeated key, holds to settle, spends to reverse, lots by origin even when
// nothing is left of them.
type Want struct {
	Book    int64
	Keys    []string
	Holds   []int64 // to be settled, with the entries that made them
	Undo    []int64 // entries to be given back, with what was given back of them already
	Origins []string
	Drawn   []string // holders whose draws from the main account are wanted
	DrawnOf []int64  // entries whose holders' draws are wanted: who that is, nobody has looked up
}

// Open locks books, in id order, and loads them as they stand. The transaction should
// be READ COMMITTED: what is loaded is what was committed once the lock was granted.
// Holds that are due by at are loaded too, so that the caller can settle them.
func Open(ctx context.Context, tx pgx.Tx, at time.Time, wants ...Want) ([]*Book, error) {
	return load(ctx, tx, QueueOpen(&pgx.Batch{}, at, wants...))
}

// View loads books without locking them, to be looked at and never written. The caller
// gives a REPEATABLE READ transaction, or else the parts may be of different instants.
func View(ctx context.Context, q Querier, at time.Time, wants ...Want) ([]*Book, error) {
	return load(ctx, q, QueueView(&pgx.Batch{}, at, wants...))
}

// Opening is books on their way: they are there once the batch that they were queued in
// has been read.
type Opening struct {
	loader *loader
	wants  []Want
}

// QueueOpen queues Open: first the lock and then what is read under it. So a caller can
// queue behind it what else it must read under the lock, and wait once for all of it.
func QueueOpen(batch *pgx.Batch, at time.Time, wants ...Want) *Opening {
	return queueLoad(batch, at, wants, locking)
}

// QueueOpenFree is QueueOpen that waits for nobody: books that somebody else has locked
// are left to them. They aren't Locked, and what was read of them is worth nothing.
func QueueOpenFree(batch *pgx.Batch, at time.Time, wants ...Want) *Opening {
	return queueLoad(batch, at, wants, lockingFree)
}

// QueueView queues View.
func QueueView(batch *pgx.Batch, at time.Time, wants ...Want) *Opening {
	return queueLoad(batch, at, wants, viewing)
}

// lockMode is how books are loaded.
type lockMode int

const (
	viewing     lockMode = iota // not locked at all
	locking                     // locked, whoever has them now
	lockingFree                 // locked, unless somebody else has them
)

// Books gives the books in the order of the wants.
func (o *Opening) Books() ([]*Book, error) {
	books := make([]*Book, 0, len(o.wants))
	for _, w := range o.wants {
		b, ok := o.loader.books[w.Book]
		if !ok {
			return nil, fmt.Errorf("book %d: %w", w.Book, ErrBookNotFound)
		}
		books = append(books, b)
	}
	return books, nil
}

// LoadLots loads lots by their origins into open books that lack them: nothing is left of
// them, so that they were not loaded with the rest.
func LoadLots(ctx context.Context, q Querier, books []*Book, origins [][]string) error {
	l := &loader{batch: &pgx.Batch{}, books: map[int64]*Book{}}
	for i, b := range books {
		l.books[b.ID] = b
		for _, origin := range origins[i] {
			l.originBooks, l.origins = append(l.originBooks, b.ID), append(l.origins, origin)
		}
	}
	if l.origins == nil {
		return nil
	}
	l.queueLots()
	if err := q.SendBatch(ctx, l.batch).Close(); err != nil {
		return fmt.Errorf("loading lots: %w", err)
	}
	return nil
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
	distinct := slices.Clone(books)
	slices.Sort(distinct)
	if n != len(slices.Compact(distinct)) {
		return ErrBookNotFound
	}
	return nil
}

// loader collects what the batch brings in.
type loader struct {
	mode  lockMode
	at    time.Time
	books map[int64]*Book
	batch *pgx.Batch

	undo map[EntryRef]bool

	ids                []int64
	keyBooks           []int64
	keys               []string
	holdBooks, holdIDs []int64
	undoBooks, undoIDs []int64
	byNumber           []EntryRef // entries that are wanted for either
	originBooks        []int64
	origins            []string
	drawnBooks         []int64
	drawnHolders       []string
	drawnOf            []EntryRef
}

func load(ctx context.Context, q Querier, o *Opening) ([]*Book, error) {
	if err := q.SendBatch(ctx, o.loader.batch).Close(); err != nil {
		return nil, fmt.Errorf("loading books: %w", err)
	}
	return o.Books()
}

func queueLoad(batch *pgx.Batch, at time.Time, wants []Want, mode lockMode) *Opening {
	l := &loader{mode: mode, at: at, batch: batch, books: map[int64]*Book{}, undo: map[EntryRef]bool{}}
	for _, w := range wants {
		l.want(w)
	}
	slices.Sort(l.ids)
	l.ids = slices.Compact(l.ids)
	if mode != viewing {
		// Generic plans are kept from when the tables were small; see load_past.go.
		l.batch.Queue(`SET LOCAL enable_seqscan = off`)
	}
	l.queueBooks()
	l.queueAccounts()
	l.queueLots()
	l.queuePortions()
	l.queueEntries()
	l.queueReturned()
	l.queueHolds()
	l.queueDebts()
	l.queueDrawn()
	return &Opening{l, wants}
}

func (l *loader) want(w Want) {
	l.ids = append(l.ids, w.Book)
	for _, k := range w.Keys {
		l.keyBooks, l.keys = append(l.keyBooks, w.Book), append(l.keys, k)
	}
	for _, id := range w.Holds {
		l.holdBooks, l.holdIDs = append(l.holdBooks, w.Book), append(l.holdIDs, id)
		l.byNumber = append(l.byNumber, EntryRef{w.Book, id})
	}
	for _, id := range w.Undo {
		if ref := (EntryRef{w.Book, id}); !l.undo[ref] { // what was given back of it must be added up once
			l.undo[ref] = true
			l.undoBooks, l.undoIDs = append(l.undoBooks, w.Book), append(l.undoIDs, id)
			l.byNumber = append(l.byNumber, ref)
		}
	}
	for _, o := range w.Origins {
		l.originBooks, l.origins = append(l.originBooks, w.Book), append(l.origins, o)
	}
	for _, id := range w.DrawnOf {
		l.drawnOf = append(l.drawnOf, EntryRef{w.Book, id})
	}
	drawn := slices.Clone(w.Drawn)
	slices.Sort(drawn)
	for _, holder := range slices.Compact(drawn) {
		l.drawnBooks, l.drawnHolders = append(l.drawnBooks, w.Book), append(l.drawnHolders, holder)
	}
}

func (l *loader) queueBooks() {
	sql := `SELECT id, kind, sequence, window_start, due_at FROM books WHERE id = ANY($1) ORDER BY id`
	switch l.mode {
	case locking:
		sql += ` FOR UPDATE`
	case lockingFree:
		sql += ` FOR UPDATE SKIP LOCKED`
	}
	l.batch.Queue(sql, l.ids).Query(func(rows pgx.Rows) error {
		if l.mode == lockingFree { // what the statements behind it read of the others needs a place
			for _, id := range l.ids {
				l.books[id] = newBook(id, "")
			}
		}
		for rows.Next() {
			b := newBook(0, "")
			b.at, b.locked = l.at, l.mode != viewing
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

// left tells whether a book was left to whoever has it locked: the statements may have
// seen it at different instants.
func (l *loader) left(b *Book) bool { return l.mode == lockingFree && !b.locked }

func newBook(id int64, kind Kind) *Book {
	return &Book{
		ID: id, Kind: kind, lots: map[int64]*Lot{}, byOrigin: map[string]*Lot{}, known: map[string]*Entry{}, numbered: map[int64]*Entry{},
		undoable: map[int64]*undoable{}, holds: map[int64]*HoldState{}, drawn: map[string]FromMain{}, systemDelta: map[portionKey]int64{},
	}
}

func (l *loader) queueAccounts() {
	l.batch.Queue(`
		SELECT book_id, id, kind, holder_id, balance, held, closed
		FROM accounts WHERE book_id = ANY($1) ORDER BY book_id, id`, l.ids,
	).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var book int64
			var a Account
			if err := rows.Scan(&book, &a.ID, &a.Kind, &a.Holder, &a.Balance, &a.Held, &a.Closed); err != nil {
				return fmt.Errorf("reading an account: %w", err)
			}
			l.books[book].accounts = append(l.books[book].accounts, &a)
		}
		return rows.Err()
	})
}

// queueLots loads the lots that have something left, those that were asked for or that
// an open debt names, and all their descendants in the book: what comes back to an old
// lot may have to join a rollover lot that is used up.
func (l *loader) queueLots() {
	l.batch.Queue(`
		WITH RECURSIVE wanted (book_id, id) AS (
			(SELECT ids.id, open.lot_id
			 FROM unnest($1::bigint[]) AS ids (id)
			 CROSS JOIN LATERAL (SELECT lot_id FROM lot_balances WHERE book_id = ids.id AND is_open ORDER BY account_id OFFSET 0) open
			 UNION
			 SELECT book_id, lot_id FROM debts WHERE book_id = ANY($1) AND paid < credits
			 UNION
			 SELECT o.book_id, o.id
			 FROM unnest($2::bigint[], $3::text[]) AS w (book_id, origin)
			 CROSS JOIN LATERAL (SELECT book_id, origin, id FROM lots WHERE (book_id, origin) >= (w.book_id, w.origin)
			                     ORDER BY book_id, origin LIMIT 1) o
			 WHERE o.book_id = w.book_id AND o.origin = w.origin
			 UNION
			 SELECT w.book_id, p.lot_id
			 FROM unnest($4::bigint[], $5::bigint[]) AS w (book_id, entry)
			 CROSS JOIN LATERAL (SELECT lot_id FROM postings WHERE book_id = w.book_id AND entry = w.entry OFFSET 0) p)
			UNION
			SELECT c.book_id, c.id
			FROM wanted w JOIN lots c ON c.book_id = w.book_id AND c.parent_lot_id = w.id AND c.parent_book_id = w.book_id
		)
		SELECT l.book_id, l.id, l.source, l.origin, l.granted, l.effective_at, l.expires_at, l.first_granted_at, l.series,
		       l.step, l.turns_survived, l.contributor, l.payer, l.frozen, l.parent_book_id, l.parent_lot_id, l.root_origin,
		       l.created_entry
		FROM wanted
		CROSS JOIN LATERAL (SELECT * FROM lots WHERE book_id = wanted.book_id AND id = wanted.id LIMIT 1) l`,
		l.ids, l.originBooks, l.origins, l.undoBooks, l.undoIDs,
	).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var parentBook, parentLot *int64
			var t Lot
			if err := rows.Scan(&t.book, &t.ID, &t.Source, &t.Origin, &t.Granted, &t.EffectiveAt, &t.ExpiresAt,
				&t.FirstGrantedAt, &t.Series, &t.Step, &t.TurnsSurvived, &t.Contributor, &t.Payer, &t.Frozen,
				&parentBook, &parentLot, &t.RootOrigin, &t.createdEntry); err != nil {
				return fmt.Errorf("reading a lot: %w", err)
			}
			if parentBook != nil {
				t.Parent = &LotRef{Book: *parentBook, Lot: *parentLot}
			}
			if b := l.books[t.book]; b.lots[t.ID] == nil {
				b.addLot(&t)
			}
		}
		return rows.Err()
	})
}

// queuePortions loads what the lots have left.
func (l *loader) queuePortions() {
	l.batch.Queue(`
		SELECT ids.id, open.lot_id, open.account_id, open.balance, open.held
		FROM unnest($1::bigint[]) AS ids (id)
		CROSS JOIN LATERAL (SELECT lot_id, account_id, balance, held FROM lot_balances
		                    WHERE book_id = ids.id AND is_open ORDER BY account_id OFFSET 0) open`, l.ids,
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
				if l.left(b) {
					continue
				}
				return fmt.Errorf("lot %d of book %d has credits in account %d, which can't be", lot, book, account)
			}
			a.portions = append(a.portions, &Portion{Lot: b.lots[lot], Account: a, Balance: balance, Held: held})
			a.unsorted = true
		}
		return rows.Err()
	})
}
