package stripeapi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/client"

	"purser/billing"
	"purser/billing/stripeapi"
	"purser/internal/localstripe"
)

// world is a local Stripe, the whole SDK to arrange things with, and our client.
type world struct {
	*localstripe.Server
	t    *testing.T
	api  *client.API
	ours *stripeapi.Client
}

func openWorld(t *testing.T) *world {
	t.Helper()
	local, err := localstripe.Start(localstripe.Config{Start: day1, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = local.Close() })
	base := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(base.CloseIdleConnections)
	waits := &clock{now: day1}
	ours, err := stripeapi.New(stripeapi.Config{
		Key: local.Key(), BaseURL: local.URL(), Now: waits.Now, Sleep: waits.Sleep,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ours.Close)
	return &world{Server: local, t: t, ours: ours, api: client.New(local.Key(), &sdk.Backends{
		API: sdk.GetBackendWithConfig(sdk.APIBackend, &sdk.BackendConfig{
			URL: sdk.String(local.URL()), HTTPClient: &http.Client{Transport: base},
			LeveledLogger: &sdk.LeveledLogger{Level: sdk.LevelNull},
		}),
	})}
}

// must takes an answer of the SDK.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (w *world) price(change ...func(*sdk.PriceParams)) string {
	w.t.Helper()
	params := &sdk.PriceParams{
		Currency: sdk.String("eur"), UnitAmount: sdk.Int64(1000),
		ProductData: &sdk.PriceProductDataParams{Name: sdk.String("Team")},
		Recurring:   &sdk.PriceRecurringParams{Interval: sdk.String("month")},
	}
	for _, c := range change {
		c(params)
	}
	return must(w.api.Prices.New(params))(w.t).ID
}

func (w *world) payer() string {
	w.t.Helper()
	params := &sdk.CustomerParams{
		Email: sdk.String("anna@example.com"), PaymentMethod: sdk.String("pm_card_visa"),
		InvoiceSettings: &sdk.CustomerInvoiceSettingsParams{DefaultPaymentMethod: sdk.String("pm_card_visa")},
	}
	params.AddMetadata(billing.MetadataUser, "anna")
	params.AddMetadata("crm", "42")
	return must(w.api.Customers.New(params))(w.t).ID
}

func (w *world) subscribe(customer string, items ...*sdk.SubscriptionItemsParams) *sdk.Subscription {
	w.t.Helper()
	params := &sdk.SubscriptionParams{Customer: sdk.String(customer), Items: items}
	params.AddMetadata(billing.MetadataTeam, "acme")
	return must(w.api.Subscriptions.New(params))(w.t)
}

func licensed(price string, quantity int64) *sdk.SubscriptionItemsParams {
	return &sdk.SubscriptionItemsParams{Price: sdk.String(price), Quantity: sdk.Int64(quantity)}
}

