package ledger

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// team is an empty team's book in memory, with an allocation for each holder.
func team(holders ...string) *Book {
	b := Blank(1, TeamBook, start)
	for _, h := range holders {
		b.MakeAllocation(h, start)
	}
	return b
}

// give grants a lot to the pool, or to the holder's allocation.
func give(t testing.TB, b *Book, in LotIn, credits int64, holder ...string) *Lot {
	t.Helper()
	account := mainOf(t, b)
	if len(holder) > 0 {
		account = b.MakeAllocation(holder[0], start)
	}
	must(t)(b.Grant(ask(fmt.Sprintf("grant %s %d", in.Origin, b.NextNumber()), start), account, in, credits))
	lot, _ := b.Lot(in.Origin)
	return lot
}

// state says what a book holds, account by account in draw order: "pool a:30 b:20/5;
// ann a:1; owed 3", where 20/5 is 20 of which 5 are held.
func state(b *Book) string {
	var parts []string
	for _, a := range b.Accounts() {
		name := a.Holder
		if a.ID == Main {
			name = string(a.Kind)
		}
		var sum, held int64
		line := name
		for _, p := range a.inOrder() {
			sum += p.Balance
			held += p.Held
			if p.Balance != 0 {
				line += fmt.Sprintf(" %s:%d", p.Lot.Origin, p.Balance)
			}
			if p.Held != 0 {
				line += fmt.Sprintf("/%d", p.Held)
			}
		}
		if sum != a.Balance || held != a.Held {
			line += fmt.Sprintf(" BUT THE ACCOUNT SAYS %d/%d", a.Balance, a.Held)
		}
		if line != name {
			parts = append(parts, line)
		}
	}
	if owed := b.Owed(); owed != 0 {
		parts = append(parts, fmt.Sprintf("owed %d", owed))
	}
	return strings.Join(parts, "; ")
}

func wantState(t testing.TB, b *Book, want string) {
	t.Helper()
	if got := state(b); got != want {
		t.Errorf("the book holds %q, want %q", got, want)
	}
}

// drawn says which lots an entry drew, from which accounts: "a@7:30 b@8:1".
func drawn(b *Book, e *Entry) string {
	var parts []string
	for _, d := range e.Drawn() {
		parts = append(parts, fmt.Sprintf("%s@%d:%d", b.lots[d.Lot].Origin, d.Account, d.Credits))
	}
	return strings.Join(parts, " ")
}

// wantRefusal checks that a decision was refused with that error and changed nothing.
func wantRefusal(t *testing.T, b *Book, want error, decide func() error) {
	t.Helper()
	before, number, entries := state(b), b.NextNumber(), len(b.Entries())
	err := decide()
	if !isError(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
	if after := state(b); after != before || b.NextNumber() != number || len(b.Entries()) != entries {
		t.Errorf("a refusal changed the book from %q to %q", before, after)
	}
}

func spend(b *Book, key string, at time.Time, credits int64, payers ...Payer) (*Entry, error) {
	return b.Spend(ask(key, at), SpendIn{Credits: credits, Payers: payers})
}
