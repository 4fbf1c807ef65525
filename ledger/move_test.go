package ledger

import (
	"errors"
	"testing"
)

func TestMove(t *testing.T) {
	t.Parallel()
	t.Run("L4_MovesTakeLotsInDrawOrder", func(t *testing.T) {
		b := team("ann", "bob")
		give(t, b, pack("pack", until(30)), 10)
		give(t, b, bonus("gift", until(30)), 10)
		ann, _ := b.AllocationOf("ann")
		bob, _ := b.AllocationOf("bob")
		pool := mainOf(t, b)
		must(t)(b.Move(ask("a", day(1)), MoveIn{Kind: KindAllocation, From: pool, To: ann, Credits: 15}))
		wantState(t, b, "pool pack:5; ann gift:10 pack:5")
		must(t)(b.Move(ask("t", day(1)), MoveIn{Kind: KindTransfer, From: ann, To: bob, Credits: 11}))
		wantState(t, b, "pool pack:5; ann pack:4; bob gift:10 pack:1")
		must(t)(b.Move(ask("r", day(1)), MoveIn{Kind: KindReclaim, From: bob, To: pool, Credits: 4}))
		wantState(t, b, "pool gift:4 pack:5; ann pack:4; bob gift:6 pack:1")
	})
	t.Run("T8_HeldAndFrozenCreditsStay", func(t *testing.T) {
		b := team("ann")
		lot := give(t, b, bonus("a", nil), 10)
		give(t, b, bonus("b", nil), 10)
		ann, _ := b.AllocationOf("ann")
		pool := mainOf(t, b)
		hold(t, b, "h", 3, day(5), From(pool))
		must(t)(b.SetFrozen(ask("f", day(1)), lot, true))
		in := MoveIn{Kind: KindAllocation, From: pool, To: ann, Credits: 11}
		wantRefusal(t, b, &InsufficientError{Wanted: 11, Available: 10, Accounts: []int32{7}}, func() error {
			_, err := b.Move(ask("m", day(1)), in)
			return err
		})
		in.Credits = 10
		must(t)(b.Move(ask("m", day(1)), in))
		wantState(t, b, "pool a:10/3; ann b:10")
	})
	t.Run("T8_NotToOneself", func(t *testing.T) {
		b := team()
		give(t, b, bonus("a", nil), 10)
		pool := mainOf(t, b)
		wantRefusal(t, b, ErrSameAccount, func() error {
			_, err := b.Move(ask("m", day(1)), MoveIn{Kind: KindTransfer, From: pool, To: pool, Credits: 1})
			return err
		})
	})
}

