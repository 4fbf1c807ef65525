-- +goose Up

-- Transfers from one member's allocation to another's, by whose it was: an entry names whom
-- it concerns, of a transfer the recipient, and givers look for theirs, too. No other
-- posting lies between two allocations, so that a spend doesn't touch this index.
CREATE INDEX postings_givers ON postings (book_id, from_account, entry) WHERE from_account >= 8 AND to_account >= 8;
