package ledger

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// FromMain is what a holder drew from the main account, spent or held and not given
// back: what limits are held against. A hold counts in the window in which it was made,
// and what comes back is taken off there.
type FromMain struct {
	Window int64
	Total  int64
}

// ever is the window under which what was drawn in all is counted.
var ever = time.Time{}

// DrawnBy gives what a holder drew, with what was decided since the book was loaded. The
// holder must have been asked for in Want.Drawn.
func (b *Book) DrawnBy(holder string) FromMain {
	sum := b.drawn[holder]
	changed := b.drew()[holder]
	return FromMain{Window: sum.Window + changed.Window, Total: sum.Total + changed.Total}
}

// drewSum is what the new entries change of what was drawn, added up so far: asked after
// each of a batch's requests, counting from the first entry would cost its square.
type drewSum struct {
	window   time.Time
	entries  int
	byHolder map[string]FromMain
}

// drew adds up what the new entries change of what was drawn, by holder.
func (b *Book) drew() map[string]FromMain {
	if s := &b.drewSum; s.byHolder == nil || !s.window.Equal(b.Window) {
		*s = drewSum{window: b.Window, byHolder: map[string]FromMain{}}
	}
	changed := b.drewSum.byHolder
	for _, e := range b.entries[b.drewSum.entries:] {
		credits, since := b.drewIn(e)
		if credits == 0 {
			continue
		}
		c := changed[e.Holder]
		c.Total += credits
		if !b.Window.IsZero() && !since.Before(b.Window) {
			c.Window += credits
		}
		changed[e.Holder] = c
	}
	b.drewSum.entries = len(b.entries)
	return changed
}

// drewIn gives what one entry changes, and the instant in whose window it counts.
func (b *Book) drewIn(e *Entry) (credits int64, since time.Time) {
	switch e.Kind {
	case KindSpend, KindReversal:
		credits, since = e.fromMain(), e.At
		if e.Kind == KindReversal {
			since = b.undoable[e.Undoes].drawnAt()
		}
	case KindHold:
		for _, d := range e.held {
			if d.Account == Main {
				credits += d.Credits
			}
		}
		since = e.At
	case KindCapture, KindRelease, KindHoldExpiry:
		h := b.holds[e.Undoes]
		credits, since = e.fromMain(), h.HeldAt
		for _, d := range h.draws {
			if d.Portion.Account.ID == Main {
				credits -= d.Credits
			}
		}
	}
	return credits, since
}

// fromMain is what an entry's postings took from the main account to be spent, less what
// they gave back to it.
func (e *Entry) fromMain() int64 {
	var sum int64
	for _, p := range e.Postings {
		switch {
		case p.From == Main && p.To == Spent:
			sum += p.Credits
		case p.From == Spent && p.To == Main:
			sum -= p.Credits
		}
	}
	return sum
}

// drawnAt is when what is undone was drawn: of a capture, when it was held.
func (u *undoable) drawnAt() time.Time {
	if u.heldAt != nil {
		return *u.heldAt
	}
	return u.entry.At
}

// queueDrawn loads what the wanted holders drew. In a window that the book doesn't count
// in yet nothing is read: SetWindow's caller asks for it with the new window.
func (l *loader) queueDrawn() {
	if len(l.drawnHolders)+len(l.drawnOf) > 0 {
		books, sequences := RefColumns(l.drawnOf)
		l.batch.Queue(`
			SELECT w.book_id, w.holder_id, COALESCE(d.credits, 0), COALESCE(t.credits, 0)
			FROM (
				SELECT book_id, holder_id FROM unnest($1::bigint[], $2::text[]) AS w (book_id, holder_id)
				UNION ALL
				SELECT w.book_id, COALESCE(`+HolderSQL("w.book_id", "w.sequence")+`, '')
				FROM unnest($4::bigint[], $5::bigint[]) AS w (book_id, sequence)) w
			LEFT JOIN LATERAL (
				SELECT credits FROM drawn
				WHERE book_id = w.book_id AND holder_id = w.holder_id
				  AND window_start = (SELECT window_start FROM books WHERE id = w.book_id) LIMIT 1) d ON true
			LEFT JOIN LATERAL (
				SELECT credits FROM drawn WHERE book_id = w.book_id AND holder_id = w.holder_id AND window_start = $3 LIMIT 1) t ON true`,
			l.drawnBooks, l.drawnHolders, ever, books, sequences,
		).Query(func(rows pgx.Rows) error {
			for rows.Next() {
				var book int64
				var holder string
				var sum FromMain
				if err := rows.Scan(&book, &holder, &sum.Window, &sum.Total); err != nil {
					return fmt.Errorf("reading what was drawn: %w", err)
				}
				l.books[book].drawn[holder] = sum
			}
			return rows.Err()
		})
	}
	if len(l.undoIDs) > 0 {
		l.batch.Queue(`
			SELECT e.book_id, e.sequence, h.held_at
			FROM unnest($1::bigint[], $2::bigint[]) AS w (book_id, sequence)
			CROSS JOIN LATERAL (SELECT * FROM entries WHERE book_id = w.book_id AND sequence = w.sequence LIMIT 1) e
			JOIN holds h ON h.book_id = e.book_id AND h.id = e.undoes
			WHERE e.kind = 'capture'`, l.undoBooks, l.undoIDs,
		).Query(func(rows pgx.Rows) error {
			for rows.Next() {
				var book, sequence int64
				var heldAt time.Time
				if err := rows.Scan(&book, &sequence, &heldAt); err != nil {
					return fmt.Errorf("reading when it was held: %w", err)
				}
				if u := l.books[book].undoable[sequence]; u != nil {
					u.heldAt = &heldAt
				}
			}
			return rows.Err()
		})
	}
}

