package ledger

import (
	"fmt"
	"slices"

	"pgregory.net/rapid"
)

// arriving makes the model's lot on the other side of a carry.
func arriving(l *modelLot, credits int64) modelLot {
	return modelLot{
		root: l.root, source: l.source, starts: l.starts, ends: l.ends, series: l.series, contributor: l.contributor,
		frozen: l.frozen, granted: credits,
	}
}

func (w *walk) contribute(t *rapid.T) {
	credits, pays := amounts.Draw(t, "credits"), rapid.Bool().Draw(t, "pays")
	from, to := w.models[inUser], w.models[inTeam]
	w.try(step{
		name: "contribute", book: inUser,
		model: func() bool {
			pieces := from.draw(w.at, credits, []int32{Main}, []int64{-1})
			from.remove(pieces)
			for _, p := range pieces {
				l := arriving(p.lot, p.credits)
				l.contributor, l.series = "ann", false
				p.lot = to.newLot(l)
				to.add(p)
				if pays {
					to.payDebt(p, w.at)
				}
			}
			return pieces != nil
		},
		do: func(r Request, books []*Book) (*Entry, error) {
			if e, err := books[inUser].Answered(r); e != nil || err != nil {
				return e, err
			}
			draws, err := books[inUser].Choose(at(books[inUser], Main), r, credits)
			if err != nil {
				return nil, err
			}
			e, _, err := Carry(books[inUser], books[inTeam], r, CarryIn{
				Kind: KindContribution, From: at(books[inUser], Main), To: at(books[inTeam], Main), Draws: draws, Contributor: "ann", PaysDebt: pays,
			})
			return e, err
		},
	})
}

func (w *walk) assign(t *rapid.T) {
	book := anyBook.Draw(t, "book")
	l := w.lot(t, book)
	credits, unheld := amounts.Draw(t, "credits"), rapid.Bool().Draw(t, "unheld")
	if unheld {
		credits = CreditsMax
	}
	from, to := w.models[book], w.models[1-book]
	w.try(step{
		name: "assign", book: book,
		model: func() bool {
			pieces := from.free(l, credits, unheld)
			if pieces == nil {
				return false
			}
			from.remove(pieces)
			there := to.newLot(arriving(l, total(pieces)))
			for _, p := range pieces {
				p = piece{there, Main, p.credits}
				to.add(p)
				to.payDebt(p, w.at)
			}
			return true
		},
		do: func(r Request, books []*Book) (*Entry, error) {
			b := books[book]
			draws := b.Take(w.real(b, book, l), credits)
			if unheld {
				draws = b.Unheld(w.real(b, book, l))
			}
			e, _, err := Carry(b, books[1-book], r, CarryIn{Kind: KindAssignment, To: at(books[1-book], Main), Draws: draws})
			return e, err
		},
	})
}

// drain takes credits of a lot back, or lets them expire at a turn.
func (w *walk) drain(t *rapid.T) {
	book := anyBook.Draw(t, "book")
	l := w.lot(t, book)
	credits, expire := amounts.Draw(t, "credits"), rapid.Bool().Draw(t, "expire")
	if expire {
		credits = CreditsMax
	}
	m := w.models[book]
	w.try(step{
		name: "drain", book: book,
		model: func() bool {
			pieces := m.free(l, credits, false)
			m.remove(pieces)
			return pieces != nil
		},
		do: func(r Request, books []*Book) (*Entry, error) {
			draws := books[book].Take(w.real(books[book], book, l), credits)
			if expire {
				return books[book].ExpireDraws(r, draws)
			}
			return books[book].TakeBack(r, draws)
		},
	})
}

func (w *walk) roll(t *rapid.T) {
	book := anyBook.Draw(t, "book")
	account := w.account(t, book)
	m := w.models[book]
	cells := slices.DeleteFunc(m.in(account), func(c *cell) bool { return !c.lot.series || c.have == c.held })
	if len(cells) == 0 {
		t.Skip("nothing to roll")
	}
	l := rapid.SampledFrom(cells).Draw(t, "cell").lot
	credits := amounts.Draw(t, "credits")
	origin := fmt.Sprintf("rolled %d %s %d %d", book, w.origin[book][l], account, rapid.IntRange(0, 1).Draw(t, "turn"))
	in := LotIn{
		Source: Rollover, Origin: origin, EffectiveAt: l.starts, ExpiresAt: w.end(t), FirstGrantedAt: l.starts, Series: "sub", Step: 2,
	}
	w.try(step{
		name: "roll", book: book,
		model: func() bool {
			if l.frozen || m.cell(l, account).have-m.cell(l, account).held < credits || in.ExpiresAt != nil && in.ExpiresAt.Before(l.starts) {
				return false
			}
			m.remove([]piece{{l, account, credits}})
			if w.rolled[origin] == nil {
				w.rolled[origin] = m.newLot(modelLot{root: l.root, source: Rollover, starts: l.starts, ends: in.ExpiresAt, series: true})
			}
			w.rolled[origin].granted += credits
			m.add(piece{w.rolled[origin], account, credits})
			return true
		},
		do: func(r Request, books []*Book) (*Entry, error) {
			b := books[book]
			var p *Portion
			if lot := w.real(b, book, l); lot != nil {
				p = b.portion(lot, at(b, account))
			}
			return b.Roll(r, p, credits, in)
		},
	})
}

