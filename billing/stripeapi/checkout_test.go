package stripeapi_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"purser/billing"
	"purser/billing/stripeapi"
)

func session(members string) string {
	return `{"id": "cs_1", "object": "checkout.session", "mode": "payment", "status": "complete", "payment_status": "paid",
		"customer": "cus_1", "subscription": null, "amount_total": 4900, "currency": "eur", "created": 1709251200,
		"expires_at": 1709337600, "url": null, "payment_intent": null,
		"metadata": {"purser_purchase": "top_1", "crm": "1"}, ` + members + ` "livemode": false}`
}

func TestFetchCheckoutSession(t *testing.T) {
	t.Parallel()
	charged := `{"id": "pi_1", "object": "payment_intent", "created": 1709251300, "latest_charge": {"id": "ch_1", "object": "charge", "created": 1709251400}}`
	for name, c := range map[string]struct {
		members string
		want    func(*billing.CheckoutSession)
	}{
		"P1_PaidWhenItWasCharged": {`"payment_intent": ` + charged + `,`, func(s *billing.CheckoutSession) {
			s.PaymentIntentID, s.PaidAt = "pi_1", at(1709251400)
		}},
		"P1_WithTheInvoiceThatStripeWroteOfIt": {`"invoice": "in_1", "payment_intent": ` + charged + `,`, func(s *billing.CheckoutSession) {
			s.InvoiceID, s.PaymentIntentID, s.PaidAt = "in_1", "pi_1", at(1709251400)
		}},
		"P1_ATotalOfNothingIsPaidAtOnce": {`"payment_status": "no_payment_required", "amount_total": 0,`, func(s *billing.CheckoutSession) {
			s.PaymentStatus, s.Amount, s.PaidAt = "no_payment_required", 0, at(1709251200)
		}},
		"P1_UnpaidHasNoTime": {`"payment_status": "unpaid", "payment_intent": ` + charged + `,`, func(s *billing.CheckoutSession) {
			s.PaymentStatus, s.PaymentIntentID, s.PaidAt = "unpaid", "pi_1", time.Time{}
		}},
		"E6_ChargeNotExpanded": {`"payment_intent": {"id": "pi_1", "object": "payment_intent", "latest_charge": "ch_1"},`, func(s *billing.CheckoutSession) {
			s.PaymentIntentID, s.PaidAt = "pi_1", at(1709251200)
		}},
		"OpenAndWithoutCustomer": {
			`"status": "open", "payment_status": "unpaid", "customer": null, "url": "https://checkout.stripe.com/c/pay/cs_1",`,
			func(s *billing.CheckoutSession) {
				s.Status, s.PaymentStatus, s.CustomerID, s.PaidAt = "open", "unpaid", "", time.Time{}
				s.URL = "https://checkout.stripe.com/c/pay/cs_1"
			},
		},
		"OfASubscription": {`"mode": "subscription", "subscription": "sub_1",`, func(s *billing.CheckoutSession) {
			s.Mode, s.SubscriptionID, s.PaidAt = "subscription", "sub_1", at(1709251200)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newStripe(t)
			fake.says("GET /v1/checkout/sessions/cs_1", http.StatusOK, session(c.members))
			got, err := fake.client(t).FetchCheckoutSession(t.Context(), "cs_1")
			if err != nil {
				t.Fatal(err)
			}
			want := billing.CheckoutSession{
				ID: "cs_1", Mode: "payment", Status: "complete", PaymentStatus: "paid", CustomerID: "cus_1",
				Amount: 4900, Currency: "eur", ExpiresAt: at(1709337600), Metadata: map[string]string{"purser_purchase": "top_1"},
			}
			c.want(&want)
			same(t, "session", got, want)
			same(t, "expanded", fake.asked()[0].query.Get("expand[0]"), "payment_intent.latest_charge")
		})
	}
}

func purchase() billing.CheckoutIn {
	return billing.CheckoutIn{
		PurchaseID: "top_1", CustomerID: "cus_1", PriceID: "price_pack", Quantity: 2,
		SuccessURL: "https://app.example.com/ok?a=1&b=2", CancelURL: "https://app.example.com/no",
		Metadata: map[string]string{billing.MetadataTeam: "acme"},
	}
}

