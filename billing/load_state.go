package billing

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
)

// OpenState locks a book and loads it with its subscriptions, as they stand. Nothing is
// settled yet. The want may ask for more of the ledger: keys, holds, origins.
func OpenState(ctx context.Context, tx pgx.Tx, c *Catalog, at time.Time, want ledger.Want) (*State, error) {
	states, err := OpenStates(ctx, tx, c, at, want)
	if err != nil {
		return nil, err
	}
	return states[0], nil
}

// OpenStates is OpenState for several books, locked in id order.
func OpenStates(ctx context.Context, tx pgx.Tx, c *Catalog, at time.Time, wants ...ledger.Want) ([]*State, error) {
	return open(ctx, tx, QueueOpen(&pgx.Batch{}, c, at, wants...))
}

// ViewState loads a book without locking it, to settle it in memory and look at it. The
// transaction should be REPEATABLE READ.
func ViewState(ctx context.Context, tx pgx.Tx, c *Catalog, at time.Time, book int64) (*State, error) {
	var batch pgx.Batch
	want := ledger.Want{Book: book}
	o := &Opening{batch: &batch, catalog: c, books: ledger.QueueView(&batch, at, want), subs: queueSubs(&batch, []int64{book}, false)}
	states, err := open(ctx, tx, o)
	if err != nil {
		return nil, err
	}
	return states[0], nil
}

// Opening is states on their way: they are there once the batch that they were queued in
// has been read.
type Opening struct {
	batch   *pgx.Batch
	catalog *Catalog
	books   *ledger.Opening
	subs    *subsLoader
}

// QueueOpen queues OpenStates: first the lock on the books and then what is read under it.
func QueueOpen(batch *pgx.Batch, c *Catalog, at time.Time, wants ...ledger.Want) *Opening {
	return &Opening{batch: batch, catalog: c, books: ledger.QueueOpen(batch, at, wants...), subs: queueSubs(batch, booksOf(wants), true)}
}

// QueueOpenFree is QueueOpen that waits for nobody's lock: the books that somebody else has
// locked aren't Locked, and their states are worth nothing.
func QueueOpenFree(batch *pgx.Batch, c *Catalog, at time.Time, wants ...ledger.Want) *Opening {
	return &Opening{batch: batch, catalog: c, books: ledger.QueueOpenFree(batch, at, wants...), subs: queueSubs(batch, booksOf(wants), true)}
}

func booksOf(wants []ledger.Want) []int64 {
	return eachOf(wants, func(w ledger.Want) int64 { return w.Book })
}

func open(ctx context.Context, tx pgx.Tx, o *Opening) ([]*State, error) {
	if err := tx.SendBatch(ctx, o.batch).Close(); err != nil {
		return nil, fmt.Errorf("opening books: %w", err)
	}
	return o.States(ctx, tx)
}

// States gives the states in the order of the wants. Lots that periods go on with though
// nothing is left of them, and periods that lots go back to, are read only now, where there
// are any.
func (o *Opening) States(ctx context.Context, q ledger.Querier) ([]*State, error) {
	books, err := o.books.Books()
	if err != nil {
		return nil, err
	}
	origins := make([][]string, len(books))
	for i, b := range books {
		for _, sub := range o.subs.byBook[b.ID] {
			for _, p := range sub.Periods {
				if _, loaded := b.Lot(p.LotOrigin); p.TurnedAt == nil && p.LotOrigin != "" && !loaded {
					origins[i] = append(origins[i], p.LotOrigin)
				}
			}
		}
	}
	if err := ledger.LoadLots(ctx, q, books, origins); err != nil {
		return nil, err
	}
	states := make([]*State, len(books))
	for i, b := range books {
		states[i] = &State{Book: b, Catalog: o.catalog, Subs: o.subs.byBook[b.ID], topUpLow: o.subs.low[b.ID], resting: restingCredits(b)}
	}
	return states, loadOlderPeriods(ctx, q, states)
}

