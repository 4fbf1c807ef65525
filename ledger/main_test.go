package ledger

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// start is when every test's clock begins.
var start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// day is midnight so many days after the start.
func day(n int) time.Time { return start.AddDate(0, 0, n) }

func until(n int) *time.Time {
	t := day(n)
	return &t
}

// ask is a request with a key of its own kind, made by a person.
func ask(key string, at time.Time) Request { return Request{Key: key, Actor: "user:ann", At: at} }

// bonus is a lot that the expiry sweep ends.
func bonus(origin string, expiresAt *time.Time) LotIn {
	return LotIn{Source: Bonus, Origin: origin, EffectiveAt: start, ExpiresAt: expiresAt}
}

// must gives a decision's entry or fails the test.
func must(t testing.TB) func(e *Entry, err error) *Entry {
	return func(e *Entry, err error) *Entry {
		t.Helper()
		if err != nil {
			t.Fatalf("unexpected refusal: %v", err)
		}
		return e
	}
}

// main is a book's pool or personal account.
func mainOf(t testing.TB, b *Book) *Account {
	t.Helper()
	a, ok := b.Account(Main)
	if !ok {
		t.Fatal("book has no main account")
	}
	return a
}

func create(t testing.TB, tx pgx.Tx, kind Kind) int64 {
	t.Helper()
	id, err := Create(t.Context(), tx, kind, start)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func open(t testing.TB, tx pgx.Tx, at time.Time, want Want) *Book {
	t.Helper()
	books, err := Open(t.Context(), tx, at, want)
	if err != nil {
		t.Fatal(err)
	}
	return books[0]
}

func write(t testing.TB, tx pgx.Tx, books ...*Book) {
	t.Helper()
	if err := Write(t.Context(), tx, books...); err != nil {
		t.Fatal(err)
	}
}

// commit runs f in a transaction of its own.
func commit(t testing.TB, pool *pgxpool.Pool, f func(tx pgx.Tx)) {
	t.Helper()
	err := pgx.BeginFunc(context.Background(), pool, func(tx pgx.Tx) error {
		f(tx)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
