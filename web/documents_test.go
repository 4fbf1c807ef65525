package web_test

import (
	"fmt"
	"net/http"
	"regexp"
	"testing"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/teams"
)

// paid has the page's last checkout paid.
func (w *world) paid() string {
	w.T.Helper()
	in := w.stripe.checkouts[len(w.stripe.checkouts)-1]
	w.Must(func(tx pgx.Tx) error {
		_, err := billing.ApplyCheckout(w.T.Context(), tx, w.Catalog, billing.CheckoutSession{
			ID: "cs_" + in.PurchaseID, Mode: "payment", Status: "complete", PaymentStatus: "paid", CustomerID: in.CustomerID, Amount: 1000, Currency: "usd",
			PaymentIntentID: "pi_1", PaidAt: w.Clock.Now(), Metadata: in.Metadata,
		}, w.Made.Add(1), w.Clock.Now)
		return err
	})
	return in.PurchaseID
}

// autoBought has the automatic top-up of acme begin a purchase and Stripe say what became
// of its invoice.
func (w *world) autoBought(invoice billing.TopUpInvoice) string {
	w.T.Helper()
	id := fmt.Sprintf("top_auto%06d", w.Made.Add(1))
	w.Must(func(tx pgx.Tx) error {
		p, err := billing.BeginTopUp(w.T.Context(), tx, w.Catalog, billing.BeginTopUpIn{
			BookID: w.acmeNow().BookID, PurchaseID: id, Now: w.Clock.Now, Payer: teams.PayerOf,
			Prices: map[string]billing.PackPrice{"pack_1000": {ID: "price_pack", Amount: 1000, Currency: "usd"}},
		})
		if err == nil && p == nil {
			err = fmt.Errorf("nothing is bought")
		}
		return err
	})
	invoice.ID, invoice.PurchaseID, invoice.CustomerID, invoice.Currency = "in_"+id, id, "cus_ann", "usd"
	w.Must(func(tx pgx.Tx) error {
		_, _, err := billing.ApplyTopUp(w.T.Context(), tx, w.Catalog, invoice, w.Made.Add(1), w.Clock.Now)
		return err
	})
	return id
}

func (w *world) topUpOn(threshold string) {
	w.T.Helper()
	w.as("ann", "acme").get(billingAt).submit(billingAt+"/auto-top-up", "on", "yes", "threshold", threshold, "pack", "pack_1000", "credits_max", "50000", "amount_max", "500").want(200)
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.acme()
	b := w.as("abe", "acme").get(billingAt)
	b.sendForm(b.form(billingAt + "/checkout")).wantLedTo("https://stripe.example/pay/top_")
	open := billingAt + "/purchases/" + w.stripe.checkouts[0].PurchaseID + "/receipt"
	b.get(billingAt).wantNot("Receipt")
	b.get(open).want(404, "no such document")
	id := w.paid()
	w.topUpOn("4500")
	now := w.Clock.Now()
	auto := w.autoBought(billing.TopUpInvoice{Status: "paid", AmountPaid: 1000, PaidAt: &now, PaymentIntentID: "pi_2"})
	t.Run("P5_PurchasesLeadToStripesDocuments", func(t *testing.T) {
		b.get(billingAt).want(200, "paid Receipt", "paid Invoice Receipt", "automatic")
		b.get(b.leadsTo("Invoice")).wantLedTo("https://invoice.stripe.example/in_" + auto)
		b.get(billingAt + "/purchases/" + id + "/receipt").wantLedTo("https://pay.stripe.example/receipts/pi_1")
		b.get(billingAt+"/purchases/"+id+"/invoice").want(404, "no such document")
		b.get(billingAt + "/purchases/" + id + "/else").want(404)
		b.get(billingAt + "/purchases/top_none/receipt").want(404)
	})
	t.Run("S4_NobodyElseSeesThem", func(t *testing.T) {
		asked := len(w.stripe.asked)
		w.Team("other", "oz", 0)
		path := "/purchases/" + id + "/receipt"
		w.as("bob", "acme").get(billingAt + path).want(404)
		w.as("oz", "").get(billingAt + path).want(404)
		w.as("oz", "other").get("/page/teams/other/billing" + path).want(404)
		w.as("oz", "").get("/page/account/billing" + path).want(404)
		w.as("ann", "").get("/page/account/billing" + path).want(404)
		if len(w.stripe.asked) != asked {
			t.Error("Stripe was asked all the same")
		}
	})
	t.Run("E4_StripeIsAway", func(t *testing.T) {
		w.stripe.away = fmt.Errorf("asking: %w", billing.ErrStripeUnavailable)
		b.get(billingAt+"/purchases/"+id+"/receipt").want(503, "Stripe can't be reached")
		w.stripe.away = nil
	})
}

