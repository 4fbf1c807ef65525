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
	draws, err := b.drawFrom(in.Payers, in.Credits, r.At)
	if err != nil {
		return nil, err
	}
	e := b.begin(KindSpend, r, in.Credits)
	for _, d := range draws {
		b.post(e, d.Portion.Lot, d.Portion.Account.ID, Spent, d.Credits)
	}
	return e, nil
}

func (b *Book) drawFrom(payers []Payer, credits int64, at time.Time) ([]Draw, error) {
	for _, p := range payers {
		if err := b.checkAccounts(p.Account); err != nil {
			return nil, err
		}
	}
	return draw(payers, credits, at)
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
	draws, err := b.drawFrom(in.Payers, in.Credits, r.At)
	if err != nil {
		return nil, err
	}
	e := b.begin(KindHold, r, in.Credits)
	e.EndsAt = microOrNil(&in.ExpiresAt)
	for _, d := range draws {
		b.hold(d.Portion, d.Credits)
		e.held = append(e.held, Drawn{Lot: d.Portion.Lot.ID, Account: d.Portion.Account.ID, Credits: d.Credits})
	}
	b.holds[e.Sequence] = &HoldState{
		ID: e.Sequence, Holder: r.Holder, Status: HoldOpen, Credits: in.Credits, HeldAt: r.At, ExpiresAt: *e.EndsAt,
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
		}
		b.arrive(e, d.Portion.Lot, d.Portion.Account, d.Credits-take)
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
		b.giveBack(KindHoldExpiry, b.own(KindHoldExpiry, h.ID, h.ExpiresAt), h, HoldExpired)
	}
	return n
}

func (b *Book) giveBack(kind EntryKind, r Request, h *HoldState, status HoldStatus) *Entry {
	r.Holder = h.Holder
	e := b.begin(kind, r, h.Credits)
	e.Undoes = h.ID
	for _, d := range h.draws {
		b.hold(d.Portion, -d.Credits)
		b.arrive(e, d.Portion.Lot, d.Portion.Account, d.Credits)
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
