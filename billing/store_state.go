package billing

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
)

// Save writes what settling decided, of however many books in a few statements. The
// states are spent afterwards.
func Save(ctx context.Context, tx pgx.Tx, states ...*State) error {
	var batch pgx.Batch
	if err := QueueSave(&batch, states...); err != nil || batch.Len() == 0 {
		return err
	}
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("writing books: %w", err)
	}
	return nil
}

// QueueSave queues Save, for callers who have more to write.
func QueueSave(batch *pgx.Batch, states ...*State) error {
	books := make([]*ledger.Book, len(states))
	var notices []Notice
	var rows savedRows
	for i, s := range states {
		books[i] = s.Book
		s.queueTopUp(batch)
		s.tellLow()
		notices = append(notices, s.notices...)
		s.notices = nil
		for _, sub := range s.Subs {
			if err := rows.add(s, sub); err != nil {
				return err
			}
		}
	}
	if err := queueNotices(batch, notices); err != nil {
		return err
	}
	rows.queue(batch)
	queueStrays(batch, states)
	return ledger.QueueWrite(batch, books...)
}

// queueTopUp has an automatic top-up decided once credits have run low (P2), whatever
// drew them.
func (s *State) queueTopUp(batch *pgx.Batch) {
	if s.RunsLow() {
		batch.Queue(`UPDATE auto_top_ups SET check_at = $2 WHERE book_id = $1 AND state = 'ready' AND check_at IS NULL`, s.Book.ID, s.at)
	}
}

// RunsLow tells whether an automatic top-up has to be decided now. Whoever saves the state
// may stage a job for it; otherwise a sweep comes by.
func (s *State) RunsLow() bool {
	if s.topUpLow == nil {
		return false
	}
	account, ok := s.Book.Account(ledger.Main)
	return ok && account.Available(s.at) <= *s.topUpLow
}

// savedRows are the rows of subscriptions, periods and customers that are to be written.
type savedRows struct {
	subs    []savedSub
	periods []savedPeriod
	owing   []savedOwed
}

type savedSub struct {
	sub  *Sub
	due  *time.Time
	paid []byte
}

type savedPeriod struct {
	subID string
	*Period
	figures []byte
	rule    *string
}

type savedOwed struct {
	customerID string
	change     int64
}

// add takes in what changed of one subscription.
func (r *savedRows) add(s *State, sub *Sub) error {
	due := s.nextDue(sub)
	if sub.dirty || !sameInstant(due, sub.due) {
		paid, err := json.Marshal(sub.Paid)
		if err != nil {
			return fmt.Errorf("writing what was paid: %w", err)
		}
		r.subs = append(r.subs, savedSub{sub, due, paid})
	}
	for _, p := range sub.Periods {
		if !p.dirty {
			continue
		}
		row := savedPeriod{subID: sub.Facts.ID, Period: p}
		var err error
		if row.figures, err = json.Marshal(p.Figures); err != nil {
			return fmt.Errorf("writing a period's figures: %w", err)
		}
		if p.TurnRule != nil {
			rule, err := json.Marshal(p.TurnRule)
			if err != nil {
				return fmt.Errorf("writing a turn's rule: %w", err)
			}
			text := string(rule)
			row.rule = &text
		}
		r.periods = append(r.periods, row)
	}
	if o := sub.customerOwed; o != nil && o.now != o.loaded {
		r.owing = append(r.owing, savedOwed{sub.Facts.CustomerID, o.now - o.loaded})
		o.loaded = o.now
	}
	return nil
}

