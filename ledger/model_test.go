package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The model is the ledger once more, as plainly as can be: slices that are sorted anew
// for each draw, nothing kept that can be counted. The walk compares the two.

type modelLot struct {
	number      int // in the order in which the book's lots were made
	root        string
	source      Source
	starts      time.Time
	ends        *time.Time
	series      bool
	contributor string
	frozen      bool
	granted     int64
}

func (l *modelLot) usable(at time.Time) bool {
	return !l.frozen && !at.Before(l.starts) && (l.ends == nil || at.Before(*l.ends))
}

// cell is what a lot has in an account.
type cell struct {
	lot     *modelLot
	account int32
	have    int64
	held    int64
}

// piece is credits that were drawn from a cell.
type piece struct {
	lot     *modelLot
	account int32
	credits int64
}

type modelHold struct {
	holder string
	ends   time.Time
	open   bool
	pieces []piece
}

type modelSpend struct {
	holder string
	at     time.Time
	pieces []piece
	left   int64 // not reversed
}

type modelClawback struct {
	cause  *modelLot
	pieces []piece
	owed   int64 // what it didn't find
	debt   *modelDebt
	left   int64
}

type modelDebt struct {
	root string
	open int64
}

// modelUse is usage at an instant: a spend's, or what a reversal takes off it.
type modelUse struct {
	holder  string
	at      time.Time // when it counts at the earliest: of a reversal, when it was spent
	class   Class
	credits int64
}

type modelBook struct {
	lots   []*modelLot
	cells  []*cell
	debts  []*modelDebt
	closed map[int32]bool
	uses   []modelUse
}

func (m *modelBook) newLot(l modelLot) *modelLot {
	l.number = len(m.lots)
	m.lots = append(m.lots, &l)
	return &l
}

func (m *modelBook) cell(l *modelLot, account int32) *cell {
	for _, c := range m.cells {
		if c.lot == l && c.account == account {
			return c
		}
	}
	c := &cell{lot: l, account: account}
	m.cells = append(m.cells, c)
	return c
}

// drawOrder is L4, by way of a key for each lot that sorts as a string.
func drawOrder(l *modelLot) string {
	ends, paid := "never", 0
	if l.ends != nil {
		ends = fmt.Sprintf("%012d", l.ends.Unix())
	}
	if l.source == Purchase {
		paid = 1
	}
	return fmt.Sprintf("%s|%d|%012d|%06d", ends, paid, l.starts.Unix(), l.number)
}

// in gives what lies in an account, in draw order.
func (m *modelBook) in(account int32) []*cell {
	var cells []*cell
	for _, c := range m.cells {
		if c.account == account && c.have > 0 {
			cells = append(cells, c)
		}
	}
	slices.SortFunc(cells, func(a, b *cell) int { return cmp.Compare(drawOrder(a.lot), drawOrder(b.lot)) })
	return cells
}

func (m *modelBook) available(account int32, at time.Time) (sum int64) {
	for _, c := range m.in(account) {
		if c.lot.usable(at) {
			sum += c.have - c.held
		}
	}
	return sum
}

// draw chooses credits one by one: from the first account as long as its cap and its
// lots last, then from the next. Nil means that there weren't enough.
func (m *modelBook) draw(at time.Time, credits int64, accounts []int32, caps []int64) []piece {
	var pieces []piece
	for i, account := range accounts {
		room := m.available(account, at)
		if caps[i] >= 0 {
			room = min(room, caps[i])
		}
		for _, c := range m.in(account) {
			if !c.lot.usable(at) {
				continue
			}
			n := min(c.have-c.held, room, credits)
			room -= n
			credits -= n
			if n > 0 {
				pieces = append(pieces, piece{c.lot, account, n})
			}
		}
	}
	if credits > 0 {
		return nil
	}
	return pieces
}

// first gives the first so many credits of the pieces, and the rest.
func first(pieces []piece, credits int64) (head, tail []piece) {
	for _, p := range pieces {
		n := min(credits, p.credits)
		credits -= n
		if n > 0 {
			head = append(head, piece{p.lot, p.account, n})
		}
		if p.credits > n {
			tail = append(tail, piece{p.lot, p.account, p.credits - n})
		}
	}
	return head, tail
}

func total(pieces []piece) (sum int64) {
	for _, p := range pieces {
		sum += p.credits
	}
	return sum
}

func (m *modelBook) remove(pieces []piece) {
	for _, p := range pieces {
		m.cell(p.lot, p.account).have -= p.credits
	}
}

func (m *modelBook) hold(pieces []piece, sign int64) {
	for _, p := range pieces {
		m.cell(p.lot, p.account).held += sign * p.credits
	}
}

// add puts a piece where it belongs, without entering anything.
func (m *modelBook) add(p piece) { m.cell(p.lot, p.account).have += p.credits }

// arrived lets what has come to an account, or is free there again, go on: out of a
// closed allocation, and then into the debt.
func (m *modelBook) arrived(p piece, at time.Time) {
	if m.closed[p.account] {
		m.remove([]piece{p})
		p.account = Main
		m.add(p)
	}
	if p.lot.contributor == "" {
		m.payDebt(p, at)
	}
}

func (m *modelBook) payDebt(p piece, at time.Time) {
	if p.account != Main || !p.lot.usable(at) {
		return
	}
	for _, d := range m.debts {
		n := min(d.open, p.credits)
		d.open -= n
		p.credits -= n
		m.cell(p.lot, Main).have -= n
	}
}

func (m *modelBook) owed() (sum int64) {
	for _, d := range m.debts {
		sum += d.open
	}
	return sum
}

// use notes what was spent, or with -1 given back, for usage.
func (m *modelBook) use(holder string, at time.Time, pieces []piece, sign int64) {
	for _, p := range pieces {
		class := Class(p.lot.source)
		switch {
		case p.lot.contributor != "":
			class = ClassContributed
		case p.lot.source == Purchase:
			class = ClassPurchased
		}
		m.uses = append(m.uses, modelUse{holder, at, class, sign * p.credits})
	}
}

// used adds up usage since an instant, as "ann monthly 5".
func (m *modelBook) used(since time.Time) []string {
	sums := map[string]int64{}
	for _, u := range m.uses {
		if !u.at.Before(since) {
			sums[fmt.Sprintf("%s %s", u.holder, u.class)] += u.credits
		}
	}
	var lines []string
	for k, n := range sums {
		if n != 0 {
			lines = append(lines, fmt.Sprint(k, " ", n))
		}
	}
	slices.Sort(lines)
	return lines
}

// state says what every lot has left where, as "7: 0=5/2 3=1 | 8: … | owed 3".
func (m *modelBook) state(accounts ...int32) string {
	var parts []string
	for _, a := range accounts {
		line := fmt.Sprint(a, ":")
		for _, c := range m.in(a) {
			line += fmt.Sprintf(" %d=%d/%d", c.lot.number, c.have, c.held)
		}
		parts = append(parts, line)
	}
	return strings.Join(append(parts, fmt.Sprint("owed ", m.owed())), " | ")
}

// free gives what is neither held nor frozen of a lot, the main account's first.
func (m *modelBook) free(l *modelLot, credits int64, frozenToo bool) []piece {
	var cells []*cell
	for _, c := range m.cells {
		if c.lot == l && (frozenToo || !l.frozen) && c.have > c.held {
			cells = append(cells, c)
		}
	}
	slices.SortFunc(cells, func(a, b *cell) int { return cmp.Compare(a.account, b.account) })
	var all []piece
	for _, c := range cells {
		all = append(all, piece{l, c.account, c.have - c.held})
	}
	head, _ := first(all, credits)
	return head
}
