package ledger

import (
	"fmt"
	"strings"
	"testing"
)

// indebted is a team whose pack of 100 was refunded after 70 were spent: it owes 70.
func indebted(t *testing.T) (*Book, *Entry) {
	b := team("ann")
	lot := give(t, b, pack("pack", nil), 100)
	must(t)(spend(b, "s", day(1), 70, From(mainOf(t, b))))
	e := must(t)(b.Clawback(ask("refund", day(2)), lot, b.Take(lot, 100), 70))
	b.undoable[e.Sequence] = &undoable{entry: e, returned: map[portionKey]int64{}}
	wantState(t, b, "owed 70")
	return b, e
}

// owing says what a book owes, the oldest debt first, as "pack 70, x 3".
func owing(b *Book) string {
	var parts []string
	for _, d := range b.Debts() {
		parts = append(parts, fmt.Sprint(d.Cause, " ", d.Credits))
	}
	return strings.Join(parts, ", ")
}

func TestDebt(t *testing.T) {
	t.Parallel()
	t.Run("R1_WhatNobodyHadIsOwed", func(t *testing.T) {
		b, e := indebted(t)
		if got := owing(b); got != "pack 70" || e.Credits != 100 {
			t.Errorf("owed %s after %d were clawed back", got, e.Credits)
		}
	})
	t.Run("R1_WhatEntersPaysFirst", func(t *testing.T) {
		b, _ := indebted(t)
		give(t, b, bonus("small", nil), 30)
		wantState(t, b, "owed 40")
		give(t, b, bonus("large", nil), 100)
		wantState(t, b, "pool large:60")
		if got := owing(b); got != "" {
			t.Errorf("still owed %s", got)
		}
	})
	t.Run("R1_TheOldestDebtFirst", func(t *testing.T) {
		b, _ := indebted(t)
		other := give(t, b, bonus("x", nil), 71)
		must(t)(spend(b, "s2", day(2), 1, From(mainOf(t, b))))
		must(t)(b.Clawback(ask("again", day(2)), other, nil, 5))
		wantState(t, b, "owed 5")
		give(t, b, bonus("y", nil), 2)
		if got := owing(b); got != "x 3" {
			t.Errorf("owed %s", got)
		}
	})
	t.Run("R1_AnAllocationsOwnCreditsPayNothing", func(t *testing.T) {
		b, _ := indebted(t)
		give(t, b, bonus("gift", nil), 30, "ann")
		wantState(t, b, "ann gift:30; owed 70")
		ann, _ := b.AllocationOf("ann")
		must(t)(b.Move(ask("r", day(2)), MoveIn{Kind: KindReclaim, From: ann, To: mainOf(t, b), Credits: 20}))
		wantState(t, b, "ann gift:10; owed 50")
	})
	for _, c := range []struct {
		name   string
		settle func(b *Book, id int64) (*Entry, error)
		want   string
	}{
		{"Release", func(b *Book, id int64) (*Entry, error) { return b.Release(ask("r", day(1)), id) }, "pool gift:5"},
		{"Capture", func(b *Book, id int64) (*Entry, error) { return b.Capture(ask("c", day(1)), id, 10) }, "owed 5"},
		{"Expiry", func(b *Book, id int64) (*Entry, error) { b.ExpireHolds(day(3)); return nil, nil }, "pool gift:5"},
	} {
		t.Run("R1_WhatAHoldGivesBackPays/"+c.name, func(t *testing.T) {
			b := team()
			lot := give(t, b, bonus("gift", nil), 30)
			id := hold(t, b, "h", 30, day(3), From(mainOf(t, b)))
			must(t)(b.Clawback(ask("cb", day(1)), lot, nil, 25))
			must(t)(c.settle(b, id))
			wantState(t, b, c.want)
		})
	}
	t.Run("R1_AReversalPays", func(t *testing.T) {
		b := team()
		lot := give(t, b, bonus("gift", nil), 30)
		e := must(t)(spend(b, "s", day(1), 30, From(mainOf(t, b))))
		b.undoable[e.Sequence] = &undoable{entry: e}
		must(t)(b.Clawback(ask("cb", day(1)), lot, nil, 25))
		must(t)(b.Reverse(ask("r", day(1)), e.Sequence, 28))
		wantState(t, b, "pool gift:3")
	})
	t.Run("R1_RolloverAndThawingPayNothing", func(t *testing.T) {
		b := team()
		give(t, b, monthly("m", 1, until(31)), 30)
		lot, _ := b.Lot("m")
		must(t)(b.SetFrozen(ask("f", day(1)), lot, true))
		must(t)(b.Clawback(ask("cb", day(1)), lot, nil, 25))
		must(t)(b.SetFrozen(ask("t", day(1)), lot, false))
		in := monthly("rolled", 2, until(62))
		in.Source = Rollover
		must(t)(b.Roll(ask("roll", day(31)), b.Portions()[0], 30, in))
		wantState(t, b, "pool rolled:30; owed 25")
	})
	t.Run("R1_OthersContributionsPayNothing", func(t *testing.T) {
		b, _ := indebted(t)
		user := Blank(2, UserBook, start)
		lot := give(t, user, bonus("own", nil), 50)
		carry := func(key string, credits int64, pays bool) {
			t.Helper()
			_, _, err := Carry(user, b, ask(key, day(2)), CarryIn{
				Kind: KindContribution, To: mainOf(t, b), Draws: user.Take(lot, credits), Contributor: "bob", PaysDebt: pays,
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		carry("a", 20, false)
		if b.Owed() != 70 || mainOf(t, b).Balance != 20 {
			t.Errorf("after another's contribution: %s", state(b))
		}
		// nor when they return to the pool
		id := hold(t, b, "h", 20, day(3), From(mainOf(t, b)))
		must(t)(b.Release(ask("r", day(2)), id))
		if b.Owed() != 70 || mainOf(t, b).Balance != 20 {
			t.Errorf("after their hold: %s", state(b))
		}
		carry("b", 20, true)
		if b.Owed() != 50 || mainOf(t, b).Balance != 20 {
			t.Errorf("after the debtor's contribution: %s", state(b))
		}
	})
	t.Run("R1_WhatCannotBeUsedPaysNothing", func(t *testing.T) {
		b, _ := indebted(t)
		give(t, b, LotIn{Source: Bonus, Origin: "upcoming", EffectiveAt: day(9)}, 10)
		wantState(t, b, "pool upcoming:10; owed 70")
	})
	t.Run("R1_NothingToTakeBackIsRefused", func(t *testing.T) {
		b, _ := indebted(t)
		lot, _ := b.Lot("pack")
		wantRefusal(t, b, &AmountError{}, func() error { _, err := b.Clawback(ask("x", day(2)), lot, nil, 0); return err })
		gift := give(t, b, bonus("gift", nil), 90)
		wantRefusal(t, b, &AmountError{Credits: -5}, func() error {
			_, err := b.Clawback(ask("x", day(2)), lot, b.Take(gift, 10), -5)
			return err
		})
		wantRefusal(t, b, &InsufficientError{Wanted: 40, Available: 20, Accounts: []int32{7}}, func() error {
			_, err := b.Clawback(ask("x", day(2)), lot, append(b.Take(gift, 20), b.Take(gift, 20)...), 0)
			return err
		})
	})
}

func TestUndoClawback(t *testing.T) {
	t.Parallel()
	undo := func(t *testing.T, b *Book, e *Entry, parts ...int64) {
		t.Helper()
		for _, n := range parts {
			must(t)(b.UndoClawback(ask(fmt.Sprint("undo ", b.NextNumber()), day(3)), e.Sequence, n))
		}
	}
	t.Run("R1_OpenDebtFallsFirst", func(t *testing.T) {
		b, e := indebted(t)
		undo(t, b, e, 60)
		wantState(t, b, "owed 10")
		undo(t, b, e, 25)
		wantState(t, b, "pool pack:15")
		undo(t, b, e, 15)
		wantState(t, b, "pool pack:30")
		wantRefusal(t, b, ErrMoreThanSpent, func() error { _, err := b.UndoClawback(ask("x", day(3)), e.Sequence, 1); return err })
	})
	t.Run("R1_LastTakenFirst", func(t *testing.T) {
		b := team("ann")
		lot := give(t, b, pack("pack", nil), 30)
		ann, _ := b.AllocationOf("ann")
		must(t)(b.Move(ask("m", day(1)), MoveIn{Kind: KindAllocation, From: mainOf(t, b), To: ann, Credits: 10}))
		other := give(t, b, pack("other", nil), 30)
		e := must(t)(b.Clawback(ask("cb", day(2)), lot, append(b.Take(lot, 30), b.Take(other, 5)...), 0))
		b.undoable[e.Sequence] = &undoable{entry: e, returned: map[portionKey]int64{}}
		wantState(t, b, "pool other:25")
		for _, want := range []string{
			"pool other:29", "pool other:30; ann pack:3", "pool other:30; ann pack:7", "pool pack:1 other:30; ann pack:10",
			"pool pack:5 other:30; ann pack:10", "pool pack:9 other:30; ann pack:10",
		} {
			undo(t, b, e, 4)
			wantState(t, b, want)
		}
	})
	t.Run("R1_PaidDebtComesBackAsCreditsOfItsCause", func(t *testing.T) {
		for _, parts := range [][]int64{{100}, {10, 90}, {30, 30, 30, 10}, {50, 50}, {29, 1, 70}} {
			b, e := indebted(t)
			give(t, b, bonus("gift", nil), 50) // pays 50 of the 70
			wantState(t, b, "owed 20")
			undo(t, b, e, parts...)
			wantState(t, b, "pool pack:80")
		}
	})
	t.Run("R1_WhatComesBackPaysOtherDebts", func(t *testing.T) {
		b, e := indebted(t)
		lot, _ := b.Lot("pack")
		must(t)(b.Clawback(ask("other", day(2)), lot, nil, 12))
		undo(t, b, e, 100)
		wantState(t, b, "pool pack:18")
	})
}

func TestCarryDebt(t *testing.T) {
	t.Parallel()
	t.Run("T13_DebtFollowsItsPurchase", func(t *testing.T) {
		b, _ := indebted(t)
		gift := give(t, b, bonus("gift", nil), 71)
		must(t)(b.Clawback(ask("other", day(2)), gift, b.Take(gift, 1), 9))
		lot, _ := b.Lot("pack")
		must(t)(b.Clawback(ask("more", day(2)), lot, nil, 3))
		user := Blank(2, UserBook, start)
		out, into, err := CarryDebt(b, user, ask("d", day(3)), "pack")
		if err != nil {
			t.Fatal(err)
		}
		wantState(t, b, "owed 9")
		wantState(t, user, "owed 3")
		if out.Credits != 3 || into.Credits != 3 || owing(user) != "pack 3" {
			t.Errorf("carried %d, arrived %v", out.Credits, user.Debts())
		}
		give(t, user, bonus("own", nil), 5)
		wantState(t, user, "personal own:2")
		wantRefusal(t, b, &AmountError{}, func() error { _, _, err := CarryDebt(b, user, ask("e", day(3)), "pack"); return err })
		wantRefusal(t, user, &AmountError{}, func() error { _, _, err := CarryDebtPart(user, b, ask("f", day(3)), "pack", 1); return err })
	})
	t.Run("R1_ADebtThatIsCarriedBackFallsWhenItsRefundFails", func(t *testing.T) {
		b, e := indebted(t)
		user := Blank(2, UserBook, start)
		carry := func(from, to *Book, key string, credits int64) {
			t.Helper()
			if _, _, err := CarryDebtPart(from, to, ask(key, day(3)), "pack", credits); err != nil {
				t.Fatal(err)
			}
		}
		carry(b, user, "there", 70)
		wantState(t, user, "owed 70")
		carry(user, b, "back", 45)
		wantState(t, user, "owed 25")
		wantState(t, b, "owed 45")
		must(t)(b.UndoClawback(ask("undo", day(3)), e.Sequence, 45))
		wantState(t, b, "")
		wantRefusal(t, user, &AmountError{Credits: 26}, func() error {
			_, _, err := CarryDebtPart(user, b, ask("more", day(3)), "pack", 26)
			return err
		})
	})
	t.Run("R1_OnlyDebtOfTheSameCauseFalls", func(t *testing.T) {
		b, e := indebted(t)
		gift := give(t, b, bonus("gift", nil), 70) // pays it all
		must(t)(b.Clawback(ask("other", day(2)), gift, nil, 9))
		must(t)(b.UndoClawback(ask("undo", day(3)), e.Sequence, 5))
		wantState(t, b, "owed 4") // as credits that paid
	})
	t.Run("R2_AFrozenLotMayBeTakenBack", func(t *testing.T) {
		b := team()
		lot := give(t, b, pack("pack", nil), 30)
		hold(t, b, "h", 10, day(9), From(mainOf(t, b)))
		must(t)(b.SetFrozen(ask("f", day(1)), lot, true))
		must(t)(b.Clawback(ask("lost", day(2)), lot, b.Unheld(lot), 0))
		must(t)(b.SetFrozen(ask("t", day(2)), lot, false))
		wantState(t, b, "pool pack:10/10")
	})
	t.Run("R1_ARefundFindsThePurchaseWhereItLives", func(t *testing.T) {
		b, _ := indebted(t)
		lot, _ := b.Lot("pack")
		user := Blank(2, UserBook, start)
		must(t)(user.Clawback(ask("cb", day(3)), lot, nil, 4))
		must(t)(user.Clawback(ask("cb2", day(3)), lot, nil, 4))
		wantState(t, user, "owed 8")
		if n := len(user.lots); n != 1 {
			t.Errorf("%d lots stand in for the purchase, want one", n)
		}
	})
}
