package billing_test

import (
	"fmt"
	"testing"
	"time"

	"purser/billing"
	"purser/ledger"
)

// month is the shop's subscription in its nth month (0: the first), with that month's
// invoice.
func (s *shop) month(n int, seats int64) billing.Fetched {
	f := s.sub(seats)
	from, to := billing.AddMonths(shopOpens, n), billing.AddMonths(shopOpens, n+1)
	f.Subscription.PeriodStart, f.Subscription.PeriodEnd = from, to
	f.Subscription.Anchor, f.Subscription.CreatedAt = shopOpens, shopOpens
	inv := &f.Invoices[0]
	inv.ID, inv.CreatedAt, inv.PaidAt = fmt.Sprintf("%s_%d", inv.ID, n), from, &from
	inv.Lines[0].From, inv.Lines[0].To = from, to
	return f
}

// change settles the shop's book, lets do decide, settles and writes.
func (s *shop) change(want ledger.Want, do func(*ledger.Book) (*ledger.Entry, error)) *ledger.Entry {
	s.t.Helper()
	want.Book = s.owner.BookID
	state, err := billing.OpenState(s.t.Context(), s.tx, billing.DemoCatalog(), s.now, want)
	s.ok(err)
	s.ok(state.Settle(s.now))
	e, err := do(state.Book)
	s.ok(err)
	s.ok(state.Settle(s.now))
	s.ok(billing.Save(s.t.Context(), s.tx, state))
	return e
}

// dead is what lies free in lots whose time is over: always nothing, once settled.
func (s *shop) dead() int64 {
	s.t.Helper()
	var n int64
	s.ok(s.tx.QueryRow(s.t.Context(), `
		SELECT COALESCE(sum(b.balance - b.held), 0)::bigint
		FROM lot_balances b JOIN lots l ON l.book_id = b.book_id AND l.id = b.lot_id
		WHERE b.book_id = $1 AND b.is_open AND l.expires_at <= $2`, s.owner.BookID, s.now).Scan(&n))
	return n
}

func (s *shop) count(sql string, args ...any) (n int64) {
	s.t.Helper()
	s.ok(s.tx.QueryRow(s.t.Context(), sql, args...).Scan(&n))
	return n
}

// TestOldPeriods holds what comes late to periods that a book no longer needs daily.
func TestOldPeriods(t *testing.T) {
	t.Parallel()
	t.Run("L8_ASpendReversedMonthsAfterItsLotWasEmptiedJoinsThePastTurns", func(t *testing.T) {
		t.Parallel()
		s := openShop(t)
		s.apply(s.month(0, 5), s.ticket())
		spent := s.change(ledger.Want{}, func(b *ledger.Book) (*ledger.Entry, error) {
			main, _ := b.Account(ledger.Main)
			return b.Spend(ledger.Request{Key: "spend", Actor: "ada", At: s.now}, ledger.SpendIn{Credits: 5000, Payers: []ledger.Payer{ledger.From(main)}})
		})
		for n := 1; n <= 8; n++ {
			s.now = billing.AddMonths(shopOpens, n)
			s.apply(s.month(n, 5), s.ticket())
		}
		s.now = s.now.Add(time.Hour)
		before := s.available()
		s.change(ledger.Want{Undo: []int64{spent.Sequence}}, func(b *ledger.Book) (*ledger.Entry, error) {
			return b.Reverse(ledger.Request{Key: "reversal", Actor: "ada", At: s.now}, spent.Sequence, 1000)
		})
		s.has("what lies dead", s.dead(), int64(0))
		s.has("what rolled into the second month", s.count(`
			SELECT COALESCE(sum(granted), 0)::bigint FROM lots WHERE book_id = $1 AND source = 'rollover' AND step = 2`, s.owner.BookID), int64(1000))
		s.has("B9: three turns on, the cap was full and the age reached", s.available(), before)
	})

	t.Run("B8_AMonthPaidHalfAYearLateIsGrantedAndJoinsItsTurn", func(t *testing.T) {
		t.Parallel()
		s := openShop(t)
		s.apply(s.month(0, 5), s.ticket())
		unpaid := s.month(1, 5).Invoices
		for n := 1; n <= 7; n++ {
			s.now = billing.AddMonths(shopOpens, n).Add(time.Hour)
			f := s.month(n, 5)
			if n == 1 {
				f.Invoices = nil
			}
			s.apply(f, s.ticket())
		}
		late := s.now.Add(time.Hour)
		s.now = late
		f := s.month(7, 5)
		f.Invoices = unpaid
		f.Invoices[0].PaidAt = &late
		s.apply(f, s.ticket())
		s.has("B5: base grants of the second month", s.count(`
			SELECT count(*) FROM entries WHERE book_id = $1 AND kind = 'grant' AND key = $2`, s.owner.BookID,
			fmt.Sprintf("grant:%s:2026-02-15T09:00:00Z:0", f.Subscription.ID)), int64(1))
		s.has("what lies dead", s.dead(), int64(0))
	})

	t.Run("B6_CancelledInTheSecondInWhichTheMonthBeganItsCreditsLastUntilTheMonthEnds", func(t *testing.T) {
		t.Parallel()
		s := openShop(t)
		s.apply(s.month(0, 5), s.ticket())
		f := s.month(0, 5)
		f.Subscription.Status, f.Subscription.EndedAt = billing.StatusCanceled, &shopOpens
		s.now = s.now.Add(time.Second)
		s.apply(f, s.ticket())
		s.has("B12", s.available(), int64(5000))
		s.now = billing.AddMonths(shopOpens, 1)
		s.has("B12 at the month's end", s.available(), int64(0))
	})
}
