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

// shop is a user with a linked customer in a transaction that is rolled back.
type shop struct {
	t     *testing.T
	tx    pgx.Tx
	now   time.Time
	owner billing.Owner
}

var shopOpens = time.Date(2026, 1, 15, 9, 0, 0, 0, time.UTC)

func openShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{t: t, tx: pgtest.Tx(t), now: shopOpens}
	book, err := ledger.Create(t.Context(), s.tx, ledger.UserBook, s.now)
	s.ok(err)
	_, err = billing.LinkCustomer(t.Context(), s.tx, "cus_"+t.Name(), "user_"+t.Name(), book, "test", s.now)
	s.ok(err)
	s.owner, err = billing.CustomerOwner(t.Context(), s.tx, "cus_"+t.Name())
	s.ok(err)
	return s
}

func (s *shop) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) ticket() int64 {
	s.t.Helper()
	ticket, err := billing.TakeTicket(s.t.Context(), s.tx)
	s.ok(err)
	return ticket
}

// sub is a subscription by the month with a paid first invoice, as one fetch brings it.
func (s *shop) sub(seats int64) billing.Fetched {
	from, to := s.now, billing.AddMonths(s.now, 1)
	id := "sub_" + s.t.Name()
	return billing.Fetched{
		Subscription: &billing.Subscription{
			ID: id, CustomerID: s.owner.CustomerID, Status: billing.StatusActive, PeriodStart: from, PeriodEnd: to, Anchor: from, CreatedAt: from,
			Items: []billing.Item{{ID: "si_1", PriceID: "price_1", LookupKey: "team_monthly", Interval: "month", IntervalCount: 1, Quantity: seats}},
		},
		Invoices: []billing.Invoice{{
			ID: "in_" + s.t.Name(), SubscriptionID: id, CustomerID: s.owner.CustomerID, Status: "paid", CreatedAt: from, PaidAt: &from,
			Lines: []billing.InvoiceLine{{ID: "il_1", PriceID: "price_1", LookupKey: "team_monthly", Quantity: seats, Amount: 1, From: from, To: to}},
		}},
	}
}

func (s *shop) apply(f billing.Fetched, ticket int64) billing.Outcome {
	s.t.Helper()
	found, err := billing.Find(s.t.Context(), s.tx, f.Subscription.ID)
	s.ok(err)
	out, err := billing.Apply(s.t.Context(), s.tx, billing.DemoCatalog(), billing.ApplyIn{
		Fetched: f, Ticket: ticket, Now: func() time.Time { return s.now }, Found: found, Owner: s.owner,
	})
	s.ok(err)
	return out
}

func (s *shop) available() int64 {
	s.t.Helper()
	pool, err := billing.ReadPool(s.t.Context(), s.tx, billing.DemoCatalog(), s.owner.BookID, s.now)
	s.ok(err)
	return pool.Available
}

