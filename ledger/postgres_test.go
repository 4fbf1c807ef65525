package ledger

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"purser/internal/pgtest"
)

// wantCode checks that the database refused with that SQLSTATE.
func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || refused.Code != code {
		t.Errorf("got %v, want SQLSTATE %s", err, code)
	}
}

// try runs SQL in a savepoint, so that the transaction survives a refusal.
func try(t *testing.T, tx pgx.Tx, sql string) error {
	t.Helper()
	return pgx.BeginFunc(t.Context(), tx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(t.Context(), sql)
		if err == nil && tag.RowsAffected() == 0 {
			t.Errorf("touched nothing: %s", sql)
		}
		return err
	})
}

func TestDatabase(t *testing.T) {
	t.Parallel()
	pool := pgtest.Pool(t)
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	tell(t, tx)

	for _, table := range []string{"entries", "postings", "hold_draws"} {
		for _, sql := range []string{
			"UPDATE " + table + " SET credits = credits", "DELETE FROM " + table, "TRUNCATE " + table + " CASCADE",
		} {
			t.Run("L5_Refuses/"+sql, func(t *testing.T) {
				const restrictViolation = "23001"
				wantCode(t, pgx.BeginFunc(t.Context(), tx, func(tx pgx.Tx) error {
					_, err := tx.Exec(t.Context(), sql)
					return err
				}), restrictViolation)
			})
		}
	}
	const checkViolation = "23514"
	for _, sql := range []string{
		`UPDATE accounts SET balance = -1 WHERE id = 7`,
		`UPDATE accounts SET held = balance + 1 WHERE id = 7`,
		`UPDATE accounts SET held = -1 WHERE id = 8`,
		`UPDATE accounts SET balance = 1 WHERE id = 5`,
		`UPDATE lot_balances SET balance = -1, is_open = false WHERE account_id = 7`,
		`UPDATE lot_balances SET held = balance + 1 WHERE account_id = 7`,
		`UPDATE lot_balances SET is_open = NOT is_open WHERE account_id = 7`,
		`UPDATE holds SET captured = credits + 1 WHERE state = 'captured'`,
		`UPDATE debts SET paid = credits + 1`,
		`INSERT INTO postings SELECT book_id, entry, 99, lot_id, from_account, from_account, credits FROM postings LIMIT 1`,
		`INSERT INTO postings SELECT book_id, entry, 99, lot_id, from_account, to_account, 0 FROM postings LIMIT 1`,
		`INSERT INTO accounts (book_id, id, kind, created_at) SELECT book_id, 9, 'pool', now() FROM accounts LIMIT 1`,
	} {
		t.Run("L7_Refuses/"+sql, func(t *testing.T) { wantCode(t, try(t, tx, sql), checkViolation) })
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	setup := func(t *testing.T) (pgx.Tx, *Book) {
		tx := pgtest.Tx(t)
		b := open(t, tx, day(0), Want{Book: create(t, tx, TeamBook)})
		give(t, b, bonus("b", until(30)), 10)
		write(t, tx, b)
		return tx, open(t, tx, day(0), Want{Book: b.ID, Keys: []string{"k"}})
	}
	t.Run("L7_TheDatabaseRefusesWhatAWrongBookDecides", func(t *testing.T) {
		tx, b := setup(t)
		p := b.Portions()[0]
		p.Balance, p.Account.Balance = 11, 11
		must(t)(spend(b, "k", day(0), 11, From(p.Account)))
		wantCode(t, Write(t.Context(), tx, b), "23514")
	})
	t.Run("ABookThatWasOnlyViewedCannotBeWritten", func(t *testing.T) {
		tx, b := setup(t)
		viewed, err := View(t.Context(), tx, day(0), Want{Book: b.ID})
		if err != nil {
			t.Fatal(err)
		}
		must(t)(spend(viewed[0], "k", day(0), 1, From(mainOf(t, viewed[0]))))
		if err := Write(t.Context(), tx, viewed...); !errors.Is(err, errNotLocked) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("ABookIsWrittenOnce", func(t *testing.T) {
		tx, b := setup(t)
		must(t)(spend(b, "k", day(0), 1, From(mainOf(t, b))))
		write(t, tx, b, b)
		if err := Write(t.Context(), tx, b); !errors.Is(err, errWritten) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("EverythingOfAnEntryIsKept", func(t *testing.T) {
		tx, b := setup(t)
		r := Request{
			Key: "k", Hash: []byte{1, 2}, Actor: "user:ann", At: day(1), Holder: "ann", Memo: "why", Reference: "order 7",
			Metadata: []byte(`{"a": 1}`),
		}
		must(t)(b.Spend(r, SpendIn{Credits: 4, Payers: []Payer{From(mainOf(t, b))}}))
		write(t, tx, b)
		b = open(t, tx, day(2), Want{Book: b.ID, Keys: []string{"k", "other"}})
		e, err := b.Answered(r)
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind != KindSpend || e.Actor != "user:ann" || !e.At.Equal(day(1)) || e.CreatedAt.IsZero() || e.Credits != 4 || e.Holder != "ann" ||
			e.Memo != "why" || e.Reference != "order 7" || string(e.Metadata) != `{"a": 1}` || drawn(b, e) != "b@7:4" {
			t.Errorf("kept %+v", e)
		}
	})
	t.Run("NothingDecidedWritesNothing", func(t *testing.T) {
		tx, b := setup(t)
		write(t, tx, b)
		var n int
		if err := tx.QueryRow(t.Context(), `SELECT count(*) FROM entries WHERE book_id = $1`, b.ID).Scan(&n); err != nil || n != 1 {
			t.Errorf("%d entries, %v", n, err)
		}
	})
	t.Run("B10_WhatWasIssuedInAnotherBookCanBeTakenBack", func(t *testing.T) {
		tx, b := setup(t)
		user := open(t, tx, day(0), Want{Book: create(t, tx, UserBook)})
		lot := give(t, user, monthly("month", 1, until(31)), 5000)
		_, into, err := Carry(user, b, ask("assign", day(0)), CarryIn{Kind: KindAssignment, To: mainOf(t, b), Draws: user.Take(lot, 5000)})
		if err != nil {
			t.Fatal(err)
		}
		here, _ := b.LotByID(into.Postings[0].Lot)
		must(t)(b.TakeBack(ask("fewer seats", day(1)), b.Take(here, 2800)))
		write(t, tx, user, b)
		wantSound(t, tx)
	})
	t.Run("B4_DueIsKept", func(t *testing.T) {
		tx, b := setup(t)
		if !equalTimes(b.loadedDue, until(30)) {
			t.Errorf("due %v", b.loadedDue)
		}
		hold(t, b, "h", 1, day(2), From(mainOf(t, b)))
		write(t, tx, b)
		// A hold that isn't loaded still makes the book due.
		b = open(t, tx, day(1), Want{Book: b.ID})
		must(t)(spend(b, "s", day(1), 1, From(mainOf(t, b))))
		write(t, tx, b)
		b = open(t, tx, day(3), Want{Book: b.ID})
		if !equalTimes(b.loadedDue, until(2)) || b.ExpireHolds(day(3)) != 1 {
			t.Errorf("due %v with %d holds loaded", b.loadedDue, len(b.holds))
		}
		write(t, tx, b)
		if b = open(t, tx, day(3), Want{Book: b.ID}); !equalTimes(b.loadedDue, until(30)) {
			t.Errorf("due %v", b.loadedDue)
		}
		wantSound(t, tx)
	})
	t.Run("B4_DueMayBeEarlyUntilItComesAndIsRightFromThenOn", func(t *testing.T) {
		tx, b := setup(t)
		held := hold(t, b, "h", 1, day(2), From(mainOf(t, b)))
		write(t, tx, b)
		b = open(t, tx, day(1), Want{Book: b.ID, Holds: []int64{held}})
		must(t)(b.Capture(ask("c", day(1)), held, 1))
		write(t, tx, b)
		wantSound(t, tx)
		if b = open(t, tx, day(1), Want{Book: b.ID}); !equalTimes(b.loadedDue, until(2)) || !equalTimes(b.NextDue(), until(30)) {
			t.Errorf("due %v, and next %v", b.loadedDue, b.NextDue())
		}
		b = open(t, tx, day(2), Want{Book: b.ID})
		write(t, tx, b)
		if b = open(t, tx, day(2), Want{Book: b.ID}); !equalTimes(b.loadedDue, until(30)) {
			t.Errorf("due %v once the sweep has come by", b.loadedDue)
		}
		wantSound(t, tx)
	})
}

func TestOpen(t *testing.T) {
	t.Parallel()
	t.Run("BooksThatAreNotThere", func(t *testing.T) {
		tx := pgtest.Tx(t)
		id := create(t, tx, TeamBook)
		if _, err := Open(t.Context(), tx, day(0), Want{Book: id}, Want{Book: 1 << 40}); !errors.Is(err, ErrBookNotFound) {
			t.Errorf("got %v", err)
		}
		if err := Lock(t.Context(), tx, 1<<40, id); !errors.Is(err, ErrBookNotFound) {
			t.Errorf("got %v", err)
		}
		ids := []int64{id, id}
		if err := Lock(t.Context(), tx, ids...); err != nil {
			t.Errorf("got %v", err)
		}
	})
	t.Run("OneBookAskedForTwiceIsOne", func(t *testing.T) {
		tx := pgtest.Tx(t)
		id := create(t, tx, TeamBook)
		books, err := Open(t.Context(), tx, day(0), Want{Book: id, Keys: []string{"a"}}, Want{Book: id, Keys: []string{"a", "b"}})
		if err != nil || books[0] != books[1] {
			t.Errorf("got %v, %v", books, err)
		}
	})
	t.Run("UsedUpLotsComeWhenAskedFor", func(t *testing.T) {
		tx := pgtest.Tx(t)
		id := create(t, tx, TeamBook)
		b := open(t, tx, day(0), Want{Book: id})
		m := give(t, b, monthly("m", 1, until(31)), 10)
		in := monthly("r", 2, until(62))
		in.Source = Rollover
		must(t)(b.Roll(ask("roll", day(0)), b.portionsOf(m)[0], 4, in))
		spent := must(t)(spend(b, "s", day(0), 10, From(mainOf(t, b))))
		write(t, tx, b)
		for _, c := range []struct {
			want Want
			lots []string
		}{
			{Want{}, nil},
			{Want{Origins: []string{"m", "unknown"}}, []string{"m", "r"}}, // and what it rolled into
			{Want{Origins: []string{"r"}}, []string{"r"}},
			{Want{Undo: []int64{spent.Sequence}}, []string{"m", "r"}},
		} {
			c.want.Book = id
			b := open(t, tx, day(0), c.want)
			var got []string
			for _, l := range b.lotsInOrder() {
				got = append(got, l.Origin)
			}
			if !slices.Equal(got, c.lots) {
				t.Errorf("%+v loaded %v, want %v", c.want, got, c.lots)
			}
		}
	})
	t.Run("S1_ReversalsAreCountedOnceHoweverOftenAskedFor", func(t *testing.T) {
		tx := pgtest.Tx(t)
		id, other := create(t, tx, TeamBook), create(t, tx, TeamBook)
		var spent *Entry
		for _, id := range []int64{id, other} {
			b := open(t, tx, day(0), Want{Book: id})
			give(t, b, bonus("b", nil), 10)
			spent = must(t)(spend(b, "s", day(0), 10, From(mainOf(t, b))))
			write(t, tx, b)
		}
		want := Want{Book: id, Keys: []string{"s", "r"}, Undo: []int64{spent.Sequence, spent.Sequence}}
		for i, n := range []int64{3, 4} {
			b := open(t, tx, day(1), want)
			must(t)(b.Reverse(ask(fmt.Sprint("r", i), day(1)), spent.Sequence, n))
			write(t, tx, b)
		}
		// The other book's entry of the same number is asked for by its key alone.
		books, err := Open(t.Context(), tx, day(1), want, Want{Book: other, Keys: []string{"s"}})
		if err != nil {
			t.Fatal(err)
		}
		wantRefusal(t, books[0], ErrMoreThanSpent, func() error { _, err := books[0].Reverse(ask("r2", day(1)), spent.Sequence, 4); return err })
		wantRefusal(t, books[1], ErrEntryNotFound, func() error { _, err := books[1].Reverse(ask("r2", day(1)), spent.Sequence, 4); return err })
		must(t)(books[0].Reverse(ask("r3", day(1)), spent.Sequence, 3))
	})
}