// subsLoader collects what the batch brings in of some books' subscriptions.
type subsLoader struct {
	books  []int64
	byBook map[int64][]*Sub
	byID   map[string]*Sub
	low    map[int64]*int64 // the thresholds of automatic top-ups that wait for credits to run low
}

// queueSubs queues the subscriptions of books with the periods that still matter and with
// what their customers owe.
func queueSubs(batch *pgx.Batch, books []int64, lock bool) *subsLoader {
	l := &subsLoader{books: books, byBook: map[int64][]*Sub{}, byID: map[string]*Sub{}, low: map[int64]*int64{}}
	l.queueSubs(batch)
	l.queuePeriods(batch)
	l.queueOwed(batch, lock)
	l.queueTopUps(batch)
	return l
}

func (l *subsLoader) queueTopUps(batch *pgx.Batch) {
	batch.Queue(`
		SELECT book_id, threshold FROM auto_top_ups
		WHERE book_id = ANY($1) AND state = 'ready' AND check_at IS NULL`, l.books,
	).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var book, threshold int64
			if err := rows.Scan(&book, &threshold); err != nil {
				return err
			}
			l.low[book] = &threshold
		}
		return rows.Err()
	})
}

func (l *subsLoader) queueSubs(batch *pgx.Batch) {
	batch.Queue(`
		SELECT book_id, state, reason, team_id, facts, paid, owed, due_at
		FROM subscriptions WHERE book_id = ANY($1) ORDER BY created_at, id`, l.books,
	).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var book int64
			var sub Sub
			var facts, paid []byte
			if err := rows.Scan(&book, &sub.State, &sub.Reason, &sub.TeamID, &facts, &paid, &sub.Owed, &sub.due); err != nil {
				return err
			}
			if err := json.Unmarshal(facts, &sub.Facts); err != nil {
				return fmt.Errorf("what Stripe said: %w", err)
			}
			if err := json.Unmarshal(paid, &sub.Paid); err != nil {
				return fmt.Errorf("what was paid: %w", err)
			}
			l.byBook[book] = append(l.byBook[book], &sub)
			l.byID[sub.Facts.ID] = &sub
		}
		return rows.Err()
	})
}

const periodColumns = `
	p.subscription_id, p.number, p.start_at, p.end_at, p.full_end_at, p.trial, p.figures, p.seats, p.target,
	p.owed, p.granted, p.taken_back, p.grants, p.take_backs, p.lot_origin, p.granted_at, p.cut_at,
	p.turned_at, p.turn_rule, p.turn_seats, p.rolled`

// lateMonths is for how many months back a payment may still come and be granted.
const lateMonths = 24

// queuePeriods loads the periods that have not turned, the last few, and all since the
// oldest of the last years that was not granted: its invoice may still be paid.
func (l *subsLoader) queuePeriods(batch *pgx.Batch) {
	batch.Queue(`
		SELECT `+periodColumns+`
		FROM subscriptions s
		CROSS JOIN LATERAL (
			SELECT LEAST(
				(SELECT max(number) - 3 FROM periods WHERE subscription_id = s.id),
				(SELECT min(number) FROM periods WHERE subscription_id = s.id AND turned_at IS NULL),
				(SELECT min(number) FROM (
					SELECT number, granted_at FROM periods WHERE subscription_id = s.id ORDER BY number DESC LIMIT $2) late
				 WHERE granted_at IS NULL)) AS number) oldest
		JOIN periods p ON p.subscription_id = s.id AND p.number >= oldest.number
		WHERE s.book_id = ANY($1)
		ORDER BY p.subscription_id, p.number`, l.books, lateMonths,
	).Query(func(rows pgx.Rows) error { return scanPeriods(rows, l.byID) })
}

