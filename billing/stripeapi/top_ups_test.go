package stripeapi_test

import (
	"errors"
	"testing"
	"time"

	sdk "github.com/stripe/stripe-go/v76"

	"purser/billing"
)

// An automatic top-up's invoice, against the local Stripe.
func TestTopUp(t *testing.T) {
	t.Parallel()
	pack := func(w *world) string {
		return w.price(func(p *sdk.PriceParams) { p.Recurring, p.LookupKey = nil, sdk.String("pack") })
	}
	charge := func(w *world, customer string) billing.TopUpCharge {
		return billing.TopUpCharge{PurchaseID: "top_1", CustomerID: customer, PriceID: pack(w), Packs: 3, Currency: "eur"}
	}
	kept := func(string) error { return nil }

	t.Run("P4_TheSameStepsAgainAreOneInvoice", func(t *testing.T) {
		t.Parallel()
		w := openWorld(t)
		in := charge(w, w.payer())
		var ids []string
		for range 2 {
			paid, err := w.ours.PayTopUp(t.Context(), in, func(id string) error { ids = append(ids, id); return nil })
			if err != nil {
				t.Fatal(err)
			}
			if paid.Status != "paid" || paid.AmountPaid != 3000 || paid.PurchaseID != "top_1" || paid.PaymentIntentID == "" || paid.PaidAt == nil {
				t.Errorf("paid: %+v", paid)
			}
		}
		if len(ids) != 2 || ids[0] != ids[1] {
			t.Errorf("invoices %v", ids)
		}
		found, err := w.ours.FindTopUp(t.Context(), "top_1", in.CustomerID, day1.Add(-time.Hour))
		if err != nil || found.ID != ids[0] {
			t.Errorf("found %+v, %v", found, err)
		}
		if _, err := w.ours.FindTopUp(t.Context(), "top_2", in.CustomerID, day1.Add(-time.Hour)); !errors.Is(err, billing.ErrStripeGone) {
			t.Errorf("found what was never made: %v", err)
		}
		if err := w.ours.VoidTopUp(t.Context(), "top_1", ids[0]); err != nil {
			t.Errorf("voiding what is paid: %v", err)
		}
		fetched, err := w.ours.FetchInvoice(t.Context(), ids[0])
		if err != nil || fetched.TopUp == nil || fetched.TopUp.Status != "paid" || fetched.Subscription != nil {
			t.Errorf("fetched for an event: %+v, %v", fetched, err)
		}
	})
	t.Run("P3_ADeclineIsAnAnswer", func(t *testing.T) {
		t.Parallel()
		w := openWorld(t)
		in := charge(w, w.payer())
		method := must(w.api.PaymentMethods.Attach("pm_card_chargeCustomerFail", &sdk.PaymentMethodAttachParams{Customer: &in.CustomerID}))(t)
		in.PaymentMethodID = method.ID
		got, err := w.ours.PayTopUp(t.Context(), in, kept)
		if err != nil || got.Status != "open" || got.DeclineCode != "generic_decline" || got.PaymentMethodID != method.ID || got.DeclineMessage == "" {
			t.Fatalf("declined: %+v, %v", got, err)
		}
		if err := w.ours.VoidTopUp(t.Context(), "top_1", got.ID); err != nil {
			t.Fatal(err)
		}
		if got, err = w.ours.FetchTopUp(t.Context(), got.ID); err != nil || got.Status != "void" || got.DeclineCode != "generic_decline" {
			t.Errorf("voided: %+v, %v", got, err)
		}
	})
	t.Run("P3_AuthenticationRequiredHasAPage", func(t *testing.T) {
		t.Parallel()
		w := openWorld(t)
		in := charge(w, w.payer())
		method := must(w.api.PaymentMethods.Attach("pm_card_authenticationRequired", &sdk.PaymentMethodAttachParams{Customer: &in.CustomerID}))(t)
		in.PaymentMethodID = method.ID
		got, err := w.ours.PayTopUp(t.Context(), in, kept)
		if err != nil || got.Status != "open" || got.DeclineCode != "authentication_required" && got.Payment != "requires_action" || got.HostedURL == "" {
			t.Errorf("to be authenticated: %+v, %v", got, err)
		}
	})
	t.Run("P3_WithoutAPaymentMethodItIsRefused", func(t *testing.T) {
		t.Parallel()
		w := openWorld(t)
		poor := must(w.api.Customers.New(&sdk.CustomerParams{}))(t).ID
		if got, err := w.ours.PayTopUp(t.Context(), charge(w, poor), kept); !errors.Is(err, billing.ErrStripeRefused) {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("P4_ADraftIsDeletedRatherThanVoided", func(t *testing.T) {
		t.Parallel()
		w := openWorld(t)
		in := charge(w, w.payer())
		stopped := errors.New("stopped")
		var id string
		if _, err := w.ours.PayTopUp(t.Context(), in, func(made string) error { id = made; return stopped }); !errors.Is(err, stopped) {
			t.Fatal(err)
		}
		if err := w.ours.VoidTopUp(t.Context(), "top_1", id); err != nil {
			t.Fatal(err)
		}
		if got, err := w.ours.FetchTopUp(t.Context(), id); !errors.Is(err, billing.ErrStripeGone) {
			t.Errorf("a deleted draft: %+v, %v", got, err)
		}
	})
	t.Run("P2_WhatAPackCosts", func(t *testing.T) {
		t.Parallel()
		w := openWorld(t)
		once, monthly := pack(w), w.price()
		for name, price := range map[string]billing.Price{"by lookup key": {LookupKey: "pack"}, "by id": {ID: once}} {
			got, err := w.ours.FetchPackPrice(t.Context(), price)
			if err != nil || got != (billing.PackPrice{ID: once, Amount: 1000, Currency: "eur"}) {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
		for name, price := range map[string]billing.Price{"paid monthly": {ID: monthly}, "unknown": {LookupKey: "nothing"}} {
			if got, err := w.ours.FetchPackPrice(t.Context(), price); !errors.Is(err, billing.ErrStripeGone) {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
	})
}
