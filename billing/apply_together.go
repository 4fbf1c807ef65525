package billing

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
)

// Together is what became of one of several fetches that were to be booked together.
type Together struct {
	Outcome
	Locked bool // nothing was done: its book is somebody else's just now
	Alone  bool // nothing was done: it has no place yet, or has just moved, and must be booked by itself
}

// ApplyTogether is Apply for several fetches, in as many round trips as for one. Of those
// that have their place it takes the ones whose book nobody else has locked, and one for
// each book. One that can't be booked fails them all, so that the caller tries each by
// itself.
func ApplyTogether(ctx context.Context, tx pgx.Tx, c *Catalog, ins []ApplyIn) ([]Together, error) {
	answers := make([]Together, len(ins))
	chosen, err := lockFree(ctx, tx, ins, answers)
	if err != nil || len(chosen) == 0 {
		return answers, err
	}
	all := make([]*applying, len(chosen))
	for i, n := range chosen {
		all[i] = &applying{ApplyIn: ins[n], before: ins[n].Found}
	}
	// Read after the locks, so that the time of no book goes back.
	if err := applyLocked(ctx, tx, c, ins[0].Now(), all...); err != nil {
		return nil, err
	}
	for i, n := range chosen {
		answers[n].Outcome = all[i].out
	}
	return answers, nil
}

// lockFree locks the books of those that can be booked together, and gives these. To the
// others it says why not.
func lockFree(ctx context.Context, tx pgx.Tx, ins []ApplyIn, answers []Together) ([]int, error) {
	ids := eachOf(ins, func(in ApplyIn) string { return in.Fetched.Subscription.ID })
	found, err := findAll(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	var books []int64
	for _, l := range found {
		if l.kept {
			books = append(books, l.BookID)
		}
	}
	if len(books) > 0 {
		if books, err = ledger.LockFree(ctx, tx, books); err != nil {
			return nil, err
		}
	}
	// What was read before the locks only told what to lock.
	now, err := findAll(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	var chosen []int
	taken := map[int64]bool{}
	for i, id := range ids {
		book := now[id].BookID
		switch {
		case !now[id].kept || book != found[id].BookID:
			answers[i].Alone = true
		case taken[book] || !slices.Contains(books, book):
			answers[i].Locked = true
		default:
			ins[i].Found, taken[book] = now[id], true
			chosen = append(chosen, i)
		}
	}
	return chosen, nil
}

// applying is one fetch on its way into its book, which is locked.
type applying struct {
	ApplyIn
	before, after Location
	place         PlaceIn
	fresh         map[string]bool // of what was fetched: the ids of what no later fetch has brought
	changed       bool            // whether it tells anything new
	known         *Subscription   // what had been known before
	out           Outcome
}

func (a *applying) id() string { return a.Fetched.Subscription.ID }

// applyLocked stores what Stripe said and settles what is due, each in a book of its own.
func applyLocked(ctx context.Context, tx pgx.Tx, c *Catalog, at time.Time, all ...*applying) error {
	if err := applyTickets(ctx, tx, at, all...); err != nil {
		return err
	}
	var fresh []*applying
	for _, a := range all {
		if len(a.fresh) == 0 {
			a.out = a.before.overtaken()
			continue
		}
		a.after = a.before
		if a.fresh[a.id()] {
			a.after = a.before.next(c, a.Fetched.Subscription, a.place)
		}
		fresh = append(fresh, a)
	}
	if err := storeFacts(ctx, tx, at, fresh...); err != nil {
		return err
	}
	var due []*applying
	for _, a := range fresh {
		switch {
		case !a.after.kept:
			a.out = a.after.waiting()
		case !a.changed && a.before.state == statePlaced && a.after == a.before:
			// One change comes as several events. What the clock has made due is the sweep's.
			a.out = Outcome{State: EventDone, Reason: "nothing new"}
		default:
			due = append(due, a)
		}
	}
	return settleSubscriptions(ctx, tx, c, due, at)
}

func settleSubscriptions(ctx context.Context, tx pgx.Tx, c *Catalog, due []*applying, at time.Time) error {
	if len(due) == 0 {
		return nil
	}
	states, err := OpenStates(ctx, tx, c, at, eachOf(due, func(a *applying) ledger.Want { return ledger.Want{Book: a.after.BookID} })...)
	if err != nil {
		return err
	}
	for i, a := range due {
		if err := states[i].Settle(at); err != nil {
			return fmt.Errorf("settling for %s: %w", a.id(), err)
		}
		states[i].tellSubscription(a.known, a.Fetched.Subscription)
	}
	if err := Save(ctx, tx, states...); err != nil {
		return err
	}
	for i, a := range due {
		if err := a.settled(ctx, tx, c, states[i]); err != nil {
			return err
		}
	}
	return nil
}

// settled is the outcome of what was settled. What waited for the subscription's place or
// its price can be applied from now on.
func (a *applying) settled(ctx context.Context, tx pgx.Tx, c *Catalog, s *State) (err error) {
	a.out = Outcome{State: EventDone, Reason: lateMoney(a.Fetched), Books: []int64{a.after.BookID}}
	placed := a.before.state != statePlaced && a.after.state == statePlaced
	if live := s.Sub(a.id()); live != nil && a.after.TeamID != "" {
		a.out.Team, a.out.Seats, a.out.Placed = a.after.TeamID, live.SeatsBought(c), placed
	}
	if a.after.state == stateUnmapped {
		a.out.State, a.out.Reason = EventUnmapped, a.after.reason
	}
	if placed {
		a.out.Reopen, err = reopenAll(ctx, tx, a.Fetched.Subscription.CustomerID, EventUnmatched, EventUnmapped)
	}
	return err
}
