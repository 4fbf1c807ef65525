package ledger

import (
	"fmt"
	"time"
)

// Grant issues credits into an account: a new lot, or more of the lot that has the same
// origin, which then keeps its dates. What enters the main account pays debt first.
func (b *Book) Grant(r Request, account *Account, in LotIn, credits int64) (*Entry, error) {
	if first, err := b.replay(KindGrant, &r); first != nil || err != nil {
		return first, err
	}
	if err := checkCredits(credits); err != nil {
		return nil, err
	}
	if err := b.checkOpen(account); err != nil {
		return nil, err
	}
	in, err := in.rounded()
	if err != nil {
		return nil, err
	}
	if err := b.checkRoom(credits); err != nil {
		return nil, err
	}
	e := b.begin(KindGrant, r, credits)
	lot := b.lotFor(e, in, credits)
	b.post(e, lot, Issued, account.ID, credits)
	b.arrive(e, lot, account, credits)
	return e, nil
}

// checkAccounts refuses accounts that aren't this book's or can't hold credits for
// somebody, above all another book's.
func (b *Book) checkAccounts(accounts ...*Account) error {
	for _, a := range accounts {
		if a == nil || !drawable(a.ID) {
			return ErrAccountNotFound
		}
		if own, ok := b.Account(a.ID); !ok || own != a {
			return ErrAccountNotFound
		}
	}
	return nil
}

// checkOpen refuses an allocation that is closed, too: nothing new may go there.
func (b *Book) checkOpen(a *Account) error {
	if err := b.checkAccounts(a); err != nil {
		return err
	}
	if a.Closed {
		return ErrAccountClosed
	}
	return nil
}

func (b *Book) checkLot(lot *Lot) error {
	if lot == nil || b.lots[lot.ID] != lot {
		return ErrLotNotFound
	}
	return nil
}

// checkRoom refuses what would bring any sum of the book near the end of int64.
func (b *Book) checkRoom(credits int64) error {
	issued, _ := b.Account(Issued)
	clearing, _ := b.Account(Clearing)
	if credits > bookMax+min(issued.Balance, 0)+min(clearing.Balance, 0) {
		return fmt.Errorf("book %d: %w", b.ID, ErrBookFull)
	}
	return nil
}

// Roll carries credits of a portion over into a new lot, or into more of the one that
// has the same origin, in the same account. The new lot keeps lineage and source dates
// as the caller says. It passes the clearing account, which it leaves as it was. Nothing
// enters the account by it, so it pays no debt.
func (b *Book) Roll(r Request, p *Portion, credits int64, in LotIn) (*Entry, error) {
	if first, err := b.replay(KindRollover, &r); first != nil || err != nil {
		return first, err
	}
	if _, err := b.checkDraws([]Draw{{Portion: p, Credits: credits}}, (*Portion).Free); err != nil {
		return nil, err
	}
	in.Parent = &LotRef{Book: b.ID, Lot: p.Lot.ID}
	in.RootOrigin = p.Lot.RootOrigin
	in.Payer = p.Lot.Payer
	in, err := in.rounded()
	if err != nil {
		return nil, err
	}
	if in.Origin == p.Lot.Origin {
		return nil, ErrSameAccount
	}
	e := b.begin(KindRollover, r, credits)
	b.post(e, p.Lot, p.Account.ID, Clearing, credits)
	b.post(e, b.lotFor(e, in, credits), Clearing, p.Account.ID, credits)
	return e, nil
}

// Redate moves a lot's end. No credits move, but the entry says when and why.
func (b *Book) Redate(r Request, lot *Lot, expiresAt *time.Time) (*Entry, error) {
	if first, err := b.replay(KindRedate, &r); first != nil || err != nil {
		return first, err
	}
	if err := b.checkLot(lot); err != nil {
		return nil, err
	}
	expiresAt = microOrNil(expiresAt)
	if expiresAt != nil && expiresAt.Before(lot.EffectiveAt) {
		return nil, fmt.Errorf("lot %q: %w", lot.Origin, ErrLotInvalid)
	}
	e := b.begin(KindRedate, r, 0)
	e.Lot, e.EndsAt = lot.ID, expiresAt
	lot.ExpiresAt = expiresAt
	lot.dirty = true
	lot.freed(e.At)
	for _, a := range b.Accounts() {
		a.unsorted = true
	}
	return e, nil
}

// SetFrozen freezes a lot, so that what is left of it can't be drawn, or thaws it.
func (b *Book) SetFrozen(r Request, lot *Lot, frozen bool) (*Entry, error) {
	kind := KindThaw
	if frozen {
		kind = KindFreeze
	}
	if first, err := b.replay(kind, &r); first != nil || err != nil {
		return first, err
	}
	if err := b.checkLot(lot); err != nil {
		return nil, err
	}
	e := b.begin(kind, r, 0)
	e.Lot = lot.ID
	lot.Frozen = frozen
	lot.dirty = true
	lot.freed(e.At)
	return e, nil
}
