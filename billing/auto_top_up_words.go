package billing

import "fmt"

// topUpWords say of each reason what it means, and what would help, for people and for
// programs.
var topUpWords = map[string]struct {
	means string
	helps []string
}{
	TopUpDispute:      {"a payment is disputed", []string{"wait_for_dispute"}},
	TopUpPastDue:      {"the subscription's payment is late", []string{"pay_subscription"}},
	TopUpUnpaid:       {"the subscription is unpaid", []string{"pay_subscription"}},
	TopUpNotAllowed:   {"the plan has no automatic top-up", []string{"change_plan"}},
	TopUpPackUnsold:   {"the plan doesn't sell that pack", []string{"choose_pack", "change_plan"}},
	TopUpNoCustomer:   {"there is no customer at Stripe who could pay", []string{"buy_pack", "link_customer"}},
	TopUpPriceUnknown: {"Stripe has no price for that pack", []string{"mend_price"}},
	TopUpCurrency:     {"the pack is paid in another currency than the caps are given in", []string{"set_again"}},
	TopUpCapCredits:   {"the cap in credits has no room for another pack", []string{"raise_cap", "wait_for_next_month"}},
	TopUpCapAmount:    {"the cap in money has no room for another pack", []string{"raise_cap", "wait_for_next_month"}},
	TopUpDeclines:     {"the payment was declined", []string{"change_card"}},
	TopUpHardDecline:  {"the bank says never to try this card again", []string{"change_card"}},
	TopUpRefused:      {"Stripe wouldn't even try the payment: a payment method is missing, say", []string{"add_payment_method"}},
	TopUpVoided:       {"somebody voided its invoice at Stripe", []string{"switch_on"}},
	TopUpTeamClosed:   {"the team was closed", nil},
	TopUpAuthenticate: {"the bank wants the payment authenticated", []string{"authenticate"}},
}

// Helps names what would let an automatic top-up go on, if anything has to be done. It is
// never nil.
func (s AutoTopUp) Helps() []string {
	helps := append([]string{}, topUpWords[s.Reason].helps...)
	if s.State == TopUpOff && s.Reason == "" || s.State == TopUpSuspended && s.Reason != TopUpVoided {
		helps = append(helps, "switch_on")
	}
	return helps
}

// Sentence says where an automatic top-up stands and why.
func (s AutoTopUp) Sentence() string {
	means := topUpWords[s.Reason].means
	buys := fmt.Sprintf("buys %s once %d credits or fewer are available", s.Pack, s.Threshold)
	switch s.State {
	case TopUpReady:
		if s.CheckAt != nil {
			return "Automatic top-up " + buys + "; it is about to look."
		}
		return "Automatic top-up " + buys + "; when it last looked there were more."
	case TopUpBuying:
		return fmt.Sprintf("Automatic top-up is buying %s: its payment is on its way.", s.Pack)
	case TopUpAction:
		return "Automatic top-up waits for somebody to pay on the purchase's page: " + means + "."
	case TopUpRetrying:
		said := fmt.Sprintf("Automatic top-up was declined %s", inARow(s.Declines))
		if s.CheckAt != nil {
			said += " and tries again on " + dayOf(*s.CheckAt)
		}
		return said + "."
	case TopUpWaiting:
		return "Automatic top-up would buy but waits: " + means + "."
	case TopUpCapped:
		return "Automatic top-up buys no more this month: " + means + "."
	case TopUpSuspended:
		return "Automatic top-up is suspended until the card is changed or it is switched on again: " + means + "."
	}
	if means != "" {
		return "Automatic top-up is off: " + means + "."
	}
	return "Automatic top-up is off, so nothing is bought by itself."
}

func inARow(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times in a row", n)
}
