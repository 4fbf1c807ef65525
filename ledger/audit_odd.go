package ledger

// auditOdd looks at entries that aren't plain.
const auditOdd = auditPeers + `
	UNION ALL
	SELECT e.book_id, 'entry ' || e.sequence, 'a hold''s entry has its hold', 'a hold', 'none'
	FROM odd e
	WHERE e.kind = 'hold' AND NOT EXISTS (SELECT FROM holds h WHERE h.book_id = e.book_id AND h.id = e.sequence)
	UNION ALL
	SELECT e.book_id, 'entry ' || e.sequence, 'a freeze, thaw or redate names a lot that exists', 'lot ' || e.lot_id, 'none'
	FROM odd e LEFT JOIN lots l ON l.book_id = e.book_id AND l.id = e.lot_id
	WHERE e.lot_id IS NOT NULL AND l.id IS NULL`

// auditPeers pairs the halves of what went from book to book. They may lie in books far
// apart, so each is looked up by its key.
const auditPeers = `
	SELECT e.book_id, 'entry ' || e.sequence, 'both halves of a move are there and point at each other',
	       COALESCE(e.kind || ' of ' || e.credits || ' with entry ' || e.peer_sequence || ' of book ' || e.peer_book_id, 'two halves'),
	       COALESCE(p.kind || ' of ' || p.credits || ' with entry ' || p.peer_sequence || ' of book ' || p.peer_book_id, 'none')
	FROM odd e
	LEFT JOIN LATERAL (
		SELECT kind, key, credits, at, peer_book_id, peer_sequence
		FROM entries WHERE book_id = e.peer_book_id AND sequence = e.peer_sequence LIMIT 1) p ON true
	WHERE (e.peer_book_id IS NOT NULL OR e.kind IN ('contribution', 'contribution_in', 'assignment', 'assignment_in', 'debt', 'debt_in',
	                                                'spend_elsewhere'))
	  AND NOT COALESCE(
		p.peer_book_id = e.book_id AND p.peer_sequence = e.sequence AND p.credits = e.credits AND p.at = e.at
		AND e.peer_book_id <> e.book_id
		AND starts_with(e.key, 'ledger:') <> starts_with(p.key, 'ledger:')
		AND CASE e.kind WHEN 'contribution' THEN p.kind = 'contribution_in' WHEN 'contribution_in' THEN p.kind = 'contribution'
		                WHEN 'assignment' THEN p.kind = 'assignment_in' WHEN 'assignment_in' THEN p.kind = 'assignment'
		                WHEN 'debt' THEN p.kind = 'debt_in' WHEN 'debt_in' THEN p.kind = 'debt'
		                WHEN 'spend_elsewhere' THEN p.kind NOT IN ('spend_elsewhere', 'contribution', 'assignment', 'debt')
		                ELSE p.kind = 'spend_elsewhere' END, false)`

// auditDebtCauses compares each debt with the entry that made it. Postings from the debt
// account are looked for only in books that have any.
const auditDebtCauses = `
	SELECT COALESCE(d.book_id, p.book_id), 'debt ' || COALESCE(d.id, p.entry), 'a debt is what its entry could not find',
	       COALESCE(p.credits || ' for ' || l.root_origin, 'none'), COALESCE(d.credits || ' for ' || d.cause, 'none')
	FROM (SELECT * FROM debts WHERE book_id BETWEEN $1 AND $2) d
	FULL JOIN (SELECT p.book_id, p.entry, p.lot_id, sum(p.credits) AS credits
	           FROM (SELECT DISTINCT book_id FROM flows WHERE from_account = 5) owing
	           JOIN postings p ON p.book_id = owing.book_id AND p.from_account = 5 GROUP BY 1, 2, 3) p
	     ON p.book_id = d.book_id AND p.entry = d.id AND p.lot_id = d.lot_id
	LEFT JOIN lots l ON l.book_id = p.book_id AND l.id = p.lot_id
	WHERE d.id IS NULL OR p.entry IS NULL OR d.credits <> p.credits OR d.cause <> l.root_origin`
