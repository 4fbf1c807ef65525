package worker

import (
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"purser/billing"
	"purser/teams"
)

func TestAutoTopUp(t *testing.T) {
	t.Parallel()
	t.Run("P2_FiresWhenSwitchedOnAndClosesTheGap", func(t *testing.T) {
		t.Parallel()
		h := newTopped(t)
		h.set(func(s *teams.TopUpSetting) { s.Threshold = 2500 })
		h.sweep()
		h.wants("after one sweep", "ready", 3000, "paid 3000")
		h.sweep()
		h.wants("after another", "ready", 3000, "paid 3000")
		same(t, "charges", h.charged(), 1)
	})
	t.Run("P2_FiresAfterSpending", func(t *testing.T) {
		t.Parallel()
		h := newTopped(t)
		h.set()
		h.sweep()
		h.spend(h.team.BookID, "s1", 499)
		h.sweep()
		h.wants("above the threshold", "ready", 501, "paid 1000")
		h.spend(h.team.BookID, "s2", 1)
		h.sweep()
		h.wants("at it", "ready", 1500, "paid 1000", "paid 1000")
	})
	t.Run("P2_TheCapsOfTheMonth", func(t *testing.T) {
		t.Parallel()
		h := newTopped(t)
		h.set(func(s *teams.TopUpSetting) { s.Threshold, s.CreditsMax = 5000, 2000 })
		h.sweep()
		h.sweep()
		h.wants("capped", "capped credits_cap", 2000, "paid 2000")
		h.advanceTo(time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC))
		h.sweep()
		h.sweep()
		h.wants("in the next month", "capped credits_cap", 4000, "paid 2000", "paid 2000")
	})
	t.Run("P3_ACardThatAlwaysDeclinesForAMonth", func(t *testing.T) {
		t.Parallel()
		h := newTopped(t)
		h.behaves("pm_card_chargeDeclinedInsufficientFunds")
		h.set()
		for range 31 * 24 {
			h.sweep()
			h.advance(time.Hour)
		}
		h.wants("after a month", "suspended declined", 0, "failed 1000", "failed 1000", "failed 1000", "failed 1000")
		same(t, "invoices made", h.calls.count("POST /v1/invoices"), 4)
		same(t, "payments tried", h.calls.count("POST /pay"), 4)
		same(t, "invoices voided", h.calls.count("POST /void"), 4)
		same(t, "charges", h.charged(), 0)
		t.Logf("calls to Stripe in a month of hourly sweeps: %v", h.calls.by)
		first := h.purchases()
		for i, after := range []time.Duration{0, time.Hour, 6 * time.Hour, 24 * time.Hour} {
			if got := first[i].CreatedAt.Sub(first[0].CreatedAt); got < after || got > after+time.Hour || first[i].Attempt != i+1 {
				t.Errorf("attempt %d came after %v: %+v", i+1, got, first[i])
			}
		}
		h.behaves("pm_card_visa")
		h.sweep()
		same(t, "while suspended", h.setting().State, billing.TopUpSuspended)
		h.set() // switched on again
		h.sweep()
		h.wants("switched on again", "ready", 1000, "failed 1000", "failed 1000", "failed 1000", "failed 1000", "paid 1000")
	})
	t.Run("P3_AHardDeclineSuspendsUntilTheCardIsChanged", func(t *testing.T) {
		t.Parallel()
		h := newTopped(t)
		h.behaves("pm_card_visa_chargeDeclinedLostCard")
		h.set()
		h.sweep()
		h.wants("lost", "suspended hard_decline", 0, "failed 1000")
		// What else changes of the customer changes nothing.
		h.post("/v1/customers/"+h.customer, url.Values{"name": {"Olga"}}, nil)
		h.sweep()
		h.wants("renamed", "suspended hard_decline", 0, "failed 1000")
		h.changeCard()
		h.sweep()
		h.wants("another card", "ready", 1000, "failed 1000", "paid 1000")
	})
	t.Run("P3_ADeclineThatAnEventToldOfFirstIsFollowedAtOnce", func(t *testing.T) {
		t.Parallel()
		h := raiseTopped(t)
		h.behaves("pm_card_visa_chargeDeclinedLostCard")
		asked := 0
		h.begin(func(c *Config) {
			c.Between = func(step string) {
				if step != "topup asked" {
					return
				}
				if asked++; asked == 1 {
					h.settled() // the events of what was just asked are fetched later, and booked sooner
				}
			}
		})
		h.set()
		h.sweep()
		h.wants("lost", "suspended hard_decline", 0, "failed 1000")
		same(t, "invoices voided", h.calls.count("POST /void"), 1)
	})
	t.Run("P3_WithoutACardItIsSuspendedUntilThereIsOne", func(t *testing.T) {
		t.Parallel()
		h := newTopped(t)
		h.post("/v1/payment_methods/"+h.card+"/detach", nil, nil)
		h.settled()
		h.set()
		h.sweep()
		h.wants("no card", "suspended refused", 0, "failed 1000")
		h.changeCard()
		h.sweep()
		h.wants("a card", "ready", 1000, "failed 1000", "paid 1000")
	})
	t.Run("P3_AuthenticationIsNoFailure", func(t *testing.T) {
		t.Parallel()
		h := newTopped(t)
		h.behaves("pm_card_authenticationRequired")
		h.set()
		h.sweep()
		h.wants("to be authenticated", "action_required authentication_required", 0, "open 1000")
		p := h.purchases()[0]
		if p.URL == "" || p.DueAt == nil || !p.DueAt.Equal(p.CreatedAt.Add(24*time.Hour)) {
			t.Errorf("P3: the link: %+v", p)
		}
		h.sweep()
		same(t, "P2: payments tried", h.calls.count("POST /pay"), 1)
		h.payHosted(p.URL)
		h.settled()
		h.wants("authenticated", "ready", 1000, "paid 1000")
		same(t, "charges", h.charged(), 1)
	})
	t.Run("P3_TheLinkIsVoidedAfterADay", func(t *testing.T) {
		t.Parallel()
		h := newTopped(t)
		h.behaves("pm_card_authenticationRequired")
		h.set()
		h.sweep()
		h.advance(24 * time.Hour)
		_, err := h.worker.SweepPurchases(t.Context())
		ok(t, err)
		h.settled()
		h.wants("a day later", "ready", 0, "expired 1000")
		var invoice struct{ Status string }
		h.ask(http.MethodGet, "/v1/invoices/"+*h.purchases()[0].InvoiceID, nil, &invoice)
		same(t, "the invoice", invoice.Status, "void")
		h.behaves("pm_card_visa")
		h.sweep()
		h.wants("and then a new one", "ready", 1000, "expired 1000", "paid 1000")
	})
	t.Run("P3_WaitsWhileTheSubscriptionIsPastDue", func(t *testing.T) {
		t.Parallel()
		h := newTopped(t)
		h.subscribe(h.customer, "team_monthly", 1, "metadata[purser_team]", "acme")
		h.settled()
		h.spend(h.team.BookID, "all", 1000)
		h.behaves("pm_card_chargeDeclined")
		h.advance(31*day + 2*time.Hour)
		h.settled()
		h.behaves("pm_card_visa")
		h.set()
		h.sweep()
		h.wants("past due", "waiting subscription_past_due", 0)
	})
	t.Run("P2_64SpendersAtTheThresholdBuyOnce", func(t *testing.T) {
		t.Parallel()
		h := newTopped(t)
		h.set(func(s *teams.TopUpSetting) { s.Threshold = 936 })
		h.sweep()
		h.wants("before", "ready", 1000, "paid 1000")
		var group sync.WaitGroup
		for i := range 64 {
			group.Go(func() {
				h.spend(h.team.BookID, fmt.Sprint("s", i), 1)
				if err := h.worker.TopUp(t.Context(), h.team.BookID); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		h.sweep()
		h.wants("after", "ready", 1936, "paid 1000", "paid 1000")
		same(t, "charges", h.charged(), 2)
	})
}
