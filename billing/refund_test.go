package billing

import (
	"fmt"
	"testing"
)

func TestRefund(t *testing.T) {
	t.Parallel()
	run := func(name string, tell func(*tale)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tell(tellRefunds(t))
		})
	}

	for _, c := range []struct {
		credits, cost, gone, taken int64
	}{
		{1000, 900, 300, 333}, // 333.33
		{1000, 900, 599, 665}, // 665.55
		{1000, 900, 600, 666}, // 666.67
		{1000, 900, 899, 998}, // 998.89
		{1000, 900, 900, 1000},
		{1000, 900, 5000, 1000},
		{1, 900, 899, 0},
		{1, 900, 900, 1},
		{7, 3, 1, 2},
		{1_000_000_000_000, 999_999_999_999, 333_333_333_333, 333_333_333_333},
		{1000, 0, 0, 0},
		{1000, 0, 500, 0}, // it cost nothing
	} {
		run(fmt.Sprintf("R1_%dOf%dFor%dCredits", c.gone, c.cost, c.credits), func(s *tale) {
			s.buys("acme", "p1", c.credits, c.cost).loses("p1", c.gone)
			var taken int64
			for _, cb := range s.bought["p1"].clawbacks {
				taken += cb.left()
			}
			if left := s.main("acme").Balance; taken != c.taken || left != c.credits-c.taken {
				t.Errorf("took %d and left %d, want %d taken", taken, left, c.taken)
			}
		})
	}

	run("R1_InPartThreeTimesThenWhole", func(s *tale) {
		s.buys("acme", "p1", 1000, 700).
			loses("p1", 100).has("acme: 858 p1"). // floor 142.86
			loses("p1", 200).has("acme: 715 p1"). // floor 285.71
			loses("p1", 300).has("acme: 572 p1"). // floor 428.57
			loses("p1", 700).has().               //
			loses("p1", 300).has("acme: 572 p1"). // the last one failed
			loses("p1", 200).has("acme: 715 p1"). //
			loses("p1", 0).has("acme: 1000 p1").  //
			loses("p1", 250).has("acme: 643 p1"). // floor 357.14
			loses("p1", 700).loses("p1", 100).has("acme: 858 p1").
			loses("p1", 700).loses("p1", 100).has("acme: 858 p1")
	})
	run("R1_WhatTwoRefundsTookAtOnceIsGivenBackInPart", func(s *tale) {
		s.buys("acme", "p1", 1000, 3).loses("p1", 2).has("acme: 334 p1").loses("p1", 1).has("acme: 667 p1").
			loses("p1", 3).has().loses("p1", 2).has("acme: 334 p1").loses("p1", 0).has("acme: 1000 p1")
	})
	run("R1_WhatWasSpentIsOwed", func(s *tale) {
		s.buys("acme", "p1", 1000, 1000).spends("acme", 700).loses("p1", 1000).has("acme: owes 700 p1")
	})
	run("R1_NeverBelowWhatIsHeld_WhichPaysOnceItIsFree", func(s *tale) {
		s.buys("acme", "p1", 1000, 1000).holdsBack("acme", "h", 400).loses("p1", 1000).
			has("acme: 400 p1 (400 held), owes 400 p1").releases("acme", "h").has()
	})
	run("R1_AllocationsAfterThePool", func(s *tale) {
		s.buys("acme", "p1", 1000, 1000).allocates("acme", "ann", 300).allocates("acme", "bob", 300).
			loses("p1", 450).has("acme: ann 250 p1, bob 300 p1").
			loses("p1", 800).has("acme: bob 200 p1").
			loses("p1", 700).has("acme: bob 300 p1").
			loses("p1", 0).has("acme: 400 p1, ann 300 p1, bob 300 p1")
	})
	run("R1_WhereverItWasContributed_BookByBook", func(s *tale) {
		s.buys("olga", "p1", 1000, 1000).contributes("club", 300).contributes("acme", 200).spends("olga", 400).
			has("acme: 200 p1", "olga: 100 p1", "club: 300 p1").
			loses("p1", 350).has("club: 250 p1").
			loses("p1", 700).has("olga: owes 100 p1").
			loses("p1", 350).has("club: 250 p1").
			loses("p1", 0).has("acme: 200 p1", "olga: 100 p1", "club: 300 p1")
	})
	run("R1_ThenOtherPurchasesInTheAccount_NotInAllocations", func(s *tale) {
		s.buys("acme", "p1", 1000, 1000).spends("acme", 900).buys("acme", "p2", 500, 500).allocates("acme", "ann", 300).
			has("acme: 300 p2, ann 100 p1, ann 200 p2").
			loses("p1", 1000).has("acme: ann 200 p2, owes 600 p1").
			loses("p1", 400).has("acme: ann 200 p2")
	})
	run("R1_WhatWasLastTakenReturnsFirst", func(s *tale) {
		s.buys("acme", "p1", 1000, 1000).spends("acme", 900).buys("acme", "p2", 500, 500).
			loses("p1", 300).has("acme: 300 p2").
			loses("p1", 200).has("acme: 400 p2").
			loses("p1", 50).has("acme: 50 p1, 500 p2")
	})
	run("R1_OpenDebtFallsFirst", func(s *tale) {
		s.buys("acme", "p1", 1000, 1000).spends("acme", 700).loses("p1", 800).has("acme: owes 500 p1").
			loses("p1", 400).has("acme: owes 100 p1").loses("p1", 100).has("acme: 200 p1")
	})
	run("R1_AfterDebtWasPaidInPart_TheRestComesBackAsCredits", func(s *tale) {
		s.buys("acme", "p1", 1000, 1000).spends("acme", 700).loses("p1", 1000).buys("acme", "p2", 500, 500).
			has("acme: owes 200 p1").loses("p1", 0).has("acme: 800 p1") // 300 that were left, 500 that paid
	})
	run("R1_ContributionsOfOthersAreNotOtherPurchases", func(s *tale) {
		s.buys("olga", "p1", 100, 100).contributes("acme", 100).buys("acme", "p2", 100, 100).spends("acme", 100).
			has("acme: 100 p2").loses("p2", 100).has()
		s.buys("olga", "p3", 100, 100).contributes("acme", 100).buys("acme", "p4", 100, 100).spends("acme", 110).
			has("acme: 90 p4").loses("p4", 100).has("acme: owes 10 p4")
	})
	run("R1_OtherPurchasesThatAreDisputedAreLeftAlone", func(s *tale) {
		s.buys("acme", "p1", 100, 100).spends("acme", 100).buys("acme", "p2", 100, 100).disputes("p2", true).
			loses("p1", 100).has("acme: 100 p2 frozen, owes 100 p1").disputes("p2", false).has("acme: 100 p2, owes 100 p1")
	})
	run("R1_WhatExpiredIsOwed", func(s *tale) {
		s.buys("acme", "p1", 100, 100).on("2026-01-11").loses("p1", 100).has("acme: owes 100 p1").loses("p1", 0).has()
	})
	run("T13_OwedWhereThePurchaseLivesNow", func(s *tale) {
		s.buys("acme", "p1", 1000, 1000).spends("acme", 700).moves("acme", "olga").has("olga: 300 p1").
			loses("p1", 500).has("olga: owes 200 p1").loses("p1", 1000).has("olga: owes 200 p1, owes 500 p1").
			loses("p1", 0).has("olga: 300 p1")
	})
	run("T13_AlsoOfWhatWasAllSpentBefore", func(s *tale) {
		s.buys("acme", "p1", 1000, 1000).spends("acme", 1000).moves("acme", "olga").has().
			loses("p1", 500).has("olga: owes 500 p1")
	})
	run("T13_DebtThatMovedFallsWhenTheRefundFails", func(s *tale) {
		s.buys("acme", "p1", 1000, 1000).spends("acme", 1000).loses("p1", 600).has("acme: owes 600 p1").
			moves("acme", "olga").has("olga: owes 600 p1").
			loses("p1", 100).has("olga: owes 100 p1").loses("p1", 0).has()
	})
	run("T13_DebtThatWasPaidAfterItMovedComesBackThere", func(s *tale) {
		s.buys("acme", "p1", 1000, 1000).spends("acme", 1000).loses("p1", 600).moves("acme", "olga").
			buys("olga", "p2", 400, 400).has("olga: owes 200 p1").
			loses("p1", 0).has("olga: 400 p1")
	})
	run("T13_WhatWasTakenBeforeFollowsWhenTheRefundFails", func(s *tale) {
		s.buys("acme", "p1", 1000, 1000).allocates("acme", "ann", 400).loses("p1", 700).moves("acme", "olga").
			has("olga: 300 p1").loses("p1", 0).has("olga: 300 p1, 100 p1, 600 p1")
	})
	run("R1_ThereAndBackAgain", func(s *tale) {
		s.buys("olga", "p1", 1000, 1000).moves("olga", "acme").spends("acme", 300).loses("p1", 500).has("acme: 200 p1").
			moves("acme", "olga").loses("p1", 1000).has("olga: owes 300 p1").
			moves("olga", "acme").has("acme: owes 300 p1").loses("p1", 0).has("acme: 500 p1, 200 p1")
	})
}

