package billing

import (
	"fmt"
	"testing"
	"time"
)

// topUpAt is where the clock of these tests stands.
var topUpAt = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

// topUpCase is a pool that tops itself up with packs of 1,000 credits for 10.00 when 100
// or fewer are left, up to 10,000 credits and 200.00 a month. It has 100 left.
func topUpCase(change ...func(*TopUpIn)) TopUpIn {
	in := TopUpIn{
		At: topUpAt,
		Setting: AutoTopUp{
			BookID: 1, On: true, Threshold: 100, Pack: "pack", CreditsMax: 10_000, AmountMax: 20_000, Currency: "usd", State: TopUpReady,
		},
		Available: 100, Status: StatusActive, Rules: TopUpRules{Allowed: true, Auto: true, CountMax: 100},
		Pack: &Pack{Name: "pack", Credits: 1000}, Price: &PackPrice{ID: "price_1", Amount: 1000, Currency: "usd"}, Customer: "cus_1",
	}
	for _, c := range change {
		c(&in)
	}
	return in
}

func TestDecideTopUp(t *testing.T) {
	t.Parallel()
	type change = func(*TopUpIn)
	set := func(do func(*AutoTopUp)) change { return func(in *TopUpIn) { do(&in.Setting) } }
	left := func(n int64) change { return func(in *TopUpIn) { in.Available = n } }
	debt := func(n int64) change { return func(in *TopUpIn) { in.Debt = n } }
	threshold := func(n int64) change { return set(func(s *AutoTopUp) { s.Threshold = n }) }
	caps := func(credits, amount int64) change {
		return set(func(s *AutoTopUp) { s.CreditsMax, s.AmountMax = credits, amount })
	}
	bought := func(credits, amount int64) change {
		return func(in *TopUpIn) { in.Month = TopUpMonth{Credits: credits, Amount: amount} }
	}
	status := func(s Status) change { return func(in *TopUpIn) { in.Status = s } }
	declines := func(n int, ago time.Duration) change {
		return set(func(s *AutoTopUp) {
			first := topUpAt.Add(-ago)
			s.Declines, s.SeriesAt, s.State, s.Reason = n, &first, TopUpRetrying, TopUpDeclines
		})
	}
	purchase := "top_1"
	for _, c := range []struct {
		name   string
		change []change
		want   string // state reason packs, and when to look again
	}{
		{"P2_FiresAtTheThreshold", nil, "buying 1"},
		{"P2_NotAboveIt", []change{left(101)}, "ready"},
		{"P2_FiresBelowIt", []change{left(99)}, "buying 1"},
		{"P2_FiresWhenEmpty", []change{left(0)}, "buying 1"},
		{"P2_ThresholdZeroFiresWhenEmpty", []change{threshold(0), left(0)}, "buying 1"},
		{"P2_ThresholdZeroNotBefore", []change{threshold(0), left(1)}, "ready"},
		{"P2_Off", []change{set(func(s *AutoTopUp) { s.On = false })}, "off"},
		{"P2_NeverMoreThanOneInFlight", []change{set(func(s *AutoTopUp) { s.InFlight, s.State = &purchase, TopUpBuying })}, "buying 0"},
		{"P2_NorWhileSomebodyAuthenticates", []change{set(func(s *AutoTopUp) {
			s.InFlight, s.State, s.Reason = &purchase, TopUpAction, TopUpAuthenticate
		})}, "action_required authentication_required"},
		{"P2_NorWhileSwitchedOffMeanwhile", []change{set(func(s *AutoTopUp) { s.InFlight, s.State, s.On = &purchase, TopUpBuying, false })}, "buying 0"},

		{"P2_OnePurchaseClosesTheWholeGap", []change{threshold(2500), left(0)}, "buying 3"},
		{"P2_AboveTheThresholdNotAtIt", []change{threshold(2000), left(0)}, "buying 3"},
		{"P2_JustBelow", []change{threshold(1999), left(0)}, "buying 2"},
		{"P2_WhatIsLeftCounts", []change{threshold(2000), left(1)}, "buying 2"},
		{"P2_DebtCountsIntoTheGap", []change{threshold(0), left(0), debt(1000)}, "buying 2"},
		{"P2_DebtJustCovered", []change{threshold(0), left(0), debt(999)}, "buying 1"},
		{"P2_DebtAloneDoesNotFire", []change{left(101), debt(5000)}, "ready"},
		{"P2_DebtAndThreshold", []change{threshold(500), left(400), debt(2000)}, "buying 3"},
		{"P1_TheMostPacksAtOnce", []change{threshold(9000), left(0), func(in *TopUpIn) { in.Rules.CountMax = 4 }}, "buying 4"},
		{"L1_NoMoreCreditsThanCanMove", []change{
			threshold(1_000_000_000_000), left(0), caps(1_000_000_000_000, 1_000_000_000_000),
			func(in *TopUpIn) { in.Pack.Credits, in.Rules.CountMax = 400_000_000_000, 0 },
		}, "buying 2"},

		{"P2_TheCreditsCapLimits", []change{threshold(5000), left(0), caps(3500, 20_000)}, "buying 3"},
		{"P2_TheMoneyCapLimits", []change{threshold(5000), left(0), caps(10_000, 2999)}, "buying 2"},
		{"P2_TheLowerOfBoth", []change{threshold(5000), left(0), caps(4000, 3000)}, "buying 3"},
		{"P2_NoneWithinTheCreditsCap", []change{caps(999, 20_000)}, "capped credits_cap 2026-04-01T00:00:00Z"},
		{"P2_NoneWithinTheMoneyCap", []change{caps(10_000, 999)}, "capped amount_cap 2026-04-01T00:00:00Z"},
		{"P2_ExactlyTheCap", []change{caps(1000, 1000)}, "buying 1"},
		{"P3_WhatWasBoughtThisMonthCounts", []change{threshold(5000), left(0), bought(8000, 8000)}, "buying 2"},
		{"P3_TheMonthIsFull", []change{bought(10_000, 10_000)}, "capped credits_cap 2026-04-01T00:00:00Z"},
		{"P3_OverFull", []change{bought(10_500, 10_500)}, "capped credits_cap 2026-04-01T00:00:00Z"},
		{"P3_TheMoneyIsSpent", []change{bought(2000, 19_500)}, "capped amount_cap 2026-04-01T00:00:00Z"},
		{"P3_CappedInDecember", []change{bought(10_000, 10_000), func(in *TopUpIn) { in.At = time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC) }}, "capped credits_cap 2027-01-01T00:00:00Z"},
		{"P2_ThePlansCreditsCapLimits", []change{threshold(5000), left(0), func(in *TopUpIn) { in.Rules.AutoCreditsPerMonthMax = 2000 }}, "buying 2"},
		{"P2_ThePlansMoneyCapLimits", []change{threshold(5000), left(0), func(in *TopUpIn) { in.Rules.AutoAmountPerMonthMax = 1000 }}, "buying 1"},
		{"P2_AFreePackIsLimitedByCreditsAlone", []change{threshold(5000), left(0), func(in *TopUpIn) { in.Price.Amount = 0 }}, "buying 6"},

		{"P3_WaitsWhilePastDue", []change{status(StatusPastDue)}, "waiting subscription_past_due 2026-03-10T13:00:00Z"},
		{"P3_WaitsWhileUnpaid", []change{status(StatusUnpaid)}, "waiting subscription_unpaid 2026-03-10T13:00:00Z"},
		{"P3_WaitsWhileADisputeIsOpen", []change{func(in *TopUpIn) { in.Disputed = true }}, "waiting dispute_open 2026-03-10T13:00:00Z"},
		{"P3_NotForAPausedSubscription", []change{status(StatusPaused)}, "buying 1"},
		{"B6_NotForACanceledOne", []change{status(StatusCanceled)}, "buying 1"},
		{"P2_WithoutASubscription", []change{status("")}, "buying 1"},
		{"P3_NothingWaitsWhileThereIsEnough", []change{left(101), status(StatusPastDue)}, "ready"},
		{"B1_ThePlanForbids", []change{func(in *TopUpIn) { in.Rules.Auto = false }}, "waiting plan_forbids 2026-03-10T13:00:00Z"},
		{"B1_ThePlanSellsOtherPacks", []change{func(in *TopUpIn) { in.Rules.Packs = []string{"other"} }}, "waiting pack_not_sold 2026-03-10T13:00:00Z"},
		{"B1_ThePackIsGone", []change{func(in *TopUpIn) { in.Pack = nil }}, "waiting pack_not_sold 2026-03-10T13:00:00Z"},
		{"P2_NobodyToPay", []change{func(in *TopUpIn) { in.Customer = "" }}, "waiting no_customer 2026-03-10T13:00:00Z"},
		{"P2_NoSuchPrice", []change{func(in *TopUpIn) { in.Price = nil }}, "waiting price_unknown 2026-03-10T13:00:00Z"},
		{"P2_AnotherCurrencyThanTheCaps", []change{func(in *TopUpIn) { in.Price.Currency = "eur" }}, "waiting currency_changed 2026-03-10T13:00:00Z"},

		{"P3_TheSecondAttemptWaitsAnHour", []change{declines(1, 59*time.Minute)}, "retrying declined 2026-03-10T12:01:00Z"},
		{"P3_TheSecondAttempt", []change{declines(1, time.Hour)}, "buying 1"},
		{"P3_TheThirdWaitsSixHours", []change{declines(2, 5*time.Hour)}, "retrying declined 2026-03-10T13:00:00Z"},
		{"P3_TheThird", []change{declines(2, 6*time.Hour)}, "buying 1"},
		{"P3_TheFourthWaitsADay", []change{declines(3, 7*time.Hour)}, "retrying declined 2026-03-11T05:00:00Z"},
		{"P3_TheFourth", []change{declines(3, 24*time.Hour)}, "buying 1"},
		{"P3_ARetryBuysForTheGapOfThen", []change{declines(1, time.Hour), threshold(2500), left(0)}, "buying 3"},
		{"P3_NoGapNoRetry", []change{declines(1, time.Hour), left(101)}, "ready"},
		{"P3_Suspended", []change{set(func(s *AutoTopUp) { s.State, s.Reason = TopUpSuspended, TopUpDeclines })}, "suspended declined"},
		{"P3_SuspendedThoughThereIsEnough", []change{left(101), set(func(s *AutoTopUp) { s.State, s.Reason = TopUpSuspended, TopUpHardDecline })}, "suspended hard_decline"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := sayTopUp(DecideTopUp(topUpCase(c.change...))); got != c.want {
				t.Errorf("decided %q, want %q", got, c.want)
			}
		})
	}
}

