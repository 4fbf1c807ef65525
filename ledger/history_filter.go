package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// HashOfKey gives the hash of the request that a key of a book was used for.
func HashOfKey(ctx context.Context, q interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}, book int64, key string) (hash []byte, found bool, err error) {
	err = q.QueryRow(ctx, `SELECT request_hash FROM entries WHERE book_id = $1 AND key = $2`, book, key).Scan(&hash)
	switch {
	case err == nil:
		return hash, true, nil
	case errors.Is(err, pgx.ErrNoRows):
		return nil, false, nil
	}
	return nil, false, fmt.Errorf("looking key %q up: %w", key, err)
}

// LeftOf is what may still be reversed of a spend or capture, if it is one that was
// loaded.
func (b *Book) LeftOf(sequence int64) (credits int64, ok bool) {
	u, ok := b.undoable[sequence]
	if !ok || u.entry.Kind != KindSpend && u.entry.Kind != KindCapture {
		return 0, false
	}
	return u.entry.Credits - u.reversed, true
}

// HeldBy gives what each holder holds in a book, by open holds that have not ended.
func HeldBy(ctx context.Context, q interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}, book int64, at time.Time) (map[string]int64, error) {
	rows, err := q.Query(ctx, `
		SELECT holder_id, sum(credits)::bigint FROM holds
		WHERE book_id = $1 AND state = 'open' AND expires_at > $2 GROUP BY holder_id`, book, at)
	if err != nil {
		return nil, fmt.Errorf("reading what is held: %w", err)
	}
	held := map[string]int64{}
	var holder string
	var credits int64
	if _, err := pgx.ForEachRow(rows, []any{&holder, &credits}, func() error {
		held[holder] = credits
		return nil
	}); err != nil {
		return nil, fmt.Errorf("reading what is held: %w", err)
	}
	return held, nil
}

// HistoryFilter chooses a book's entries. Empty fields leave that choice open.
type HistoryFilter struct {
	Book      int64
	Holder    string // whom an entry concerns, or from whose allocation it transferred
	Kinds     []EntryKind
	Reference string
	Metadata  map[string]string // what top-level fields say, as text; give a range of time with it
	From, To  *time.Time        // by when they count: From ≤ at < To
	Before    int64             // the last sequence of the page before; 0: the first page
	Limit     int
}

// LineDetail is an entry as a history shows it, with all that L10 asks for.
type LineDetail struct {
	Line
	Book     int64
	Metadata json.RawMessage
	Undoes   int64
	EndsAt   *time.Time
	Postings []LinePosting
}

// lineColumns are those of a LineDetail, of entries e, in the order of into.
const lineColumns = `e.sequence, e.kind, e.key, e.actor, e.at, e.created_at, e.credits, e.holder_id, e.memo, e.reference, e.metadata,
	COALESCE(e.undoes, 0), e.ends_at`

func (l *LineDetail) into() []any {
	return []any{
		&l.Sequence, &l.Kind, &l.Key, &l.Actor, &l.At, &l.CreatedAt, &l.Credits, &l.Holder, &l.Memo, &l.Reference, &l.Metadata,
		&l.Undoes, &l.EndsAt,
	}
}

// LinePosting is a posting with its accounts by name.
type LinePosting struct {
	Lot        int64
	Source     Source
	From, To   string // kinds of account
	FromHolder string
	ToHolder   string
	Credits    int64
}

// heldPlace stands where a hold keeps credits: they stay in their account.
const heldPlace = "held"

// chosen is what a HistoryFilter asks of any entry e, but for whom it concerns.
const chosen = `(cardinality(@kinds::text[]) = 0 OR e.kind = ANY(@kinds)) AND (@reference = '' OR e.reference = @reference)
	AND (@from::timestamptz IS NULL OR e.at >= @from) AND (@to::timestamptz IS NULL OR e.at < @to)
	AND (cardinality(@names::text[]) = 0 OR e.metadata IS NOT NULL AND NOT EXISTS (
		SELECT FROM unnest(@names, @values::text[]) AS wanted (name, value) WHERE e.metadata ->> name IS DISTINCT FROM value))`

