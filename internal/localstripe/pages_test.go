package localstripe

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"
)

// shows asks that all parts stand on a page.
func (s seen) shows(t *testing.T, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(s.body, part) {
			t.Errorf("%q isn't on the page:\n%s", part, s.body)
		}
	}
}

func (s seen) hides(t *testing.T, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(s.body, part) {
			t.Errorf("%q is on the page", part)
		}
	}
}

func TestCheckoutPage(t *testing.T) {
	t.Run("TheBankAsksAndIsAnsweredEitherWay", func(t *testing.T) {
		w := open(t)
		cs := w.checkout()
		ask := fetch(t, cs.URL, url.Values{"payment_method": {"pm_card_authenticationRequired"}, "email": {"ada@example.com"}})
		same(t, "asks", ask.status, http.StatusPaymentRequired)
		ask.shows(t, "Confirm payment", "Fail authentication", `value="pm_card_authenticationRequired"`, `value="ada@example.com"`)
		mark := w.lastEvent()
		no := fetch(t, cs.URL, url.Values{"payment_method": {"pm_card_authenticationRequired"}, "authenticated": {"false"}})
		same(t, "no", no.status, http.StatusPaymentRequired)
		no.shows(t, "failed authentication", "Pay with")
		sameStrings(t, "events", w.kinds(mark), []string{"charge.failed", "payment_intent.payment_failed"})
		same(t, "still open", w.session(cs.ID).Status, stripe.CheckoutSessionStatusOpen)
		fetch(t, cs.URL, url.Values{"payment_method": {"pm_card_authenticationRequired"}})
		yes := fetch(t, cs.URL, url.Values{"payment_method": {"pm_card_authenticationRequired"}, "authenticated": {"true"}})
		same(t, "yes", yes.status, http.StatusSeeOther)
		same(t, "paid", w.session(cs.ID).PaymentStatus, stripe.CheckoutSessionPaymentStatusPaid)
	})

	t.Run("ASubscriptionSaysWhatItIsAndWhatIsDueToday", func(t *testing.T) {
		w := open(t)
		plan := w.plan(1000, "month", 1)
		cs := w.checkout(func(in *stripe.CheckoutSessionParams) {
			in.Mode, in.PaymentIntentData = stripe.String("subscription"), nil
			in.LineItems = []*stripe.CheckoutSessionLineItemParams{{Price: stripe.String(plan.ID), Quantity: stripe.Int64(4)}}
			in.SubscriptionData = &stripe.CheckoutSessionSubscriptionDataParams{TrialPeriodDays: stripe.Int64(14)}
		})
		fetch(t, cs.URL, nil).shows(t, "Start trial", "$10.00 / month", "Due today", "$0.00")
		same(t, "declined", fetch(t, cs.URL, url.Values{"payment_method": {"pm_card_chargeDeclined"}}).status, http.StatusPaymentRequired)
		same(t, "no", fetch(t, cs.URL, url.Values{"payment_method": {"pm_card_authenticationRequired"}, "authenticated": {"false"}}).status, http.StatusPaymentRequired)
		same(t, "subscribed", fetch(t, cs.URL, url.Values{"payment_method": {"pm_card_visa"}}).status, http.StatusSeeOther)
		same(t, "status", w.sub(w.session(cs.ID).Subscription.ID).Status, stripe.SubscriptionStatusTrialing)
	})

	t.Run("ExpiresOnDemandAndItsLinesAreListed", func(t *testing.T) {
		w := open(t)
		cs := w.checkout(func(in *stripe.CheckoutSessionParams) { in.ExpiresAt = stripe.Int64(newYear.Add(time.Hour).Unix()) })
		lines := w.api.CheckoutSessions.ListLineItems(&stripe.CheckoutSessionListLineItemsParams{Session: stripe.String(cs.ID)})
		same(t, "line", lines.Next(), true)
		same(t, "amount", lines.LineItem().AmountTotal, 1800)
		same(t, "status", must(w.api.CheckoutSessions.Expire(cs.ID, nil))(t).Status, stripe.CheckoutSessionStatusExpired)
		_, err := w.api.CheckoutSessions.Expire(cs.ID, nil)
		same(t, "twice", stripeError(t, err).HTTPStatusCode, 400)
		fetch(t, w.URL()+"/c/pay/"+cs.ID, nil).shows(t, "expired")
		same(t, "no such", fetch(t, w.URL()+"/c/pay/cs_none", nil).status, http.StatusNotFound)
	})
}

