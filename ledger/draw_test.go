package ledger

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
)

// isError tells whether err is or wraps want, or an error of its type with its fields.
func isError(err, want error) bool {
	for e := err; e != nil; e = errors.Unwrap(e) {
		if errors.Is(e, want) || reflect.DeepEqual(e, want) {
			return true
		}
	}
	return false
}

func TestDraw(t *testing.T) {
	t.Parallel()
	lot := func(source Source, origin string, from, to int) LotIn {
		in := LotIn{Source: source, Origin: origin, EffectiveAt: day(from)}
		if to > 0 {
			in.ExpiresAt = until(to)
		}
		return in
	}
	for _, c := range []struct {
		name string
		lots []LotIn // ten credits each, in this order
		at   int
		draw int64
		want string
	}{
		{"L4_EarliestEndFirst", []LotIn{lot(Bonus, "late", 0, 30), lot(Bonus, "early", 0, 20)}, 1, 15, "early@7:10 late@7:5"},
		{"L4_NeverEndsLast", []LotIn{lot(Bonus, "never", 0, 0), lot(Bonus, "once", 0, 900)}, 1, 15, "once@7:10 never@7:5"},
		{"L4_PaidForLast", []LotIn{lot(Purchase, "pack", 0, 30), lot(Bonus, "gift", 0, 30)}, 1, 15, "gift@7:10 pack@7:5"},
		{"L4_PaidForEarlierEndFirst", []LotIn{lot(Bonus, "gift", 0, 31), lot(Purchase, "pack", 0, 30)}, 1, 15, "pack@7:10 gift@7:5"},
		{"L4_PaidForLastAmongThoseThatNeverEnd", []LotIn{lot(Purchase, "pack", 0, 0), lot(Bonus, "gift", 0, 0)}, 1, 15, "gift@7:10 pack@7:5"},
		{"L4_EarlierStartFirst", []LotIn{lot(Monthly, "second", 1, 30), lot(Rollover, "first", 0, 30)}, 2, 15, "first@7:10 second@7:5"},
		{"L4_UnpaidBeforeEarlierStart", []LotIn{lot(Purchase, "pack", 0, 30), lot(Bonus, "gift", 1, 30)}, 2, 15, "gift@7:10 pack@7:5"},
		{"L4_LowestSequenceAtLast", []LotIn{lot(Bonus, "a", 0, 30), lot(Bonus, "b", 0, 30), lot(Bonus, "c", 0, 30)}, 1, 25, "a@7:10 b@7:10 c@7:5"},
		{"L4_DeadAtItsEnd", []LotIn{lot(Bonus, "dead", 0, 5), lot(Bonus, "alive", 0, 30)}, 5, 10, "alive@7:10"},
		{"L4_UsableFromItsStart", []LotIn{lot(Bonus, "soon", 5, 9), lot(Bonus, "alive", 0, 30)}, 5, 15, "soon@7:10 alive@7:5"},
		{"L4_NotBeforeItsStart", []LotIn{lot(Bonus, "soon", 5, 9), lot(Bonus, "alive", 0, 30)}, 4, 10, "alive@7:10"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := team()
			for _, in := range c.lots {
				in.Series, in.Step = "", 0
				give(t, b, in, 10)
			}
			e := must(t)(spend(b, "s", day(c.at), c.draw, From(mainOf(t, b))))
			if got := drawn(b, e); got != c.want {
				t.Errorf("drew %q, want %q", got, c.want)
			}
		})
	}
	t.Run("L4_OrderIsTotalAndStable", func(t *testing.T) {
		var lots []*Lot
		for i := range 200 {
			l := &Lot{ID: int64(i + 1), Source: []Source{Monthly, Purchase, Bonus}[i%3], EffectiveAt: day(i % 4)}
			if i%5 > 0 {
				l.ExpiresAt = until(10 + i%5)
			}
			lots = append(lots, l)
		}
		want := slices.SortedFunc(slices.Values(lots), checkedLess)
		random := rand.New(rand.NewPCG(1, 2))
		for range 20 {
			random.Shuffle(len(lots), func(i, j int) { lots[i], lots[j] = lots[j], lots[i] })
			if got := slices.SortedFunc(slices.Values(lots), checkedLess); !slices.Equal(got, want) {
				t.Fatal("the order depends on where one begins")
			}
		}
	})
}

func checkedLess(a, b *Lot) int {
	c := less(a, b)
	if c != -less(b, a) || (c == 0) != (a == b) {
		panic("the order isn't one")
	}
	return c
}

