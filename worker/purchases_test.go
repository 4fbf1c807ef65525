package worker

import (
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/internal/localstripe"
	"purser/teams"
)

// buyer is a world with a team, a customer who pays for it, and a worker.
func buyer(t *testing.T) (w *world, team teams.Team, customer string, worker *Worker) {
	t.Helper()
	w = newWorld(t)
	team = w.team("acme", "olga")
	customer = w.customer("purser_user", "olga")
	worker, _ = w.start()
	w.settled()
	w.rested()
	return w, team, customer, worker
}

func TestPurchases(t *testing.T) {
	t.Parallel()
	bought := figures(billing.Pool{Total: 1000, Purchased: 1000, Available: 1000})
	nothing := figures(billing.Pool{})

	t.Run("P1_PaidAtCheckoutBringsTheCreditsOnce_FromThePaymentOn", func(t *testing.T) {
		t.Parallel()
		w, team, customer, _ := buyer(t)
		p := w.order("top_1", team.BookID, customer)
		w.advance(3 * time.Hour)
		w.pay(p)
		w.settled()
		same(t, "B12", figures(w.read(team.BookID)), bought)
		lot := w.read(team.BookID).Lots[0]
		same(t, "from", lot.EffectiveAt.UTC().Format(time.RFC3339), jan15.Add(3*time.Hour).Format(time.RFC3339))
		same(t, "until", lot.ExpiresAt.UTC().Format(time.RFC3339), jan15.Add(3*time.Hour).AddDate(1, 0, 0).Format(time.RFC3339))
		w.stripe.Resend(3, 5)
		w.settled()
		w.replay(billing.EventFilter{Types: []string{"checkout.session.completed"}})
		w.settled()
		same(t, "L6: entries under its key", w.count(`SELECT count(*) FROM entries WHERE key = 'topup:top_1'`), 1)
		same(t, "B12", figures(w.read(team.BookID)), bought)
		w.audit()
	})

	for _, first := range []string{"checkout.session.completed", "payment_intent.succeeded", "charge.succeeded"} {
		t.Run("P1_WhicheverPaidEventComesFirst_"+first, func(t *testing.T) {
			t.Parallel()
			w, team, customer, worker := buyer(t)
			w.stripe.SetDelivery(localstripe.Faults{Hold: []string{"checkout*", "payment_intent*", "charge*"}})
			w.buy("top_1", team.BookID, customer)
			ids := map[string]string{}
			ok(t, w.api.EventsSince(t.Context(), jan15.Add(-day), func(b []byte) error {
				event, err := billing.ParseEvent(b)
				ids[event.Type] = event.ID
				return err
			}))
			w.stripe.Resend(1, 0, ids[first])
			w.settled()
			w.stripe.Release(9)
			w.settled()
			same(t, "B12", figures(w.read(team.BookID)), bought)
			_, err := worker.SweepPurchases(t.Context())
			ok(t, err)
			same(t, "L6: entries", w.count(`SELECT count(*) FROM entries`), 1)
			w.audit()
		})
	}

	t.Run("P1_ATotalOfZeroCountsAsPaid", func(t *testing.T) {
		t.Parallel()
		d, book := freeDesk(t)
		d.fake.sessions["cs_top_1"] = billing.CheckoutSession{
			ID: "cs_top_1", Mode: "payment", Status: "complete", PaymentStatus: "no_payment_required", PaidAt: jan15,
			Metadata: map[string]string{billing.MetadataPurchase: "top_1"},
		}
		work(t, d.worker(), d.event("checkout.session.completed", "cs_top_1", "cus_1"))
		same(t, "B12", figures(d.read(book)), bought)
		same(t, "state", d.purchase("top_1").State, billing.PurchasePaid)
	})

	t.Run("P1_AnOpenPageThatNeedsNoPaymentIsNotPaidYet", func(t *testing.T) {
		t.Parallel()
		d, book := freeDesk(t)
		d.fake.sessions["cs_top_1"] = billing.CheckoutSession{
			ID: "cs_top_1", Mode: "payment", Status: "open", PaymentStatus: "no_payment_required",
			Metadata: map[string]string{billing.MetadataPurchase: "top_1"},
		}
		work(t, d.worker(), d.event("checkout.session.completed", "cs_top_1", "cus_1"))
		same(t, "B12", figures(d.read(book)), nothing)
		same(t, "state", d.purchase("top_1").State, billing.PurchaseOpen)
	})

	t.Run("P1_WhatStripesClockSaysLaterThanOursCanBeSpentAtOnce", func(t *testing.T) {
		t.Parallel()
		d, book := freeDesk(t)
		d.fake.sessions["cs_top_1"] = billing.CheckoutSession{
			ID: "cs_top_1", Mode: "payment", Status: "complete", PaymentStatus: "paid", PaidAt: d.now.Add(2 * time.Second),
			Metadata: map[string]string{billing.MetadataPurchase: "top_1"},
		}
		work(t, d.worker(), d.event("checkout.session.completed", "cs_top_1", "cus_1"))
		same(t, "B12", figures(d.read(book)), bought)
	})

	t.Run("P1_APageThatNobodyPaidExpires", func(t *testing.T) {
		t.Parallel()
		w, team, customer, worker := buyer(t)
		w.order("top_1", team.BookID, customer)
		w.advance(25 * time.Hour)
		w.settled()
		same(t, "state", w.purchase("top_1").State, billing.PurchaseExpired)
		same(t, "B12", figures(w.read(team.BookID)), nothing)
		n, err := worker.SweepPurchases(t.Context())
		ok(t, err)
		same(t, "asked about again", n, 0)
	})

	for _, bank := range []struct{ method, state, reason, pool string }{
		{"pm_usBankAccount_success", billing.PurchasePaid, "", bought},
		{"pm_usBankAccount_insufficientFunds", billing.PurchaseFailed, "the payment failed", nothing},
	} {
		t.Run("P1_UnpaidThenProcessingThen_"+bank.state, func(t *testing.T) {
			t.Parallel()
			w, team, customer, worker := buyer(t)
			p := w.order("top_1", team.BookID, customer)
			ok(t, w.stripe.PaySession(t.Context(), *p.SessionID, localstripe.Payment{Method: bank.method}))
			w.settled()
			same(t, "state", w.purchase("top_1").State, billing.PurchaseProcessing)
			same(t, "B12", figures(w.read(team.BookID)), nothing)
			w.advance(2 * day)
			n, err := worker.SweepPurchases(t.Context())
			ok(t, err)
			same(t, "asked about while it takes its time", n, 1)
			same(t, "state", w.purchase("top_1").State, billing.PurchaseProcessing)
			w.advance(3 * day)
			w.settled()
			p = w.purchase("top_1")
			same(t, "state", p.State, bank.state)
			same(t, "P5: reason", p.Reason, bank.reason)
			same(t, "B12", figures(w.read(team.BookID)), bank.pool)
			if p.PaidAt != nil {
				same(t, "P1: its months count from the payment", w.read(team.BookID).Lots[0].ExpiresAt.UTC().Format(time.RFC3339),
					billing.AddMonths(*p.PaidAt, 12).Format(time.RFC3339))
				same(t, "paid at", p.PaidAt.UTC().Format(time.RFC3339), jan15.Add(4*day).Format(time.RFC3339))
			}
			same(t, "asked about again", w.count(`SELECT count(*) FROM purchases WHERE due_at IS NOT NULL`), 0)
			w.audit()
		})
	}

	t.Run("P4_AnEventThatIsLostIsMadeGoodBySweeping", func(t *testing.T) {
		t.Parallel()
		w, team, customer, worker := buyer(t)
		w.stripe.SetDelivery(localstripe.Faults{Drop: []string{"*"}})
		w.buy("top_1", team.BookID, customer)
		n, err := worker.SweepPurchases(t.Context())
		ok(t, err)
		same(t, "asked about while an event may yet come", n, 0)
		w.advance(11 * time.Minute)
		n, err = worker.SweepPurchases(t.Context())
		ok(t, err)
		same(t, "asked about", n, 1)
		same(t, "B12", figures(w.read(team.BookID)), bought)
		w.stripe.Resend(1, 0)
		w.settled()
		same(t, "B12 once the event comes after all", figures(w.read(team.BookID)), bought)
		w.audit()
	})

	t.Run("P4_ACrashBetweenOurRowAndStripeEndsThePurchase", func(t *testing.T) {
		t.Parallel()
		w, team, customer, worker := buyer(t)
		w.begin("top_1", team.BookID, customer)
		w.advance(11 * time.Minute)
		_, err := worker.SweepPurchases(t.Context())
		ok(t, err)
		p := w.purchase("top_1")
		same(t, "state", p.State, billing.PurchaseFailed)
		same(t, "P5: a reason", p.Reason, "Stripe was never heard to open it, so nobody got a page to pay on")
		same(t, "B12", figures(w.read(team.BookID)), nothing)
	})

	t.Run("P4_ACrashBetweenStripeAndOurRowStillBringsWhatIsPaid", func(t *testing.T) {
		t.Parallel()
		w, team, customer, worker := buyer(t)
		p := w.begin("top_1", team.BookID, customer)
		pack, _ := w.catalog.Pack("pack_1000")
		session, err := w.api.CreateCheckout(t.Context(), billing.CheckoutIn{
			PurchaseID: p.ID, CustomerID: customer, LookupKey: pack.Price.LookupKey, Quantity: 1, SuccessURL: "https://x.example", CancelURL: "https://x.example",
		})
		ok(t, err)
		w.advance(11 * time.Minute)
		_, err = worker.SweepPurchases(t.Context())
		ok(t, err)
		same(t, "state", w.purchase("top_1").State, billing.PurchaseFailed)
		ok(t, w.stripe.PaySession(t.Context(), session.ID, localstripe.Payment{}))
		w.settled()
		same(t, "state", w.purchase("top_1").State, billing.PurchasePaid)
		same(t, "P4: never payment without credits", figures(w.read(team.BookID)), bought)
		w.audit()
	})

	t.Run("P1_APurchaseOfSomebodyElsesIsListedAsUnmatched", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t)
		d.fake.sessions["cs_x"] = billing.CheckoutSession{
			ID: "cs_x", Mode: "payment", Status: "complete", PaymentStatus: "paid", PaidAt: jan15, Metadata: map[string]string{billing.MetadataPurchase: "top_lost"},
		}
		out := work(t, d.worker(), d.event("checkout.session.completed", "cs_x", "cus_1"))
		same(t, "state", out.State, billing.EventUnmatched)
		same(t, "reason", out.Reason, "purchase top_lost is not known here")
	})

	t.Run("P1_CheckoutsThatAreNotOursAreIgnored", func(t *testing.T) {
		t.Parallel()
		w, _, customer, _ := buyer(t)
		var session struct{ ID string }
		w.post("/v1/checkout/sessions", url.Values{
			"mode": {"payment"}, "customer": {customer}, "line_items[0][price]": {w.price("pack_1000")}, "line_items[0][quantity]": {"1"},
			"success_url": {"https://x.example"},
		}, &session)
		ok(t, w.stripe.PaySession(t.Context(), session.ID, localstripe.Payment{}))
		w.settled()
		same(t, "entries", w.count(`SELECT count(*) FROM entries`), 0)
		same(t, "ignored", w.count(`SELECT count(*) FROM events WHERE type = 'checkout.session.completed' AND state = 'ignored'`), 1)
	})
}

