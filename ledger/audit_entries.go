package ledger

// auditOfKind says whether a posting goes in the way of its entry's kind.
const auditOfKind = `CASE e.kind
					WHEN 'grant' THEN p.from_account = 1 AND p.to_account >= 7
					WHEN 'take_back' THEN p.from_account >= 7 AND p.to_account = 1
					WHEN 'spend' THEN p.from_account >= 7 AND p.to_account = 2
					WHEN 'capture' THEN p.from_account >= 7 AND p.to_account = 2
					WHEN 'reversal' THEN p.from_account = 2 AND p.to_account >= 7
					WHEN 'allocation' THEN p.from_account >= 7 AND p.to_account > 7
					WHEN 'reclaim' THEN p.from_account > 7 AND p.to_account >= 7
					WHEN 'transfer' THEN p.from_account >= 7 AND p.to_account >= 7
					WHEN 'contribution' THEN p.from_account >= 7 AND p.to_account = 6
					WHEN 'assignment' THEN p.from_account >= 7 AND p.to_account = 6
					WHEN 'contribution_in' THEN p.from_account = 6 AND p.to_account >= 7
					WHEN 'assignment_in' THEN p.from_account = 6 AND p.to_account >= 7
					WHEN 'rollover' THEN p.from_account >= 7 AND p.to_account = 6
					WHEN 'expiry' THEN p.from_account >= 7 AND p.to_account = 3
					WHEN 'clawback' THEN (p.from_account >= 7 OR p.from_account = 5) AND p.to_account = 4
					WHEN 'clawback_undone' THEN p.from_account = 4 AND (p.to_account >= 7 OR p.to_account = 5)
					WHEN 'debt' THEN p.from_account = 6 AND p.to_account = 5
					WHEN 'debt_in' THEN p.from_account = 5 AND p.to_account = 6
					ELSE false END`

// auditOwnKey is the key that the ledger itself gives an entry of this kind.
const auditOwnKey = `CASE e.kind WHEN 'expiry' THEN 'ledger:expiry:' || p.lot_id || ':' || e.sequence
		                   WHEN 'hold_expiry' THEN 'ledger:hold_expiry:' || e.undoes || ':' || e.sequence
		                   ELSE 'ledger:peer:' || e.peer_book_id || ':' || e.peer_sequence END`

// auditUndoes are the kinds that settle another entry or give it back.
const auditUndoes = `('capture', 'release', 'hold_expiry', 'reversal', 'clawback_undone')`

// auditMoveless are the kinds of which the credits aren't moved, or not here.
const auditMoveless = `('hold', 'release', 'hold_expiry', 'spend_elsewhere')`

// auditUsual says of an entry beside its first posting and the sums of its others that
// nothing is wrong with it, and needs no other look. What isn't usual may be right all the
// same: auditLooked and auditWrong decide that.
const auditUsual = `
		e.request_hash <> '' AND (e.undoes IS NOT NULL) = (e.kind IN ` + auditUndoes + `)
		AND (NOT starts_with(e.key, 'ledger:') AND e.kind NOT IN ('hold_expiry', 'assignment_in', 'debt_in') OR e.key = ` + auditOwnKey + `)
		AND CASE WHEN p.line IS NULL THEN m.entry IS NULL AND (e.credits = 0 OR e.kind IN ` + auditMoveless + `)
		         WHEN NOT ` + auditOfKind + ` THEN false
		         WHEN e.kind = 'rollover' THEN p.credits = e.credits AND m.all_return AND m.credits = e.credits
		         WHEN m.entry IS NULL THEN p.credits = e.credits
		         ELSE e.kind IN ('spend', 'capture') AND m.all_spend AND p.credits + m.credits = e.credits END`

