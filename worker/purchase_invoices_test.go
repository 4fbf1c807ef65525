package worker

import (
	"testing"
	"time"

	"purser/billing"
	"purser/internal/localstripe"
)

// Stripe writes an invoice of what is bought on its page, and sends the events of a paid
// invoice beside those of a paid session. The credits come with the session alone.
func TestPurchaseInvoices(t *testing.T) {
	t.Parallel()
	bought := figures(billing.Pool{Total: 1000, Purchased: 1000, Available: 1000})
	nothing := figures(billing.Pool{})
	invoiced := func(w *world) {
		w.t.Helper()
		p := w.purchase("top_1")
		if p.InvoiceID == nil || *p.InvoiceID == "" {
			w.t.Errorf("the purchase has no invoice: %+v", p)
			return
		}
		docs, err := w.api.FetchDocuments(w.t.Context(), p.Document())
		ok(w.t, err)
		if docs.InvoiceURL == "" || docs.ReceiptURL == "" {
			w.t.Errorf("its documents are %+v", docs)
		}
	}
	once := func(w *world) {
		w.t.Helper()
		same(w.t, "L6: entries", w.count(`SELECT count(*) FROM entries`), 1)
		same(w.t, "L3: lots", w.count(`SELECT count(*) FROM lots`), 1)
		w.audit()
	}

	for name, late := range map[string]string{
		"P1_ThePaidInvoiceComesFirst_AndBringsNothing":          "checkout*",
		"P1_ThePaidInvoiceComesAfterTheSession_AndBringsNoMore": "invoice*",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, team, customer, worker := buyer(t)
			w.stripe.SetDelivery(localstripe.Faults{Hold: []string{late}})
			w.buy("top_1", team.BookID, customer)
			w.settled()
			want := bought
			if late == "checkout*" {
				want = nothing
			}
			same(t, "B12 with half of the events", figures(w.read(team.BookID)), want)
			w.stripe.Release(3)
			w.settled()
			same(t, "B12", figures(w.read(team.BookID)), bought)
			w.stripe.Resend(3, 7)
			w.settled()
			w.replay(billing.EventFilter{Types: []string{"invoice.paid", "checkout.session.completed"}})
			w.settled()
			_, err := worker.SweepPurchases(t.Context())
			ok(t, err)
			same(t, "B12 once all came three times and were worked again", figures(w.read(team.BookID)), bought)
			invoiced(w)
			once(w)
			same(t, "E2: events that failed", w.count(`SELECT count(*) FROM events WHERE state NOT IN ('done', 'ignored')`), 0)
		})
	}

	t.Run("P1_ABankDebitsInvoiceIsWrittenWithItsMoney", func(t *testing.T) {
		t.Parallel()
		w, team, customer, _ := buyer(t)
		p := w.order("top_1", team.BookID, customer)
		ok(t, w.stripe.PaySession(t.Context(), *p.SessionID, localstripe.Payment{Method: "pm_usBankAccount_success"}))
		w.settled()
		same(t, "an invoice before there is money", w.purchase("top_1").InvoiceID == nil, true)
		w.advance(5 * day)
		w.settled()
		same(t, "B12", figures(w.read(team.BookID)), bought)
		invoiced(w)
		once(w)
	})

	t.Run("R1_ARefundLeadsToThePurchase_ThoughItsChargeNamesAnInvoice", func(t *testing.T) {
		t.Parallel()
		w, team, customer, charge, cost := packBought(t)
		invoiced(w)
		var made struct{ Invoice string }
		w.ask("GET", "/v1/charges/"+charge, nil, &made)
		same(t, "the charge's invoice", made.Invoice, *w.purchase("top_1").InvoiceID)
		w.refund(charge, cost/2)
		w.settled()
		same(t, "R1", w.left(team.BookID), "available 500, allocated 0, held 0, frozen 0, used 0, debt 0")
		w.refund(charge, cost-cost/2)
		w.settled()
		same(t, "R1", w.left(team.BookID), "available 0, allocated 0, held 0, frozen 0, used 0, debt 0")
		same(t, "the subscriptions that it made", w.count(`SELECT count(*) FROM subscriptions WHERE customer_id = $1`, customer), 0)
		w.audit()
	})

	t.Run("AnInvoiceThatStripeWritesLateIsKept_AndNobodyElses", func(t *testing.T) {
		t.Parallel()
		d, book := freeDesk(t)
		d.open("top_2", book)
		for id, with := range map[string]string{"cs_top_1": "pi_1", "cs_top_2": "pi_2"} {
			d.fake.sessions[id] = billing.CheckoutSession{
				ID: id, Mode: "payment", Status: "complete", PaymentStatus: "paid", PaidAt: jan15, CustomerID: "cus_1", PaymentIntentID: with,
				Amount: 1000, Currency: "usd", Metadata: map[string]string{billing.MetadataPurchase: id[len("cs_"):]},
			}
			work(t, d.worker(), d.event("checkout.session.completed", id, "cus_1"))
		}
		paid := d.now.Add(time.Second)
		d.fake.invoices[""] = []billing.Invoice{
			{ID: "in_1", CustomerID: "cus_1", Status: "paid", BillingReason: "manual", PaidAt: &paid, PaidWith: "pi_1"},
			{ID: "in_other", CustomerID: "cus_1", Status: "paid", BillingReason: "manual", PaidAt: &paid, PaidWith: "pi_other"},
			{ID: "in_none", CustomerID: "cus_1", Status: "paid", BillingReason: "manual", PaidAt: &paid},
		}
		before := d.count(`SELECT count(*) FROM entries`)
		same(t, "outcome", work(t, d.worker(), d.event("invoice.paid", "in_1", "cus_1")).State, billing.EventDone)
		same(t, "of another payment", work(t, d.worker(), d.event("invoice.paid", "in_other", "cus_1")).State, billing.EventIgnored)
		same(t, "of none", work(t, d.worker(), d.event("invoice.paid", "in_none", "cus_1")).State, billing.EventIgnored)
		same(t, "invoice", *d.purchase("top_1").InvoiceID, "in_1")
		same(t, "invoice of another", d.purchase("top_2").InvoiceID == nil, true)
		same(t, "P1: entries", d.count(`SELECT count(*) FROM entries`), before)
		// It is one purchase's alone.
		d.fake.invoices[""][0].PaidWith = "pi_2"
		work(t, d.worker(), d.event("invoice.updated", "in_1", "cus_1"))
		same(t, "invoice", *d.purchase("top_1").InvoiceID, "in_1")
		same(t, "invoice of another", d.purchase("top_2").InvoiceID == nil, true)
	})
}