// queue writes them. A period that was guessed and didn't come about goes.
func (r *savedRows) queue(batch *pgx.Batch) {
	if r.subs != nil {
		ids := eachOf(r.subs, func(r savedSub) string { return r.sub.Facts.ID })
		batch.Queue(`
			UPDATE subscriptions s SET state = u.state, reason = u.reason, paid = u.paid::jsonb, owed = u.owed, due_at = u.due_at
			FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::timestamptz[])
			     AS u (id, state, reason, paid, owed, due_at)
			WHERE s.id = u.id`, ids,
			eachOf(r.subs, func(r savedSub) string { return r.sub.State }), eachOf(r.subs, func(r savedSub) string { return r.sub.Reason }),
			eachOf(r.subs, func(r savedSub) string { return string(r.paid) }), eachOf(r.subs, func(r savedSub) int64 { return r.sub.Owed }),
			eachOf(r.subs, func(r savedSub) *time.Time { return r.due }))
		batch.Queue(`
			DELETE FROM periods p USING unnest($1::text[], $2::bigint[]) AS u (id, last)
			WHERE p.subscription_id = u.id AND p.number > u.last`, ids, eachOf(r.subs, func(r savedSub) int64 { return r.sub.lastNumber() }))
	}
	if r.periods != nil {
		queuePeriods(batch, r.periods)
	}
	for _, o := range r.owing {
		batch.Queue(`UPDATE customers SET owed = owed + $2 WHERE id = $1`, o.customerID, o.change)
	}
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

func queuePeriods(batch *pgx.Batch, rows []savedPeriod) {
	batch.Queue(`
		INSERT INTO periods (subscription_id, number, start_at, end_at, full_end_at, trial, figures, seats, target, owed,
		                     granted, taken_back, grants, take_backs, lot_origin, granted_at, cut_at, turned_at, turn_rule,
		                     turn_seats, rolled)
		SELECT subscription_id, number, start_at, end_at, full_end_at, trial, figures::jsonb, seats, target, owed, granted, taken_back,
		       grants, take_backs, lot_origin, granted_at, cut_at, turned_at, turn_rule::jsonb, turn_seats, rolled
		FROM unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::boolean[], $7::text[],
		            $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::int[], $14::int[], $15::text[],
		            $16::timestamptz[], $17::timestamptz[], $18::timestamptz[], $19::text[], $20::bigint[], $21::bigint[])
		     AS u (subscription_id, number, start_at, end_at, full_end_at, trial, figures, seats, target, owed, granted, taken_back,
		           grants, take_backs, lot_origin, granted_at, cut_at, turned_at, turn_rule, turn_seats, rolled)
		ON CONFLICT (subscription_id, number) DO UPDATE SET
			start_at = EXCLUDED.start_at, end_at = EXCLUDED.end_at, full_end_at = EXCLUDED.full_end_at, trial = EXCLUDED.trial,
			figures = EXCLUDED.figures, seats = EXCLUDED.seats, target = EXCLUDED.target,
			owed = EXCLUDED.owed, granted = EXCLUDED.granted, taken_back = EXCLUDED.taken_back, grants = EXCLUDED.grants,
			take_backs = EXCLUDED.take_backs, lot_origin = EXCLUDED.lot_origin, granted_at = EXCLUDED.granted_at,
			cut_at = EXCLUDED.cut_at, turned_at = EXCLUDED.turned_at, turn_rule = EXCLUDED.turn_rule,
			turn_seats = EXCLUDED.turn_seats, rolled = EXCLUDED.rolled`,
		eachOf(rows, func(r savedPeriod) string { return r.subID }), eachOf(rows, func(r savedPeriod) int64 { return r.Number }),
		eachOf(rows, func(r savedPeriod) time.Time { return r.Start }), eachOf(rows, func(r savedPeriod) time.Time { return r.End }),
		eachOf(rows, func(r savedPeriod) time.Time { return r.FullEnd }), eachOf(rows, func(r savedPeriod) bool { return r.Trial }),
		eachOf(rows, func(r savedPeriod) string { return string(r.figures) }), eachOf(rows, func(r savedPeriod) int64 { return r.Seats }),
		eachOf(rows, func(r savedPeriod) int64 { return r.Target }), eachOf(rows, func(r savedPeriod) int64 { return r.Owed }),
		eachOf(rows, func(r savedPeriod) int64 { return r.Granted }), eachOf(rows, func(r savedPeriod) int64 { return r.TakenBack }),
		eachOf(rows, func(r savedPeriod) int32 { return int32(r.Grants) }), eachOf(rows, func(r savedPeriod) int32 { return int32(r.TakeBacks) }),
		eachOf(rows, func(r savedPeriod) string { return r.LotOrigin }), eachOf(rows, func(r savedPeriod) *time.Time { return r.GrantedAt }),
		eachOf(rows, func(r savedPeriod) *time.Time { return r.CutAt }), eachOf(rows, func(r savedPeriod) *time.Time { return r.TurnedAt }),
		eachOf(rows, func(r savedPeriod) *string { return r.rule }), eachOf(rows, func(r savedPeriod) int64 { return r.TurnSeats }),
		eachOf(rows, func(r savedPeriod) int64 { return r.Rolled }))
}