func TestDispute(t *testing.T) {
	t.Parallel()
	run := func(name string, tell func(*tale)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tell(tellRefunds(t))
		})
	}
	run("R2_FreezesWhereverItLies_WonThaws", func(s *tale) {
		s.buys("olga", "p1", 1000, 1000).contributes("acme", 300).allocates("acme", "ann", 100).buys("olga", "p2", 50, 50).
			disputes("p1", true).has("acme: 200 p1 frozen, ann 100 p1 frozen", "olga: 700 p1 frozen, 50 p2").
			disputes("p1", false).has("acme: 200 p1, ann 100 p1", "olga: 700 p1, 50 p2")
	})
	run("R2_LostTakesItsShareAndThawsTheRest", func(s *tale) {
		s.buys("acme", "p1", 1000, 1000).spends("acme", 100).disputes("p1", true)
		s.bought["p1"].disputed = false
		s.loses("p1", 250).has("acme: 650 p1")
	})
	run("R2_HeldCreditsStayHeld_AndFreezeWhenTheyComeBack", func(s *tale) {
		s.buys("acme", "p1", 1000, 1000).holdsBack("acme", "h", 400).disputes("p1", true).
			has("acme: 1000 p1 (400 held) frozen").releases("acme", "h").has("acme: 1000 p1 frozen").
			disputes("p1", false).has("acme: 1000 p1")
	})
	run("R2_ARefundBesideAnOpenDispute", func(s *tale) {
		s.buys("acme", "p1", 1000, 1000).loses("p1", 300).disputes("p1", true).loses("p1", 400).has("acme: 600 p1 frozen")
		s.bought["p1"].disputed = false
		s.loses("p1", 1000).has()
	})
	run("R2_NeverMoreThanItCost", func(s *tale) {
		s.buys("acme", "p1", 1000, 1000).loses("p1", 600).loses("p1", 1600).has().loses("p1", 600).has("acme: 400 p1")
	})
	run("R2_FrozenCreditsFollowASubscription", func(s *tale) {
		s.buys("acme", "p1", 1000, 1000).disputes("p1", true).moves("acme", "olga").has("olga: 1000 p1 frozen").
			disputes("p1", false).has("olga: 1000 p1")
	})
	run("L8_DeadWhenItIsThawed_ItExpiresAtOnce", func(s *tale) {
		s.buys("acme", "p1", 1000, 1000).disputes("p1", true).on("2026-06-01").has("acme: 1000 p1 frozen")
		s.bought["p1"].disputed = false
		s.loses("p1", 250).has()
		if owed := s.states["acme"].Book.Owed(); owed != 0 {
			t.Errorf("owed %d: what was there answered first", owed)
		}
	})
}