// FilterHistory gives entries with their postings, the newest first. What a hold keeps is
// shown as a posting from its account to "held".
func FilterHistory(ctx context.Context, q interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}, f HistoryFilter) ([]LineDetail, error) {
	kinds := make([]string, len(f.Kinds))
	for i, k := range f.Kinds {
		kinds[i] = string(k)
	}
	names, values := []string{}, []string{}
	for name, value := range f.Metadata {
		names, values = append(names, name), append(values, value)
	}
	// Planned for the choice at hand: one plan for all choices could use no index. What a
	// holder gave is found by itself, since an OR would leave no order to read in.
	rows, err := q.Query(ctx, `
		(SELECT `+lineColumns+`
		FROM entries e
		WHERE e.book_id = @book AND (@before = 0 OR e.sequence < @before) AND (@holder = '' OR e.holder_id = @holder) AND `+chosen+`
		ORDER BY e.sequence DESC LIMIT @limit)
		UNION ALL
		(SELECT `+lineColumns+`
		FROM accounts a
		CROSS JOIN LATERAL (
			SELECT DISTINCT entry FROM postings
			WHERE book_id = @book AND from_account = a.id AND from_account >= 8 AND to_account >= 8 AND (@before = 0 OR entry < @before)
			ORDER BY entry DESC) given
		JOIN entries e ON e.book_id = @book AND e.sequence = given.entry
		WHERE a.book_id = @book AND a.kind = 'allocation' AND a.holder_id = @holder AND e.holder_id <> @holder AND `+chosen+`
		ORDER BY e.sequence DESC LIMIT @limit)
		ORDER BY sequence DESC LIMIT @limit`, pgx.QueryExecModeCacheDescribe, pgx.NamedArgs{
		"book": f.Book, "before": f.Before, "holder": f.Holder, "kinds": kinds, "reference": f.Reference, "from": f.From, "to": f.To,
		"names": names, "values": values, "limit": min(f.Limit, historyMax),
	})
	if err != nil {
		return nil, fmt.Errorf("reading the history: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (l LineDetail, err error) {
		l.Book = f.Book
		err = row.Scan(l.into()...)
		return l, err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the history: %w", err)
	}
	return list, addPostings(ctx, q, f.Book, list)
}

// addPostings reads what entries posted or, of holds, keep.
func addPostings(ctx context.Context, q interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}, book int64, list []LineDetail) error {
	at := map[int64]*LineDetail{}
	sequences := make([]int64, len(list))
	for i := range list {
		sequences[i] = list[i].Sequence
		at[list[i].Sequence] = &list[i]
	}
	rows, err := q.Query(ctx, `
		SELECT p.entry, p.lot_id, l.source, f.kind, f.holder_id, COALESCE(t.kind, $3), COALESCE(t.holder_id, ''), p.credits
		FROM (
			SELECT p.* FROM unnest($2::bigint[]) AS w (entry)
			CROSS JOIN LATERAL (
				SELECT entry, line, lot_id, from_account, to_account, credits FROM postings
				WHERE book_id = $1 AND entry = w.entry OFFSET 0) p
			UNION ALL
			SELECT d.* FROM unnest($2::bigint[]) AS w (entry)
			CROSS JOIN LATERAL (
				SELECT hold_id, line, lot_id, account_id, NULL::int, credits FROM hold_draws
				WHERE book_id = $1 AND hold_id = w.entry OFFSET 0) d) p
		JOIN lots l ON l.book_id = $1 AND l.id = p.lot_id
		JOIN accounts f ON f.book_id = $1 AND f.id = p.from_account
		LEFT JOIN accounts t ON t.book_id = $1 AND t.id = p.to_account
		ORDER BY p.entry, p.line`, book, sequences, heldPlace)
	if err != nil {
		return fmt.Errorf("reading postings: %w", err)
	}
	var entry int64
	var p LinePosting
	if _, err := pgx.ForEachRow(rows, []any{&entry, &p.Lot, &p.Source, &p.From, &p.FromHolder, &p.To, &p.ToHolder, &p.Credits}, func() error {
		at[entry].Postings = append(at[entry].Postings, p)
		return nil
	}); err != nil {
		return fmt.Errorf("reading postings: %w", err)
	}
	return nil
}

// DayUsage is what a holder used on one day, in UTC.
type DayUsage struct {
	Day      time.Time
	Holder   string
	Spent    int64
	Reversed int64 // of spends of whatever day
	Earlier  int64 // of it, of spends from before the days that were asked for: B12 counts it as put in
}

// UsageByDay adds up what each holder spent, and what was given back, by day.
func UsageByDay(ctx context.Context, q interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}, book int64, from, to time.Time) ([]DayUsage, error) {
	rows, err := q.Query(ctx, `
		SELECT date_trunc('day', at, 'UTC'), holder_id,
		       COALESCE(sum(credits) FILTER (WHERE kind <> 'reversal'), 0)::bigint,
		       COALESCE(sum(credits) FILTER (WHERE kind = 'reversal'), 0)::bigint,
		       COALESCE(sum(credits) FILTER (WHERE kind = 'reversal' AND (
		           SELECT s.at FROM entries s WHERE s.book_id = e.book_id AND s.sequence = e.undoes) < $2), 0)::bigint
		FROM entries e
		WHERE book_id = $1 AND at >= $2 AND at < $3 AND kind IN ('spend', 'capture', 'reversal')
		GROUP BY 1, 2 ORDER BY 1, 2`, book, from, to)
	if err != nil {
		return nil, fmt.Errorf("reading usage by day: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[DayUsage])
	if err != nil {
		return nil, fmt.Errorf("reading usage by day: %w", err)
	}
	return list, nil
}
