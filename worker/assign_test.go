package worker

import (
	"fmt"
	"testing"
	"time"

	"purser/billing"
	"purser/ledger"
)

func TestCreateTeam(t *testing.T) {
	t.Parallel()
	t.Run("T2_ItsOwnersSubscriptionComesWithItsCreditsAndTheBoughtOnes", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		worker, _ := w.start()
		customer := w.customer("purser_user", "olga")
		sub := w.subscribe(customer, "team_monthly", 5)
		w.settled()
		personal := w.user("olga").BookID
		same(t, "B13: on the personal account", figures(w.read(personal)), figures(seatsOf(5)))
		w.buy("top_1", personal, customer)
		w.settled()
		w.spend(personal, "before", 700)
		team := w.team("acme", "olga")

		same(t, "what is left behind: what was used", figures(w.read(personal)), figures(billing.Pool{Total: 700, Monthly: 700, Used: 700}))
		moved := w.read(team.BookID)
		same(t, "T13: what came", figures(moved), figures(billing.Pool{Seats: 5, Total: 5300, Monthly: 4300, Purchased: 1000, Available: 5300}))
		same(t, "nothing is granted again", w.count(`SELECT count(*) FROM entries WHERE kind = 'grant'`), 2)
		for _, l := range moved.Lots {
			want := map[string]time.Time{"monthly": jan15.AddDate(0, 1, 1), "purchased": jan15.AddDate(1, 0, 0)}[l.Source]
			same(t, "the end of what is "+l.Source, l.ExpiresAt.UTC().Format(time.RFC3339), want.Format(time.RFC3339))
		}
		w.audit()

		w.spend(team.BookID, "after", 300)
		for _, step := range []struct{ seats, available, owed int64 }{{8, 8000, 0}, {2, 2000, 0}, {8, 8000, 0}} {
			sub.seats(int(step.seats))
			w.settled()
			same(t, fmt.Sprintf("B10: available with %d seats", step.seats), w.read(team.BookID).Available, step.available)
			same(t, "B10: owed", w.count(`SELECT owed FROM periods`), step.owed)
		}
		w.advanceTo(jan15.AddDate(0, 1, 0).Add(2 * time.Hour))
		w.settled()
		settle(t, worker)
		same(t, "B9 after the turn", figures(w.read(team.BookID)), figures(billing.Pool{
			Seats: 8, Total: 13_000, Monthly: 8000, Purchased: 1000, Rollover: 4000, Available: 13_000,
		}))
		w.stripe.Resend(2, 3)
		w.settled()
		same(t, "nothing on the personal account", figures(w.read(personal)), figures(billing.Pool{}))
		w.audit()
	})

	t.Run("T2_TheOldestOfSeveral_AndNoneWhosePlanHasNoTeams", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t)
		personal := d.linked("cus_1", "olga").BookID
		w := d.worker()
		for i, key := range []string{"solo_monthly", "team_monthly", "business_monthly"} {
			id := fmt.Sprint("sub_", i)
			d.fake.sell(id, "cus_1", key, 1, jan15.Add(time.Duration(i)*time.Hour))
		}
		d.now = jan15.Add(3 * time.Hour)
		for i := range 3 {
			work(t, w, d.event("customer.subscription.created", fmt.Sprint("sub_", i), "cus_1"))
		}
		team := d.teamOf("acme", "olga")
		same(t, "the team's", d.count(`SELECT count(*) FROM subscriptions WHERE team_id = 'acme' AND id = 'sub_1' AND book_id = $1`, team.BookID), 1)
		same(t, "the personal account's", d.count(`SELECT count(*) FROM subscriptions WHERE team_id = '' AND book_id = $1`, personal), 2)
		same(t, "B12 of the team", d.read(team.BookID).Available, 1000)
		same(t, "B12 of the account", d.read(personal).Available, 3000)
		d.audit()
	})

	t.Run("T2_AllOfItSpentAlready_AndSeatsAddedThen", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.start()
		sub := w.subscribe(w.customer("purser_user", "olga"), "team_monthly", 2)
		w.settled()
		w.spend(w.user("olga").BookID, "all", 2000)
		team := w.team("acme", "olga")
		same(t, "B12", w.read(team.BookID).Total, 0)
		sub.seats(5)
		w.settled()
		same(t, "B10: three seats more", w.read(team.BookID).Available, 3000)
		sub.seats(3)
		w.settled()
		same(t, "B10: two seats fewer", w.read(team.BookID).Available, 1000)
		w.audit()
	})

	t.Run("T2_BeforeTheSweepRan_TheMonthTurnsOnTheWay", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t)
		d.linked("cus_1", "olga")
		d.fake.sell("sub_1", "cus_1", "team_monthly", 2, jan15)
		d.fake.yearly("sub_1")
		work(t, d.worker(), d.event("customer.subscription.created", "sub_1", "cus_1"))
		d.now = jan15.AddDate(0, 2, 1)
		team := d.teamOf("acme", "olga")
		same(t, "B9", figures(d.read(team.BookID)), figures(billing.Pool{Seats: 2, Total: 3000, Monthly: 2000, Rollover: 1000, Available: 3000}))
		d.audit()
	})
}

