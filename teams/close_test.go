package teams

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
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

	t.Run("P2_AutomaticTopUpIsSwitchedOff_AndOneThatIsBeingPaidIsWaitedFor", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w)
		w.exec(`
			INSERT INTO auto_top_ups (book_id, team_id, is_on, threshold, pack, credits_max, amount_max, currency, changed_by, changed_at, state, declines, series_at, check_at)
			VALUES ($1, 'acme', true, 10, 'hundred', 1000, 1000, 'eur', 'ann', $2, 'retrying', 1, $2, $2)`, team.BookID, w.at)
		w.exec(`
			INSERT INTO purchases (id, book_id, team_id, user_id, pack, credits, state, created_by, created_at, kind)
			VALUES ('top_1', $1, 'acme', 'ann', 'hundred', 100, 'processing', 'purser', $2, 'auto')`, team.BookID, w.at)
		_, err := w.close(ann, 1000)
		wantRefusal(t, err, Conflict, "top_up_in_flight")
		w.exec(`UPDATE purchases SET state = 'failed' WHERE id = 'top_1'`)
		w.closes(ann)
		var state, reason string
		var on bool
		if err := w.tx.QueryRow(t.Context(), `SELECT state, reason, is_on FROM auto_top_ups WHERE book_id = $1 AND check_at IS NULL`, team.BookID).Scan(&state, &reason, &on); err != nil {
			t.Fatal(err)
		}
		if on || state != "off" || reason != "team_closed" {
			t.Errorf("it is %s (%s), on %v", state, reason, on)
		}
	})
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.tx.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatal(err)
	}
}
