package ledger

import (
	"fmt"
	"time"

	"pgregory.net/rapid"
)

// actions are what may happen, each as the ledger does it and as the model does.
func (w *walk) actions() map[string]func(*rapid.T) {
	steps := map[string]func(t *rapid.T){
		"Grant": w.grant, "Increase": w.increase, "Spend": w.spend, "Elsewhere": w.elsewhere, "Hold": w.hold, "Capture": w.capture,
		"Reverse": w.reverse, "Move": w.move, "Contribute": w.contribute, "Assign": w.assign, "Drain": w.drain, "Roll": w.roll,
		"Clawback": w.clawback, "UndoClawback": w.undoClawback, "CarryDebt": w.carryDebt, "Freeze": w.freeze, "Redate": w.redate,
		"Window": w.setWindow, "Close": w.closeAllocation, "Repeat": w.repeat, "Wait": w.wait,
	}
	weighed := map[string]func(*rapid.T){}
	for name, f := range steps {
		for n := range max(1, often[name]) {
			weighed[fmt.Sprint(name, n)] = func(t *rapid.T) {
				w.t = t
				f(t)
				if rapid.IntRange(0, 2).Draw(t, "write") == 0 {
					w.write()
				}
			}
		}
	}
	return weighed
}

// often is what happens more than once for every other thing, so that there is something
// to draw from and to give back.
var often = map[string]int{"Grant": 5, "Spend": 3, "Hold": 3, "Capture": 3, "Reverse": 4, "Move": 2, "Roll": 2}

func (w *walk) wait(t *rapid.T) {
	w.write()
	hours := rapid.SampledFrom([]int{6, 1, 24, 30, 100}).Draw(t, "hours")
	w.at = w.at.Add(time.Duration(hours) * time.Hour)
	w.open([2]Want{})
}

var (
	anyBook = rapid.IntRange(inTeam, inUser)
	amounts = rapid.SampledFrom([]int64{10, 1, 3, 7, 20, 40, 60})
)

// part draws a part of credits, or one more than there are.
func part(t *rapid.T, credits int64) int64 {
	return rapid.SampledFrom([]int64{credits/2 + 1, 1, credits / 3, credits, credits + 1}).Draw(t, "part")
}

// account draws an account of a book: in the team's 7 is the pool, 8 ann's, 9 bob's.
func (w *walk) account(t *rapid.T, book int) int32 {
	if book == inUser {
		return Main
	}
	return rapid.Int32Range(7, 9).Draw(t, "account")
}

func at(b *Book, id int32) *Account {
	a, _ := b.Account(id)
	return a
}

// end draws an end, such that many lots end at one instant; nil is never.
func (w *walk) end(t *rapid.T) *time.Time {
	days := rapid.IntRange(0, 6).Draw(t, "days")
	if days == 0 {
		return nil
	}
	end := w.at.Truncate(24*time.Hour).AddDate(0, 0, days)
	return &end
}

func (w *walk) lot(t *rapid.T, book int) *modelLot {
	if len(w.models[book].lots) == 0 {
		t.Skip("no lots")
	}
	return rapid.SampledFrom(w.models[book].lots).Draw(t, "lot")
}

// wantLot loads a lot even when it is used up.
func (w *walk) wantLot(book int, l *modelLot) (wants [2]Want) {
	wants[book].Origins = []string{w.origin[book][l]}
	return wants
}

func (w *walk) real(b *Book, book int, l *modelLot) *Lot {
	lot, _ := b.Lot(w.origin[book][l])
	return lot
}