func TestCreateCheckout(t *testing.T) {
	t.Parallel()
	const create = "POST /v1/checkout/sessions"

	t.Run("P1_ThePurchaseTravelsOnSessionAndPayment", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		fake.says(create, http.StatusOK, session(`"status": "open", "payment_status": "unpaid", "url": "https://checkout.stripe.com/c/pay/cs_1",`))
		in := purchase()
		got, err := fake.client(t).CreateCheckout(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "url", got.URL, "https://checkout.stripe.com/c/pay/cs_1")
		same(t, "form", fake.asked()[0].form, url.Values{
			"mode": {"payment"}, "customer": {"cus_1"}, "line_items[0][price]": {"price_pack"}, "line_items[0][quantity]": {"2"},
			"success_url": {"https://app.example.com/ok?a=1&b=2"}, "cancel_url": {"https://app.example.com/no"},
			"metadata[purser_purchase]": {"top_1"}, "metadata[purser_team]": {"acme"},
			"payment_intent_data[metadata][purser_purchase]": {"top_1"}, "payment_intent_data[metadata][purser_team]": {"acme"},
			"invoice_creation[enabled]": {"true"}, // and none of our metadata
		})
		same(t, "the caller's metadata", in.Metadata, map[string]string{billing.MetadataTeam: "acme"})
	})

	t.Run("WithoutInvoicesNoneIsAskedFor", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		fake.says(create, http.StatusOK, session(""))
		if _, err := fake.client(t, func(c *stripeapi.Config) { c.WithoutInvoices = true }).CreateCheckout(t.Context(), purchase()); err != nil {
			t.Fatal(err)
		}
		same(t, "asked for", fake.asked()[0].form.Has("invoice_creation[enabled]"), false)
	})

	t.Run("WithoutCustomerStripeMakesOne", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		fake.says(create, http.StatusOK, session(""))
		in := purchase()
		in.CustomerID, in.Email = "", "anna@example.com"
		if _, err := fake.client(t).CreateCheckout(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		form := fake.asked()[0].form
		same(t, "customer", []string{form.Get("customer"), form.Get("customer_creation"), form.Get("customer_email")}, []string{"", "always", "anna@example.com"})
	})

	t.Run("E4_TheKeyIsThePurchasesAndStaysOverAttempts", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		fake.fails(create, 2, http.StatusServiceUnavailable, "", session(""))
		client := fake.client(t)
		for range 2 {
			if _, err := client.CreateCheckout(t.Context(), purchase()); err != nil {
				t.Fatal(err)
			}
		}
		asked := fake.asked()
		same(t, "attempts", len(asked), 4)
		for _, r := range asked {
			same(t, "key", r.header.Get("Idempotency-Key"), "purser-checkout-top_1")
			same(t, "purchase", r.form.Get("metadata[purser_purchase]"), "top_1")
		}
	})

	t.Run("NeedsAPurchaseAndAPrice", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		for _, change := range []func(*billing.CheckoutIn){
			func(in *billing.CheckoutIn) { in.PurchaseID = "" },
			func(in *billing.CheckoutIn) { in.PriceID = "" },
		} {
			in := purchase()
			change(&in)
			if _, err := fake.client(t).CreateCheckout(t.Context(), in); err == nil {
				t.Errorf("made one of %+v", in)
			}
		}
		same(t, "calls", fake.calls(), []string(nil))
	})
}

