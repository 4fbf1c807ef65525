package billing

import "testing"

// subscribes begins a subscription of olga's in a book, and pays its first invoice.
func (s *tale) subscribes(book, start string, i Item) *tale {
	s.t.Helper()
	sub := &Sub{State: "placed", customerOwed: &customerOwed{}}
	sub.Facts = Subscription{
		ID: "sub_1", CustomerID: "cus_1", Status: StatusActive, Items: []Item{i}, Anchor: day(start), CreatedAt: day(start),
	}
	s.states[book].Subs = append(s.states[book].Subs, sub)
	return s.renews(book, start, "in_1", 100*i.Quantity)
}

// renews begins Stripe's next period, whose invoice is paid.
func (s *tale) renews(book, start, invoice string, cost int64) *tale {
	s.t.Helper()
	f := &s.states[book].Subs[0].Facts
	f.PeriodStart = day(start)
	months := f.Items[0].IntervalCount
	if f.Items[0].Interval == IntervalYear {
		months = 12
	}
	f.PeriodEnd = AddMonths(f.PeriodStart, months)
	return s.billed(book, invoice, InvoiceLine{
		PriceID: f.Items[0].PriceID, Quantity: f.Items[0].Quantity, Amount: cost, From: f.PeriodStart, To: f.PeriodEnd,
	}).on(start)
}

// billed pays an invoice of those lines.
func (s *tale) billed(book, invoice string, lines ...InvoiceLine) *tale {
	sub := s.states[book].Subs[0]
	for _, l := range lines {
		sub.Paid = append(sub.Paid, PaidLine{
			InvoiceID: invoice, PriceID: l.PriceID, Quantity: l.Quantity, Amount: l.Amount, Proration: l.Proration, From: l.From, To: l.To,
		})
	}
	s.bought[invoice] = &bought{home: book, invoice: &Charge{InvoiceID: invoice, Lines: lines}}
	return s
}

func (s *tale) seats(book string, n int64) *tale {
	s.t.Helper()
	sub := s.states[book].Subs[0]
	i := sub.Facts.Items[0]
	i.Quantity = n
	sub.Facts.Items = []Item{i}
	return s.settled()
}

// remembers compares T and O of the period that the clock stands in.
func (s *tale) remembers(book string, target, owed int64) *tale {
	s.t.Helper()
	if p := s.states[book].Subs[0].current(s.at); p.Target != target || p.Owed != owed {
		s.t.Fatalf("T is %d and O %d, want %d and %d", p.Target, p.Owed, target, owed)
	}
	return s
}