func TestInvoicePage(t *testing.T) {
	w := open(t)
	u := w.payer("pm_card_visa")
	inv := w.topUp(u)
	fetch(t, inv.HostedInvoiceURL, nil).shows(t, "Invoice "+inv.Number, "Open", "ada@example.com", "Credits", "$18.00", "Pay $18.00")
	declined := fetch(t, inv.HostedInvoiceURL, url.Values{"payment_method": {"pm_card_chargeDeclinedInsufficientFunds"}})
	same(t, "declined", declined.status, http.StatusPaymentRequired)
	declined.shows(t, "insufficient funds", "Pay $18.00")
	fetch(t, inv.HostedInvoiceURL, url.Values{"payment_method": {"pm_card_authenticationRequired"}}).shows(t, "Confirm payment", "Fail authentication")
	fetch(t, inv.HostedInvoiceURL, url.Values{"authenticated": {"false"}}).shows(t, "failed authentication", "Pay $18.00")
	debit := fetch(t, inv.HostedInvoiceURL, url.Values{"payment_method": {"pm_usBankAccount_success"}})
	debit.shows(t, "on its way")
	debit.hides(t, "<button")
	same(t, "no second payment beside it", fetch(t, inv.HostedInvoiceURL, url.Values{"payment_method": {"pm_card_visa"}}).status, http.StatusPaymentRequired)
	w.advance(newYear.AddDate(0, 0, 5))
	paid := fetch(t, inv.HostedInvoiceURL, nil)
	paid.shows(t, "Paid", "/receipts/")
	paid.hides(t, "<button")
	_, path, _ := strings.Cut(paid.body, `href="/receipts/`)
	path, _, _ = strings.Cut(path, `"`)
	fetch(t, w.URL()+"/receipts/"+path, nil).shows(t, "$18.00 paid on")
	same(t, "a draft has no page", fetch(t, w.URL()+"/i/"+w.topUpDraft(u).ID, nil).status, http.StatusNotFound)
}

// portalOf opens the portal for a subscription, with a configuration if one is given.
func (w *world) portalOf(u *stripe.Customer, configuration string, flow *stripe.BillingPortalSessionFlowDataParams) *stripe.BillingPortalSession {
	w.t.Helper()
	in := &stripe.BillingPortalSessionParams{Customer: stripe.String(u.ID), FlowData: flow}
	if configuration != "" {
		in.Configuration = stripe.String(configuration)
	}
	return must(w.api.BillingPortalSessions.New(in))(w.t)
}

