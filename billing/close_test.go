package billing

import (
	"testing"
	"time"

	"purser/ledger"
)

// TestClosing_Decide holds T16's decision: whose each lot is, and what a team's end ends.
func TestClosing_Decide(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC)
	sub := &Sub{Facts: Subscription{ID: "sub_1", CustomerID: "cus_ann"}}
	for name, c := range map[string]struct {
		lot      ledger.LotIn
		heldBack bool
		ann, bob int64 // of 10 credits: what goes to whom
		ends     int64
		follows  int64
	}{
		"T13_GrantedForTheSubscription":    {lot: ledger.LotIn{Source: ledger.Monthly, Series: "sub_1", Step: 1}, ann: 10},
		"T13_RolledOverForIt":              {lot: ledger.LotIn{Source: ledger.Rollover, Series: "sub_1", Step: 2}, ann: 10},
		"T13_BoughtByItsOwner":             {lot: ledger.LotIn{Source: ledger.Purchase, Payer: "cus_ann2"}, ann: 10},
		"T13_PutInByItsOwner":              {lot: ledger.LotIn{Source: ledger.Bonus, Contributor: "ann"}, ann: 10},
		"T16_BoughtByTheTeamsOwner":        {lot: ledger.LotIn{Source: ledger.Purchase, Payer: "cus_bob"}, bob: 10},
		"T16_BoughtByAnotherAndPutInByAnn": {lot: ledger.LotIn{Source: ledger.Purchase, Payer: "cus_bob", Contributor: "ann"}, ann: 10},
		"T16_BoughtByAnnAndPutInByAnother": {lot: ledger.LotIn{Source: ledger.Purchase, Payer: "cus_ann", Contributor: "cid"}, ends: 10},
		"T16_BoughtByAnother":              {lot: ledger.LotIn{Source: ledger.Purchase, Payer: "cus_cid"}, ends: 10},
		"T16_BoughtByNobodyKnown":          {lot: ledger.LotIn{Source: ledger.Purchase}, ends: 10},
		"T16_TheOperatorsBonus":            {lot: ledger.LotIn{Source: ledger.Bonus}, ends: 10},
		"T16_NotYetEffective":              {lot: ledger.LotIn{Source: ledger.Bonus, EffectiveAt: at.AddDate(0, 1, 0)}, ends: 10},
		"T13_OfAnotherSubscriptionThatLeft": {
			lot: ledger.LotIn{Source: ledger.Monthly, Series: "sub_0", Step: 1}, heldBack: true, follows: 10,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &State{Book: ledger.Blank(1, ledger.TeamBook, at), Catalog: DemoCatalog(), Subs: []*Sub{sub}}
			c.lot.Origin = "lot"
			if c.lot.EffectiveAt.IsZero() {
				c.lot.EffectiveAt = at
			}
			// It lies in an allocation: that makes no difference.
			entry, err := s.Book.Grant(ledger.Request{Key: "k", Actor: "a", At: at}, s.Book.MakeAllocation("dan", at), c.lot, 10)
			if err != nil {
				t.Fatal(err)
			}
			closing := &Closing{
				homes: []*home{
					{userID: "ann", pays: map[string]bool{"cus_ann": true, "cus_ann2": true}, subs: []*Sub{sub}},
					{userID: "bob", pays: map[string]bool{"cus_bob": true}},
				},
				heldBack: map[int64]bool{},
			}
			if c.heldBack {
				closing.heldBack[entry.Postings[0].Lot] = true
			}
			closing.decide(s)
			ann, bob := closing.Homeward[0], closing.Homeward[1]
			if ann.Credits != c.ann || bob.Credits != c.bob || closing.Ends != c.ends || closing.Following != c.follows {
				t.Errorf("%d to ann, %d to bob, %d end, %d follow", ann.Credits, bob.Credits, closing.Ends, closing.Following)
			}
			if parts := len(ann.Parts) + len(bob.Parts) + len(closing.Ending); parts != 1 && c.follows == 0 {
				t.Errorf("%d parts", parts)
			}
		})
	}
}