func (s *shop) has(what string, got, want any) {
	s.t.Helper()
	if got != want {
		s.t.Errorf("%s is %v and should be %v", what, got, want)
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	t.Run("B3_WhatAnEarlierTicketFetchedIsDropped", func(t *testing.T) {
		t.Parallel()
		s := openShop(t)
		early, late := s.ticket(), s.ticket()
		s.has("state", s.apply(s.sub(8), late).State, billing.EventDone)
		out := s.apply(s.sub(5), early)
		s.has("stale", out.Stale, true)
		s.has("B12", s.available(), int64(8000))
	})

	t.Run("B3_AStaleSubscriptionWithAFreshInvoiceStillBringsTheInvoice", func(t *testing.T) {
		t.Parallel()
		s := openShop(t)
		early, late := s.ticket(), s.ticket()
		unpaid := s.sub(5)
		paid := unpaid.Invoices
		unpaid.Invoices = nil
		s.apply(unpaid, late)
		s.has("B7: before the invoice is heard of", s.available(), int64(0))
		old := s.sub(2)
		old.Invoices = paid
		out := s.apply(old, early)
		s.has("stale", out.Stale, false)
		s.has("B7: five seats are paid, by the later fetch", s.available(), int64(5000))
	})

	t.Run("B3_AStaleFetchMovesNothingThatIsUnmapped", func(t *testing.T) {
		t.Parallel()
		s := openShop(t)
		early, late := s.ticket(), s.ticket()
		unknown := s.sub(5)
		unknown.Subscription.Items[0].LookupKey = "unknown"
		unknown.Invoices = nil
		s.has("state", s.apply(unknown, late).State, billing.EventUnmapped)
		// Before that it had a price of ours; only its invoice is news.
		s.has("state", s.apply(s.sub(5), early).State, billing.EventUnmapped)
		s.has("B12", s.available(), int64(0))
		found, err := billing.Find(t.Context(), s.tx, unknown.Subscription.ID)
		s.ok(err)
		s.has("placed", found.HasPlace(), false)
	})

	t.Run("B14_AFetchOvertakenByOneThatWasKeptUnmatchedWaitsAsThatDoes", func(t *testing.T) {
		t.Parallel()
		s := openShop(t)
		unknown := s.sub(5)
		unknown.Subscription.CustomerID = "cus_unknown_" + t.Name()
		early, invoiceOnly, late := s.ticket(), s.ticket(), s.ticket()
		kept := unknown
		kept.Invoices = nil
		out, err := billing.KeepUnmatched(t.Context(), s.tx, billing.ApplyIn{Fetched: kept, Ticket: late, Now: func() time.Time { return s.now }})
		s.ok(err)
		s.has("state", out.State, billing.EventUnmatched)
		s.has("state with a fresh invoice", s.apply(unknown, invoiceOnly).State, billing.EventUnmatched)
		out = s.apply(unknown, early)
		s.has("state, overtaken", out.State, billing.EventUnmatched)
		s.has("stale", out.Stale, true)
	})

	t.Run("B6_MoneyThatComesAfterTheEndIsToldToTheOperator", func(t *testing.T) {
		t.Parallel()
		s := openShop(t)
		f := s.sub(5)
		f.Invoices = nil
		s.apply(f, s.ticket())
		s.now = s.now.Add(3 * 24 * time.Hour)
		late := s.sub(5)
		end := s.now.Add(-time.Hour)
		late.Subscription.Status, late.Subscription.EndedAt = billing.StatusCanceled, &end
		late.Subscription.PeriodStart, late.Subscription.PeriodEnd = f.Subscription.PeriodStart, f.Subscription.PeriodEnd
		out := s.apply(late, s.ticket())
		s.has("reason", out.Reason, "invoice in_"+t.Name()+" was paid after the subscription had ended: no credits")
		s.has("B6: credits", s.available(), int64(0))
	})

	t.Run("B3_AppliedSinceIsNeverSaidOfWhatWaits", func(t *testing.T) {
		t.Parallel()
		s := openShop(t)
		before := s.ticket()
		f := s.sub(5)
		f.Subscription.Items[0].LookupKey = "unknown"
		since := func(id string) bool {
			applied, err := billing.AppliedSince(t.Context(), s.tx, id, before)
			s.ok(err)
			return applied
		}
		s.apply(f, s.ticket())
		s.has("applied, unmapped", since(f.Subscription.ID), false)
		s.has("its invoice", since(f.Invoices[0].ID), false)
		f.Subscription.Items[0].LookupKey = "team_monthly"
		s.apply(f, s.ticket())
		s.has("applied, placed", since(f.Subscription.ID), true)
		s.has("its invoice", since(f.Invoices[0].ID), true)
		s.has("never heard of", since("sub_x"), false)
	})

	t.Run("B14_AnUnmatchedOneWhoseCustomerWasJustLinkedIsTriedAgain", func(t *testing.T) {
		t.Parallel()
		s := openShop(t)
		_, err := billing.KeepUnmatched(t.Context(), s.tx, billing.ApplyIn{Fetched: s.sub(5), Ticket: s.ticket(), Now: func() time.Time { return s.now }})
		if !errors.Is(err, billing.ErrMoved) {
			t.Errorf("the error is %v", err)
		}
	})
}

// B6: what a customer owes from a subscription that was cancelled with money back.
func TestCustomerOwes(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	_, err := s.tx.Exec(t.Context(), `UPDATE customers SET owed = 1200 WHERE id = $1`, s.owner.CustomerID)
	s.ok(err)
	f := s.sub(5)
	paid := f.Invoices
	f.Invoices = nil
	s.apply(f, s.ticket())
	_, err = s.tx.Exec(t.Context(), `UPDATE subscriptions SET paid = $2 WHERE id = $1`, f.Subscription.ID, []billing.PaidLine{{
		InvoiceID: paid[0].ID, PriceID: "price_1", LookupKey: "team_monthly", Quantity: 5, Amount: 1, From: paid[0].Lines[0].From, To: paid[0].Lines[0].To,
	}})
	s.ok(err)
	s.has("B4: a read sets it off before anything is written", s.available(), int64(3800))
	done, err := billing.SettleBooks(t.Context(), s.tx, billing.DemoCatalog(), []int64{s.owner.BookID}, func() time.Time { return s.now })
	s.ok(err)
	s.has("written", len(done) <= 1, true)
	s.has("set off", s.available(), int64(3800))
	owner, err := billing.CustomerOwner(t.Context(), s.tx, s.owner.CustomerID)
	s.ok(err)
	s.has("still owed", owner.Owed, int64(0))
}
