package worker

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"purser/billing"
	"purser/internal/localstripe"
	"purser/teams"
)

// TestYear tells a year of a team's life: the figures of each step are worked out by hand.
// Team brings 1,000 a seat and keeps 500 a seat for up to three turns; business brings
// 2,000, keeps half of what a month brought, and prorates.
func TestYear(t *testing.T) {
	t.Parallel()
	t.Run("B12_EachStepIsWhatTheRulesSay", func(t *testing.T) {
		t.Parallel()
		y := newYear(t, 0)
		y.passes()
		y.agreesInTheEnd()
	})
	seeds := uint64(2)
	if os.Getenv(soak) != "" {
		seeds = 50
	}
	for seed := range seeds {
		t.Run(fmt.Sprintf("B3_OneInFiveLost_OneInFiveTwice_AllShuffled_EndsTheSame_%d", seed+1), func(t *testing.T) {
			t.Parallel()
			y := newYear(t, seed+1)
			y.passes()
			y.agreesInTheEnd()
			if y.dropped*8 < y.told || y.twice*8 < y.told || y.found+y.mended == 0 {
				t.Errorf("hardly disturbed: of %d events %d were dropped and %d sent twice; %d were found, %d differences mended",
					y.told, y.dropped, y.twice, y.found, y.mended)
			}
		})
	}
}

// agreesInTheEnd holds that nothing differs from Stripe, without anything being mended.
func (y *year) agreesInTheEnd() {
	y.t.Helper()
	sum, lines := y.reconcile(ReconcileIn{})
	if sum.Differences != 0 || sum.Waiting != 0 {
		y.t.Errorf("E3: %+v\n%s", sum, strings.Join(lines, "\n"))
	}
	if sum.Subscriptions != 2 || sum.TopUps != 4 || sum.Reversals != 3 {
		y.t.Errorf("E3: what was compared: %+v", sum)
	}
	y.t.Logf("%d steps of %d entries; of Stripe's events %d dropped and %d sent twice; %d found by sweeping, %d differences mended; %s",
		y.steps, y.count(`SELECT count(*) FROM entries`), y.dropped, y.twice,
		y.found, y.mended, time.Since(y.started).Round(time.Millisecond))
}

func at9(month time.Month, day int) time.Time {
	return time.Date(2026, month, day, 9, 0, 0, 0, time.UTC)
}

func (y *year) passes() {
	y.trial()
	y.growth()
	y.decline()
	y.topUps()
	y.upgrade()
	y.disputes()
	y.goodbye()
	y.comesBack()
}

func (y *year) trial() {
	y.sub = y.sells("team_monthly", 3, "trial_period_days", "14")
	y.is("15 Jan: a trial of 100 a seat", billing.Pool{Seats: 3, Bonus: 300})
	y.spends("ada", 120)
	y.portal("do", "update", "seats", "5", "price", "")
	y.is("B4: a trial counts the seats that it began with", billing.Pool{Seats: 5, Bonus: 300, Used: 120})
	y.refused("cleo", 181, "pool_empty")

	y.month(at9(1, 29), true)
	y.is("29 Jan: the first month, and nothing of the trial", billing.Pool{Seats: 5, Monthly: 5000})
}

func (y *year) growth() {
	y.spends("ada", 700)
	held := y.does(teams.OpHold, "ben", 300)
	y.is("held", billing.Pool{Seats: 5, Monthly: 5000, Used: 700, Held: 300})
	y.does(teams.OpCapture, "ben", 200, of(held))
	y.moves(thePool, member("cleo"), 600)
	y.spends("cleo", 250)
	y.is("spent, captured, allocated", billing.Pool{Seats: 5, Monthly: 5000, Used: 1150, Allocated: 350})

	y.advanceTo(at9(2, 10))
	y.portal("do", "update", "seats", "8", "price", "")
	y.is("10 Feb: eight seats", billing.Pool{Seats: 8, Monthly: 8000, Used: 1150, Allocated: 350})
	y.buy("top_1", y.team.BookID, y.customer)
	y.is("a pack", billing.Pool{Seats: 8, Monthly: 8000, Purchased: 1000, Used: 1150, Allocated: 350})

	// 6,850 are left, and eight seats keep 4,000: the pool loses 2,850 before cleo loses any.
	y.month(at9(2, 28), false)
	y.is("28 Feb: 4,000 roll", billing.Pool{Seats: 8, Monthly: 8000, Purchased: 1000, Rollover: 4000, Allocated: 350})
	spent := y.spends("ada", 3100)
	y.does(teams.OpReverse, "ada", 100, of(spent))
	y.moves(member("cleo"), member("ben"), 150)
	y.advanceTo(at9(3, 10))
	y.portal("do", "update", "seats", "6", "price", "")
	y.is("10 Mar: six seats", billing.Pool{Seats: 6, Monthly: 6000, Purchased: 1000, Rollover: 4000, Used: 3000, Allocated: 350})
}

