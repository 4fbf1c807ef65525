package localstripe

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v76"
)

func TestPortal(t *testing.T) {
	w := open(t)
	u := w.payer("pm_card_visa")
	sub := w.subscribe(u, w.plan(3100, "month", 1), 5)
	big := w.plan(6200, "month", 1)
	ps := must(w.api.BillingPortalSessions.New(&stripe.BillingPortalSessionParams{
		Customer: stripe.String(u.ID), ReturnURL: stripe.String("http://127.0.0.1/back"),
	}))(t)
	same(t, "seats shown", strings.Contains(fetch(t, ps.URL, nil).body, `value="5"`), true)
	change := ps.URL + "/subscriptions/" + sub.ID
	same(t, "more seats", fetch(t, change, url.Values{"do": {"update"}, "seats": {"8"}, "price": {sub.Items.Data[0].Price.ID}}).status, http.StatusSeeOther)
	same(t, "seats", w.sub(sub.ID).Items.Data[0].Quantity, 8)
	same(t, "another plan", fetch(t, change, url.Values{"do": {"update"}, "seats": {"8"}, "price": {big.ID}}).status, http.StatusSeeOther)
	same(t, "plan", w.sub(sub.ID).Items.Data[0].Price.ID, big.ID)
	same(t, "no seats", fetch(t, change, url.Values{"do": {"update"}, "seats": {"0"}}).status, http.StatusUnprocessableEntity)
	fetch(t, change, url.Values{"do": {"cancel"}})
	same(t, "ends", w.sub(sub.ID).CancelAtPeriodEnd, true)
	fetch(t, change, url.Values{"do": {"resume"}})
	same(t, "goes on", w.sub(sub.ID).CancelAtPeriodEnd, false)
	fetch(t, ps.URL+"/card", url.Values{"payment_method": {"pm_card_mastercard"}})
	card := must(w.api.Customers.Get(u.ID, nil))(t).InvoiceSettings.DefaultPaymentMethod.ID
	same(t, "card", must(w.api.PaymentMethods.Get(card, nil))(t).Card.Brand, stripe.PaymentMethodCardBrandMastercard)

	flow := must(w.api.BillingPortalSessions.New(&stripe.BillingPortalSessionParams{
		Customer: stripe.String(u.ID), FlowData: &stripe.BillingPortalSessionFlowDataParams{
			Type:               stripe.String("subscription_update"),
			SubscriptionUpdate: &stripe.BillingPortalSessionFlowDataSubscriptionUpdateParams{Subscription: stripe.String(sub.ID)},
			AfterCompletion: &stripe.BillingPortalSessionFlowDataAfterCompletionParams{
				Type: stripe.String("redirect"), Redirect: &stripe.BillingPortalSessionFlowDataAfterCompletionRedirectParams{ReturnURL: stripe.String("http://127.0.0.1/done")},
			},
		},
	}))(t)
	same(t, "flow", flow.Flow.SubscriptionUpdate.Subscription, sub.ID)
	done := fetch(t, flow.URL+"/subscriptions/"+sub.ID, url.Values{"do": {"update"}, "seats": {"9"}, "price": {big.ID}})
	same(t, "to", done.location, "http://127.0.0.1/done")
}
