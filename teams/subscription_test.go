package teams

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
)

func (w *world) unassign(who Actor) error {
	w.t.Helper()
	return w.act(func(tx pgx.Tx) error {
		_, err := UnassignSubscription(w.t.Context(), tx, w.catalog, "acme", who, w.at)
		return err
	})
}

func (w *world) assign(sub string, who Actor) error {
	w.t.Helper()
	return w.act(func(tx pgx.Tx) error { return AssignSubscription(w.t.Context(), tx, w.catalog, "acme", sub, who, w.at) })
}

// buysPack lets a user's customer pay for a pack into a book.
func (w *world) buysPack(user string, book, credits int64) {
	w.t.Helper()
	id := w.key("pur")
	w.must(func(tx pgx.Tx) error {
		_, err := billing.BeginPurchase(w.t.Context(), tx, &billing.Pack{Name: "pack", Credits: credits},
			billing.Purchase{ID: id, BookID: book, UserID: user, CustomerID: "cus_" + user, CreatedBy: user, CreatedAt: w.at})
		if err != nil {
			return err
		}
		w.n++
		_, err = billing.ApplyCheckout(w.t.Context(), tx, w.catalog, billing.CheckoutSession{
			ID: "cs_" + id, Mode: "payment", Status: "complete", PaymentStatus: "paid", CustomerID: "cus_" + user, PaidAt: w.at,
			Metadata: map[string]string{billing.MetadataPurchase: id},
		}, int64(w.n), func() time.Time { return w.at })
		return err
	})
}

