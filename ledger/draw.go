package ledger

import (
	"cmp"
	"time"
)

// less is the draw order (L4), total and stable: the earliest end first and never
// last; what nobody paid for before what was bought; the earliest start; the lowest
// sequence. Lot ids are sequence numbers, so no two lots of a book compare equal.
func less(a, b *Lot) int {
	switch {
	case a.ExpiresAt == nil && b.ExpiresAt != nil:
		return 1
	case a.ExpiresAt != nil && b.ExpiresAt == nil:
		return -1
	case a.ExpiresAt != nil && !a.ExpiresAt.Equal(*b.ExpiresAt):
		return a.ExpiresAt.Compare(*b.ExpiresAt)
	}
	return cmp.Or(
		cmp.Compare(paidLast(a.Source), paidLast(b.Source)),
		a.EffectiveAt.Compare(b.EffectiveAt),
		cmp.Compare(a.ID, b.ID),
	)
}

func paidLast(s Source) int {
	if s == Purchase {
		return 1
	}
	return 0
}

// Draw is credits chosen from one portion.
type Draw struct {
	Portion *Portion
	Credits int64
}

// Payer is an account that may be drawn from, up to Max; a negative Max is no cap.
type Payer struct {
	Account *Account
	Max     int64
}

// From is a payer without a cap.
func From(a *Account) Payer { return Payer{Account: a, Max: -1} }

// Available is what can be drawn from the account at that instant.
func (a *Account) Available(at time.Time) int64 {
	var sum int64
	for _, p := range a.portions {
		if p.usable(at) {
			sum += p.Free()
		}
	}
	return sum
}

// Frozen is what is disputed in the account and not held.
func (a *Account) Frozen() int64 {
	var sum int64
	for _, p := range a.portions {
		if p.Lot.Frozen {
			sum += p.unheld()
		}
	}
	return sum
}

// draw chooses the portions that pay, from the first payer as far as it goes, then
// from the next. It is all or nothing and changes nothing.
func draw(payers []Payer, credits int64, at time.Time) ([]Draw, error) {
	var draws []Draw
	left := credits
	for _, payer := range payers {
		room := payer.Max
		for _, p := range payer.Account.inOrder() {
			if left == 0 || room == 0 {
				break
			}
			if !p.usable(at) {
				continue
			}
			take := min(left, p.Free()-taken(draws, p))
			if room > 0 {
				take = min(take, room)
				room -= take
			}
			if take == 0 {
				continue
			}
			draws = append(draws, Draw{Portion: p, Credits: take})
			left -= take
		}
	}
	if left > 0 {
		return nil, insufficient(payers, credits, credits-left)
	}
	return draws, nil
}

// taken is what was chosen of a portion already, by an earlier payer with the same
// account.
func taken(draws []Draw, p *Portion) int64 {
	var sum int64
	for _, d := range draws {
		if d.Portion == p {
			sum += d.Credits
		}
	}
	return sum
}

func insufficient(payers []Payer, wanted, available int64) *InsufficientError {
	e := &InsufficientError{Wanted: wanted, Available: available}
	for _, p := range payers {
		e.Accounts = append(e.Accounts, p.Account.ID)
	}
	return e
}
