package billing

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
)

// Save writes what settling decided. The state is spent afterwards.
func Save(ctx context.Context, tx pgx.Tx, states ...*State) error {
	books := make([]*ledger.Book, len(states))
	var batch pgx.Batch
	for i, s := range states {
		books[i] = s.Book
		s.queueTopUp(&batch)
		s.tellLow()
		if err := queueNotices(&batch, s.notices); err != nil {
			return err
		}
		s.notices = nil
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
		INSERT INTO periods (subscription_id, number, start_at, end_at, full_end_at, trial, figures, seats, target, owed,
		                     granted, taken_back, grants, take_backs, lot_origin, granted_at, cut_at, turned_at, turn_rule,
		                     turn_seats, rolled)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
		ON CONFLICT (subscription_id, number) DO UPDATE SET
			start_at = EXCLUDED.start_at, end_at = EXCLUDED.end_at, full_end_at = EXCLUDED.full_end_at, trial = EXCLUDED.trial,
			figures = EXCLUDED.figures, seats = EXCLUDED.seats, target = EXCLUDED.target,
			owed = EXCLUDED.owed, granted = EXCLUDED.granted, taken_back = EXCLUDED.taken_back, grants = EXCLUDED.grants,
			take_backs = EXCLUDED.take_backs, lot_origin = EXCLUDED.lot_origin, granted_at = EXCLUDED.granted_at,
			cut_at = EXCLUDED.cut_at, turned_at = EXCLUDED.turned_at, turn_rule = EXCLUDED.turn_rule,
			turn_seats = EXCLUDED.turn_seats, rolled = EXCLUDED.rolled`,
		sub, p.Number, p.Start, p.End, p.FullEnd, p.Trial, figures, p.Seats, p.Target, p.Owed, p.Granted, p.TakenBack,
		p.Grants, p.TakeBacks, p.LotOrigin, p.GrantedAt, p.CutAt, p.TurnedAt, rule, p.TurnSeats, p.Rolled)
	return nil
}