func (y *year) decline() {
	y.cardBehaves("pm_card_chargeDeclined")
	y.month(at9(3, 29), true)
	y.is("29 Mar: declined, within the grace", billing.Pool{Seats: 6, Monthly: 6000, Purchased: 1000, Rollover: 1000, Allocated: 350})
	y.spends("ada", 500)
	y.advanceTo(at9(4, 1).Add(2 * time.Hour))
	// Left were 6,000 of the month and 500 of older: six seats keep 3,000, the oldest end first.
	y.is("1 Apr: turned without a grant", billing.Pool{Seats: 6, Purchased: 1000, Rollover: 3500, Used: 500})
	y.advanceTo(at9(4, 2))
	y.cardBehaves("pm_card_visa")
	y.post("/v1/invoices/"+y.invoice(y.sub)+"/pay", nil, nil)
	y.is("2 Apr: paid, and the grant added alone", billing.Pool{Seats: 6, Monthly: 6000, Purchased: 1000, Rollover: 3500, Used: 500})
	y.moves(thePool, member("ben"), 400)
	y.spends("ada", 1000)
	y.is("spent", billing.Pool{Seats: 6, Monthly: 6000, Purchased: 1000, Rollover: 3500, Used: 1500, Allocated: 400})

	// Left are 2,000 of older and 6,000: six seats keep 3,000, the oldest end first, ben's too.
	y.month(at9(4, 29), false)
	y.is("29 Apr: recovered", billing.Pool{Seats: 6, Monthly: 6000, Purchased: 1000, Rollover: 3000})
}

func (y *year) topUps() {
	y.spends("ada", 9500)
	y.autoTopUp(true)
	y.is("at the threshold: a pack buys itself", billing.Pool{Seats: 6, Monthly: 6000, Purchased: 2000, Rollover: 3000, Used: 9500})

	y.month(at9(5, 29), true)
	y.is("29 May: nothing is left to roll", billing.Pool{Seats: 6, Monthly: 6000, Purchased: 1500})
	y.cardBehaves("pm_card_authenticationRequired")
	y.spends("ben", 7200)
	y.is("P3: somebody has to authenticate", billing.Pool{Seats: 6, Monthly: 6000, Purchased: 1500, Used: 7200})
	list := y.automatic()
	same(y.t, "automatic purchases", len(list), 2)
	same(y.t, "the last", list[len(list)-1].State, billing.PurchaseOpen)
	y.authenticates(list[len(list)-1].URL)
	y.cardBehaves("pm_card_visa")
	y.is("authenticated", billing.Pool{Seats: 6, Monthly: 6000, Purchased: 2500, Used: 7200})
}

func (y *year) upgrade() {
	y.month(at9(6, 29), false)
	y.is("29 Jun", billing.Pool{Seats: 6, Monthly: 6000, Purchased: 1300})
	packs := y.automatic()
	y.refund(y.chargeOf(*packs[1].InvoiceID), 1000)
	y.is("R1: the second pack is refunded, of which nothing was spent", billing.Pool{Seats: 6, Monthly: 6000, Purchased: 300})
	y.advanceTo(at9(7, 9))
	y.portal("do", "update", "seats", "6", "price", y.price("business_monthly"))
	// 20 of 30 days are left of 6,000 more.
	y.is("9 Jul: business, for the time left", billing.Pool{Seats: 6, Monthly: 10000, Purchased: 300})
	y.spends("cleo", 2000)
	y.is("spent", billing.Pool{Seats: 6, Monthly: 10000, Purchased: 300, Used: 2000})

	// 8,000 are left, and half of the 10,000 that the month brought is kept.
	y.month(at9(7, 29), true)
	y.is("29 Jul: 5,000 roll", billing.Pool{Seats: 6, Monthly: 12000, Purchased: 300, Rollover: 5000})
}

