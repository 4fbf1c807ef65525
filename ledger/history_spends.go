package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Rows is what reading histories needs: a transaction, a connection or a pool.
type Rows interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// SpendRecord is a spend or a capture as it stands.
type SpendRecord struct {
	LineDetail
	Peer     *EntryRef // the entry of another book that asked for it
	Reversed int64     // given back so far
}

// HoldRecord is a hold as it stands. A hold whose end has come has expired, whether or
// not anything was written since.
type HoldRecord struct {
	LineDetail
	Peer      *EntryRef // the entry of another book that asked for it
	Status    HoldStatus
	Captured  int64
	Capture   int64 // the entry that captured it; 0: none
	ExpiresAt time.Time
	SettledAt *time.Time
}

// ReadSpend gives a spend or a capture, or ErrEntryNotFound.
func ReadSpend(ctx context.Context, q Rows, ref EntryRef) (SpendRecord, error) {
	rows, err := q.Query(ctx, `
		SELECT `+lineColumns+`, e.peer_book_id, e.peer_sequence, COALESCE((
			SELECT sum(r.credits) FROM entries r WHERE r.book_id = e.book_id AND r.undoes = e.sequence AND r.kind = 'reversal'), 0)::bigint
		FROM entries e WHERE e.book_id = $1 AND e.sequence = $2 AND e.kind IN ('spend', 'capture')`, ref.Book, ref.Sequence)
	if err != nil {
		return SpendRecord{}, fmt.Errorf("reading a spend: %w", err)
	}
	record, err := pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (SpendRecord, error) {
		r := SpendRecord{LineDetail: LineDetail{Book: ref.Book}}
		var peer peerColumns
		err := row.Scan(append(r.into(), &peer.book, &peer.sequence, &r.Reversed)...)
		r.Peer = peer.ref()
		return r, err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return SpendRecord{}, ErrEntryNotFound
	}
	if err != nil {
		return SpendRecord{}, fmt.Errorf("reading a spend: %w", err)
	}
	one := []LineDetail{record.LineDetail}
	err = addPostings(ctx, q, ref.Book, one)
	record.LineDetail = one[0]
	return record, err
}

// ReadHold gives a hold as it stands at an instant, or ErrHoldNotFound.
func ReadHold(ctx context.Context, q Rows, ref EntryRef, at time.Time) (HoldRecord, error) {
	list, err := readHolds(ctx, q, ref.Book, at, `
		SELECT `+holdColumns+`
		FROM holds h JOIN entries e ON e.book_id = h.book_id AND e.sequence = h.id
		WHERE h.book_id = $1 AND h.id = $2`, ref.Book, ref.Sequence)
	if err == nil && len(list) == 0 {
		err = ErrHoldNotFound
	}
	if err != nil {
		return HoldRecord{}, err
	}
	return list[0], nil
}

// OpenHoldsFilter chooses a book's open holds. An empty holder leaves that choice open.
type OpenHoldsFilter struct {
	Book   int64
	Holder string
	At     time.Time
	After  HoldPlace // the last of the page before
	Limit  int
}

// HoldPlace is where a hold stands among the open ones of a book.
type HoldPlace struct {
	ExpiresAt time.Time
	ID        int64
}

// OpenHolds gives the holds that are open at an instant, those that end first first.
func OpenHolds(ctx context.Context, q Rows, f OpenHoldsFilter) ([]HoldRecord, error) {
	after := f.After
	if after.ExpiresAt.Before(f.At) {
		after = HoldPlace{ExpiresAt: f.At, ID: 1<<63 - 1} // one that ends at that instant has ended
	}
	return readHolds(ctx, q, f.Book, f.At, `
		SELECT `+holdColumns+`
		FROM (
			SELECT * FROM holds
			WHERE book_id = $1 AND state = 'open' AND (expires_at, id) > ($2, $3) AND ($4 = '' OR holder_id = $4)
			ORDER BY expires_at, id LIMIT $5) h
		JOIN entries e ON e.book_id = h.book_id AND e.sequence = h.id
		ORDER BY h.expires_at, h.id`, f.Book, after.ExpiresAt, after.ID, f.Holder, min(f.Limit, historyMax))
}

// holdColumns are those of a HoldRecord, of holds h and entries e.
const holdColumns = lineColumns + `, e.peer_book_id, e.peer_sequence, h.state, h.captured, h.expires_at, h.settled_at, COALESCE((
	SELECT c.sequence FROM entries c WHERE c.book_id = h.book_id AND c.undoes = h.id AND c.kind = 'capture' LIMIT 1), 0)`

func readHolds(ctx context.Context, q Rows, book int64, at time.Time, sql string, args ...any) ([]HoldRecord, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("reading holds: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (HoldRecord, error) {
		h := HoldRecord{LineDetail: LineDetail{Book: book}}
		var peer peerColumns
		err := row.Scan(append(h.into(), &peer.book, &peer.sequence, &h.Status, &h.Captured, &h.ExpiresAt, &h.SettledAt, &h.Capture)...)
		h.Peer = peer.ref()
		if h.Status == HoldOpen && !h.ExpiresAt.After(at) {
			h.Status, h.SettledAt = HoldExpired, &h.ExpiresAt
		}
		return h, err
	})
	if err != nil {
		return nil, fmt.Errorf("reading holds: %w", err)
	}
	lines := make([]LineDetail, len(list))
	for i, h := range list {
		lines[i] = h.LineDetail
	}
	err = addPostings(ctx, q, book, lines)
	for i := range list {
		list[i].Postings = lines[i].Postings
	}
	return list, err
}

type peerColumns struct{ book, sequence *int64 }

func (p peerColumns) ref() *EntryRef {
	if p.book == nil {
		return nil
	}
	return &EntryRef{Book: *p.book, Sequence: *p.sequence}
}
