package billing_test

import (
	"testing"
	"time"

	"purser/billing"
)

func (s *shop) begin(id string) billing.Purchase {
	s.t.Helper()
	pack, _ := billing.DemoCatalog().Pack("pack_1000")
	p, err := billing.BeginPurchase(s.t.Context(), s.tx, pack, billing.Purchase{
		ID: id + s.t.Name(), BookID: s.owner.BookID, UserID: s.owner.UserID, CreatedBy: "olga", CreatedAt: s.now,
	})
	s.ok(err)
	return p
}

func (s *shop) get(p billing.Purchase) billing.Purchase {
	s.t.Helper()
	p, err := billing.GetPurchase(s.t.Context(), s.tx, p.ID)
	s.ok(err)
	return p
}

func (s *shop) checkout(session billing.CheckoutSession) billing.Outcome {
	s.t.Helper()
	out, err := billing.ApplyCheckout(s.t.Context(), s.tx, billing.DemoCatalog(), session, s.ticket(), func() time.Time { return s.now })
	s.ok(err)
	return out
}

func TestPurchase(t *testing.T) {
	t.Parallel()
	session := func(p billing.Purchase) billing.CheckoutSession {
		return billing.CheckoutSession{
			ID: "cs_" + p.ID, Mode: "payment", Status: "open", PaymentStatus: "unpaid", URL: "https://pay.example",
			Metadata: map[string]string{billing.MetadataPurchase: p.ID},
		}
	}
	paid := func(s *shop, p billing.Purchase) billing.CheckoutSession {
		c := session(p)
		c.Status, c.PaymentStatus, c.PaidAt, c.Amount, c.Currency = "complete", "paid", s.now, 1000, "usd"
		return c
	}

	t.Run("P5_EachStateInItsTurn", func(t *testing.T) {
		t.Parallel()
		s := openShop(t)
		p := s.begin("top_1")
		s.has("state", s.get(p).State, billing.PurchaseCreated)
		s.ok(billing.PurchaseOpened(t.Context(), s.tx, p.ID, session(p)))
		s.has("state", s.get(p).State, billing.PurchaseOpen)
		s.has("page", s.get(p).URL, "https://pay.example")
		s.checkout(paid(s, p))
		got := s.get(p)
		s.has("state", got.State, billing.PurchasePaid)
		s.has("amount", *got.Amount, int64(1000))
		s.has("asked about again", got.DueAt == nil, true)
		s.has("B12", s.available(), int64(1000))
	})

	t.Run("P1_PaidIsForGood", func(t *testing.T) {
		t.Parallel()
		s := openShop(t)
		p := s.begin("top_1")
		s.checkout(paid(s, p))
		for _, later := range []func(*billing.CheckoutSession){
			func(c *billing.CheckoutSession) { c.Status, c.PaymentStatus = "expired", "unpaid" },
			func(c *billing.CheckoutSession) { c.PaymentStatus, c.PaymentFailed = "unpaid", true },
			func(*billing.CheckoutSession) {},
		} {
			c := paid(s, p)
			later(&c)
			s.checkout(c)
			s.has("state", s.get(p).State, billing.PurchasePaid)
		}
		s.ok(billing.PurchaseLost(t.Context(), s.tx, p.ID, "nothing to lose"))
		s.has("state", s.get(p).State, billing.PurchasePaid)
		s.has("B12", s.available(), int64(1000))
	})

	t.Run("P1_TheSessionIsHeardOfBeforeWeWroteItsId", func(t *testing.T) {
		t.Parallel()
		s := openShop(t)
		p := s.begin("top_1")
		s.checkout(paid(s, p))
		s.ok(billing.PurchaseOpened(t.Context(), s.tx, p.ID, session(p)))
		s.has("state", s.get(p).State, billing.PurchasePaid)
		s.has("B12", s.available(), int64(1000))
	})

	t.Run("P1_WhatWasGivenUpIsPaidAfterAll", func(t *testing.T) {
		t.Parallel()
		s := openShop(t)
		p := s.begin("top_1")
		s.ok(billing.PurchaseLost(t.Context(), s.tx, p.ID, "nobody got a page"))
		s.has("state", s.get(p).State, billing.PurchaseFailed)
		s.checkout(paid(s, p))
		s.has("state", s.get(p).State, billing.PurchasePaid)
		s.has("P5: reason", s.get(p).Reason, "")
		s.has("B12", s.available(), int64(1000))
	})

	t.Run("P1_AnEarlierFetchIsDropped", func(t *testing.T) {
		t.Parallel()
		s := openShop(t)
		p := s.begin("top_1")
		early := s.ticket()
		expired := session(p)
		expired.Status = "expired"
		s.checkout(paid(s, p))
		out, err := billing.ApplyCheckout(t.Context(), s.tx, billing.DemoCatalog(), expired, early, func() time.Time { return s.now })
		s.ok(err)
		s.has("stale", out.Stale, true)
		s.has("state", s.get(p).State, billing.PurchasePaid)
	})

	t.Run("P4_DueOnesAreThoseThatNoEventToldOf", func(t *testing.T) {
		t.Parallel()
		s := openShop(t)
		p := s.begin("top_1")
		due := func(at time.Time) int {
			list, err := billing.DuePurchases(t.Context(), s.tx, at, 1000)
			s.ok(err)
			n := 0
			for _, one := range list {
				if one.ID == p.ID {
					n++
				}
			}
			return n
		}
		s.has("due at once", due(s.now), 0)
		s.has("due after ten minutes", due(s.now.Add(10*time.Minute)), 1)
		s.ok(billing.PutOffPurchase(t.Context(), s.tx, p.ID, s.now.Add(time.Hour)))
		s.has("due, put off", due(s.now.Add(10*time.Minute)), 0)
		s.has("due then", due(s.now.Add(time.Hour)), 1)
		s.checkout(paid(s, p))
		s.has("due, paid", due(s.now.Add(1000*time.Hour)), 0)
	})
}
