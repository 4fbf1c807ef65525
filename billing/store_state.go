package billing

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
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
	ids := make([]int64, len(wants))
	for i, w := range wants {
		ids[i] = w.Book
	}
	if err := ledger.Lock(ctx, tx, ids...); err != nil {
		return nil, err
	}
	subs, err := loadSubs(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	if err := loadCustomersOwed(ctx, tx, subs); err != nil {
		return nil, err
	}
	return statesOf(ctx, tx, c, subs, wants, func(w []ledger.Want) ([]*ledger.Book, error) { return ledger.Open(ctx, tx, at, w...) })
}

// ViewState loads a book without locking it, to settle it in memory and look at it. The
// transaction should be REPEATABLE READ.
func ViewState(ctx context.Context, tx pgx.Tx, c *Catalog, at time.Time, book int64) (*State, error) {
	subs, err := loadSubs(ctx, tx, []int64{book})
	if err != nil {
		return nil, err
	}
	states, err := statesOf(ctx, tx, c, subs, []ledger.Want{{Book: book}}, func(w []ledger.Want) ([]*ledger.Book, error) {
		return ledger.View(ctx, tx, at, w...)
	})
	if err != nil {
		return nil, err
	}
	return states[0], nil
}

func statesOf(ctx context.Context, tx pgx.Tx, c *Catalog, subs map[int64][]*Sub, wants []ledger.Want, open func([]ledger.Want) ([]*ledger.Book, error)) ([]*State, error) {
	wants = slices.Clone(wants)
	for i := range wants {
		for _, sub := range subs[wants[i].Book] {
			for _, p := range sub.Periods {
				if p.TurnedAt == nil && p.LotOrigin != "" {
					wants[i].Origins = append(wants[i].Origins, p.LotOrigin)
				}
			}
		}
	}
	books, err := open(wants)
	if err != nil {
		return nil, err
	}
	states := make([]*State, len(books))
	for i, b := range books {
		states[i] = &State{Book: b, Catalog: c, Subs: subs[b.ID]}
	}
	return states, loadOlderPeriods(ctx, tx, states)
}

// loadOlderPeriods loads what loadPeriods left out when a lot of an old period still
// has something left, held or frozen: what comes back to it joins every turn since.
func loadOlderPeriods(ctx context.Context, tx pgx.Tx, states []*State) error {
	subs, from := map[string]*Sub{}, map[string]int64{}
	for _, s := range states {
		for _, portion := range s.Book.Portions() {
			sub := s.Sub(portion.Lot.Series)
			if sub == nil || len(sub.Periods) == 0 || portion.Lot.Step >= sub.Periods[0].Number {
				continue
			}
			id := sub.Facts.ID
			if n, ok := from[id]; !ok || portion.Lot.Step < n {
				from[id] = portion.Lot.Step
			}
			subs[id] = sub
		}
	}
	if len(subs) == 0 {
		return nil
	}
	for _, sub := range subs {
		sub.Periods = nil
	}
	return loadPeriods(ctx, tx, subs, from)
}