func TestDrawFromSeveral(t *testing.T) {
	t.Parallel()
	setup := func(t *testing.T) (b *Book, ann, pool *Account) {
		b = team("ann")
		give(t, b, bonus("early", until(5)), 10)
		give(t, b, bonus("late", until(9)), 10, "ann")
		ann, _ = b.AllocationOf("ann")
		return b, ann, mainOf(t, b)
	}
	t.Run("S2_FirstPayerFirstThenTheNext", func(t *testing.T) {
		b, ann, pool := setup(t)
		e := must(t)(spend(b, "s", day(1), 13, From(ann), From(pool)))
		if got := drawn(b, e); got != "late@8:10 early@7:3" {
			t.Errorf("drew %q", got)
		}
	})
	t.Run("T6_NoMoreThanTheCap", func(t *testing.T) {
		b, ann, pool := setup(t)
		wantRefusal(t, b, &InsufficientError{Wanted: 13, Available: 12, Accounts: []int32{8, 7}}, func() error {
			_, err := spend(b, "s", day(1), 13, From(ann), Payer{Account: pool, Max: 2})
			return err
		})
		e := must(t)(spend(b, "s", day(1), 12, From(ann), Payer{Account: pool, Max: 2}))
		if got := drawn(b, e); got != "late@8:10 early@7:2" {
			t.Errorf("drew %q", got)
		}
	})
	t.Run("T6_ACapOfZeroBlocks", func(t *testing.T) {
		b, _, pool := setup(t)
		wantRefusal(t, b, &InsufficientError{Wanted: 1, Accounts: []int32{7}}, func() error {
			_, err := spend(b, "s", day(1), 1, Payer{Account: pool})
			return err
		})
	})
	t.Run("L7_AnAccountNamedTwicePaysOnce", func(t *testing.T) {
		b, _, pool := setup(t)
		wantRefusal(t, b, &InsufficientError{Wanted: 11, Available: 10, Accounts: []int32{7, 7}}, func() error {
			_, err := spend(b, "s", day(1), 11, From(pool), From(pool))
			return err
		})
		must(t)(spend(b, "s", day(1), 10, Payer{Account: pool, Max: 4}, From(pool)))
		wantState(t, b, "ann late:10")
	})
	t.Run("L2_AnotherBooksAccountPaysNothing", func(t *testing.T) {
		b, _, _ := setup(t)
		other := team()
		give(t, other, bonus("other", nil), 10)
		for _, a := range []*Account{nil, mainOf(t, other), b.accounts[0]} {
			wantRefusal(t, b, ErrAccountNotFound, func() error {
				_, err := spend(b, "s", day(1), 1, From(a))
				return err
			})
		}
	})
	t.Run("S3_AvailableCountsWhatCanBeDrawn", func(t *testing.T) {
		b, _, pool := setup(t)
		give(t, b, bonus("ended", until(1)), 1)
		give(t, b, LotIn{Source: Bonus, Origin: "upcoming", EffectiveAt: day(4)}, 2)
		frozen := give(t, b, bonus("frozen", nil), 4)
		must(t)(b.SetFrozen(ask("f", day(1)), frozen, true))
		must(t)(b.Hold(ask("h", day(1)), HoldIn{Credits: 3, Payers: []Payer{From(pool)}, ExpiresAt: day(2)}))
		if got := pool.Available(day(2)); got != 7 {
			t.Errorf("available = %d, want 7", got)
		}
	})
}

func TestAmounts(t *testing.T) {
	t.Parallel()
	for _, credits := range []int64{-1 << 63, -1, 0, CreditsMax + 1, 1<<63 - 1} {
		b := team("ann")
		give(t, b, bonus("b", nil), 5)
		pool, ann := mainOf(t, b), b.MakeAllocation("ann", start)
		lot, _ := b.Lot("b")
		for name, decide := range map[string]func() (*Entry, error){
			"Spend": func() (*Entry, error) { return spend(b, "k", day(0), credits, From(pool)) },
			"Hold": func() (*Entry, error) {
				return b.Hold(ask("k", day(0)), HoldIn{Credits: credits, Payers: []Payer{From(pool)}, ExpiresAt: day(1)})
			},
			"Grant": func() (*Entry, error) { return b.Grant(ask("k", day(0)), pool, bonus("c", nil), credits) },
			"Move": func() (*Entry, error) {
				return b.Move(ask("k", day(0)), MoveIn{Kind: KindAllocation, From: pool, To: ann, Credits: credits})
			},
			"TakeBack": func() (*Entry, error) {
				return b.TakeBack(ask("k", day(0)), []Draw{{Portion: pool.portions[0], Credits: credits}})
			},
			"Roll": func() (*Entry, error) { return b.Roll(ask("k", day(0)), pool.portions[0], credits, bonus("r", nil)) },
		} {
			t.Run("L1_"+name+"Refuses", func(t *testing.T) {
				wantRefusal(t, b, &AmountError{Credits: credits}, func() error { _, err := decide(); return err })
			})
		}
		if credits != 0 { // with nothing drawn, an owed 0 is refused as an entry about nothing
			t.Run("L1_ClawbackRefuses", func(t *testing.T) {
				wantRefusal(t, b, &AmountError{Credits: credits}, func() error {
					_, err := b.Clawback(ask("k", day(0)), lot, nil, credits)
					return err
				})
			})
		}
	}
	t.Run("L1_ABookHoldsNoMoreThanItCanCount", func(t *testing.T) {
		b := team()
		issued, _ := b.Account(Issued)
		issued.Balance = -bookMax + 10
		wantRefusal(t, b, ErrBookFull, func() error {
			_, err := b.Grant(ask("k", day(0)), mainOf(t, b), bonus("b", nil), 11)
			return err
		})
		must(t)(b.Grant(ask("k", day(0)), mainOf(t, b), bonus("b", nil), 10))
	})
}

