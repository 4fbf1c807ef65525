package stripeapi_test

import (
	"errors"
	"strings"
	"testing"

	sdk "github.com/stripe/stripe-go/v76"

	"purser/billing"
)

// Stripe's own pages for a payment, against the local Stripe.
func TestFetchDocuments(t *testing.T) {
	t.Parallel()
	w := openWorld(t)
	price := w.price(func(p *sdk.PriceParams) { p.Recurring, p.LookupKey = nil, sdk.String("pack") })
	paid, err := w.ours.PayTopUp(t.Context(), billing.TopUpCharge{PurchaseID: "top_1", CustomerID: w.payer(), PriceID: price, Packs: 1, Currency: "eur"},
		func(string) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	of, err := w.ours.FetchDocuments(t.Context(), billing.DocumentsIn{InvoiceID: paid.ID, PaymentIntentID: paid.PaymentIntentID})
	if err != nil || of.InvoiceURL == "" || of.InvoiceURL != paid.HostedURL || !strings.Contains(of.ReceiptURL, "/receipts/") {
		t.Errorf("of an invoice: %+v, %v", of, err)
	}
	alone, err := w.ours.FetchDocuments(t.Context(), billing.DocumentsIn{PaymentIntentID: paid.PaymentIntentID})
	if err != nil || alone.InvoiceURL != "" || alone.ReceiptURL != of.ReceiptURL {
		t.Errorf("of a payment: %+v, %v", alone, err)
	}
	if _, err := w.ours.FetchDocuments(t.Context(), billing.DocumentsIn{PaymentIntentID: "pi_none"}); !errors.Is(err, billing.ErrStripeGone) {
		t.Errorf("of none: %v", err)
	}
	if _, err := w.ours.FetchDocuments(t.Context(), billing.DocumentsIn{}); err == nil {
		t.Error("of nothing")
	}
}

func TestListPaymentMethods(t *testing.T) {
	t.Parallel()
	w := openWorld(t)
	customer := w.payer()
	bank := must(w.api.PaymentMethods.Attach("pm_usBankAccount_success", &sdk.PaymentMethodAttachParams{Customer: &customer}))(t)
	list, err := w.ours.ListPaymentMethods(t.Context(), customer)
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	for _, m := range list {
		switch {
		case m.ID == bank.ID && (m.Kind != "us_bank_account" || m.Last4 == "" || m.Default):
			t.Errorf("the account: %+v", m)
		case m.ID != bank.ID && (m.Kind != "card" || m.Brand != "visa" || m.Last4 != "4242" || m.ExpYear < 2024 || m.ExpMonth == 0 || !m.Default):
			t.Errorf("the card: %+v", m)
		}
	}
	if _, err := w.api.Customers.Del(customer, nil); err != nil {
		t.Fatal(err)
	}
	if list, err := w.ours.ListPaymentMethods(t.Context(), customer); err != nil || len(list) != 0 {
		t.Errorf("of a deleted customer: %+v, %v", list, err)
	}
}
