package ledger

import "slices"

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
	if err := b.checkAccounts(in.From); err != nil {
		return nil, err
	}
	if err := b.checkOpen(in.To); err != nil {
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
		b.arrive(e, d.Portion.Lot, in.To, d.Credits)
	}
	return e, nil
}

// Choose picks credits of one account in draw order, without moving them.
func (b *Book) Choose(a *Account, r Request, credits int64) ([]Draw, error) {
	if err := checkCredits(credits); err != nil {
		return nil, err
	}
	if err := b.checkAccounts(a); err != nil {
		return nil, err
	}
	return draw([]Payer{From(a)}, credits, micro(r.At))
}

// CarryIn says what is carried from an account of one book to an account of another.
type CarryIn struct {
	Kind  EntryKind // KindContribution or KindAssignment; the other half is its …_in
	From  *Account  // where all of it must lie; nil: anywhere in the book
	To    *Account
	Draws []Draw // chosen beforehand with Choose, Take or, to be assigned though frozen, Unheld

	// The person who puts it in, if one does. The credits then stand outside turns, and
	// pay the book's debt only if that person is the one who owes it (R1).
	Contributor string
	PaysDebt    bool

	KeyInTo bool // the request names the second book, so that one keeps the key
}

// Carry moves credits between two books: an entry in each, which meet in the two
// clearing accounts. The lots keep source, dates and lineage. The key is the first
// book's, unless KeyInTo says otherwise; the other book's entry is keyed by the one that
// has it. A repeated key is answered with the entry that has it alone, which names the
// other half.
func Carry(from, to *Book, r Request, in CarryIn) (out, into *Entry, err error) {
	if in.KeyInTo {
		first, err := to.replay(in.Kind+"_in", &r)
		if first != nil || err != nil {
			return nil, first, err
		}
	} else if first, err := from.replay(in.Kind, &r); first != nil || err != nil {
		return first, nil, err
	}
	if from.ID == to.ID {
		return nil, nil, ErrSameAccount
	}
	if err := to.checkOpen(in.To); err != nil {
		return nil, nil, err
	}
	left := (*Portion).Free
	if in.Kind == KindAssignment {
		left = (*Portion).unheld
	}
	draws, err := from.checkDraws(in.Draws, left)
	if err != nil {
		return nil, nil, err
	}
	if in.From != nil && slices.ContainsFunc(draws, func(d Draw) bool { return d.Portion.Account != in.From }) {
		return nil, nil, ErrAccountNotFound
	}
	credits := Sum(draws)
	if err := checkCredits(credits); err != nil {
		return nil, nil, err
	}
	if err := to.checkRoom(credits); err != nil {
		return nil, nil, err
	}
	if in.KeyInTo {
		into, out = link(to, from, r, in.Kind+"_in", in.Kind, credits)
	} else {
		out, into = link(from, to, r, in.Kind, in.Kind+"_in", credits)
	}
	for _, d := range draws {
		lot := d.Portion.Lot
		from.post(out, lot, d.Portion.Account.ID, Clearing, d.Credits)
		arrived := to.lotFor(into, in.lot(lot, out.Sequence), d.Credits)
		arrived.Frozen = lot.Frozen
		to.post(into, arrived, Clearing, in.To.ID, d.Credits)
		if in.Contributor == "" || in.PaysDebt {
			to.payDebt(into, arrived, in.To.ID, d.Credits)
		}
	}
	return out, into, nil
}

// link begins two entries that name each other. The first has the key.
func link(a, b *Book, r Request, kindA, kindB EntryKind, credits int64) (*Entry, *Entry) {
	first := a.begin(kindA, r, credits)
	second := b.begin(kindB, first.peer(r), credits)
	first.Peer = &EntryRef{Book: b.ID, Sequence: second.Sequence}
	second.Peer = &EntryRef{Book: a.ID, Sequence: first.Sequence}
	return first, second
}

// lot describes what a lot becomes on the other side. What a person puts in keeps its
// end but belongs to no subscription's turns there.
func (in CarryIn) lot(lot *Lot, entry int64) LotIn {
	arriving := carried(lot, entry)
	if in.Contributor != "" {
		arriving.Contributor, arriving.Series, arriving.Step = in.Contributor, "", 0
	}
	return arriving
}

// Elsewhere lets one book pay what another one was asked for: a member whose access is
// personal spends in a team (S2). The named book keeps the key and an entry without
// postings that points at the paying one; decide makes that one in the paying book,
// with the request it is given. A repeated key is answered with the note alone.
func Elsewhere(named, paying *Book, r Request, decide func(Request) (*Entry, error)) (note, paid *Entry, err error) {
	if first, err := named.replay(KindSpendElsewhere, &r); first != nil || err != nil {
		return first, nil, err
	}
	if named.ID == paying.ID {
		return nil, nil, ErrSameAccount
	}
	ahead := Entry{Book: named.ID, Sequence: named.NextNumber()}
	paying.peerKey = ahead.peer(r).Key
	paid, err = decide(ahead.peer(r))
	paying.peerKey = ""
	if err != nil {
		return nil, nil, err
	}
	note = named.begin(KindSpendElsewhere, r, paid.Credits)
	note.Peer = &EntryRef{Book: paying.ID, Sequence: paid.Sequence}
	paid.Peer = &EntryRef{Book: named.ID, Sequence: note.Sequence}
	return note, paid, nil
}
