package teams

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
	"purser/internal/pgtest"
	"purser/ledger"
)

// shared is a world whose acts are committed, for tests in which several act at once.
func shared(t *testing.T, prepare func(w *world)) *pgxpool.Pool {
	t.Helper()
	pool := pgtest.Pool(t)
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		prepare(&world{t: t, tx: tx, catalog: catalog(), at: start, subs: map[string]*billing.Subscription{}})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if _, err := ledger.Audit(ctx, pool, func(d ledger.Difference) error {
			t.Errorf("audit: %s", d)
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	return pool
}

// atOnce runs n requests at once, each in a transaction of its own, and gives their errors.
func atOnce(t *testing.T, pool *pgxpool.Pool, n int, do func(tx pgx.Tx, i int) error) []error {
	t.Helper()
	errs := make([]error, n)
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-begin
			for {
				errs[i] = pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error { return do(tx, i) })
				if !errors.Is(errs[i], ErrAgain) {
					return
				}
			}
		})
	}
	close(begin)
	wg.Wait()
	return errs
}

// wantOneWinner fails the test unless one request passed and the others were refused so.
func wantOneWinner(t *testing.T, errs []error, class Class, code string) {
	t.Helper()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		wantRefusal(t, err, class, code)
	}
	if won != 1 {
		t.Errorf("%d won", won)
	}
}

func TestTwoAdmins(t *testing.T) {
	t.Run("T3_AndTheLastPlaceOneWins", func(t *testing.T) {
		pool := shared(t, func(w *world) {
			w.team("acme", "ann")
			w.join("acme", "bob", asAdmin)
			w.join("acme", "cid")
			w.join("acme", "dan") // 4 of 5
		})
		wantOneWinner(t, atOnce(t, pool, 4, func(tx pgx.Tx, i int) error {
			_, err := Invite(t.Context(), tx, catalog(), InviteIn{
				ID: fmt.Sprint("last", i), TeamID: "acme", By: Actor{User: []string{"ann", "bob"}[i%2]}, Email: fmt.Sprintf("p%d@example.com", i),
				Role: Plain, Limit: Limit{Kind: LimitNone}, TokenHash: fmt.Append(nil, i),
			}, start)
			return err
		}), Rule, "team_full")
	})
	t.Run("T4_AndTheLastSeatOneWins", func(t *testing.T) {
		pool := shared(t, func(w *world) {
			team := acme(w)
			w.changes("acme", Change{UserID: "bob", Role: ptr(Admin)})
			w.subscribe("sub_1", "ann", "team", 1, &team)
		})
		wantOneWinner(t, atOnce(t, pool, 3, func(tx pgx.Tx, i int) error {
			who := []string{"ann", "bob", "cid"}[i]
			results, _, err := ChangeMembers(t.Context(), tx, catalog(), "acme", []Change{{UserID: who, Access: ptr(SeatAccess)}}, backend, start)
			return errors.Join(err, results[0].Err)
		}), Conflict, "no_seat_free")
	})
	t.Run("T3_AcceptedDeclinedAndRevokedAtOnceOneWins", func(t *testing.T) {
		pool := shared(t, func(w *world) {
			w.team("acme", "ann")
			if _, err := w.invite("acme", "bob@example.com", func(in *InviteIn) { in.ID, in.TokenHash = "i", []byte("i") }); err != nil {
				t.Fatal(err)
			}
		})
		wantOneWinner(t, atOnce(t, pool, 3, func(tx pgx.Tx, i int) (err error) {
			switch i {
			case 0:
				_, err = Accept(t.Context(), tx, catalog(), []byte("i"), "bob", start)
			case 1:
				err = Decline(t.Context(), tx, []byte("i"), start)
			default:
				err = Revoke(t.Context(), tx, catalog(), "acme", "i", backend, start)
			}
			return err
		}), Conflict, "invitation_settled")
	})
	t.Run("L6_OneKeySpentByManyAtOnceIsSpentOnce", func(t *testing.T) {
		pool := shared(t, func(w *world) { acme(w) })
		var mu sync.Mutex
		replayed := 0
		for _, err := range atOnce(t, pool, 10, func(tx pgx.Tx, _ int) error {
			out, err := Spend(t.Context(), tx, catalog(), SpendIn{Op: OpSpend, TeamID: "acme", UserID: "bob", Credits: 200, Key: "k", Hash: []byte("h")}, start)
			if err == nil && out.Replayed {
				mu.Lock()
				replayed++
				mu.Unlock()
			}
			return err
		}) {
			if err != nil {
				t.Error(err)
			}
		}
		if replayed != 9 {
			t.Errorf("%d were answered again", replayed)
		}
	})
	t.Run("S1_AHoldCapturedAndReleasedAtOnceHasOneOutcome", func(t *testing.T) {
		var hold ledger.EntryRef
		pool := shared(t, func(w *world) {
			acme(w)
			hold = w.spends(SpendIn{Op: OpHold, TeamID: "acme", UserID: "bob", Credits: 20}).Entry
		})
		wantOneWinner(t, atOnce(t, pool, 4, func(tx pgx.Tx, i int) error {
			_, err := Spend(t.Context(), tx, catalog(), SpendIn{
				Op: []Op{OpCapture, OpRelease}[i%2], TeamID: "acme", Of: hold, Credits: 20, Key: fmt.Sprint(i), Hash: []byte("h"),
			}, start)
			return err
		}), Conflict, "hold_settled")
	})
}

