package billing

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

// Sentence is Saying in English.
func (s AutoTopUp) Sentence() string { return s.Saying().String() }

// Saying says where an automatic top-up stands and why.
func (s AutoTopUp) Saying() Saying {
	pack, reason := PackName(s.Pack), TopUpReason(s.Reason)
	switch s.State {
	case TopUpReady:
		if s.CheckAt != nil {
			return NewSaying("top_up.looks", "Automatic top-up buys %[2]s once %[1]d credits or fewer are available; it is about to look.", s.Threshold, pack)
		}
		return NewSaying("top_up.looked", "Automatic top-up buys %[2]s once %[1]d credits or fewer are available; when it last looked there were more.", s.Threshold, pack)
	case TopUpBuying:
		return NewSaying("top_up.buying", "Automatic top-up is buying %s: its payment is on its way.", pack)
	case TopUpAction:
		return NewSaying("top_up.action", "Automatic top-up waits for somebody to pay on the purchase's page: %s.", reason)
	case TopUpRetrying:
		return s.retrying()
	case TopUpWaiting:
		return NewSaying("top_up.waiting", "Automatic top-up would buy but waits: %s.", reason)
	case TopUpCapped:
		return NewSaying("top_up.capped", "Automatic top-up buys no more this month: %s.", reason)
	case TopUpSuspended:
		return NewSaying("top_up.suspended", "Automatic top-up is suspended until the card is changed or it is switched on again: %s.", reason)
	}
	if reason.String() != "" {
		return NewSaying("top_up.off_because", "Automatic top-up is off: %s.", reason)
	}
	return NewSaying("top_up.off", "Automatic top-up is off, so nothing is bought by itself.")
}

// retrying says that it was declined. Between two attempts it knows when the next one is.
func (s AutoTopUp) retrying() Saying {
	declines := int64(s.Declines)
	switch {
	case s.CheckAt == nil:
		return NewSaying("top_up.declined", "Automatic top-up was declined; declines in a row: %d.", declines)
	case declines == 1:
		return NewSaying("top_up.declined_once", "Automatic top-up was declined once and tries again on %s.", *s.CheckAt)
	}
	return NewSaying("top_up.declined_again", "Automatic top-up was declined %d times in a row and tries again on %s.", declines, *s.CheckAt)
}
