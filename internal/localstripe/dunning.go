package localstripe

import (
	"fmt"
	"time"
)

// Dunning says when a failed payment is tried again, counted from the failure before, and what becomes of
// the subscription when the last attempt has failed: "canceled", "unpaid" or "past_due".
type Dunning struct {
	Retries []time.Duration
	Then    string
}

func defaultDunning() Dunning {
	const day = 24 * time.Hour
	return Dunning{Retries: []time.Duration{3 * day, 5 * day, 7 * day}, Then: "canceled"}
}

// SetDunning changes the account's settings from the next failure on.
func (s *Server) SetDunning(d Dunning) error {
	if d.Then != "canceled" && d.Then != "unpaid" && d.Then != "past_due" {
		return fmt.Errorf("setting dunning: %q is not canceled, unpaid or past_due", d.Then)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dunning = d
	return nil
}

// failed tells of a failed attempt and plans what follows.
func (s *Server) failed(inv *invoice) {
	before := inv.render(s)
	last := false
	if inv.counted {
		last, inv.counted = s.planRetry(inv), false
	}
	if s.batch == nil {
		s.changed(inv.clock(), "invoice.updated", inv, before)
	}
	s.tell(inv.clock(), "invoice.payment_failed", inv)
	sub := inv.sub
	if sub == nil || sub.over() || sub.status == "incomplete" || sub.status == "paused" || sub.pending != nil {
		return
	}
	if u := sub.customer; !u.delinquent {
		s.change(u.clock, "customer.updated", u, func() { u.delinquent = true })
	}
	if last {
		s.giveUp(sub)
		return
	}
	if sub.status == "active" || sub.status == "trialing" {
		s.change(sub.clock(), "customer.subscription.updated", sub, func() { sub.status = "past_due" })
	}
}

// planRetry sets the next attempt; true when there was none left.
func (s *Server) planRetry(inv *invoice) bool {
	if !inv.autoAdvance || inv.sub != nil && inv.sub.status == "incomplete" {
		inv.nextAttempt = 0
		return false
	}
	done := int(inv.attempts) - 1
	if done >= len(s.dunning.Retries) {
		inv.nextAttempt = 0
		return true
	}
	due := inv.clock().now + int64(s.dunning.Retries[done].Seconds())
	inv.nextAttempt = due
	inv.clock().at(due, func() { s.retry(inv, due) })
	return false
}

func (s *Server) retry(inv *invoice, due int64) {
	if inv.status != "open" || inv.nextAttempt != due || !inv.autoAdvance {
		return
	}
	pi := inv.intent
	if pi.failure != nil && pi.failure.method == s.methodOf(inv) && hardDeclines[pi.failure.declineCode] {
		// Stripe counts the attempt without making it: the card would only be refused again.
		s.change(inv.clock(), "invoice.updated", inv, func() {
			inv.attempts++
			if s.planRetry(inv) && inv.sub != nil && !inv.sub.over() {
				s.giveUp(inv.sub)
			}
		})
		return
	}
	s.collectUnasked(inv)
}

// giveUp does what the account's settings say when the last attempt has failed.
func (s *Server) giveUp(sub *subscription) {
	switch s.dunning.Then {
	case "canceled":
		s.cancelNow(sub, cancellation{reason: "payment_failed"})
	case "unpaid":
		if sub.status != "unpaid" {
			s.change(sub.clock(), "customer.subscription.updated", sub, func() { sub.status = "unpaid" })
		}
	case "past_due":
		if sub.status != "past_due" {
			s.change(sub.clock(), "customer.subscription.updated", sub, func() { sub.status = "past_due" })
		}
	}
}
