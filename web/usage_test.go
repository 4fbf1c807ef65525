package web_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
	"purser/teams"
)

const usageAt = "/page/teams/acme/usage"

// reverse gives a member's last spend back, in part.
func (w *world) reverse(of ledger.EntryRef, credits int64) {
	w.T.Helper()
	w.draw(teams.SpendIn{Op: teams.OpReverse, TeamID: "acme", Of: of, Credits: credits})
}

func (w *world) poolUsed() int64 {
	w.T.Helper()
	var used int64
	w.Must(func(tx pgx.Tx) error {
		pool, err := billing.ReadPool(w.T.Context(), tx, w.Catalog, w.acmeNow().BookID, w.Clock.Now())
		used = pool.Used
		return err
	})
	return used
}

func TestUsage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	team := w.acme()
	spent := ledger.EntryRef{Book: team.BookID} // cleo's 1,200
	w.Must(func(tx pgx.Tx) error {
		rows, err := ledger.FilterHistory(t.Context(), tx, ledger.HistoryFilter{Book: team.BookID, Holder: "cleo", Kinds: []ledger.EntryKind{ledger.KindSpend}, Limit: 1})
		if err == nil {
			spent.Sequence = rows[0].Sequence
		}
		return err
	})
	b := w.as("abe", "acme")
	t.Run("WhatIsGivenBackStandsOnItsOwnDay", func(t *testing.T) {
		b.get(usageAt).want(200, "1,500 used", "10 Mar 2026 1,500 0 1,500").wantNot("Given back 1")
		w.Clock.Advance(24 * time.Hour)
		w.reverse(spent, 200)
		b.get(usageAt).want(200, "1,300 used", "Spent 1,500 Given back 200", "10 Mar 2026 1,500 0", "11 Mar 2026 0 200 -200", "cleo 1,000", "bob 300")
		backs := regexp.MustCompile(`<rect class="column back" x="(\d+)" y="(\d+)" width="\d+" height="(\d+)"`).FindAllStringSubmatch(b.body, -1)
		column := regexp.MustCompile(`<rect class="column" x="(\d+)" y="(\d+)" width="\d+" height="(\d+)"`).FindStringSubmatch(b.body)
		number := func(text string) int { n, _ := strconv.Atoi(text); return n }
		switch {
		case len(backs) != 1 || column == nil:
			t.Errorf("drawn: %v beside %v", backs, column)
		case number(backs[0][1]) <= number(column[1]):
			t.Errorf("it stands on the day of the spend: %v beside %v", backs, column)
		case number(backs[0][2]) != number(column[2])+number(column[3]):
			t.Errorf("it doesn't hang on the line: %v beside %v", backs, column)
		}
		if w.poolUsed() != 1300 {
			t.Errorf("the pool says %d", w.poolUsed())
		}
	})
	t.Run("B12_ASpendOfAnEarlierPeriodGivenBackDoesntLowerThisOnes", func(t *testing.T) {
		w.Clock.Set(noon.AddDate(0, 1, 3))
		w.spend("acme", "bob", 100)
		w.reverse(spent, 300)
		if w.poolUsed() != 100 {
			t.Errorf("the pool says %d", w.poolUsed())
		}
		b.get(usageAt).want(200, "100 used", "Spent 100 Given back 300", "300 credits of what was given back were spent before these days", "13 Apr 2026 100 300 100", "bob 100", "cleo 0")
		b.get(b.leadsTo("The period before")).want(200, "1,300 used", "10 Mar 2026 1,500 0")
		b.get(usageAt+"?from=2026-03-10&to=2026-04-13").want(200, "1,100 used", "Spent 1,600 Given back 500").wantNot("before these days")
	})
	t.Run("T14_AMemberSeesOnesOwnUse", func(t *testing.T) {
		text := visibleText(w.as("bob", "acme").get(usageAt).want(200, "100 used").body)
		if strings.Contains(text, "cleo") || strings.Contains(text, "Given back 300") {
			t.Errorf("bob sees cleo's: %s", text)
		}
	})
	t.Run("T14_EachPeriodIsAStepAway_BackToTheFirstAndOnAgain", func(t *testing.T) {
		w.Clock.Set(noon.AddDate(0, 3, 3)) // nobody renews: Stripe isn't heard of
		b.get(usageAt).want(200, "10 Jun 2026 – 10 Jul 2026", "0 used").wantNot("Later period")
		b.get(b.leadsTo("Earlier period")).want(200, "10 May 2026 – 10 Jun 2026", "0 used")
		b.get(b.leadsTo("Earlier period")).want(200, "10 Apr 2026 – 10 May 2026", "100 used", "bob 100", "before these days")
		b.get(b.leadsTo("Earlier period")).want(200, "10 Mar 2026 – 10 Apr 2026", "1,300 used", "10 Mar 2026 1,500 0", "cleo 1,000").wantNot("Earlier period")
		f := b.form("")
		if f.fields.Get("from") != "2026-03-10" || f.fields.Get("to") != "2026-04-10" {
			t.Errorf("the days: %v", f.fields)
		}
		b.get(usageAt+"?"+f.fields.Encode()).want(200, "10 Mar 2026 – 10 Apr 2026", "1,300 used", "Later period") // the same days are the same period
		b.get(b.leadsTo("Later period")).want(200, "10 Apr 2026 – 10 May 2026", "100 used")
		for range 2 {
			b.get(b.leadsTo("Later period")).want(200)
		}
		b.want(200, "10 Jun 2026 – 10 Jul 2026").wantNot("Later period")
		if b.at != usageAt {
			t.Errorf("this period is at %s", b.at)
		}
		b.get(b.leadsTo("The last 90 days")).want(200, "16 Mar 2026 – 13 Jun 2026").wantNot("Earlier period", "Later period")
	})
	t.Run("T14_WhateverAnAddressAsksForThereIsAPeriod", func(t *testing.T) {
		for asked, says := range map[string]string{
			"2026-05-01T00:00:00Z": "10 Apr 2026 – 10 May 2026", "1999-01-01T00:00:00Z": "10 Mar 2026 – 10 Apr 2026",
			"2999-01-01T00:00:00Z": "10 Jun 2026 – 10 Jul 2026", "nonsense": "10 Jun 2026 – 10 Jul 2026",
		} {
			b.get(usageAt+"?period="+asked).want(200, says)
		}
	})
	t.Run("B4_WithoutASubscriptionTheStepsAreMonths_InTheViewersZone", func(t *testing.T) {
		w.User("eve")
		w.Clock.Set(noon.AddDate(0, 5, 0))
		eve := w.browser().get(w.linkIn("eve", "", "", "America/New_York")).want(200)
		eve.get("/page/account/usage").want(200, "31 Jul 2026 – 31 Aug 2026", "0 used")
		eve.get(eve.leadsTo("Earlier period")).want(200, "30 Jun 2026 – 31 Jul 2026")
		eve.get(eve.leadsTo("Earlier period")).want(200, "31 May 2026 – 30 Jun 2026").wantNot("Earlier period") // she came in June
		eve.get(eve.leadsTo("Later period")).want(200, "30 Jun 2026 – 31 Jul 2026")
		eve.get(eve.leadsTo("Later period")).want(200, "31 Jul 2026 – 31 Aug 2026")
	})
}
