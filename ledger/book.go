package ledger

import (
	"cmp"
	"slices"
	"time"
)

// Kind of a book: a team's or a user's.
type Kind string

// The two kinds of book.
const (
	TeamBook Kind = "team"
	UserBook Kind = "user"
)

// The accounts that every book has, under the numbers they have in every book.
// Allocations follow from firstAllocation on, in the order in which they were made.
const (
	Issued     int32 = 1
	Spent      int32 = 2
	Expired    int32 = 3
	ClawedBack int32 = 4
	Debt       int32 = 5
	Clearing   int32 = 6
	Main       int32 = 7 // the pool of a team's book, the personal account of a user's

	firstAllocation int32 = 8
)

// AccountKind names an account as people see it.
type AccountKind string

// The kinds that hold credits to be drawn.
const (
	Pool       AccountKind = "pool"
	Personal   AccountKind = "personal"
	Allocation AccountKind = "allocation"
)

// Account is one account of a book. Held is part of Balance.
type Account struct {
	ID      int32
	Kind    AccountKind
	Holder  string // whose allocation it is
	Balance int64
	Held    int64
	Closed  bool // an allocation that passes what comes back on to the main account

	createdAt time.Time
	isNew     bool
	dirty     bool  // opened or closed
	delta     int64 // not yet written
	heldDelta int64
	portions  []*Portion // in draw order, those that were ever loaded or made
	unsorted  bool
}

// drawable accounts hold credits for somebody; the others are the book's own.
func drawable(account int32) bool { return account >= Main }

// Portion is what one lot has left in one account. Held is part of Balance.
type Portion struct {
	Lot     *Lot
	Account *Account
	Balance int64
	Held    int64

	dirty bool
}

// Free is what isn't held; of a frozen lot nothing is free.
func (p *Portion) Free() int64 {
	if p.Lot.Frozen {
		return 0
	}
	return p.Balance - p.Held
}

// unheld is what isn't held, be it frozen.
func (p *Portion) unheld() int64 { return p.Balance - p.Held }

func (p *Portion) usable(at time.Time) bool { return p.Free() > 0 && p.Lot.Alive(at) }

// Book is one book in memory: what was loaded, and what has been decided since.
type Book struct {
	ID     int64
	Kind   Kind
	Window time.Time // usage is counted since then; see SetWindow

	sequence    int64
	at          time.Time // when it was opened for
	locked      bool
	written     bool
	accounts    []*Account // by id
	allocations map[string]*Account
	indexed     int // so many accounts were looked through for allocations
	lots        map[int64]*Lot
	byOrigin    map[string]*Lot
	known       map[string]*Entry
	numbered    map[int64]*Entry // of those that were loaded
	undoable    map[int64]*undoable
	holds       map[int64]*HoldState
	nextHoldEnd *time.Time // of holds that were not loaded
	debts       []*debt
	drawn       map[string]FromMain
	drewSum     drewSum

	loadedWindow time.Time
	loadedDue    *time.Time
	entries      []*Entry
	systemDelta  map[portionKey]int64
	peerKey      string // the one key of its own that the ledger lets through; see Elsewhere
}

type portionKey struct {
	lot     int64
	account int32
}

// Locked tells whether the book is locked for whoever loaded it, and so may be written.
func (b *Book) Locked() bool { return b.locked }

// Account gives an account by its number.
func (b *Book) Account(id int32) (*Account, bool) {
	i, found := slices.BinarySearchFunc(b.accounts, id, func(a *Account, id int32) int { return cmp.Compare(a.ID, id) })
	if !found {
		return nil, false
	}
	return b.accounts[i], true
}

// Accounts gives the accounts that hold credits: the main one, then the allocations in
// the order in which they were made.
func (b *Book) Accounts() []*Account {
	i, _ := slices.BinarySearchFunc(b.accounts, Main, func(a *Account, id int32) int { return cmp.Compare(a.ID, id) })
	return b.accounts[i:]
}

// AllocationOf gives a holder's allocation, if one was ever made. Who lists a team asks for
// each of its members, so a look-up doesn't pass all accounts.
func (b *Book) AllocationOf(holder string) (*Account, bool) {
	for ; b.indexed < len(b.accounts); b.indexed++ {
		if a := b.accounts[b.indexed]; a.Kind == Allocation {
			if b.allocations == nil {
				b.allocations = map[string]*Account{}
			}
			b.allocations[a.Holder] = a
		}
	}
	a, ok := b.allocations[holder]
	return a, ok
}