func TestKeys(t *testing.T) {
	t.Parallel()
	setup := func(t *testing.T) (*Book, Request, SpendIn) {
		b := team()
		give(t, b, bonus("b", nil), 10)
		r := ask("s", day(1))
		r.Hash = []byte("spend 4")
		return b, r, SpendIn{Credits: 4, Payers: []Payer{From(mainOf(t, b))}}
	}
	t.Run("L6_SameRequestGetsTheFirstAnswer", func(t *testing.T) {
		b, r, in := setup(t)
		first := must(t)(b.Spend(r, in))
		r.At = day(2)
		again := must(t)(b.Spend(r, in))
		if again.Sequence != first.Sequence || !again.Replayed || first.Replayed || drawn(b, again) != "b@7:4" || !again.At.Equal(day(1)) {
			t.Errorf("got %+v, want the answer %+v again", again, first)
		}
		wantState(t, b, "pool b:6")
	})
	t.Run("L6_AnotherRequestIsRefused", func(t *testing.T) {
		b, r, in := setup(t)
		must(t)(b.Spend(r, in))
		r.Hash = []byte("spend 5")
		wantRefusal(t, b, ErrKeyReused, func() error { _, err := b.Spend(r, in); return err })
		r.Hash = nil // a hash of its own then says which operation it was
		wantRefusal(t, b, ErrKeyReused, func() error { _, err := b.Spend(r, in); return err })
	})
	t.Run("L6_ARefusedRequestIsDecidedAnew", func(t *testing.T) {
		b, r, in := setup(t)
		in.Credits = 12
		wantRefusal(t, b, &InsufficientError{Wanted: 12, Available: 10, Accounts: []int32{7}}, func() error { _, err := b.Spend(r, in); return err })
		give(t, b, bonus("more", nil), 5)
		if e := must(t)(b.Spend(r, in)); e.Replayed {
			t.Error("a refusal was remembered")
		}
	})
	t.Run("L6_AWriteWithoutAKeyIsRefused", func(t *testing.T) {
		b, r, in := setup(t)
		r.Key = ""
		wantRefusal(t, b, ErrKeyMissing, func() error { _, err := b.Spend(r, in); return err })
	})
	t.Run("L6_NobodyCanTakeTheKeyOfAnExpiry", func(t *testing.T) {
		b, r, in := setup(t)
		r.Key = "ledger:expiry:2:4"
		wantRefusal(t, b, ErrKeyReserved, func() error { _, err := b.Spend(r, in); return err })
	})
	t.Run("L10_SomebodyAsks", func(t *testing.T) {
		b, r, in := setup(t)
		r.Actor = ""
		wantRefusal(t, b, ErrActorMissing, func() error { _, err := b.Spend(r, in); return err })
	})
	t.Run("L6_AnsweredTellsBeforeAnythingIsDecided", func(t *testing.T) {
		b, r, in := setup(t)
		if e, err := b.Answered(r); e != nil || err != nil {
			t.Errorf("a new key was answered with %v, %v", e, err)
		}
		first := must(t)(b.Spend(r, in))
		if e, err := b.Answered(r); err != nil || e.Sequence != first.Sequence {
			t.Errorf("got %v, %v, want the first answer", e, err)
		}
	})
	t.Run("TimesAreThoseThatTheDatabaseKeeps", func(t *testing.T) {
		b, r, in := setup(t)
		r.At = time.Date(2026, 3, 2, 1, 0, 0, 1999, time.FixedZone("", 3600))
		if e := must(t)(b.Spend(r, in)); e.At != time.Date(2026, 3, 2, 0, 0, 0, 1000, time.UTC) {
			t.Errorf("at = %v", e.At)
		}
	})
}