func TestPortalConfiguration(t *testing.T) {
	business := &stripe.BillingPortalConfigurationBusinessProfileParams{Headline: stripe.String("Acme")}
	configure := func(w *world, features *stripe.BillingPortalConfigurationFeaturesParams) *stripe.BillingPortalConfiguration {
		return must(w.api.BillingPortalConfigurations.New(&stripe.BillingPortalConfigurationParams{
			BusinessProfile: business, Features: features, DefaultReturnURL: stripe.String("http://127.0.0.1/home"), Metadata: map[string]string{"of": "purser"},
		}))(w.t)
	}

	t.Run("IsAnsweredAsItWasSet", func(t *testing.T) {
		w := open(t)
		p := w.plan(3100, "month", 1)
		made := configure(w, &stripe.BillingPortalConfigurationFeaturesParams{
			CustomerUpdate: &stripe.BillingPortalConfigurationFeaturesCustomerUpdateParams{
				Enabled: stripe.Bool(true), AllowedUpdates: stripe.StringSlice([]string{"email", "address"}),
			},
			InvoiceHistory:      &stripe.BillingPortalConfigurationFeaturesInvoiceHistoryParams{Enabled: stripe.Bool(true)},
			PaymentMethodUpdate: &stripe.BillingPortalConfigurationFeaturesPaymentMethodUpdateParams{Enabled: stripe.Bool(true)},
			SubscriptionCancel: &stripe.BillingPortalConfigurationFeaturesSubscriptionCancelParams{
				Enabled: stripe.Bool(true), Mode: stripe.String("immediately"), ProrationBehavior: stripe.String("create_prorations"),
				CancellationReason: &stripe.BillingPortalConfigurationFeaturesSubscriptionCancelCancellationReasonParams{
					Enabled: stripe.Bool(true), Options: stripe.StringSlice([]string{"unused", "other"}),
				},
			},
			SubscriptionUpdate: &stripe.BillingPortalConfigurationFeaturesSubscriptionUpdateParams{
				Enabled: stripe.Bool(true), DefaultAllowedUpdates: stripe.StringSlice([]string{"quantity", "price"}), ProrationBehavior: stripe.String("always_invoice"),
				Products: []*stripe.BillingPortalConfigurationFeaturesSubscriptionUpdateProductParams{{
					Product: stripe.String(p.Product.ID), Prices: stripe.StringSlice([]string{p.ID}),
				}},
			},
		})
		same(t, "products are for those who expand them", len(made.Features.SubscriptionUpdate.Products), 0)
		expand := &stripe.BillingPortalConfigurationParams{}
		expand.AddExpand("features.subscription_update.products")
		got := must(w.api.BillingPortalConfigurations.Get(made.ID, expand))(t)
		all := &stripe.BillingPortalConfigurationListParams{}
		all.AddExpand("data.features.subscription_update.products")
		list := w.api.BillingPortalConfigurations.List(all)
		same(t, "listed", list.Next(), true)
		same(t, "with products", len(list.BillingPortalConfiguration().Features.SubscriptionUpdate.Products), 1)
		f := got.Features
		same(t, "fields", string(f.CustomerUpdate.AllowedUpdates[0]), "email")
		same(t, "cancel", f.SubscriptionCancel.Mode, stripe.BillingPortalConfigurationFeaturesSubscriptionCancelModeImmediately)
		same(t, "reasons", len(f.SubscriptionCancel.CancellationReason.Options), 2)
		same(t, "updates", len(f.SubscriptionUpdate.DefaultAllowedUpdates), 2)
		same(t, "proration", string(f.SubscriptionUpdate.ProrationBehavior), "always_invoice")
		same(t, "product", f.SubscriptionUpdate.Products[0].Product, p.Product.ID)
		same(t, "price", f.SubscriptionUpdate.Products[0].Prices[0], p.ID)
		same(t, "return", got.DefaultReturnURL, "http://127.0.0.1/home")
		same(t, "metadata", got.Metadata["of"], "purser")
		same(t, "not the default one", got.IsDefault, false)
		after := must(w.api.BillingPortalConfigurations.Update(made.ID, &stripe.BillingPortalConfigurationParams{
			Active: stripe.Bool(false),
			Features: &stripe.BillingPortalConfigurationFeaturesParams{
				InvoiceHistory: &stripe.BillingPortalConfigurationFeaturesInvoiceHistoryParams{Enabled: stripe.Bool(false)},
			},
		}))(t)
		same(t, "changed", after.Features.InvoiceHistory.Enabled, false)
		same(t, "the rest stays", after.Features.SubscriptionUpdate.Enabled, true)
		_, err := w.api.BillingPortalSessions.New(&stripe.BillingPortalSessionParams{
			Customer: stripe.String(w.payer("pm_card_visa").ID), Configuration: stripe.String(made.ID),
		})
		same(t, "an inactive one opens nothing", stripeError(t, err).HTTPStatusCode, 400)
	})

	t.Run("ThePageDoesWhatItAllowsAndNoMore", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_visa")
		p, other := w.plan(3100, "month", 1), w.plan(6200, "month", 1)
		sub := w.subscribe(u, p, 5)
		seatsOnly := configure(w, &stripe.BillingPortalConfigurationFeaturesParams{
			SubscriptionUpdate: &stripe.BillingPortalConfigurationFeaturesSubscriptionUpdateParams{
				Enabled: stripe.Bool(true), DefaultAllowedUpdates: stripe.StringSlice([]string{"quantity"}), ProrationBehavior: stripe.String("none"),
				Products: []*stripe.BillingPortalConfigurationFeaturesSubscriptionUpdateProductParams{{
					Product: stripe.String(p.Product.ID), Prices: stripe.StringSlice([]string{p.ID}),
				}},
			},
		})
		ps := w.portalOf(u, seatsOnly.ID, nil)
		page := fetch(t, ps.URL, nil)
		page.shows(t, "Seats", p.ID, `href="http://127.0.0.1/home"`)
		page.hides(t, other.ID, "Cancel", "Use this from now on", "Invoices")
		change := ps.URL + "/subscriptions/" + sub.ID
		for name, form := range map[string]url.Values{
			"another plan": {"do": {"update"}, "seats": {"5"}, "price": {other.ID}}, "cancel": {"do": {"cancel"}}, "nonsense": {"do": {"dance"}},
		} {
			same(t, name, fetch(t, change, form).status, http.StatusUnprocessableEntity)
		}
		same(t, "card", fetch(t, ps.URL+"/card", url.Values{"payment_method": {"pm_card_visa"}}).status, http.StatusUnprocessableEntity)
		mark := w.lastEvent()
		same(t, "seats", fetch(t, change, url.Values{"do": {"update"}, "seats": {"8"}}).status, http.StatusSeeOther)
		sameStrings(t, "without prorations", w.kinds(mark), []string{"customer.subscription.updated"})
		_, err := w.api.BillingPortalSessions.New(&stripe.BillingPortalSessionParams{
			Customer: stripe.String(u.ID), Configuration: stripe.String(seatsOnly.ID), FlowData: &stripe.BillingPortalSessionFlowDataParams{
				Type:               stripe.String("subscription_cancel"),
				SubscriptionCancel: &stripe.BillingPortalSessionFlowDataSubscriptionCancelParams{Subscription: stripe.String(sub.ID)},
			},
		})
		same(t, "a flow to what is switched off", stripeError(t, err).HTTPStatusCode, 400)
	})

	t.Run("CancelingAtOnce", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_visa")
		sub := w.subscribe(u, w.plan(3100, "month", 1), 5)
		w.advance(midMonth)
		now := configure(w, &stripe.BillingPortalConfigurationFeaturesParams{
			SubscriptionCancel: &stripe.BillingPortalConfigurationFeaturesSubscriptionCancelParams{
				Enabled: stripe.Bool(true), Mode: stripe.String("immediately"), ProrationBehavior: stripe.String("create_prorations"),
			},
		})
		ps := w.portalOf(u, now.ID, nil)
		fetch(t, ps.URL, nil).shows(t, "Cancel now")
		fetch(t, ps.URL+"/subscriptions/"+sub.ID, url.Values{"do": {"cancel"}})
		same(t, "status", w.sub(sub.ID).Status, stripe.SubscriptionStatusCanceled)
		items := w.api.InvoiceItems.List(&stripe.InvoiceItemListParams{Customer: stripe.String(u.ID), Pending: stripe.Bool(true)})
		same(t, "credit waits", items.Next(), true)
		same(t, "amount", items.InvoiceItem().Amount, -5*1600)
		fetch(t, ps.URL, nil).shows(t, "No subscriptions")
	})

	t.Run("AFlowGoesStraightToItsPage", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_visa")
		p := w.plan(3100, "month", 1)
		sub := w.subscribe(u, p, 5)
		card := w.portalOf(u, "", &stripe.BillingPortalSessionFlowDataParams{Type: stripe.String("payment_method_update")})
		page := fetch(t, card.URL, nil)
		page.shows(t, "Use this from now on")
		page.hides(t, "Seats", "Cancel at")
		cancel := w.portalOf(u, "", &stripe.BillingPortalSessionFlowDataParams{
			Type: stripe.String("subscription_cancel"), SubscriptionCancel: &stripe.BillingPortalSessionFlowDataSubscriptionCancelParams{Subscription: stripe.String(sub.ID)},
		})
		page = fetch(t, cancel.URL, nil)
		page.shows(t, "Cancel at the period")
		page.hides(t, "Seats")
		confirm := w.portalOf(u, "", &stripe.BillingPortalSessionFlowDataParams{
			Type: stripe.String("subscription_update_confirm"),
			SubscriptionUpdateConfirm: &stripe.BillingPortalSessionFlowDataSubscriptionUpdateConfirmParams{
				Subscription: stripe.String(sub.ID),
				Items:        []*stripe.BillingPortalSessionFlowDataSubscriptionUpdateConfirmItemParams{{ID: stripe.String(sub.Items.Data[0].ID), Quantity: stripe.Int64(9), Price: stripe.String(p.ID)}},
			},
		})
		fetch(t, confirm.URL, nil).shows(t, "Confirm", `value="9" readonly`)
		fetch(t, confirm.URL+"/subscriptions/"+sub.ID, url.Values{"do": {"update"}, "seats": {"99"}})
		same(t, "what the flow says, not the form", w.sub(sub.ID).Items.Data[0].Quantity, 9)
	})

	t.Run("TheDefaultOneIsListed", func(t *testing.T) {
		w := open(t)
		ps := w.portalOf(w.payer("pm_card_visa"), "", nil)
		list := w.api.BillingPortalConfigurations.List(&stripe.BillingPortalConfigurationListParams{IsDefault: stripe.Bool(true)})
		same(t, "listed", list.Next(), true)
		same(t, "the session's", list.BillingPortalConfiguration().ID, ps.Configuration.ID)
	})
}
