package teams

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
)

// Where the credits of a team go that closes.
func TestClose_Homeward(t *testing.T) {
	ann, bob := Actor{User: "ann"}, Actor{User: "bob"}

	t.Run("T1_AnothersSubscriptionIsNotTheOwnersToTake", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w)
		w.subscribe("sub_1", "ann", "team", 3, &team)
		w.buysPack("ann", team.BookID, 50)
		w.must(func(tx pgx.Tx) error { return HandOver(t.Context(), tx, w.catalog, "acme", "bob", ann, w.at) })
		w.customer("bob")
		w.buysPack("bob", team.BookID, 7)
		_, err := w.close(bob, 1000)
		wantRefusal(t, err, Forbidden, "role_forbids")
		_, err = w.close(ann, 1000)
		wantRefusal(t, err, Forbidden, "role_forbids")
		out := w.closes(backend)
		if len(out.Credits.Homeward) != 2 || out.Credits.Ends != 1000 {
			t.Errorf("%+v", out.Credits)
		}
		if p := w.pool(w.user("ann").BookID); p.Monthly != 3000 || p.Purchased != 50 {
			t.Errorf("ann has %+v", p)
		}
		if p := w.pool(w.user("bob").BookID); p.Total != 7 || p.Purchased != 7 {
			t.Errorf("bob has %+v", p)
		}
	})

	t.Run("T16_WithoutASubscriptionWhatTheOwnerBoughtOrPutInGoesHome", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w)
		w.customer("ann")
		w.buysPack("ann", team.BookID, 50)
		w.grant(w.user("ann").BookID, 20, nil)
		w.moves(MoveIn{TeamID: "acme", From: ofPersonal("ann"), To: ofPool(), Credits: 20})
		w.moves(MoveIn{TeamID: "acme", From: ofPool(), To: ofMember("bob"), Credits: 1060})
		if out := w.closes(ann); out.Credits.Ends != 1000 || out.Credits.Homeward[0].Credits != 70 {
			t.Errorf("%+v", out.Credits)
		}
		if p := w.pool(w.user("ann").BookID); p.Purchased != 50 || p.Contributed != 20 || p.Available != 70 {
			t.Errorf("ann has %+v", p)
		}
		if w.left(team.BookID) != 0 {
			t.Errorf("the team has %+v", w.pool(team.BookID))
		}
	})

	t.Run("B6_WhatAnEndedSubscriptionLeftGoesHomeWithItAndEndsThere", func(t *testing.T) {
		w := newWorld(t)
		team := w.team("acme", "ann")
		w.subscribe("sub_1", "ann", "team", 3, &team)
		w.at = w.at.AddDate(0, 0, 3)
		sub := *w.subs["sub_1"]
		ended := w.at
		sub.Status, sub.EndedAt = billing.StatusCanceled, &ended
		w.subs["sub_1"] = &sub
		w.hear("sub_1", w.user("ann"), nil)
		if p := w.pool(team.BookID); p.Monthly != 3000 {
			t.Fatalf("before: %+v", p)
		}
		if out := w.closes(ann); out.Credits.Ends != 0 || out.Credits.Homeward[0].Credits != 3000 {
			t.Errorf("%+v", out.Credits)
		}
		if p := w.pool(w.user("ann").BookID); p.Monthly != 3000 {
			t.Errorf("ann has %+v", p)
		}
		w.at = start.AddDate(0, 1, 0).Add(time.Hour)
		if p := w.pool(w.user("ann").BookID); p.Available != 0 {
			t.Errorf("after its month ann has %+v", p)
		}
	})

	t.Run("T13_WhatAHoldGaveBackStillFollowsASubscriptionThatLeftBefore", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w)
		w.subscribe("sub_1", "ann", "team", 1, &team)
		hold := w.spends(SpendIn{Op: OpHold, TeamID: "acme", UserID: "bob", Credits: 40})
		if err := w.unassign(ann); err != nil {
			t.Fatal(err)
		}
		w.spends(SpendIn{Op: OpRelease, TeamID: "acme", Of: hold.Entry})
		if out := w.closes(ann); out.Credits.Ends != 1000 || out.Credits.Following != 40 {
			t.Errorf("%+v", out.Credits)
		}
		list, err := billing.ListHeldBack(t.Context(), w.tx, billing.HeldBack{}, 10)
		if err != nil || len(list) != 1 {
			t.Fatalf("%v, %v", list, err)
		}
		w.must(func(tx pgx.Tx) error {
			_, err := billing.FollowHeldBack(t.Context(), tx, w.catalog, list[0], w.at)
			return err
		})
		if p := w.pool(w.user("ann").BookID); p.Monthly != 1000 || w.left(team.BookID) != 0 {
			t.Errorf("ann has %+v, the team %d", p, w.left(team.BookID))
		}
	})

	t.Run("T13_DebtFollowsItsPurchaseAndDisputedCreditsOfOthersEndOnceFree", func(t *testing.T) {
		w := newWorld(t)
		team := w.team("acme", "ann")
		w.join("acme", "bob", asAdmin)
		w.customer("ann")
		w.customer("bob")
		w.buysPack("ann", team.BookID, 50)
		w.buysPack("bob", team.BookID, 70)
		w.upset(team.BookID, func(b *ledger.Book, packs []*ledger.Lot) error {
			r := ledger.Request{Key: "refund", Actor: "stripe", At: w.at}
			if _, err := b.Clawback(r, packs[0], b.Take(packs[0], 50), 10); err != nil {
				return err
			}
			r.Key = "dispute"
			_, err := b.SetFrozen(r, packs[1], true)
			return err
		})
		out := w.closes(ann)
		if out.Credits.Ends != 70 || !out.Credits.Ending[0].Frozen || out.Credits.Ending[0].Payer != "cus_bob" || out.Credits.Homeward[0].Debt != 10 || out.Credits.Debt != 0 {
			t.Errorf("%+v", out.Credits)
		}
		if p := w.pool(team.BookID); p.Debt != 0 || p.Frozen != 70 {
			t.Errorf("the team has %+v", p)
		}
		if p := w.pool(w.user("ann").BookID); p.Debt != 10 {
			t.Errorf("ann has %+v", p)
		}
		w.at = w.at.Add(time.Hour)
		w.upset(team.BookID, func(b *ledger.Book, packs []*ledger.Lot) error {
			_, err := b.SetFrozen(ledger.Request{Key: "won", Actor: "stripe", At: w.at}, packs[0], false)
			return err
		})
		if w.left(team.BookID) != 0 {
			t.Errorf("once thawed the team has %+v", w.pool(team.BookID))
		}
	})
}

