package worker

import (
	"fmt"
	"testing"
	"time"

	"purser/internal/localstripe"
)

func TestDisputes(t *testing.T) {
	t.Parallel()
	const whole, none = "available 600, allocated 0, held 0, frozen 0, used 400, debt 0", "available 0, allocated 0, held 0, frozen 600, used 400, debt 0"

	t.Run("R2_WonIsThawed", func(t *testing.T) {
		t.Parallel()
		w, team, _, charge, _ := packBought(t)
		w.spend(team.BookID, "spent", 400)
		id := w.dispute(charge, localstripe.Dispute{})
		w.settled()
		same(t, "open", w.left(team.BookID), none)
		same(t, "R2: open", w.hasOpenDispute(team.BookID), true)
		same(t, "P5", w.purchase("top_1").Dispute, "needs_response")
		ok(t, w.stripe.CloseDispute(id, "won"))
		w.settled()
		same(t, "won", w.left(team.BookID), whole)
		same(t, "R2: open", w.hasOpenDispute(team.BookID), false)
		w.stripe.Resend(2, 9)
		w.settled()
		same(t, "heard again", w.left(team.BookID), whole)
		w.audit()
	})

	t.Run("R2_LostTakesTheDisputedShareAndThawsTheRest", func(t *testing.T) {
		t.Parallel()
		w, team, _, charge, cost := packBought(t)
		w.spend(team.BookID, "spent", 400)
		id := w.dispute(charge, localstripe.Dispute{Amount: cost / 4})
		w.settled()
		same(t, "open", w.left(team.BookID), none)
		ok(t, w.stripe.CloseDispute(id, "lost"))
		w.settled()
		same(t, "lost", w.left(team.BookID), fmt.Sprintf("available %d, allocated 0, held 0, frozen 0, used 400, debt 0", 600-1000*(cost/4)/cost))
		w.audit()
	})

	t.Run("R2_LostInFullIsOwedAsFarAsItWasSpent", func(t *testing.T) {
		t.Parallel()
		w, team, _, charge, _ := packBought(t)
		w.spend(team.BookID, "spent", 400)
		w.dispute(charge, localstripe.Dispute{})
		w.advance(15 * day) // nobody answers
		w.settled()
		same(t, "lost", w.left(team.BookID), "available 0, allocated 0, held 0, frozen 0, used 400, debt 400")
		same(t, "P5", w.purchase("top_1").Dispute, "lost")
		w.audit()
	})

	t.Run("R2_AnInquiryFreezesNothing_UntilItBecomesADispute", func(t *testing.T) {
		t.Parallel()
		w, team, _, charge, _ := packBought(t)
		w.spend(team.BookID, "spent", 400)
		id := w.dispute(charge, localstripe.Dispute{Inquiry: true})
		w.settled()
		same(t, "inquiry", w.left(team.BookID), whole)
		same(t, "R2: open", w.hasOpenDispute(team.BookID), false)
		ok(t, w.stripe.CloseDispute(id, "needs_response"))
		w.settled()
		same(t, "dispute", w.left(team.BookID), none)
		ok(t, w.stripe.CloseDispute(id, "won"))
		w.settled()
		same(t, "won", w.left(team.BookID), whole)
		w.audit()
	})

	t.Run("R2_AFullRefundEndsAnInquiryAndTakesOnce", func(t *testing.T) {
		t.Parallel()
		w, team, _, charge, cost := packBought(t)
		w.dispute(charge, localstripe.Dispute{Inquiry: true})
		w.refund(charge, cost)
		w.settled()
		same(t, "refunded", w.left(team.BookID), "available 0, allocated 0, held 0, frozen 0, used 0, debt 0")
		same(t, "P5", w.purchase("top_1").Dispute, "warning_closed")
		w.audit()
	})

	t.Run("R2_ASubscriptionsMonthlyCreditsNeitherRollNorDieWhileFrozen", func(t *testing.T) {
		t.Parallel()
		w, team, customer, worker := buyer(t)
		w.subscribe(customer, "team_monthly", 5, "metadata[purser_team]", "acme")
		w.settled()
		charge := w.charge(customer)
		id := w.dispute(charge, localstripe.Dispute{})
		w.settled()
		same(t, "frozen", w.left(team.BookID), "available 0, allocated 0, held 0, frozen 5000, used 0, debt 0")
		before := w.read(team.BookID)
		ok(t, w.stripe.CloseDispute(id, "won"))
		w.settled()
		same(t, "thawed", figures(w.read(team.BookID)), figures(seatsOf(5)))
		same(t, "B12: the same lots", len(w.read(team.BookID).Lots), len(before.Lots))
		settle(t, worker)
		w.audit()
	})
}

func TestAutoTopUpDisputed(t *testing.T) {
	t.Parallel()
	t.Run("R2_NoneWhileADisputeIsOpen", func(t *testing.T) {
		t.Parallel()
		h := newTopped(t)
		h.set()
		h.sweep()
		h.wants("bought", "ready", 1000, "paid 1000")
		id := h.dispute(h.charge(h.customer), localstripe.Dispute{})
		h.settled()
		h.sweep()
		h.wants("disputed", "waiting dispute_open", 0, "paid 1000")
		ok(t, h.stripe.CloseDispute(id, "lost"))
		h.settled()
		h.advance(2 * time.Hour)
		h.sweep()
		h.wants("lost", "ready", 1000, "paid 1000", "paid 1000")
	})
	t.Run("R1_ARefundOfAnAutomaticPurchase", func(t *testing.T) {
		t.Parallel()
		h := newTopped(t)
		h.set()
		h.sweep()
		h.spend(h.team.BookID, "s1", 300)
		h.refund(h.charge(h.customer), 250)
		h.settled()
		same(t, "B12", h.left(h.team.BookID), "available 450, allocated 0, held 0, frozen 0, used 300, debt 0")
		same(t, "taken back", h.purchases()[0].TakenBack, 250)
		h.audit()
	})
}