func sayTopUp(d TopUpDecision) string {
	said := d.State
	if d.Reason != "" {
		said += " " + d.Reason
	}
	if d.State == TopUpBuying {
		said += fmt.Sprint(" ", d.Packs)
	}
	if d.CheckAt != nil {
		said += " " + d.CheckAt.Format(time.RFC3339)
	}
	return said
}

func TestAutoTopUpFollows(t *testing.T) {
	t.Parallel()
	at := func(minutes int) time.Time { return topUpAt.Add(time.Duration(minutes) * time.Minute) }
	begun := func(minutes int) Purchase { return Purchase{ID: "top_1", CreatedAt: at(minutes)} }
	id := "top_1"
	buying := AutoTopUp{On: true, State: TopUpBuying, InFlight: &id}
	t.Run("P3_FourDeclinesSuspend", func(t *testing.T) {
		t.Parallel()
		s := buying
		for i, c := range []struct {
			begun int
			state string
			check int
		}{{0, TopUpRetrying, 60}, {60, TopUpRetrying, 360}, {361, TopUpRetrying, 1440}} {
			s.InFlight = &id
			s = s.declined(begun(c.begun), "insufficient_funds", "pm_1", at(c.begun+1))
			if s.State != c.state || s.CheckAt == nil || !s.CheckAt.Equal(at(c.check)) || s.InFlight != nil || s.Declines != i+1 {
				t.Fatalf("after decline %d: %+v", i+1, s)
			}
		}
		s.InFlight = &id
		if s = s.declined(begun(1440), "insufficient_funds", "pm_1", at(1441)); s.State != TopUpSuspended || s.Reason != TopUpDeclines || s.CheckAt != nil {
			t.Errorf("after the fourth: %+v", s)
		}
		if s = s.resumed(at(2000)); s.State != TopUpReady || s.Declines != 0 || s.SeriesAt != nil || !s.CheckAt.Equal(at(2000)) {
			t.Errorf("once the card is changed: %+v", s)
		}
	})
	t.Run("P3_AHardDeclineSuspendsAtOnce", func(t *testing.T) {
		t.Parallel()
		for _, code := range hardDeclines {
			if s := buying.declined(begun(0), code, "pm_1", at(1)); s.State != TopUpSuspended || s.Reason != TopUpHardDecline || s.TriedWith != "pm_1" {
				t.Errorf("%s: %+v", code, s)
			}
		}
	})
	t.Run("P3_APaymentEndsTheSeries", func(t *testing.T) {
		t.Parallel()
		s := buying.declined(begun(0), "generic_decline", "pm_1", at(1))
		s.InFlight, s.State = &id, TopUpBuying
		if s = s.bought(at(60)); s.Declines != 0 || s.SeriesAt != nil || s.InFlight != nil || s.State != TopUpReady || !s.CheckAt.Equal(at(60)) {
			t.Errorf("after it was paid: %+v", s)
		}
	})
	t.Run("P2_SwitchedOffWhileInFlight", func(t *testing.T) {
		t.Parallel()
		off := buying
		off.On = false
		for name, s := range map[string]AutoTopUp{
			"paid": off.bought(at(1)), "declined": off.declined(begun(0), "generic_decline", "pm_1", at(1)),
			"hard": off.declined(begun(0), "lost_card", "pm_1", at(1)), "refused": off.suspended(TopUpRefused),
		} {
			if s.State != TopUpOff || s.CheckAt != nil || s.InFlight != nil {
				t.Errorf("%s: %+v", name, s)
			}
		}
	})
	t.Run("P3_WhatEndsASuspension", func(t *testing.T) {
		t.Parallel()
		first := at(0)
		stopped := AutoTopUp{On: true, State: TopUpSuspended, Reason: TopUpDeclines, Declines: 4, SeriesAt: &first, Threshold: 5, PaymentMethodID: "pm_1"}
		retrying := AutoTopUp{On: true, State: TopUpRetrying, Reason: TopUpDeclines, Declines: 2, SeriesAt: &first, PaymentMethodID: "pm_1"}
		for _, c := range []struct {
			name   string
			before AutoTopUp
			in     AutoTopUpIn
			want   int // declines that still count
		}{
			{"SwitchedOnAgain", stopped, AutoTopUpIn{On: true, PaymentMethodID: "pm_1"}, 0},
			{"AnotherCard", retrying, AutoTopUpIn{On: true, PaymentMethodID: "pm_2"}, 0},
			{"AnotherThresholdDoesNotShortenTheWait", retrying, AutoTopUpIn{On: true, Threshold: 9, PaymentMethodID: "pm_1"}, 2},
		} {
			s := c.before.changed(c.in, at(5))
			if s.Declines != c.want || s.State != TopUpReady || s.CheckAt == nil || !s.CheckAt.Equal(at(5)) {
				t.Errorf("%s: %+v", c.name, s)
			}
		}
	})
}

