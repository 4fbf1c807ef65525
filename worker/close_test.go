package worker

import (
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/teams"
)

// closes closes a team as its owner, of exactly what will expire.
func (w *world) closes(team, owner string) {
	w.t.Helper()
	w.inTx(func(tx pgx.Tx) error {
		by := teams.Actor{User: owner}
		told, err := teams.PreviewClose(w.t.Context(), tx, w.catalog, team, by, w.stripe.Now())
		if err != nil {
			return err
		}
		_, err = teams.Close(w.t.Context(), tx, w.catalog, teams.CloseIn{TeamID: team, By: by, Expires: told.Credits.Ends}, w.stripe.Now())
		return err
	})
}

func TestClosedTeam(t *testing.T) {
	t.Parallel()
	t.Run("B13_ASubscriptionThatNamesItGoesOnToTheNextPlace", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.start()
		customer := w.customer("purser_user", "olga")
		named := []string{"metadata[purser_team]", "acme"}
		sub := w.subscribe(customer, "team_monthly", 5, named...)
		w.settled()
		acme := w.teamOf("acme")
		same(t, "before", figures(w.read(acme.BookID)), figures(seatsOf(5)))
		w.closes("acme", "olga")
		personal := w.user("olga").BookID
		same(t, "T16: at home", figures(w.read(personal)), figures(seatsOf(5)))

		sub.seats(7) // it still names the closed team
		w.settled()
		same(t, "B10 goes on there", figures(w.read(personal)), figures(seatsOf(7)))
		sub.cancel()
		w.settled()
		w.subscribe(customer, "team_monthly", 2, named...) // the place of the one that ended
		w.settled()
		same(t, "seats on the personal account", w.read(personal).Seats, 2)
		other := w.team("other", "olga") // takes the one on the personal account (T2)
		same(t, "seats of the other team", w.read(other.BookID).Seats, 2)
		w.subscribe(w.customer("purser_user", "nora"), "team_monthly", 3, named...)
		w.settled()
		same(t, "another's", w.read(w.user("nora").BookID).Seats, 3)
		same(t, "the closed team", figures(w.read(acme.BookID)), figures(billing.Pool{}))
		w.audit()
	})
	t.Run("P4_WhatIsPaidForItGoesToTheBuyer", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.start()
		customer := w.customer("purser_user", "olga")
		acme := w.team("acme", "olga")
		order := w.order("top_1", acme.BookID, customer)
		w.closes("acme", "olga")
		w.pay(order)
		w.settled()
		same(t, "the buyer", w.read(w.user("olga").BookID).Purchased, 1000)
		same(t, "the closed team", figures(w.read(acme.BookID)), figures(billing.Pool{}))
		same(t, "the purchase", w.purchase("top_1").State, billing.PurchasePaid)
		w.audit()
	})
	t.Run("P4_ItClosesWhileThePaymentIsFetched", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		acme := w.team("acme", "olga")
		order := w.order("top_1", acme.BookID, w.customer("purser_user", "olga"))
		w.pay(order)
		w.start(func(c *Config) {
			var once sync.Once
			c.Between = func(step string) {
				if step == "fetched" {
					once.Do(func() { w.closes("acme", "olga") })
				}
			}
		})
		w.settled()
		same(t, "the buyer", w.read(w.user("olga").BookID).Purchased, 1000)
		same(t, "the closed team", figures(w.read(acme.BookID)), figures(billing.Pool{}))
		w.audit()
	})
}

func (w *world) teamOf(id string) teams.Team {
	w.t.Helper()
	team, err := teams.GetTeam(w.t.Context(), w.pool, id)
	ok(w.t, err)
	return team
}

// TestClosedTeamTopUp holds that what Stripe tells of a closed team's automatic purchases is
// heard, though the place that they go to knows no automatic top-up.
func TestClosedTeamTopUp(t *testing.T) {
	t.Parallel()
	t.Run("E2_WhatIsToldOfOneThatCameToNothingIsHeard", func(t *testing.T) {
		t.Parallel()
		h := newTopped(t)
		h.behaves("pm_card_chargeDeclined")
		h.set()
		h.askUntilKnown(h.worker)
		same(t, "declined", h.setting().State, billing.TopUpRetrying)
		h.closes("acme", "olga")
		h.replay(billing.EventFilter{Types: []string{"invoice.voided"}})
		h.settled()
		same(t, "failed events and jobs", h.count(`SELECT count(*) FROM river_job WHERE state = 'retryable' OR errors IS NOT NULL`), 0)
		same(t, "purchases that came to nothing", h.count(`SELECT count(*) FROM purchases WHERE state = 'failed'`), 1)
	})
}
