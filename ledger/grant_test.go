package ledger

import "testing"

func TestRoll(t *testing.T) {
	t.Parallel()
	b := team("ann")
	in := monthly("m", 1, until(31))
	in.FirstGrantedAt, in.Payer = day(-3), "cus"
	lot := give(t, b, in, 100)
	ann, _ := b.AllocationOf("ann")
	pool := mainOf(t, b)
	must(t)(b.Move(ask("m", day(1)), MoveIn{Kind: KindAllocation, From: pool, To: ann, Credits: 10}))
	hold(t, b, "h", 5, day(40), From(pool))
	rolled := LotIn{
		Source: Rollover, Origin: "r", EffectiveAt: lot.EffectiveAt, ExpiresAt: until(62), FirstGrantedAt: lot.FirstGrantedAt,
		Series: "sub_1", Step: 2, TurnsSurvived: 1,
	}
	portion := b.TakeFrom(lot, pool, 1)[0].Portion

	t.Run("L8_HeldCreditsDoNotRoll", func(t *testing.T) {
		wantRefusal(t, b, &InsufficientError{Wanted: 86, Available: 85, Accounts: []int32{7}}, func() error {
			_, err := b.Roll(ask("roll", day(31)), portion, 86, rolled)
			return err
		})
	})
	t.Run("B9_WhereTheySitIntoOneLot", func(t *testing.T) {
		must(t)(b.Roll(ask("roll", day(31)), portion, 60, rolled))
		must(t)(b.Roll(ask("roll ann", day(31)), b.TakeFrom(lot, ann, 1)[0].Portion, 10, rolled))
		wantState(t, b, "pool m:30/5 r:60; ann r:10")
	})
	t.Run("L8_WhatJoinsLaterAddsToTheSameLot", func(t *testing.T) {
		rolled.ExpiresAt = until(99) // the lot keeps its dates
		must(t)(b.Roll(ask("roll later", day(33)), portion, 5, rolled))
		wantState(t, b, "pool m:25/5 r:65; ann r:10")
		r, _ := b.Lot("r")
		if r.Granted != 75 || !r.ExpiresAt.Equal(day(62)) || r.RootOrigin != "m" || r.Payer != "cus" || *r.Parent != (LotRef{1, lot.ID}) ||
			!r.FirstGrantedAt.Equal(day(-3)) {
			t.Errorf("rolled into %+v", r)
		}
	})
	t.Run("L2_TheClearingAccountIsAsItWas", func(t *testing.T) {
		if c, _ := b.Account(Clearing); c.Balance != 0 {
			t.Errorf("clearing = %d", c.Balance)
		}
	})
	t.Run("L8_NotWhileFrozen", func(t *testing.T) {
		must(t)(b.SetFrozen(ask("f", day(33)), lot, true))
		wantRefusal(t, b, &InsufficientError{Wanted: 1, Accounts: []int32{7}}, func() error {
			_, err := b.Roll(ask("frozen", day(33)), portion, 1, rolled)
			return err
		})
	})
}

func TestTakeBack(t *testing.T) {
	t.Parallel()
	b := team("bob", "ann")
	lot := give(t, b, monthly("m", 1, until(31)), 100)
	other := give(t, b, bonus("b", until(5)), 7)
	pool := mainOf(t, b)
	for _, holder := range []string{"ann", "bob"} {
		a, _ := b.AllocationOf(holder)
		must(t)(b.Move(ask(holder, day(6)), MoveIn{Kind: KindAllocation, From: pool, To: a, Credits: 10}))
	}
	hold(t, b, "h", 5, day(40), From(pool))
	b.ExpireLots(day(6))
	wantState(t, b, "pool b:5/5 m:80; bob m:10; ann m:10")

	t.Run("B10_OfTheLotInThePoolAlone", func(t *testing.T) {
		if got := Sum(b.TakeFrom(lot, pool, 500)); got != 80 {
			t.Errorf("would take %d from the pool, want 80", got)
		}
	})
	t.Run("B11_PoolFirstThenAllocationsInAccountOrder", func(t *testing.T) {
		must(t)(b.TakeBack(ask("tb", day(6)), b.Take(lot, 93)))
		wantState(t, b, "pool b:5/5; ann m:7")
		if issued, _ := b.Account(Issued); issued.Balance != -(100 + 7 - 93) {
			t.Errorf("issued = %d", issued.Balance)
		}
	})
	t.Run("B10_NothingThere", func(t *testing.T) {
		if got := b.Take(other, 5); len(got) > 0 {
			t.Errorf("would take %+v of what is held", got)
		}
		wantRefusal(t, b, &AmountError{}, func() error { _, err := b.TakeBack(ask("x", day(6)), nil); return err })
	})
}

func TestRedate(t *testing.T) {
	t.Parallel()
	b := team()
	a := give(t, b, bonus("a", until(10)), 10)
	give(t, b, bonus("b", until(20)), 10)
	pool := mainOf(t, b)
	t.Run("L4_ReordersDraws", func(t *testing.T) {
		wantState(t, b, "pool a:10 b:10")
		e := must(t)(b.Redate(ask("later", day(1)), a, until(30)))
		if e.Lot != a.ID || !e.EndsAt.Equal(day(30)) {
			t.Errorf("the entry says %+v", e)
		}
		if got := drawn(b, must(t)(spend(b, "s", day(1), 1, From(pool)))); got != "b@7:1" {
			t.Errorf("drew %q", got)
		}
		must(t)(b.Redate(ask("sooner", day(1)), a, until(5)))
		if got := drawn(b, must(t)(spend(b, "s2", day(1), 1, From(pool)))); got != "a@7:1" {
			t.Errorf("drew %q", got)
		}
		must(t)(b.Redate(ask("never", day(1)), a, nil))
		wantState(t, b, "pool b:9 a:9")
	})
	t.Run("ALotDoesNotEndBeforeItStarts", func(t *testing.T) {
		wantRefusal(t, b, ErrLotInvalid, func() error { _, err := b.Redate(ask("x", day(1)), a, until(-1)); return err })
		wantRefusal(t, b, ErrLotInvalid, func() error { _, err := b.Grant(ask("x", day(1)), pool, bonus("c", until(-1)), 1); return err })
		wantRefusal(t, b, ErrLotInvalid, func() error { _, err := b.Grant(ask("x", day(1)), pool, bonus("", nil), 1); return err })
	})
	t.Run("L2_OnlyOfThisBook", func(t *testing.T) {
		other := give(t, team(), bonus("x", nil), 1)
		wantRefusal(t, b, ErrLotNotFound, func() error { _, err := b.Redate(ask("x", day(1)), other, nil); return err })
		wantRefusal(t, b, ErrLotNotFound, func() error { _, err := b.SetFrozen(ask("x", day(1)), other, true); return err })
	})
}
