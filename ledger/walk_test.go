package ledger

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"purser/internal/pgtest"
)

// TestWalk lets a team's and a user's book live through random lives, each step decided
// by the ledger and by the model, which must agree; and at the end the audit. It is
// short unless PURSER_SOAK says for how long to go on.
func TestWalk(t *testing.T) {
	soak, checks := time.Duration(0), "25"
	if s := os.Getenv("PURSER_SOAK"); s != "" {
		var err error
		if soak, err = time.ParseDuration(s); err != nil {
			t.Fatalf("PURSER_SOAK must be a duration: %v", err)
		}
		checks = "200"
	}
	setFlag(t, "rapid.checks", checks)
	setFlag(t, "rapid.steps", "60")
	pool := pgtest.Pool(t)
	for began := time.Now(); ; {
		rapid.Check(t, func(rt *rapid.T) {
			tx, err := pool.Begin(t.Context())
			if err != nil {
				rt.Fatal(err)
			}
			defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
			w := newWalk(t.Context(), rt, tx)
			rt.Repeat(w.actions())
			w.t = rt
			w.finish()
		})
		if t.Failed() || time.Since(began) >= soak {
			return
		}
	}
}

func setFlag(t *testing.T, name, value string) {
	t.Helper()
	if f := flag.Lookup(name); f == nil || f.Value.String() != f.DefValue {
		return // somebody set it on the command line
	}
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
}

const (
	inTeam = 0
	inUser = 1
)

// walk is two books, the ledger's and the model's.
type walk struct {
	ctx    context.Context
	t      *rapid.T
	tx     pgx.Tx
	at     time.Time
	ids    [2]int64
	books  []*Book // as they are open; nil: written
	models [2]*modelBook
	seen   [2]map[int64]*modelLot
	origin [2]map[*modelLot]string
	window [2]time.Time

	holds     []walkHold
	spends    []walkSpend
	clawbacks []walkClawback
	rolled    map[string]*modelLot
	granted   [2][]*modelLot
	done      []doneStep
}

type walkHold struct {
	id int64
	m  *modelHold
}

type walkSpend struct {
	book     int
	sequence int64
	m        *modelSpend
}

type walkClawback struct {
	book     int
	sequence int64
	m        *modelClawback
}

// step is one write: how the ledger makes it and how the model does, which tells whether
// it is allowed.
type step struct {
	name  string
	book  int     // whose key it is
	wants [2]Want // what must be loaded for it
	model func() bool
	do    func(r Request, books []*Book) (*Entry, error)
}

// doneStep is a step that was posted, to be asked for again.
type doneStep struct {
	step
	request Request
	entry   int64
}

func newWalk(ctx context.Context, t *rapid.T, tx pgx.Tx) *walk {
	w := &walk{ctx: ctx, t: t, tx: tx, at: start, rolled: map[string]*modelLot{}}
	for i, kind := range []Kind{TeamBook, UserBook} {
		id, err := Create(ctx, tx, kind, start)
		if err != nil {
			t.Fatal(err)
		}
		w.ids[i] = id
		w.models[i] = &modelBook{closed: map[int32]bool{}}
		w.seen[i], w.origin[i] = map[int64]*modelLot{}, map[*modelLot]string{}
	}
	w.open([2]Want{})
	w.books[inTeam].MakeAllocation("ann", start)
	w.books[inTeam].MakeAllocation("bob", start)
	return w
}

func (w *walk) open(wants [2]Want) {
	for i := range wants {
		wants[i].Book = w.ids[i]
	}
	books, err := Open(w.ctx, w.tx, w.at, wants[:]...)
	if err != nil {
		w.t.Fatalf("opening: %v", err)
	}
	w.books = books
	w.settle()
	w.compare("after opening")
}

func (w *walk) write() {
	if w.books == nil {
		return
	}
	if err := Write(w.ctx, w.tx, w.books...); err != nil {
		w.t.Fatalf("writing: %v", err)
	}
	w.books = nil
}

// settle lets what is due happen, in the ledger and in the model.
func (w *walk) settle() {
	for i, b := range w.books {
		b.ExpireHolds(w.at)
		b.ExpireLots(w.at)
		w.settleModel(w.models[i], i)
	}
}

