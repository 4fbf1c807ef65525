package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Usage is what a holder used since a window's start, by class. Allocation is what of all
// that came from the holder's own allocation.
type Usage struct {
	Holder      string
	Monthly     int64
	Purchased   int64
	Rollover    int64
	Bonus       int64
	Contributed int64
	Allocation  int64
}

// Total is all that was used.
func (u Usage) Total() int64 {
	return u.Monthly + u.Purchased + u.Rollover + u.Bonus + u.Contributed
}

// Of gives the line of one class.
func (u *Usage) Of(c Class) *int64 {
	switch c {
	case ClassMonthly:
		return &u.Monthly
	case ClassPurchased:
		return &u.Purchased
	case ClassRollover:
		return &u.Rollover
	case ClassBonus:
		return &u.Bonus
	default:
		return &u.Contributed
	}
}

// Add adds another's figures, line by line.
func (u *Usage) Add(v Usage) {
	u.Monthly += v.Monthly
	u.Purchased += v.Purchased
	u.Rollover += v.Rollover
	u.Bonus += v.Bonus
	u.Contributed += v.Contributed
	u.Allocation += v.Allocation
}

// used adds up what the new entries add to the window's usage, by holder. It is done
// when the book is written: until then the window may still jump.
func (b *Book) used() map[string]*Usage {
	used := map[string]*Usage{}
	for _, e := range b.entries {
		if !b.inWindow(e) {
			continue
		}
		u, ok := used[e.Holder]
		if !ok {
			u = &Usage{Holder: e.Holder}
			used[e.Holder] = u
		}
		for _, p := range e.Postings {
			switch {
			case p.To == Spent:
				u.count(b.lots[p.Lot], p.From, p.Credits)
			case p.From == Spent:
				u.count(b.lots[p.Lot], p.To, -p.Credits)
			}
		}
	}
	return used
}

// count counts what was used of a lot in an account; a negative number was given back.
func (u *Usage) count(lot *Lot, account int32, credits int64) {
	*u.Of(lot.Class()) += credits
	if account >= firstAllocation {
		u.Allocation += credits
	}
}

// inWindow tells whether an entry counts as usage: a spend or a capture since the
// window's start, or the reversal of such a one. countUsage says the same in SQL.
func (b *Book) inWindow(e *Entry) bool {
	if b.Window.IsZero() || e.At.Before(b.Window) {
		return false
	}
	switch e.Kind {
	case KindSpend, KindCapture:
		return true
	case KindReversal:
		return !b.undoable[e.Undoes].entry.At.Before(b.Window)
	}
	return false
}

// UsageSince gives what each holder used since an instant. While that is the window in
// which the book counts, it is read off; else it is added up from the entries.
func UsageSince(ctx context.Context, q interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}, b *Book, since time.Time) ([]Usage, error) {
	sql := `
		SELECT holder_id, monthly, purchased, rollover, bonus, contributed, allocation
		FROM usage WHERE book_id = $1 AND window_start = $2`
	if b.loadedWindow.IsZero() || !since.Equal(b.loadedWindow) {
		sql = countUsage("$1", "$2")
	}
	rows, err := q.Query(ctx, sql, b.ID, since)
	if err != nil {
		return nil, fmt.Errorf("reading usage: %w", err)
	}
	usage, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Usage])
	if err != nil {
		return nil, fmt.Errorf("reading usage: %w", err)
	}
	return usage, nil
}
