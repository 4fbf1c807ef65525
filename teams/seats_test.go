package teams

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
)

func TestSeats(t *testing.T) {
	setup := func(t *testing.T, seats int64) *world {
		w := newWorld(t)
		team := acme(w)
		w.subscribe("sub_1", "ann", "team", seats, &team)
		return w
	}
	seat := func(user string) Change { return Change{UserID: user, Access: ptr(SeatAccess)} }
	t.Run("T4_NoMoreThanWereBought", func(t *testing.T) {
		w := setup(t, 2)
		w.changes("acme", seat("bob"))
		if _, err := w.invite("acme", "dan@example.com", seated); err != nil { // reserves the other
			t.Fatal(err)
		}
		results, ok, err := w.change("acme", backend, seat("cid"))
		if err != nil || ok {
			t.Fatalf("got %+v %v", results, err)
		}
		wantRefusal(t, results[0].Err, Conflict, "no_seat_free")
		_, err = w.invite("acme", "eve@example.com", seated)
		wantRefusal(t, err, Conflict, "no_seat_free")
		w.changes("acme", seat("bob")) // who has one already takes no other
	})
	t.Run("T4_BulkIsAllOrNothingWithAResultPerRow", func(t *testing.T) {
		w := setup(t, 2)
		results, ok, err := w.change("acme", backend, seat("ann"), seat("bob"), seat("cid"), Change{UserID: "nobody", Access: ptr(SeatAccess)})
		if err != nil || ok || len(results) != 4 || results[0].Err != nil || results[1].Err != nil {
			t.Fatalf("got %+v, %v", results, err)
		}
		wantRefusal(t, results[2].Err, Conflict, "no_seat_free")
		wantRefusal(t, results[3].Err, NotFound, "member_not_found")
		if m := w.member("acme", "bob"); m.Access != CreditsAccess {
			t.Errorf("bob has %s", m.Access)
		}
		// Rows see each other, wherever they stand: what one gives up another takes.
		w.changes("acme", seat("ann"), seat("bob"))
		w.changes("acme", seat("cid"), Change{UserID: "bob", Access: ptr(CreditsAccess)})
		w.changes("acme", seat("bob"), Change{UserID: "cid", Remove: true})
	})
	t.Run("T4_OneMemberInTwoRows", func(t *testing.T) {
		w := setup(t, 2)
		results, ok, err := w.change("acme", backend, Change{UserID: "bob", Remove: true}, seat("bob"), Change{UserID: "bob", Remove: true})
		if err != nil || ok {
			t.Fatalf("got %+v, %v", results, err)
		}
		wantRefusal(t, results[1].Err, NotFound, "member_not_found")
		wantRefusal(t, results[2].Err, NotFound, "member_not_found")
		w.changes("acme", seat("bob"), Change{UserID: "bob", Role: ptr(Admin)}, Change{UserID: "cid", Limit: &Limit{Kind: LimitTotal}}, Change{UserID: "cid", Remove: true})
		if m := w.member("acme", "bob"); m.Role != Admin || m.Access != SeatAccess {
			t.Errorf("bob is %+v", m)
		}
	})
	t.Run("T5_WhenSeatsFallReservedOnesGoFirst", func(t *testing.T) {
		w := setup(t, 3)
		w.changes("acme", seat("cid"))
		w.at = w.at.Add(time.Hour)
		w.changes("acme", seat("bob"))
		if _, err := w.invite("acme", "dan@example.com", seated); err != nil {
			t.Fatal(err)
		}
		follow := func() (fell []string) {
			w.must(func(tx pgx.Tx) (err error) {
				fell, err = FollowSeats(t.Context(), tx, w.catalog, "acme", w.at)
				return err
			})
			return fell
		}
		w.buys("sub_1", "ann", 2)
		if fell := follow(); fell != nil {
			t.Errorf("%v fell though a reservation could", fell)
		}
		w.buys("sub_1", "ann", 1)
		if fell := follow(); fmt.Sprint(fell) != "[bob]" {
			t.Errorf("%v fell", fell)
		}
		if m := w.member("acme", "bob"); m.Access != PersonalAccess || m.PersonalBy != bySeats {
			t.Errorf("bob is %+v", m)
		}
		if fell := follow(); fell != nil {
			t.Errorf("%v fell again", fell)
		}
		w.buys("sub_1", "ann", 5)
		err := w.act(func(tx pgx.Tx) error {
			_, err := GoBack(t.Context(), tx, w.catalog, "acme", "bob", Actor{User: "bob"}, w.at)
			return err
		})
		wantRefusal(t, err, Forbidden, "access_set_by_admin")
	})
	t.Run("B2_SeatsCountAlsoOnAPlanSwitchedToWhilePastDue", func(t *testing.T) {
		w := setup(t, 2)
		w.changes("acme", seat("bob"), seat("cid"))
		w.subs["sub_1"].Status = billing.StatusPastDue
		w.hear("sub_1", w.user("ann"), nil)
		w.subs["sub_1"].Items[0].PriceID = "basic_month"
		w.hear("sub_1", w.user("ann"), nil)
		v, err := View(t.Context(), w.tx, w.catalog, "acme", backend, w.at)
		if err != nil || v.Seats.Bought != 2 || v.Plan != "basic" {
			t.Errorf("%d seats of %s, %v", v.Seats.Bought, v.Plan, err)
		}
	})
}