// queueDrawnRecount counts a new window from the entries that are there already. It runs
// before the new ones are written.
func queueDrawnRecount(batch *pgx.Batch, books []*Book) {
	ids, windows := jumped(books)
	if ids == nil {
		return
	}
	batch.Queue(`
		DELETE FROM drawn x USING unnest($1::bigint[], $2::timestamptz[]) AS u (book_id, window_start)
		WHERE x.book_id = u.book_id AND x.window_start = u.window_start`, ids, windows)
	batch.Queue(`
		INSERT INTO drawn (book_id, holder_id, window_start, credits)
		SELECT u.book_id, holder_id, u.window_start, counted.credits
		FROM unnest($1::bigint[], $2::timestamptz[]) AS u (book_id, window_start)
		CROSS JOIN LATERAL (`+countDrawn("u.book_id", "u.window_start")+`) counted`, ids, windows)
}

// countDrawn adds up what was drawn from the main account of a book since an instant, by
// holder. Both are SQL.
func countDrawn(book, since string) string {
	return strings.NewReplacer("{book}", book, "{since}", since).Replace(`
	SELECT holder_id, sum(credits)::bigint AS credits FROM (
		SELECT e.holder_id, p.credits
		FROM entries e JOIN postings p ON p.book_id = e.book_id AND p.entry = e.sequence AND p.from_account = 7 AND p.to_account = 2
		WHERE e.book_id = {book} AND e.at >= {since} AND e.kind = 'spend'
		UNION ALL
		SELECT e.holder_id, d.credits
		FROM entries e
		JOIN holds h ON h.book_id = e.book_id AND h.id = e.sequence AND h.state = 'open'
		JOIN hold_draws d ON d.book_id = h.book_id AND d.hold_id = h.id AND d.account_id = 7
		WHERE e.book_id = {book} AND e.at >= {since} AND e.kind = 'hold'
		UNION ALL
		SELECT e.holder_id, p.credits
		FROM entries e
		JOIN holds h ON h.book_id = e.book_id AND h.id = e.undoes AND h.held_at >= {since}
		JOIN postings p ON p.book_id = e.book_id AND p.entry = e.sequence AND p.from_account = 7 AND p.to_account = 2
		WHERE e.book_id = {book} AND e.at >= {since} AND e.kind = 'capture'
		UNION ALL
		SELECT e.holder_id, -p.credits
		FROM entries e
		JOIN entries undone ON undone.book_id = e.book_id AND undone.sequence = e.undoes
		LEFT JOIN holds h ON h.book_id = e.book_id AND h.id = undone.undoes
		JOIN postings p ON p.book_id = e.book_id AND p.entry = e.sequence AND p.from_account = 2 AND p.to_account = 7
		WHERE e.book_id = {book} AND e.at >= {since} AND e.kind = 'reversal' AND COALESCE(h.held_at, undone.at) >= {since}
	) drew GROUP BY holder_id`)
}

func queueDrawnRows(batch *pgx.Batch, books []*Book) {
	var bookIDs, credits []int64
	var holders []string
	var windows []time.Time
	for _, b := range books {
		changed := b.drew()
		for _, holder := range slices.SortedFunc(maps.Keys(changed), cmp.Compare[string]) {
			c := changed[holder]
			add := func(window time.Time, n int64) {
				if n != 0 {
					bookIDs, holders = append(bookIDs, b.ID), append(holders, holder)
					windows, credits = append(windows, window), append(credits, n)
				}
			}
			add(ever, c.Total)
			if !b.Window.IsZero() {
				add(b.Window, c.Window)
			}
		}
	}
	if bookIDs == nil {
		return
	}
	batch.Queue(`
		INSERT INTO drawn (book_id, holder_id, window_start, credits)
		SELECT * FROM unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::bigint[])
		ON CONFLICT (book_id, holder_id, window_start) DO UPDATE SET credits = drawn.credits + EXCLUDED.credits`,
		bookIDs, holders, windows, credits)
}

