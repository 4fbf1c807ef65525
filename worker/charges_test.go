package worker

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/internal/localstripe"
	"purser/ledger"
	"purser/teams"
)

// charge gives the latest charge of a customer's.
func (w *world) charge(customer string) string {
	w.t.Helper()
	var list struct{ Data []struct{ ID string } }
	w.ask(http.MethodGet, "/v1/charges?customer="+customer, nil, &list)
	if len(list.Data) == 0 {
		w.t.Fatalf("no charge of %s", customer)
	}
	return list.Data[0].ID
}

// refund gives money of a charge back.
func (w *world) refund(charge string, amount int64) string {
	w.t.Helper()
	var made struct{ ID string }
	w.post("/v1/refunds", url.Values{"charge": {charge}, "amount": {fmt.Sprint(amount)}}, &made)
	return made.ID
}

// dispute opens a dispute of a charge.
func (w *world) dispute(charge string, how localstripe.Dispute) string {
	w.t.Helper()
	id, err := w.stripe.OpenDispute(charge, how)
	ok(w.t, err)
	return id
}

func (w *world) hasOpenDispute(book int64) bool {
	w.t.Helper()
	open, err := billing.HasOpenDispute(w.t.Context(), w.pool, book)
	ok(w.t, err)
	return open
}

// left is what a book has and owes, in short.
func (w *world) left(book int64) string {
	w.t.Helper()
	p := w.read(book)
	return fmt.Sprintf("available %d, allocated %d, held %d, frozen %d, used %d, debt %d", p.Available, p.Allocated, p.Held, p.Frozen, p.Used, p.Debt)
}

// packBought is a team whose pack of 1,000 is paid, with what it cost.
func packBought(t *testing.T) (w *world, team teams.Team, customer, charge string, cost int64) {
	t.Helper()
	w, team, customer, _ = buyer(t)
	w.buy("top_1", team.BookID, customer)
	w.settled()
	return w, team, customer, w.charge(customer), *w.purchase("top_1").Amount
}