// TestPool holds B12 against walks on which a period turns: used is exact, whatever
// happens on which side of the turn.
func TestPool(t *testing.T) {
	t.Parallel()
	t.Run("B12_UsedAcrossTheTurn", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		team := w.team("acme", "olga")
		w.subscribe(w.customer("purser_user", "olga"), "team_monthly", 5, "metadata[purser_team]", "acme")
		worker, _ := w.start()
		w.settled()
		book := team.BookID
		spent := w.spend(book, "spend", 1000)
		end := jan15.AddDate(0, 1, 0)
		w.advanceTo(end.Add(-time.Hour))
		hold := w.hold(book, "hold", 400, 20*time.Hour)
		same(t, "before the turn", figures(w.read(book)), figures(billing.Pool{Seats: 5, Total: 5000, Monthly: 5000, Used: 1000, Held: 400, Available: 3600}))
		w.advanceTo(end.Add(2 * time.Hour))
		w.settled()
		settle(t, worker)
		same(t, "after the turn: the hold's credits neither rolled nor ended", figures(w.read(book)),
			figures(billing.Pool{Seats: 5, Total: 7900, Monthly: 5400, Rollover: 2500, Held: 400, Available: 7500}))

		w.move(book, ledger.Want{Book: book, Holds: []int64{hold}}, func(b *ledger.Book, at time.Time) (*ledger.Entry, error) {
			return b.Capture(ledger.Request{Key: "capture", Actor: "ada", Holder: "ada", At: at}, hold, 300)
		})
		got := w.read(book)
		same(t, "used of a hold made before the turn and captured after it", got.Used, 300)
		same(t, "L8: what it gave back found no room and ended", got.Rollover, 2500)
		same(t, "total", got.Total, 7800)

		w.move(book, ledger.Want{Book: book, Undo: []int64{spent}}, func(b *ledger.Book, at time.Time) (*ledger.Entry, error) {
			return b.Reverse(ledger.Request{Key: "reverse", Actor: "ada", Holder: "ada", At: at}, spent, 1000)
		})
		got = w.read(book)
		same(t, "used after an earlier period's spend was reversed", got.Used, 300)
		same(t, "total", got.Total, 7800)
		now := w.spend(book, "now", 50)
		w.move(book, ledger.Want{Book: book, Undo: []int64{now}}, func(b *ledger.Book, at time.Time) (*ledger.Entry, error) {
			return b.Reverse(ledger.Request{Key: "reverse now", Actor: "ada", Holder: "ada", At: at}, now, 20)
		})
		same(t, "used after one of this period's was reversed in part", w.read(book).Used, 330)
		w.audit()
	})

	t.Run("B12_UsedIsExactAtTheVeryTurn_WrittenOrNot", func(t *testing.T) {
		t.Parallel()
		d, team := acme(t, 5)
		d.fake.yearly("sub_1")
		w := d.worker()
		work(t, w, d.event("customer.subscription.created", "sub_1", "cus_1"))
		d.spendNow(team.BookID, "one", 700)
		end := jan15.AddDate(0, 1, 0)
		d.now = end.Add(-time.Microsecond)
		d.spendNow(team.BookID, "two", 200)
		same(t, "used to the last", d.read(team.BookID).Used, 900)
		d.now = end
		same(t, "used from the first, unwritten", d.read(team.BookID).Used, 0)
		d.spendNow(team.BookID, "three", 30)
		same(t, "used", d.read(team.BookID).Used, 30)
		settle(t, w)
		same(t, "used after the sweep", d.read(team.BookID).Used, 30)
		d.now = end.AddDate(0, 1, 0)
		same(t, "used in the month after", d.read(team.BookID).Used, 0)
		d.audit()
	})

	t.Run("B12_AClockThatWentBackWhileWaitingForTheLockCountsNothingTwice", func(t *testing.T) {
		t.Parallel()
		d, team := acme(t, 5)
		d.fake.yearly("sub_1")
		w := d.worker()
		work(t, w, d.event("customer.subscription.created", "sub_1", "cus_1"))
		end := jan15.AddDate(0, 1, 0)
		d.now = end.Add(time.Minute)
		d.spendNow(team.BookID, "new month", 40)
		d.now = end.Add(-time.Minute) // another process, whose clock is behind
		work(t, w, d.event("customer.subscription.updated", "sub_1", "cus_1"))
		d.now = end.Add(2 * time.Minute)
		same(t, "used", d.read(team.BookID).Used, 40)
		d.spendNow(team.BookID, "again", 2)
		same(t, "used", d.read(team.BookID).Used, 42)
		d.audit()
	})
}

// spendNow spends by the desk's clock.
func (d *desk) spendNow(book int64, key string, credits int64) {
	d.t.Helper()
	d.moveAt(book, ledger.Want{Book: book}, d.now, func(b *ledger.Book, at time.Time) (*ledger.Entry, error) {
		main, _ := b.Account(ledger.Main)
		return b.Spend(ledger.Request{Key: key, Actor: "ada", Holder: "ada", At: at}, ledger.SpendIn{Credits: credits, Payers: []ledger.Payer{ledger.From(main)}})
	})
}
