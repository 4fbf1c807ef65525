package ledger

// auditUsage counts the current window's usage again. It is countUsage for many books.
const auditUsage = `
	SELECT COALESCE(u.book_id, c.book_id), 'usage of "' || COALESCE(u.holder_id, c.holder_id) || '"',
	       'usage is what was spent since the window began, less what was reversed of it',
	       concat_ws(' ', COALESCE(c.monthly, 0), COALESCE(c.purchased, 0), COALESCE(c.rollover, 0), COALESCE(c.bonus, 0), COALESCE(c.contributed, 0), COALESCE(c.allocation, 0)),
	       concat_ws(' ', COALESCE(u.monthly, 0), COALESCE(u.purchased, 0), COALESCE(u.rollover, 0), COALESCE(u.bonus, 0), COALESCE(u.contributed, 0), COALESCE(u.allocation, 0))
	FROM (SELECT u.* FROM usage u JOIN books b ON b.id = u.book_id AND b.window_start = u.window_start
	      WHERE u.book_id BETWEEN $1 AND $2) u
	FULL JOIN (
		SELECT book_id, holder_id,
		       COALESCE(sum(credits) FILTER (WHERE class = 'monthly'), 0) AS monthly,
		       COALESCE(sum(credits) FILTER (WHERE class = 'purchase'), 0) AS purchased,
		       COALESCE(sum(credits) FILTER (WHERE class = 'rollover'), 0) AS rollover,
		       COALESCE(sum(credits) FILTER (WHERE class = 'bonus'), 0) AS bonus,
		       COALESCE(sum(credits) FILTER (WHERE class = 'contributed'), 0) AS contributed,
		       COALESCE(sum(credits) FILTER (WHERE 8 <= account), 0) AS allocation
		FROM (
			SELECT e.book_id, e.holder_id, CASE WHEN l.contributor <> '' THEN 'contributed' ELSE l.source END AS class,
			       CASE WHEN p.to_account = 2 THEN p.credits ELSE -p.credits END AS credits,
			       CASE WHEN p.to_account = 2 THEN p.from_account ELSE p.to_account END AS account
			FROM books b
			JOIN entries e ON e.book_id = b.id AND e.at >= b.window_start AND e.kind IN ('spend', 'capture', 'reversal')
			JOIN postings p ON p.book_id = e.book_id AND p.entry = e.sequence AND (p.to_account = 2 OR p.from_account = 2)
			JOIN lots l ON l.book_id = p.book_id AND l.id = p.lot_id
			LEFT JOIN entries undone ON undone.book_id = e.book_id AND undone.sequence = e.undoes AND e.kind = 'reversal'
			WHERE b.id BETWEEN $1 AND $2 AND (e.kind <> 'reversal' OR undone.at >= b.window_start)
		) moved GROUP BY 1, 2
	) c ON c.book_id = u.book_id AND c.holder_id = u.holder_id
	WHERE (COALESCE(c.monthly, 0), COALESCE(c.purchased, 0), COALESCE(c.rollover, 0), COALESCE(c.bonus, 0), COALESCE(c.contributed, 0), COALESCE(c.allocation, 0))
	   <> (COALESCE(u.monthly, 0), COALESCE(u.purchased, 0), COALESCE(u.rollover, 0), COALESCE(u.bonus, 0), COALESCE(u.contributed, 0), COALESCE(u.allocation, 0))`

// auditDrawn counts again what each holder drew from the main account, in all and in the
// current window: spends and open holds, captures in the window of their hold, less what
// was reversed in the window in which it was drawn.
const auditDrawn = `
	WITH moved AS (
		SELECT e.book_id, e.holder_id, CASE WHEN e.kind = 'reversal' THEN -p.credits ELSE p.credits END AS credits,
		       COALESCE(h.held_at, undone.at, e.at) AS drawn_at
		FROM entries e
		JOIN postings p ON p.book_id = e.book_id AND p.entry = e.sequence
		     AND (e.kind <> 'reversal' AND p.from_account = 7 AND p.to_account = 2 OR e.kind = 'reversal' AND p.from_account = 2 AND p.to_account = 7)
		LEFT JOIN entries undone ON undone.book_id = e.book_id AND undone.sequence = e.undoes AND e.kind = 'reversal'
		LEFT JOIN holds h ON h.book_id = e.book_id AND h.id = COALESCE(undone.undoes, e.undoes)
		WHERE e.book_id BETWEEN $1 AND $2 AND e.kind IN ('spend', 'capture', 'reversal')
		UNION ALL
		SELECT h.book_id, h.holder_id, d.credits, h.held_at
		FROM holds h JOIN hold_draws d ON d.book_id = h.book_id AND d.hold_id = h.id AND d.account_id = 7
		WHERE h.book_id BETWEEN $1 AND $2 AND h.state = 'open'
	), counted AS (
		SELECT m.book_id, m.holder_id, windows.window_start, sum(m.credits) AS credits
		FROM moved m JOIN books b ON b.id = m.book_id
		CROSS JOIN LATERAL (VALUES (b.window_start), ('0001-01-01 00:00:00+00'::timestamptz)) AS windows (window_start)
		WHERE m.drawn_at >= windows.window_start GROUP BY 1, 2, 3
	)
	SELECT COALESCE(d.book_id, c.book_id), 'drawn by "' || COALESCE(d.holder_id, c.holder_id) || '" since ' || COALESCE(d.window_start, c.window_start),
	       'what was drawn is what was spent or is held of the main account, less what came back',
	       COALESCE(c.credits, 0)::text, COALESCE(d.credits, 0)::text
	FROM counted c
	FULL JOIN (SELECT d.* FROM drawn d JOIN books b ON b.id = d.book_id AND d.window_start IN (b.window_start, '0001-01-01 00:00:00+00')
	           WHERE d.book_id BETWEEN $1 AND $2) d
	     ON d.book_id = c.book_id AND d.holder_id = c.holder_id AND d.window_start = c.window_start
	WHERE COALESCE(c.credits, 0) <> COALESCE(d.credits, 0)`