func (y *year) disputes() {
	dispute := y.dispute(y.chargeOf(y.invoice(y.sub)), localstripe.Dispute{})
	y.is("R2: what the month's charge paid for is frozen", billing.Pool{Seats: 6, Monthly: 12000, Purchased: 300, Rollover: 5000, Frozen: 12000})
	y.advanceTo(at9(8, 5))
	ok(y.t, y.stripe.CloseDispute(dispute, "won"))
	y.is("R2: won", billing.Pool{Seats: 6, Monthly: 12000, Purchased: 300, Rollover: 5000})
	dispute = y.dispute(y.chargeOf(*y.automatic()[0].InvoiceID), localstripe.Dispute{})
	y.is("R2: what is left of the first automatic pack", billing.Pool{Seats: 6, Monthly: 12000, Purchased: 300, Rollover: 5000, Frozen: 300})
	y.advanceTo(at9(8, 12))
	ok(y.t, y.stripe.CloseDispute(dispute, "lost"))
	y.is("R2: lost, and 700 of it were spent", billing.Pool{Seats: 6, Monthly: 12000, Rollover: 5000, Debt: 700})
	y.spends("ada", 4000)
	y.is("spent", billing.Pool{Seats: 6, Monthly: 12000, Rollover: 5000, Used: 4000, Debt: 700})

	// 13,000 are left, and 6,000 are kept, the oldest end first. What is granted pays the debt.
	y.month(at9(8, 29), false)
	y.is("29 Aug: the debt is paid", billing.Pool{Seats: 6, Monthly: 11300, Rollover: 6000})
}

func (y *year) goodbye() {
	held := y.does(teams.OpHold, "ada", 500, func(in *teams.SpendIn) { in.TTL = time.Hour })
	y.does(teams.OpRelease, "ada", 0, of(held))
	y.moves(thePool, member("ada"), 1000)
	y.moves(member("ada"), thePool, 1000)
	y.spends("ada", 5000)
	y.autoTopUp(false)
	y.advanceTo(at9(9, 10))
	y.portal("do", "cancel")
	y.is("10 Sep: to be canceled", billing.Pool{Seats: 6, Monthly: 11300, Rollover: 6000, Used: 5000})

	y.month(at9(9, 29), true)
	y.is("29 Sep: over, and nothing rolls", billing.Pool{})
	y.refused("cleo", 1, "pool_empty")
	y.buy("top_2", y.team.BookID, y.customer)
	y.is("a pack without a subscription", billing.Pool{Purchased: 1000})
	y.spends("cleo", 400)

	y.month(at9(10, 15), false)
	y.is("15 Oct: by the calendar", billing.Pool{Purchased: 600})
}

func (y *year) comesBack() {
	y.advanceTo(at9(10, 20))
	y.sub = y.subscribe(y.customer, "team_yearly", 4)
	y.is("20 Oct: back, in the place of the one that ended", billing.Pool{Seats: 4, Monthly: 4000, Purchased: 600})
	y.spends("cleo", 1000)

	y.month(at9(11, 20), true)
	y.is("20 Nov: the second month of a paid year", billing.Pool{Seats: 4, Monthly: 4000, Purchased: 600, Rollover: 2000})
	y.advanceTo(at9(11, 25))
	y.portal("do", "update", "seats", "6", "price", "")
	y.spends("cleo", 500)
	y.is("25 Nov: six seats", billing.Pool{Seats: 6, Monthly: 6000, Purchased: 600, Rollover: 2000, Used: 500})

	// 1,500 of older and 6,000 are left, and six seats keep 3,000.
	y.month(at9(12, 20), false)
	y.is("20 Dec", billing.Pool{Seats: 6, Monthly: 6000, Purchased: 600, Rollover: 3000})
	y.advanceTo(at9(1, 15).AddDate(1, 0, 0))
	y.is("15 Jan: a year later", billing.Pool{Seats: 6, Monthly: 6000, Purchased: 600, Rollover: 3000})
}