// events reads the types of all events since an instant, and their ids.
func (w *world) events(since time.Time) (kinds, ids []string) {
	w.t.Helper()
	err := w.ours.EventsSince(w.t.Context(), since, func(body []byte) error {
		var e struct{ ID, Type string }
		if err := json.Unmarshal(body, &e); err != nil {
			return err
		}
		kinds, ids = append(kinds, e.Type), append(ids, e.ID)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return kinds, ids
}

func TestAgainstTheLocalStripe(t *testing.T) {
	t.Parallel()

	t.Run("SubscriptionSeatsAndInvoice", func(t *testing.T) {
		t.Parallel()
		w := openWorld(t)
		team := w.price(func(p *sdk.PriceParams) { p.LookupKey = sdk.String("team_monthly") })
		calls := w.price(func(p *sdk.PriceParams) { p.Recurring.UsageType = sdk.String("metered") })
		customer := w.payer()
		made := w.subscribe(customer, &sdk.SubscriptionItemsParams{Price: sdk.String(calls)}, licensed(team, 5))

		got, err := w.ours.FetchSubscription(t.Context(), made.ID)
		if err != nil {
			t.Fatal(err)
		}
		end := time.Date(2024, 4, 1, 12, 0, 0, 0, time.UTC)
		s := got.Subscription
		same(t, "status", s.Status, billing.StatusActive)
		same(t, "period", []time.Time{s.PeriodStart, s.PeriodEnd, s.Anchor, s.CreatedAt}, []time.Time{day1, end, day1, day1})
		same(t, "metadata", s.Metadata, map[string]string{billing.MetadataTeam: "acme"})
		if !strings.HasPrefix(got.Customer.PaymentMethodID, "pm_") {
			t.Errorf("the customer pays with %q", got.Customer.PaymentMethodID)
		}
		got.Customer.PaymentMethodID = ""
		same(t, "customer", *got.Customer, billing.Customer{ID: customer, Email: "anna@example.com", Metadata: map[string]string{billing.MetadataUser: "anna"}})
		var bought []billing.Item
		for _, i := range s.Items {
			i.ID = ""
			bought = append(bought, i)
		}
		metered := seats("", calls, 0)
		metered.Metered = true
		plan := seats("", team, 5)
		plan.LookupKey = "team_monthly"
		if !slices.Contains(bought, metered) || !slices.Contains(bought, plan) || len(bought) != 2 {
			t.Errorf("items %+v", bought)
		}
		same(t, "invoices", len(got.Invoices), 1)
		w.wantPaidMonth(got.Invoices[0], team, 5, day1, end)

		must(w.api.Subscriptions.Update(made.ID, &sdk.SubscriptionParams{
			Items: []*sdk.SubscriptionItemsParams{{ID: sdk.String(itemOf(made, team)), Quantity: sdk.Int64(8)}},
		}))(t)
		if err := w.Advance(t.Context(), end.Add(2*time.Hour)); err != nil {
			t.Fatal(err)
		}
		got, err = w.ours.FetchSubscription(t.Context(), made.ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "the next period", got.Subscription.PeriodStart, end)
		invoice, err := w.ours.FetchInvoice(t.Context(), got.Invoices[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "reason", invoice.Invoices[0].BillingReason, "subscription_cycle")
		w.wantPaidMonth(invoice.Invoices[0], team, 8, end, time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC))
		prorations := 0
		for _, l := range invoice.Invoices[0].Lines {
			if l.Proration {
				prorations++
			}
		}
		same(t, "prorations", prorations, 2)
		same(t, "the invoice's subscription", *invoice.Subscription, *got.Subscription)
		same(t, "the invoice's customer", *invoice.Customer, *got.Customer)
	})

	t.Run("MoreItemsAndLinesThanAreEmbedded", func(t *testing.T) {
		t.Parallel()
		w := openWorld(t)
		var params []*sdk.SubscriptionItemsParams
		for range 20 {
			params = append(params, licensed(w.price(), 3))
		}
		made := w.subscribe(w.payer(), params...)
		got, err := w.ours.FetchSubscription(t.Context(), made.ID)
		if err != nil {
			t.Fatal(err)
		}
		var bought int64
		distinct := map[string]bool{}
		for _, i := range got.Subscription.Items {
			bought += i.Quantity
			distinct[i.ID] = true
		}
		same(t, "B2 seats", bought, int64(60))
		same(t, "items", len(distinct), 20)
		same(t, "lines", len(got.Invoices[0].Lines), 20)
	})

	t.Run("ListSubscriptionsIncludesTheCanceled", func(t *testing.T) {
		t.Parallel()
		w := openWorld(t)
		price, customer := w.price(), w.payer()
		var want []string
		for n := range 103 {
			s := w.subscribe(customer, licensed(price, 1))
			if n == 50 {
				must(w.api.Subscriptions.Cancel(s.ID, nil))(t)
			}
			want = append(want, s.ID)
		}
		slices.Reverse(want)
		var ids []string
		ended := 0
		list := func(in billing.ListIn) {
			t.Helper()
			ids, ended = nil, 0
			err := w.ours.ListSubscriptions(t.Context(), in, func(f billing.Fetched) error {
				ids = append(ids, f.Subscription.ID)
				if f.Subscription.Status.Ended() {
					ended++
				}
				same(t, "customer", f.Customer.ID, customer)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		list(billing.ListIn{})
		same(t, "all", ids, want)
		same(t, "ended", ended, 1)
		one := w.subscribe(w.payer(), licensed(price, 1))
		list(billing.ListIn{CustomerID: customer})
		same(t, "the customer's", ids, want)
		list(billing.ListIn{Since: time.Unix(one.Created+1, 0)})
		same(t, "of later", len(ids), 0)
	})
}

func itemOf(s *sdk.Subscription, price string) string {
	for _, i := range s.Items.Data {
		if i.Price.ID == price {
			return i.ID
		}
	}
	return ""
}

// wantPaidMonth looks for the line that pays for a month's seats.
func (w *world) wantPaidMonth(i billing.Invoice, price string, quantity int64, from, to time.Time) {
	w.t.Helper()
	if i.Status != "paid" || i.PaidAt == nil || i.PaidAt.Before(from) {
		w.t.Errorf("invoice is %s, paid at %v", i.Status, i.PaidAt)
	}
	for _, l := range i.Lines {
		if l.PriceID == price && !l.Proration && l.Quantity == quantity && l.From.Equal(from) && l.To.Equal(to) && l.Amount == 1000*quantity {
			return
		}
	}
	w.t.Errorf("no line pays for %d seats from %v to %v: %+v", quantity, from, to, i.Lines)
}

func TestPurchasesAtTheLocalStripe(t *testing.T) {
	t.Parallel()
	arrange := func(t *testing.T) (*world, billing.CheckoutIn) {
		w := openWorld(t)
		w.price(func(p *sdk.PriceParams) { p.Recurring, p.LookupKey = nil, sdk.String("pack_small") })
		in := purchase()
		in.PriceID, in.LookupKey, in.CustomerID = "", "pack_small", w.payer()
		return w, in
	}

	t.Run("P1_BoughtOncePaidAndFound", func(t *testing.T) {
		t.Parallel()
		w, in := arrange(t)
		first, err := w.ours.CreateCheckout(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		again, err := w.ours.CreateCheckout(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "the same purchase again", again, first)
		if first.URL == "" || first.Status != "open" || !first.PaidAt.IsZero() || first.Amount != 2000 {
			t.Errorf("session %+v", first)
		}
		paid := day1.Add(time.Hour)
		if err := w.Advance(t.Context(), paid); err != nil {
			t.Fatal(err)
		}
		if err := w.PaySession(t.Context(), first.ID, localstripe.Payment{}); err != nil {
			t.Fatal(err)
		}
		got, err := w.ours.FetchCheckoutSession(t.Context(), first.ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "state", []string{got.Status, got.PaymentStatus, got.CustomerID, got.Mode}, []string{"complete", "paid", in.CustomerID, "payment"})
		same(t, "paid at", got.PaidAt, paid)
		same(t, "metadata", got.Metadata, map[string]string{billing.MetadataPurchase: "top_1", billing.MetadataTeam: "acme"})
		intent := must(w.api.PaymentIntents.Get(got.PaymentIntentID, nil))(t)
		same(t, "the payment's metadata", intent.Metadata, got.Metadata)
	})

	t.Run("P4_AnAnswerThatGotLostMakesNoSecondSession", func(t *testing.T) {
		t.Parallel()
		w, in := arrange(t)
		w.Disturb(localstripe.Trouble{Method: "POST", Path: "/v1/checkout", Times: 2, After: true})
		if _, err := w.ours.CreateCheckout(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		sessions := w.api.CheckoutSessions.List(&sdk.CheckoutSessionListParams{})
		n := 0
		for sessions.Next() {
			n++
		}
		same(t, "sessions", n, 1)
	})

	t.Run("OtherWordsForTheSamePurchaseAreRefused", func(t *testing.T) {
		t.Parallel()
		w, in := arrange(t)
		if _, err := w.ours.CreateCheckout(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		in.Quantity = 3
		_, err := w.ours.CreateCheckout(t.Context(), in)
		refused, ok := errors.AsType[*stripeapi.Error](err)
		if !ok || refused.Type != "idempotency_error" || errors.Is(err, billing.ErrStripeUnavailable) {
			t.Errorf("got %v", err)
		}
	})

	t.Run("E5_Portal", func(t *testing.T) {
		t.Parallel()
		w, in := arrange(t)
		s := w.subscribe(in.CustomerID, licensed(w.price(), 5))
		for _, flow := range []billing.PortalFlow{billing.PortalFront, billing.PortalUpdate, billing.PortalCancel, billing.PortalPaymentMethod} {
			portal := billing.PortalIn{
				CustomerID: in.CustomerID, ReturnURL: "https://app.example.com/team", Flow: flow, SubscriptionID: s.ID, Key: "portal " + string(flow),
			}
			at, err := w.ours.CreatePortalSession(t.Context(), portal)
			if err != nil || !strings.HasPrefix(at, w.URL()) {
				t.Errorf("%q: %q, %v", flow, at, err)
			}
			if again, err := w.ours.CreatePortalSession(t.Context(), portal); err != nil || again != at {
				t.Errorf("E4: %q again: %q, %v", flow, again, err)
			}
		}
	})
}

func TestTroubleAtTheLocalStripe(t *testing.T) {
	t.Parallel()
	w := openWorld(t)
	customer := w.payer()
	for name, trouble := range map[string]localstripe.Trouble{
		"TooManyRequests": {Status: 429, Times: 2, Header: http.Header{"Retry-After": {"2"}}},
		"LockedObject":    {Status: 429, Code: "lock_timeout", Times: 2},
		"ServerError":     {Status: 500, Times: 3},
		"CutConnection":   {Times: 3},
	} {
		w.Disturb(trouble)
		if _, err := w.ours.FetchCustomer(t.Context(), customer); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		w.Soothe()
		trouble.Times = 100
		w.Disturb(trouble)
		if _, err := w.ours.FetchCustomer(t.Context(), customer); !errors.Is(err, billing.ErrStripeUnavailable) {
			t.Errorf("%s without end: %v", name, err)
		}
		w.Soothe()
	}
	must(w.api.Customers.Del(customer, nil))(t)
	got, err := w.ours.FetchCustomer(t.Context(), customer)
	if err != nil || !got.Deleted {
		t.Errorf("E6 a deleted customer: %+v, %v", got, err)
	}
	for what, fetch := range map[string]func() error{
		"subscription": func() error { _, err := w.ours.FetchSubscription(t.Context(), "sub_none"); return err },
		"invoice":      func() error { _, err := w.ours.FetchInvoice(t.Context(), "in_none"); return err },
		"customer":     func() error { _, err := w.ours.FetchCustomer(t.Context(), "cus_none"); return err },
		"session":      func() error { _, err := w.ours.FetchCheckoutSession(t.Context(), "cs_none"); return err },
	} {
		if err := fetch(); !errors.Is(err, billing.ErrStripeGone) {
			t.Errorf("%s that never was: %v", what, err)
		}
	}
}

func TestEventsOfTheLocalStripe(t *testing.T) {
	t.Parallel()
	w := openWorld(t)
	var want []string
	for n := range 250 {
		if n == 200 {
			if err := w.Advance(t.Context(), day1.Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		params := &sdk.CustomerParams{Description: sdk.String(fmt.Sprint(n))}
		must(w.api.Customers.New(params))(t)
		want = append(want, "customer.created")
	}
	kinds, ids := w.events(time.Time{})
	same(t, "kinds", kinds, want)
	distinct := map[string]bool{}
	for _, id := range ids {
		distinct[id] = true
	}
	same(t, "distinct", len(distinct), 250)
	_, late := w.events(day1.Add(time.Minute))
	same(t, "E3 since", late, ids[200:])
	_, none := w.events(day1.Add(time.Hour))
	same(t, "E3 nothing new", none, []string(nil))
}