func TestRefunds(t *testing.T) {
	t.Parallel()

	t.Run("R1_InPartThreeTimes_HeardTwiceAndShuffled", func(t *testing.T) {
		t.Parallel()
		w, team, _, charge, cost := packBought(t)
		w.spend(team.BookID, "spent", 400)
		for _, step := range []struct {
			amount int64
			want   string
		}{
			{333, "available 267, allocated 0, held 0, frozen 0, used 400, debt 0"},
			{333, "available 0, allocated 0, held 0, frozen 0, used 400, debt 66"},
			{334, "available 0, allocated 0, held 0, frozen 0, used 400, debt 400"},
		} {
			w.refund(charge, step.amount)
			w.settled()
			same(t, "R1", w.left(team.BookID), step.want)
		}
		w.stripe.Resend(3, 7)
		w.settled()
		same(t, "heard again", w.left(team.BookID), "available 0, allocated 0, held 0, frozen 0, used 400, debt 400")
		p := w.purchase("top_1")
		same(t, "P5: refunded", p.Refunded, cost)
		same(t, "P5: taken back", p.TakenBack, 1000)
		same(t, "state", p.State, billing.PurchasePaid)
		same(t, "charges that wait", w.count(`SELECT count(*) FROM charges WHERE state <> 'settled'`), 0)
		w.audit()
	})

	t.Run("R1_ARefundThatFailsGivesTheCreditsBack", func(t *testing.T) {
		t.Parallel()
		w, team, customer, charge, cost := packBought(t)
		w.spend(team.BookID, "spent", 400)
		refund := w.refund(charge, cost)
		w.settled()
		same(t, "refunded", w.left(team.BookID), "available 0, allocated 0, held 0, frozen 0, used 400, debt 400")
		w.buy("top_2", team.BookID, customer)
		w.settled()
		same(t, "R1: what enters pays", w.left(team.BookID), "available 600, allocated 0, held 0, frozen 0, used 400, debt 0")
		ok(t, w.stripe.FailRefund(refund))
		w.settled()
		same(t, "failed", w.left(team.BookID), "available 1600, allocated 0, held 0, frozen 0, used 400, debt 0")
		same(t, "taken back", w.purchase("top_1").TakenBack, 0)
		same(t, "refunded", w.purchase("top_1").Refunded, 0)
		w.stripe.Resend(2, 3)
		w.settled()
		same(t, "heard again", w.left(team.BookID), "available 1600, allocated 0, held 0, frozen 0, used 400, debt 0")
		w.audit()
	})

	t.Run("E3_ARefundThatWasNeverDeliveredIsFoundByTheSweep", func(t *testing.T) {
		t.Parallel()
		w, team, _, charge, cost := packBought(t)
		sweeper := w.worker()
		w.stripe.SetDelivery(localstripe.Faults{Drop: []string{"charge*"}})
		w.refund(charge, cost)
		w.settled()
		same(t, "not heard of", w.left(team.BookID), "available 1000, allocated 0, held 0, frozen 0, used 0, debt 0")
		n, err := sweeper.SweepEvents(t.Context())
		ok(t, err)
		same(t, "found", n, 1)
		w.settled()
		same(t, "found", w.left(team.BookID), "available 0, allocated 0, held 0, frozen 0, used 0, debt 0")
		w.audit()
	})

	t.Run("P4_ARefundHeardBeforeItsPaymentBooksBoth", func(t *testing.T) {
		t.Parallel()
		w, team, customer, _ := buyer(t)
		w.stripe.SetDelivery(localstripe.Faults{Hold: []string{"checkout*"}})
		w.buy("top_1", team.BookID, customer)
		w.refund(w.charge(customer), 300)
		w.settled()
		p := w.purchase("top_1")
		same(t, "state", p.State, billing.PurchasePaid)
		taken := 1000 * 300 / *p.Amount
		same(t, "B12", w.left(team.BookID), fmt.Sprintf("available %d, allocated 0, held 0, frozen 0, used 0, debt 0", 1000-taken))
		w.stripe.Release(3)
		w.settled()
		same(t, "B12", w.left(team.BookID), fmt.Sprintf("available %d, allocated 0, held 0, frozen 0, used 0, debt 0", 1000-taken))
		w.audit()
	})

	t.Run("P4_ARefundOfAPurchaseWhoseSessionIsLostWaitsForItsPayment", func(t *testing.T) {
		t.Parallel()
		w, team, customer, worker := buyer(t)
		w.stripe.SetDelivery(localstripe.Faults{Hold: []string{"checkout*"}})
		p := w.order("top_1", team.BookID, customer)
		w.exec(`UPDATE purchases SET session_id = NULL`)
		w.pay(p)
		w.refund(w.charge(customer), 300)
		w.settled()
		same(t, "waits", w.count(`SELECT count(*) FROM charges WHERE state = 'unpaid'`), 1)
		same(t, "nothing yet", w.left(team.BookID), "available 0, allocated 0, held 0, frozen 0, used 0, debt 0")
		w.stripe.Release(0)
		w.settled()
		same(t, "paid", w.purchase("top_1").State, billing.PurchasePaid)
		n, err := worker.SweepPurchases(t.Context())
		ok(t, err)
		same(t, "asked about", n, 1)
		taken := 1000 * 300 / *w.purchase("top_1").Amount
		same(t, "B12", w.left(team.BookID), fmt.Sprintf("available %d, allocated 0, held 0, frozen 0, used 0, debt 0", 1000-taken))
		n, err = worker.SweepPurchases(t.Context())
		ok(t, err)
		same(t, "asked about again", n, 0)
		w.audit()
	})

	t.Run("R3_ASubscriptionsInvoice", func(t *testing.T) {
		t.Parallel()
		w, team, customer, _ := buyer(t)
		sub := w.subscribe(customer, "team_monthly", 5, "metadata[purser_team]", "acme")
		w.settled()
		same(t, "granted", w.left(team.BookID), "available 5000, allocated 0, held 0, frozen 0, used 0, debt 0")
		w.spend(team.BookID, "spent", 4000)
		charge := w.charge(customer)
		var c struct{ Amount int64 }
		w.ask(http.MethodGet, "/v1/charges/"+charge, nil, &c)
		w.refund(charge, c.Amount/2)
		w.settled()
		same(t, "R3: half of it", w.left(team.BookID), "available 0, allocated 0, held 0, frozen 0, used 4000, debt 1500")
		same(t, "B10: T and O stay", w.count(`SELECT target - owed FROM periods`), 5000)
		sub.seats(6)
		w.settled()
		same(t, "an increase pays", w.left(team.BookID), "available 0, allocated 0, held 0, frozen 0, used 4000, debt 500")
		w.audit()
	})

	t.Run("R3_HeardBeforeAnythingElseOfTheSubscription", func(t *testing.T) {
		t.Parallel()
		w, team, customer, _ := buyer(t)
		w.stripe.SetDelivery(localstripe.Faults{Hold: []string{"customer.subscription*", "invoice*"}})
		w.subscribe(customer, "team_monthly", 5, "metadata[purser_team]", "acme")
		charge := w.charge(customer)
		var c struct{ Amount int64 }
		w.ask(http.MethodGet, "/v1/charges/"+charge, nil, &c)
		w.refund(charge, c.Amount/5)
		w.settled()
		same(t, "R3", w.left(team.BookID), "available 4000, allocated 0, held 0, frozen 0, used 0, debt 0")
		w.stripe.Release(5)
		w.settled()
		same(t, "R3", w.left(team.BookID), "available 4000, allocated 0, held 0, frozen 0, used 0, debt 0")
		w.audit()
	})

	t.Run("B14_OfAnUnknownCustomerWaitsUntilItIsLinked", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		worker, _ := w.start()
		customer := w.customer()
		w.subscribe(customer, "team_monthly", 5)
		w.settled()
		charge := w.charge(customer)
		w.dispute(charge, localstripe.Dispute{})
		w.settled()
		same(t, "unmatched", w.count(`SELECT count(*) FROM events WHERE type LIKE 'charge.dispute.%' AND state = 'unmatched'`), 2)
		w.link(customer, "olga")
		w.settled()
		_, err := worker.SweepPurchases(t.Context())
		ok(t, err)
		w.settled()
		personal := w.user("olga").BookID
		same(t, "R2", w.left(personal), "available 0, allocated 0, held 0, frozen 5000, used 0, debt 0")
		same(t, "unmatched", w.count(`SELECT count(*) FROM events WHERE state = 'unmatched'`), 0)
		w.audit()
	})

	t.Run("NotOursIsIgnored", func(t *testing.T) {
		t.Parallel()
		w, _, customer, _ := buyer(t)
		var session struct{ ID string }
		w.post("/v1/checkout/sessions", url.Values{
			"mode": {"payment"}, "customer": {customer}, "line_items[0][price]": {w.price("pack_1000")}, "line_items[0][quantity]": {"1"},
			"success_url": {"https://x.example"},
		}, &session)
		ok(t, w.stripe.PaySession(t.Context(), session.ID, localstripe.Payment{}))
		w.refund(w.charge(customer), 100)
		w.settled()
		same(t, "ignored", w.count(`SELECT count(*) FROM events WHERE type = 'charge.refunded' AND state = 'ignored'`), 1)
		same(t, "kept", w.count(`SELECT count(*) FROM charges`), 0)
	})
}

