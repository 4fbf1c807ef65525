package ledger

import (
	"slices"
	"time"
)

// undoable is a spend, a capture or a clawback that may be reversed, with what was given
// back of it already.
type undoable struct {
	heldAt   *time.Time // of a capture: when it was held
	entry    *Entry
	reversed int64
	returned map[portionKey]int64 // of a clawback: what went back where
}

// toUndo gives an entry of one of those kinds, of which so much may still be given back.
func (b *Book) toUndo(sequence, credits int64, kinds ...EntryKind) (*undoable, error) {
	if err := checkCredits(credits); err != nil {
		return nil, err
	}
	u, ok := b.undoable[sequence]
	if !ok || !slices.Contains(kinds, u.entry.Kind) {
		return nil, ErrEntryNotFound
	}
	if credits > u.entry.Credits-u.reversed {
		return nil, ErrMoreThanSpent
	}
	return u, nil
}

// Reverse gives a spend or a capture back, whole or in part, at most once its amount:
// the last drawn returns first, as if the smaller amount had been drawn.
func (b *Book) Reverse(r Request, spend, credits int64) (*Entry, error) {
	if first, err := b.replay(KindReversal, &r); first != nil || err != nil {
		return first, err
	}
	u, err := b.toUndo(spend, credits, KindSpend, KindCapture)
	if err != nil {
		return nil, err
	}
	r.Holder = u.entry.Holder
	e := b.begin(KindReversal, r, credits)
	e.Undoes = spend
	skip, left := u.reversed, credits
	for i := len(u.entry.Postings) - 1; i >= 0 && left > 0; i-- {
		p := u.entry.Postings[i]
		if p.To != Spent {
			continue
		}
		back := p.Credits - min(skip, p.Credits)
		skip -= p.Credits - back
		back = min(back, left)
		if back == 0 {
			continue
		}
		left -= back
		account, _ := b.Account(p.From)
		b.post(e, b.lots[p.Lot], Spent, p.From, back)
		b.arrive(e, b.lots[p.Lot], account, back)
	}
	u.reversed += credits
	return e, nil
}