func TestCreateCheckoutByLookupKey(t *testing.T) {
	t.Parallel()
	const create, look = "POST /v1/checkout/sessions", "GET /v1/prices"
	byKey := func() billing.CheckoutIn {
		in := purchase()
		in.PriceID, in.LookupKey = "", "pack_small"
		return in
	}
	found := func(id string) string {
		return `{"has_more": false, "data": [{"id": "` + id + `", "object": "price", "lookup_key": "pack_small", "active": true}]}`
	}
	buy := func(t *testing.T, client *stripeapi.Client) {
		t.Helper()
		if _, err := client.CreateCheckout(t.Context(), byKey()); err != nil {
			t.Fatal(err)
		}
	}

	t.Run("AsksOnceInAWhile", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		fake.says(create, http.StatusOK, session(""))
		fake.says(look, http.StatusOK, found("price_old"))
		client := fake.client(t)
		buy(t, client)
		fake.says(look, http.StatusOK, found("price_new"))
		buy(t, client)
		_ = fake.clock.Sleep(t.Context(), 5*time.Minute)
		buy(t, client)
		same(t, "calls", fake.calls(), []string{look, create, create, look, create})
		asked := fake.asked()
		same(t, "looked up", asked[0].query, url.Values{"lookup_keys[0]": {"pack_small"}, "active": {"true"}, "limit": {"100"}})
		var prices []string
		for _, r := range asked {
			if r.method == http.MethodPost {
				prices = append(prices, r.form.Get("line_items[0][price]"))
			}
		}
		same(t, "prices", prices, []string{"price_old", "price_old", "price_new"})
	})

	t.Run("ARefusedPriceIsLookedUpAgain", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		fake.fails(create, 1, http.StatusBadRequest, "price_inactive", session(""))
		fake.says(look, http.StatusOK, found("price_old"))
		client := fake.client(t)
		if _, err := client.CreateCheckout(t.Context(), byKey()); err == nil {
			t.Fatal("no error")
		}
		buy(t, client)
		same(t, "calls", fake.calls(), []string{look, create, look, create})
	})

	t.Run("NoneIsGone", func(t *testing.T) {
		t.Parallel()
		for _, answer := range []string{`{"has_more": false, "data": []}`, strings.Replace(found("price_x"), "pack_small", "pack_other", 1)} {
			fake := newStripe(t)
			fake.says(look, http.StatusOK, answer)
			_, err := fake.client(t).CreateCheckout(t.Context(), byKey())
			if !errors.Is(err, billing.ErrStripeGone) {
				t.Errorf("got %v", err)
				continue
			}
			wantText(t, err.Error(), "top_1", "pack_small")
			same(t, "calls", fake.calls(), []string{look})
		}
	})
}

func TestCreatePortalSession(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		flow billing.PortalFlow
		want url.Values
	}{
		"E5_FrontPage": {billing.PortalFront, url.Values{}},
		"E5_StraightToTheSeats": {
			billing.PortalUpdate,
			url.Values{"flow_data[type]": {"subscription_update"}, "flow_data[subscription_update][subscription]": {"sub_1"}},
		},
		"Cancel": {
			billing.PortalCancel,
			url.Values{"flow_data[type]": {"subscription_cancel"}, "flow_data[subscription_cancel][subscription]": {"sub_1"}},
		},
		"PaymentMethod": {
			billing.PortalPaymentMethod,
			url.Values{"flow_data[type]": {"payment_method_update"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newStripe(t)
			fake.says("POST /v1/billing_portal/sessions", http.StatusOK, `{"id": "bps_1", "object": "billing_portal.session", "url": "https://billing.stripe.com/p/1"}`)
			got, err := fake.client(t).CreatePortalSession(t.Context(), billing.PortalIn{
				CustomerID: "cus_1", ReturnURL: "https://app.example.com/", Flow: c.flow, SubscriptionID: "sub_1", Key: "portal-1",
			})
			if err != nil {
				t.Fatal(err)
			}
			same(t, "url", got, "https://billing.stripe.com/p/1")
			want := c.want
			want.Set("customer", "cus_1")
			want.Set("return_url", "https://app.example.com/")
			if c.flow != billing.PortalFront {
				want.Set("flow_data[after_completion][type]", "redirect")
				want.Set("flow_data[after_completion][redirect][return_url]", "https://app.example.com/")
			}
			same(t, "form", fake.asked()[0].form, want)
			same(t, "key", fake.asked()[0].header.Get("Idempotency-Key"), "portal-1") // E4
		})
	}
}
