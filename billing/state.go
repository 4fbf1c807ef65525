package billing

import (
	"time"

	"purser/ledger"
)

// State is a book with the subscriptions that live in it: all that decides what is due.
//
// Settle does, in memory, everything that has fallen due by an instant. A worker
// settles and saves; a read settles and looks; so both see the same, whether or not a
// worker ran.
type State struct {
	Book    *ledger.Book
	Catalog *Catalog
	Subs    []*Sub

	at       time.Time // until when it is settled
	topUpLow *int64    // the threshold of an automatic top-up that waits for credits to run low
	resting  int64     // what lay free in the main account when the book was written last
	notices  []Notice
}

// actor is who asked for what the rules themselves do.
const actor = "purser"

// CurrentPeriod is the period that the clock stands in: that of the team's
// subscription, of the oldest one on a personal account, or else the calendar month.
// One that has ended gives way to one that goes on, and counts no longer once its
// credits have ended.
func (s *State) CurrentPeriod(at time.Time) (start, end time.Time, of *Sub) {
	for _, sub := range s.Subs {
		p := sub.current(at)
		if p == nil || sub.Facts.Status.Ended() && (of != nil || p.TurnedAt != nil) {
			continue
		}
		if of == nil || of.Facts.Status.Ended() {
			start, end, of = p.Start, p.End, sub
		}
	}
	if of == nil {
		start, end = CalendarMonth(at)
	}
	return start, end, of
}

// Sub gives a subscription by its id.
func (s *State) Sub(id string) *Sub {
	for _, sub := range s.Subs {
		if sub.Facts.ID == id {
			return sub
		}
	}
	return nil
}
