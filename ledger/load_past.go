package ledger

import (
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Entries, postings and holds grow for ever, and a plan that was made while they were
// small lives on. So each look-up is a LATERAL of its own and, where a table has several
// keys that lead with the book, asks for the order of the right one: whatever the
// planner believes of the sizes, only that index saves it a sort. A wrong one would read
// the whole book for every spend.

// queueEntries loads the entries whose keys or numbers were asked for, with what they
// posted or, of a hold, drew.
func (l *loader) queueEntries() {
	if len(l.keys)+len(l.byNumber) == 0 {
		return
	}
	books, sequences := RefColumns(l.byNumber)
	l.batch.Queue(`
		SELECT e.book_id, e.sequence, e.kind, e.key, e.request_hash, e.actor, e.at, e.created_at, e.credits, e.holder_id,
		       e.memo, e.reference, e.metadata, COALESCE(e.undoes, 0), e.peer_book_id, e.peer_sequence,
		       COALESCE(e.lot_id, 0), e.ends_at, e.answer, p.lots, p.froms, p.tos, p.credits, h.lots, h.accounts, h.credits
		FROM (
			SELECT e.* FROM unnest($1::bigint[], $2::text[]) AS w (book_id, key)
			CROSS JOIN LATERAL (SELECT * FROM entries WHERE (book_id, key) >= (w.book_id, w.key) ORDER BY book_id, key LIMIT 1) e
			WHERE e.book_id = w.book_id AND e.key = w.key
			UNION ALL
			SELECT e.* FROM unnest($3::bigint[], $4::bigint[]) AS w (book_id, sequence)
			CROSS JOIN LATERAL (SELECT * FROM entries WHERE book_id = w.book_id AND sequence = w.sequence LIMIT 1) e) e
		CROSS JOIN LATERAL (
			SELECT array_agg(lot_id ORDER BY line) AS lots, array_agg(from_account ORDER BY line) AS froms,
			       array_agg(to_account ORDER BY line) AS tos, array_agg(credits ORDER BY line) AS credits
			FROM postings WHERE book_id = e.book_id AND entry = e.sequence) p
		CROSS JOIN LATERAL (
			SELECT array_agg(lot_id ORDER BY line) AS lots, array_agg(account_id ORDER BY line) AS accounts,
			       array_agg(credits ORDER BY line) AS credits
			FROM hold_draws WHERE book_id = e.book_id AND hold_id = e.sequence AND e.kind = 'hold') h`,
		l.keyBooks, l.keys, books, sequences,
	).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			e, err := scanWholeEntry(rows)
			if err != nil {
				return fmt.Errorf("reading an entry: %w", err)
			}
			b := l.books[e.Book]
			if _, known := b.known[e.Key]; known { // asked for by key and by number
				continue
			}
			b.known[e.Key], b.numbered[e.Sequence] = e, e
			if l.undo[EntryRef{e.Book, e.Sequence}] {
				b.undoable[e.Sequence] = &undoable{entry: e, returned: map[portionKey]int64{}}
			}
		}
		return rows.Err()
	})
}

// scanWholeEntry reads an entry with its postings and what a hold drew.
func scanWholeEntry(rows pgx.Rows) (*Entry, error) {
	var lots, credits, heldLots, heldCredits []int64
	var froms, tos, heldAccounts []int32
	e, err := scanEntry(rows, &lots, &froms, &tos, &credits, &heldLots, &heldAccounts, &heldCredits)
	if err != nil {
		return nil, err
	}
	for i, lot := range lots {
		e.Postings = append(e.Postings, Posting{Lot: lot, From: froms[i], To: tos[i], Credits: credits[i]})
	}
	for i, lot := range heldLots {
		e.held = append(e.held, Drawn{Lot: lot, Account: heldAccounts[i], Credits: heldCredits[i]})
	}
	return e, nil
}

// scanEntry reads the columns of an entry, in the order in which every query here names
// them, and then the rest.
func scanEntry(row pgx.CollectableRow, rest ...any) (*Entry, error) {
	var e Entry
	var peerBook, peerSequence *int64
	into := []any{
		&e.Book, &e.Sequence, &e.Kind, &e.Key, &e.Hash, &e.Actor, &e.At, &e.CreatedAt, &e.Credits, &e.Holder, &e.Memo,
		&e.Reference, &e.Metadata, &e.Undoes, &peerBook, &peerSequence, &e.Lot, &e.EndsAt, &e.Answer,
	}
	if err := row.Scan(append(into, rest...)...); err != nil {
		return nil, err
	}
	if peerBook != nil {
		e.Peer = &EntryRef{Book: *peerBook, Sequence: *peerSequence}
	}
	return &e, nil
}