func (w *walk) clawback(t *rapid.T) {
	book := anyBook.Draw(t, "book")
	l := w.lot(t, book)
	credits, most := amounts.Draw(t, "credits"), rapid.Int64Range(0, 60).Draw(t, "most")
	frozenToo := rapid.Bool().Draw(t, "frozen too")
	m := w.models[book]
	var c *modelClawback
	e := w.try(step{
		name: "clawback", book: book, wants: w.wantLot(book, l),
		model: func() bool {
			pieces := m.free(l, min(credits, most), frozenToo)
			m.remove(pieces)
			c = &modelClawback{cause: l, pieces: pieces, owed: credits - total(pieces), left: credits}
			c.debt = &modelDebt{root: l.root, open: c.owed}
			m.debts = append(m.debts, c.debt)
			return true
		},
		do: func(r Request, books []*Book) (*Entry, error) {
			lot := w.real(books[book], book, l)
			left := (*Portion).Free
			if frozenToo {
				left = (*Portion).unheld
			}
			draws := take(min(credits, most), books[book].portionsOf(lot), left)
			return books[book].Clawback(r, lot, draws, credits-Sum(draws))
		},
	})
	w.clawbacks = append(w.clawbacks, walkClawback{book, e.Sequence, c})
}

func (w *walk) undoClawback(t *rapid.T) {
	if len(w.clawbacks) == 0 {
		t.Skip("no clawbacks")
	}
	c := rapid.SampledFrom(w.clawbacks).Draw(t, "clawback")
	credits := part(t, c.m.left)
	m := w.models[c.book]
	var wants [2]Want
	wants[c.book].Undo = []int64{c.sequence}
	w.try(step{
		name: "undo clawback", book: c.book, wants: wants,
		model: func() bool {
			if credits < 1 || credits > c.m.left {
				return false
			}
			c.m.left -= credits
			rest := credits - m.forgive(c.m, credits)
			back := min(rest, total(c.m.pieces))
			var given []piece
			c.m.pieces, given = first(c.m.pieces, total(c.m.pieces)-back)
			for _, p := range slices.Backward(given) {
				m.add(p)
				m.arrived(p, w.at)
			}
			if rest > back {
				p := piece{c.m.cause, Main, rest - back}
				m.add(p)
				m.arrived(p, w.at)
			}
			return true
		},
		do: func(r Request, books []*Book) (*Entry, error) {
			return books[c.book].UndoClawback(r, c.sequence, credits)
		},
	})
}

// forgive lets fall what is owed for the clawback's cause, its own debt first, unless it
// never made one.
func (m *modelBook) forgive(c *modelClawback, credits int64) int64 {
	if c.owed == 0 {
		return 0
	}
	left := credits
	for _, own := range []bool{true, false} {
		for _, d := range m.debts {
			if d.root == c.cause.root && (d == c.debt) == own {
				n := min(left, d.open)
				d.open -= n
				left -= n
			}
		}
	}
	return credits - left
}

func (w *walk) carryDebt(t *rapid.T) {
	book := anyBook.Draw(t, "book")
	from, to := w.models[book], w.models[1-book]
	if len(from.debts) == 0 {
		t.Skip("no debts")
	}
	cause := rapid.SampledFrom(from.debts).Draw(t, "debt").root
	var owed int64
	for _, d := range from.debts {
		if d.root == cause {
			owed += d.open
		}
	}
	credits := owed
	if rapid.Bool().Draw(t, "a part") {
		credits = part(t, owed)
	}
	w.try(step{
		name: "carry debt", book: book,
		model: func() bool {
			if credits < 1 || credits > owed {
				return false
			}
			left := credits
			for _, d := range from.debts {
				if n := min(left, d.open); d.root == cause {
					d.open -= n
					left -= n
				}
			}
			to.debts = append(to.debts, &modelDebt{root: cause, open: credits})
			return true
		},
		do: func(r Request, books []*Book) (*Entry, error) {
			carry := func() (*Entry, *Entry, error) { return CarryDebtPart(books[book], books[1-book], r, cause, credits) }
			if credits == owed {
				carry = func() (*Entry, *Entry, error) { return CarryDebt(books[book], books[1-book], r, cause) }
			}
			e, _, err := carry()
			return e, err
		},
	})
}

func (w *walk) freeze(t *rapid.T) {
	book := anyBook.Draw(t, "book")
	l := w.lot(t, book)
	frozen := rapid.Bool().Draw(t, "frozen")
	w.try(step{
		name: "freeze", book: book, wants: w.wantLot(book, l),
		model: func() bool { l.frozen = frozen; return true },
		do: func(r Request, books []*Book) (*Entry, error) {
			return books[book].SetFrozen(r, w.real(books[book], book, l), frozen)
		},
	})
}

func (w *walk) redate(t *rapid.T) {
	book := anyBook.Draw(t, "book")
	l := w.lot(t, book)
	end := w.end(t)
	if end != nil && rapid.Bool().Draw(t, "past") {
		past := end.AddDate(0, 0, -7)
		end = &past
	}
	w.try(step{
		name: "redate", book: book, wants: w.wantLot(book, l),
		model: func() bool {
			if end != nil && end.Before(l.starts) {
				return false
			}
			l.ends = end
			return true
		},
		do: func(r Request, books []*Book) (*Entry, error) {
			return books[book].Redate(r, w.real(books[book], book, l), end)
		},
	})
}