// RecountDrawn reads what the wanted holders drew in a window that the book has just
// jumped to: what was loaded is of the window before.
func RecountDrawn(ctx context.Context, q Querier, b *Book) error {
	if len(b.drawn) == 0 || b.Window.Equal(b.loadedWindow) {
		return nil
	}
	rows, err := q.Query(ctx, countDrawn("$1", "$2"), b.ID, b.Window)
	if err != nil {
		return fmt.Errorf("counting what was drawn: %w", err)
	}
	counted := map[string]int64{}
	var holder string
	var credits int64
	if _, err := pgx.ForEachRow(rows, []any{&holder, &credits}, func() error {
		counted[holder] = credits
		return nil
	}); err != nil {
		return fmt.Errorf("counting what was drawn: %w", err)
	}
	for holder, sum := range b.drawn {
		sum.Window = counted[holder]
		b.drawn[holder] = sum
	}
	return nil
}

// QueueHolders queues a look at on whose behalf entries were made.
func QueueHolders(batch *pgx.Batch, refs []EntryRef) map[EntryRef]string {
	books, sequences := RefColumns(refs)
	holders := map[EntryRef]string{}
	batch.Queue(`
		SELECT w.book_id, w.sequence, h.holder_id
		FROM unnest($1::bigint[], $2::bigint[]) AS w (book_id, sequence)
		CROSS JOIN LATERAL `+HolderSQL("w.book_id", "w.sequence")+` h`, books, sequences).Query(func(rows pgx.Rows) error {
		var ref EntryRef
		var holder string
		_, err := pgx.ForEachRow(rows, []any{&ref.Book, &ref.Sequence, &holder}, func() error {
			holders[ref] = holder
			return nil
		})
		return err
	})
	return holders
}

// HolderSQL is a subquery that selects on whose behalf an entry was made, for callers who
// read rows of their own by it in the same round trip. Both are SQL.
func HolderSQL(book, sequence string) string {
	return `(SELECT holder_id FROM entries WHERE book_id = ` + book + ` AND sequence = ` + sequence + ` LIMIT 1)`
}

// RefColumns gives references as two arrays.
func RefColumns(refs []EntryRef) (books, sequences []int64) {
	return column(refs, func(r EntryRef) int64 { return r.Book }), column(refs, func(r EntryRef) int64 { return r.Sequence })
}

// Known gives an entry by its key, if it was loaded or made.
func (b *Book) Known(key string) (*Entry, bool) {
	e, ok := b.known[key]
	return e, ok
}

// HolderOf gives on whose behalf an entry was made that was loaded, and nobody for others.
func (b *Book) HolderOf(sequence int64) string {
	if e := b.numbered[sequence]; e != nil {
		return e.Holder
	}
	return ""
}

// PeerOf gives the other half of a loaded entry, if it has one.
func (b *Book) PeerOf(sequence int64) (EntryRef, bool) {
	for _, e := range b.known {
		if e.Sequence == sequence && e.Peer != nil {
			return *e.Peer, true
		}
	}
	return EntryRef{}, false
}

// DrawnSince gives what each holder drew from the main account since the start of the
// book's window, as SetWindow says it, and in all. While that is the window in which the
// book counts, it is read off; else it is added up from the entries.
func DrawnSince(ctx context.Context, tx pgx.Tx, b *Book, since time.Time) (map[string]FromMain, error) {
	sql, args := countDrawn("$1", "$2"), []any{b.ID, since}
	if !b.loadedWindow.IsZero() && since.Equal(b.loadedWindow) {
		sql = `SELECT holder_id, credits FROM drawn WHERE book_id = $1 AND window_start = $2`
	}
	sums := map[string]FromMain{}
	collect := func(sql string, args []any, put func(*FromMain, int64)) error {
		rows, err := tx.Query(ctx, sql, args...)
		if err != nil {
			return fmt.Errorf("reading what was drawn: %w", err)
		}
		var holder string
		var credits int64
		_, err = pgx.ForEachRow(rows, []any{&holder, &credits}, func() error {
			sum := sums[holder]
			put(&sum, credits)
			sums[holder] = sum
			return nil
		})
		if err != nil {
			return fmt.Errorf("reading what was drawn: %w", err)
		}
		return nil
	}
	if err := collect(sql, args, func(s *FromMain, n int64) { s.Window = n }); err != nil {
		return nil, err
	}
	err := collect(`SELECT holder_id, credits FROM drawn WHERE book_id = $1 AND window_start = $2`, []any{b.ID, ever},
		func(s *FromMain, n int64) { s.Total = n })
	// What the book has decided since it was loaded, a hold's end say, counts as done.
	for holder, changed := range b.drew() {
		sum := sums[holder]
		sums[holder] = FromMain{Window: sum.Window + changed.Window, Total: sum.Total + changed.Total}
	}
	return sums, err
}
