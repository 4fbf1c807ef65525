package worker

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/teams"
)

// TestSeatsFollow holds what a team does by itself when Stripe changes its seats.
func TestSeatsFollow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	w.team("acme", "olga")
	sub := w.subscribe(w.customer("purser_user", "olga"), "team_monthly", 3, "metadata[purser_team]", "acme")
	w.settled()
	seated := func() int64 { return w.count(`SELECT count(*) FROM members WHERE seat_at IS NOT NULL`) }
	same(t, "T4: the owner takes a seat on assignment", seated(), 1)

	w.inTx(func(tx pgx.Tx) error {
		for i, user := range []string{"ada", "ben"} {
			if _, err := teams.EnsureUser(t.Context(), tx, user, w.stripe.Now()); err != nil {
				return err
			}
			_, err := tx.Exec(t.Context(), `
				INSERT INTO members (team_id, user_id, role, access, access_given, seat_at, joined_at)
				VALUES ('acme', $1, 'member', 'seat', 'seat', $2, $2)`, user, w.stripe.Now().Add(time.Duration(i+1)*time.Minute))
			if err != nil {
				return err
			}
		}
		return nil
	})
	sub.seats(2)
	w.settled()
	same(t, "T5: as many as were bought", seated(), 2)
	same(t, "T5: the one assigned last fell back", w.count(`SELECT count(*) FROM members WHERE user_id = 'ben' AND access = 'personal' AND personal_by = 'seats'`), 1)
	sub.seats(5)
	w.settled()
	same(t, "T5: nobody comes back by itself", seated(), 2)
	w.audit()
}

// TestSettleDue_T13 holds that what was held while its subscription left the team follows
// it once the hold settles.
func TestSettleDue_T13_WhatWasHeldFollowsItsSubscription(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker, _ := w.start()
	team := w.team("acme", "olga")
	w.subscribe(w.customer("purser_user", "olga"), "team_monthly", 2, "metadata[purser_team]", "acme")
	w.settled()
	w.hold(team.BookID, "held", 300, 15*time.Minute)
	w.inTx(func(tx pgx.Tx) error {
		_, err := teams.UnassignSubscription(t.Context(), tx, worker.cfg.Catalog, "acme", teams.Actor{User: "olga"}, w.stripe.Now())
		return err
	})
	personal := w.user("olga").BookID
	same(t, "what was free went along", w.read(personal).Available, 1700)
	same(t, "what is held stays", w.read(team.BookID).Held, 300)
	w.advance(16 * time.Minute)
	settle(t, worker)
	same(t, "and follows when the hold has ended", w.read(personal).Available, 2000)
	same(t, "so that nothing is left", w.read(team.BookID).Total, 0)
	same(t, "nothing was granted again", w.count(`SELECT count(*) FROM entries WHERE kind = 'grant'`), 1)
	w.audit()
}