func (w *walk) grant(t *rapid.T) {
	book := anyBook.Draw(t, "book")
	account, credits := w.account(t, book), amounts.Draw(t, "credits")
	in := LotIn{
		Source: rapid.SampledFrom([]Source{Monthly, Purchase, Bonus}).Draw(t, "source"), Origin: fmt.Sprint("lot ", len(w.done)),
		EffectiveAt: w.at.Truncate(24*time.Hour).AddDate(0, 0, rapid.SampledFrom([]int{0, 0, -1, 1}).Draw(t, "from")), ExpiresAt: w.end(t),
	}
	if in.Source == Monthly {
		in.Series, in.Step = "sub", 1
	}
	m := w.models[book]
	w.try(step{
		name: "grant", book: book,
		model: func() bool {
			if m.closed[account] || in.ExpiresAt != nil && in.ExpiresAt.Before(in.EffectiveAt) {
				return false
			}
			l := m.newLot(modelLot{
				root: in.Origin, source: in.Source, starts: in.EffectiveAt, ends: in.ExpiresAt, series: in.Series != "", granted: credits,
			})
			w.granted[book] = append(w.granted[book], l)
			m.add(piece{l, account, credits})
			m.arrived(piece{l, account, credits}, w.at)
			return true
		},
		do: func(r Request, books []*Book) (*Entry, error) {
			return books[book].Grant(r, at(books[book], account), in, credits)
		},
	})
}

func (w *walk) increase(t *rapid.T) {
	book := anyBook.Draw(t, "book")
	if len(w.granted[book]) == 0 {
		t.Skip("nothing granted")
	}
	l := rapid.SampledFrom(w.granted[book]).Draw(t, "lot")
	account, credits := w.account(t, book), amounts.Draw(t, "credits")
	in := LotIn{Source: Bonus, Origin: w.origin[book][l], EffectiveAt: start}
	m := w.models[book]
	w.try(step{
		name: "increase", book: book, wants: w.wantLot(book, l),
		model: func() bool {
			if m.closed[account] {
				return false
			}
			l.granted += credits
			m.add(piece{l, account, credits})
			m.arrived(piece{l, account, credits}, w.at)
			return true
		},
		do: func(r Request, books []*Book) (*Entry, error) {
			return books[book].Grant(r, at(books[book], account), in, credits)
		},
	})
}

func (w *walk) move(t *rapid.T) {
	from, to := w.account(t, inTeam), w.account(t, inTeam)
	if from == to {
		t.Skip("one account")
	}
	kind := KindTransfer
	switch Main {
	case from:
		kind = KindAllocation
	case to:
		kind = KindReclaim
	}
	credits := amounts.Draw(t, "credits")
	m := w.models[inTeam]
	w.try(step{
		name: "move", book: inTeam,
		model: func() bool {
			pieces := m.draw(w.at, credits, []int32{from}, []int64{-1})
			if pieces == nil || m.closed[to] {
				return false
			}
			m.remove(pieces)
			for _, p := range pieces {
				p.account = to
				m.add(p)
				m.arrived(p, w.at)
			}
			return true
		},
		do: func(r Request, books []*Book) (*Entry, error) {
			b := books[inTeam]
			return b.Move(r, MoveIn{Kind: kind, From: at(b, from), To: at(b, to), Credits: credits})
		},
	})
}

func (w *walk) closeAllocation(t *rapid.T) {
	holder, account := "ann", int32(8)
	if rapid.Bool().Draw(t, "bob") {
		holder, account = "bob", 9
	}
	if w.books == nil {
		w.open([2]Want{})
	}
	m := w.models[inTeam]
	if m.closed[account] {
		w.books[inTeam].MakeAllocation(holder, w.at)
	} else {
		w.books[inTeam].CloseAllocation(at(w.books[inTeam], account))
	}
	m.closed[account] = !m.closed[account]
}

func (w *walk) setWindow(t *rapid.T) {
	book := anyBook.Draw(t, "book")
	if w.books == nil {
		w.open([2]Want{})
	}
	w.window[book] = w.at.Add(-time.Duration(rapid.SampledFrom([]int{0, 1, 30, 300}).Draw(t, "hours")) * time.Hour)
	w.books[book].SetWindow(w.window[book])
}
