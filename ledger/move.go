package ledger

import "fmt"

// MoveIn says what moves between two accounts of one book.
type MoveIn struct {
	Kind    EntryKind // KindAllocation, KindReclaim or KindTransfer
	From    *Account
	To      *Account
	Credits int64
}

// Move carries credits from one account of the book to another, in draw order; they
// keep their lots. What reaches the main account pays debt first.
func (b *Book) Move(r Request, in MoveIn) (*Entry, error) {
	if first, err := b.replay(in.Kind, &r); first != nil || err != nil {
		return first, err
	}
	if err := checkCredits(in.Credits); err != nil {
		return nil, err
	}
	if in.From == in.To {
		return nil, ErrSameAccount
	}
	draws, err := draw([]Payer{From(in.From)}, in.Credits, r.At)
	if err != nil {
		return nil, err
	}
	e := b.begin(in.Kind, r, in.Credits)
	for _, d := range draws {
		b.post(e, d.Portion.Lot, in.From.ID, in.To.ID, d.Credits)
		b.payDebt(e, d.Portion.Lot, in.To.ID, d.Credits)
	}
	return e, nil
}

// CarryIn says what is carried from an account of one book to an account of another.
type CarryIn struct {
	Kind        EntryKind // KindContribution or KindAssignment; the other half is its …_in
	From        *Account
	To          *Account
	Draws       []Draw // chosen beforehand with Choose or Take
	Contributor string // the person who puts it in, if one does: it then stands outside turns and pays nobody's debt
}

// Choose picks credits of one account in draw order, without moving them.
func (b *Book) Choose(a *Account, r Request, credits int64) ([]Draw, error) {
	if err := checkCredits(credits); err != nil {
		return nil, err
	}
	return draw([]Payer{From(a)}, credits, r.At)
}

// Carry moves credits between two books: an entry in each, which meet in the two
// clearing accounts. The lots keep source, dates and lineage. The key is the first
// book's; the second book's entry is keyed by the first.
func Carry(from, to *Book, r Request, in CarryIn) (out, into *Entry, err error) {
	if first, err := from.replay(in.Kind, &r); first != nil || err != nil {
		return first, nil, err
	}
	if from.ID == to.ID {
		return nil, nil, ErrSameAccount
	}
	credits := Sum(in.Draws)
	if err := checkCredits(credits); err != nil {
		return nil, nil, err
	}
	out = from.begin(in.Kind, r, credits)
	peer := r
	peer.Key = fmt.Sprintf("peer:%d:%d", from.ID, out.Sequence)
	into = to.begin(in.Kind+"_in", peer, credits)
	out.Peer = &EntryRef{Book: to.ID, Sequence: into.Sequence}
	into.Peer = &EntryRef{Book: from.ID, Sequence: out.Sequence}
	for _, d := range in.Draws {
		lot := d.Portion.Lot
		from.post(out, lot, d.Portion.Account.ID, Clearing, d.Credits)
		arrived := to.makeLot(from.carried(lot, out.Sequence, in.Contributor), d.Credits, into.Sequence)
		to.post(into, arrived, Clearing, in.To.ID, d.Credits)
		if in.Contributor == "" {
			to.payDebt(into, arrived, in.To.ID, d.Credits)
		}
	}
	return out, into, nil
}

func (b *Book) carried(lot *Lot, entry int64, contributor string) LotIn {
	in := LotIn{
		Source: lot.Source, Origin: fmt.Sprintf("%s@%d:%d", lot.RootOrigin, b.ID, entry), EffectiveAt: lot.EffectiveAt,
		ExpiresAt: lot.ExpiresAt, FirstGrantedAt: lot.FirstGrantedAt, Series: lot.Series, Step: lot.Step,
		TurnsSurvived: lot.TurnsSurvived, Contributor: lot.Contributor, Payer: lot.Payer, RootOrigin: lot.RootOrigin,
		Parent: &LotRef{Book: b.ID, Lot: lot.ID},
	}
	if contributor != "" {
		in.Contributor, in.Series, in.Step = contributor, "", 0
	}
	return in
}