func TestAttempts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.acme()
	w.as("ann", "acme").get(billingAt).want(200, "It has bought nothing yet")
	w.topUpOn("4000")
	w.autoBought(billing.TopUpInvoice{Status: "void", Payment: "requires_payment_method", DeclineCode: "insufficient_funds", DeclineMessage: "Your card has insufficient funds.", PaymentMethodID: "pm_1"})
	w.as("abe", "acme").get(billingAt).want(200, "Automatic top-up trying again", "It was declined once and tries again on 10 Mar 2026, 13:00.", "What would help: Change the card.",
		"Last attempts 1,000 credits failed 10 Mar 2026, 12:00 · the card doesn't have enough funds")
	w.Clock.Set(noon.Add(61 * 60e9))
	w.autoBought(billing.TopUpInvoice{Status: "void", Payment: "requires_payment_method", DeclineCode: "expired_card", PaymentMethodID: "pm_1"})
	w.as("abe", "acme").get(billingAt).want(200, "declined 2 times in a row", "attempt 2 · the card has expired")
}

func TestCard(t *testing.T) {
	t.Parallel()
	const at = billingAt + "/card"
	setting := func(w *world) billing.AutoTopUp {
		s, err := teams.GetAutoTopUp(w.T.Context(), w.DB, "acme", "", teams.Actor{})
		if err != nil {
			w.T.Fatal(err)
		}
		s.CheckAt = nil
		return s
	}
	t.Run("P2_WhoeverPaysChoosesWithWhat", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		w.as("ann", "acme").get(billingAt).wantNot("Choose another")
		w.topUpOn("4000")
		before := setting(w)
		b := w.as("ann", "acme").get(billingAt).want(200, "the default card at Stripe. Choose another")
		b.get(b.leadsTo("Choose another")).want(200, "Visa ending in 4242 until 07/2030 · the default", "SEPA debit ending in 3000", "The default card")
		f := b.form(at)
		if f.fields.Get("payment_method") != "" {
			t.Errorf("%v is chosen", f.fields)
		}
		f.fields.Set("payment_method", "pm_bank")
		b.sendForm(f).want(200, "is chosen", "paid with a card that was chosen for it")
		b.sendForm(f).want(200, "is chosen")
		after := setting(w)
		if after.PaymentMethodID != "pm_bank" || after.Threshold != before.Threshold || after.AmountMax != before.AmountMax || !after.On {
			t.Errorf("%+v", after)
		}
		if got := b.get(at).form(at).fields.Get("payment_method"); got != "pm_bank" {
			t.Errorf("%q is ticked", got)
		}
		b.get(billingAt).submit(billingAt+"/auto-top-up", "threshold", "7").want(200)
		if setting(w).PaymentMethodID != "pm_bank" {
			t.Error("saving the rest forgets it")
		}
		b.reach(at, "payment_method", "pm_stolen").want(422, "isn't one of your cards")
		b.get(at).sendForm(b.form(billingAt + "/portal")).wantLedTo("https://stripe.example/portal")
		if in := w.stripe.portals[0]; in.Flow != billing.PortalPaymentMethod || in.CustomerID != "cus_ann" || in.ReturnURL != w.url+at {
			t.Errorf("%+v", in)
		}
	})
	t.Run("S4_CardsAreTheirOwnersOnly", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		w.topUpOn("4000")
		w.as("abe", "acme").get(billingAt).wantNot("Choose another").get(at).want(403).wantNot("4242")
		w.guarded(at, "ann", []string{"abe", "bob"}, func() any { return setting(w).PaymentMethodID }, "payment_method", "pm_bank")
	})
	t.Run("T15_OfAPersonalAccountToo", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		b := w.as("ann", "").get("/page/account/billing")
		b.submit("/page/account/billing/auto-top-up", "on", "yes", "threshold", "0", "pack", "pack_1000", "credits_max", "1000", "amount_max", "10").want(200)
		b.fillIn("/page/account/billing/card", "payment_method", "pm_bank").want(200, "is chosen")
	})
}

// fillIn opens the page of a form and sends it.
func (b *browser) fillIn(path string, values ...string) *browser {
	b.T.Helper()
	return b.get(path).want(http.StatusOK).submit(path, values...)
}

// A pack whose price the catalogue doesn't know is paid in a currency that somebody says.
func TestTopUp_P2_TheCurrencyIsAskedForWhereTheCatalogueHasNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.acme()
	b := w.as("ann", "acme").get(billingAt)
	if regexp.MustCompile(`name="currency"`).MatchString(b.body) {
		t.Error("the catalogue says it")
	}
	for i := range w.Catalog.Packs {
		w.Catalog.Packs[i].Price = billing.Price{LookupKey: "pack"}
	}
	b.get(billingAt).submit(billingAt+"/auto-top-up", "on", "yes", "threshold", "1", "pack", "pack_1000", "credits_max", "1000", "amount_max", "20", "currency", "4").want(422, "isn't the currency")
	b.get(billingAt).submit(billingAt+"/auto-top-up", "on", "yes", "threshold", "1", "pack", "pack_1000", "credits_max", "1000", "amount_max", "20.00", "currency", "EUR").
		want(200, "is on", "Amounts are in EUR")
	s, err := teams.GetAutoTopUp(t.Context(), w.DB, "acme", "", teams.Actor{})
	if err != nil || s.Currency != "eur" || s.AmountMax != 2000 {
		t.Errorf("%+v: %v", s, err)
	}
}
