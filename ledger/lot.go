package ledger

import (
	"fmt"
	"strings"
	"time"
)

// Source says where a lot's credits come from.
type Source string

// The sources of L3.
const (
	Monthly  Source = "monthly"
	Rollover Source = "rollover"
	Purchase Source = "purchase"
	Bonus    Source = "bonus"
)

// Lot is credits that were granted together and end together.
type Lot struct {
	ID             int64
	Source         Source
	Origin         string // unique in the book
	Granted        int64
	EffectiveAt    time.Time
	ExpiresAt      *time.Time // nil: never
	FirstGrantedAt time.Time
	Series         string // lots of one series turn together; "": the expiry sweep ends it
	Step           int64  // the turn that ends it
	TurnsSurvived  int
	Contributor    string // the person who put it in, if one did
	Payer          string // who paid for it, if somebody did
	Frozen         bool
	Parent         *LotRef
	RootOrigin     string // the origin of the first lot in its lineage

	book         int64
	createdEntry int64
	isNew        bool
	dirty        bool
	freedAt      time.Time // the last entry since opening that left more of it free
}

// LotRef names a lot in some book.
type LotRef struct {
	Book int64
	Lot  int64
}

// Class is the line of B12 on which a lot's credits are shown.
type Class string

// The classes of B12. What people put in is contributed, whatever its source was.
const (
	ClassMonthly     Class = "monthly"
	ClassPurchased   Class = "purchased"
	ClassRollover    Class = "rollover"
	ClassBonus       Class = "bonus"
	ClassContributed Class = "contributed"
)

// Class tells how the lot's credits are shown.
func (l *Lot) Class() Class {
	switch {
	case l.Contributor != "":
		return ClassContributed
	case l.Source == Purchase:
		return ClassPurchased
	default:
		return Class(l.Source)
	}
}

// Alive tells whether the lot can be drawn from at that instant, freezing aside.
func (l *Lot) Alive(at time.Time) bool { return !l.EffectiveAt.After(at) && !l.dead(at) }

func (l *Lot) dead(at time.Time) bool { return l.ExpiresAt != nil && !l.ExpiresAt.After(at) }

// freed notes when more of the lot came free, so that an expiry isn't dated before it.
func (l *Lot) freed(at time.Time) {
	if at.After(l.freedAt) {
		l.freedAt = at
	}
}

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

// rounded is the description with its instants as the database keeps them, and its
// blanks filled in.
func (in LotIn) rounded() (LotIn, error) {
	in.EffectiveAt, in.ExpiresAt = micro(in.EffectiveAt), microOrNil(in.ExpiresAt)
	in.FirstGrantedAt = micro(in.FirstGrantedAt)
	if in.FirstGrantedAt.IsZero() {
		in.FirstGrantedAt = in.EffectiveAt
	}
	if in.RootOrigin == "" {
		in.RootOrigin = in.Origin
	}
	if in.Origin == "" || in.ExpiresAt != nil && in.ExpiresAt.Before(in.EffectiveAt) || (in.Series == "") != (in.Step == 0) {
		return in, fmt.Errorf("lot %q: %w", in.Origin, ErrLotInvalid)
	}
	return in, nil
}

// lotFor gives the lot with that origin, grown by the credits, or makes it.
func (b *Book) lotFor(e *Entry, in LotIn, credits int64) *Lot {
	if lot, ok := b.byOrigin[in.Origin]; ok {
		lot.Granted += credits
		lot.dirty = true
		return lot
	}
	lot := &Lot{
		ID: b.nextSequence(), Source: in.Source, Origin: in.Origin, Granted: credits, EffectiveAt: in.EffectiveAt,
		ExpiresAt: in.ExpiresAt, FirstGrantedAt: in.FirstGrantedAt, Series: in.Series, Step: in.Step,
		TurnsSurvived: in.TurnsSurvived, Contributor: in.Contributor, Payer: in.Payer, Parent: in.Parent,
		RootOrigin: in.RootOrigin, book: b.ID, createdEntry: e.Sequence, isNew: true,
	}
	b.addLot(lot)
	return lot
}

// standIn gives a lot of this book for a purchase whose own lot lies in another one: a
// debt must name its cause where it is owed. Where nothing of the lineage has come, it
// makes a lot that nothing was granted of.
func (b *Book) standIn(e *Entry, lot *Lot) *Lot {
	if lot.book == b.ID {
		return lot
	}
	for _, l := range b.lotsInOrder() {
		if l.RootOrigin == lot.RootOrigin {
			return l
		}
	}
	in := carried(lot, e.Sequence)
	in.Origin, in.Series, in.Step = in.Origin+":debt", "", 0
	return b.lotFor(e, in, 0)
}

// carried describes the lot that credits of a lot become in another book: source, dates
// and lineage stay. The origin says which entry brought it.
func carried(lot *Lot, entry int64) LotIn {
	return LotIn{
		Source: lot.Source, Origin: fmt.Sprintf("%s@%d:%d:%d", lot.RootOrigin, lot.book, lot.ID, entry),
		EffectiveAt: lot.EffectiveAt, ExpiresAt: lot.ExpiresAt, FirstGrantedAt: lot.FirstGrantedAt, Series: lot.Series,
		Step: lot.Step, TurnsSurvived: lot.TurnsSurvived, Contributor: lot.Contributor, Payer: lot.Payer,
		RootOrigin: lot.RootOrigin, Parent: &LotRef{Book: lot.book, Lot: lot.ID},
	}
}

// Root gives the origin of the first lot in a lineage, of an origin that a lot got when it
// was carried to another book.
func Root(origin string) string {
	root, _, _ := strings.Cut(origin, "@")
	return root
}
