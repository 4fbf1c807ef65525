package billing

import (
	"encoding/json"
	"testing"
	"time"

	"purser/ledger"
)

// bookOf is a team's book with a lot of each kind: 1,000 monthly, 800 rolled over, 600
// bought, 400 bonus, 200 that a member put in, and 50 that aren't effective yet.
func bookOf(t *testing.T) (*ledger.Book, time.Time) {
	t.Helper()
	at := day("2026-01-10")
	b := ledger.Blank(1, ledger.TeamBook, at)
	main, _ := b.Account(ledger.Main)
	end := day("2026-02-01")
	for _, lot := range []struct {
		in      ledger.LotIn
		credits int64
	}{
		{ledger.LotIn{Source: ledger.Monthly, Origin: "monthly", Series: "sub_1", Step: 2, ExpiresAt: &end}, 1000},
		{ledger.LotIn{Source: ledger.Rollover, Origin: "rollover", Series: "sub_1", Step: 2, ExpiresAt: &end}, 800},
		{ledger.LotIn{Source: ledger.Purchase, Origin: "purchase"}, 600},
		{ledger.LotIn{Source: ledger.Bonus, Origin: "bonus"}, 400},
		{ledger.LotIn{Source: ledger.Purchase, Origin: "contributed", Contributor: "ada"}, 200},
		{ledger.LotIn{Source: ledger.Bonus, Origin: "upcoming", EffectiveAt: day("2026-01-20")}, 50},
	} {
		if lot.in.EffectiveAt.IsZero() {
			lot.in.EffectiveAt = day("2026-01-05")
		}
		if _, err := b.Grant(ledger.Request{Key: lot.in.Origin, Actor: "test", At: at}, main, lot.in, lot.credits); err != nil {
			t.Fatal(err)
		}
	}
	return b, at
}

func TestSummarize(t *testing.T) {
	t.Parallel()
	b, at := bookOf(t)
	main, _ := b.Account(ledger.Main)
	req := func(key string) ledger.Request {
		return ledger.Request{Key: key, Actor: "test", Holder: "ada", At: at}
	}
	must := func(_ *ledger.Entry, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	// In draw order: what rolled over ends with the month and began no later than it.
	must(b.Hold(req("hold"), ledger.HoldIn{Credits: 100, Payers: []ledger.Payer{ledger.From(main)}, ExpiresAt: at.Add(time.Hour)}))
	must(b.Move(req("allocate"), ledger.MoveIn{Kind: ledger.KindAllocation, From: main, To: b.MakeAllocation("ada", at), Credits: 250}))
	bought, _ := b.Lot("purchase")
	must(b.SetFrozen(req("dispute"), bought, true))
	state := &State{Book: b, Catalog: &Catalog{}}
	used := []ledger.Usage{{Holder: "ada", Monthly: 70, Purchased: 5}, {Holder: "ben", Rollover: 3, Contributed: 2}}

	got := Summarize(state, used, at)
	want := Pool{
		At: at, PeriodStart: day("2026-01-01"), PeriodEnd: day("2026-02-01"),
		Used: 80, Held: 100, Allocated: 250, Frozen: 600, Available: 2050, Total: 3080,
		Monthly: 1070, Rollover: 803, Purchased: 605, Bonus: 400, Contributed: 202, Upcoming: 50,
	}
	got.Lots = nil
	if gotText, wantText := poolText(got), poolText(want); gotText != wantText {
		t.Errorf("B12: it is\n%s\nand should be\n%s", gotText, wantText)
	}
	if got.Total != got.Monthly+got.Rollover+got.Purchased+got.Bonus+got.Contributed {
		t.Errorf("B12: %d isn't the sum by source", got.Total)
	}
}

func poolText(p Pool) string {
	p.Lots = nil
	text, err := json.Marshal(p)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func TestReadPoolOfNobody(t *testing.T) {
	t.Parallel()
	at := day("2026-03-31")
	got := Summarize(&State{Book: ledger.Blank(1, ledger.UserBook, at), Catalog: &Catalog{}}, nil, at)
	if got.Total != 0 || !got.PeriodStart.Equal(day("2026-03-01")) || !got.PeriodEnd.Equal(day("2026-04-01")) || got.Lots == nil {
		t.Errorf("B4: without a subscription the month is the calendar's, and empty: %+v", got)
	}
}
