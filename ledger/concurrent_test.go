package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/internal/pgtest"
)

// decided opens a book in a transaction of its own, lets decide work on it and writes.
func decided(ctx context.Context, pool *pgxpool.Pool, want Want, decide func(b *Book) error) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		books, err := Open(ctx, tx, day(0), want)
		if err != nil {
			return err
		}
		if err := decide(books[0]); err != nil {
			return err
		}
		return Write(ctx, tx, books...)
	})
}

// funded makes a committed book that holds so much.
func funded(t testing.TB, pool *pgxpool.Pool, kind Kind, credits int64) (id int64) {
	t.Helper()
	commit(t, pool, func(tx pgx.Tx) {
		id = create(t, tx, kind)
		b := open(t, tx, day(0), Want{Book: id})
		give(t, b, bonus("b", nil), credits)
		write(t, tx, b)
	})
	return id
}

// atOnce runs n functions at once and gives their errors.
func atOnce(n int, f func(i int) error) []error {
	errs := make([]error, n)
	var ready, done sync.WaitGroup
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			errs[i] = f(i)
		})
	}
	done.Wait()
	return errs
}

func TestConcurrency(t *testing.T) {
	t.Parallel()
	pool := pgtest.Pool(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // a deadlock must fail, not hang
	defer cancel()
	sound := func(t *testing.T) {
		commit(t, pool, func(tx pgx.Tx) { wantSound(t, tx) })
	}

	t.Run("L7_OneOfAHundredGetsTheLastCredit", func(t *testing.T) {
		id := funded(t, pool, TeamBook, 1)
		var won atomic.Int32
		for _, err := range atOnce(100, func(i int) error {
			return decided(ctx, pool, Want{Book: id}, func(b *Book) error {
				_, err := spend(b, fmt.Sprint("s", i), day(0), 1, From(b.Accounts()[0]))
				return err
			})
		}) {
			var short *InsufficientError
			switch {
			case err == nil:
				won.Add(1)
			case !errors.As(err, &short):
				t.Errorf("refused with %v", err)
			}
		}
		if won.Load() != 1 {
			t.Errorf("%d won", won.Load())
		}
		sound(t)
	})
	t.Run("L6_OneKeyAskedForAtOnceIsPostedOnce", func(t *testing.T) {
		id := funded(t, pool, TeamBook, 100)
		var first atomic.Int32
		for _, err := range atOnce(50, func(i int) error {
			return decided(ctx, pool, Want{Book: id, Keys: []string{"s"}}, func(b *Book) error {
				e, err := spend(b, "s", day(0), 3, From(b.Accounts()[0]))
				if err == nil && !e.Replayed {
					first.Add(1)
				}
				return err
			})
		}) {
			if err != nil {
				t.Error(err)
			}
		}
		if first.Load() != 1 {
			t.Errorf("posted %d times", first.Load())
		}
	})
	t.Run("WritersOfOneBookFollowOneAnother", func(t *testing.T) {
		id := funded(t, pool, TeamBook, 1000)
		for _, err := range atOnce(8, func(i int) error {
			for n := range 20 {
				err := decided(ctx, pool, Want{Book: id}, func(b *Book) error {
					_, err := spend(b, fmt.Sprint("s", i, " ", n), day(0), 1, From(b.Accounts()[0]))
					return err
				})
				if err != nil {
					return err
				}
			}
			return nil
		}) {
			if err != nil {
				t.Error(err)
			}
		}
		commit(t, pool, func(tx pgx.Tx) {
			b := open(t, tx, day(0), Want{Book: id})
			wantState(t, b, "pool b:840")
			if b.sequence != 2+160 {
				t.Errorf("counted to %d", b.sequence)
			}
		})
		sound(t)
	})
	t.Run("CrosswiseMovesDoNotBlockOneAnother", func(t *testing.T) {
		books := []int64{funded(t, pool, TeamBook, 500), funded(t, pool, UserBook, 500)}
		for _, err := range atOnce(8, func(i int) error {
			for n := range 10 {
				err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
					// Asked for in either order, locked in one.
					opened, err := Open(ctx, tx, day(0), Want{Book: books[i%2]}, Want{Book: books[(i+1)%2]})
					if err != nil {
						return err
					}
					from, to := opened[0], opened[1]
					r := ask(fmt.Sprint("c", i, " ", n), day(0))
					draws, err := from.Choose(from.Accounts()[0], r, 3)
					if err != nil {
						return err
					}
					if _, _, err = Carry(from, to, r, CarryIn{Kind: KindAssignment, To: to.Accounts()[0], Draws: draws}); err != nil {
						return err
					}
					return Write(ctx, tx, to, from)
				})
				if err != nil {
					return err
				}
			}
			return nil
		}) {
			if err != nil {
				t.Error(err)
			}
		}
		commit(t, pool, func(tx pgx.Tx) {
			for _, id := range books {
				b := open(t, tx, day(0), Want{Book: id})
				if got := b.Accounts()[0].Balance; got != 500 {
					t.Errorf("book %d has %d", id, got)
				}
			}
		})
		sound(t)
	})
}
