package teams

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
)

// SpendResult is what became of one request of a batch.
type SpendResult struct {
	Out *SpendOut
	Err error
}

// ErrAgain says that a request couldn't be decided with what was locked: the member's
// access changed meanwhile, or somebody else has one of the books. Trying again locks the
// right ones.
var ErrAgain = errors.New("the member's access changed meanwhile, or a book is locked")

// Spend is SpendMany of one.
func Spend(ctx context.Context, tx pgx.Tx, c *billing.Catalog, in SpendIn, at time.Time) (*SpendOut, error) {
	results, _, err := SpendMany(ctx, tx, c, []SpendIn{in}, at)
	if err != nil {
		return nil, err
	}
	return results[0].Out, results[0].Err
}

// SpendMany decides requests together, in order, each with its own answer, and writes what
// came of it. Low are the books whose automatic top-up is to be decided now: whoever
// commits stages that.
func SpendMany(ctx context.Context, tx pgx.Tx, c *billing.Catalog, ins []SpendIn, at time.Time) (results []SpendResult, low []int64, err error) {
	d, err := Decide(ctx, tx, c, ins, at, nil)
	if err != nil {
		return nil, nil, err
	}
	if d.Writes.Len() > 0 {
		if err := tx.SendBatch(ctx, &d.Writes).Close(); err != nil {
			return nil, nil, fmt.Errorf("writing what was decided: %w", err)
		}
	}
	return d.Results, d.Low, nil
}

// Decided is what was decided and isn't written yet.
type Decided struct {
	Results []SpendResult
	Low     []int64   // books whose automatic top-up is to be decided now
	Writes  pgx.Batch // what is to be written in the same transaction before it is committed
}

// Decide decides requests together, in order, each with its own answer: the books are
// locked and loaded once, and what all of them post is written once, by whoever commits. A
// request that is refused changes nothing and holds nobody up. An error of the whole means
// that nothing was decided; the transaction must be rolled back. With places, which may be
// nil, it saves looking up which books to lock; ErrMisplaced then asks to be called again.
func Decide(ctx context.Context, q ledger.Querier, c *billing.Catalog, ins []SpendIn, at time.Time, places *Places) (*Decided, error) {
	d, err := openDesk(ctx, q, c, ins, at, places)
	if err != nil {
		return nil, err
	}
	if !places.learn(d, ins) {
		return nil, ErrMisplaced
	}
	out := &Decided{Results: make([]SpendResult, len(ins))}
	for i, in := range ins {
		r := &out.Results[i]
		if r.Err = d.ready(i, in); r.Err == nil {
			r.Out, r.Err = d.decide(in, d.whom[i].user)
		}
	}
	out.Low, err = d.queueSave(&out.Writes)
	return out, err
}

// ready tells whether everything that the request may touch is locked.
func (d *desk) ready(i int, in SpendIn) error {
	team, err := d.place(in)
	if err != nil {
		return nil //nolint:nilerr // decide refuses it
	}
	if d.states[team.BookID] == nil {
		return ErrAgain
	}
	if in.Of.Sequence != 0 && d.mayHold(team, d.whom[i].user, in.Of.Book) && d.states[in.Of.Book] == nil {
		return ErrAgain
	}
	m, ok := d.members[d.whom[i]]
	if !ok || (m.Access != PersonalAccess && !team.FallBack) {
		return nil
	}
	if u := d.users[m.UserID]; u == nil || d.states[u.BookID] == nil {
		return ErrAgain
	}
	return nil
}

// queueSave queues what is to be written, and tells which books run low.
func (d *desk) queueSave(batch *pgx.Batch) (low []int64, err error) {
	states := make([]*billing.State, 0, len(d.states))
	for _, s := range d.states {
		if err := s.Settle(d.at); err != nil {
			return nil, err
		}
		states = append(states, s)
		if s.RunsLow() {
			low = append(low, s.Book.ID)
		}
	}
	for key := range d.changed {
		queueMember(batch, *d.members[key])
	}
	if err := billing.QueueSave(batch, states...); err != nil {
		return nil, err
	}
	return low, nil
}
