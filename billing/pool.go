package billing

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
)

// Pool is what B12 shows of a pool, or of a personal account: exact at one instant, for
// the current period. Total = Used + Held + Allocated + Frozen + Available, and Total is
// also the sum of the five lines by source.
type Pool struct {
	At          time.Time `json:"at"`
	PeriodStart time.Time `json:"period_start"`
	PeriodEnd   time.Time `json:"period_end"`

	Plan           string `json:"plan,omitempty"`
	Status         Status `json:"status,omitempty"`
	Seats          int64  `json:"seats"`
	MonthlyPerSeat int64  `json:"monthly_per_seat"`

	Total       int64 `json:"total"`
	Monthly     int64 `json:"monthly"`
	Purchased   int64 `json:"purchased"`
	Rollover    int64 `json:"rollover"`
	Bonus       int64 `json:"bonus"`
	Contributed int64 `json:"contributed"`

	Used      int64 `json:"used"`
	Held      int64 `json:"held"`
	Allocated int64 `json:"allocated"`
	Frozen    int64 `json:"frozen"`
	Available int64 `json:"available"`

	Debt     int64 `json:"debt"`
	Upcoming int64 `json:"upcoming"` // granted, but not yet effective; in no other figure

	Lots []LotView `json:"lots"`
}

// LotView is a lot as it is shown: what is left of it, wherever in the book it lies.
type LotView struct {
	Lot         int64      `json:"lot"`
	Source      string     `json:"source"`
	Origin      string     `json:"origin"`
	Granted     int64      `json:"granted"`
	Remaining   int64      `json:"remaining"`
	Held        int64      `json:"held"`
	EffectiveAt time.Time  `json:"effective_at"`
	ExpiresAt   *time.Time `json:"expires_at"`
	Frozen      bool       `json:"frozen,omitempty"`
}

// ReadPool reads a book as it stands at an instant: what is due counts as done, whether
// or not a worker ran. It writes nothing; the transaction should be REPEATABLE READ.
func ReadPool(ctx context.Context, tx pgx.Tx, c *Catalog, book int64, at time.Time) (Pool, error) {
	state, err := ViewState(ctx, tx, c, at, book)
	if err != nil {
		return Pool{}, err
	}
	if err := state.Settle(at); err != nil {
		return Pool{}, fmt.Errorf("reading book %d: %w", book, err)
	}
	start, _, _ := state.CurrentPeriod(at)
	usage, err := ledger.UsageSince(ctx, tx, state.Book, start)
	if err != nil {
		return Pool{}, err
	}
	return Summarize(state, usage, at), nil
}

// Summarize adds up a settled state (B12).
func Summarize(s *State, usage []ledger.Usage, at time.Time) Pool {
	pool := Pool{At: at, Debt: s.Book.Owed(), Lots: []LotView{}}
	var of *Sub
	pool.PeriodStart, pool.PeriodEnd, of = s.CurrentPeriod(at)
	// A paused subscription has no period that runs, and goes on all the same.
	if of == nil {
		of = s.living()
	}
	if of != nil && of.last() != nil {
		pool.describe(s.Catalog, of, at)
	}
	var used ledger.Usage
	for _, u := range usage {
		used.Add(u)
	}
	pool.Used = used.Total()
	bySource := used
	for _, portion := range s.Book.Portions() {
		counted := pool.count(portion, at)
		*bySource.Of(portion.Lot.Class()) += counted
	}
	pool.Monthly, pool.Purchased, pool.Rollover = bySource.Monthly, bySource.Purchased, bySource.Rollover
	pool.Bonus, pool.Contributed = bySource.Bonus, bySource.Contributed
	pool.Total = pool.Used + pool.Held + pool.Allocated + pool.Frozen + pool.Available
	pool.Lots = lotViews(s.Book)
	return pool
}

func (pool *Pool) describe(c *Catalog, sub *Sub, at time.Time) {
	p, runs := sub.last(), false
	if current := sub.current(at); current != nil {
		p, runs = current, true
	}
	f := figure(c, sub.Facts.Items, p.Figures)
	pool.Plan, pool.Status = f.Lead(), sub.Facts.Status
	if sub.Facts.Status.countsSeats() {
		pool.Seats = f.seats(sub.Facts.Items)
	}
	if lead := f.plan(f.Lead()); lead != nil {
		pool.MonthlyPerSeat = lead.Monthly
		if runs && p.Trial {
			pool.MonthlyPerSeat = lead.Trial
		}
	}
}

// count puts a portion on its line and gives back how much of it is in the total.
func (pool *Pool) count(p *ledger.Portion, at time.Time) int64 {
	pool.Held += p.Held
	unheld := p.Balance - p.Held
	switch {
	case p.Lot.Frozen:
		pool.Frozen += unheld
	case p.Lot.EffectiveAt.After(at):
		pool.Upcoming += unheld
		return p.Held
	case p.Account.ID == ledger.Main:
		pool.Available += unheld
	default:
		pool.Allocated += unheld
	}
	return p.Balance
}

func lotViews(b *ledger.Book) []LotView {
	views := []LotView{}
	at := map[*ledger.Lot]int{}
	for _, p := range b.Portions() {
		i, seen := at[p.Lot]
		if !seen {
			i = len(views)
			at[p.Lot] = i
			views = append(views, LotView{
				Lot: p.Lot.ID, Source: string(p.Lot.Class()), Origin: p.Lot.Origin, Granted: p.Lot.Granted,
				EffectiveAt: p.Lot.EffectiveAt, ExpiresAt: p.Lot.ExpiresAt, Frozen: p.Lot.Frozen,
			})
		}
		views[i].Remaining += p.Balance
		views[i].Held += p.Held
	}
	return views
}
