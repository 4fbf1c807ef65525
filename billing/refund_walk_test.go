package billing

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"purser/ledger"
)

// TestRefundWalk lets purchases be spent, held, moved, refunded and disputed at random.
// At any time no charge has more taken back than its money says, and no less where the
// credits were never shared with another refund; and once every refund has failed and
// every dispute is won, each account holds what it would hold had none ever been. Where a
// subscription came and went meanwhile there is as much in all, but what comes back may
// have paid a debt on its way.
func TestRefundWalk(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := &refundWalk{t: rt, tale: tellRefunds(rt), twin: tellRefunds(rt)}
		w.buy(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"buy": w.buy, "spend": w.spend, "spend more": w.spend, "hold": w.hold, "release": w.release, "allocate": w.allocate,
			"reclaim": w.reclaim, "contribute": w.contribute, "move": w.move, "lose": w.lose, "lose more": w.lose, "dispute": w.dispute,
			"": w.check,
		})
		w.t = rt
		for _, id := range w.ids {
			w.tale.bought[id].disputed = false
		}
		for _, id := range w.ids {
			w.tale.loses(id, 0)
		}
		w.check(rt)
		if got, want := w.tale.sums(), w.twin.sums(); !w.moved && !slices.Equal(got, want) {
			rt.Fatalf("with everything undone there are\n\t%q\nand without any refund\n\t%q", got, want)
		}
	})
}

// refundWalk is a life with refunds, and its twin without: what was done in the one is
// done in the other.
type refundWalk struct {
	t    *rapid.T
	tale *tale
	twin *tale
	ids  []string
	held []string
	// Whether olga's own credits lie in acme's pool: those move once only, when they are
	// there, and what comes back to them later stays.
	mixed bool
	moved bool
}

func (w *refundWalk) book(t *rapid.T) string { return rapid.SampledFrom(bookNames).Draw(t, "book") }

func (w *refundWalk) credits(t *rapid.T) int64 {
	return rapid.SampledFrom([]int64{100, 1, 7, 33, 250, 1000}).Draw(t, "credits")
}

func (w *refundWalk) buy(t *rapid.T) {
	id := fmt.Sprint("p", len(w.ids)+1)
	credits, cost := w.credits(t), rapid.Int64Range(0, 900).Draw(t, "cost")
	// What is bought for the club is another owner's: it never moves.
	book := rapid.SampledFrom([]string{"acme", "olga"}).Draw(t, "for")
	w.ids = append(w.ids, id)
	w.tale.buys(book, id, credits, cost)
	w.twin.buys(book, id, credits, cost)
}

// both does in the twin what could be done here. What can be refused is more than there
// is, and what a member without an allocation would do; anything else is a fault.
func (w *refundWalk) both(do func(*tale) error) {
	var short *ledger.InsufficientError
	switch err := do(w.tale); {
	case err == nil:
	case errors.As(err, &short), errors.Is(err, ledger.ErrAccountNotFound):
		w.t.Skip("refused: ", err)
	default:
		w.t.Fatalf("refused for another reason: %v", err)
	}
	if err := do(w.twin); err != nil {
		w.t.Fatalf("the twin can't: %v", err)
	}
}

func (s *tale) account(book, member string) *ledger.Account {
	if a, ok := s.states[book].Book.AllocationOf(member); ok {
		return a
	}
	return s.main(book)
}

func (w *refundWalk) spend(t *rapid.T) {
	w.t = t
	book, who, n := w.book(t), rapid.SampledFrom([]string{"", "ann", "bob"}).Draw(t, "who"), w.credits(t)
	w.both(func(s *tale) error {
		if who != "" && s.account(book, who) == s.main(book) {
			return ledger.ErrAccountNotFound
		}
		_, err := s.states[book].Book.Spend(s.request(), ledger.SpendIn{Credits: n, Payers: []ledger.Payer{ledger.From(s.account(book, who))}})
		return err
	})
}

func (w *refundWalk) hold(t *rapid.T) {
	w.t = t
	book, n := w.book(t), w.credits(t)
	name := fmt.Sprint(book, " ", w.tale.n)
	w.both(func(s *tale) error {
		e, err := s.states[book].Book.Hold(s.request(), ledger.HoldIn{
			Credits: n, Payers: []ledger.Payer{ledger.From(s.main(book))}, ExpiresAt: s.at.AddDate(0, 0, 300),
		})
		if err == nil {
			s.holds[name] = e.Sequence
		}
		return err
	})
	w.held = append(w.held, name)
}

func (w *refundWalk) release(t *rapid.T) {
	if len(w.held) == 0 {
		t.Skip("nothing is held")
	}
	i := rapid.IntRange(0, len(w.held)-1).Draw(t, "hold")
	name := w.held[i]
	w.held = slices.Delete(w.held, i, i+1)
	w.t = t
	w.both(func(s *tale) error {
		_, err := s.states[name[:4]].Book.Release(s.request(), s.holds[name])
		return err
	})
}

