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
	next, err := told.Forecast(at, "")
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
	if next[2].If == "" || !strings.Contains(next[2].Sentence.String(), "5000") {
		t.Errorf("the grant is foretold as %+v", next[2])
	}
}

// TestExplain_ForAMember holds N2 of a member: only what lies in that allocation.
func TestExplain_ForAMember(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC)
	soon, late := at.AddDate(0, 0, 5), at.AddDate(0, 3, 0)
	s := &State{Book: ledger.Blank(1, ledger.TeamBook, at), Catalog: DemoCatalog()}
	r := func(key, holder string) ledger.Request {
		return ledger.Request{Key: key, Actor: "a", At: at, Holder: holder}
	}
	grant := func(key string, account *ledger.Account, credits int64, end time.Time) {
		t.Helper()
		if _, err := s.Book.Grant(r(key, ""), account, ledger.LotIn{Source: ledger.Bonus, Origin: key, EffectiveAt: at, ExpiresAt: &end}, credits); err != nil {
			t.Fatal(err)
		}
	}
	pool, _ := s.Book.Account(ledger.Main)
	ann, bob := s.Book.MakeAllocation("ann", at), s.Book.MakeAllocation("bob", at)
	grant("pool", pool, 100, soon)
	grant("ann", ann, 10, soon)
	grant("bob", bob, 7, soon)
	grant("later", bob, 5, late)
	if _, err := s.Book.Hold(r("hold", "bob"), ledger.HoldIn{Credits: 3, Payers: []ledger.Payer{ledger.From(bob), ledger.From(pool)}, ExpiresAt: at.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	next, err := s.Forecast(at, "bob")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, f := range next {
		told = append(told, f.Sentence.String())
	}
	want := []string{
		"On 2026-03-10 01:00 UTC a hold of 3 credits ends by itself.",
		"On 2026-03-15 00:00 UTC 7 credits expire, if nobody uses them before.",
		"On 2026-06-10 00:00 UTC what is then left of 5 bonus credits expires.",
	}
	if strings.Join(told, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
}
