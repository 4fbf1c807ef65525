package billing_test

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/internal/pgtest"
	"purser/ledger"
)

// bonusBook is a team's book without a subscription, in a transaction of its own.
func bonusBook(t *testing.T) (pgx.Tx, int64) {
	t.Helper()
	tx := pgtest.Tx(t)
	book, err := ledger.Create(t.Context(), tx, ledger.TeamBook, noon)
	if err != nil {
		t.Fatal(err)
	}
	return tx, book
}

func grantBonus(t *testing.T, tx pgx.Tx, in billing.BonusIn, at time.Time) *ledger.Entry {
	t.Helper()
	e, err := billing.GrantBonus(t.Context(), tx, billing.DemoCatalog(), in, at)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func readPool(t *testing.T, tx pgx.Tx, book int64, at time.Time) billing.Pool {
	t.Helper()
	pool, err := billing.ReadPool(t.Context(), tx, billing.DemoCatalog(), book, at)
	if err != nil {
		t.Fatal(err)
	}
	return pool
}

// spendBonus spends from the pool and holds some more, so that these aren't unspent.
func spendBonus(t *testing.T, tx pgx.Tx, book, spend, hold int64) {
	t.Helper()
	state, err := billing.OpenState(t.Context(), tx, billing.DemoCatalog(), noon, ledger.Want{Book: book})
	if err != nil {
		t.Fatal(err)
	}
	pool, _ := state.Book.Account(ledger.Main)
	_, err = state.Book.Spend(ledger.Request{Key: "spend", Actor: "ann", At: noon}, ledger.SpendIn{Credits: spend, Payers: []ledger.Payer{ledger.From(pool)}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = state.Book.Hold(ledger.Request{Key: "hold", Actor: "ann", At: noon},
		ledger.HoldIn{Credits: hold, Payers: []ledger.Payer{ledger.From(pool)}, ExpiresAt: noon.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if err := billing.Save(t.Context(), tx, state); err != nil {
		t.Fatal(err)
	}
}

func noDifferences(t *testing.T, tx pgx.Tx) {
	t.Helper()
	_, err := ledger.Audit(t.Context(), tx, func(d ledger.Difference) error {
		t.Error(d)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestGrantBonus(t *testing.T) {
	t.Parallel()
	end := noon.AddDate(0, 1, 0)

	t.Run("L11_IntoThePoolUntilItsEnd", func(t *testing.T) {
		t.Parallel()
		tx, book := bonusBook(t)
		e := grantBonus(t, tx, billing.BonusIn{Book: book, Credits: 500, Key: "k", Actor: "op", Memo: "sorry", ExpiresAt: &end}, noon)
		if e.Kind != ledger.KindGrant || e.Credits != 500 || e.Actor != "op" || e.Memo != "sorry" || e.Replayed {
			t.Errorf("entry is %+v", e)
		}
		pool := readPool(t, tx, book, noon)
		if pool.Available != 500 || pool.Bonus != 500 || pool.Total != 500 || len(pool.Lots) != 1 || !pool.Lots[0].ExpiresAt.Equal(end) {
			t.Errorf("pool is %+v", pool)
		}
		if pool := readPool(t, tx, book, end); pool.Available != 0 {
			t.Errorf("%d are left at the end", pool.Available)
		}
		noDifferences(t, tx)
	})
	t.Run("L11_IntoAnAllocation", func(t *testing.T) {
		t.Parallel()
		tx, book := bonusBook(t)
		grantBonus(t, tx, billing.BonusIn{Book: book, Holder: "bob", Credits: 70, Key: "k", Actor: "op"}, noon)
		if pool := readPool(t, tx, book, noon.AddDate(50, 0, 0)); pool.Allocated != 70 || pool.Available != 0 || pool.Lots[0].ExpiresAt != nil {
			t.Errorf("pool is %+v", pool)
		}
		noDifferences(t, tx)
	})
	t.Run("L6_TheSameRequestIsAnsweredAgainAndPostsNothing", func(t *testing.T) {
		t.Parallel()
		tx, book := bonusBook(t)
		in := billing.BonusIn{Book: book, Credits: 500, Key: "k", Actor: "op", Memo: "sorry", ExpiresAt: &end}
		first := grantBonus(t, tx, in, noon)
		// Long after the end: what is answered again isn't decided again.
		second := grantBonus(t, tx, in, end.AddDate(1, 0, 0))
		if !second.Replayed || second.Sequence != first.Sequence || !second.At.Equal(noon) {
			t.Errorf("answered %+v", second)
		}
		if pool := readPool(t, tx, book, noon); pool.Total != 500 {
			t.Errorf("%d credits after the same request twice", pool.Total)
		}
	})
	t.Run("L6_TheSameKeyForAnythingElseIsRefused", func(t *testing.T) {
		t.Parallel()
		tx, book := bonusBook(t)
		in := billing.BonusIn{Book: book, Credits: 500, Key: "k", Actor: "op", Memo: "sorry", ExpiresAt: &end}
		grantBonus(t, tx, in, noon)
		later := end.Add(time.Second)
		for name, change := range map[string]func(*billing.BonusIn){
			"credits": func(in *billing.BonusIn) { in.Credits = 501 },
			"holder":  func(in *billing.BonusIn) { in.Holder = "bob" },
			"actor":   func(in *billing.BonusIn) { in.Actor = "somebody" },
			"memo":    func(in *billing.BonusIn) { in.Memo = "" },
			"end":     func(in *billing.BonusIn) { in.ExpiresAt = &later },
			"no end":  func(in *billing.BonusIn) { in.ExpiresAt = nil },
		} {
			other := in
			change(&other)
			if _, err := billing.GrantBonus(t.Context(), tx, billing.DemoCatalog(), other, noon); !errors.Is(err, ledger.ErrKeyReused) {
				t.Errorf("other %s: %v", name, err)
			}
		}
		if _, err := billing.TakeBonus(t.Context(), tx, billing.DemoCatalog(), in, noon); !errors.Is(err, ledger.ErrKeyReused) {
			t.Errorf("taken back under the grant's key: %v", err)
		}
	})
	t.Run("RefusedRequestsPostNothing", func(t *testing.T) {
		t.Parallel()
		tx, book := bonusBook(t)
		past := noon
		var amount *ledger.AmountError
		for name, c := range map[string]struct {
			in    billing.BonusIn
			wrong func(error) bool
		}{
			"no key":   {billing.BonusIn{Credits: 1, Actor: "op"}, func(err error) bool { return errors.Is(err, ledger.ErrKeyMissing) }},
			"no actor": {billing.BonusIn{Credits: 1, Key: "k"}, func(err error) bool { return errors.Is(err, ledger.ErrActorMissing) }},
			"nothing":  {billing.BonusIn{Key: "k", Actor: "op"}, func(err error) bool { return errors.As(err, &amount) }},
			"too much": {billing.BonusIn{Credits: ledger.CreditsMax + 1, Key: "k", Actor: "op"}, func(err error) bool { return errors.As(err, &amount) }},
			"ended":    {billing.BonusIn{Credits: 1, Key: "k", Actor: "op", ExpiresAt: &past}, func(err error) bool { return errors.Is(err, billing.ErrBonusEnded) }},
		} {
			c.in.Book = book
			if _, err := billing.GrantBonus(t.Context(), tx, billing.DemoCatalog(), c.in, noon); !c.wrong(err) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if pool := readPool(t, tx, book, noon); pool.Total != 0 {
			t.Errorf("pool is %+v", pool)
		}
	})
}

func TestTakeBonus(t *testing.T) {
	t.Parallel()
	soon, late := noon.AddDate(0, 0, 1), noon.AddDate(0, 1, 0)

	take := func(t *testing.T, tx pgx.Tx, in billing.BonusIn) (*ledger.Entry, error) {
		t.Helper()
		return billing.TakeBonus(t.Context(), tx, billing.DemoCatalog(), in, noon)
	}
	t.Run("L11_OnlyWhatIsUnspentAndUnheld", func(t *testing.T) {
		t.Parallel()
		tx, book := bonusBook(t)
		grantBonus(t, tx, billing.BonusIn{Book: book, Credits: 500, Key: "k", Actor: "op"}, noon)
		spendBonus(t, tx, book, 100, 50)
		var short *ledger.InsufficientError
		_, err := take(t, tx, billing.BonusIn{Book: book, Credits: 351, Key: "t", Actor: "op"})
		if !errors.As(err, &short) || short.Available != 350 {
			t.Fatalf("taking more than is there: %v", err)
		}
		// What was refused is decided anew (L6).
		e, err := take(t, tx, billing.BonusIn{Book: book, Credits: 350, Key: "t", Actor: "op"})
		if err != nil || e.Kind != ledger.KindTakeBack {
			t.Fatalf("%+v, %v", e, err)
		}
		if pool := readPool(t, tx, book, noon); pool.Available != 0 || pool.Held != 50 || pool.Used != 100 {
			t.Errorf("pool is %+v", pool)
		}
		noDifferences(t, tx)
	})
	t.Run("L4_WhatEndsFirstIsTakenFirst", func(t *testing.T) {
		t.Parallel()
		tx, book := bonusBook(t)
		grantBonus(t, tx, billing.BonusIn{Book: book, Credits: 100, Key: "late", Actor: "op", ExpiresAt: &late}, noon)
		grantBonus(t, tx, billing.BonusIn{Book: book, Credits: 100, Key: "soon", Actor: "op", ExpiresAt: &soon}, noon)
		if _, err := take(t, tx, billing.BonusIn{Book: book, Credits: 120, Key: "t", Actor: "op"}); err != nil {
			t.Fatal(err)
		}
		pool := readPool(t, tx, book, noon)
		if len(pool.Lots) != 1 || pool.Lots[0].Origin != "bonus:late" || pool.Lots[0].Remaining != 80 {
			t.Errorf("left is %+v", pool.Lots)
		}
	})
	t.Run("OfOneGrantWhereverItLies", func(t *testing.T) {
		t.Parallel()
		tx, book := bonusBook(t)
		grantBonus(t, tx, billing.BonusIn{Book: book, Credits: 100, Key: "other", Actor: "op", ExpiresAt: &soon}, noon)
		grantBonus(t, tx, billing.BonusIn{Book: book, Holder: "bob", Credits: 100, Key: "bobs", Actor: "op"}, noon)
		if _, err := take(t, tx, billing.BonusIn{Book: book, Credits: 30, Grant: "bobs", Key: "t", Actor: "op"}); err != nil {
			t.Fatal(err)
		}
		if pool := readPool(t, tx, book, noon); pool.Allocated != 70 || pool.Available != 100 {
			t.Errorf("pool is %+v", pool)
		}
		_, err := take(t, tx, billing.BonusIn{Book: book, Credits: 1, Grant: "nobodys", Key: "u", Actor: "op"})
		if !errors.Is(err, billing.ErrBonusUnknown) {
			t.Errorf("an unknown grant: %v", err)
		}
		// Of a grant with nothing left there is nothing to take; it isn't unknown.
		if _, err := take(t, tx, billing.BonusIn{Book: book, Credits: 70, Grant: "bobs", Key: "v", Actor: "op"}); err != nil {
			t.Fatal(err)
		}
		var short *ledger.InsufficientError
		if _, err := take(t, tx, billing.BonusIn{Book: book, Credits: 1, Grant: "bobs", Key: "w", Actor: "op"}); !errors.As(err, &short) {
			t.Errorf("an empty grant: %v", err)
		}
		noDifferences(t, tx)
	})
	t.Run("NeverPurchasedCreditsNorWhatAnotherAccountHas", func(t *testing.T) {
		t.Parallel()
		tx, book := bonusBook(t)
		grantBonus(t, tx, billing.BonusIn{Book: book, Holder: "bob", Credits: 100, Key: "bobs", Actor: "op"}, noon)
		state, err := billing.OpenState(t.Context(), tx, billing.DemoCatalog(), noon, ledger.Want{Book: book})
		if err != nil {
			t.Fatal(err)
		}
		pool, _ := state.Book.Account(ledger.Main)
		for source, in := range map[string]ledger.LotIn{
			"bought": {Source: ledger.Purchase},
			"trial":  {Source: ledger.Bonus, Series: "sub_1", Step: 1},
			"put in": {Source: ledger.Bonus, Contributor: "cleo"},
		} {
			in.Origin, in.EffectiveAt = source, noon
			if _, err := state.Book.Grant(ledger.Request{Key: source, Actor: "op", At: noon}, pool, in, 40); err != nil {
				t.Fatal(err)
			}
		}
		if err := billing.Save(t.Context(), tx, state); err != nil {
			t.Fatal(err)
		}
		var short *ledger.InsufficientError
		if _, err := take(t, tx, billing.BonusIn{Book: book, Credits: 1, Key: "t", Actor: "op"}); !errors.As(err, &short) || short.Available != 0 {
			t.Errorf("taken from what no operator granted: %v", err)
		}
		if _, err := take(t, tx, billing.BonusIn{Book: book, Holder: "nobody", Credits: 1, Key: "t", Actor: "op"}); !errors.Is(err, ledger.ErrAccountNotFound) {
			t.Errorf("taken from nobody: %v", err)
		}
	})
}
