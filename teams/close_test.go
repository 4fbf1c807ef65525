package teams

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
)

func (w *world) previewClose(who Actor) (out *Closing, err error) {
	w.t.Helper()
	err = w.act(func(tx pgx.Tx) (err error) {
		out, err = PreviewClose(w.t.Context(), tx, w.catalog, "acme", who, w.at)
		return err
	})
	return out, err
}

func (w *world) close(who Actor, expires int64) (out *Closing, err error) {
	w.t.Helper()
	err = w.act(func(tx pgx.Tx) (err error) {
		out, err = Close(w.t.Context(), tx, w.catalog, CloseIn{TeamID: "acme", By: who, Expires: expires}, w.at)
		return err
	})
	return out, err
}

// closes is close that may not be refused, of exactly what the preview told.
func (w *world) closes(who Actor) *Closing {
	w.t.Helper()
	told, err := w.previewClose(who)
	if err != nil {
		w.t.Fatalf("previewing: %v", err)
	}
	out, err := w.close(who, told.Credits.Ends)
	if err != nil {
		w.t.Fatalf("closing: %v", err)
	}
	return out
}

// left is what a book has, whoever uses it.
func (w *world) left(book int64) int64 {
	p := w.pool(book)
	return p.Available + p.Allocated + p.Held + p.Frozen + p.Upcoming
}