func TestRefundedInvoice(t *testing.T) {
	t.Parallel()
	run := func(name string, tell func(*tale)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tell(tellRefunds(t))
		})
	}
	five := item("team_month", 5)

	run("R3_OfTheMonthlyLot_TheRestIsDebt_NoPurchases", func(s *tale) {
		s.subscribes("acme", "2025-01-01", five).on("2025-01-10").spends("acme", 3000).buys("acme", "p1", 700, 700).allocates("acme", "ann", 500).
			has("acme: 1500 2025-01, 700 p1, ann 500 2025-01").
			loses("in_1", 250).has("acme: 700 p1, owes 500 2025-01").remembers("acme", 5000, 0).
			loses("in_1", 500).has("acme: 700 p1, owes 500 2025-01, owes 2500 2025-01").remembers("acme", 5000, 0).
			loses("in_1", 0).has("acme: 1500 2025-01, 700 p1, ann 500 2025-01")
	})
	run("R3_RoundedDown_InPartThreeTimes", func(s *tale) {
		s.subscribes("acme", "2025-01-01", item("team_month", 1)).costs(300).
			loses("in_1", 100).has("acme: 667 2025-01").
			loses("in_1", 200).has("acme: 334 2025-01").
			loses("in_1", 299).has("acme: 4 2025-01").
			loses("in_1", 300).has()
	})
	run("R3_NetOfWhatWasTakenBackAndOwed", func(s *tale) {
		// 5,000 granted, 4,000 spent, 3 seats: 1,000 are taken back and O = 1,000, so 3,000 net.
		s.subscribes("acme", "2025-01-01", five).on("2025-01-05").spends("acme", 4000).seats("acme", 3).remembers("acme", 3000, 1000).has().
			loses("in_1", 250).has("acme: owes 1500 2025-01").remembers("acme", 3000, 1000).
			loses("in_1", 500).has("acme: owes 1500 2025-01, owes 1500 2025-01").
			seats("acme", 5).remembers("acme", 5000, 0).has("acme: owes 500 2025-01, owes 1500 2025-01")
	})
	run("R3_NothingGrantsItAgain", func(s *tale) {
		s.subscribes("acme", "2025-01-01", five).loses("in_1", 500).has().seats("acme", 5).on("2025-01-20").has().
			seats("acme", 6).has("acme: 1000 2025-01").seats("acme", 5).has()
	})
	run("R3_RolloverToo_WhereverItLies", func(s *tale) {
		s.subscribes("acme", "2025-01-01", five).allocates("acme", "ann", 600).on("2025-01-10").spends("acme", 400).
			renews("acme", "2025-02-01", "in_2", 500).
			has("acme: 4000 2025-01 rolled, 5000 2025-02, ann 600 2025-01 rolled").
			loses("in_1", 450).has("acme: 5000 2025-02, ann 100 2025-01 rolled").
			loses("in_1", 500).has("acme: 5000 2025-02, owes 400 2025-01").
			loses("in_2", 100).has("acme: 4000 2025-02, owes 400 2025-01").
			loses("in_1", 0).has("acme: 4000 2025-01 rolled, 4000 2025-02, ann 600 2025-01 rolled")
	})
	run("R3_WhatComesBackJoinsTheTurnThatItMissed", func(s *tale) {
		s.subscribes("acme", "2025-01-01", five).loses("in_1", 500).has().renews("acme", "2025-02-01", "in_2", 500).has("acme: 5000 2025-02").
			loses("in_1", 0).has("acme: 5000 2025-01 rolled, 5000 2025-02")
	})
	run("R3_OfAYear_TheCurrentMonth", func(s *tale) {
		s.subscribes("acme", "2025-01-01", item("team_year", 1)).on("2025-01-10").spends("acme", 1000).on("2025-03-05").
			has("acme: 1000 2025-02 rolled, 1000 2025-03").
			loses("in_1", 50).has("acme: 1000 2025-02 rolled, 500 2025-03").
			loses("in_1", 100).has("acme: 1000 2025-02 rolled").
			loses("in_1", 0).has("acme: 1000 2025-02 rolled, 1000 2025-03")
	})
	run("R3_OfAYear_MoreInALaterMonth", func(s *tale) {
		s.subscribes("acme", "2025-01-01", item("team_year", 1)).on("2025-02-10").spends("acme", 2000).
			loses("in_1", 50).has("acme: owes 500 2025-02").on("2025-03-05").has("acme: 500 2025-03").
			loses("in_1", 75).has("acme: 250 2025-03"). // 750 in all, 500 of which were taken
			loses("in_1", 50).has("acme: 500 2025-03").
			loses("in_1", 0).has("acme: 500 2025-02 rolled, 500 2025-03") // what paid the debt
	})
	run("R3_AnInvoiceOfAChangeAnswersForItsShare", func(s *tale) {
		// 5 seats for 500, then 3 more at half time for 150: 8,000 credits for 650.
		s.subscribes("acme", "2025-01-01", five).on("2025-01-16").seats("acme", 8).billed("acme", "in_2",
			InvoiceLine{PriceID: "team_month", Quantity: 5, Amount: -250, Proration: true, From: day("2025-01-16"), To: day("2025-02-01")},
			InvoiceLine{PriceID: "team_month", Quantity: 8, Amount: 400, Proration: true, From: day("2025-01-16"), To: day("2025-02-01")}).
			has("acme: 8000 2025-01").
			loses("in_2", 150).has("acme: 6154 2025-01"). // floor 8000 × 150 ÷ 650
			loses("in_1", 500).has()                      // and never more than was granted
	})
	run("R3_OtherLinesCostNothingOfIt", func(s *tale) {
		s.subscribes("acme", "2025-01-01", five)
		lines := s.bought["in_1"].invoice.Lines
		s.bought["in_1"].invoice.Lines = append(lines, InvoiceLine{PriceID: "support", Amount: 900, From: lines[0].From, To: lines[0].To.AddDate(1, 0, 0)})
		s.loses("in_1", 250).has("acme: 2500 2025-01").loses("in_1", 1400).has()
	})
	run("R3_AnInvoiceOfNothingOfOurs", func(s *tale) {
		s.subscribes("acme", "2025-01-01", five).billed("acme", "in_2", InvoiceLine{PriceID: "support", Amount: 900, From: s.at, To: s.at.AddDate(0, 1, 0)}).
			loses("in_2", 900).has("acme: 5000 2025-01")
	})
	run("R3_FollowsTheSubscription", func(s *tale) {
		s.subscribes("acme", "2025-01-01", five).on("2025-01-10").spends("acme", 4000).loses("in_1", 400).has("acme: owes 3000 2025-01").
			moves("acme", "olga").has("olga: owes 3000 2025-01").
			loses("in_1", 500).has("olga: owes 3000 2025-01, owes 1000 2025-01").
			loses("in_1", 0).has("olga: 1000 2025-01")
	})
	run("R3_ThereAndBackWithDebtAlone", func(s *tale) {
		s.subscribes("acme", "2025-01-01", five).on("2025-01-10").spends("acme", 5000).loses("in_1", 400).moves("acme", "olga").
			has("olga: owes 4000 2025-01").moves("olga", "acme").has("acme: owes 4000 2025-01").
			loses("in_1", 0).has()
	})
	run("R3_WhatWasContributedToo", func(s *tale) {
		s.subscribes("olga", "2025-01-01", five).contributes("club", 2000).on("2025-01-10").spends("olga", 2500).
			loses("in_1", 300).has("olga: owes 500 2025-01").loses("in_1", 0).has("olga: 500 2025-01", "club: 2000 2025-01")
	})
	run("R2_ADisputedInvoiceFreezesItsMonthAndItsRollover", func(s *tale) {
		s.subscribes("acme", "2025-01-01", five).allocates("acme", "ann", 100).disputes("in_1", true).
			has("acme: 4900 2025-01 frozen, ann 100 2025-01 frozen").
			renews("acme", "2025-02-01", "in_2", 500).on("2025-02-10").
			has("acme: 4900 2025-01 frozen, 5000 2025-02, ann 100 2025-01 frozen").
			disputes("in_1", false).has("acme: 4900 2025-01 rolled, 5000 2025-02, ann 100 2025-01 rolled")
	})
	run("R2_OfAYearEveryMonthThatIsLeft_AndEachThatIsGrantedMeanwhile", func(s *tale) {
		s.subscribes("acme", "2025-01-01", item("team_year", 1)).on("2025-02-10").disputes("in_1", true).
			has("acme: 1000 2025-01 rolled frozen, 1000 2025-02 frozen").on("2025-03-10").applies("in_1").
			has("acme: 1000 2025-01 rolled frozen, 1000 2025-02 frozen, 1000 2025-03 frozen")
		s.bought["in_1"].disputed = false
		s.loses("in_1", 100).has("acme: 1000 2025-01 rolled, 1000 2025-02 rolled")
	})
	run("R2_TwoChargesOfOneMonth_BothMustBeOver", func(s *tale) {
		s.subscribes("acme", "2025-01-01", five).on("2025-01-16").seats("acme", 8).billed("acme", "in_2",
			InvoiceLine{PriceID: "team_month", Quantity: 8, Amount: 400, Proration: true, From: day("2025-01-16"), To: day("2025-02-01")}).
			disputes("in_1", true).disputes("in_2", true).disputes("in_1", false).has("acme: 8000 2025-01 frozen").
			disputes("in_2", false).has("acme: 8000 2025-01")
	})
	run("R2_OfAYearAndAChange_EachFreezesWhatItPaidFor", func(s *tale) {
		s.subscribes("acme", "2025-01-01", item("team_year", 1)).on("2025-02-16").seats("acme", 2).billed("acme", "in_2",
			InvoiceLine{PriceID: "team_year", Quantity: 2, Amount: 90, Proration: true, From: day("2025-02-16"), To: day("2026-01-01")}).
			has("acme: 1000 2025-01 rolled, 2000 2025-02").
			disputes("in_2", true).has("acme: 1000 2025-01 rolled, 2000 2025-02 frozen").
			applies("in_1").has("acme: 1000 2025-01 rolled, 2000 2025-02 frozen").
			disputes("in_1", true).has("acme: 1000 2025-01 rolled frozen, 2000 2025-02 frozen").
			disputes("in_1", false).has("acme: 1000 2025-01 rolled, 2000 2025-02 frozen").
			disputes("in_2", false).has("acme: 1000 2025-01 rolled, 2000 2025-02")
	})
	run("R3_OfATrialNothing", func(s *tale) {
		sub := &Sub{State: "placed", customerOwed: &customerOwed{}}
		start, end := day("2025-01-01"), day("2025-01-15")
		sub.Facts = Subscription{
			ID: "sub_1", CustomerID: "cus_1", Status: StatusTrialing, Items: []Item{five}, Anchor: end, CreatedAt: start,
			TrialStart: &start, TrialEnd: &end, PeriodStart: start, PeriodEnd: end,
		}
		s.states["acme"].Subs = append(s.states["acme"].Subs, sub)
		s.billed("acme", "in_1", InvoiceLine{PriceID: "team_month", Quantity: 5, Amount: 500, From: start, To: end}).on("2025-01-02").
			has("acme: 500 2025-01").loses("in_1", 500).has("acme: 500 2025-01")
	})
}

// costs gives the first invoice another price.
func (s *tale) costs(cost int64) *tale {
	s.bought["in_1"].invoice.Lines[0].Amount = cost
	return s
}