func TestCarry(t *testing.T) {
	t.Parallel()
	setup := func(t *testing.T) (*Book, *Book) {
		user := Blank(2, UserBook, start)
		give(t, user, LotIn{
			Source: Monthly, Origin: "m", EffectiveAt: start, ExpiresAt: until(30), Series: "sub", Step: 3, Payer: "cus", TurnsSurvived: 2,
			FirstGrantedAt: day(-60),
		}, 10)
		give(t, user, pack("p", nil), 10)
		return user, team("ann")
	}
	t.Run("L2_BothHalvesMeetInTheClearingAccounts", func(t *testing.T) {
		user, b := setup(t)
		draws, err := user.Choose(mainOf(t, user), ask("", day(1)), 15)
		if err != nil {
			t.Fatal(err)
		}
		out, into, err := Carry(user, b, ask("c", day(1)), CarryIn{Kind: KindContribution, To: mainOf(t, b), Draws: draws, Contributor: "ann"})
		if err != nil {
			t.Fatal(err)
		}
		wantState(t, user, "personal p:5")
		wantState(t, b, "pool m@2:2:5:10 p@2:4:5:5")
		if *out.Peer != (EntryRef{1, into.Sequence}) || *into.Peer != (EntryRef{2, out.Sequence}) || into.Kind != KindContributionIn ||
			out.Credits != 15 || into.Credits != 15 || into.Key != "ledger:peer:2:5" {
			t.Errorf("the halves are %+v and %+v", out, into)
		}
		x, _ := user.Account(Clearing)
		y, _ := b.Account(Clearing)
		if x.Balance != 15 || y.Balance != -15 {
			t.Errorf("clearing %d and %d", x.Balance, y.Balance)
		}
	})
	t.Run("T10_ContributedCreditsKeepTheirEndAndTurnNoMore", func(t *testing.T) {
		user, b := setup(t)
		lot, _ := user.Lot("m")
		_, _, err := Carry(user, b, ask("c", day(1)), CarryIn{
			Kind: KindContribution, To: mainOf(t, b), Draws: user.Take(lot, 4), Contributor: "ann",
		})
		if err != nil {
			t.Fatal(err)
		}
		got := b.Portions()[0].Lot
		if got.Series != "" || got.Step != 0 || got.Contributor != "ann" || !got.ExpiresAt.Equal(day(30)) || got.Source != Monthly ||
			got.RootOrigin != "m" || *got.Parent != (LotRef{2, lot.ID}) || got.Class() != ClassContributed || !got.FirstGrantedAt.Equal(day(-60)) {
			t.Errorf("arrived as %+v", got)
		}
	})
	t.Run("T13_AnAssignmentKeepsSeriesFreezingAndOneLotForAll", func(t *testing.T) {
		user, b := setup(t)
		lot, _ := user.Lot("m")
		if _, _, err := Carry(user, b, ask("to", day(1)), CarryIn{Kind: KindAssignment, To: mainOf(t, b), Draws: user.Take(lot, 10)}); err != nil {
			t.Fatal(err)
		}
		ann, _ := b.AllocationOf("ann")
		must(t)(b.Move(ask("m", day(1)), MoveIn{Kind: KindAllocation, From: mainOf(t, b), To: ann, Credits: 4}))
		hold(t, b, "h", 1, day(3), From(ann))
		moved := b.Portions()[0].Lot
		must(t)(b.SetFrozen(ask("f", day(1)), moved, true))
		if _, _, err := Carry(b, user, ask("back", day(1)), CarryIn{Kind: KindAssignment, To: mainOf(t, user), Draws: b.Unheld(moved)}); err != nil {
			t.Fatal(err)
		}
		wantState(t, b, "ann "+moved.Origin+":1/1")
		var back *Portion
		for _, p := range user.Portions() {
			if p.Lot.RootOrigin == "m" {
				back = p
			}
		}
		if l := back.Lot; back.Balance != 9 || l.Granted != 9 || l.Series != "sub" || l.Step != 3 || !l.Frozen || l.TurnsSurvived != 2 || l.Payer != "cus" {
			t.Errorf("came back as %d of %+v", back.Balance, l)
		}
	})
	t.Run("T13_LotsOfOneLineageArriveApart", func(t *testing.T) {
		user, b := setup(t)
		lot, _ := user.Lot("m")
		in := monthly("rolled", 4, until(60))
		in.Source = Rollover
		must(t)(user.Roll(ask("roll", day(1)), user.portionsOf(lot)[0], 6, in))
		rolled, _ := user.Lot("rolled")
		draws := append(user.Take(lot, 10), user.Take(rolled, 10)...)
		if _, _, err := Carry(user, b, ask("c", day(1)), CarryIn{Kind: KindAssignment, To: mainOf(t, b), Draws: draws}); err != nil {
			t.Fatal(err)
		}
		if ps := b.Portions(); len(ps) != 2 || ps[0].Balance != 4 || ps[1].Balance != 6 || ps[1].Lot.Source != Rollover {
			t.Errorf("arrived as %s", state(b))
		}
	})
	t.Run("L6_ARepeatIsAnsweredOnce", func(t *testing.T) {
		user, b := setup(t)
		lot, _ := user.Lot("m")
		in := CarryIn{Kind: KindContribution, To: mainOf(t, b), Draws: user.Take(lot, 4), Contributor: "ann"}
		first, _, _ := Carry(user, b, ask("c", day(1)), in)
		again, into, err := Carry(user, b, ask("c", day(1)), in)
		if err != nil || again.Sequence != first.Sequence || into != nil || again.Peer == nil {
			t.Errorf("got %v, %v, %v", again, into, err)
		}
		wantState(t, user, "personal m:6 p:10")
	})
	t.Run("T8_RefusalsLeaveBothBooksAlone", func(t *testing.T) {
		user, b := setup(t)
		lot, _ := user.Lot("m")
		stale := user.Take(lot, 10)
		must(t)(spend(user, "s", day(1), 1, From(mainOf(t, user))))
		elsewhere := user.MakeAllocation("x", start)
		for _, c := range []struct {
			want error
			in   CarryIn
		}{
			{&InsufficientError{Wanted: 10, Available: 9, Accounts: []int32{7}}, CarryIn{To: mainOf(t, b), Draws: stale}},
			{ErrAccountNotFound, CarryIn{To: mainOf(t, user), Draws: user.Take(lot, 1)}},
			{ErrAccountNotFound, CarryIn{To: mainOf(t, b), From: elsewhere, Draws: user.Take(lot, 1)}},
			{&AmountError{}, CarryIn{To: mainOf(t, b)}},
			{&AmountError{}, CarryIn{To: mainOf(t, b), Draws: []Draw{{Portion: stale[0].Portion}}}},
		} {
			c.in.Kind = KindContribution
			wantRefusal(t, user, c.want, func() error {
				var err error
				wantRefusal(t, b, c.want, func() error { _, _, err = Carry(user, b, ask("c", day(1)), c.in); return err })
				return err
			})
		}
		wantRefusal(t, user, ErrSameAccount, func() error {
			_, _, err := Carry(user, user, ask("c", day(1)), CarryIn{Kind: KindContribution, To: mainOf(t, user), Draws: user.Take(lot, 1)})
			return err
		})
	})
}