// loadSubs loads the subscriptions of books with the periods that still matter.
func loadSubs(ctx context.Context, tx pgx.Tx, books []int64) (map[int64][]*Sub, error) {
	rows, err := tx.Query(ctx, `
		SELECT book_id, state, reason, team_id, facts, paid, owed, due_at
		FROM subscriptions WHERE book_id = ANY($1) ORDER BY created_at, id`, books)
	if err != nil {
		return nil, fmt.Errorf("reading subscriptions: %w", err)
	}
	byBook := map[int64][]*Sub{}
	byID := map[string]*Sub{}
	var book int64
	var sub Sub
	var facts, paid []byte
	_, err = pgx.ForEachRow(rows, []any{&book, &sub.State, &sub.Reason, &sub.TeamID, &facts, &paid, &sub.Owed, &sub.due}, func() error {
		one := sub
		if err := json.Unmarshal(facts, &one.Facts); err != nil {
			return fmt.Errorf("reading what Stripe said: %w", err)
		}
		if err := json.Unmarshal(paid, &one.Paid); err != nil {
			return fmt.Errorf("reading what was paid: %w", err)
		}
		byBook[book] = append(byBook[book], &one)
		byID[one.Facts.ID] = &one
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading subscriptions: %w", err)
	}
	if len(byID) == 0 {
		return byBook, nil
	}
	return byBook, loadPeriods(ctx, tx, byID, nil)
}

// loadPeriods loads the periods that have not turned and the last few, or those from a
// given number on.
func loadPeriods(ctx context.Context, tx pgx.Tx, subs map[string]*Sub, from map[string]int64) error {
	ids, oldest := make([]string, 0, len(subs)), make([]*int64, 0, len(subs))
	for id := range subs {
		ids = append(ids, id)
		var least *int64
		if n, ok := from[id]; ok {
			least = &n
		}
		oldest = append(oldest, least)
	}
	rows, err := tx.Query(ctx, `
		SELECT p.subscription_id, p.number, p.start_at, p.end_at, p.full_end_at, p.trial, p.figures, p.seats, p.target,
		       p.target_max, p.owed, p.granted, p.taken_back, p.grants, p.take_backs, p.lot_origin, p.granted_at, p.cut_at,
		       p.turned_at, p.turn_rule, p.turn_seats, p.rolled
		FROM unnest($1::text[], $2::bigint[]) AS s (id, oldest)
		CROSS JOIN LATERAL (
			SELECT LEAST(s.oldest,
				(SELECT max(number) - 3 FROM periods WHERE subscription_id = s.id),
				(SELECT min(number) FROM periods WHERE subscription_id = s.id AND turned_at IS NULL)) AS oldest) o
		JOIN periods p ON p.subscription_id = s.id AND p.number >= o.oldest
		ORDER BY p.subscription_id, p.number`, ids, oldest)
	if err != nil {
		return fmt.Errorf("reading periods: %w", err)
	}
	var id string
	var p Period
	var figures, rule []byte
	_, err = pgx.ForEachRow(rows, []any{&id, &p.Number, &p.Start, &p.End, &p.FullEnd, &p.Trial, &figures, &p.Seats, &p.Target,
		&p.TargetMax, &p.Owed, &p.Granted, &p.TakenBack, &p.Grants, &p.TakeBacks, &p.LotOrigin, &p.GrantedAt, &p.CutAt,
		&p.TurnedAt, &rule, &p.TurnSeats, &p.Rolled}, func() error {
		one := p
		one.Figures, one.TurnRule = &Figures{}, nil
		if err := json.Unmarshal(figures, one.Figures); err != nil {
			return fmt.Errorf("reading a period's figures: %w", err)
		}
		if rule != nil {
			one.TurnRule = &Rollover{}
			if err := json.Unmarshal(rule, one.TurnRule); err != nil {
				return fmt.Errorf("reading a turn's rule: %w", err)
			}
		}
		subs[id].Periods = append(subs[id].Periods, &one)
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading periods: %w", err)
	}
	return nil
}

// loadCustomersOwed brings in what customers owe from a cancelled subscription, and
// keeps others from using it up meanwhile.
func loadCustomersOwed(ctx context.Context, tx pgx.Tx, subs map[int64][]*Sub) error {
	byCustomer := map[string][]*Sub{}
	ids := []string{}
	for _, list := range subs {
		for _, sub := range list {
			if byCustomer[sub.Facts.CustomerID] == nil {
				ids = append(ids, sub.Facts.CustomerID)
			}
			byCustomer[sub.Facts.CustomerID] = append(byCustomer[sub.Facts.CustomerID], sub)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, `SELECT id, owed FROM customers WHERE id = ANY($1) ORDER BY id FOR UPDATE`, ids)
	if err != nil {
		return fmt.Errorf("reading what customers owe: %w", err)
	}
	var id string
	var owed int64
	_, err = pgx.ForEachRow(rows, []any{&id, &owed}, func() error {
		shared := &customerOwed{loaded: owed, now: owed}
		for _, sub := range byCustomer[id] {
			sub.customerOwed = shared
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading what customers owe: %w", err)
	}
	return nil
}

// customerOwed is what one customer owes, shared by the customer's subscriptions.
type customerOwed struct{ loaded, now int64 }

// Save writes what settling decided. The state is spent afterwards.
func Save(ctx context.Context, tx pgx.Tx, states ...*State) error {
	books := make([]*ledger.Book, len(states))
	var batch pgx.Batch
	for i, s := range states {
		books[i] = s.Book
		for _, sub := range s.Subs {
			if err := s.queueSub(&batch, sub); err != nil {
				return err
			}
		}
	}
	if batch.Len() > 0 {
		if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
			return fmt.Errorf("writing subscriptions: %w", err)
		}
	}
	return ledger.Write(ctx, tx, books...)
}

func (s *State) queueSub(batch *pgx.Batch, sub *Sub) error {
	due := s.nextDue(sub)
	if sub.dirty || !sameInstant(due, sub.due) {
		paid, err := json.Marshal(sub.Paid)
		if err != nil {
			return fmt.Errorf("writing what was paid: %w", err)
		}
		batch.Queue(`UPDATE subscriptions SET state = $2, reason = $3, paid = $4, owed = $5, due_at = $6 WHERE id = $1`,
			sub.Facts.ID, sub.State, sub.Reason, paid, sub.Owed, due)
		batch.Queue(`DELETE FROM periods WHERE subscription_id = $1 AND number > $2`, sub.Facts.ID, sub.lastNumber())
	}
	for _, p := range sub.Periods {
		if p.dirty {
			if err := queuePeriod(batch, sub.Facts.ID, p); err != nil {
				return err
			}
		}
	}
	if o := sub.customerOwed; o != nil && o.now != o.loaded {
		batch.Queue(`UPDATE customers SET owed = owed + $2 WHERE id = $1`, sub.Facts.CustomerID, o.now-o.loaded)
		o.loaded = o.now
	}
	return nil
}

func (s *Sub) lastNumber() int64 {
	if p := s.last(); p != nil {
		return p.Number
	}
	return 0
}

func sameInstant(a, b *time.Time) bool {
	return (a == nil) == (b == nil) && (a == nil || a.Equal(*b))
}

// nextDue is the next instant at which the clock alone changes something of the
// subscription: a period turns, or the next one begins.
func (s *State) nextDue(sub *Sub) *time.Time {
	var next *time.Time
	earlier := func(t time.Time) {
		if next == nil || t.Before(*next) {
			next = &t
		}
	}
	if p := s.firstUnturned(sub); p != nil {
		earlier(s.turnAt(sub, p))
	}
	if p := sub.last(); p != nil && s.goesOn(sub, p.End) {
		earlier(p.End)
	}
	return next
}

func queuePeriod(batch *pgx.Batch, sub string, p *Period) error {
	figures, err := json.Marshal(p.Figures)
	if err != nil {
		return fmt.Errorf("writing a period's figures: %w", err)
	}
	var rule []byte
	if p.TurnRule != nil {
		if rule, err = json.Marshal(p.TurnRule); err != nil {
			return fmt.Errorf("writing a turn's rule: %w", err)
		}
	}
	batch.Queue(`
		INSERT INTO periods (subscription_id, number, start_at, end_at, full_end_at, trial, figures, seats, target, target_max, owed,
		                     granted, taken_back, grants, take_backs, lot_origin, granted_at, cut_at, turned_at, turn_rule,
		                     turn_seats, rolled)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
		ON CONFLICT (subscription_id, number) DO UPDATE SET
			start_at = EXCLUDED.start_at, end_at = EXCLUDED.end_at, full_end_at = EXCLUDED.full_end_at, trial = EXCLUDED.trial,
			figures = EXCLUDED.figures, seats = EXCLUDED.seats, target = EXCLUDED.target, target_max = EXCLUDED.target_max,
			owed = EXCLUDED.owed, granted = EXCLUDED.granted, taken_back = EXCLUDED.taken_back, grants = EXCLUDED.grants,
			take_backs = EXCLUDED.take_backs, lot_origin = EXCLUDED.lot_origin, granted_at = EXCLUDED.granted_at,
			cut_at = EXCLUDED.cut_at, turned_at = EXCLUDED.turned_at, turn_rule = EXCLUDED.turn_rule,
			turn_seats = EXCLUDED.turn_seats, rolled = EXCLUDED.rolled`,
		sub, p.Number, p.Start, p.End, p.FullEnd, p.Trial, figures, p.Seats, p.Target, p.TargetMax, p.Owed, p.Granted, p.TakenBack,
		p.Grants, p.TakeBacks, p.LotOrigin, p.GrantedAt, p.CutAt, p.TurnedAt, rule, p.TurnSeats, p.Rolled)
	return nil
}