// auditLooked puts suspects beside their postings: what they moved in the way of their kind
// and in others. What enters the main account may go on to the debt (7 to 5), what returns
// to a closed allocation on to the main account (8… to 7).
const auditLooked = `
		SELECT e.book_id, e.sequence, e.kind, e.key, e.credits, e.undoes, length(e.request_hash) AS hash_length, p.moved, p.from_clearing, p.strange,
		       ` + auditMarked + ` AS marked, p.usual, p.usual_credits, p.usual_mark, p.others,
		       ` + auditOwnKey + ` AS own_key
		FROM suspects s
		CROSS JOIN LATERAL (SELECT * FROM entries WHERE book_id = s.book_id AND sequence = s.sequence LIMIT 1) e
		CROSS JOIN LATERAL (
			SELECT min(p.lot_id) AS lot_id, COALESCE(sum(p.credits) FILTER (WHERE k.is_of_kind), 0) AS moved,
			       COALESCE(sum(p.credits) FILTER (WHERE p.from_account = 6), 0) AS from_clearing,
			       count(p.line) FILTER (WHERE NOT k.is_of_kind AND NOT k.is_rest) AS strange,
			       count(p.line) FILTER (WHERE k.is_usual) AS usual, COALESCE(sum(p.credits) FILTER (WHERE k.is_usual), 0) AS usual_credits,
			       COALESCE(sum(hashint8extended(p.entry, p.credits)) FILTER (WHERE k.is_usual), 0) AS usual_mark,
			       count(p.line) FILTER (WHERE NOT k.is_usual) AS others
			FROM (SELECT * FROM postings WHERE book_id = e.book_id AND entry = e.sequence OFFSET 0) p
			CROSS JOIN LATERAL (SELECT p.line = 1 AND p.from_account >= 7 AND p.to_account = 2 AS is_usual,
				` + auditOfKind + ` AS is_of_kind,
				p.from_account = 7 AND p.to_account = 5 AND e.kind IN ('grant', 'capture', 'release', 'hold_expiry', 'reversal',
				     'reclaim', 'transfer', 'contribution_in', 'assignment_in', 'clawback_undone')
				OR p.from_account > 7 AND p.to_account = 7 AND e.kind IN ('capture', 'release', 'hold_expiry', 'reversal', 'clawback_undone')
				OR p.from_account = 6 AND p.to_account >= 7 AND e.kind = 'rollover' AS is_rest) k
		) p`

// auditWrong compares what was looked at with what the entry says: the amount it names is
// what it moved in the way of its kind, and it moved nothing in another way.
const auditWrong = `
	SELECT e.book_id, 'entry ' || e.sequence AS place, c.what, c.want, c.got
	FROM looked e
	CROSS JOIN LATERAL (VALUES
		('an entry moves what it says, in the way of its kind', e.credits::text, e.moved::text,
		 e.kind NOT IN ` + auditMoveless + ` AND e.moved <> e.credits),
		('an entry moves nothing in the way of another kind', '0 such postings', e.strange::text, e.strange > 0),
		('a rollover leaves the clearing account as it was', e.credits::text, e.from_clearing::text,
		 e.kind = 'rollover' AND e.from_clearing <> e.credits),
		('an entry keeps the hash of its request', 'a hash', 'none', e.hash_length = 0),
		('an entry undoes another if its kind does so', (NOT e.undoes IS NULL)::text, (e.undoes IS NULL)::text,
		 (e.undoes IS NOT NULL) <> (e.kind IN ` + auditUndoes + `)),
		('a key of the ledger''s own says what its entry is', COALESCE(e.own_key, 'a key that the caller chose'), e.key,
		 (starts_with(e.key, 'ledger:') OR e.kind IN ('hold_expiry', 'assignment_in', 'debt_in'))
		 AND e.key IS DISTINCT FROM e.own_key)
	) AS c (what, want, got, is_wrong)
	-- The first line is a cheap look that nearly all entries pass.
	WHERE (e.moved <> e.credits OR e.strange > 0 OR e.from_clearing > 0 OR e.hash_length = 0 OR e.undoes IS NOT NULL
	       OR e.kind IN ('capture', 'release', 'hold_expiry', 'reversal', 'clawback_undone', 'rollover', 'contribution_in', 'assignment_in',
	                  'debt_in')
	       OR starts_with(e.key, 'ledger:'))
	  AND c.is_wrong`

// auditEntries looks at every entry of some books beside its postings, and names what is
// wrong. A join finds that nearly all are as usual; the others are looked at one by one.
const auditEntries = `
	WITH suspects AS MATERIALIZED (
		SELECT e.book_id, e.sequence
		FROM entries e
		LEFT JOIN postings p ON p.book_id = e.book_id AND p.entry = e.sequence AND p.line = 1 AND p.book_id BETWEEN $1 AND $2
		LEFT JOIN (
			SELECT book_id, entry, bool_and(from_account = 6 AND to_account >= 7) AS all_return,
			       bool_and(from_account >= 7 AND to_account = 2) AS all_spend, sum(credits) AS credits
			FROM postings WHERE book_id BETWEEN $1 AND $2 AND line <> 1 GROUP BY 1, 2) m ON m.book_id = e.book_id AND m.entry = e.sequence
		WHERE e.book_id BETWEEN $1 AND $2 AND NOT COALESCE(` + auditUsual + `, false)
	), looked AS MATERIALIZED (` + auditLooked + `
	)` + auditWrong + `
	UNION ALL
	SELECT p.book_id, 'entry ' || p.entry, 'postings belong to an entry that exists', 'an entry', count(*) || ' postings of none'
	FROM postings p
	WHERE p.book_id BETWEEN $1 AND $2
	  AND NOT EXISTS (SELECT FROM entries e WHERE e.book_id = p.book_id AND e.sequence = p.entry AND e.book_id BETWEEN $1 AND $2)
	GROUP BY p.book_id, p.entry`

