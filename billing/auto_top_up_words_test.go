package billing

import (
	"slices"
	"strings"
	"testing"
)

// P5: each state and reason has words, and what stops buying has something that helps.
func TestAutoTopUpWords(t *testing.T) {
	t.Parallel()
	at := day("2026-03-10 13:00")
	base := AutoTopUp{On: true, Threshold: 100, Pack: "pack_1000"}
	for _, c := range []struct {
		name     string
		state    string
		reason   string
		declines int
		check    bool
		sentence string
		helps    []string
	}{
		{"Off", TopUpOff, "", 0, false, "is off, so nothing is bought", []string{"switch_on"}},
		{"TeamClosed", TopUpOff, TopUpTeamClosed, 0, false, "is off: the team was closed", nil},
		{"Ready", TopUpReady, "", 0, false, "buys pack_1000 once 100 credits or fewer are available; when it last looked there were more", nil},
		{"AboutToLook", TopUpReady, "", 0, true, "buys pack_1000 once 100 credits or fewer are available; it is about to look", nil},
		{"Buying", TopUpBuying, "", 0, false, "is buying pack_1000", nil},
		{"Authenticate", TopUpAction, TopUpAuthenticate, 0, false, "waits for somebody to pay on the purchase's page", []string{"authenticate"}},
		{"DeclinedOnce", TopUpRetrying, TopUpDeclines, 1, true, "was declined once and tries again on 2026-03-10 13:00 UTC", []string{"change_card"}},
		{"DeclinedAgain", TopUpRetrying, TopUpDeclines, 2, true, "was declined 2 times in a row and tries again", []string{"change_card"}},
		{"PastDue", TopUpWaiting, TopUpPastDue, 0, true, "would buy but waits: the subscription's payment is late", []string{"pay_subscription"}},
		{"Unpaid", TopUpWaiting, TopUpUnpaid, 0, true, "would buy but waits: the subscription is unpaid", []string{"pay_subscription"}},
		{"Dispute", TopUpWaiting, TopUpDispute, 0, true, "would buy but waits: a payment is disputed", []string{"wait_for_dispute"}},
		{"PlanForbids", TopUpWaiting, TopUpNotAllowed, 0, true, "would buy but waits: the plan has no", []string{"change_plan"}},
		{"PackUnsold", TopUpWaiting, TopUpPackUnsold, 0, true, "would buy but waits: the plan doesn't sell", []string{"choose_pack", "change_plan"}},
		{"NoCustomer", TopUpWaiting, TopUpNoCustomer, 0, true, "would buy but waits: there is no customer", []string{"buy_pack", "link_customer"}},
		{"PriceUnknown", TopUpWaiting, TopUpPriceUnknown, 0, true, "would buy but waits: Stripe has no price", []string{"mend_price"}},
		{"Currency", TopUpWaiting, TopUpCurrency, 0, true, "would buy but waits: the pack is paid in another currency", []string{"set_again"}},
		{"CapInCredits", TopUpCapped, TopUpCapCredits, 0, true, "buys no more this month: the cap in credits", []string{"raise_cap", "wait_for_next_month"}},
		{"CapInMoney", TopUpCapped, TopUpCapAmount, 0, true, "buys no more this month: the cap in money", []string{"raise_cap", "wait_for_next_month"}},
		{"FourDeclines", TopUpSuspended, TopUpDeclines, 4, false, "is suspended until the card is changed or it is switched on again: the payment was declined", []string{"change_card", "switch_on"}},
		{"HardDecline", TopUpSuspended, TopUpHardDecline, 1, false, "never to try this card again", []string{"change_card", "switch_on"}},
		{"Refused", TopUpSuspended, TopUpRefused, 0, false, "a payment method is missing", []string{"add_payment_method", "switch_on"}},
		{"Voided", TopUpSuspended, TopUpVoided, 0, false, "somebody voided its invoice", []string{"switch_on"}},
	} {
		t.Run("P5_"+c.name, func(t *testing.T) {
			t.Parallel()
			s := base
			s.State, s.Reason, s.Declines = c.state, c.reason, c.declines
			if c.check {
				s.CheckAt = &at
			}
			if got := s.Sentence(); !strings.HasPrefix(got, "Automatic top-up ") || !strings.Contains(got, c.sentence) || !strings.HasSuffix(got, ".") {
				t.Errorf("said %q", got)
			}
			if got := s.Helps(); !slices.Equal(got, c.helps) {
				t.Errorf("helps %q, want %q", got, c.helps)
			}
		})
	}
}
