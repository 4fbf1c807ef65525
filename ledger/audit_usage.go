package ledger

// auditClassesAs says to which class of usage each lot belongs.
const auditClassesAs = `
	, classes AS NOT MATERIALIZED (
		SELECT book_id, id AS lot_id, CASE WHEN contributor <> '' THEN 'contributed' ELSE source END AS class FROM lots
	)`

// auditSpentAs adds up what plain spends used.
//
// Where all spends of a book were from one class of lots and one kind of account, what the
// entries add up to by holder says it all; that is so where nothing is wrong between the
// book's entries and postings. Of other books, spends are joined with their postings: those
// of the current window, and all of them where both the main account and allocations paid.
// That is done one by one or, where it is much, by the map, which tells both of all that
// nothing is wrong with; where it is too much for that, too, in one join of all.
const auditSpentAs = auditClassesAs + `
	, ways AS MATERIALIZED (
		SELECT w.book_id, w.account, w.class, b.window_start, k.knows_account, k.knows_class,
		       CASE WHEN k.knows_account THEN b.window_start ELSE '-infinity' END AS since
		FROM (
			SELECT f.book_id, LEAST(min(f.from_account), 8) AS account, min(c.class) AS class,
			       bool_and(f.from_account = 7) OR bool_and(f.from_account > 7) AS is_one_account,
			       min(c.class) = max(c.class) AS is_one_class,
			       count(c.class) = count(*) AND f.book_id NOT IN (SELECT book_id FROM unproved) AND f.book_id NOT IN (SELECT book_id FROM wrong) AS is_told
			FROM flows f LEFT JOIN classes c ON c.book_id = f.book_id AND c.lot_id = f.lot_id
			WHERE f.to_account = 2
			GROUP BY f.book_id
		) w
		JOIN books b ON b.id = w.book_id
		CROSS JOIN LATERAL (SELECT KNOWN) k
	), joining AS MATERIALIZED (
		SELECT COALESCE(4 * sum(t.n) FILTER (WHERE NOT w.knows_class AND (t.in_window OR NOT w.knows_account)) > sum(t.n), false) AS is_much
		FROM entered t LEFT JOIN ways w ON w.book_id = t.book_id WHERE t.plain
	), joined AS MATERIALIZED (
		SELECT e.book_id, e.holder_id, p.lot_id, p.from_account AS account, COALESCE(e.at >= w.window_start, false) AS in_window,
		       sum(p.credits) AS credits
		FROM ways w
		CROSS JOIN LATERAL (SELECT * FROM entries e WHERE e.book_id = w.book_id AND e.at >= w.since AND ` + auditPlain + ` OFFSET 0) e
		CROSS JOIN LATERAL (SELECT * FROM postings p WHERE p.book_id = e.book_id AND p.entry = e.sequence AND p.to_account = 2 OFFSET 0) p
		WHERE NOT w.knows_class AND NOT (SELECT is_much FROM joining)
		GROUP BY 1, 2, 3, 4, 5
		UNION ALL
		SELECT a.book_id, a.holder_id, a.lot_id, a.account, a.in_window, a.credits
		FROM (
			SELECT e.book_id, e.holder_id, p.lot_id, p.from_account AS account, COALESCE(e.at >= b.window_start, false) AS in_window,
			       sum(p.credits) AS credits
			FROM entries e
			JOIN postings p ON p.book_id = e.book_id AND p.entry = e.sequence
			JOIN books b ON b.id = e.book_id
			WHERE ` + auditPlain + ` AND p.to_account = 2 AND (SELECT is_much FROM joining)
			GROUP BY 1, 2, 3, 4, 5 OFFSET 0
		) a JOIN ways w ON w.book_id = a.book_id
		WHERE NOT w.knows_class AND (a.in_window OR NOT w.knows_account)
	), spent AS MATERIALIZED (
		SELECT j.book_id, j.holder_id, c.class, j.account, j.in_window, j.credits
		FROM joined j LEFT JOIN classes c ON c.book_id = j.book_id AND c.lot_id = j.lot_id
		UNION ALLSPENT
	)`

