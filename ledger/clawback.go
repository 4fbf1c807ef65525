package ledger

// debt is what one clawback could not find.
type debt struct {
	ID      int64 // the clawback's entry
	Cause   string
	Credits int64
	Paid    int64

	isNew bool
	dirty bool
}

// payDebt lets credits that entered the main account pay what the book owes, the
// oldest debt first. Credits that can't be used yet, or no longer, pay nothing.
func (b *Book) payDebt(e *Entry, lot *Lot, account int32, entered int64) {
	owed := b.Owed()
	if owed == 0 || account != Main || lot.Frozen || !lot.Alive(e.At) {
		return
	}
	pay := min(owed, entered)
	if pay == 0 {
		return
	}
	b.post(e, lot, Main, Debt, pay)
	b.settleDebts(pay)
}

func (b *Book) payDebtFromHold(e *Entry, d Draw, returned int64) {
	b.payDebt(e, d.Portion.Lot, d.Portion.Account.ID, returned)
}

func (b *Book) settleDebts(credits int64) {
	for _, d := range b.debts {
		n := min(credits, d.Credits-d.Paid)
		if n > 0 {
			d.Paid += n
			d.dirty = true
			credits -= n
		}
	}
}

// Clawback takes back what a refund or a lost dispute says, from the portions the
// caller chose; what they lack is the book's debt, named by its cause.
func (b *Book) Clawback(r Request, cause *Lot, draws []Draw, owed int64) (*Entry, error) {
	if first, err := b.replay(KindClawback, &r); first != nil || err != nil {
		return first, err
	}
	if err := checkCredits(Sum(draws) + owed); err != nil {
		return nil, err
	}
	e := b.begin(KindClawback, r, Sum(draws)+owed)
	for _, d := range draws {
		b.post(e, d.Portion.Lot, d.Portion.Account.ID, ClawedBack, d.Credits)
	}
	if owed > 0 {
		b.post(e, cause, Debt, ClawedBack, owed)
		b.debts = append(b.debts, &debt{ID: e.Sequence, Cause: cause.RootOrigin, Credits: owed, isNew: true})
	}
	return e, nil
}

// UndoClawback gives back part of a clawback, since its refund failed: open debt falls
// first, then the lots that were drawn get it back, the last taken first.
func (b *Book) UndoClawback(r Request, clawback, credits int64) (*Entry, error) {
	if first, err := b.replay(KindClawbackUndone, &r); first != nil || err != nil {
		return first, err
	}
	if err := checkCredits(credits); err != nil {
		return nil, err
	}
	u, ok := b.undoable[clawback]
	if !ok {
		return nil, ErrEntryNotFound
	}
	if credits > u.entry.Credits-u.reversed {
		return nil, ErrMoreThanSpent
	}
	e := b.begin(KindClawbackUndone, r, credits)
	e.Undoes = clawback
	left := credits - b.forgive(e, u, credits)
	for i := len(u.entry.Postings) - 1; i >= 0 && left > 0; i-- {
		p := u.entry.Postings[i]
		if p.To != ClawedBack || p.From == Debt {
			continue
		}
		back := min(left, p.Credits-u.returned[portionKey{p.Lot, p.From}])
		if back > 0 {
			left -= back
			b.giveTo(e, u, b.lots[p.Lot], p.From, back)
		}
	}
	// What remains was debt that has been paid since: it comes back as credits of the
	// lot that caused it.
	if left > 0 {
		lot := b.lots[u.entry.Postings[len(u.entry.Postings)-1].Lot]
		b.giveTo(e, u, lot, Main, left)
	}
	u.reversed += credits
	return e, nil
}

func (b *Book) giveTo(e *Entry, u *undoable, lot *Lot, account int32, credits int64) {
	b.post(e, lot, ClawedBack, account, credits)
	u.returned[portionKey{lot.ID, account}] += credits
	b.payDebt(e, lot, account, credits)
}

// forgive lets the debt of one clawback fall by as much as is still open of it.
func (b *Book) forgive(e *Entry, u *undoable, credits int64) int64 {
	for _, d := range b.debts {
		if d.ID != u.entry.Sequence {
			continue
		}
		n := min(credits, d.Credits-d.Paid)
		if n > 0 {
			b.post(e, b.lots[u.entry.Postings[len(u.entry.Postings)-1].Lot], ClawedBack, Debt, n)
			d.Paid += n
			d.dirty = true
		}
		return n
	}
	return 0
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
	e := b.begin(kind, r, 0)
	lot.Frozen = frozen
	lot.dirty = true
	return e, nil
}
