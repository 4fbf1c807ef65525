package worker

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/internal/localstripe"
)

func TestDowntime(t *testing.T) {
	t.Parallel()
	t.Run("B4_FourteenMonthsOnAYearlyPlanAreCaughtUpMonthByMonth", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		team := w.team("acme", "olga")
		sub := w.subscribe(w.customer("purser_user", "olga"), "team_yearly", 2, "metadata[purser_team]", "acme")
		worker, stop := w.start()
		w.settled()
		stop()
		w.stripe.SetDelivery(localstripe.Faults{Drop: []string{"*"}})
		for range 13 {
			w.advance(30 * day)
		}
		w.advanceTo(jan15.AddDate(0, 14, 3))
		unheard := w.read(team.BookID)
		same(t, "B7: what a renewal brings that wasn't heard of", unheard.Monthly, int64(0))
		// Stripe lists events for thirty days: the renewal's are gone. Whoever reconciles
		// has the subscription fetched.
		stage := func(tx pgx.Tx, _ billing.Outcome) error { return nil }
		_, err := worker.book.fetchAndApply(t.Context(), billing.Target{Kind: billing.TargetSubscription, ID: sub.id}, stage)
		ok(t, err)
		late := w.read(team.BookID)
		settle(t, worker)
		same(t, "B4: a read before the sweep ran shows the same", figures(w.read(team.BookID)), figures(late))
		same(t, "B4: the months, each granted once", w.count(`SELECT count(*) FROM entries WHERE kind = 'grant'`), 15)
		same(t, "B4: periods", w.count(`SELECT count(*) FROM periods WHERE granted_at = start_at AND granted = 2000`), 15)
		for n := range int64(15) {
			start, end := billing.AddMonths(jan15, int(n)), billing.AddMonths(jan15, int(n)+1)
			same(t, fmt.Sprintf("B8: lots of month %d with their own end", n+1), w.count(`
				SELECT count(*) FROM lots WHERE source = 'monthly' AND effective_at = $1 AND expires_at = $2`, start, end.Add(24*time.Hour)), 1)
		}
		// 2,000 a month and at most 1,000 that roll.
		same(t, "B9", figures(late), figures(billing.Pool{Seats: 2, Total: 3000, Monthly: 2000, Rollover: 1000, Available: 3000}))
		w.audit()
	})

	t.Run("B4_MonthsOfAPaidYearNeedNoEventAndNoWorkerToBeRead", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		team := w.team("acme", "olga")
		w.subscribe(w.customer("purser_user", "olga"), "team_yearly", 2, "metadata[purser_team]", "acme")
		worker, stop := w.start()
		w.settled()
		stop()
		w.stripe.SetDelivery(localstripe.Faults{Drop: []string{"*"}})
		for n := 1; n < 12; n++ {
			w.advanceTo(billing.AddMonths(jan15, n))
			got := w.read(team.BookID)
			same(t, fmt.Sprintf("month %d, read with no worker", n+1), figures(got),
				figures(billing.Pool{Seats: 2, Total: 3000, Monthly: 2000, Rollover: 1000, Available: 3000}))
		}
		same(t, "written", w.count(`SELECT count(*) FROM entries WHERE kind = 'grant'`), 1)
		read := w.read(team.BookID)
		n, err := worker.SettleDue(t.Context())
		ok(t, err)
		same(t, "books settled", n, 1)
		same(t, "written", w.count(`SELECT count(*) FROM entries WHERE kind = 'grant'`), 12)
		same(t, "read after it was written", figures(w.read(team.BookID)), figures(read))
		w.audit()
	})

	t.Run("B8_AWorkerDownThreeDaysAcrossARenewalCostsNobodyACredit", func(t *testing.T) {
		t.Parallel()
		var ends []string
		for _, down := range []bool{false, true} {
			w := newWorld(t)
			team := w.team("acme", "olga")
			w.subscribe(w.customer("purser_user", "olga"), "team_monthly", 5, "metadata[purser_team]", "acme")
			worker, stop := w.start()
			w.settled()
			w.spend(team.BookID, "spend", 700)
			renewal := jan15.AddDate(0, 1, 0)
			w.advanceTo(renewal.Add(-day))
			if down {
				stop()
			}
			for at := renewal.Add(-day); !at.After(renewal.Add(3 * day)); at = at.Add(6 * time.Hour) {
				w.advanceTo(at)
				if !down {
					w.settled()
					_, err := worker.SettleDue(t.Context())
					ok(t, err)
				}
			}
			if down {
				again, _ := w.start()
				w.settled()
				_, err := again.SettleDue(t.Context())
				ok(t, err)
			}
			ends = append(ends, portrait(t, w.pool, team.BookID)+"\n"+figures(w.read(team.BookID)))
			w.audit()
		}
		same(t, "what the worker that was down came to", ends[1], ends[0])
	})
}

// settle runs what a started worker's clock would.
func settle(t testing.TB, w *Worker) int {
	t.Helper()
	n, err := w.SettleDue(context.WithoutCancel(t.Context()))
	ok(t, err)
	return n
}