func TestElsewhere(t *testing.T) {
	t.Parallel()
	setup := func(t *testing.T) (named, paying *Book, in SpendIn) {
		paying = Blank(2, UserBook, start)
		give(t, paying, bonus("b", nil), 10)
		return team(), paying, SpendIn{Credits: 4, Payers: []Payer{From(mainOf(t, paying))}}
	}
	t.Run("S2_TheNamedBookKeepsTheKeyTheOtherPays", func(t *testing.T) {
		named, paying, in := setup(t)
		decide := func(r Request) (*Entry, error) { return paying.Spend(r, in) }
		note, paid, err := Elsewhere(named, paying, ask("k", day(1)), decide)
		if err != nil {
			t.Fatal(err)
		}
		wantState(t, paying, "personal b:6")
		if note.Key != "k" || len(note.Postings) > 0 || note.Credits != 4 || *note.Peer != (EntryRef{2, paid.Sequence}) ||
			*paid.Peer != (EntryRef{1, note.Sequence}) || paid.Key != "ledger:peer:1:1" {
			t.Errorf("got %+v and %+v", note, paid)
		}
		again, none, err := Elsewhere(named, paying, ask("k", day(1)), decide)
		if err != nil || none != nil || !again.Replayed || *again.Peer != *note.Peer {
			t.Errorf("repeated: %+v, %v, %v", again, none, err)
		}
		wantState(t, paying, "personal b:6")
	})
	t.Run("S3_ARefusalLeavesNothingInEither", func(t *testing.T) {
		named, paying, in := setup(t)
		in.Credits = 11
		var short *InsufficientError
		wantRefusal(t, named, ErrKeyMissing, func() error {
			_, _, err := Elsewhere(named, paying, ask("k", day(1)), func(r Request) (*Entry, error) { return paying.Spend(r, in) })
			if !errors.As(err, &short) {
				t.Errorf("got %v", err)
			}
			return ErrKeyMissing
		})
		wantState(t, paying, "personal b:10")
		r := ask("ledger:peer:1:1", day(1))
		wantRefusal(t, paying, ErrKeyReserved, func() error { _, err := paying.Spend(r, in); return err })
	})
}
