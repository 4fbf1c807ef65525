package ledger

import "fmt"

// debt is what one clawback could not find.
type debt struct {
	ID      int64 // the entry that made it: the clawback, or what brought it here
	Cause   string
	Lot     *Lot // what it is posted under: the lot of the cause, or one that stands in for it
	Credits int64
	Paid    int64

	isNew bool
	dirty bool
}

func (d *debt) open() int64 { return d.Credits - d.Paid }

func (d *debt) pay(credits int64) {
	d.Paid += credits
	d.dirty = true
}

// DebtOf is what the book owes for one purchase or grant.
type DebtOf struct {
	Cause   string // the root origin of what was clawed back
	Credits int64
}

// Debts gives what the book owes, by cause, the oldest debt first.
func (b *Book) Debts() []DebtOf {
	var all []DebtOf
	for _, d := range b.debts {
		if d.open() > 0 {
			all = append(all, DebtOf{Cause: d.Cause, Credits: d.open()})
		}
	}
	return all
}

// DebtLot gives the lot that a debt is posted under: the cause's, or one of this book
// that stands in for it.
func (b *Book) DebtLot(cause string) *Lot {
	for _, d := range b.debts {
		if d.Cause == cause && d.open() > 0 {
			return d.Lot
		}
	}
	return nil
}

// arrive completes what brought credits into an account, from outside or back from a
// hold or a spend: a closed allocation passes them on to the main account (T12), and
// there they pay debt first (R1). What other people contributed never does.
func (b *Book) arrive(e *Entry, lot *Lot, account *Account, credits int64) {
	if credits == 0 {
		return
	}
	lot.freed(e.At)
	to := account.ID
	if account.Closed {
		b.post(e, lot, account.ID, Main, credits)
		to = Main
	}
	if lot.Contributor == "" {
		b.payDebt(e, lot, to, credits)
	}
}

// payDebt lets credits that entered the main account pay what the book owes, the
// oldest debt first. Credits that can't be used yet, or no longer, pay nothing.
func (b *Book) payDebt(e *Entry, lot *Lot, account int32, entered int64) {
	pay := min(b.Owed(), entered)
	if pay == 0 || account != Main || lot.Frozen || !lot.Alive(e.At) {
		return
	}
	b.post(e, lot, Main, Debt, pay)
	for _, d := range b.debts {
		if n := min(pay, d.open()); n > 0 {
			d.pay(n)
			pay -= n
		}
	}
}

// Clawback takes back what a refund or a lost dispute says, from the portions the
// caller chose, frozen ones too: a dispute that froze them may be what was lost. What
// they lack is the book's debt, named by its cause. The cause is a lot of this book, or
// of another one where the purchase was until it moved here.
func (b *Book) Clawback(r Request, cause *Lot, draws []Draw, owed int64) (*Entry, error) {
	if first, err := b.replay(KindClawback, &r); first != nil || err != nil {
		return first, err
	}
	draws, err := b.checkDraws(draws, (*Portion).unheld)
	if err != nil {
		return nil, err
	}
	if owed < 0 || owed > CreditsMax {
		return nil, &AmountError{Credits: owed}
	}
	if err := checkCredits(Sum(draws) + owed); err != nil {
		return nil, err
	}
	if cause == nil || cause.book == b.ID && b.lots[cause.ID] != cause {
		return nil, ErrLotNotFound
	}
	e := b.begin(KindClawback, r, Sum(draws)+owed)
	for _, d := range draws {
		b.post(e, d.Portion.Lot, d.Portion.Account.ID, ClawedBack, d.Credits)
	}
	if owed > 0 {
		b.owe(e, cause, ClawedBack, owed)
	}
	b.undoable[e.Sequence] = &undoable{entry: e, returned: map[portionKey]int64{}}
	return e, nil
}

// owe makes a debt: the debt account pays what nobody had.
func (b *Book) owe(e *Entry, cause *Lot, to int32, credits int64) {
	lot := b.standIn(e, cause)
	b.post(e, lot, Debt, to, credits)
	b.debts = append(b.debts, &debt{ID: e.Sequence, Cause: cause.RootOrigin, Lot: lot, Credits: credits, isNew: true})
}

