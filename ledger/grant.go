package ledger

import (
	"slices"
	"time"
)

// LotIn describes a lot to be made.
type LotIn struct {
	Source         Source
	Origin         string
	EffectiveAt    time.Time
	ExpiresAt      *time.Time
	FirstGrantedAt time.Time // zero: EffectiveAt
	Series         string
	Step           int64
	TurnsSurvived  int
	Contributor    string
	Payer          string
	RootOrigin     string // "": Origin
	Parent         *LotRef
}

func (b *Book) makeLot(in LotIn, credits, entry int64) *Lot {
	l := &Lot{
		ID: b.nextSequence(), Source: in.Source, Origin: in.Origin, Granted: credits, EffectiveAt: in.EffectiveAt,
		ExpiresAt: in.ExpiresAt, FirstGrantedAt: in.FirstGrantedAt, Series: in.Series, Step: in.Step,
		TurnsSurvived: in.TurnsSurvived, Contributor: in.Contributor, Payer: in.Payer, Parent: in.Parent,
		RootOrigin: in.RootOrigin, createdEntry: entry, isNew: true,
	}
	if l.FirstGrantedAt.IsZero() {
		l.FirstGrantedAt = l.EffectiveAt
	}
	if l.RootOrigin == "" {
		l.RootOrigin = l.Origin
	}
	b.addLot(l)
	return l
}

// Grant issues credits into an account: a new lot, or more of the lot that has the same
// origin, which then keeps its dates. What enters the main account pays debt first.
func (b *Book) Grant(r Request, account *Account, in LotIn, credits int64) (*Entry, error) {
	if first, err := b.replay(KindGrant, &r); first != nil || err != nil {
		return first, err
	}
	if err := checkCredits(credits); err != nil {
		return nil, err
	}
	e := b.begin(KindGrant, r, credits)
	lot := b.lotFor(e, in, credits)
	b.post(e, lot, Issued, account.ID, credits)
	b.payDebt(e, lot, account.ID, credits)
	return e, nil
}

func (b *Book) lotFor(e *Entry, in LotIn, credits int64) *Lot {
	if lot, ok := b.byOrigin[in.Origin]; ok {
		lot.Granted += credits
		lot.dirty = true
		return lot
	}
	return b.makeLot(in, credits, e.Sequence)
}

// Take chooses up to credits of one lot from what is free of it, wherever it lies: the
// main account first, then the allocations in the order in which they were made.
func (b *Book) Take(lot *Lot, credits int64) []Draw {
	return b.take(credits, b.portionsOf(lot))
}

// TakeFrom is Take within one account.
func (b *Book) TakeFrom(lot *Lot, account *Account, credits int64) []Draw {
	return b.take(credits, []*Portion{b.portion(lot, account)})
}

func (b *Book) take(credits int64, portions []*Portion) []Draw {
	var draws []Draw
	for _, p := range portions {
		if n := min(credits, p.Free()); n > 0 {
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
	if err := checkCredits(Sum(draws)); err != nil {
		return nil, err
	}
	e := b.begin(kind, r, Sum(draws))
	for _, d := range draws {
		b.post(e, d.Portion.Lot, d.Portion.Account.ID, to, d.Credits)
	}
	return e, nil
}

// ExpireLots ends what is free of every lot without a series whose end has come, one
// entry a lot, and returns how many there were. Lots of a series are ended by their
// turn alone. What a lot still has held stays until the hold settles.
func (b *Book) ExpireLots(at time.Time) int {
	n := 0
	for _, lot := range b.lotsInOrder() {
		if lot.Series != "" || !lot.dead(at) || lot.Frozen {
			continue
		}
		draws := b.Take(lot, CreditsMax)
		if len(draws) == 0 {
			continue
		}
		n++
		b.mustDrain(KindExpiry, Request{
			Key: b.serial("expiry:%d", lot.ID), Hash: []byte(KindExpiry), Actor: "purser", At: at, Memo: "expired",
		}, draws, Expired)
	}
	return n
}

// mustDrain is drain where no refusal is possible: the key is new and the draws were
// just chosen from what is there.
func (b *Book) mustDrain(kind EntryKind, r Request, draws []Draw, to int32) {
	for _, d := range draws {
		if d.Credits < 1 || d.Credits > d.Portion.Free() {
			panic("ledger: drained more than is free")
		}
	}
	e := b.begin(kind, r, Sum(draws))
	for _, d := range draws {
		b.post(e, d.Portion.Lot, d.Portion.Account.ID, to, d.Credits)
	}
}

func (b *Book) lotsInOrder() []*Lot {
	all := make([]*Lot, 0, len(b.lots))
	for _, l := range b.lots {
		all = append(all, l)
	}
	slices.SortFunc(all, less)
	return all
}

// Roll carries credits of a portion over into a new lot, or into more of the one that
// has the same origin, in the same account. The new lot keeps lineage and source dates
// as the caller says. It passes the clearing account, which it leaves as it was.
func (b *Book) Roll(r Request, p *Portion, credits int64, in LotIn) (*Entry, error) {
	if first, err := b.replay(KindRollover, &r); first != nil || err != nil {
		return first, err
	}
	if err := checkCredits(credits); err != nil {
		return nil, err
	}
	if credits > p.Free() {
		return nil, &InsufficientError{Wanted: credits, Available: p.Free(), Accounts: []int32{p.Account.ID}}
	}
	in.Parent = &LotRef{Book: b.ID, Lot: p.Lot.ID}
	in.RootOrigin = p.Lot.RootOrigin
	in.Payer = p.Lot.Payer
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
	e := b.begin(KindRedate, r, 0)
	lot.ExpiresAt = expiresAt
	lot.dirty = true
	for _, a := range b.Accounts() {
		a.unsorted = true
	}
	return e, nil
}