func TestReadTopUp(t *testing.T) {
	t.Parallel()
	created := Purchase{ID: "top_1", State: PurchaseCreated, CreatedAt: topUpAt}
	waiting := Purchase{ID: "top_1", State: PurchaseOpen, Reason: TopUpAuthenticate, CreatedAt: topUpAt}
	for _, c := range []struct {
		name  string
		p     Purchase
		inv   TopUpInvoice
		after time.Duration
		want  string // state, reason and what is asked next
	}{
		{"P4_Paid", created, TopUpInvoice{Status: "paid"}, time.Minute, "paid"},
		{"P4_PaidAfterAll", waiting, TopUpInvoice{Status: "paid"}, 30 * time.Hour, "paid"},
		{"P4_PaidThoughItWasDeclinedBefore", created, TopUpInvoice{Status: "paid", DeclineCode: "generic_decline"}, time.Minute, "paid"},
		{"P3_Declined", created, TopUpInvoice{Status: "open", DeclineCode: "generic_decline", DeclineMessage: "Your card was declined."}, 0, "created Your card was declined. void"},
		{"P3_DeclinedAndVoided", created, TopUpInvoice{Status: "void", DeclineCode: "generic_decline"}, 0, "failed generic_decline"},
		{"P3_AuthenticationIsNoFailure", created, TopUpInvoice{Status: "open", DeclineCode: authenticationRequired}, 0, "open authentication_required"},
		{"P3_NorIsAnActionOnSession", created, TopUpInvoice{Status: "open", Payment: "requires_action"}, 0, "open authentication_required"},
		{"P3_TheLinkIsGoodForADay", waiting, TopUpInvoice{Status: "open", DeclineCode: authenticationRequired}, 24*time.Hour - 1, "open authentication_required"},
		{"P3_ThenItIsVoided", waiting, TopUpInvoice{Status: "open", DeclineCode: authenticationRequired}, 24 * time.Hour, "open authentication_required void"},
		{"P3_Voided", waiting, TopUpInvoice{Status: "void", DeclineCode: authenticationRequired}, 24 * time.Hour, "expired nobody authenticated the payment within a day"},
		{"P3_DeclinedWhileAuthenticating", waiting, TopUpInvoice{Status: "open", DeclineCode: "insufficient_funds"}, time.Hour, "open insufficient_funds void"},
		{"P4_StoppedBeforeAnythingWasTried", created, TopUpInvoice{Status: "draft"}, time.Hour, "created pay"},
		{"P4_StoppedBetweenFinalizeAndPay", created, TopUpInvoice{Status: "open", Payment: "requires_payment_method"}, time.Hour, "created pay"},
		{"P4_TooLateToTakeItUp", created, TopUpInvoice{Status: "draft"}, 23 * time.Hour, "created void"},
		{"P4_StillProcessing", created, TopUpInvoice{Status: "open", Payment: "processing"}, time.Hour, "processing the payment is on its way"},
		{"P3_VoidedByHand", created, TopUpInvoice{Status: "void"}, time.Hour, "failed its invoice was voided at Stripe"},
		{"P3_MarkedUncollectible", created, TopUpInvoice{Status: "uncollectible", DeclineCode: "lost_card"}, time.Hour, "failed lost_card"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := readTopUp(c.p, c.inv, topUpAt.Add(c.after))
			said := r.state
			for _, part := range []string{r.reason, string(r.next)} {
				if part != "" {
					said += " " + part
				}
			}
			if said != c.want {
				t.Errorf("got %q, want %q", said, c.want)
			}
		})
	}
}
