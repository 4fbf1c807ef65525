package billing

import (
	"strings"
	"testing"
	"time"

	"purser/ledger"
)

// TestExplain holds N2: forecasts come from what will do the thing.
func TestExplain(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	end := time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	fresh := func() *State {
		items := []Item{{ID: "si_1", PriceID: "price_1", LookupKey: "team_monthly", Interval: "month", IntervalCount: 1, Quantity: 5}}
		sub := &Sub{
			State: "placed",
			Facts: Subscription{
				ID: "sub_1", CustomerID: "cus_1", Status: StatusActive, Items: items, PeriodStart: start, PeriodEnd: end, Anchor: start,
				CreatedAt: start,
			},
			Paid: []PaidLine{{PriceID: "price_1", LookupKey: "team_monthly", Quantity: 5, Amount: 1, From: start, To: end}},
		}
		return &State{Book: ledger.Blank(1, ledger.TeamBook, start), Catalog: DemoCatalog(), Subs: []*Sub{sub}}
	}
	at := start.Add(48 * time.Hour)
	spendAt := func(s *State) {
		t.Helper()
		if err := s.Settle(at); err != nil {
			t.Fatal(err)
		}
		pool, _ := s.Book.Account(ledger.Main)
		_, err := s.Book.Spend(ledger.Request{Key: "k", Actor: "a", At: at}, ledger.SpendIn{Credits: 1000, Payers: []ledger.Payer{ledger.From(pool)}})
		if err != nil {
			t.Fatal(err)
		}
	}
	told := fresh()
	spendAt(told)
	next, err := told.forecast(Summarize(told, nil, at), at)
	if err != nil {
		t.Fatal(err)
	}

	// What then happens: the renewal is paid.
	real := fresh()
	spendAt(real)
	before := len(real.Book.Entries())
	sub := real.Subs[0]
	sub.Facts.PeriodStart, sub.Facts.PeriodEnd = end, AddMonths(end, 1)
	sub.Paid = append(sub.Paid, PaidLine{PriceID: "price_1", LookupKey: "team_monthly", Quantity: 5, Amount: 1, From: end, To: AddMonths(end, 1)})
	if err := real.Settle(end); err != nil {
		t.Fatal(err)
	}
	happened := real.Book.Entries()[before:]
	if len(next) != len(happened) || len(next) != 3 {
		t.Fatalf("foretold %d things, %d happened", len(next), len(happened))
	}
	for i, e := range happened {
		if f := next[i]; f.Kind != e.Kind || f.Credits != e.Credits || !f.At.Equal(e.At) {
			t.Errorf("foretold %s of %d at %s, it was %s of %d at %s", f.Kind, f.Credits, f.At, e.Kind, e.Credits, e.At)
		}
	}
	if next[2].If == "" || !strings.Contains(next[2].Sentence, "5000") {
		t.Errorf("the grant is foretold as %+v", next[2])
	}
}