func TestClose(t *testing.T) {
	ann, bob := Actor{User: "ann"}, Actor{User: "bob"}

	t.Run("T16_TheOwnersCreditsGoHomeAndTheRestExpiresAsConfirmed", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w) // 1,000 bonus credits of the operator's
		w.changes("acme", Change{UserID: "bob", Role: ptr(Admin)})
		w.subscribe("sub_1", "ann", "team", 3, &team)
		w.buysPack("ann", team.BookID, 50)
		w.grant(w.user("ann").BookID, 20, nil)
		w.grant(w.user("bob").BookID, 30, nil)
		w.moves(MoveIn{TeamID: "acme", From: ofPersonal("ann"), To: ofPool(), Credits: 20})
		w.moves(MoveIn{TeamID: "acme", From: ofPersonal("bob"), To: ofPool(), Credits: 30})
		w.changes("acme", Change{UserID: "cid", Access: ptr(SeatAccess)})
		w.spends(SpendIn{TeamID: "acme", UserID: "cid", Credits: 500})
		w.moves(MoveIn{TeamID: "acme", From: ofPool(), To: ofMember("bob"), Credits: 2600}) // of the month's lot and of others
		invited, err := w.invite("acme", "new@example.com")
		if err != nil {
			t.Fatal(err)
		}

		told, err := w.previewClose(ann)
		if err != nil {
			t.Fatal(err)
		}
		c := told.Credits
		if len(c.Homeward) != 1 || c.Homeward[0].UserID != "ann" || c.Homeward[0].Credits != 2500+50+20 || c.Homeward[0].Subscriptions[0] != "sub_1" {
			t.Errorf("homeward: %+v", c.Homeward)
		}
		if c.Ends != 1030 || len(c.Ending) != 2 || told.Invitations != 1 || told.Holds != 0 {
			t.Errorf("ending: %+v, %d invitations", c.Ending, told.Invitations)
		}
		want := []Contribution{{"ann", 20, 20}, {"bob", 30, 30}}
		if len(told.Contributions) != 2 || told.Contributions[0] != want[0] || told.Contributions[1] != want[1] {
			t.Errorf("contributions: %+v", told.Contributions)
		}

		entries := w.entries(team.BookID)
		_, err = w.close(ann, 1000)
		if r := wantRefusal(t, err, Conflict, "expiry_unconfirmed"); r.Expires == nil || *r.Expires != 1030 {
			t.Errorf("it tells %v", r.Expires)
		}
		for who, code := range map[string]string{"bob": "role_forbids", "cid": "role_forbids"} {
			_, err := w.close(Actor{User: who}, 1030)
			wantRefusal(t, err, Forbidden, code)
			_, err = w.previewClose(Actor{User: who})
			wantRefusal(t, err, Forbidden, code)
		}
		_, err = w.close(Actor{User: "eve"}, 1030)
		wantRefusal(t, err, NotFound, "team_not_found")
		if n := w.entries(team.BookID); n != entries {
			t.Errorf("refusals and previews posted %d entries", n-entries)
		}

		out, err := w.close(ann, 1030)
		if err != nil {
			t.Fatal(err)
		}
		if out.Team.ClosedAt == nil || !out.Team.ClosedAt.Equal(w.at) || out.Credits.Ends != 1030 {
			t.Errorf("%+v", out)
		}
		if p := w.pool(team.BookID); w.left(team.BookID) != 0 || p.Used != 500 || p.Seats != 0 {
			t.Errorf("the team has %+v", p)
		}
		if p := w.pool(w.user("ann").BookID); p.Available != 2570 || p.Purchased != 50 || p.Contributed != 20 || p.Seats != 3 {
			t.Errorf("ann has %+v", p)
		}
		if m := w.member("acme", "cid"); m.Access != PersonalAccess || m.PersonalBy != byUnassigned {
			t.Errorf("cid is %+v", m)
		}
		_, err = w.accept(invited.ID, "new")
		wantRefusal(t, err, Conflict, "team_closed")
		if i, err := invitationBy(t.Context(), w.tx, `id = $1`, invited.ID); err != nil || i.State != "revoked" {
			t.Errorf("the invitation is %s, %v", i.State, err)
		}
	})

	t.Run("T16_AClosedTeamIsReadAndDoesNothing", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w)
		spent := w.spends(SpendIn{TeamID: "acme", UserID: "bob", Credits: 5})
		w.closes(ann)
		_, err := w.close(ann, 0)
		wantRefusal(t, err, Conflict, "team_closed")
		_, err = w.previewClose(ann)
		wantRefusal(t, err, Conflict, "team_closed")
		for _, in := range []SpendIn{
			{TeamID: "acme", UserID: "bob", Credits: 1}, {Op: OpHold, TeamID: "acme", UserID: "bob", Credits: 1},
			{Op: OpReverse, TeamID: "acme", Of: spent.Entry, Credits: 1},
		} {
			_, err := w.spend(in)
			wantRefusal(t, err, Conflict, "team_closed")
		}
		w.wantRefusedNow(t, "bob", "team_closed")
		_, err = w.move(MoveIn{TeamID: "acme", From: ofPool(), To: ofMember("bob"), Credits: 1})
		wantRefusal(t, err, Conflict, "team_closed")
		_, err = w.invite("acme", "x@example.com")
		wantRefusal(t, err, Conflict, "team_closed")
		w.must(func(tx pgx.Tx) error {
			v, err := View(t.Context(), tx, w.catalog, "acme", bob, w.at)
			if err == nil && (v.Pool.Used != 5 || v.Pool.Total != 5 || len(v.Members) != 1) {
				t.Errorf("bob sees %+v", v)
			}
			return err
		})
		if p := w.pool(team.BookID); p.Used != 5 || p.Total != 5 {
			t.Errorf("the pool is %+v", p)
		}
		_, err = w.buyPack("acme", ann)
		wantRefusal(t, err, Conflict, "team_closed")
	})

	t.Run("T16_OpenHoldsForbidItAlsoThoseThatMembersPay", func(t *testing.T) {
		w := newWorld(t)
		acme(w)
		hold := w.spends(SpendIn{Op: OpHold, TeamID: "acme", UserID: "bob", Credits: 10})
		if told, err := w.previewClose(ann); err != nil || told.Holds != 1 || told.HeldCredits != 10 || told.Credits.Held != 10 || told.Credits.Ends != 990 {
			t.Errorf("the preview tells %+v, %v", told, err)
		}
		_, err := w.close(ann, 990)
		wantRefusal(t, err, Conflict, "holds_open")
		w.spends(SpendIn{Op: OpRelease, TeamID: "acme", Of: hold.Entry})
		w.grant(w.user("cid").BookID, 40, nil)
		w.access("acme", "cid", PersonalAccess)
		w.spends(SpendIn{Op: OpHold, TeamID: "acme", UserID: "cid", Credits: 40, TTL: time.Hour})
		_, err = w.close(ann, 1000)
		if r := wantRefusal(t, err, Conflict, "holds_open"); r.Detail != "1 open holds keep 40 credits" {
			t.Error(r.Detail)
		}
		w.at = w.at.Add(2 * time.Hour) // it has ended, whether or not anybody looked
		if _, err := w.close(ann, 1000); err != nil {
			t.Error(err)
		}
	})

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

	t.Run("P4_WhatIsPaidForAClosedTeamGoesToWhoPaid", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w)
		id, err := w.buyPack("acme", ann)
		if err != nil {
			t.Fatal(err)
		}
		if out := w.closes(ann); out.Credits.Purchases != 1 {
			t.Errorf("%+v", out.Credits)
		}
		w.at = w.at.Add(time.Minute)
		w.paid(id, "cus_new")
		if p := w.pool(w.user("ann").BookID); p.Purchased != 100 || w.left(team.BookID) != 0 {
			t.Errorf("ann has %+v, the team %d", p, w.left(team.BookID))
		}
		p, err := billing.GetPurchase(t.Context(), w.tx, id)
		if err != nil || p.State != billing.PurchasePaid || p.TeamID != "acme" { // T11: its history stays
			t.Errorf("%+v, %v", p, err)
		}
	})

	t.Run("B13_NoSubscriptionComesToAClosedTeam", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w)
		w.closes(ann)
		if slots, err := SlotsOf(t.Context(), w.tx, "ann"); err != nil || len(slots) != 0 {
			t.Errorf("ann's places: %v, %v", slots, err)
		}
		w.subscribe("sub_1", "ann", "team", 3, nil)
		wantRefusal(t, w.assign("sub_1", ann), Conflict, "team_closed")
		// Placed by somebody who looked just before it closed: found out under the lock.
		err := pgx.BeginFunc(t.Context(), w.tx, func(tx pgx.Tx) error {
			_, err := FollowSubscription(t.Context(), tx, w.catalog, team.ID, 3, true, w.at)
			return err
		})
		if !errors.Is(err, billing.ErrMoved) {
			t.Errorf("got %v", err)
		}
	})

	t.Run("T16_ASuspendedTeamIsNotClosed", func(t *testing.T) {
		w := newWorld(t)
		acme(w)
		w.must(func(tx pgx.Tx) error { return SuspendTeam(t.Context(), tx, "acme", true, w.at) })
		_, err := w.close(ann, 1000)
		wantRefusal(t, err, Suspended, "team_suspended")
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