func (w *refundWalk) allocate(t *rapid.T) {
	w.t = t
	book, member, n := rapid.SampledFrom([]string{"acme", "club"}).Draw(t, "team"), rapid.SampledFrom([]string{"ann", "bob"}).Draw(t, "who"), w.credits(t)
	w.both(func(s *tale) error {
		b := s.states[book].Book
		_, err := b.Move(s.request(), ledger.MoveIn{Kind: ledger.KindAllocation, From: s.main(book), To: b.MakeAllocation(member, s.at), Credits: n})
		return err
	})
}

func (w *refundWalk) reclaim(t *rapid.T) {
	w.t = t
	book, member, n := rapid.SampledFrom([]string{"acme", "club"}).Draw(t, "team"), rapid.SampledFrom([]string{"ann", "bob"}).Draw(t, "who"), w.credits(t)
	w.both(func(s *tale) error {
		b := s.states[book].Book
		from, ok := b.AllocationOf(member)
		if !ok {
			return ledger.ErrAccountNotFound
		}
		_, err := b.Move(s.request(), ledger.MoveIn{Kind: ledger.KindReclaim, From: from, To: s.main(book), Credits: n})
		return err
	})
}

func (w *refundWalk) contribute(t *rapid.T) {
	w.t = t
	to, n := rapid.SampledFrom([]string{"acme", "club"}).Draw(t, "team"), w.credits(t)
	w.both(func(s *tale) error {
		r := s.request()
		from := s.states["olga"].Book
		draws, err := from.Choose(s.main("olga"), r, n)
		if err != nil {
			return err
		}
		_, _, err = ledger.Carry(from, s.states[to].Book, r, ledger.CarryIn{
			Kind: ledger.KindContribution, From: s.main("olga"), To: s.main(to), Draws: draws, Contributor: "olga",
		})
		return err
	})
	w.mixed = w.mixed || to == "acme"
}

// move carries all that olga bought between her account and the team, as assigning does.
func (w *refundWalk) move(t *rapid.T) {
	w.t = t
	if len(w.held) > 0 || w.mixed {
		t.Skip("not all of it would move")
	}
	from, to := "acme", "olga"
	if rapid.Bool().Draw(t, "assigned") {
		from, to = to, from
	}
	w.moved = true
	w.tale.moves(from, to)
	w.twin.moves(from, to)
}

func (w *refundWalk) lose(t *rapid.T) {
	id := rapid.SampledFrom(w.ids).Draw(t, "purchase")
	w.tale.loses(id, rapid.Int64Range(0, w.tale.bought[id].cost+1).Draw(t, "money"))
}

func (w *refundWalk) dispute(t *rapid.T) {
	id := rapid.SampledFrom(w.ids).Draw(t, "purchase")
	w.tale.disputes(id, !w.tale.bought[id].disputed)
}

// check holds what must be true at any time.
func (w *refundWalk) check(t *rapid.T) {
	var taken int64
	for _, id := range w.ids {
		b := w.tale.bought[id]
		var mine int64
		for _, c := range b.clawbacks {
			mine += c.left()
		}
		want := fraction(b.credits, min(b.gone, b.cost), b.cost, false)
		if mine != want {
			t.Fatalf("of purchase %s %d are taken back and should be %d: %d of %d for %d of %d", id, mine, want, want, b.credits, b.gone, b.cost)
		}
		taken += mine
	}
	var clawed int64
	for _, name := range bookNames {
		a, _ := w.tale.states[name].Book.Account(ledger.ClawedBack)
		clawed += a.Balance
		if d, _ := w.tale.states[name].Book.Account(ledger.Debt); d.Balance > 0 {
			t.Fatalf("%s owes %d", name, -d.Balance)
		}
	}
	if clawed != taken {
		t.Fatalf("%d are taken back by the charges and %d by the books", taken, clawed)
	}
	w.sameWorth(t, taken)
}

// sameWorth holds that both lives have the same credits, but for what was taken back.
func (w *refundWalk) sameWorth(t *rapid.T, taken int64) {
	here, there := w.tale.worth(), w.twin.worth()
	if here+taken != there {
		t.Fatalf("there are %d and %d taken back, without refunds %d", here, taken, there)
	}
}

// worth is all that is left, less what is owed.
func (s *tale) worth() int64 {
	var sum int64
	for _, name := range bookNames {
		for _, a := range s.states[name].Book.Accounts() {
			sum += a.Balance
		}
		sum -= s.states[name].Book.Owed()
	}
	return sum
}

// sums gives what each account holds, and what each book owes.
func (s *tale) sums() []string {
	var all []string
	for _, name := range bookNames {
		b := s.states[name].Book
		for _, a := range b.Accounts() {
			if a.Balance > 0 {
				all = append(all, fmt.Sprint(name, " ", a.Kind, " ", a.Holder, " ", a.Balance))
			}
		}
		if b.Owed() > 0 {
			all = append(all, fmt.Sprint(name, " owes ", b.Owed()))
		}
	}
	slices.Sort(all)
	return all
}
