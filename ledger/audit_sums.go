package ledger

// auditMovedAs adds up what went between accounts by account, once for all that must
// follow from it.
const auditMovedAs = `
	, moved AS MATERIALIZED (
		SELECT book_id, lot_id, account_id, sum(credits) AS balance
		FROM (SELECT book_id, lot_id, from_account AS account_id, -credits AS credits FROM flows
		      UNION ALL
		      SELECT book_id, lot_id, to_account, credits FROM flows) sides
		GROUP BY 1, 2, 3
	), posted AS (
		SELECT book_id, account_id, sum(balance) AS balance FROM moved GROUP BY 1, 2
	), in_lots AS (
		SELECT book_id, account_id, sum(balance) AS balance
		FROM lot_balances WHERE book_id BETWEEN $1 AND $2 GROUP BY 1, 2
	), brought AS (
		SELECT book_id, lot_id, sum(credits) AS credits
		FROM flows WHERE from_account IN (1, 6) AND to_account >= 7 GROUP BY 1, 2
	)`

// auditSums compares the sums of the postings with balances, lots and what lots have left.
const auditSums = `
	SELECT a.book_id, 'account ' || a.id, 'its balance is the sum of its postings', COALESCE(p.balance, 0)::text, a.balance::text
	FROM accounts a LEFT JOIN posted p ON p.book_id = a.book_id AND p.account_id = a.id
	WHERE a.book_id BETWEEN $1 AND $2 AND a.balance <> COALESCE(p.balance, 0)
	UNION ALL
	SELECT a.book_id, 'account ' || a.id, 'its balance is what its lots have left there', COALESCE(l.balance, 0)::text, a.balance::text
	FROM accounts a LEFT JOIN in_lots l ON l.book_id = a.book_id AND l.account_id = a.id
	WHERE a.book_id BETWEEN $1 AND $2 AND a.id <> 5 AND a.balance <> COALESCE(l.balance, 0)
	UNION ALL
	SELECT COALESCE(m.book_id, l.book_id), 'lot ' || COALESCE(m.lot_id, l.lot_id) || ' in account ' || COALESCE(m.account_id, l.account_id),
	       'what a lot has left is the sum of its postings', COALESCE(m.balance, 0)::text, COALESCE(l.balance::text, 'no row')
	FROM (SELECT * FROM moved WHERE account_id <> 5) m
	FULL JOIN (SELECT * FROM lot_balances WHERE book_id BETWEEN $1 AND $2) l
	     ON l.book_id = m.book_id AND l.lot_id = m.lot_id AND l.account_id = m.account_id
	WHERE COALESCE(m.balance, 0) <> COALESCE(l.balance, 0)
	UNION ALL
	SELECT l.book_id, 'lot ' || l.id, 'granted is what its postings brought in', COALESCE(e.credits, 0)::text, l.granted::text
	FROM lots l LEFT JOIN brought e ON e.book_id = l.book_id AND e.lot_id = l.id
	WHERE l.book_id BETWEEN $1 AND $2 AND l.granted <> COALESCE(e.credits, 0)
	UNION ALL
	SELECT DISTINCT m.book_id, 'account ' || m.account_id, 'postings name accounts that exist', 'an account', 'none'
	FROM moved m LEFT JOIN accounts a ON a.book_id = m.book_id AND a.id = m.account_id
	WHERE a.id IS NULL
	UNION ALL
	SELECT DISTINCT m.book_id, 'lot ' || m.lot_id, 'postings name lots that exist', 'a lot', 'none'
	FROM moved m LEFT JOIN lots l ON l.book_id = m.book_id AND l.id = m.lot_id
	WHERE l.id IS NULL`

// auditHeld compares what is held with what open holds keep, and looks at the signs.
const auditHeld = `
	WITH kept AS MATERIALIZED (
		SELECT d.book_id, d.lot_id, d.account_id, sum(d.credits) AS credits
		FROM holds h JOIN hold_draws d ON d.book_id = h.book_id AND d.hold_id = h.id
		WHERE h.book_id BETWEEN $1 AND $2 AND h.state = 'open' GROUP BY 1, 2, 3
	), by_account AS (
		SELECT book_id, account_id, sum(credits) AS credits FROM kept GROUP BY 1, 2
	)
	SELECT COALESCE(k.book_id, l.book_id), 'lot ' || COALESCE(k.lot_id, l.lot_id) || ' in account ' || COALESCE(k.account_id, l.account_id),
	       'what a lot has held is what open holds keep of it', COALESCE(k.credits, 0)::text, COALESCE(l.held::text, 'no row')
	FROM kept k
	FULL JOIN (SELECT * FROM lot_balances WHERE book_id BETWEEN $1 AND $2) l
	     ON l.book_id = k.book_id AND l.lot_id = k.lot_id AND l.account_id = k.account_id
	WHERE COALESCE(k.credits, 0) <> COALESCE(l.held, 0)
	UNION ALL
	SELECT COALESCE(k.book_id, a.book_id), 'account ' || COALESCE(k.account_id, a.id),
	       'what an account has held is what open holds keep of it', COALESCE(k.credits, 0)::text, COALESCE(a.held::text, 'no row')
	FROM by_account k
	FULL JOIN (SELECT * FROM accounts WHERE book_id BETWEEN $1 AND $2) a ON a.book_id = k.book_id AND a.id = k.account_id
	WHERE COALESCE(k.credits, 0) <> COALESCE(a.held, 0)
	UNION ALL
	SELECT book_id, 'account ' || id, 'no balance is below zero, nor below what is held', '0 <= held <= balance',
	       held || ' held of ' || balance
	FROM accounts
	WHERE book_id BETWEEN $1 AND $2 AND (id >= 7 AND (balance < held OR held < 0)
	      OR id = 5 AND balance > 0 OR id IN (2, 3, 4) AND balance < 0)
	UNION ALL
	SELECT book_id, 'lot ' || lot_id || ' in account ' || account_id, 'no lot has less than nothing left, nor less than is held',
	       '0 <= held <= balance', held || ' held of ' || balance
	FROM lot_balances
	WHERE book_id BETWEEN $1 AND $2 AND account_id >= 7 AND (balance < held OR held < 0)
	UNION ALL
	SELECT book_id, 'lot ' || lot_id || ' in account ' || account_id, 'a lot is marked open while something is left',
	       (account_id >= 7 AND balance > 0)::text, is_open::text
	FROM lot_balances
	WHERE book_id BETWEEN $1 AND $2 AND is_open <> (account_id >= 7 AND balance > 0)`
