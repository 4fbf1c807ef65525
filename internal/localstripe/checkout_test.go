package localstripe

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"
)

func (w *world) pack(cents int64) *stripe.Price {
	w.t.Helper()
	return must(w.api.Prices.New(&stripe.PriceParams{
		Currency: stripe.String("usd"), UnitAmount: stripe.Int64(cents), LookupKey: stripe.String("pack"), TransferLookupKey: stripe.Bool(true),
		ProductData: &stripe.PriceProductDataParams{Name: stripe.String("Credits")},
	}))(w.t)
}

func (w *world) checkout(change ...func(*stripe.CheckoutSessionParams)) *stripe.CheckoutSession {
	w.t.Helper()
	in := &stripe.CheckoutSessionParams{
		Mode: stripe.String("payment"), SuccessURL: stripe.String("http://127.0.0.1/done?session={CHECKOUT_SESSION_ID}"),
		Metadata:          map[string]string{"purchase": "p1"},
		PaymentIntentData: &stripe.CheckoutSessionPaymentIntentDataParams{Metadata: map[string]string{"purchase": "p1"}},
	}
	for _, c := range change {
		c(in)
	}
	if in.LineItems == nil {
		in.LineItems = []*stripe.CheckoutSessionLineItemParams{{Price: stripe.String(w.pack(900).ID), Quantity: stripe.Int64(2)}}
	}
	return must(w.api.CheckoutSessions.New(in))(w.t)
}

func (w *world) session(id string) *stripe.CheckoutSession {
	w.t.Helper()
	in := &stripe.CheckoutSessionParams{}
	in.AddExpand("line_items")
	in.AddExpand("payment_intent.latest_charge")
	return must(w.api.CheckoutSessions.Get(id, in))(w.t)
}

