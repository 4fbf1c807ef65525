package teams

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestInvite(t *testing.T) {
	t.Run("T3_OwnerAndPendingInvitationsCountInMembersMax", func(t *testing.T) {
		w := newWorld(t)
		w.team("acme", "ann") // without a subscription: 5 members
		w.join("acme", "bob")
		for i := range 3 {
			if _, err := w.invite("acme", fmt.Sprintf("p%d@example.com", i)); err != nil {
				t.Fatal(err)
			}
		}
		_, err := w.invite("acme", "late@example.com")
		wantRefusal(t, err, Rule, "team_full")
		w.at = w.at.Add(invitationLife) // they expire, all three
		if _, err := w.invite("acme", "late@example.com"); err != nil {
			t.Error(err)
		}
	})
	t.Run("T3_RefusesWhatMakesNoSense", func(t *testing.T) {
		w := newWorld(t)
		w.team("acme", "ann")
		w.must(func(tx pgx.Tx) error {
			_, err := SetUser(t.Context(), tx, "ann", "ann@example.com", "")
			return err
		})
		if _, err := w.invite("acme", "Bob@Example.com"); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			email  string
			change func(*InviteIn)
			class  Class
			code   string
		}{
			"NoAddress":     {"bob", func(*InviteIn) {}, Rule, "email_invalid"},
			"InvitedTwice":  {"bob@example.com", func(*InviteIn) {}, Conflict, "already_invited"},
			"AMember":       {"ANN@example.com", func(*InviteIn) {}, Conflict, "already_member"},
			"AnotherOwner":  {"x@example.com", func(in *InviteIn) { in.Role = Owner }, Rule, "role_invalid"},
			"NoSuchAccess":  {"x@example.com", func(in *InviteIn) { in.Access = "all" }, Rule, "access_invalid"},
			"NegativeLimit": {"x@example.com", func(in *InviteIn) { in.Limit = Limit{Kind: LimitPeriod, Credits: -1} }, Rule, "limit_invalid"},
			"NoneWithLimit": {"x@example.com", func(in *InviteIn) { in.Limit = Limit{Kind: LimitNone, Credits: 1} }, Rule, "limit_invalid"},
			"NoSeats":       {"x@example.com", seated, Conflict, "no_seat_free"},
			"ByAStranger":   {"x@example.com", by("zoe"), NotFound, "team_not_found"},
		} {
			t.Run(name, func(t *testing.T) {
				_, err := w.invite("acme", c.email, c.change)
				wantRefusal(t, err, c.class, c.code)
			})
		}
		w.join("acme", "cid")
		_, err := w.invite("acme", "x@example.com", by("cid"))
		wantRefusal(t, err, Forbidden, "role_forbids")
	})
	t.Run("T3_AnExpiredInvitationMakesRoomForANewOne", func(t *testing.T) {
		w := newWorld(t)
		w.team("acme", "ann")
		old, _ := w.invite("acme", "bob@example.com")
		w.at = w.at.Add(invitationLife)
		_, err := w.accept(old.ID, "bob")
		wantRefusal(t, err, Conflict, "invitation_expired")
		fresh, err := w.invite("acme", "bob@example.com")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.accept(fresh.ID, "bob"); err != nil {
			t.Error(err)
		}
	})
}