// readByWay takes spends for what all of a book's are, where these are of one kind of account
// or of one class, too.
var readByWay = auditReading{
	entered: auditEntered,
	known: `COALESCE(w.is_told AND w.is_one_account, false) AS knows_account,
			COALESCE(w.is_told AND w.is_one_account AND w.is_one_class, false) AS knows_class`,
	spent: `
		SELECT t.book_id, t.holder_id, w.class, w.account, t.in_window, t.credits
		FROM entered t JOIN ways w ON w.book_id = t.book_id
		WHERE t.plain AND (w.knows_class OR w.knows_account AND NOT t.in_window)`,
}

// auditUsedAs counts again what members used in the current window, and what each drew
// from the main account in it and in all. It is countUsage and countDrawn for many books.
// What is settled or given back is looked up one by one.
//
// A capture counts as used when it was made and as drawn when it was held; a reversal
// where what it reverses counted.
const auditUsedAs = `
	, settled AS MATERIALIZED (
		SELECT e.book_id, e.holder_id, c.class, CASE WHEN p.to_account = 2 THEN p.from_account ELSE p.to_account END AS account,
		       CASE WHEN p.to_account = 2 THEN p.credits ELSE -p.credits END AS credits,
		       COALESCE(e.at >= b.window_start AND (e.kind <> 'reversal' OR undone.at >= b.window_start), false) AS in_window,
		       COALESCE(COALESCE(h.held_at, undone.at, e.at) >= b.window_start, false) AS drawn_in_window
		FROM (SELECT * FROM odd WHERE kind IN ('spend', 'capture', 'reversal')) e
		JOIN books b ON b.id = e.book_id
		CROSS JOIN LATERAL (
			SELECT * FROM postings p WHERE p.book_id = e.book_id AND p.entry = e.sequence
			   AND (p.to_account = 2 AND e.kind <> 'reversal' OR p.from_account = 2 AND e.kind = 'reversal') OFFSET 0) p
		LEFT JOIN LATERAL (
			SELECT at, undoes FROM entries u WHERE u.book_id = e.book_id AND u.sequence = e.undoes AND e.kind = 'reversal' LIMIT 1) undone ON true
		LEFT JOIN LATERAL (
			SELECT held_at FROM holds h WHERE h.book_id = e.book_id AND h.id = COALESCE(undone.undoes, e.undoes) AND e.kind <> 'spend' LIMIT 1) h ON true
		LEFT JOIN LATERAL (SELECT class FROM classes c WHERE c.book_id = p.book_id AND c.lot_id = p.lot_id LIMIT 1) c ON true
	), counted_usage AS (
		SELECT m.book_id, m.holder_id,
		       COALESCE(sum(m.credits) FILTER (WHERE m.class = 'monthly'), 0) AS monthly,
		       COALESCE(sum(m.credits) FILTER (WHERE m.class = 'purchase'), 0) AS purchased,
		       COALESCE(sum(m.credits) FILTER (WHERE m.class = 'rollover'), 0) AS rollover,
		       COALESCE(sum(m.credits) FILTER (WHERE m.class = 'bonus'), 0) AS bonus,
		       COALESCE(sum(m.credits) FILTER (WHERE m.class = 'contributed'), 0) AS contributed,
		       COALESCE(sum(m.credits) FILTER (WHERE 8 <= m.account), 0) AS allocation
		FROM (SELECT book_id, holder_id, class, account, credits FROM spent WHERE in_window
		      UNION ALL
		      SELECT book_id, holder_id, class, account, credits FROM settled WHERE in_window) m
		WHERE m.class IS NOT NULL
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
	)`

// auditUsed compares what was counted with usage and with what was drawn.
const auditUsed = `
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
