package ledger

import (
	"time"

	"github.com/jackc/pgx/v5"
)

func queueEntryRows(batch *pgx.Batch, books []*Book) {
	var bookIDs, sequences, credits []int64
	var kinds, keys, actors, holders, memos, references []string
	var hashes [][]byte
	var at []time.Time
	var metadata, answers []*string
	var undoes, peerBooks, peerSequences, lots []*int64
	var endsAt []*time.Time
	for _, b := range books {
		for _, e := range b.entries {
			bookIDs, sequences, credits = append(bookIDs, b.ID), append(sequences, e.Sequence), append(credits, e.Credits)
			kinds, keys, actors = append(kinds, string(e.Kind)), append(keys, e.Key), append(actors, e.Actor)
			holders, memos, references = append(holders, e.Holder), append(memos, e.Memo), append(references, e.Reference)
			hashes, at = append(hashes, e.Hash), append(at, e.At)
			metadata, answers = append(metadata, jsonText(e.Metadata)), append(answers, jsonText(e.Answer))
			undoes, lots, endsAt = append(undoes, nonZero(e.Undoes)), append(lots, nonZero(e.Lot)), append(endsAt, e.EndsAt)
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
		                     undoes, peer_book_id, peer_sequence, lot_id, ends_at, answer)
		SELECT book_id, sequence, kind, key, request_hash, actor, at, credits, holder_id, memo, reference, metadata::jsonb,
		       undoes, peer_book_id, peer_sequence, lot_id, ends_at, answer::jsonb
		FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::timestamptz[],
		            $8::bigint[], $9::text[], $10::text[], $11::text[], $12::text[], $13::bigint[], $14::bigint[], $15::bigint[],
		            $16::bigint[], $17::timestamptz[], $18::text[])
		     AS u (book_id, sequence, kind, key, request_hash, actor, at, credits, holder_id, memo, reference, metadata,
		           undoes, peer_book_id, peer_sequence, lot_id, ends_at, answer)`,
		bookIDs, sequences, kinds, keys, hashes, actors, at, credits, holders, memos, references, metadata,
		undoes, peerBooks, peerSequences, lots, endsAt, answers)
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
