package teams

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
)

// waits runs something in a transaction of its own while acme is being closed in another
// one, which commits as soon as the first waits for its lock.
func waits(t *testing.T, pool *pgxpool.Pool, expires int64, do func(tx pgx.Tx) error) error {
	t.Helper()
	done := make(chan error, 1)
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		if _, err := Close(t.Context(), tx, catalog(), CloseIn{TeamID: "acme", By: Actor{User: "ann"}, Expires: expires}, start); err != nil {
			return err
		}
		go func() { done <- pgx.BeginFunc(t.Context(), pool, do) }()
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
			var waiting bool
			err := pool.QueryRow(t.Context(), `
				SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&waiting)
			if err != nil || waiting {
				return err
			}
			if time.Now().After(deadline) {
				return errors.New("nothing waits for the team that closes")
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return <-done
}

func TestClose_AtTheSameTime(t *testing.T) {
	ann := Actor{User: "ann"}
	packs := func() *billing.Catalog {
		c := catalog()
		c.Packs = []billing.Pack{{Name: "hundred", Credits: 100}}
		c.WithoutSubscription.TopUp.Allowed = true
		return c
	}
	t.Run("P4_APaymentFindsOutThatTheTeamHasClosed", func(t *testing.T) {
		var id string
		pool := shared(t, func(w *world) {
			acme(w)
			var err error
			if id, err = w.buyPack("acme", ann); err != nil {
				t.Fatal(err)
			}
		})
		pay := func(tx pgx.Tx) error {
			_, err := billing.ApplyCheckout(t.Context(), tx, packs(), billing.CheckoutSession{
				ID: "cs", Mode: "payment", Status: "complete", PaymentStatus: "paid", CustomerID: "cus_ann", PaidAt: start,
				Metadata: map[string]string{billing.MetadataPurchase: id},
			}, 1, func() time.Time { return start })
			return err
		}
		if err := waits(t, pool, 1000, pay); !errors.Is(err, billing.ErrMoved) {
			t.Fatalf("got %v", err)
		}
		if err := pgx.BeginFunc(t.Context(), pool, pay); err != nil { // as whoever books it does
			t.Fatal(err)
		}
		user, err := GetUser(t.Context(), pool, "ann")
		if err != nil {
			t.Fatal(err)
		}
		err = pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			p, err := billing.ReadPool(t.Context(), tx, catalog(), user.BookID, start)
			if err == nil && p.Purchased != 100 {
				t.Errorf("ann has %+v", p)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	t.Run("P4_NobodyBeginsToBuyForIt", func(t *testing.T) {
		pool := shared(t, func(w *world) { acme(w) })
		err := waits(t, pool, 1000, func(tx pgx.Tx) error {
			_, err := Buy(t.Context(), tx, packs(), BuyIn{PurchaseID: "top_1", TeamID: "acme", By: ann, Pack: "hundred"}, start)
			return err
		})
		wantRefusal(t, err, Conflict, "team_closed")
	})
	t.Run("T16_NobodySpendsOrIsInvited", func(t *testing.T) {
		pool := shared(t, func(w *world) { acme(w) })
		err := waits(t, pool, 1000, func(tx pgx.Tx) error {
			_, err := Spend(t.Context(), tx, catalog(), SpendIn{Op: OpSpend, TeamID: "acme", UserID: "bob", Credits: 1, Key: "k", Hash: []byte("h")}, start)
			return err
		})
		wantRefusal(t, err, Conflict, "team_closed")
	})
	t.Run("B13_AnAssignmentComesTooLate", func(t *testing.T) {
		pool := shared(t, func(w *world) {
			acme(w)
			w.subscribe("sub_1", "ann", "team", 3, nil)
		})
		err := waits(t, pool, 1000, func(tx pgx.Tx) error {
			return AssignSubscription(t.Context(), tx, catalog(), "acme", "sub_1", ann, start)
		})
		wantRefusal(t, err, Conflict, "team_closed")
	})
	t.Run("T16_OneOfTwoCloses", func(t *testing.T) {
		pool := shared(t, func(w *world) { acme(w) })
		wantOneWinner(t, atOnce(t, pool, 3, func(tx pgx.Tx, _ int) error {
			_, err := Close(t.Context(), tx, catalog(), CloseIn{TeamID: "acme", By: ann, Expires: 1000}, start)
			return err
		}), Conflict, "team_closed")
	})
}
