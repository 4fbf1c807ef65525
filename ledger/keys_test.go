package ledger

import (
	"fmt"
	"testing"

	"purser/internal/pgtest"
)

func TestKeysAcrossTransactions(t *testing.T) {
	t.Parallel()
	tx := pgtest.Tx(t)
	id, user := create(t, tx, TeamBook), create(t, tx, UserBook)
	reopen := func() (*Book, *Book) {
		books, err := Open(t.Context(), tx, day(1), Want{Book: id, Keys: []string{"spend", "hold", "carry", "personal"}}, Want{Book: user})
		if err != nil {
			t.Fatal(err)
		}
		return books[0], books[1]
	}
	b, u := reopen()
	give(t, b, bonus("b", nil), 100)
	give(t, u, bonus("own", nil), 100)
	write(t, tx, b, u)

	for _, c := range []struct {
		name   string
		decide func(b, u *Book, r Request) (*Entry, error)
	}{
		{"spend", func(b, u *Book, r Request) (*Entry, error) {
			return b.Spend(r, SpendIn{Credits: 10, Payers: []Payer{From(mainOf(t, b))}})
		}},
		{"hold", func(b, u *Book, r Request) (*Entry, error) {
			return b.Hold(r, HoldIn{Credits: 10, Payers: []Payer{From(mainOf(t, b))}, ExpiresAt: day(2)})
		}},
		{"carry", func(b, u *Book, r Request) (*Entry, error) {
			lot, _ := b.Lot("b")
			e, _, err := Carry(b, u, r, CarryIn{Kind: KindAssignment, To: mainOf(t, u), Draws: b.Take(lot, 10)})
			return e, err
		}},
		{"personal", func(b, u *Book, r Request) (*Entry, error) {
			e, _, err := Elsewhere(b, u, r, func(r Request) (*Entry, error) {
				return u.Spend(r, SpendIn{Credits: 10, Payers: []Payer{From(mainOf(t, u))}})
			})
			return e, err
		}},
	} {
		t.Run("L6_"+c.name, func(t *testing.T) {
			r := ask(c.name, day(1))
			r.Hash = []byte(c.name)
			b, u := reopen()
			first := must(t)(c.decide(b, u, r))
			within := must(t)(c.decide(b, u, r))
			write(t, tx, b, u)
			b, u = reopen()
			before := state(b) + state(u)
			again := must(t)(c.decide(b, u, r))
			for _, e := range []*Entry{within, again} {
				if !e.Replayed || e.Sequence != first.Sequence || fmt.Sprint(e.Drawn(), e.Postings) != fmt.Sprint(first.Drawn(), first.Postings) ||
					!equalTimes(e.EndsAt, first.EndsAt) || (first.Peer != nil && *e.Peer != *first.Peer) {
					t.Errorf("got %+v, want %+v again", e, first)
				}
			}
			r.Hash = []byte("another")
			wantRefusal(t, b, ErrKeyReused, func() error { _, err := c.decide(b, u, r); return err })
			write(t, tx, b, u)
			if b, u = reopen(); state(b)+state(u) != before {
				t.Errorf("the repeat changed %q to %q", before, state(b)+state(u))
			}
		})
	}
	t.Run("L6_ARefusedRequestIsDecidedAnew", func(t *testing.T) {
		b, u := reopen()
		in := SpendIn{Credits: 500, Payers: []Payer{From(mainOf(t, b))}}
		if _, err := b.Spend(ask("large", day(1)), in); err == nil {
			t.Fatal("was not refused")
		}
		write(t, tx, b, u)
		b, _ = reopen()
		give(t, b, bonus("more", nil), 500)
		in.Payers = []Payer{From(mainOf(t, b))}
		if e := must(t)(b.Spend(ask("large", day(1)), in)); e.Replayed {
			t.Error("a refusal was remembered")
		}
		write(t, tx, b)
		wantSound(t, tx)
	})
}