// Requests that touch two teams' and two users' books crosswise, at once: every one gets
// an answer, since books are locked in one order (L2).
func TestCrosswise(t *testing.T) {
	pool := shared(t, func(w *world) {
		for _, pair := range [][2]string{{"acme", "ann"}, {"blue", "bob"}} {
			team := w.team(pair[0], pair[1])
			w.grant(team.BookID, 10_000, nil)
			w.grant(w.user(pair[1]).BookID, 10_000, nil)
		}
		w.join("acme", "bob", asAdmin)
		w.join("blue", "ann", asAdmin)
		w.subscribe("sub_ann", "ann", "team", 1, nil)
		for _, id := range []string{"acme", "blue"} {
			w.must(func(tx pgx.Tx) error {
				_, err := ChangeTeam(t.Context(), tx, w.catalog, id, TeamChange{FallBack: ptr(true)}, backend, w.at)
				return err
			})
		}
	})
	at, who := []string{"acme", "blue"}, []string{"ann", "bob"}
	errs := atOnce(t, pool, 100, func(tx pgx.Tx, i int) error {
		a, b := i%2, i/2%2
		key, hash := fmt.Sprint("k", i), []byte("h")
		in := SpendIn{Op: OpSpend, TeamID: at[a], UserID: who[b], Credits: 5, Key: key, Hash: hash}
		switch i % 10 {
		case 0, 1:
			_, err := Move(t.Context(), tx, catalog(), MoveIn{
				TeamID: at[a], From: ofPersonal(who[b]), To: ofPool(), Credits: 3, By: Actor{User: who[b]}, Key: key, Hash: hash,
			}, start)
			return err
		case 2:
			_, err := Move(t.Context(), tx, catalog(), MoveIn{TeamID: at[a], From: ofPool(), To: ofMember(who[b]), Credits: 3, Key: key, Hash: hash}, start)
			return err
		case 3:
			err := AssignSubscription(t.Context(), tx, catalog(), "acme", "sub_ann", backend, start)
			var refusal *Refusal
			if errors.As(err, &refusal) {
				return nil // it is there already
			}
			return err
		case 4:
			_, err := UnassignSubscription(t.Context(), tx, catalog(), "acme", backend, start)
			var refusal *Refusal
			if errors.As(err, &refusal) {
				return nil
			}
			return err
		case 5:
			_, err := GoPersonal(t.Context(), tx, catalog(), at[a], who[b], backend, start)
			var refusal *Refusal
			if errors.As(err, &refusal) {
				return nil
			}
			return err
		}
		other := in
		other.TeamID, other.UserID, other.Key = at[1-a], who[1-b], key+"b"
		results, _, err := SpendMany(t.Context(), tx, catalog(), []SpendIn{in, other}, start)
		for _, r := range results {
			err = errors.Join(err, r.Err)
		}
		return err
	})
	for i, err := range errs {
		if err != nil {
			t.Errorf("request %d: %v", i, err)
		}
	}
}