func TestInvitation(t *testing.T) {
	decline := func(w *world, token string) error {
		return w.act(func(tx pgx.Tx) error { return Decline(t.Context(), tx, []byte(token), w.at) })
	}
	revoke := func(w *world, id, who string) error {
		return w.act(func(tx pgx.Tx) error { return Revoke(t.Context(), tx, w.catalog, "acme", id, Actor{User: who}, w.at) })
	}
	resend := func(w *world, id, token string) error {
		return w.act(func(tx pgx.Tx) error {
			_, err := Resend(t.Context(), tx, w.catalog, "acme", id, []byte(token), backend, w.at)
			return err
		})
	}
	t.Run("T3_AcceptedItGivesRoleAccessAndLimit", func(t *testing.T) {
		w := newWorld(t)
		w.team("acme", "ann")
		i, _ := w.invite("acme", "bob@example.com", asAdmin, func(in *InviteIn) { in.Limit = Limit{Kind: LimitTotal, Credits: 7} })
		m, err := w.accept(i.ID, "bob")
		if err != nil || m.Role != Admin || m.Access != CreditsAccess || m.Limit() != (Limit{LimitTotal, 7}) {
			t.Errorf("got %+v, %v", m, err)
		}
		_, err = w.accept(i.ID, "bob")
		wantRefusal(t, err, Conflict, "invitation_settled")
		_, err = w.accept("no such token", "bob")
		wantRefusal(t, err, NotFound, "invitation_not_found")
	})
	t.Run("T3_AMemberAcceptsNoSecondOne", func(t *testing.T) {
		w := newWorld(t)
		w.team("acme", "ann")
		i, _ := w.invite("acme", "other@example.com")
		_, err := w.accept(i.ID, "ann")
		wantRefusal(t, err, Conflict, "already_member")
	})
	t.Run("T3_DeclinedRevokedAndResent", func(t *testing.T) {
		w := newWorld(t)
		w.team("acme", "ann")
		w.join("acme", "bob")
		a, _ := w.invite("acme", "a@example.com")
		b, _ := w.invite("acme", "b@example.com")
		c, _ := w.invite("acme", "c@example.com")
		if err := decline(w, a.ID); err != nil {
			t.Error(err)
		}
		_, err := w.accept(a.ID, "x")
		wantRefusal(t, err, Conflict, "invitation_settled")
		wantRefusal(t, decline(w, a.ID), Conflict, "invitation_settled")
		wantRefusal(t, revoke(w, b.ID, "bob"), Forbidden, "role_forbids")
		if err := revoke(w, b.ID, "ann"); err != nil {
			t.Error(err)
		}
		_, err = w.accept(b.ID, "x")
		wantRefusal(t, err, Conflict, "invitation_settled")
		w.at = w.at.Add(invitationLife - time.Second)
		if err := resend(w, c.ID, "new token"); err != nil {
			t.Error(err)
		}
		w.at = w.at.Add(invitationLife - time.Second)
		_, err = w.accept(c.ID, "x") // the old link is dead
		wantRefusal(t, err, NotFound, "invitation_not_found")
		if _, err := w.accept("new token", "x"); err != nil {
			t.Error(err)
		}
		w.team("other", "olga")
		d, _ := w.invite("other", "d@example.com")
		wantRefusal(t, revoke(w, d.ID, "ann"), NotFound, "invitation_not_found")
	})
	t.Run("B13_AfterADowngradeNobodyNewComesInUntilBelow", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w)
		i, _ := w.invite("acme", "dan@example.com")
		w.subscribe("sub_basic", "ann", "basic", 1, &team)
		_, err := w.accept(i.ID, "dan")
		wantRefusal(t, err, Rule, "team_full")
		w.member("acme", "bob") // nobody is removed
	})
	t.Run("T5_AReservedSeatThatIsGoneIsNotTaken", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w)
		w.subscribe("sub_1", "ann", "team", 2, &team)
		w.access("acme", "bob", SeatAccess)
		i, err := w.invite("acme", "dan@example.com", seated)
		if err != nil {
			t.Fatal(err)
		}
		w.buys("sub_1", "ann", 1) // and nobody has followed the seats yet
		m, err := w.accept(i.ID, "dan")
		if err != nil || m.Access != CreditsAccess {
			t.Errorf("dan has %s, %v", m.Access, err)
		}
	})
}

func TestRoles(t *testing.T) {
	w := newWorld(t)
	acme(w)
	one := func(who string, c Change) error {
		results, _, err := w.change("acme", Actor{User: who}, c)
		if err == nil {
			err = results[0].Err
		}
		return err
	}
	wantRefusal(t, one("bob", Change{UserID: "cid", Remove: true}), Forbidden, "role_forbids")
	wantRefusal(t, one("bob", Change{UserID: "bob", Role: ptr(Admin)}), Forbidden, "role_forbids")
	wantRefusal(t, one("ann", Change{UserID: "ann", Role: ptr(Plain)}), Rule, "owner_stays")
	wantRefusal(t, one("ann", Change{UserID: "ann", Remove: true}), Rule, "owner_stays")
	wantRefusal(t, one("ann", Change{UserID: "bob", Role: ptr(Owner)}), Rule, "role_invalid")
	wantRefusal(t, one("ann", Change{UserID: "bob", Access: ptr(SeatAccess)}), Rule, "no_seats")
	if err := one("ann", Change{UserID: "bob", Role: ptr(Admin)}); err != nil {
		t.Error(err)
	}
	if err := one("cid", Change{UserID: "cid", Remove: true}); err != nil { // T12: leaving
		t.Error(err)
	}
	handOver := func(who, to string) error {
		return w.act(func(tx pgx.Tx) error { return HandOver(t.Context(), tx, w.catalog, "acme", to, Actor{User: who}, w.at) })
	}
	wantRefusal(t, handOver("bob", "bob"), Forbidden, "role_forbids")
	wantRefusal(t, handOver("ann", "cid"), NotFound, "member_not_found")
	wantRefusal(t, handOver("ann", "ann"), Conflict, "owner_already")
	if err := handOver("ann", "bob"); err != nil {
		t.Error(err)
	}
	if a, b := w.member("acme", "ann"), w.member("acme", "bob"); a.Role != Admin || b.Role != Owner {
		t.Errorf("T3: ann is %s, bob %s", a.Role, b.Role)
	}
	if team, _ := GetTeam(t.Context(), w.tx, "acme"); team.OwnerID != "bob" {
		t.Errorf("T3: the team is %s's", team.OwnerID)
	}
	if err := one("ann", Change{UserID: "ann", Remove: true}); err != nil {
		t.Error(err)
	}
}