// queueReturned adds up what earlier reversals of the wanted entries gave back.
func (l *loader) queueReturned() {
	if len(l.undoIDs) == 0 {
		return
	}
	l.batch.Queue(`
		SELECT e.book_id, e.undoes, p.lot_id, p.to_account, sum(p.credits)::bigint
		FROM unnest($1::bigint[], $2::bigint[]) AS w (book_id, undoes)
		CROSS JOIN LATERAL (
			SELECT book_id, undoes, sequence FROM entries
			WHERE book_id = w.book_id AND undoes = w.undoes AND kind IN ('reversal', 'clawback_undone')
			ORDER BY kind OFFSET 0) e
		CROSS JOIN LATERAL (
			SELECT lot_id, to_account, credits FROM postings
			WHERE book_id = e.book_id AND entry = e.sequence AND from_account IN (2, 4) OFFSET 0) p
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

// queueHolds loads the holds that are due and those that were asked for, with what the
// open ones keep, and finds when the first of the others ends.
func (l *loader) queueHolds() {
	l.batch.Queue(`
		SELECT h.book_id, h.id, h.holder_id, h.state, h.credits, h.captured, h.held_at, h.expires_at, h.settled_at, h.is_wanted,
		       d.lots, d.accounts, d.credits
		FROM (
			SELECT h.*, h.expires_at <= $2 AS is_wanted FROM unnest($1::bigint[]) AS ids (id)
			CROSS JOIN LATERAL (
				(SELECT * FROM holds WHERE book_id = ids.id AND state = 'open' AND expires_at <= $2 ORDER BY expires_at)
				UNION ALL
				(SELECT * FROM holds WHERE book_id = ids.id AND state = 'open' AND expires_at > $2 ORDER BY expires_at LIMIT 1)) h
			UNION ALL
			SELECT h.*, true FROM unnest($3::bigint[], $4::bigint[]) AS w (book_id, id)
			CROSS JOIN LATERAL (SELECT * FROM holds WHERE book_id = w.book_id AND id = w.id LIMIT 1) h) h
		CROSS JOIN LATERAL (
			SELECT array_agg(lot_id ORDER BY line) AS lots, array_agg(account_id ORDER BY line) AS accounts,
			       array_agg(credits ORDER BY line) AS credits
			FROM hold_draws WHERE book_id = h.book_id AND hold_id = h.id AND h.state = 'open' AND h.is_wanted) d`,
		l.ids, l.at, l.holdBooks, l.holdIDs,
	).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			if err := l.scanHold(rows); err != nil {
				return fmt.Errorf("reading a hold: %w", err)
			}
		}
		return rows.Err()
	})
}

func (l *loader) scanHold(rows pgx.Rows) error {
	var book int64
	var h HoldState
	var wanted bool
	var lots, credits []int64
	var accounts []int32
	if err := rows.Scan(&book, &h.ID, &h.Holder, &h.Status, &h.Credits, &h.Captured, &h.HeldAt, &h.ExpiresAt, &h.SettledAt,
		&wanted, &lots, &accounts, &credits); err != nil {
		return err
	}
	b := l.books[book]
	if !wanted {
		b.nextHoldEnd = &h.ExpiresAt
		return nil
	}
	if b.holds[h.ID] != nil { // due and asked for
		return nil
	}
	b.holds[h.ID] = &h
	for i, id := range lots {
		lot, found := b.lots[id]
		account, there := b.Account(accounts[i])
		if !found || !there {
			if l.left(b) {
				continue
			}
			return fmt.Errorf("hold %d of book %d keeps credits of lot %d in account %d, where none are", h.ID, book, id, accounts[i])
		}
		h.draws = append(h.draws, Draw{Portion: b.portion(lot, account), Credits: credits[i]})
	}
	return nil
}

func (l *loader) queueDebts() {
	l.batch.Queue(`
		SELECT book_id, id, cause, lot_id, credits, paid FROM debts WHERE book_id = ANY($1) AND paid < credits
		ORDER BY book_id, id`, l.ids,
	).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var book, lot int64
			var d debt
			if err := rows.Scan(&book, &d.ID, &d.Cause, &lot, &d.Credits, &d.Paid); err != nil {
				return fmt.Errorf("reading a debt: %w", err)
			}
			d.Lot = l.books[book].lots[lot]
			l.books[book].debts = append(l.books[book].debts, &d)
		}
		return rows.Err()
	})
}
