package ledger

// auditHolds compares each hold with the entry that made it, with what it keeps, and
// with the one that settled it.
const auditHolds = `
	SELECT h.book_id, 'hold ' || h.id, c.what, c.want, COALESCE(c.got, 'none')
	FROM (SELECT * FROM holds WHERE book_id BETWEEN $1 AND $2) h
	LEFT JOIN entries e ON e.book_id = h.book_id AND e.sequence = h.id AND e.kind = 'hold'
	CROSS JOIN LATERAL (
		SELECT COALESCE(sum(credits), 0) AS credits FROM hold_draws WHERE book_id = h.book_id AND hold_id = h.id) d
	CROSS JOIN LATERAL (
		SELECT count(*) AS n, min(kind) AS kind, min(at) AS at, COALESCE(sum(credits) FILTER (WHERE kind = 'capture'), 0) AS captured
		FROM entries WHERE book_id = h.book_id AND undoes = h.id AND kind IN ('capture', 'release', 'hold_expiry')) s
	CROSS JOIN LATERAL (VALUES
		('a hold is as its entry says', h.credits || ' for "' || h.holder_id || '" at ' || h.held_at || ' until ' || h.expires_at,
		 e.credits || ' for "' || e.holder_id || '" at ' || e.at || ' until ' || e.ends_at),
		('a hold keeps what it says', h.credits::text, d.credits::text),
		('a hold was settled as its state says', 
		 CASE h.state WHEN 'open' THEN '0 entries' WHEN 'captured' THEN '1 capture of ' || h.captured || ' at ' || h.settled_at
		              WHEN 'released' THEN '1 release of 0 at ' || h.settled_at ELSE '1 hold_expiry of 0 at ' || h.settled_at END,
		 s.n || COALESCE(' ' || s.kind || ' of ' || s.captured || ' at ' || s.at, ' entries'))
	) AS c (what, want, got)
	WHERE c.want IS DISTINCT FROM c.got
	UNION ALL
	SELECT e.book_id, 'entry ' || e.sequence, 'a capture uses what its hold kept', 'at most ' || COALESCE(sum(d.credits), 0) || ' of lot ' || p.lot_id,
	       p.credits::text
	FROM entries e
	JOIN postings p ON p.book_id = e.book_id AND p.entry = e.sequence AND p.to_account = 2
	LEFT JOIN hold_draws d ON d.book_id = e.book_id AND d.hold_id = e.undoes AND d.lot_id = p.lot_id AND d.account_id = p.from_account
	WHERE e.book_id BETWEEN $1 AND $2 AND e.undoes IS NOT NULL AND e.kind = 'capture'
	GROUP BY e.book_id, e.sequence, p.line, p.lot_id, p.credits HAVING p.credits > COALESCE(sum(d.credits), 0)
	UNION ALL
	SELECT d.book_id, 'hold ' || d.hold_id, 'a hold keeps credits of lots and accounts that exist', 'a lot and an account',
	       'lot ' || d.lot_id || ' in account ' || d.account_id
	FROM hold_draws d
	LEFT JOIN lots l ON l.book_id = d.book_id AND l.id = d.lot_id
	LEFT JOIN accounts a ON a.book_id = d.book_id AND a.id = d.account_id
	WHERE d.book_id BETWEEN $1 AND $2 AND (l.id IS NULL OR a.id IS NULL)
	UNION ALL
	SELECT d.book_id, 'hold ' || d.hold_id, 'what is kept belongs to a hold', 'a hold', 'none'
	FROM hold_draws d LEFT JOIN holds h ON h.book_id = d.book_id AND h.id = d.hold_id
	WHERE d.book_id BETWEEN $1 AND $2 AND h.id IS NULL`

// auditDebts compares what is owed with the debt account.
const auditDebts = `
	SELECT a.book_id, 'account 5', 'the debt account is what is still owed', (-COALESCE(d.owed, 0))::text, a.balance::text
	FROM accounts a
	LEFT JOIN (SELECT book_id, sum(credits - paid) AS owed FROM debts WHERE book_id BETWEEN $1 AND $2 GROUP BY 1) d
	     ON d.book_id = a.book_id
	WHERE a.book_id BETWEEN $1 AND $2 AND a.id = 5 AND a.balance <> -COALESCE(d.owed, 0)`

// auditLots looks at where lots come from: the entry that made them and, of those that
// rolled over or came from another book, the lot before.
const auditLots = `
	SELECT l.book_id, 'lot ' || l.id, 'a lot was made by an entry that makes lots', 'such an entry before it', COALESCE(e.kind, 'none')
	FROM lots l LEFT JOIN entries e ON e.book_id = l.book_id AND e.sequence = l.created_entry AND e.book_id BETWEEN $1 AND $2
	WHERE l.book_id BETWEEN $1 AND $2
	  AND NOT COALESCE(e.kind IN ('grant', 'rollover', 'contribution_in', 'assignment_in', 'debt_in', 'clawback') AND e.sequence < l.id, false)
	UNION ALL
	SELECT l.book_id, 'lot ' || l.id, 'a lot keeps the lineage of the lot it came from',
	       COALESCE('root ' || p.root_origin || ', payer "' || p.payer || '", first granted at ' || p.first_granted_at
	                || ', effective at ' || p.effective_at || ', source ' || p.source, 'lot ' || l.parent_lot_id || ' of book ' || l.parent_book_id),
	       COALESCE('root ' || l.root_origin || ', payer "' || l.payer || '", first granted at ' || l.first_granted_at
	                || ', effective at ' || l.effective_at || ', source ' || l.source, 'none')
	FROM lots l
	LEFT JOIN LATERAL (SELECT * FROM lots WHERE book_id = l.parent_book_id AND id = l.parent_lot_id LIMIT 1) p ON true
	WHERE l.book_id BETWEEN $1 AND $2 AND l.parent_lot_id IS NOT NULL
	  AND NOT COALESCE(
		p.root_origin = l.root_origin AND p.payer = l.payer AND p.first_granted_at = l.first_granted_at
		AND p.effective_at = l.effective_at
		AND CASE WHEN p.book_id = l.book_id THEN l.source = 'rollover' AND p.id < l.id ELSE l.source = p.source END, false)`