func TestCheckout(t *testing.T) {
	t.Run("APackIsPaidOnThePage", func(t *testing.T) {
		w := open(t)
		cs := w.checkout()
		same(t, "total", cs.AmountTotal, 1800)
		same(t, "unpaid", cs.PaymentStatus, stripe.CheckoutSessionPaymentStatusUnpaid)
		page := fetch(t, cs.URL, nil)
		for _, text := range []string{"$18.00", "Credits", "<button"} {
			same(t, text, strings.Contains(page.body, text), true)
		}
		mark := w.lastEvent()
		refused := fetch(t, cs.URL, url.Values{"payment_method": {"pm_card_chargeDeclined"}})
		same(t, "declined", refused.status, http.StatusPaymentRequired)
		same(t, "still open", w.session(cs.ID).Status, stripe.CheckoutSessionStatusOpen)
		paid := fetch(t, cs.URL, url.Values{"payment_method": {"pm_card_visa"}, "email": {"ada@example.com"}})
		same(t, "answer", paid.status, http.StatusSeeOther)
		same(t, "to", paid.location, "http://127.0.0.1/done?session="+cs.ID)
		after := w.session(cs.ID)
		same(t, "status", after.Status, stripe.CheckoutSessionStatusComplete)
		same(t, "payment", after.PaymentStatus, stripe.CheckoutSessionPaymentStatusPaid)
		same(t, "metadata", after.Metadata["purchase"], "p1")
		same(t, "metadata of the payment", after.PaymentIntent.Metadata["purchase"], "p1")
		same(t, "charge", after.PaymentIntent.LatestCharge.Amount, 1800)
		same(t, "line", after.LineItems.Data[0].Quantity, 2)
		same(t, "e-mail", after.CustomerDetails.Email, "ada@example.com")
		same(t, "url", after.URL, "")
		sameStrings(t, "events", w.kinds(mark), []string{
			"payment_intent.created", "charge.failed", "payment_intent.payment_failed",
			"charge.succeeded", "payment_intent.succeeded", "checkout.session.completed",
		})
		again := fetch(t, cs.URL, url.Values{"payment_method": {"pm_card_visa"}})
		same(t, "paid once", again.status, http.StatusConflict)
	})

	t.Run("ATotalOfZeroNeedsNoPayment", func(t *testing.T) {
		w := open(t)
		cs := w.checkout(func(in *stripe.CheckoutSessionParams) {
			in.LineItems = []*stripe.CheckoutSessionLineItemParams{{Price: stripe.String(w.pack(0).ID), Quantity: stripe.Int64(1)}}
		})
		if err := w.PaySession(t.Context(), cs.ID, Payment{}); err != nil {
			t.Fatal(err)
		}
		after := w.session(cs.ID)
		same(t, "payment", after.PaymentStatus, stripe.CheckoutSessionPaymentStatusNoPaymentRequired)
		if after.PaymentIntent != nil {
			t.Error("there is a payment")
		}
	})

	t.Run("ItExpiresAfterADay", func(t *testing.T) {
		w := open(t)
		cs := w.checkout()
		mark := w.lastEvent()
		w.advance(newYear.Add(24 * time.Hour))
		sameStrings(t, "events", w.kinds(mark), []string{"checkout.session.expired"})
		same(t, "status", w.session(cs.ID).Status, stripe.CheckoutSessionStatusExpired)
		if err := w.PaySession(t.Context(), cs.ID, Payment{}); err == nil {
			t.Error("an expired session was paid")
		}
	})

	t.Run("ABankDebitArrivesDaysLater", func(t *testing.T) {
		for method, want := range map[string]string{
			"pm_usBankAccount_success": "checkout.session.async_payment_succeeded", "pm_usBankAccount_insufficientFunds": "checkout.session.async_payment_failed",
		} {
			w := open(t)
			cs := w.checkout(invoiced)
			if err := w.PaySession(t.Context(), cs.ID, Payment{Method: method}); err != nil {
				t.Fatal(err)
			}
			same(t, "an invoice while it takes its time", w.session(cs.ID).Invoice == nil, true)
			same(t, "payment", w.session(cs.ID).PaymentStatus, stripe.CheckoutSessionPaymentStatusUnpaid)
			same(t, "status", w.session(cs.ID).Status, stripe.CheckoutSessionStatusComplete)
			mark := w.lastEvent()
			w.advance(newYear.AddDate(0, 0, 5))
			same(t, want, slices.Contains(w.kinds(mark), want), true)
			same(t, "an invoice in the end", w.session(cs.ID).Invoice != nil, method == "pm_usBankAccount_success")
			same(t, "invoice.paid", slices.Contains(w.kinds(mark), "invoice.paid"), method == "pm_usBankAccount_success")
		}
	})

	t.Run("InvoiceCreationAddsAPaidInvoice", func(t *testing.T) {
		w := open(t)
		cs := w.checkout(invoiced)
		mark := w.lastEvent()
		if err := w.PaySession(t.Context(), cs.ID, Payment{Email: "ada@example.com"}); err != nil {
			t.Fatal(err)
		}
		same(t, "invoice.paid too", slices.Contains(w.kinds(mark), "invoice.paid"), true)
		inv := w.inv(w.session(cs.ID).Invoice.ID)
		same(t, "paid", inv.AmountPaid, 1800)
		same(t, "payment", inv.PaymentIntent.ID, w.session(cs.ID).PaymentIntent.ID)
		same(t, "reason", inv.BillingReason, stripe.InvoiceBillingReasonManual)
		same(t, "subscription", inv.Subscription == nil, true)
		same(t, "metadata", len(inv.Metadata), 0)
		same(t, "the charge's", must(w.api.Charges.Get(inv.Charge.ID, nil))(t).Invoice.ID, inv.ID)
	})

	t.Run("ItsInvoiceSaysWhatWasPaid_AfterADiscount", func(t *testing.T) {
		w := open(t)
		half := must(w.api.Coupons.New(&stripe.CouponParams{PercentOff: stripe.Float64(50), Duration: stripe.String("once")}))(t)
		cs := w.checkout(invoiced, func(in *stripe.CheckoutSessionParams) {
			in.Discounts = []*stripe.CheckoutSessionDiscountParams{{Coupon: &half.ID}}
		})
		if err := w.PaySession(t.Context(), cs.ID, Payment{Email: "ada@example.com"}); err != nil {
			t.Fatal(err)
		}
		inv := w.inv(w.session(cs.ID).Invoice.ID)
		same(t, "total", inv.Total, 900)
		same(t, "paid", inv.AmountPaid, w.session(cs.ID).AmountTotal)
		same(t, "remaining", inv.AmountRemaining, 0)
	})

	t.Run("WithoutInvoiceCreationThereIsNone", func(t *testing.T) {
		w := open(t)
		cs := w.checkout()
		mark := w.lastEvent()
		if err := w.PaySession(t.Context(), cs.ID, Payment{Email: "ada@example.com"}); err != nil {
			t.Fatal(err)
		}
		same(t, "invoice.paid", slices.Contains(w.kinds(mark), "invoice.paid"), false)
		same(t, "invoice", w.session(cs.ID).Invoice == nil, true)
	})

	t.Run("ModeSubscriptionMakesCustomerAndSubscription", func(t *testing.T) {
		w := open(t)
		plan := w.plan(1000, "month", 1)
		cs := w.checkout(func(in *stripe.CheckoutSessionParams) {
			in.Mode, in.PaymentIntentData = stripe.String("subscription"), nil
			in.LineItems = []*stripe.CheckoutSessionLineItemParams{{Price: stripe.String(plan.ID), Quantity: stripe.Int64(4)}}
			in.SubscriptionData = &stripe.CheckoutSessionSubscriptionDataParams{Metadata: map[string]string{"team": "t1"}}
		})
		mark := w.lastEvent()
		if err := w.PaySession(t.Context(), cs.ID, Payment{Email: "new@example.com"}); err != nil {
			t.Fatal(err)
		}
		after := w.session(cs.ID)
		sub := w.sub(after.Subscription.ID)
		same(t, "status", sub.Status, stripe.SubscriptionStatusActive)
		same(t, "seats", sub.Items.Data[0].Quantity, 4)
		same(t, "metadata", sub.Metadata["team"], "t1")
		same(t, "payment", after.PaymentStatus, stripe.CheckoutSessionPaymentStatusPaid)
		same(t, "customer", must(w.api.Customers.Get(after.Customer.ID, nil))(t).Email, "new@example.com")
		statuses := []any{}
		for _, e := range w.eventsAfter(mark) {
			if strings.HasPrefix(string(e.Type), "customer.subscription.") {
				statuses = append(statuses, e.Data.Object["status"])
			}
		}
		if !slices.Equal(statuses, []any{"incomplete", "active"}) {
			t.Errorf("created and updated say %v", statuses)
		}
		w.advance(newYear.AddDate(0, 1, 0).Add(2 * time.Hour))
		same(t, "the card is kept", w.inv(w.sub(sub.ID).LatestInvoice.ID).Paid, true)
	})
}

type seen struct {
	status         int
	location, body string
}

func fetch(t *testing.T, address string, form url.Values) seen {
	t.Helper()
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	var answer *http.Response
	var err error
	if form == nil {
		answer, err = c.Get(address)
	} else {
		answer, err = c.PostForm(address, form)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return seen{status: answer.StatusCode, location: answer.Header.Get("Location"), body: string(body)}
}

// invoiced has Stripe write an invoice of what is paid.
func invoiced(in *stripe.CheckoutSessionParams) {
	in.InvoiceCreation = &stripe.CheckoutSessionInvoiceCreationParams{Enabled: stripe.Bool(true)}
}