// auditKeysUnique says whether the database itself refuses a key that is there already.
// Unlike a foreign key or a trigger, nobody can switch a unique index off for a while.
const auditKeysUnique = `
	SELECT EXISTS (
		SELECT FROM pg_index i
		WHERE i.indrelid = 'entries'::regclass AND i.indisunique AND i.indisvalid AND i.indisready AND i.indpred IS NULL AND i.indexprs IS NULL
		  AND i.indnkeyatts = 2 AND (SELECT array_agg(a.attname::text ORDER BY a.attname) FROM pg_attribute a
		                             WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)) = ARRAY['book_id', 'key'])`

// auditKeys looks for a key that answers for two entries, where no unique index does.
const auditKeys = `
	SELECT book_id, 'key ' || key, 'a key has one entry', '1', count(*)::text
	FROM entries WHERE book_id BETWEEN $1 AND $2
	GROUP BY book_id, key HAVING count(*) > 1`

// auditSettled looks at what each settling and each undoing entry points at.
const auditSettled = `
	SELECT e.book_id, 'entry ' || e.sequence, 'an entry undoes one that its kind can undo',
	       CASE e.kind WHEN 'reversal' THEN 'spend or capture' WHEN 'clawback_undone' THEN 'clawback' ELSE 'hold' END,
	       COALESCE(u.kind, 'none')
	FROM entries e LEFT JOIN entries u ON u.book_id = e.book_id AND u.sequence = e.undoes
	WHERE e.book_id BETWEEN $1 AND $2 AND e.undoes IS NOT NULL
	  AND NOT COALESCE(CASE e.kind WHEN 'reversal' THEN u.kind IN ('spend', 'capture')
	                               WHEN 'clawback_undone' THEN u.kind = 'clawback'
	                               ELSE u.kind = 'hold' END AND u.sequence < e.sequence, false)`

// auditUndone compares what was given back of a spend, a capture or a clawback with
// what it took: of each lot and account no more, and no more in all.
const auditUndone = `
	WITH undoing AS MATERIALIZED (
		SELECT e.book_id, e.undoes, p.lot_id, p.to_account AS account_id, sum(p.credits) AS credits
		FROM entries e
		JOIN postings p ON p.book_id = e.book_id AND p.entry = e.sequence AND p.from_account IN (2, 4)
		WHERE e.book_id BETWEEN $1 AND $2 AND e.undoes IS NOT NULL AND e.kind IN ('reversal', 'clawback_undone')
		GROUP BY 1, 2, 3, 4
	)
	SELECT u.book_id, 'entry ' || u.undoes, 'no more is given back than was taken', 'at most ' || e.credits, sum(u.credits)::text
	FROM undoing u JOIN entries e ON e.book_id = u.book_id AND e.sequence = u.undoes
	GROUP BY u.book_id, u.undoes, e.credits HAVING sum(u.credits) > e.credits
	UNION ALL
	SELECT u.book_id, 'entry ' || u.undoes, 'what is given back goes where it was taken', 
	       'at most ' || t.credits || ' of lot ' || u.lot_id || ' to account ' || u.account_id, u.credits::text
	FROM undoing u
	JOIN entries e ON e.book_id = u.book_id AND e.sequence = u.undoes AND e.kind IN ('spend', 'capture')
	CROSS JOIN LATERAL (
		SELECT COALESCE(sum(p.credits), 0) AS credits FROM postings p
		WHERE p.book_id = u.book_id AND p.entry = u.undoes AND p.lot_id = u.lot_id AND p.from_account = u.account_id
		  AND p.to_account = 2) t
	WHERE u.credits > t.credits`

// auditPeerLots compares the lots that arrived with those they came from: what leaves
// one clearing account must be what enters the other, lot by lot.
const auditPeerLots = `
	SELECT e.book_id, 'entry ' || e.sequence, 'what arrives is what left, lot by lot',
	       COALESCE(there.lots, 'nothing'), COALESCE(here.lots, 'nothing')
	FROM entries e
	CROSS JOIN LATERAL (
		SELECT string_agg(lot || ':' || credits, ' ' ORDER BY lot) AS lots
		FROM (SELECT l.parent_lot_id AS lot, sum(p.credits) AS credits
		      FROM postings p JOIN lots l ON l.book_id = p.book_id AND l.id = p.lot_id AND l.parent_book_id = e.peer_book_id
		      WHERE p.book_id = e.book_id AND p.entry = e.sequence AND p.from_account = 6 GROUP BY 1) s) here
	CROSS JOIN LATERAL (
		SELECT string_agg(lot || ':' || credits, ' ' ORDER BY lot) AS lots
		FROM (SELECT lot_id AS lot, sum(credits) AS credits
		      FROM postings WHERE book_id = e.peer_book_id AND entry = e.peer_sequence AND to_account = 6 GROUP BY 1) s) there
	WHERE e.book_id BETWEEN $1 AND $2 AND e.kind IN ('contribution_in', 'assignment_in')
	  AND e.peer_book_id IS NOT NULL AND here.lots IS DISTINCT FROM there.lots`
