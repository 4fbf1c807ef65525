package web_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"purser/teams"
)

func TestOverview(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.acme()
	t.Run("B12_WhoManagesTheTeamSeesItsPool", func(t *testing.T) {
		for _, user := range []string{"ann", "abe"} {
			w.as(user, "acme").want(200, "Team acme", "3,300 available of 5,500", "Used 1,500", "Set aside 700", "Monthly 5,000", "Bonus 500",
				"1 of 5", "Members 4", "10 Mar 2026 – 10 Apr 2026", "11 Apr 2026 Monthly 3,500", "2,500 of the credits roll over", "Next grant 5,000")
		}
	})
	t.Run("T14_AMemberSeesOnesOwn", func(t *testing.T) {
		w.as("bob", "acme").want(200, "My credits", "From Team acme", "4,000 credits you can use now", "Set aside for you in this period: 1,000", "Used 300", "Available 700").
			wantNot("Ann", "1,200", "Members 4", "Next grant")
	})
	t.Run("T15_AUserSeesTheOwnAccount", func(t *testing.T) {
		w.Grant(w.User("bob").BookID, 42)
		w.as("bob", "").want(200, "Your personal credits", "42 available of 42", "Plan None")
	})
	t.Run("T16_ASuspendedUserIsToldOnTheOwnPage", func(t *testing.T) {
		w := newWorld(t)
		w.User("bob")
		b := w.as("bob", "").wantNot("suspended")
		w.Must(func(tx pgx.Tx) error { return teams.SuspendUser(t.Context(), tx, "bob", true, noon) })
		b.get("/page/account").want(200, "You are suspended: you can't spend. Nothing is lost.")
	})
	t.Run("NumbersAndTimesAreTheViewers", func(t *testing.T) {
		b := w.browser()
		b.get(w.linkIn("ann", "acme", "de-DE", "Pacific/Auckland")).want(200, "3.300 available of 5.500", "11 Mar 2026 – 11 Apr 2026", "Times are in Pacific/Auckland")
	})
}