func TestCreateTeam(t *testing.T) {
	w := newWorld(t)
	w.subscribe("sub_basic", "ann", "basic", 1, nil)
	w.subscribe("sub_1", "ann", "team", 3, nil)
	w.at = w.at.Add(time.Hour)
	w.subscribe("sub_2", "ann", "team", 7, nil)
	ann := w.user("ann")
	w.buysPack("ann", ann.BookID, 50)
	w.grant(ann.BookID, 9, nil)
	team := w.team("acme", "ann")
	// The oldest capable one, its lots and what was bought go; the rest stays.
	if p := w.pool(team.BookID); p.Monthly != 3000 || p.Purchased != 50 || p.Total != 3050 || p.Seats != 3 || p.Plan != "team" {
		t.Errorf("T2: the pool is %+v", p)
	}
	if p := w.pool(ann.BookID); p.Monthly != 8000 || p.Purchased != 0 || p.Bonus != 9 {
		t.Errorf("T2: ann keeps %+v", p)
	}
	if m := w.member("acme", "ann"); m.Role != Owner || m.Access != SeatAccess {
		t.Errorf("T4: the owner is %+v", m)
	}
	err := w.act(func(tx pgx.Tx) error {
		_, err := CreateTeam(t.Context(), tx, w.catalog, TeamIn{ID: "third", OwnerID: "ann", Name: "third"}, w.at)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	third, _ := GetTeam(t.Context(), w.tx, "third")
	if p := w.pool(third.BookID); p.Monthly != 7000 || p.Seats != 7 {
		t.Errorf("T2: the third team has %+v", p)
	}
}

func TestCreateTeam_WithoutSubscription(t *testing.T) {
	w := newWorld(t)
	w.catalog.WithoutSubscription.Teams = false
	create := func(id string) error {
		return w.act(func(tx pgx.Tx) error {
			_, err := CreateTeam(t.Context(), tx, w.catalog, TeamIn{ID: id, OwnerID: "ann", Name: id}, w.at)
			return err
		})
	}
	w.subscribe("sub_basic", "ann", "basic", 1, nil)
	wantRefusal(t, create("acme"), Rule, "plan_without_teams") // B1: and a plan without teams doesn't help
	if _, err := GetTeam(t.Context(), w.tx, "acme"); !errors.Is(err, ErrTeamUnknown) {
		t.Errorf("B1: a refused team was made: %v", err)
	}
	w.subscribe("sub_1", "ann", "team", 3, nil)
	if err := create("acme"); err != nil {
		t.Errorf("T2: %v", err)
	}
	wantRefusal(t, create("second"), Rule, "plan_without_teams") // the one subscription is assigned
}

func TestAssign(t *testing.T) {
	// Everything in both books, whoever uses it.
	total := func(w *world, books ...int64) (sum int64) {
		for _, b := range books {
			p := w.pool(b)
			sum += p.Available + p.Allocated + p.Held + p.Frozen
		}
		return sum
	}
	t.Run("T13_ThereAndBackMintsNothing", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w) // 1,000 bonus credits of the operator's
		ann, bob := w.user("ann"), w.user("bob")
		w.changes("acme", Change{UserID: "bob", Role: ptr(Admin)})
		w.subscribe("sub_1", "ann", "team", 3, &team)
		w.at = start.AddDate(0, 1, 0) // with a rollover
		w.buysPack("ann", team.BookID, 50)
		w.grant(ann.BookID, 20, nil)
		w.grant(bob.BookID, 30, nil)
		w.moves(MoveIn{TeamID: "acme", From: ofPersonal("ann"), To: ofPool(), Credits: 20})
		w.moves(MoveIn{TeamID: "acme", From: ofPersonal("bob"), To: ofPool(), Credits: 30})
		w.changes("acme", Change{UserID: "cid", Access: ptr(SeatAccess)})
		w.moves(MoveIn{TeamID: "acme", From: ofPool(), To: ofMember("bob"), Credits: 4000}) // of several lots
		w.spends(SpendIn{TeamID: "acme", UserID: "cid", Credits: 500})
		before := w.pool(team.BookID)
		sum := total(w, team.BookID, ann.BookID)

		wantRefusal(t, w.unassign(Actor{User: "bob"}), Forbidden, "role_forbids")
		if err := w.unassign(Actor{User: "ann"}); err != nil {
			t.Fatal(err)
		}
		if p := w.pool(team.BookID); p.Monthly+p.Rollover+p.Purchased != p.Used || p.Bonus != 1000 || p.Contributed != 30 || p.Seats != 0 {
			t.Errorf("stays: %+v", p)
		}
		if p := w.pool(ann.BookID); p.Contributed != 20 || p.Purchased != 50 || p.Seats != 3 ||
			p.Monthly+p.Rollover+p.Used != before.Monthly+before.Rollover-before.Used {
			t.Errorf("goes: %+v of %+v", p, before)
		}
		if got := total(w, team.BookID, ann.BookID); got != sum {
			t.Errorf("%d in both books, were %d", got, sum)
		}
		if m := w.member("acme", "cid"); m.Access != PersonalAccess || m.PersonalBy != byUnassigned {
			t.Errorf("cid is %+v", m)
		}
		if m := w.member("acme", "bob"); m.Access != CreditsAccess {
			t.Errorf("bob is %+v", m)
		}
		wantRefusal(t, w.unassign(Actor{User: "ann"}), Conflict, "no_subscription")

		// B10 goes on where the subscription is, also for what was carried.
		w.buys("sub_1", "ann", 2)
		if p := w.pool(ann.BookID); p.Monthly != 2000 && p.Monthly != 1500 {
			t.Errorf("after a seat less: %+v", p)
		}
		w.buys("sub_1", "ann", 3)
		if got := total(w, team.BookID, ann.BookID); got != sum {
			t.Errorf("after a seat less and more %d in both books, were %d", got, sum)
		}

		wantRefusal(t, w.assign("sub_1", Actor{User: "bob"}), Forbidden, "role_forbids")
		wantRefusal(t, w.assign("sub_9", Actor{User: "ann"}), NotFound, "subscription_not_found")
		if err := w.assign("sub_1", Actor{User: "ann"}); err != nil {
			t.Fatal(err)
		}
		wantRefusal(t, w.assign("sub_1", Actor{User: "ann"}), Conflict, "subscription_present")
		if p := w.pool(ann.BookID); p.Total != 20 || p.Contributed != 20 {
			t.Errorf("ann keeps what she had put in: %+v", p)
		}
		if got := total(w, team.BookID, ann.BookID); got != sum {
			t.Errorf("%d in both books, were %d", got, sum)
		}
		if m := w.member("acme", "ann"); m.Access != SeatAccess {
			t.Errorf("T4: the owner is %+v", m)
		}
		w.buys("sub_1", "ann", 1)
		w.buys("sub_1", "ann", 3)
		if got := total(w, team.BookID, ann.BookID); got != sum {
			t.Errorf("B10: %d in both books, were %d", got, sum)
		}
		w.at = start.AddDate(0, 2, 0) // and the turn finds all of it
		if p := w.pool(team.BookID); p.Monthly != 3000 || p.Rollover != sum-1000-30-20-50 {
			t.Errorf("after the turn %+v", p)
		}
	})

	t.Run("T1_OnlyTheSubscriptionsOwnerTakesItAlsoAfterTheTeamWasHandedOver", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w)
		w.subscribe("sub_1", "ann", "team", 3, &team)
		w.must(func(tx pgx.Tx) error {
			return HandOver(t.Context(), tx, w.catalog, "acme", "bob", Actor{User: "ann"}, w.at)
		})
		wantRefusal(t, w.unassign(Actor{User: "bob"}), Forbidden, "role_forbids")
		w.changes("acme", Change{UserID: "ann", Remove: true}) // and she isn't even a member any more
		if err := w.unassign(Actor{User: "ann"}); err != nil {
			t.Fatal(err)
		}
		if p := w.pool(w.user("ann").BookID); p.Monthly != 3000 {
			t.Errorf("ann has %+v", p)
		}
		if p := w.pool(w.user("bob").BookID); p.Total != 0 {
			t.Errorf("bob has %+v", p)
		}
	})

	t.Run("B13_OneSubscriptionATeam", func(t *testing.T) {
		w := newWorld(t)
		team := w.team("acme", "ann")
		w.subscribe("sub_1", "ann", "team", 3, &team)
		w.subscribe("sub_2", "ann", "team", 1, &team) // taken: goes to ann
		w.subscribe("sub_3", "ann", "basic", 1, nil)
		wantRefusal(t, w.assign("sub_2", Actor{User: "ann"}), Conflict, "subscription_present")
		if err := w.unassign(Actor{User: "ann"}); err != nil {
			t.Fatal(err)
		}
		wantRefusal(t, w.assign("sub_3", Actor{User: "ann"}), Rule, "plan_without_teams")
		if err := w.assign("sub_2", Actor{User: "ann"}); err != nil {
			t.Error(err)
		}
	})

	t.Run("T13_DebtAndFrozenCreditsFollow", func(t *testing.T) {
		w := newWorld(t)
		team := w.team("acme", "ann")
		w.subscribe("sub_1", "ann", "team", 1, &team)
		w.buysPack("ann", team.BookID, 50)
		w.buysPack("ann", team.BookID, 70)
		w.spends(SpendIn{TeamID: "acme", UserID: "ann", Credits: 1010})
		w.must(func(tx pgx.Tx) error { // half of the first pack is refunded twice over, the second is disputed
			states, err := billing.OpenStates(t.Context(), tx, w.catalog, w.at, ledger.Want{Book: team.BookID})
			if err != nil {
				return err
			}
			b := states[0].Book
			var packs []*ledger.Lot
			for _, p := range b.Portions() {
				packs = append(packs, p.Lot)
			}
			r := ledger.Request{Key: "refund", Actor: "stripe", At: w.at}
			if _, err := b.Clawback(r, packs[0], b.Take(packs[0], 40), 10); err != nil {
				return err
			}
			r.Key = "dispute"
			if _, err := b.SetFrozen(r, packs[1], true); err != nil {
				return err
			}
			return billing.Save(t.Context(), tx, states...)
		})
		if err := w.unassign(Actor{User: "ann"}); err != nil {
			t.Fatal(err)
		}
		if p := w.pool(team.BookID); p.Debt != 0 || p.Frozen != 0 {
			t.Errorf("stays: debt %d, frozen %d", p.Debt, p.Frozen)
		}
		if p := w.pool(w.user("ann").BookID); p.Debt != 10 || p.Frozen != 70 {
			t.Errorf("goes: debt %d, frozen %d", p.Debt, p.Frozen)
		}
	})

	t.Run("T13_HeldCreditsFollowWhenTheirHoldSettles", func(t *testing.T) {
		w := newWorld(t)
		team := w.team("acme", "ann")
		ann := w.user("ann")
		w.join("acme", "bob")
		w.subscribe("sub_1", "ann", "team", 3, &team)
		w.buysPack("ann", team.BookID, 50)
		w.moves(MoveIn{TeamID: "acme", From: ofPool(), To: ofMember("bob"), Credits: 40})
		captured := w.spends(SpendIn{Op: OpHold, TeamID: "acme", UserID: "bob", Credits: 60}) // allocation and pool
		expires := w.spends(SpendIn{Op: OpHold, TeamID: "acme", UserID: "ann", Credits: 2980, TTL: 2 * time.Hour})
		if err := w.unassign(Actor{User: "ann"}); err != nil {
			t.Fatal(err)
		}
		if p := w.pool(team.BookID); p.Held != 3040 || p.Available != 0 {
			t.Errorf("held %d, available %d", p.Held, p.Available)
		}
		follow := func() (left int) {
			t.Helper()
			list, err := billing.ListHeldBack(t.Context(), w.tx, billing.HeldBack{}, 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range list {
				w.must(func(tx pgx.Tx) error {
					done, err := billing.FollowHeldBack(t.Context(), tx, w.catalog, h, w.at)
					if !done {
						left++
					}
					return err
				})
			}
			return left
		}
		if left := follow(); left != 2 {
			t.Errorf("%d lots are held back, want the month's and the pack", left)
		}
		w.spends(SpendIn{Op: OpCapture, TeamID: "acme", Of: captured.Entry, Credits: 50})
		follow()
		if p := w.pool(ann.BookID); p.Available != 20 {
			t.Errorf("ann has %d, want what nobody held and what the capture gave back", p.Available)
		}
		w.at = expires.ExpiresAt.Add(time.Second)
		if left := follow(); left != 0 {
			t.Errorf("%d lots are held back", left)
		}
		if p := w.pool(ann.BookID); p.Available != 3000 || p.Purchased != 50 || p.Monthly != 2950 {
			t.Errorf("ann has %+v", p)
		}
		if p := w.pool(team.BookID); p.Used != 50 || p.Available != 0 || p.Held != 0 {
			t.Errorf("the team has %+v", p)
		}
		if left := follow(); left != 0 {
			t.Error("something is held back again")
		}
	})

	t.Run("T13_HeldCreditsStayWhenTheSubscriptionHasComeBackItself", func(t *testing.T) {
		w := newWorld(t)
		team := w.team("acme", "ann")
		w.subscribe("sub_1", "ann", "team", 3, &team)
		hold := w.spends(SpendIn{Op: OpHold, TeamID: "acme", UserID: "ann", Credits: 100})
		if err := w.unassign(Actor{User: "ann"}); err != nil {
			t.Fatal(err)
		}
		if err := w.assign("sub_1", Actor{User: "ann"}); err != nil {
			t.Fatal(err)
		}
		w.spends(SpendIn{Op: OpRelease, TeamID: "acme", Of: hold.Entry})
		list, err := billing.ListHeldBack(t.Context(), w.tx, billing.HeldBack{}, 100)
		if err != nil || len(list) != 1 {
			t.Fatalf("got %v, %v", list, err)
		}
		w.must(func(tx pgx.Tx) error {
			done, err := billing.FollowHeldBack(t.Context(), tx, w.catalog, list[0], w.at)
			if !done {
				t.Error("still held back")
			}
			return err
		})
		if p := w.pool(team.BookID); p.Available != 3000 || p.Monthly != 3000 {
			t.Errorf("the team has %+v", p)
		}
		w.buys("sub_1", "ann", 1) // B10 sees both pieces of the month's lot
		if p := w.pool(team.BookID); p.Available != 1000 || p.Monthly != 1000 {
			t.Errorf("after two seats less %+v", p)
		}
	})
}
