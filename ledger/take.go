package ledger

import (
	"fmt"
	"slices"
	"time"
)

// Take chooses up to credits of one lot from what is free of it, wherever it lies: the
// main account first, then the allocations in the order in which they were made.
func (b *Book) Take(lot *Lot, credits int64) []Draw {
	return take(credits, b.portionsOf(lot), (*Portion).Free)
}

// TakeFrom is Take within one account.
func (b *Book) TakeFrom(lot *Lot, account *Account, credits int64) []Draw {
	portions := slices.DeleteFunc(b.portionsOf(lot), func(p *Portion) bool { return p.Account != account })
	return take(credits, portions, (*Portion).Free)
}

// Unheld chooses all that isn't held of one lot, be it frozen: what an assignment may
// carry to another book, where it stays frozen.
func (b *Book) Unheld(lot *Lot) []Draw {
	return take(CreditsMax, b.portionsOf(lot), (*Portion).unheld)
}

func take(credits int64, portions []*Portion, left func(*Portion) int64) []Draw {
	var draws []Draw
	for _, p := range portions {
		if n := min(credits, left(p)); n > 0 {
			draws = append(draws, Draw{Portion: p, Credits: n})
			credits -= n
		}
	}
	return draws
}

func (b *Book) portionsOf(lot *Lot) []*Portion {
	var all []*Portion
	for _, a := range b.Accounts() {
		for _, p := range a.portions {
			if p.Lot == lot && p.Balance > 0 {
				all = append(all, p)
			}
		}
	}
	return all
}

// Sum adds up what was chosen.
func Sum(draws []Draw) int64 {
	var sum int64
	for _, d := range draws {
		sum += d.Credits
	}
	return sum
}

// checkDraws looks again at what was chosen, since something may have been decided in
// between, and gives it with each portion named once.
func (b *Book) checkDraws(draws []Draw, left func(*Portion) int64) ([]Draw, error) {
	var checked []Draw
	for _, d := range draws {
		if err := checkCredits(d.Credits); err != nil {
			return nil, err
		}
		if d.Portion == nil {
			return nil, ErrLotNotFound
		}
		if err := b.checkLot(d.Portion.Lot); err != nil {
			return nil, err
		}
		if err := b.checkAccounts(d.Portion.Account); err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(checked, func(c Draw) bool { return c.Portion == d.Portion }); i >= 0 {
			checked[i].Credits += d.Credits
		} else {
			checked = append(checked, d)
		}
	}
	for _, d := range checked {
		if have := left(d.Portion); d.Credits > have {
			return nil, &InsufficientError{Wanted: d.Credits, Available: have, Accounts: []int32{d.Portion.Account.ID}}
		}
	}
	return checked, nil
}

// TakeBack returns granted credits to where they were issued from: seats fell, or a
// period was cut short. Nobody owes for it; what can't be taken is the caller's to
// remember.
func (b *Book) TakeBack(r Request, draws []Draw) (*Entry, error) {
	return b.drain(KindTakeBack, r, draws, Issued)
}

// ExpireDraws ends credits whose time is over by the caller's rule, a turn's say.
func (b *Book) ExpireDraws(r Request, draws []Draw) (*Entry, error) {
	return b.drain(KindExpiry, r, draws, Expired)
}

func (b *Book) drain(kind EntryKind, r Request, draws []Draw, to int32) (*Entry, error) {
	if first, err := b.replay(kind, &r); first != nil || err != nil {
		return first, err
	}
	draws, err := b.checkDraws(draws, (*Portion).Free)
	if err != nil {
		return nil, err
	}
	if err := checkCredits(Sum(draws)); err != nil {
		return nil, err
	}
	return b.drainTo(kind, r, draws, to), nil
}

func (b *Book) drainTo(kind EntryKind, r Request, draws []Draw, to int32) *Entry {
	e := b.begin(kind, r, Sum(draws))
	for _, d := range draws {
		b.post(e, d.Portion.Lot, d.Portion.Account.ID, to, d.Credits)
	}
	return e
}

// ExpireLots ends what is free of every lot without a series whose end has come, one
// entry a lot, and returns how many there were. Each counts as of the lot's end, or of
// the later instant at which it came free: whenever the sweep runs, the figures of a
// period are the same. Lots of a series are ended by their turn alone. What a lot still
// has held stays until the hold settles.
func (b *Book) ExpireLots(at time.Time) int {
	n := 0
	for _, lot := range b.lotsInOrder() {
		if lot.Series != "" || !lot.dead(at) {
			continue
		}
		draws := b.Take(lot, CreditsMax)
		if len(draws) > 0 {
			n++
		}
		// A lot may have grown beyond what one entry can say.
		for ; len(draws) > 0; draws = b.Take(lot, CreditsMax) {
			r := b.own(KindExpiry, lot.ID, later(*lot.ExpiresAt, lot.freedAt))
			r.Memo = fmt.Sprintf("lot %d has ended", lot.ID)
			b.drainTo(KindExpiry, r, draws, Expired)
		}
	}
	return n
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (b *Book) lotsInOrder() []*Lot {
	all := make([]*Lot, 0, len(b.lots))
	for _, l := range b.lots {
		all = append(all, l)
	}
	slices.SortFunc(all, less)
	return all
}
