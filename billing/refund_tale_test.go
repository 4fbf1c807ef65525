package billing

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"purser/ledger"
)

// A tale is a few books in memory, what was bought into them, and what of it was given
// back: the pure part of refunds and disputes, told in literal figures.
type tale struct {
	t      listener
	at     time.Time
	states map[string]*State // by name: acme and club are teams, olga is their owner
	bought map[string]*bought
	holds  map[string]int64
	n      int
}

// bought is a purchase, or an invoice of a subscription, with what is remembered of its
// charge.
type bought struct {
	home      string
	credits   int64
	cost      int64
	invoice   *Charge // of a subscription
	settled   int64
	gone      int64
	disputed  bool
	clawbacks []*clawback
	roots     []string
	told      ChargeOutcome
}

var bookNames = []string{"acme", "olga", "club"}

func tellRefunds(t listener) *tale {
	c := &Catalog{Plans: []Plan{plan("team", rollover(Rollover{Mode: RolloverAll}))}}
	s := &tale{t: t, at: day("2025-01-10"), states: map[string]*State{}, bought: map[string]*bought{}, holds: map[string]int64{}}
	for i, name := range bookNames {
		kind := ledger.TeamBook
		if name == "olga" {
			kind = ledger.UserBook
		}
		s.states[name] = &State{Book: ledger.Blank(int64(i+1), kind, s.at), Catalog: c}
	}
	return s
}

func (s *tale) must(e *ledger.Entry, err error) *ledger.Entry {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}

func (s *tale) request() ledger.Request {
	s.n++
	return ledger.Request{Key: fmt.Sprintf("act:%d", s.n), Actor: "ann", At: s.at, Holder: "ann"}
}

func (s *tale) main(book string) *ledger.Account {
	a, _ := s.states[book].Book.Account(ledger.Main)
	return a
}

// on goes to an instant, and settles every book there.
func (s *tale) on(at string) *tale {
	s.at = day(at)
	return s.settled()
}

func (s *tale) settled() *tale {
	s.t.Helper()
	for _, name := range bookNames {
		if err := s.states[name].Settle(s.at); err != nil {
			s.t.Fatal(err)
		}
	}
	return s
}

// buys buys a pack for a book that expires in a year.
func (s *tale) buys(book, id string, credits, cost int64) *tale {
	s.t.Helper()
	p := Purchase{ID: id, Pack: "pack", Credits: credits, ExpiryMonths: 12, CustomerID: "cus_1", CreatedBy: "olga"}
	if err := postTopUp(s.states[book], p, s.at, s.at); err != nil {
		s.t.Fatal(err)
	}
	s.bought[id] = &bought{home: book, credits: credits, cost: cost}
	return s
}

func (s *tale) spends(book string, credits int64, from ...string) *tale {
	s.t.Helper()
	account := s.main(book)
	if len(from) > 0 {
		account, _ = s.states[book].Book.AllocationOf(from[0])
	}
	s.must(s.states[book].Book.Spend(s.request(), ledger.SpendIn{Credits: credits, Payers: []ledger.Payer{ledger.From(account)}}))
	return s
}

func (s *tale) holdsBack(book, name string, credits int64) *tale {
	s.t.Helper()
	e := s.must(s.states[book].Book.Hold(s.request(), ledger.HoldIn{
		Credits: credits, Payers: []ledger.Payer{ledger.From(s.main(book))}, ExpiresAt: s.at.AddDate(0, 0, 300),
	}))
	s.holds[name] = e.Sequence
	return s
}

func (s *tale) releases(book, name string) *tale {
	s.t.Helper()
	s.must(s.states[book].Book.Release(s.request(), s.holds[name]))
	return s.settled()
}

func (s *tale) allocates(book, member string, credits int64) *tale {
	s.t.Helper()
	b := s.states[book].Book
	s.must(b.Move(s.request(), ledger.MoveIn{Kind: ledger.KindAllocation, From: s.main(book), To: b.MakeAllocation(member, s.at), Credits: credits}))
	return s
}

// contributes puts credits of olga's into a team's pool.
func (s *tale) contributes(to string, credits int64) *tale {
	s.t.Helper()
	r := s.request()
	from := s.states["olga"].Book
	draws, err := from.Choose(s.main("olga"), r, credits)
	if err != nil {
		s.t.Fatal(err)
	}
	_, in, err := ledger.Carry(from, s.states[to].Book, r, ledger.CarryIn{
		Kind: ledger.KindContribution, From: s.main("olga"), To: s.main(to), Draws: draws, Contributor: "olga",
	})
	s.must(in, err)
	return s
}