// auditLotMarks compares what a lot says of itself with the last entry that said so. A
// lot that came frozen from another book may stay so without an entry here.
const auditLotMarks = `
	SELECT l.book_id, 'lot ' || l.id, 'a lot is frozen if its last freeze or thaw says so',
	       COALESCE(m.kind = 'freeze', false)::text, l.frozen::text
	FROM lots l
	LEFT JOIN (SELECT DISTINCT ON (book_id, lot_id) book_id, lot_id, kind FROM entries
	           WHERE book_id BETWEEN $1 AND $2 AND kind IN ('freeze', 'thaw') AND lot_id IS NOT NULL
	           ORDER BY book_id, lot_id, sequence DESC) m ON m.book_id = l.book_id AND m.lot_id = l.id
	WHERE l.book_id BETWEEN $1 AND $2 AND l.frozen <> COALESCE(m.kind = 'freeze', false)
	  AND NOT (m.kind IS NULL AND l.parent_book_id <> l.book_id)
	UNION ALL
	SELECT l.book_id, 'lot ' || l.id, 'a redated lot ends when its last redate says', COALESCE(m.ends_at::text, 'never'),
	       COALESCE(l.expires_at::text, 'never')
	FROM lots l
	JOIN (SELECT DISTINCT ON (book_id, lot_id) book_id, lot_id, ends_at FROM entries
	      WHERE book_id BETWEEN $1 AND $2 AND kind = 'redate' AND lot_id IS NOT NULL
	      ORDER BY book_id, lot_id, sequence DESC) m ON m.book_id = l.book_id AND m.lot_id = l.id
	WHERE l.expires_at IS DISTINCT FROM m.ends_at`

// auditCounted looks how far a book says that it has counted.
const auditCounted = `
	SELECT b.id, 'book', 'it has counted as far as its entries and lots', 'at least ' || GREATEST(e.sequence, l.id), b.sequence::text
	FROM books b
	LEFT JOIN LATERAL (SELECT sequence FROM entries WHERE book_id = b.id ORDER BY sequence DESC LIMIT 1) e ON true
	LEFT JOIN LATERAL (SELECT id FROM lots WHERE book_id = b.id ORDER BY id DESC LIMIT 1) l ON true
	WHERE b.id BETWEEN $1 AND $2 AND b.sequence < GREATEST(e.sequence, l.id)`

// auditCountedOfMany does so for many books with few entries each: to read them all once is
// less than to look for the last of each.
const auditCountedOfMany = `
	SELECT b.id, 'book', 'it has counted as far as its entries and lots', 'at least ' || GREATEST(e.sequence, l.id), b.sequence::text
	FROM books b
	LEFT JOIN (SELECT book_id, max(sequence) AS sequence FROM entries WHERE book_id BETWEEN $1 AND $2 GROUP BY 1) e ON e.book_id = b.id
	LEFT JOIN (SELECT book_id, max(id) AS id FROM lots WHERE book_id BETWEEN $1 AND $2 GROUP BY 1) l ON l.book_id = b.id
	WHERE b.id BETWEEN $1 AND $2 AND b.sequence < GREATEST(e.sequence, l.id)`

// auditOwnAccounts looks whether a book has its own accounts and a main one.
const auditOwnAccounts = `
	SELECT b.id, 'book', 'it has its own accounts and a main one', '7', count(a.id)::text
	FROM books b LEFT JOIN accounts a ON a.book_id = b.id AND a.id <= 7 AND a.book_id BETWEEN $1 AND $2
	WHERE b.id BETWEEN $1 AND $2 GROUP BY b.id HAVING count(a.id) <> 7`

// auditDue looks when a book says that it must be looked at next.
const auditDue = `
	SELECT b.id, 'book', 'it falls due no later than what it holds', 'by ' || LEAST(h.at, l.at), COALESCE(b.due_at::text, 'never')
	FROM books b
	LEFT JOIN (SELECT book_id, min(expires_at) AS at FROM holds
	           WHERE book_id BETWEEN $1 AND $2 AND state = 'open' GROUP BY 1) h ON h.book_id = b.id
	LEFT JOIN (SELECT r.book_id, min(l.expires_at) AS at
	           FROM lot_balances r JOIN lots l ON l.book_id = r.book_id AND l.id = r.lot_id AND l.book_id BETWEEN $1 AND $2
	           WHERE r.book_id BETWEEN $1 AND $2 AND r.is_open AND r.balance > r.held AND l.series = '' AND NOT l.frozen
	           GROUP BY 1) l ON l.book_id = b.id
	WHERE b.id BETWEEN $1 AND $2 AND LEAST(h.at, l.at) < COALESCE(b.due_at, 'infinity')`