// customer links a user's customer.
func (w *world) customer(user string) {
	w.t.Helper()
	u := w.user(user)
	w.must(func(tx pgx.Tx) error {
		_, err := billing.LinkCustomer(w.t.Context(), tx, "cus_"+user, user, u.BookID, "operator", w.at)
		return err
	})
}

// upset does something to a team's book that only billing does, with the bought lots that
// have something left, by number.
func (w *world) upset(book int64, do func(*ledger.Book, []*ledger.Lot) error) {
	w.t.Helper()
	w.must(func(tx pgx.Tx) error {
		states, err := billing.OpenStates(w.t.Context(), tx, w.catalog, w.at, ledger.Want{Book: book})
		if err != nil {
			return err
		}
		var packs []*ledger.Lot
		for _, p := range states[0].Book.Portions() {
			if p.Lot.Source == ledger.Purchase {
				packs = append(packs, p.Lot)
			}
		}
		if err := do(states[0].Book, packs); err != nil {
			return err
		}
		return billing.Save(w.t.Context(), tx, states...)
	})
}

// buyPack begins the purchase of 100 credits for a team.
func (w *world) buyPack(team string, who Actor) (string, error) {
	w.t.Helper()
	w.catalog.Packs = []billing.Pack{{Name: "hundred", Credits: 100}}
	w.catalog.WithoutSubscription.TopUp.Allowed = true
	id := w.key("top")
	err := w.act(func(tx pgx.Tx) error {
		_, err := Buy(w.t.Context(), tx, w.catalog, BuyIn{PurchaseID: id, TeamID: team, By: who, Pack: "hundred"}, w.at)
		return err
	})
	return id, err
}

// paid lets Stripe tell that a purchase was paid.
func (w *world) paid(id, customer string) {
	w.t.Helper()
	w.n++
	w.must(func(tx pgx.Tx) error {
		_, err := billing.ApplyCheckout(w.t.Context(), tx, w.catalog, billing.CheckoutSession{
			ID: "cs_" + id, Mode: "payment", Status: "complete", PaymentStatus: "paid", CustomerID: customer, PaidAt: w.at,
			Metadata: map[string]string{billing.MetadataPurchase: id},
		}, int64(w.n), func() time.Time { return w.at })
		return err
	})
}

// wantRefusedNow holds that a member's access says why nothing can be spent.
func (w *world) wantRefusedNow(t *testing.T, user, code string) {
	t.Helper()
	w.must(func(tx pgx.Tx) error {
		a, err := Ask(t.Context(), tx, w.catalog, "acme", user, Actor{User: user}, w.at)
		if err == nil && (a.Refused == nil || a.Refused.Code != code) {
			t.Errorf("%s's access says %+v", user, a.Refused)
		}
		return err
	})
}