// moves carries olga's subscription and purchases from book to book, as assigning and
// unassigning does.
func (s *tale) moves(from, to string) *tale {
	s.t.Helper()
	m := &moving{from: s.states[from], to: s.states[to], by: "olga", at: s.at}
	var sub *Sub
	if len(m.from.Subs) > 0 {
		sub = m.from.Subs[0]
	}
	goes := func(l *ledger.Lot) bool {
		return l.Contributor == "" && l.Source == ledger.Purchase || l.Contributor == "olga" && from != "olga" || sub != nil && l.Series == sub.Facts.ID
	}
	if _, err := m.carryAll(sub, "moved", goes); err != nil {
		s.t.Fatal(err)
	}
	if sub != nil {
		m.from.Subs, m.to.Subs = without(m.from.Subs, sub), append(m.to.Subs, sub)
	}
	for _, b := range s.bought {
		if b.home == from {
			b.home = to
		}
	}
	return s.settled()
}

// loses says how much money of a charge is gone by now, refunded or lost in a dispute.
func (s *tale) loses(id string, money int64) *tale {
	s.t.Helper()
	s.bought[id].gone = money
	return s.applies(id)
}

// disputes opens or closes a dispute.
func (s *tale) disputes(id string, open bool) *tale {
	s.t.Helper()
	s.bought[id].disputed = open
	return s.applies(id)
}

// applies settles a charge, and again: the second time must change nothing.
func (s *tale) applies(id string) *tale {
	s.t.Helper()
	s.apply(id)
	before := s.entries()
	s.apply(id)
	if after := s.entries(); after != before {
		s.t.Fatalf("settling charge %s a second time posted %d entries", id, after-before)
	}
	return s
}

func (s *tale) entries() (n int) {
	for _, state := range s.states {
		n += len(state.Book.Entries())
	}
	return n
}

func (s *tale) apply(id string) {
	s.t.Helper()
	b := s.bought[id]
	s.settled()
	r := &refunding{
		charge: "ch_" + id, at: s.at, home: s.states[b.home], roots: slices.Clone(b.roots), gone: b.gone, settled: b.settled, clawbacks: b.clawbacks,
	}
	for _, name := range bookNames {
		r.states = append(r.states, s.states[name])
	}
	if b.invoice == nil {
		r.forPurchase(&Purchase{ID: id, Credits: b.credits, Amount: &b.cost}, Charge{})
	} else if sub := r.home.Subs[0]; r.forInvoice(r.home.Catalog, *b.invoice, sub, sub.Periods) {
		return
	}
	for other, o := range s.bought {
		if o.disputed && other != id {
			r.beside = append(append(r.beside, o.roots...), topUpKey(other))
		}
		for _, c := range o.clawbacks {
			if other != id && c.Root == r.root {
				r.others += c.left()
			}
		}
	}
	r.disputed = b.disputed
	if err := r.settle(); err != nil {
		s.t.Fatal(err)
	}
	b.settled, b.clawbacks, b.roots, b.told = r.settled, r.clawbacks, r.roots, r.told
	s.settled()
}

// has compares all books that hold or owe something: "acme: 600 p1, ann 100 p1; owes 70 p2".
func (s *tale) has(want ...string) *tale {
	s.t.Helper()
	if got := s.shown(); !slices.Equal(got, want) {
		s.t.Fatalf("it is\n\t%s\nand should be\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
	return s
}

func (s *tale) shown() []string {
	lines := []string{}
	for _, name := range bookNames {
		var parts []string
		for _, p := range s.states[name].Book.Portions() {
			parts = append(parts, s.portion(p))
		}
		for _, d := range s.states[name].Book.Debts() {
			parts = append(parts, fmt.Sprintf("owes %d %s", d.Credits, shortRoot(d.Cause)))
		}
		if len(parts) > 0 {
			lines = append(lines, name+": "+strings.Join(parts, ", "))
		}
	}
	return lines
}

func (s *tale) portion(p *ledger.Portion) string {
	text := fmt.Sprint(p.Balance, " ", shortRoot(p.Lot.RootOrigin))
	if p.Lot.Source == ledger.Rollover {
		text += " rolled"
	}
	if p.Account.Kind == ledger.Allocation {
		text = p.Account.Holder + " " + text
	}
	if p.Held > 0 {
		text += fmt.Sprintf(" (%d held)", p.Held)
	}
	if p.Lot.Frozen {
		text += " frozen"
	}
	return text
}

// shortRoot is the purchase's id, or the month of a grant.
func shortRoot(root string) string {
	if id, ok := strings.CutPrefix(root, "topup:"); ok {
		return id
	}
	if rest, ok := strings.CutPrefix(root, "grant:sub_1:"); ok {
		return rest[:7]
	}
	return root
}