// MakeAllocation gives a holder's allocation, opened again if it was closed, and makes
// it if there is none.
func (b *Book) MakeAllocation(holder string, at time.Time) *Account {
	if a, ok := b.AllocationOf(holder); ok {
		b.setClosed(a, false)
		return a
	}
	last := b.accounts[len(b.accounts)-1].ID
	a := &Account{ID: max(last+1, firstAllocation), Kind: Allocation, Holder: holder, createdAt: micro(at), isNew: true}
	b.accounts = append(b.accounts, a)
	return a
}

// CloseAllocation makes what still comes back to an allocation, from holds and
// reversals, go on to the main account: its holder has left (T12). It moves nothing.
func (b *Book) CloseAllocation(a *Account) { b.setClosed(a, true) }

func (b *Book) setClosed(a *Account, closed bool) {
	if a.Kind == Allocation && a.Closed != closed {
		a.Closed, a.dirty = closed, true
	}
}

// Owed is the book's debt, as a positive number.
func (b *Book) Owed() int64 {
	if a, ok := b.Account(Debt); ok {
		return -a.Balance
	}
	return 0
}

// Lot gives a lot by its origin key, if it was loaded: lots with nothing left are not.
func (b *Book) Lot(origin string) (*Lot, bool) {
	l, ok := b.byOrigin[origin]
	return l, ok
}

// Portions gives all that is left, by account and then in draw order.
func (b *Book) Portions() []*Portion {
	var all []*Portion
	for _, a := range b.Accounts() {
		for _, p := range a.inOrder() {
			if p.Balance > 0 {
				all = append(all, p)
			}
		}
	}
	return all
}

// Entries gives what was decided since the book was loaded.
func (b *Book) Entries() []*Entry { return b.entries }

// SetWindow says since when usage counts. It is the start of the current period, so it
// jumps; Write then counts anew from the entries themselves.
func (b *Book) SetWindow(start time.Time) { b.Window = micro(start) }

// portion gives the lot's place in an account and makes an empty one if there is none.
func (b *Book) portion(lot *Lot, account *Account) *Portion {
	for _, p := range account.portions {
		if p.Lot == lot {
			return p
		}
	}
	p := &Portion{Lot: lot, Account: account}
	account.portions = append(account.portions, p)
	account.unsorted = true
	return p
}

func (a *Account) inOrder() []*Portion {
	if a.unsorted {
		slices.SortStableFunc(a.portions, func(x, y *Portion) int { return less(x.Lot, y.Lot) })
		a.unsorted = false
	}
	return a.portions
}

func (b *Book) addLot(l *Lot) {
	b.lots[l.ID] = l
	b.byOrigin[l.Origin] = l
}

func (b *Book) nextSequence() int64 {
	b.sequence++
	return b.sequence
}

// openHolds gives the loaded holds that are open, the earliest end first.
func (b *Book) openHolds() []*HoldState {
	var open []*HoldState
	for _, h := range b.holds {
		if h.Status == HoldOpen {
			open = append(open, h)
		}
	}
	slices.SortFunc(open, func(x, y *HoldState) int {
		return cmp.Or(x.ExpiresAt.Compare(y.ExpiresAt), cmp.Compare(x.ID, y.ID))
	})
	return open
}

// NextDue is the next instant at which the book changes by itself: a hold ends, or the
// free part of a lot that the sweep ends. Nil: never. Turns are billing's to know.
func (b *Book) NextDue() *time.Time {
	next := b.nextHoldEnd
	earlier := func(t time.Time) {
		if next == nil || t.Before(*next) {
			next = &t
		}
	}
	if open := b.openHolds(); len(open) > 0 {
		earlier(open[0].ExpiresAt)
	}
	for _, a := range b.Accounts() {
		for _, p := range a.portions {
			if p.Lot.Series == "" && p.Lot.ExpiresAt != nil && p.Free() > 0 {
				earlier(*p.Lot.ExpiresAt)
			}
		}
	}
	return next
}

// NextNumber is the sequence that the next entry will have: it makes a key new.
func (b *Book) NextNumber() int64 { return b.sequence + 1 }
