package ledger

import (
	"testing"

	"purser/internal/pgtest"
)

func TestWrite(t *testing.T) {
	t.Run("WhatWasGrantedAndSpentIsThereAgain", func(t *testing.T) {
		tx := pgtest.Tx(t)
		id := create(t, tx, TeamBook)
		b := open(t, tx, day(0), Want{Book: id})
		must(t)(b.Grant(ask("g", day(0)), mainOf(t, b), bonus("b", until(30)), 100))
		must(t)(b.Spend(ask("s", day(0)), SpendIn{Credits: 30, Payers: []Payer{From(mainOf(t, b))}}))
		must(t)(b.Hold(ask("h", day(0)), HoldIn{Credits: 20, Payers: []Payer{From(mainOf(t, b))}, ExpiresAt: day(1)}))
		write(t, tx, b)

		b = open(t, tx, day(0), Want{Book: id, Keys: []string{"s"}})
		if got := mainOf(t, b).Available(day(0)); got != 50 {
			t.Errorf("available = %d, want 50", got)
		}
		again := must(t)(b.Spend(ask("s", day(0)), SpendIn{Credits: 30, Payers: []Payer{From(mainOf(t, b))}}))
		if !again.Replayed || len(again.Postings) != 1 {
			t.Errorf("got %+v, want the first answer", again)
		}
	})
}
