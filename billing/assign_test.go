package billing_test

import (
	"testing"

	"purser/billing"
	"purser/ledger"
)

func TestAssignOldest(t *testing.T) {
	t.Parallel()
	assign := func(s *shop) (billing.Slot, string) {
		t.Helper()
		book, err := ledger.Create(s.t.Context(), s.tx, ledger.TeamBook, s.now)
		s.ok(err)
		team := billing.Slot{TeamID: "team_" + s.t.Name(), BookID: book}
		id, err := billing.AssignOldest(s.t.Context(), s.tx, billing.DemoCatalog(), s.owner.BookID, team, "olga", s.now)
		s.ok(err)
		return team, id
	}
	read := func(s *shop, book int64) billing.Pool {
		pool, err := billing.ReadPool(s.t.Context(), s.tx, billing.DemoCatalog(), book, s.now)
		s.ok(err)
		return pool
	}

	t.Run("T2_NothingToAssign", func(t *testing.T) {
		t.Parallel()
		s := openShop(t)
		_, id := assign(s)
		s.has("assigned", id, "")
	})

	t.Run("T2_NoEndedOneAndNoneWithoutAPlanOfOurs", func(t *testing.T) {
		t.Parallel()
		s := openShop(t)
		f := s.sub(5)
		s.apply(f, s.ticket())
		f.Subscription.Status, f.Subscription.EndedAt = billing.StatusCanceled, &s.now
		s.apply(f, s.ticket())
		other := s.sub(5)
		other.Subscription.ID, other.Subscription.Items[0].LookupKey, other.Invoices = "sub_other"+t.Name(), "unknown", nil
		s.apply(other, s.ticket())
		_, id := assign(s)
		s.has("assigned", id, "")
	})

	t.Run("T2_WhatIsHeldStaysUntilItsHoldSettles", func(t *testing.T) {
		t.Parallel()
		s := openShop(t)
		s.apply(s.sub(5), s.ticket())
		state, err := billing.OpenState(t.Context(), s.tx, billing.DemoCatalog(), s.now, ledger.Want{Book: s.owner.BookID})
		s.ok(err)
		main, _ := state.Book.Account(ledger.Main)
		_, err = state.Book.Hold(ledger.Request{Key: "hold", Actor: "olga", At: s.now},
			ledger.HoldIn{Credits: 300, Payers: []ledger.Payer{ledger.From(main)}, ExpiresAt: s.now.Add(3600e9)})
		s.ok(err)
		s.ok(billing.Save(t.Context(), s.tx, state))
		team, id := assign(s)
		s.has("assigned", id, "sub_"+t.Name())
		s.has("B12: the team's", read(s, team.BookID).Available, int64(4700))
		s.has("B12: held on the account", read(s, s.owner.BookID).Held, int64(300))
		noDifferences(t, s.tx)
	})

	t.Run("T2_ATeamThatHasOneGetsNoSecond", func(t *testing.T) {
		t.Parallel()
		s := openShop(t)
		s.apply(s.sub(5), s.ticket())
		team, _ := assign(s)
		second := s.sub(2)
		second.Subscription.ID, second.Invoices = "sub_second"+t.Name(), nil
		s.apply(second, s.ticket())
		id, err := billing.AssignOldest(t.Context(), s.tx, billing.DemoCatalog(), s.owner.BookID, team, "olga", s.now)
		s.ok(err)
		s.has("assigned", id, "")
	})
}