func TestSweepPurchases(t *testing.T) {
	t.Parallel()
	t.Run("OneThatFailsIsPutOffAndHoldsNobodyUp", func(t *testing.T) {
		t.Parallel()
		d, book := freeDesk(t)
		d.orders(book, 250)
		d.now = d.now.Add(time.Hour)
		d.fake.fail = errors.New("Stripe refuses this session")
		w := d.worker()
		n, err := w.SweepPurchases(t.Context())
		if err == nil {
			t.Error("no error")
		}
		same(t, "settled", n, 0)
		d.fake.fail = nil
		n, err = w.SweepPurchases(t.Context())
		ok(t, err)
		same(t, "settled of those that stood behind", n, 51)
		d.now = d.now.Add(2 * time.Hour)
		n, err = w.SweepPurchases(t.Context())
		ok(t, err)
		same(t, "settled later", n, 200)
	})
	t.Run("AStripeThatIsAwayIsAskedOnce", func(t *testing.T) {
		t.Parallel()
		d, book := freeDesk(t)
		d.orders(book, 20)
		d.now = d.now.Add(time.Hour)
		d.fake.fail = fmt.Errorf("no route: %w", billing.ErrStripeUnavailable)
		_, err := d.worker().SweepPurchases(t.Context())
		if !errors.Is(err, billing.ErrStripeUnavailable) {
			t.Errorf("the error is %v", err)
		}
		asked := 0
		for _, n := range d.fake.fetches {
			asked += n
		}
		same(t, "sessions asked for", asked, 1)
	})
}

// freeDesk is a desk with a user who has opened the page of purchase top_1.
func freeDesk(t *testing.T) (*desk, int64) {
	t.Helper()
	d := newDesk(t)
	u := d.linked("cus_1", "olga")
	d.open("top_1", u.BookID)
	return d, u.BookID
}

// orders opens the pages of more purchases, which nobody pays.
func (d *desk) orders(book int64, n int) {
	d.t.Helper()
	for i := range n {
		d.open(fmt.Sprintf("top_x%03d", i), book)
	}
}

// open writes a purchase and opens its page at the fake.
func (d *desk) open(id string, book int64) {
	d.t.Helper()
	d.begin(id, book, "cus_1")
	session, err := d.fake.CreateCheckout(d.t.Context(), billing.CheckoutIn{PurchaseID: id, CustomerID: "cus_1"})
	ok(d.t, err)
	d.inTx(func(tx pgx.Tx) error { return billing.PurchaseOpened(d.t.Context(), tx, id, session) })
}

func (d *desk) begin(id string, book int64, customer string) billing.Purchase {
	d.t.Helper()
	return d.beginAt(id, book, customer, d.now)
}
