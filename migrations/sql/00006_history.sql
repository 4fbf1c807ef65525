-- +goose Up

-- A member's own history: without this every page of somebody who spends little reads
-- the whole book.
CREATE INDEX entries_holder ON entries (book_id, holder_id, sequence) WHERE holder_id <> '';
-- Grants, moves, expiries: few beside the spends, which don't touch this index.
CREATE INDEX entries_seldom ON entries (book_id, kind, sequence)
    WHERE kind NOT IN ('spend', 'hold', 'capture', 'release', 'hold_expiry', 'reversal', 'spend_elsewhere');

-- What was used of the holder's own allocation; part of what the other figures add up to.
ALTER TABLE usage ADD COLUMN allocation bigint NOT NULL DEFAULT 0;
UPDATE usage u SET allocation = counted.credits
FROM (
    SELECT e.book_id, b.window_start, e.holder_id, sum(CASE WHEN p.to_account = 2 THEN p.credits ELSE -p.credits END)::bigint AS credits
    FROM books b
    JOIN entries e ON e.book_id = b.id AND e.at >= b.window_start AND e.kind IN ('spend', 'capture', 'reversal')
    JOIN postings p ON p.book_id = e.book_id AND p.entry = e.sequence
         AND (p.from_account >= 8 AND p.to_account = 2 OR p.from_account = 2 AND p.to_account >= 8)
    LEFT JOIN entries undone ON undone.book_id = e.book_id AND undone.sequence = e.undoes AND e.kind = 'reversal'
    WHERE e.kind <> 'reversal' OR undone.at >= b.window_start
    GROUP BY 1, 2, 3) counted
WHERE u.book_id = counted.book_id AND u.window_start = counted.window_start AND u.holder_id = counted.holder_id;
