package worker

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
	"purser/teams"
)

// TestStrays holds that what comes back of a subscription's credits where the subscription
// isn't any more goes after it: it would have gone along, had it been there.
func TestStrays(t *testing.T) {
	t.Parallel()
	reverse := func(w *world, book int64, key string, spent, credits int64) {
		w.move(book, ledger.Want{Book: book, Undo: []int64{spent}}, func(b *ledger.Book, at time.Time) (*ledger.Entry, error) {
			return b.Reverse(ledger.Request{Key: key, Actor: "ada", Holder: "ada", At: at}, spent, credits)
		})
	}
	unassign := func(w *world) {
		w.inTx(func(tx pgx.Tx) error {
			_, err := teams.UnassignSubscription(w.t.Context(), tx, w.catalog, "acme", teams.Actor{User: "olga"}, w.stripe.Now())
			return err
		})
	}

	t.Run("T13_AReversedSpendFollowsTheSubscription_AndJoinsTheTurnsItMissed", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		team := w.team("acme", "olga")
		w.subscribe(w.customer("purser_user", "olga"), "team_monthly", 5, "metadata[purser_team]", "acme")
		worker, _ := w.start()
		w.settled()
		spent := w.spend(team.BookID, "spend", 4000)
		w.advanceTo(feb15.Add(2 * time.Hour))
		w.settled()
		settle(t, worker)
		now := w.spend(team.BookID, "now", 1300) // what rolled, and of the new month
		unassign(w)
		personal := w.user("olga").BookID
		same(t, "gone", figures(w.read(personal)), figures(billing.Pool{Seats: 5, Total: 4700, Monthly: 4700, Available: 4700}))

		reverse(w, team.BookID, "reverse", spent, 4000)
		reverse(w, team.BookID, "reverse now", now, 400)
		settle(t, worker)
		// Of five seats 2,500 roll, and 1,000 did: 1,500 of what came back join them.
		same(t, "L8: at home", figures(w.read(personal)),
			figures(billing.Pool{Seats: 5, Total: 6600, Monthly: 5000, Rollover: 1600, Available: 6600}))
		same(t, "what stays", figures(w.read(team.BookID)), figures(billing.Pool{Total: 900, Monthly: 0, Rollover: 900, Used: 900}))
		same(t, "what is held back", w.count(`SELECT count(*) FROM held_back`), 0)
		w.audit()
	})

	t.Run("T13_HalfAYearLater", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		team := w.team("acme", "olga")
		w.subscribe(w.customer("purser_user", "olga"), "team_monthly", 1, "metadata[purser_team]", "acme")
		worker, _ := w.start()
		w.settled()
		spent := w.spend(team.BookID, "spend", 1000)
		unassign(w)
		for n := 1; n <= 6; n++ {
			w.advanceTo(jan15.AddDate(0, n, 0).Add(2 * time.Hour))
			w.settled()
			settle(t, worker)
		}
		personal := w.user("olga").BookID
		same(t, "six months", w.read(personal).Available, 1500)
		reverse(w, team.BookID, "reverse", spent, 1000)
		settle(t, worker)
		same(t, "B9: it has survived no more turns than it may", w.read(personal).Available, 1500)
		same(t, "what stays in the team", w.left(team.BookID), "available 0, allocated 0, held 0, frozen 0, used 0, debt 0")
		w.audit()
	})
}
