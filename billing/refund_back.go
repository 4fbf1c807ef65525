package billing

import (
	"fmt"
	"slices"

	"purser/ledger"
)

// giveBack gives back what was taken for money that came back, since a refund failed:
// what is still owed for it falls first, then the lots that were drawn get it back, the
// last taken first (R1).
func (r *refunding) giveBack() error {
	credits := r.taken() - r.keep()
	r.told.GivenBack = credits
	left, err := r.forgive(credits)
	if err != nil {
		return err
	}
	for _, c := range slices.Backward(r.clawbacks) {
		n := min(left, c.left())
		if n == 0 {
			continue
		}
		e, err := r.undo(c, n)
		if err != nil {
			return err
		}
		left -= n
		if err := r.sendHome(c, e); err != nil {
			return err
		}
	}
	if left > 0 {
		return fmt.Errorf("%d credits were never taken", left)
	}
	return nil
}

// keep is how many credits stay taken for the money that is still gone, and lowers the
// clawbacks to it. What one number took for a part of its money is worked out anew.
func (r *refunding) keep() int64 {
	var kept int64
	for i := 0; i < len(r.clawbacks); {
		first, net := r.clawbacks[i], int64(0)
		n := i
		for ; n < len(r.clawbacks) && r.clawbacks[n].Number == first.Number; n++ {
			net += r.clawbacks[n].left()
		}
		switch {
		case first.MoneyTo <= r.gone:
			kept += net
		case first.MoneyFrom < r.gone:
			kept += max(0, min(net, fraction(first.Whole, r.gone, r.cost, false)-kept))
		}
		for ; i < n; i++ {
			c := r.clawbacks[i]
			c.MoneyTo = max(c.MoneyFrom, min(c.MoneyTo, r.gone))
		}
	}
	return kept
}

// forgive lets what is owed for the charge fall. A debt that followed its purchase to
// another book is carried back for that, since it falls where it was made.
func (r *refunding) forgive(credits int64) (left int64, err error) {
	left = credits
	for _, c := range slices.Backward(r.clawbacks) {
		n := min(left, c.left(), r.home.Book.OwedFor(c.Root))
		if c.Owed == 0 || n == 0 {
			continue
		}
		if c.BookID != r.home.Book.ID {
			key := fmt.Sprintf("debt_back:%s:%d", r.charge, r.home.Book.NextNumber())
			if _, _, err := ledger.CarryDebtPart(r.home.Book, r.state(c.BookID).Book, r.request(key, "a refund failed"), c.Root, n); err != nil {
				return left, err
			}
		}
		if _, err := r.undo(c, n); err != nil {
			return left, err
		}
		left -= n
	}
	return left, nil
}

func (r *refunding) undo(c *clawback, credits int64) (*ledger.Entry, error) {
	b := r.state(c.BookID).Book
	key := fmt.Sprintf("clawback_undone:%s:%d:%d:%d", r.charge, c.Number, c.Part, b.NextNumber())
	e, err := b.UndoClawback(r.request(key, "a refund failed"), c.Entry, credits)
	if err == nil {
		c.Returned += credits
	}
	return e, err
}

// sendHome lets what came back follow its purchase or its subscription, if that has moved
// since: it would have gone along, had it not been taken (T13). What people contributed
// stays where they put it.
func (r *refunding) sendHome(c *clawback, e *ledger.Entry) error {
	from := r.state(c.BookID).Book
	if from.ID == r.home.Book.ID {
		return nil
	}
	to, _ := r.home.Book.Account(ledger.Main)
	for _, p := range e.Postings {
		lot, _ := from.LotByID(p.Lot)
		if p.From != ledger.ClawedBack || !r.goesHome(c, lot) {
			continue
		}
		draws := unheldDraws(from, lot, p.Credits)
		if len(draws) == 0 { // it paid another debt
			continue
		}
		key := fmt.Sprintf("returned:%s:%d", r.charge, from.NextNumber())
		_, in, err := ledger.Carry(from, r.home.Book, r.request(key, "a refund failed"), ledger.CarryIn{Kind: ledger.KindAssignment, To: to, Draws: draws})
		if err != nil {
			return err
		}
		for _, sub := range r.home.Subs {
			sub.follow(lot, in, r.home.Book)
		}
	}
	return nil
}

// goesHome tells whether a lot went with what the charge paid for: one of its lineage, or
// another purchase of the same payer.
func (r *refunding) goesHome(c *clawback, lot *ledger.Lot) bool {
	if lot.Contributor != "" {
		return false
	}
	cause := r.cause(c.Root)
	return lot.RootOrigin == cause.RootOrigin || lot.Source == ledger.Purchase && lot.Payer == cause.Payer
}

// unheldDraws chooses up to so many credits of a lot that aren't held, be they frozen.
func unheldDraws(b *ledger.Book, lot *ledger.Lot, credits int64) []ledger.Draw {
	var draws []ledger.Draw
	for _, p := range b.Portions() {
		if n := min(credits, unheld(p)); p.Lot == lot && n > 0 {
			draws = append(draws, ledger.Draw{Portion: p, Credits: n})
			credits -= n
		}
	}
	return draws
}

// state gives the state of a book that is locked.
func (r *refunding) state(book int64) *State {
	i := slices.IndexFunc(r.states, func(s *State) bool { return s.Book.ID == book })
	return r.states[i]
}
