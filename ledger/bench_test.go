package ledger

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/internal/pgtest"
)

// BenchmarkSpend is one spend in a transaction of its own: open, decide, write, commit.
func BenchmarkSpend(b *testing.B) { benchmarkSpends(b, 1) }

// BenchmarkSpendMany is 64 spends decided in one opened book. Its ns/spend beside
// BenchmarkSpend's is what gathering callers gains.
func BenchmarkSpendMany(b *testing.B) { benchmarkSpends(b, 64) }

func benchmarkSpends(b *testing.B, together int) {
	pool := pgtest.Pool(b)
	id := benchmarkBook(b, pool)
	ctx := context.Background()
	n := 0
	b.ResetTimer()
	for b.Loop() {
		err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			want := Want{Book: id}
			for i := range together {
				want.Keys = append(want.Keys, fmt.Sprint("key ", n+i))
			}
			books, err := Open(ctx, tx, day(1), want)
			if err != nil {
				return err
			}
			for i, key := range want.Keys {
				r := ask(key, day(1))
				r.Holder = fmt.Sprint("member ", i%16)
				payers := []Payer{From(books[0].Accounts()[1+i%16]), From(books[0].Accounts()[0])}
				if _, err := books[0].Spend(r, SpendIn{Credits: 3, Payers: payers}); err != nil {
					return err
				}
			}
			n += together
			return Write(ctx, tx, books...)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/spend")
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "spends/s")
}

// benchmarkBook is a team of 16 with a monthly lot, its rollover and a pack, large enough
// never to run out.
func benchmarkBook(b testing.TB, pool *pgxpool.Pool) (id int64) {
	commit(b, pool, func(tx pgx.Tx) {
		id = create(b, tx, TeamBook)
		book := open(b, tx, day(0), Want{Book: id})
		book.SetWindow(day(0))
		for i := range 16 {
			book.MakeAllocation(fmt.Sprint("member ", i), day(0))
		}
		give(b, book, monthly("month", 1, until(31)), CreditsMax)
		give(b, book, monthly("rollover", 1, until(31)), CreditsMax)
		give(b, book, pack("pack", until(365)), CreditsMax)
		write(b, tx, book)
	})
	return id
}
