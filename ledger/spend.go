package ledger

import "time"

// HoldStatus is where a hold stands.
type HoldStatus string

// The states of a hold.
const (
	HoldOpen     HoldStatus = "open"
	HoldCaptured HoldStatus = "captured"
	HoldReleased HoldStatus = "released"
	HoldExpired  HoldStatus = "expired"
)

// HoldState is a hold as it stands, with the portions it keeps, in draw order.
type HoldState struct {
	ID        int64
	Holder    string
	Status    HoldStatus
	Credits   int64
	Captured  int64
	HeldAt    time.Time
	ExpiresAt time.Time
	SettledAt *time.Time

	draws []Draw
	isNew bool
	dirty bool
}

// SpendIn is what to spend, and who pays, in order.
type SpendIn struct {
	Credits int64
	Payers  []Payer
}

// Spend uses credits up. It is all or nothing.
func (b *Book) Spend(r Request, in SpendIn) (*Entry, error) {
	if first, err := b.replay(KindSpend, &r); first != nil || err != nil {
		return first, err
	}
	if err := checkCredits(in.Credits); err != nil {
		return nil, err
	}
	draws, err := draw(in.Payers, in.Credits, r.At)
	if err != nil {
		return nil, err
	}
	e := b.begin(KindSpend, r, in.Credits)
	for _, d := range draws {
		b.post(e, d.Portion.Lot, d.Portion.Account.ID, Spent, d.Credits)
		b.use(e.Holder, d.Portion.Lot, d.Credits)
	}
	return e, nil
}

// HoldIn is what to set aside until ExpiresAt, and who pays, in order.
type HoldIn struct {
	Credits   int64
	Payers    []Payer
	ExpiresAt time.Time
}

// Hold sets credits aside where they lie; nothing is posted until it is captured.
// The hold's id is the entry's sequence.
func (b *Book) Hold(r Request, in HoldIn) (*Entry, error) {
	if first, err := b.replay(KindHold, &r); first != nil || err != nil {
		return first, err
	}
	if err := checkCredits(in.Credits); err != nil {
		return nil, err
	}
	draws, err := draw(in.Payers, in.Credits, r.At)
	if err != nil {
		return nil, err
	}
	e := b.begin(KindHold, r, in.Credits)
	e.holdEnd = in.ExpiresAt
	for _, d := range draws {
		b.hold(d.Portion, d.Credits)
		e.holdDraws = append(e.holdDraws, holdDraw{Lot: d.Portion.Lot.ID, Account: d.Portion.Account.ID, Credits: d.Credits})
	}
	b.holds[e.Sequence] = &HoldState{
		ID: e.Sequence, Holder: r.Holder, Status: HoldOpen, Credits: in.Credits, HeldAt: r.At, ExpiresAt: in.ExpiresAt,
		draws: draws, isNew: true,
	}
	return e, nil
}

// HoldOf gives a hold that was loaded or made.
func (b *Book) HoldOf(id int64) (*HoldState, bool) {
	h, ok := b.holds[id]
	return h, ok
}

// Capture uses a hold, whole or in part, and gives the rest back: as if only the
// captured amount had been drawn. Capturing nothing is a release.
func (b *Book) Capture(r Request, holdID, credits int64) (*Entry, error) {
	if credits == 0 {
		return b.Release(r, holdID)
	}
	if first, err := b.replay(KindCapture, &r); first != nil || err != nil {
		return first, err
	}
	h, err := b.openHold(holdID, r.At)
	if err != nil {
		return nil, err
	}
	if err := checkCredits(credits); err != nil {
		return nil, err
	}
	if credits > h.Credits {
		return nil, ErrMoreThanHeld
	}
	r.Holder = h.Holder
	e := b.begin(KindCapture, r, credits)
	e.Undoes = h.ID
	left := credits
	for _, d := range h.draws {
		b.hold(d.Portion, -d.Credits)
		take := min(left, d.Credits)
		left -= take
		if take > 0 {
			b.post(e, d.Portion.Lot, d.Portion.Account.ID, Spent, take)
			b.use(h.Holder, d.Portion.Lot, take)
		}
		b.payDebtFromHold(e, d, d.Credits-take)
	}
	h.settle(HoldCaptured, credits, r.At)
	return e, nil
}

// Release gives a hold back to where it was drawn from.
func (b *Book) Release(r Request, holdID int64) (*Entry, error) {
	if first, err := b.replay(KindRelease, &r); first != nil || err != nil {
		return first, err
	}
	h, err := b.openHold(holdID, r.At)
	if err != nil {
		return nil, err
	}
	r.Holder = h.Holder
	return b.giveBack(KindRelease, r, h, HoldReleased), nil
}

// ExpireHolds ends every loaded hold whose time has come, as of its end, so that what
// they kept is free again. It returns how many there were.
func (b *Book) ExpireHolds(at time.Time) int {
	n := 0
	for _, h := range b.openHolds() {
		if h.ExpiresAt.After(at) {
			continue
		}
		n++
		b.giveBack(KindHoldExpiry, Request{
			Key: b.serial("hold_expiry:%d", h.ID), Hash: []byte(KindHoldExpiry), Actor: "purser", At: h.ExpiresAt, Holder: h.Holder,
		}, h, HoldExpired)
	}
	return n
}

func (b *Book) giveBack(kind EntryKind, r Request, h *HoldState, status HoldStatus) *Entry {
	e := b.begin(kind, r, h.Credits)
	e.Undoes = h.ID
	for _, d := range h.draws {
		b.hold(d.Portion, -d.Credits)
		b.payDebtFromHold(e, d, d.Credits)
	}
	h.settle(status, 0, r.At)
	return e
}

func (h *HoldState) settle(status HoldStatus, captured int64, at time.Time) {
	h.Status, h.Captured, h.SettledAt, h.dirty = status, captured, &at, true
}

func (b *Book) openHold(id int64, at time.Time) (*HoldState, error) {
	h, ok := b.holds[id]
	switch {
	case !ok:
		return nil, ErrHoldNotFound
	case h.Status == HoldExpired, h.Status == HoldOpen && !h.ExpiresAt.After(at):
		return nil, ErrHoldExpired
	case h.Status != HoldOpen:
		return nil, ErrHoldSettled
	}
	return h, nil
}

// undoable is a spend or a capture that may be reversed, with what was given back of it.
type undoable struct {
	entry    *Entry
	reversed int64
	returned map[portionKey]int64 // of a clawback: what went back where
}

// Reverse gives a spend or a capture back, whole or in part, at most once its amount:
// the last drawn returns first, as if the smaller amount had been drawn.
func (b *Book) Reverse(r Request, spend, credits int64) (*Entry, error) {
	if first, err := b.replay(KindReversal, &r); first != nil || err != nil {
		return first, err
	}
	if err := checkCredits(credits); err != nil {
		return nil, err
	}
	u, ok := b.undoable[spend]
	if !ok {
		return nil, ErrEntryNotFound
	}
	if credits > u.entry.Credits-u.reversed {
		return nil, ErrMoreThanSpent
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
		lot := b.lots[p.Lot]
		b.post(e, lot, Spent, p.From, back)
		if !u.entry.At.Before(b.Window) {
			b.use(e.Holder, lot, -back)
		}
		b.payDebt(e, lot, p.From, back)
	}
	u.reversed += credits
	return e, nil
}
