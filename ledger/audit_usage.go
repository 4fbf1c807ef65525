package ledger

// auditUsed counts again what members used in the current window, and what each drew from
// the main account in it and in all. It is countUsage and countDrawn for many books, in
// one pass over the spends: added up by lot and account they are few rows, however many
// there were. What is settled or given back is looked up one by one.
//
// A capture counts as used when it was made and as drawn when it was held; a reversal
// where what it reverses counted.
const auditUsed = `
	WITH spent AS MATERIALIZED (
		SELECT e.book_id, e.holder_id, p.lot_id, p.from_account AS account, COALESCE(e.at >= b.window_start, false) AS in_window,
		       sum(p.credits) AS credits
		FROM books b
		JOIN entries e ON e.book_id = b.id AND e.book_id BETWEEN $1 AND $2
		JOIN postings p ON p.book_id = e.book_id AND p.entry = e.sequence AND p.book_id BETWEEN $1 AND $2
		WHERE b.id BETWEEN $1 AND $2 AND e.kind = 'spend' AND p.to_account = 2
		GROUP BY 1, 2, 3, 4, 5
	), settled AS MATERIALIZED (
		SELECT e.book_id, e.holder_id, p.lot_id, CASE WHEN p.to_account = 2 THEN p.from_account ELSE p.to_account END AS account,
		       CASE WHEN p.to_account = 2 THEN p.credits ELSE -p.credits END AS credits,
		       COALESCE(e.at >= b.window_start AND (e.kind <> 'reversal' OR undone.at >= b.window_start), false) AS in_window,
		       COALESCE(COALESCE(h.held_at, undone.at, e.at) >= b.window_start, false) AS drawn_in_window
		FROM books b
		JOIN entries e ON e.book_id = b.id AND e.book_id BETWEEN $1 AND $2 AND e.kind IN ('capture', 'reversal')
		JOIN postings p ON p.book_id = e.book_id AND p.entry = e.sequence
		     AND (p.to_account = 2 AND e.kind = 'capture' OR p.from_account = 2 AND e.kind = 'reversal')
		LEFT JOIN entries undone ON undone.book_id = e.book_id AND undone.sequence = e.undoes AND e.kind = 'reversal'
		LEFT JOIN holds h ON h.book_id = e.book_id AND h.id = COALESCE(undone.undoes, e.undoes)
		WHERE b.id BETWEEN $1 AND $2
	), counted_usage AS (
		SELECT m.book_id, m.holder_id,
		       COALESCE(sum(m.credits) FILTER (WHERE l.contributor = '' AND l.source = 'monthly'), 0) AS monthly,
		       COALESCE(sum(m.credits) FILTER (WHERE l.contributor = '' AND l.source = 'purchase'), 0) AS purchased,
		       COALESCE(sum(m.credits) FILTER (WHERE l.contributor = '' AND l.source = 'rollover'), 0) AS rollover,
		       COALESCE(sum(m.credits) FILTER (WHERE l.contributor = '' AND l.source = 'bonus'), 0) AS bonus,
		       COALESCE(sum(m.credits) FILTER (WHERE l.contributor <> ''), 0) AS contributed,
		       COALESCE(sum(m.credits) FILTER (WHERE 8 <= m.account), 0) AS allocation
		FROM (SELECT book_id, holder_id, lot_id, account, credits FROM spent WHERE in_window
		      UNION ALL
		      SELECT book_id, holder_id, lot_id, account, credits FROM settled WHERE in_window) m
		JOIN lots l ON l.book_id = m.book_id AND l.id = m.lot_id
		GROUP BY 1, 2
	), drew AS (
		SELECT book_id, holder_id, credits, in_window FROM spent WHERE account = 7
		UNION ALL
		SELECT book_id, holder_id, credits, drawn_in_window FROM settled WHERE account = 7
		UNION ALL
		SELECT h.book_id, h.holder_id, d.credits, COALESCE(h.held_at >= b.window_start, false)
		FROM holds h
		JOIN books b ON b.id = h.book_id
		JOIN hold_draws d ON d.book_id = h.book_id AND d.hold_id = h.id AND d.account_id = 7
		WHERE h.book_id BETWEEN $1 AND $2 AND h.state = 'open'
	), counted_drawn AS (
		SELECT book_id, holder_id, '0001-01-01 00:00:00+00'::timestamptz AS window_start, sum(credits) AS credits FROM drew GROUP BY 1, 2
		UNION ALL
		SELECT d.book_id, d.holder_id, b.window_start, sum(d.credits) FROM drew d JOIN books b ON b.id = d.book_id WHERE d.in_window GROUP BY 1, 2, 3
	)
	SELECT COALESCE(u.book_id, c.book_id), 'usage of "' || COALESCE(u.holder_id, c.holder_id) || '"',
	       'usage is what was spent since the window began, less what was reversed of it',
	       concat_ws(' ', COALESCE(c.monthly, 0), COALESCE(c.purchased, 0), COALESCE(c.rollover, 0), COALESCE(c.bonus, 0), COALESCE(c.contributed, 0), COALESCE(c.allocation, 0)),
	       concat_ws(' ', COALESCE(u.monthly, 0), COALESCE(u.purchased, 0), COALESCE(u.rollover, 0), COALESCE(u.bonus, 0), COALESCE(u.contributed, 0), COALESCE(u.allocation, 0))
	FROM (SELECT u.* FROM usage u JOIN books b ON b.id = u.book_id AND b.window_start = u.window_start
	      WHERE u.book_id BETWEEN $1 AND $2) u
	FULL JOIN counted_usage c ON c.book_id = u.book_id AND c.holder_id = u.holder_id
	WHERE (COALESCE(c.monthly, 0), COALESCE(c.purchased, 0), COALESCE(c.rollover, 0), COALESCE(c.bonus, 0), COALESCE(c.contributed, 0), COALESCE(c.allocation, 0))
	   <> (COALESCE(u.monthly, 0), COALESCE(u.purchased, 0), COALESCE(u.rollover, 0), COALESCE(u.bonus, 0), COALESCE(u.contributed, 0), COALESCE(u.allocation, 0))
	UNION ALL
	SELECT COALESCE(d.book_id, c.book_id), 'drawn by "' || COALESCE(d.holder_id, c.holder_id) || '" since ' || COALESCE(d.window_start, c.window_start),
	       'what was drawn is what was spent or is held of the main account, less what came back',
	       COALESCE(c.credits, 0)::text, COALESCE(d.credits, 0)::text
	FROM counted_drawn c
	FULL JOIN (SELECT d.* FROM drawn d JOIN books b ON b.id = d.book_id AND d.window_start IN (b.window_start, '0001-01-01 00:00:00+00')
	           WHERE d.book_id BETWEEN $1 AND $2) d
	     ON d.book_id = c.book_id AND d.holder_id = c.holder_id AND d.window_start = c.window_start
	WHERE COALESCE(c.credits, 0) <> COALESCE(d.credits, 0)`