func scanPeriods(rows pgx.Rows, subs map[string]*Sub) error {
	for rows.Next() {
		var id string
		var p Period
		var figures, rule []byte
		if err := rows.Scan(&id, &p.Number, &p.Start, &p.End, &p.FullEnd, &p.Trial, &figures, &p.Seats, &p.Target,
			&p.Owed, &p.Granted, &p.TakenBack, &p.Grants, &p.TakeBacks, &p.LotOrigin, &p.GrantedAt, &p.CutAt,
			&p.TurnedAt, &rule, &p.TurnSeats, &p.Rolled); err != nil {
			return err
		}
		p.Figures = &Figures{}
		if err := json.Unmarshal(figures, p.Figures); err != nil {
			return fmt.Errorf("a period's figures: %w", err)
		}
		if rule != nil {
			p.TurnRule = &Rollover{}
			if err := json.Unmarshal(rule, p.TurnRule); err != nil {
				return fmt.Errorf("a turn's rule: %w", err)
			}
		}
		if sub := subs[id]; sub != nil { // else it has just come to a book that isn't locked
			sub.Periods = append(sub.Periods, &p)
		}
	}
	return rows.Err()
}

// queueOwed brings in what customers owe from a cancelled subscription. Where there is
// something, its row is locked, since another book's grant may be setting it off; that
// there is nothing needs no lock, and so books of one customer don't wait for each other.
func (l *subsLoader) queueOwed(batch *pgx.Batch, lock bool) {
	sql := `
		SELECT id, owed FROM customers
		WHERE id IN (SELECT customer_id FROM subscriptions WHERE book_id = ANY($1)) AND owed > 0 ORDER BY id`
	if lock {
		sql += ` FOR UPDATE`
	}
	batch.Queue(sql, l.books).Query(func(rows pgx.Rows) error {
		owed := map[string]*customerOwed{}
		for rows.Next() {
			var id string
			var credits int64
			if err := rows.Scan(&id, &credits); err != nil {
				return err
			}
			owed[id] = &customerOwed{loaded: credits, now: credits}
		}
		for _, sub := range l.byID {
			if owed[sub.Facts.CustomerID] == nil {
				owed[sub.Facts.CustomerID] = &customerOwed{}
			}
			sub.customerOwed = owed[sub.Facts.CustomerID]
		}
		return rows.Err()
	})
}

// customerOwed is what one customer owes, shared by the customer's subscriptions.
type customerOwed struct{ loaded, now int64 }

// loadOlderPeriods loads what queuePeriods left out when a lot of an old period was
// loaded: because it still has something left, held or frozen, or because somebody means
// to give something back to it. What comes back joins every turn since.
func loadOlderPeriods(ctx context.Context, q ledger.Querier, states []*State) error {
	subs, from := map[string]*Sub{}, map[string]int64{}
	for _, s := range states {
		for lot := range s.Book.Lots() {
			sub := s.Sub(lot.Series)
			if sub == nil || len(sub.Periods) == 0 || lot.Step >= sub.Periods[0].Number {
				continue
			}
			id := sub.Facts.ID
			if n, ok := from[id]; !ok || lot.Step < n {
				from[id] = lot.Step
			}
			subs[id] = sub
		}
	}
	return loadPeriodsFrom(ctx, q, subs, from)
}

// loadPeriodsFrom loads the periods of subscriptions anew, by their ids, each from a number
// on.
func loadPeriodsFrom(ctx context.Context, q ledger.Querier, subs map[string]*Sub, from map[string]int64) error {
	if len(subs) == 0 {
		return nil
	}
	ids, oldest := make([]string, 0, len(subs)), make([]int64, 0, len(subs))
	for id, sub := range subs {
		sub.Periods = nil
		ids, oldest = append(ids, id), append(oldest, from[id])
	}
	rows, err := q.Query(ctx, `
		SELECT `+periodColumns+`
		FROM unnest($1::text[], $2::bigint[]) AS s (id, oldest)
		JOIN periods p ON p.subscription_id = s.id AND p.number >= s.oldest
		ORDER BY p.subscription_id, p.number`, ids, oldest)
	if err != nil {
		return fmt.Errorf("reading older periods: %w", err)
	}
	defer rows.Close()
	if err := scanPeriods(rows, subs); err != nil {
		return fmt.Errorf("reading older periods: %w", err)
	}
	return nil
}