func TestRemove(t *testing.T) {
	t.Run("T12_AllocationReturnsAndHoldsStayCapturable", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w)
		w.moves(MoveIn{TeamID: "acme", From: ofPool(), To: ofMember("bob"), Credits: 300})
		a := w.spends(SpendIn{Op: OpHold, TeamID: "acme", UserID: "bob", Credits: 50})
		b := w.spends(SpendIn{Op: OpHold, TeamID: "acme", UserID: "bob", Credits: 60})
		spent := w.spends(SpendIn{TeamID: "acme", UserID: "bob", Credits: 10})
		w.changes("acme", Change{UserID: "bob", Remove: true})
		if p := w.pool(team.BookID); p.Allocated != 0 || p.Held != 110 || p.Available != 880 {
			t.Errorf("allocated %d, held %d, available %d", p.Allocated, p.Held, p.Available)
		}
		w.spends(SpendIn{Op: OpCapture, TeamID: "acme", Of: a.Entry, Credits: 20})
		w.spends(SpendIn{Op: OpRelease, TeamID: "acme", Of: b.Entry})
		w.spends(SpendIn{Op: OpReverse, TeamID: "acme", Of: spent.Entry, Whole: true})
		if p := w.pool(team.BookID); p.Allocated != 0 || p.Held != 0 || p.Available != 980 || p.Used != 20 {
			t.Errorf("allocated %d, held %d, available %d, used %d", p.Allocated, p.Held, p.Available, p.Used)
		}
		_, err := w.spend(SpendIn{TeamID: "acme", UserID: "bob", Credits: 1})
		wantRefusal(t, err, NotFound, "member_not_found")
		// Back again, there is an allocation again.
		w.join("acme", "bob")
		w.moves(MoveIn{TeamID: "acme", From: ofPool(), To: ofMember("bob"), Credits: 5})
		if got := w.spends(SpendIn{TeamID: "acme", UserID: "bob", Credits: 5}); got.Paid[0].Account != "allocation" {
			t.Errorf("paid from %+v", got.Paid)
		}
	})
}

func TestPersonal(t *testing.T) {
	goPersonal := func(w *world, user, who string) error {
		return w.act(func(tx pgx.Tx) error {
			_, err := GoPersonal(w.t.Context(), tx, w.catalog, "acme", user, Actor{User: who}, w.at)
			return err
		})
	}
	goBack := func(w *world, user, who string) error {
		return w.act(func(tx pgx.Tx) error {
			_, err := GoBack(w.t.Context(), tx, w.catalog, "acme", user, Actor{User: who}, w.at)
			return err
		})
	}
	t.Run("T7_ThereAndBackToTheTypeLastGiven", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w)
		w.subscribe("sub_1", "ann", "team", 1, &team)
		w.access("acme", "bob", SeatAccess)
		if err := goPersonal(w, "bob", "bob"); err != nil {
			t.Fatal(err)
		}
		wantRefusal(t, goPersonal(w, "bob", "bob"), Conflict, "personal_already")
		w.access("acme", "cid", SeatAccess) // takes the seat
		wantRefusal(t, goBack(w, "bob", "bob"), Conflict, "no_seat_free")
		w.access("acme", "cid", CreditsAccess)
		if err := goBack(w, "bob", "bob"); err != nil {
			t.Fatal(err)
		}
		if m := w.member("acme", "bob"); m.Access != SeatAccess || m.SeatAt == nil {
			t.Errorf("bob is %+v", m)
		}
		wantRefusal(t, goBack(w, "bob", "bob"), Conflict, "not_personal")
	})
	t.Run("T7_NotBackFromWhatAnAdminSaid", func(t *testing.T) {
		w := newWorld(t)
		acme(w)
		wantRefusal(t, goPersonal(w, "bob", "cid"), Forbidden, "role_forbids")
		if err := goPersonal(w, "bob", "ann"); err != nil {
			t.Fatal(err)
		}
		wantRefusal(t, goBack(w, "bob", "bob"), Forbidden, "access_set_by_admin")
	})
}
