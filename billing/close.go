package billing

import (
	"time"

	"purser/ledger"
)

// Closing is what becomes of a team's credits when the team closes (T16): the
// subscription and what its owner bought or put in go home, as when it is unassigned
// (T13); so does what the team's owner bought or put in; the rest ends.
type Closing struct {
	Homeward  []Homeward
	Ending    []Part
	Ends      int64 // the sum of Ending
	Following int64 // what a hold gave back for a subscription that left before: it follows by itself
	Held      int64 // by open holds in the team's book
	Debt      int64 // that stays, since what caused it stays
	Buying    bool  // an automatic top-up is being paid
	Purchases int   // open ones: if they are paid later, the credits go to the buyer's personal account

	homes    []*home
	heldBack map[int64]bool
}

// Homeward is what goes to one user's personal account.
type Homeward struct {
	UserID        string
	Subscriptions []string
	Credits       int64
	Debt          int64
	Parts         []Part
}

// Part is what one lot has left in one team.
type Part struct {
	Lot         int64
	Source      ledger.Class
	Credits     int64
	ExpiresAt   *time.Time
	Contributor string // who put it in, if a person did
	Payer       string // whose customer paid for it, if one did
	Frozen      bool   // disputed: it goes, or ends, as soon as it is free
}

// home is somebody's personal account to which credits of a team go.
type home struct {
	userID string
	bookID int64
	pays   map[string]bool // the user's customers
	subs   []*Sub          // of theirs in the team
}

// owns tells whether a lot was bought by the user or put in by the user (T13).
func (h *home) owns(l *ledger.Lot) bool {
	if l.Contributor != "" {
		return l.Contributor == h.userID
	}
	return l.Source == ledger.Purchase && h.pays[l.Payer]
}

// takes tells whether a lot goes there when the team closes.
func (h *home) takes(l *ledger.Lot) bool {
	for _, sub := range h.subs {
		if l.Series == sub.Facts.ID {
			return true
		}
	}
	return h.owns(l)
}

// decide works out of a settled state what goes where.
func (c *Closing) decide(s *State) {
	c.Homeward = make([]Homeward, len(c.homes))
	for i, h := range c.homes {
		c.Homeward[i].UserID = h.userID
		for _, sub := range h.subs {
			c.Homeward[i].Subscriptions = append(c.Homeward[i].Subscriptions, sub.Facts.ID)
		}
	}
	for _, p := range s.Book.Portions() {
		c.Held += p.Held
		if unheld := p.Balance - p.Held; unheld > 0 {
			c.place(p.Lot, unheld)
		}
	}
	for _, debt := range s.Book.Debts() {
		if i := c.debtorOf(s, debt); i >= 0 {
			c.Homeward[i].Debt += debt.Credits
		} else {
			c.Debt += debt.Credits
		}
	}
}

// place says where what is left of a lot goes.
func (c *Closing) place(lot *ledger.Lot, credits int64) {
	if i := c.homeOf(lot); i >= 0 {
		h := &c.Homeward[i]
		h.Credits += credits
		h.Parts = addPart(h.Parts, lot, credits)
		return
	}
	if c.heldBack[lot.ID] {
		c.Following += credits
		return
	}
	c.Ends += credits
	c.Ending = addPart(c.Ending, lot, credits)
}

// homeOf finds who takes a lot; -1: nobody.
func (c *Closing) homeOf(lot *ledger.Lot) int {
	for i, h := range c.homes {
		if lot != nil && h.takes(lot) {
			return i
		}
	}
	return -1
}

// debtorOf finds whom a debt follows; -1: nobody. It may be for credits of a subscription
// whose lot isn't here any more.
func (c *Closing) debtorOf(s *State, debt ledger.DebtOf) int {
	for i, h := range c.homes {
		for _, sub := range h.subs {
			if sub.caused(debt) {
				return i
			}
		}
	}
	return c.homeOf(s.Book.DebtLot(debt.Cause))
}

// addPart adds to the part of a lot, which may lie in several accounts.
func addPart(parts []Part, lot *ledger.Lot, credits int64) []Part {
	for i := range parts {
		if parts[i].Lot == lot.ID {
			parts[i].Credits += credits
			return parts
		}
	}
	return append(parts, Part{
		Lot: lot.ID, Source: lot.Class(), Credits: credits, ExpiresAt: lot.ExpiresAt, Contributor: lot.Contributor, Payer: lot.Payer, Frozen: lot.Frozen,
	})
}
