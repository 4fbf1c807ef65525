package billing

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"purser/ledger"
)

// refunding is a charge with the books in which lies what it paid for: all that decides
// what is to be taken back, given back, frozen or thawed.
//
// It works by levels. The money that is gone, refunded or lost in a dispute, says how
// many credits are to have been taken back in all; settle takes or gives back the
// difference. So it doesn't matter which event came first, came twice or never came.
type refunding struct {
	charge string
	at     time.Time
	home   *State   // where the purchase or the subscription lives: what nobody has is owed there
	states []*State // that and all others in which its lots lie or were taken, by id

	roots     []string // all that the charge paid for
	root      string   // the one of them that is taken back from; "": nothing came of the charge
	whole     int64    // what all of the money was worth in credits
	cost      int64    // all of the money
	paid      span     // of an invoice: the months that it paid for begin in it
	others    int64    // taken back of the same root for other charges
	purchased bool     // R1: other purchased lots answer, too; R3: they don't

	gone      int64    // money that is gone by now
	settled   int64    // and the part of it that was answered for
	disputed  bool     // a dispute of it is open
	beside    []string // of the roots: those of which another charge is disputed
	clawbacks []*clawback

	told ChargeOutcome
}

// clawback is an entry that took credits back for a charge.
type clawback struct {
	Number    int    `db:"number"`
	Part      int    `db:"part"`
	BookID    int64  `db:"book_id"`
	Entry     int64  `db:"entry"`
	Root      string `db:"root"`
	Credits   int64  `db:"credits"`
	Owed      int64  `db:"owed"`
	Returned  int64  `db:"returned"`
	MoneyFrom int64  `db:"money_from"`
	MoneyTo   int64  `db:"money_to"`
	Whole     int64  `db:"whole"`
}

func (c *clawback) left() int64 { return c.Credits - c.Returned }

// settle brings what the charge brought in step with the money.
func (r *refunding) settle() error {
	r.gone = min(r.gone, max(r.cost, 0))
	if r.gone > r.settled {
		if err := r.take(); err != nil {
			return fmt.Errorf("taking back for charge %s: %w", r.charge, err)
		}
	}
	if r.gone < r.settled {
		if err := r.giveBack(); err != nil {
			return fmt.Errorf("giving back for charge %s: %w", r.charge, err)
		}
	}
	r.settled = r.gone
	if err := r.freeze(); err != nil {
		return fmt.Errorf("freezing for charge %s: %w", r.charge, err)
	}
	return nil
}

// taken is how many credits are taken back now.
func (r *refunding) taken() int64 { return keptCharge{clawbacks: r.clawbacks}.taken() }

// due is how many credits are to be taken: floor(whole × money ÷ cost), less what was
// taken already. Of one grant no more is taken than it brought, whatever paid for it.
func (r *refunding) due() int64 {
	taken := r.taken()
	due := fraction(r.whole, r.gone, r.cost, false) - taken
	return max(0, min(due, r.whole-taken-r.others))
}

// take takes back what is due for money that has gone since.
func (r *refunding) take() error {
	due := r.due()
	if due == 0 {
		return nil
	}
	if r.cause(r.root) == nil {
		return fmt.Errorf("no lot came of %q", r.root)
	}
	number := 1
	if n := len(r.clawbacks); n > 0 {
		number = r.clawbacks[n-1].Number + 1
	}
	for i, p := range r.find(due) {
		cause := r.cause(r.root)
		if p.state != r.home {
			cause = p.draws[0].Portion.Lot
		}
		c := &clawback{
			Number: number, Part: i + 1, BookID: p.state.Book.ID, Root: r.root, Credits: ledger.Sum(p.draws) + p.owed, Owed: p.owed,
			MoneyFrom: r.settled, MoneyTo: r.gone, Whole: r.whole,
		}
		e, err := p.state.Book.Clawback(r.request(fmt.Sprintf("clawback:%s:%d:%d", r.charge, c.Number, c.Part), "money was given back"),
			cause, p.draws, p.owed)
		if err != nil {
			return err
		}
		c.Entry = e.Sequence
		r.clawbacks = append(r.clawbacks, c)
		r.told.Taken += c.Credits
		r.told.Owed += c.Owed
	}
	if r.told.Owed > 0 {
		r.home.Tell(NoticeDebt, "", NoticeData{"credits": r.told.Owed, "debt": r.home.Book.Owed(), "charge_id": r.charge})
	}
	return nil
}

func (r *refunding) request(key, memo string) ledger.Request {
	return ledger.Request{Key: key, Actor: actor, At: r.at, Memo: memo + ": charge " + r.charge, Reference: r.charge}
}

// taking is what one entry takes.
type taking struct {
	state *State
	draws []ledger.Draw
	owed  int64
}

// find says where credits are taken from (R1, R3): what isn't held of the lineage where
// it was bought for, its account first, then wherever else it went, by account; then, of
// a purchase, other purchased lots in that account. What even these lack is owed.
func (r *refunding) find(credits int64) []taking {
	var parts []taking
	collect := func(s *State, portions []*ledger.Portion, left func(*ledger.Portion) int64) {
		var draws []ledger.Draw
		for _, p := range portions {
			if n := min(left(p), credits); n > 0 {
				draws = append(draws, ledger.Draw{Portion: p, Credits: n})
				credits -= n
			}
		}
		if len(draws) > 0 {
			parts = append(parts, taking{state: s, draws: draws})
		}
	}
	// A dispute froze the lineage because of this very money.
	collect(r.home, r.lineage(r.home), unheld)
	for _, s := range r.states {
		if s != r.home {
			collect(s, r.lineage(s), unheld)
		}
	}
	if r.purchased {
		collect(r.home, r.otherPurchases(), (*ledger.Portion).Free)
	}
	if credits > 0 {
		if n := len(parts); n > 0 && parts[n-1].state == r.home {
			parts[n-1].owed = credits
		} else {
			parts = append(parts, taking{state: r.home, owed: credits})
		}
	}
	return parts
}

func unheld(p *ledger.Portion) int64 { return p.Balance - p.Held }

// lineage gives what is left in a book of what came of the root: the main account's
// first, then the allocations', in the order in which they were made.
func (r *refunding) lineage(s *State) []*ledger.Portion {
	return slices.DeleteFunc(s.Book.Portions(), func(p *ledger.Portion) bool { return p.Lot.RootOrigin != r.root })
}

// otherPurchases gives what is left in the home account of other purchases. What people
// contributed isn't its owner's to answer with.
func (r *refunding) otherPurchases() []*ledger.Portion {
	return slices.DeleteFunc(r.home.Book.Portions(), func(p *ledger.Portion) bool {
		return p.Lot.RootOrigin == r.root || p.Account.ID != ledger.Main || p.Lot.Class() != ledger.ClassPurchased
	})
}

// cause gives a lot of a root, which names the debt: of the home book if there is one.
func (r *refunding) cause(root string) *ledger.Lot {
	for _, s := range append([]*State{r.home}, r.states...) {
		if lots := lotsOf(s.Book, []string{root}); len(lots) > 0 {
			return lots[0]
		}
	}
	return nil
}

// lotsOf gives the loaded lots that came of the roots, by number.
func lotsOf(b *ledger.Book, roots []string) []*ledger.Lot {
	var lots []*ledger.Lot
	for l := range b.Lots() {
		if slices.Contains(roots, l.RootOrigin) {
			lots = append(lots, l)
		}
	}
	slices.SortFunc(lots, func(a, b *ledger.Lot) int { return cmp.Compare(a.ID, b.ID) })
	return lots
}