// UndoClawback gives back part of a clawback, since its refund failed: open debt falls
// first, then the lots that were drawn get it back, the last taken first. The debt is the
// clawback's own, and then what else the book owes for the same cause: a debt that went
// to another book and was carried back is a new one.
func (b *Book) UndoClawback(r Request, clawback, credits int64) (*Entry, error) {
	if first, err := b.replay(KindClawbackUndone, &r); first != nil || err != nil {
		return first, err
	}
	u, err := b.toUndo(clawback, credits, KindClawback)
	if err != nil {
		return nil, err
	}
	e := b.begin(KindClawbackUndone, r, credits)
	e.Undoes = clawback
	last := u.entry.Postings[len(u.entry.Postings)-1]
	left := credits - b.forgive(e, u, credits)
	for i := len(u.entry.Postings) - 1; i >= 0 && left > 0; i-- {
		p := u.entry.Postings[i]
		if p.To != ClawedBack || p.From == Debt {
			continue
		}
		back := min(left, p.Credits-u.returned[portionKey{p.Lot, p.From}])
		if back > 0 {
			left -= back
			b.giveBackTo(e, u, p.Lot, p.From, back)
		}
	}
	// What remains was debt that has been paid since: it comes back as credits of the
	// lot that caused it.
	if left > 0 {
		b.giveBackTo(e, u, last.Lot, Main, left)
	}
	u.reversed += credits
	return e, nil
}

func (b *Book) giveBackTo(e *Entry, u *undoable, lot int64, account int32, credits int64) {
	a, _ := b.Account(account)
	b.post(e, b.lots[lot], ClawedBack, account, credits)
	u.returned[portionKey{lot, account}] += credits
	b.arrive(e, b.lots[lot], a, credits)
}

// forgive lets debts fall that the clawback caused, its own first, and reports by how
// much. A clawback that found everything caused none.
func (b *Book) forgive(e *Entry, u *undoable, credits int64) int64 {
	last := u.entry.Postings[len(u.entry.Postings)-1]
	if last.From != Debt {
		return 0
	}
	cause := b.lots[last.Lot].RootOrigin
	forgiven := int64(0)
	for _, own := range []bool{true, false} {
		for _, d := range b.debts {
			n := min(credits-forgiven, d.open())
			if n > 0 && d.Cause == cause && (d.ID == e.Undoes) == own {
				b.post(e, d.Lot, ClawedBack, Debt, n)
				d.pay(n)
				forgiven += n
			}
		}
	}
	return forgiven
}

// CarryDebt moves what a book still owes for one cause to another book: a debt follows
// the purchase that caused it (T13). It is two linked entries, as Carry's are. What the
// other book has already doesn't pay it; what enters there later does.
func CarryDebt(from, to *Book, r Request, cause string) (out, into *Entry, err error) {
	return CarryDebtPart(from, to, r, cause, from.OwedFor(cause))
}

// OwedFor is what the book owes for one cause.
func (b *Book) OwedFor(cause string) int64 {
	var owed int64
	for _, d := range b.debts {
		if d.Cause == cause {
			owed += d.open()
		}
	}
	return owed
}

// CarryDebtPart is CarryDebt for a part of what is owed, the oldest debt first.
func CarryDebtPart(from, to *Book, r Request, cause string, credits int64) (out, into *Entry, err error) {
	if first, err := from.replay(KindDebt, &r); first != nil || err != nil {
		return first, nil, err
	}
	if from.ID == to.ID {
		return nil, nil, ErrSameAccount
	}
	if err := checkCredits(min(credits, from.OwedFor(cause))); err != nil {
		return nil, nil, fmt.Errorf("a debt for %q: %w", cause, err)
	}
	if owed := from.OwedFor(cause); credits > owed {
		return nil, nil, fmt.Errorf("a debt of %d for %q: %w", owed, cause, &AmountError{Credits: credits})
	}
	out, into = link(from, to, r, KindDebt, KindDebtIn, credits)
	left := credits
	var lot *Lot
	for _, d := range from.debts {
		if n := min(left, d.open()); d.Cause == cause && n > 0 {
			from.post(out, d.Lot, Clearing, Debt, n)
			d.pay(n)
			left -= n
			lot = d.Lot
		}
	}
	to.owe(into, lot, Clearing, credits)
	return out, into, nil
}
