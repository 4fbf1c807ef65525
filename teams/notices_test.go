package teams

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"purser/billing"
)

// told gives what was told in a book after a notice, as "kind for whom {data}", and the
// last notice.
func (w *world) told(book, after int64) (lines []string, last int64) {
	w.t.Helper()
	list, err := billing.Notices(w.t.Context(), w.tx, billing.NoticeFilter{BookID: book, After: after, Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	last = after
	for _, n := range list {
		data, err := json.Marshal(n.Data)
		if err != nil {
			w.t.Fatal(err)
		}
		line := string(n.Kind)
		if n.UserID != "" {
			line += " for " + n.UserID
		}
		if !n.At.Equal(w.at) {
			line += " at " + n.At.String()
		}
		lines, last = append(lines, line+" "+string(data)), n.ID
	}
	return lines, last
}

// tells fails the test unless exactly that is told in a book by what is done.
func (w *world) tells(book int64, do func(), want ...string) {
	w.t.Helper()
	_, last := w.told(book, 0)
	do()
	if got, _ := w.told(book, last); !slices.Equal(got, want) {
		w.t.Errorf("told\n%q\nwant\n%q", got, want)
	}
}

func TestNotices(t *testing.T) {
	ann := Actor{User: "ann"}
	for _, c := range []struct {
		name string
		do   func(w *world)
		want []string
	}{
		{"Invited", func(w *world) { w.invites("dan", by("ann"), asAdmin) },
			[]string{`invitation.created {"access":"credits","email":"dan@example.com","invitation_id":"inv-dan","invited_by":"ann","role":"admin"}`}},
		{"InvitationRefused", func(w *world) {
			_, err := w.invite("acme", "nobody")
			wantRefusal(w.t, err, Rule, "email_invalid")
		}, nil},
		{"Joined", func(w *world) {
			w.invites("dan")
			w.accepts("dan")
		}, []string{
			`invitation.created {"access":"credits","email":"dan@example.com","invitation_id":"inv-dan","invited_by":"backend","role":"member"}`,
			`member.joined for dan {"access":"credits","email":"dan@example.com","invitation_id":"inv-dan","invited_by":"backend","role":"member"}`,
		}},
		{"RoleAndLimitInTwoRowsToldOnce", func(w *world) {
			w.changes("acme", Change{UserID: "bob", Role: ptr(Admin)}, Change{UserID: "bob", Limit: &Limit{Kind: LimitPeriod, Credits: 9}})
		}, []string{`member.changed for bob {"by":"backend","limit":{"from":{"credits":0,"kind":"none"},"to":{"credits":9,"kind":"period"}},"role":{"from":"member","to":"admin"}}`}},
		{"NothingChanged", func(w *world) { w.changes("acme", Change{UserID: "bob", Role: ptr(Plain)}) }, nil},
		{"OneRowRefused", func(w *world) {
			_, ok, err := w.change("acme", ann, Change{UserID: "bob", Role: ptr(Admin)}, Change{UserID: "ann", Remove: true})
			if ok || err != nil {
				w.t.Errorf("got %t, %v", ok, err)
			}
		}, nil},
		{"LeftWithAnAllocation", func(w *world) {
			w.moves(MoveIn{TeamID: "acme", From: ofPool(), To: ofMember("bob"), Credits: 30, Reason: "June"})
			w.changes("acme", Change{UserID: "bob", Remove: true})
		}, []string{
			`credits.moved for bob {"by":"backend","credits":30,"from":{"kind":"pool"},"kind":"allocation","reason":"June","to":{"kind":"member","user":"bob"}}`,
			`member.removed for bob {"by":"backend","returned":30}`,
		}},
		{"SwitchedThereAndBack", func(w *world) {
			w.switches("bob", GoPersonal)
			w.switches("bob", GoBack)
		}, []string{
			`member.changed for bob {"access":{"from":"credits","to":"personal"},"by":"bob"}`,
			`member.changed for bob {"access":{"from":"personal","to":"credits"},"by":"bob"}`,
		}},
		{"HandedOver", func(w *world) {
			w.must(func(tx pgx.Tx) error { return HandOver(w.t.Context(), tx, w.catalog, "acme", "bob", ann, w.at) })
		}, []string{`team.owner_changed for bob {"by":"ann","from":"ann"}`}},
		{"SuspendedAndResumedOnceEach", func(w *world) {
			for _, suspended := range []bool{true, true, false, false} {
				w.must(func(tx pgx.Tx) error { return SuspendTeam(w.t.Context(), tx, "acme", suspended, w.at) })
			}
		}, []string{`team.suspended {}`, `team.resumed {}`}},
		{"TransferredAndReclaimed", func(w *world) {
			w.moves(MoveIn{TeamID: "acme", From: ofPool(), To: ofMember("bob"), Credits: 30})
			w.moves(MoveIn{TeamID: "acme", From: ofMember("bob"), To: ofMember("cid"), Credits: 20, By: ann, Key: "once"})
			w.moves(MoveIn{TeamID: "acme", From: ofMember("bob"), To: ofMember("cid"), Credits: 20, By: ann, Key: "once"})
			w.moves(MoveIn{TeamID: "acme", From: ofMember("bob"), To: ofPool(), Credits: 10})
		}, []string{
			`credits.moved for bob {"by":"backend","credits":30,"from":{"kind":"pool"},"kind":"allocation","to":{"kind":"member","user":"bob"}}`,
			`credits.moved for cid {"by":"ann","credits":20,"from":{"kind":"member","user":"bob"},"kind":"transfer","to":{"kind":"member","user":"cid"}}`,
			`credits.moved {"by":"backend","credits":10,"from":{"kind":"member","user":"bob"},"kind":"reclaim","to":{"kind":"pool"}}`,
		}},
		{"Contributed", func(w *world) {
			w.grant(w.user("ann").BookID, 7, nil)
			w.moves(MoveIn{TeamID: "acme", By: ann, From: ofPersonal("ann"), To: ofPool(), Credits: 7})
		}, []string{`credits.moved {"by":"ann","credits":7,"from":{"kind":"personal","user":"ann"},"kind":"contribution","to":{"kind":"pool"}}`}},
		{"MoveRefused", func(w *world) {
			_, err := w.move(MoveIn{TeamID: "acme", From: ofPool(), To: ofMember("bob"), Credits: 5000})
			wantRefusal(w.t, err, Short, "too_few_credits")
		}, nil},
		{"Declined", func(w *world) {
			w.invites("dan")
			w.must(func(tx pgx.Tx) error { return Decline(w.t.Context(), tx, []byte("inv-dan"), w.at) })
			err := w.act(func(tx pgx.Tx) error { return Decline(w.t.Context(), tx, []byte("inv-dan"), w.at) })
			wantRefusal(w.t, err, Conflict, "invitation_settled")
		}, []string{
			`invitation.created {"access":"credits","email":"dan@example.com","invitation_id":"inv-dan","invited_by":"backend","role":"member"}`,
			`invitation.declined {"access":"credits","email":"dan@example.com","invitation_id":"inv-dan","invited_by":"backend","role":"member"}`,
		}},
		{"RolledBack", func(w *world) {
			err := w.act(func(tx pgx.Tx) error {
				if err := HandOver(w.t.Context(), tx, w.catalog, "acme", "bob", ann, w.at); err != nil {
					return err
				}
				return refuse(Conflict, "changed_my_mind", "rolled back")
			})
			wantRefusal(w.t, err, Conflict, "changed_my_mind")
		}, nil},
	} {
		t.Run("N1_"+c.name, func(t *testing.T) {
			w := newWorld(t)
			team := acme(w)
			w.tells(team.BookID, func() { c.do(w) }, c.want...)
		})
	}
}

func (w *world) invites(user string, change ...func(*InviteIn)) {
	w.t.Helper()
	named := func(in *InviteIn) { in.ID, in.TokenHash = "inv-"+user, []byte("inv-"+user) }
	if _, err := w.invite("acme", user+"@example.com", append(change, named)...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) accepts(user string) {
	w.t.Helper()
	if _, err := w.accept("inv-"+user, user); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) switches(user string, how func(context.Context, pgx.Tx, *billing.Catalog, string, string, Actor, instant) (Member, error)) {
	w.t.Helper()
	w.must(func(tx pgx.Tx) error {
		_, err := how(w.t.Context(), tx, w.catalog, "acme", user, Actor{User: user}, w.at)
		return err
	})
}

func TestNotices_LimitReached(t *testing.T) {
	reached := `limit.reached for bob {"limit":{"credits":10,"kind":"total"},"used":10}`
	spend := func(w *world, credits int64, want string) {
		w.t.Helper()
		_, err := w.spend(SpendIn{TeamID: "acme", UserID: "bob", Credits: credits})
		var r *Refusal
		if errors.As(err, &r); want == "" && err != nil || want != "" && (r == nil || r.Code != want) {
			w.t.Fatalf("got %v, want %q", err, want)
		}
	}
	t.Run("N1_OnTheCrossingOnly", func(t *testing.T) {
		w := newWorld(t)
		book := acme(w).BookID
		w.limit("acme", "bob", LimitTotal, 10)
		w.tells(book, func() { spend(w, 9, "") })
		w.tells(book, func() { spend(w, 2, "limit_reached") })
		w.tells(book, func() { spend(w, 1, "") }, reached)
		w.tells(book, func() { spend(w, 1, "limit_reached") })
	})
	t.Run("N1_AgainAfterARelease", func(t *testing.T) {
		w := newWorld(t)
		book := acme(w).BookID
		w.limit("acme", "bob", LimitTotal, 10)
		var held SpendAnswer
		hold := SpendIn{Op: OpHold, TeamID: "acme", UserID: "bob", Credits: 10, Key: "hold"}
		w.tells(book, func() { held = w.spends(hold) }, reached)
		w.tells(book, func() { w.spends(hold) }) // a repeated key
		w.tells(book, func() { w.spends(SpendIn{Op: OpRelease, TeamID: "acme", Of: held.Entry}) })
		w.tells(book, func() { spend(w, 10, "") }, reached)
	})
	t.Run("N1_OnceInABatch", func(t *testing.T) {
		w := newWorld(t)
		book := acme(w).BookID
		w.limit("acme", "bob", LimitTotal, 10)
		one := SpendIn{Op: OpSpend, TeamID: "acme", UserID: "bob", Credits: 6}
		rest, over := one, one
		rest.Credits = 4
		w.tells(book, func() { w.batch(one, over, rest, over) }, reached)
	})
	t.Run("N1_NotOfALimitOfNothing", func(t *testing.T) {
		w := newWorld(t)
		book := acme(w).BookID
		w.limit("acme", "bob", LimitTotal, 0)
		w.tells(book, func() { spend(w, 1, "limit_reached") })
		w.moves(MoveIn{TeamID: "acme", From: ofPool(), To: ofMember("bob"), Credits: 5})
		w.tells(book, func() { spend(w, 5, "") }) // of what is set aside, which no limit caps
	})
	t.Run("T6_ResetsWithThePeriod", func(t *testing.T) {
		w := newWorld(t)
		book := acme(w).BookID
		w.limit("acme", "bob", LimitPeriod, 10)
		told := `limit.reached for bob {"limit":{"credits":10,"kind":"period"},"resets_at":"2026-04-01T00:00:00Z","used":10}`
		w.tells(book, func() { spend(w, 10, "") }, told)
	})
}

func TestNotices_FellBack(t *testing.T) {
	t.Run("T7_ByItself", func(t *testing.T) {
		w := newWorld(t)
		book := acme(w).BookID
		on := true
		w.must(func(tx pgx.Tx) error {
			_, err := ChangeTeam(t.Context(), tx, w.catalog, "acme", TeamChange{FallBack: &on}, backend, w.at)
			return err
		})
		w.limit("acme", "bob", LimitTotal, 10)
		spend := func(credits int64) func() {
			return func() { _, _ = w.spend(SpendIn{TeamID: "acme", UserID: "bob", Credits: credits}) }
		}
		w.tells(book, spend(11)) // the own account is too poor
		w.grant(w.user("bob").BookID, 60, nil)
		w.tells(book, spend(11), `member.fell_back for bob {"cause":"fallback","from":"credits"}`)
		w.tells(book, spend(11))
	})
	t.Run("T5_WhenSeatsFall", func(t *testing.T) {
		w := newWorld(t)
		team := acme(w)
		w.subscribe("sub_1", "ann", "team", 2, &team)
		w.changes("acme", Change{UserID: "bob", Access: ptr(SeatAccess)})
		w.invites("dan", seated)
		follow := func() {
			w.must(func(tx pgx.Tx) error {
				_, err := FollowSubscription(t.Context(), tx, w.catalog, "acme", 0, false, w.at)
				return err
			})
		}
		w.subs["sub_1"].Items[0].Quantity = 0
		w.hear("sub_1", w.user("ann"), nil)
		w.tells(team.BookID, follow,
			`invitation.seat_lost {"access":"seat","cause":"seats","email":"dan@example.com","invitation_id":"inv-dan","invited_by":"backend","role":"member"}`,
			`member.fell_back for bob {"cause":"seats","from":"seat"}`)
		w.tells(team.BookID, follow)
	})
}

func TestNotices_Subscription(t *testing.T) {
	w := newWorld(t)
	team := acme(w)
	w.subscribe("sub_1", "ann", "team", 2, nil)
	ann := Actor{User: "ann"}
	assign := func() {
		if err := w.assign("sub_1", ann); err != nil {
			t.Error(err)
		}
	}
	w.tells(team.BookID, assign,
		`subscription.assigned {"by":"ann","subscription_id":"sub_1"}`,
		`member.changed for ann {"access":{"from":"credits","to":"seat"},"by":"purser"}`)
	w.tells(team.BookID, func() { wantRefusal(t, w.assign("sub_1", Actor{User: "bob"}), Forbidden, "role_forbids") })
	w.tells(team.BookID, func() {
		if err := w.unassign(ann); err != nil {
			t.Error(err)
		}
	}, `subscription.unassigned {"by":"ann","subscription_id":"sub_1"}`,
		`member.fell_back for ann {"cause":"unassigned","from":"seat"}`)
	assign()
	w.changes("acme", Change{UserID: "bob", Access: ptr(SeatAccess)})
	w.invites("dan")
	w.tells(team.BookID, func() {
		w.must(func(tx pgx.Tx) error {
			_, err := Close(t.Context(), tx, w.catalog, CloseIn{TeamID: "acme", By: ann, Expires: 1000}, w.at)
			return err
		})
	}, `subscription.unassigned {"by":"ann","subscription_id":"sub_1"}`, `pool.empty {}`,
		`member.fell_back for ann {"cause":"unassigned","from":"seat"}`,
		`member.fell_back for bob {"cause":"unassigned","from":"seat"}`,
		`team.closed {"by":"ann","expired":1000}`)
}

// N1: a user's own notices lie in the user's book.
func TestNotices_User(t *testing.T) {
	w := newWorld(t)
	bob := w.user("bob")
	for _, suspended := range []bool{true, true, false} {
		w.must(func(tx pgx.Tx) error { return SuspendUser(t.Context(), tx, "bob", suspended, w.at) })
	}
	lines, _ := w.told(bob.BookID, 0)
	if want := []string{`user.suspended {}`, `user.resumed {}`}; !slices.Equal(lines, want) {
		t.Errorf("told %q", lines)
	}
}