func TestChargesRace(t *testing.T) {
	t.Parallel()
	t.Run("L7_RefundsAtOnceWithSpends_TakeEachCreditOnce", func(t *testing.T) {
		t.Parallel()
		w, team, customer, _ := buyer(t)
		var charges []string
		for i := range 3 {
			w.buy(fmt.Sprint("top_", i), team.BookID, customer)
			charges = append(charges, w.charge(customer))
		}
		w.settled()
		cost := *w.purchase("top_0").Amount
		w.stripe.SetDelivery(localstripe.Faults{Duplicate: 3})
		done := make(chan int64)
		go func() {
			var spent int64
			for i := range 60 {
				paid, err := w.trySpend(team.BookID, fmt.Sprint("race_", i), 25)
				if err != nil {
					t.Error(err)
				}
				if paid {
					spent += 25
				}
			}
			done <- spent
		}()
		for range 5 {
			for _, c := range charges[:2] {
				w.refund(c, cost/10)
			}
		}
		spent := <-done
		w.stripe.Resend(4, 11)
		w.settled()
		p := w.read(team.BookID)
		taken := 2 * (1000 * (5 * (cost / 10)) / cost)
		same(t, "taken back", w.count(`SELECT sum(taken_back)::bigint FROM purchases`), taken)
		same(t, "B12", p.Available-p.Debt, 3000-taken-spent)
		w.audit()
	})
}

// trySpend spends if there is enough.
func (w *world) trySpend(book int64, key string, credits int64) (bool, error) {
	err := pgx.BeginFunc(w.t.Context(), w.pool, func(tx pgx.Tx) error {
		at := w.stripe.Now()
		state, err := billing.OpenState(w.t.Context(), tx, w.catalog, at, ledger.Want{Book: book})
		if err != nil {
			return err
		}
		main, _ := state.Book.Account(ledger.Main)
		if _, err := state.Book.Spend(ledger.Request{Key: key, Actor: "ada", Holder: "ada", At: at},
			ledger.SpendIn{Credits: credits, Payers: []ledger.Payer{ledger.From(main)}}); err != nil {
			return err
		}
		return billing.Save(w.t.Context(), tx, state)
	})
	if short := (*ledger.InsufficientError)(nil); errors.As(err, &short) {
		return false, nil
	}
	return err == nil, err
}
