package ledger

import (
	"slices"
	"time"

	"pgregory.net/rapid"
)

// payers draws who pays: in the team a member's allocation and then the pool, each up to
// a cap.
func (w *walk) payers(t *rapid.T, book int) (holder string, accounts []int32, caps []int64) {
	if book == inUser {
		return "own", []int32{Main}, []int64{-1}
	}
	switch rapid.IntRange(0, 2).Draw(t, "payer") {
	case 1:
		holder, accounts, caps = "ann", []int32{8}, []int64{-1}
	case 2:
		holder, accounts, caps = "bob", []int32{9}, []int64{-1}
	}
	cap := max(-1, rapid.Int64Range(-40, 40).Draw(t, "cap"))
	return holder, append(accounts, Main), append(caps, cap)
}

func realPayers(b *Book, accounts []int32, caps []int64) []Payer {
	var payers []Payer
	for i, a := range accounts {
		payers = append(payers, Payer{Account: at(b, a), Max: caps[i]})
	}
	return payers
}

// same compares what the ledger drew with what the model drew.
func (w *walk) same(book int, e *Entry, pieces []piece) {
	var got []piece
	for _, d := range e.Drawn() {
		got = append(got, piece{w.seen[book][d.Lot], d.Account, d.Credits})
	}
	if !slices.Equal(got, pieces) {
		w.t.Fatalf("%s %d drew %+v, the model %+v", e.Kind, e.Sequence, e.Drawn(), pieces)
	}
}

func (w *walk) spend(t *rapid.T) {
	book := anyBook.Draw(t, "book")
	holder, accounts, caps := w.payers(t, book)
	credits := amounts.Draw(t, "credits")
	m := w.models[book]
	var pieces []piece
	e := w.try(step{
		name: "spend", book: book,
		model: func() bool {
			pieces = m.draw(w.at, credits, accounts, caps)
			m.remove(pieces)
			m.use(holder, w.at, pieces, 1)
			return pieces != nil
		},
		do: func(r Request, books []*Book) (*Entry, error) {
			r.Holder = holder
			return books[book].Spend(r, SpendIn{Credits: credits, Payers: realPayers(books[book], accounts, caps)})
		},
	})
	if pieces != nil {
		w.same(book, e, pieces)
		w.spends = append(w.spends, walkSpend{book, e.Sequence, &modelSpend{holder, w.at, pieces, credits}})
	}
}

func (w *walk) elsewhere(t *rapid.T) {
	credits := amounts.Draw(t, "credits")
	m := w.models[inUser]
	w.try(step{
		name: "elsewhere", book: inTeam,
		model: func() bool {
			pieces := m.draw(w.at, credits, []int32{Main}, []int64{-1})
			m.remove(pieces)
			m.use("own", w.at, pieces, 1)
			return pieces != nil
		},
		do: func(r Request, books []*Book) (*Entry, error) {
			r.Holder = "own"
			note, _, err := Elsewhere(books[inTeam], books[inUser], r, func(r Request) (*Entry, error) {
				return books[inUser].Spend(r, SpendIn{Credits: credits, Payers: []Payer{From(at(books[inUser], Main))}})
			})
			return note, err
		},
	})
}

func (w *walk) hold(t *rapid.T) {
	holder, accounts, caps := w.payers(t, inTeam)
	credits := amounts.Draw(t, "credits")
	ends := w.at.Add(time.Duration(rapid.SampledFrom([]int{1, 6, 50}).Draw(t, "hours")) * time.Hour)
	m := w.models[inTeam]
	var pieces []piece
	e := w.try(step{
		name: "hold", book: inTeam,
		model: func() bool {
			pieces = m.draw(w.at, credits, accounts, caps)
			m.hold(pieces, 1)
			return pieces != nil
		},
		do: func(r Request, books []*Book) (*Entry, error) {
			r.Holder = holder
			return books[inTeam].Hold(r, HoldIn{Credits: credits, Payers: realPayers(books[inTeam], accounts, caps), ExpiresAt: ends})
		},
	})
	if pieces != nil {
		w.same(inTeam, e, pieces)
		w.holds = append(w.holds, walkHold{e.Sequence, &modelHold{holder: holder, ends: ends, open: true, pieces: pieces}})
	}
}

func (w *walk) capture(t *rapid.T) {
	if len(w.holds) == 0 {
		t.Skip("no holds")
	}
	h := rapid.SampledFrom(w.holds).Draw(t, "hold")
	credits := part(t, total(h.m.pieces))
	m := w.models[inTeam]
	var used []piece
	wants := [2]Want{{Holds: []int64{h.id}}}
	e := w.try(step{
		name: "capture", book: inTeam, wants: wants,
		model: func() bool {
			if !h.m.open || credits > total(h.m.pieces) {
				return false
			}
			var back []piece
			used, back = first(h.m.pieces, credits)
			m.remove(used)
			m.use(h.m.holder, w.at, used, 1)
			m.release(h.m, back, w.at)
			return true
		},
		do: func(r Request, books []*Book) (*Entry, error) { return books[inTeam].Capture(r, h.id, credits) },
	})
	if used != nil {
		w.same(inTeam, e, used)
		w.spends = append(w.spends, walkSpend{inTeam, e.Sequence, &modelSpend{h.m.holder, w.at, used, credits}})
	}
}

func (w *walk) reverse(t *rapid.T) {
	if len(w.spends) == 0 {
		t.Skip("no spends")
	}
	s := rapid.SampledFrom(w.spends).Draw(t, "spend")
	credits := part(t, s.m.left)
	m := w.models[s.book]
	var wants [2]Want
	wants[s.book].Undo = []int64{s.sequence}
	w.try(step{
		name: "reverse", book: s.book, wants: wants,
		model: func() bool {
			if credits < 1 || credits > s.m.left {
				return false
			}
			still, _ := first(s.m.pieces, s.m.left)
			s.m.left -= credits
			_, back := first(still, s.m.left)
			m.use(s.m.holder, s.m.at, back, -1)
			for _, p := range slices.Backward(back) {
				m.add(p)
				m.arrived(p, w.at)
			}
			return true
		},
		do: func(r Request, books []*Book) (*Entry, error) { return books[s.book].Reverse(r, s.sequence, credits) },
	})
}