func (w *walk) settleModel(m *modelBook, book int) {
	if book == inTeam {
		due := slices.Clone(w.holds)
		slices.SortStableFunc(due, func(a, b walkHold) int { return a.m.ends.Compare(b.m.ends) })
		for _, h := range due {
			if h.m.open && !h.m.ends.After(w.at) {
				m.release(h.m, h.m.pieces, h.m.ends)
			}
		}
	}
	for _, c := range m.cells {
		if l := c.lot; !l.series && !l.frozen && l.ends != nil && !l.ends.After(w.at) {
			c.have = c.held
		}
	}
}

// release ends a hold of which those pieces come back.
func (m *modelBook) release(h *modelHold, back []piece, at time.Time) {
	m.hold(h.pieces, -1)
	h.open = false
	for _, p := range back {
		m.arrived(p, at)
	}
}

// try takes a step in both worlds and compares.
func (w *walk) try(s step) *Entry {
	if !w.loaded(s.wants) || rapid.Bool().Draw(w.t, "reopen") {
		w.write()
		w.open(s.wants)
	}
	key := fmt.Sprint("k", len(w.done))
	r := Request{Key: key, Hash: []byte(s.name), Actor: "walk", At: w.at}
	allowed := s.model()
	e, err := s.do(r, w.books)
	if allowed != (err == nil) {
		w.t.Fatalf("%s: the model says %v, the ledger %v", s.name, allowed, err)
	}
	if err == nil {
		if e.Replayed {
			w.t.Fatalf("%s: a new key was answered with entry %d", s.name, e.Sequence)
		}
		w.done = append(w.done, doneStep{s, r, e.Sequence})
	}
	w.meet()
	w.settle()
	w.compare(s.name)
	return e
}

// loaded tells whether the books are open with all that is wanted, so that a step can
// follow another one in memory.
func (w *walk) loaded(wants [2]Want) bool {
	for i, want := range wants {
		if w.books == nil {
			return false
		}
		b := w.books[i]
		missing := slices.ContainsFunc(want.Undo, func(n int64) bool { return b.undoable[n] == nil }) ||
			slices.ContainsFunc(want.Holds, func(n int64) bool { return b.holds[n] == nil }) ||
			slices.ContainsFunc(want.Origins, func(o string) bool { return b.byOrigin[o] == nil })
		if missing {
			return false
		}
	}
	return true
}

// meet pairs new lots of the ledger with new lots of the model. Lots that only stand in
// for a purchase elsewhere hold nothing and have no counterpart.
func (w *walk) meet() {
	for i, b := range w.books {
		for _, id := range slices.Sorted(maps.Keys(b.lots)) {
			if b.lots[id].Granted == 0 || w.seen[i][id] != nil {
				continue
			}
			n := len(w.seen[i])
			if n == len(w.models[i].lots) {
				w.t.Fatalf("the ledger made lot %q, the model none", b.lots[id].Origin)
			}
			w.seen[i][id] = w.models[i].lots[n]
			w.origin[i][w.models[i].lots[n]] = b.lots[id].Origin
		}
		if len(w.seen[i]) != len(w.models[i].lots) {
			w.t.Fatalf("the ledger has %d lots, the model %d", len(w.seen[i]), len(w.models[i].lots))
		}
	}
}

// compare looks whether both worlds hold the same.
func (w *walk) compare(after string) {
	for i, b := range w.books {
		var accounts []int32
		var parts []string
		for _, a := range b.Accounts() {
			accounts = append(accounts, a.ID)
			line := fmt.Sprint(a.ID, ":")
			var have, held int64
			for _, p := range a.inOrder() {
				have, held = have+p.Balance, held+p.Held
				if p.Balance != 0 || p.Held != 0 {
					line += fmt.Sprintf(" %d=%d/%d", w.seen[i][p.Lot.ID].number, p.Balance, p.Held)
				}
			}
			if have != a.Balance || held != a.Held {
				w.t.Fatalf("%s: account %d says %d/%d, its lots %d/%d", after, a.ID, a.Balance, a.Held, have, held)
			}
			parts = append(parts, line)
		}
		got := strings.Join(append(parts, fmt.Sprint("owed ", b.Owed())), " | ")
		if want := w.models[i].state(accounts...); got != want {
			w.t.Fatalf("%s, book %d:\nledger %s\nmodel  %s", after, i, got, want)
		}
	}
}
