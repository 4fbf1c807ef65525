package stripeapi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"purser/billing"
)

// item renders a subscription item; each of its parts may be odd.
func item(id, price, quantity string) string {
	return fmt.Sprintf(`{"id": %q, "object": "subscription_item", "price": %s, %s "subscription": "sub_1"}`, id, price, quantity)
}

func price(id, interval string, count int, usage string) string {
	return fmt.Sprintf(`{"id": %q, "object": "price", "lookup_key": null, "unit_amount": null, "unit_amount_decimal": "0.5",
		"recurring": {"interval": %q, "interval_count": %d, "usage_type": %q}}`, id, interval, count, usage)
}

func items(hasMore bool, each ...string) string {
	return fmt.Sprintf(`"items": {"object": "list", "has_more": %t, "data": [%s]},`, hasMore, strings.Join(each, ","))
}

// subscription renders one with the given members in front; the first of equal names counts for the
// reader of the test, the last one for JSON, so the defaults stand first.
func subscription(members string) string {
	return `{"id": "sub_1", "object": "subscription", "status": "active", "customer": "cus_1", "created": 1706745600,
		"current_period_start": 1709251200, "current_period_end": 1711929600, "billing_cycle_anchor": 1706745600,
		"cancel_at": null, "ended_at": null, "trial_start": null, "trial_end": null, "latest_invoice": null,
		` + members + ` "livemode": false}`
}

// plain is what subscription("") stands for.
func plain(change func(*billing.Subscription)) billing.Subscription {
	s := billing.Subscription{
		ID: "sub_1", CustomerID: "cus_1", Status: "active", CreatedAt: at(1706745600), Anchor: at(1706745600),
		PeriodStart: at(1709251200), PeriodEnd: at(1711929600),
	}
	if change != nil {
		change(&s)
	}
	return s
}

func seats(id, price string, quantity int64) billing.Item {
	return billing.Item{ID: id, PriceID: price, Interval: "month", IntervalCount: 1, Quantity: quantity}
}

func TestFetchSubscriptionMaps(t *testing.T) {
	t.Parallel()
	monthly := price("price_team", "month", 1, "licensed")
	for name, c := range map[string]struct {
		members string
		want    func(*billing.Subscription)
	}{
		"OneItem": {
			items(false, item("si_1", monthly, `"quantity": 5,`)),
			func(s *billing.Subscription) { s.Items = []billing.Item{seats("si_1", "price_team", 5)} },
		},
		"B2_QuantityNullIsNone": {
			items(false, item("si_1", monthly, `"quantity": null,`)),
			func(s *billing.Subscription) { s.Items = []billing.Item{seats("si_1", "price_team", 0)} },
		},
		"B2_QuantityMissingIsNone": {
			items(false, item("si_1", monthly, "")),
			func(s *billing.Subscription) { s.Items = []billing.Item{seats("si_1", "price_team", 0)} },
		},
		"B2_MeteredFirstKeepsTheSeatsBehindIt": {
			items(false, item("si_1", price("price_calls", "month", 1, "metered"), ""), item("si_2", monthly, `"quantity": 5,`)),
			func(s *billing.Subscription) {
				metered := seats("si_1", "price_calls", 0)
				metered.Metered = true
				s.Items = []billing.Item{metered, seats("si_2", "price_team", 5)}
			},
		},
		"B2_TheSamePriceTwice": {
			items(false, item("si_1", monthly, `"quantity": 5,`), item("si_2", monthly, `"quantity": 3,`)),
			func(s *billing.Subscription) {
				s.Items = []billing.Item{seats("si_1", "price_team", 5), seats("si_2", "price_team", 3)}
			},
		},
		"E6_PriceNull": {
			items(false, item("si_1", "null", `"quantity": 5,`)),
			func(s *billing.Subscription) { s.Items = []billing.Item{{ID: "si_1", Quantity: 5}} },
		},
		"E6_PriceAsAnIdAlone": {
			items(false, item("si_1", `"price_team"`, `"quantity": 5,`)),
			func(s *billing.Subscription) {
				s.Items = []billing.Item{{ID: "si_1", PriceID: "price_team", Quantity: 5}}
			},
		},
		"E6_PriceWithoutRecurring": {
			items(false, item("si_1", `{"id": "price_once", "recurring": null, "lookup_key": "once"}`, `"quantity": 1,`)),
			func(s *billing.Subscription) {
				s.Items = []billing.Item{{ID: "si_1", PriceID: "price_once", LookupKey: "once", Quantity: 1}}
			},
		},
		"E6_ItemsMissing":      {"", nil},
		"E6_ItemsNull":         {`"items": null,`, nil},
		"E6_ItemsEmpty":        {items(false), nil},
		"E6_AnItemIsNull":      {items(false, "null"), nil},
		"E6_QuantityNegative":  {items(false, item("si_1", monthly, `"quantity": -5,`)), func(s *billing.Subscription) { s.Items = []billing.Item{seats("si_1", "price_team", -5)} }},
		"B6_UnknownStatus":     {`"status": "hibernating",`, func(s *billing.Subscription) { s.Status = "hibernating" }},
		"B6_StatusEmpty":       {`"status": "",`, func(s *billing.Subscription) { s.Status = "" }},
		"E6_CustomerNull":      {`"customer": null,`, func(s *billing.Subscription) { s.CustomerID = "" }},
		"E6_LivemodeWithATest": {`"livemode": true,`, nil},
		"E6_CreatedFarAhead":   {`"created": 4102444800,`, func(s *billing.Subscription) { s.CreatedAt = at(4102444800) }},
		"E6_UnknownMembers":    {`"imagined": {"quantity": "3"}, "object2": [],`, nil},
		"B4_Yearly": {
			items(false, item("si_1", price("price_year", "year", 1, "licensed"), `"quantity": 5,`), item("si_2", price("price_quarter", "month", 3, "licensed"), `"quantity": 2,`)),
			func(s *billing.Subscription) {
				s.Items = []billing.Item{
					{ID: "si_1", PriceID: "price_year", Interval: "year", IntervalCount: 1, Quantity: 5},
					{ID: "si_2", PriceID: "price_quarter", Interval: "month", IntervalCount: 3, Quantity: 2},
				}
			},
		},
		"B4_Trial": {
			`"status": "trialing", "trial_start": 1709251200, "trial_end": 1710460800,`,
			func(s *billing.Subscription) {
				s.Status, s.TrialStart, s.TrialEnd = "trialing", ptr(1709251200), ptr(1710460800)
			},
		},
		"B8_CancellationSet": {
			`"cancel_at_period_end": true, "cancel_at": 1711929600,`,
			func(s *billing.Subscription) { s.CancelAtPeriodEnd, s.CancelAt = true, ptr(1711929600) },
		},
		"B6_Ended": {
			`"status": "canceled", "ended_at": 1710000000,`,
			func(s *billing.Subscription) { s.Status, s.EndedAt = "canceled", ptr(1710000000) },
		},
		"B13_OurMetadataAlone": {
			`"metadata": {"purser_team": "acme", "crm": "42", "Purser_user": "x", "purser_user": "anna"},`,
			func(s *billing.Subscription) {
				s.Metadata = map[string]string{"purser_team": "acme", "purser_user": "anna"}
			},
		},
		"E6_MetadataThatNoDatabaseTakes": {
			`"metadata": {"purser_team": "a\u0000b\ud800"},`,
			func(s *billing.Subscription) { s.Metadata = map[string]string{"purser_team": "a\uFFFDb\uFFFD"} },
		},
		"E6_MetadataOfOthersOnly": {`"metadata": {"crm": "42"},`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newStripe(t)
			fake.says("GET /v1/subscriptions/sub_1", http.StatusOK, subscription(c.members))
			got, err := fake.client(t).FetchSubscription(t.Context(), "sub_1")
			if err != nil {
				t.Fatal(err)
			}
			if got.Subscription == nil {
				t.Fatal("no subscription")
			}
			same(t, "subscription", *got.Subscription, plain(c.want))
			same(t, "calls", fake.calls(), []string{"GET /v1/subscriptions/sub_1"})
			if _, err := json.Marshal(got.Subscription); err != nil {
				t.Errorf("it can't be stored: %v", err)
			}
		})
	}
}

func TestFetchSubscription(t *testing.T) {
	t.Parallel()

	t.Run("BringsCustomerAndLatestInvoiceInOneCall", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		fake.says("GET /v1/subscriptions/sub_1", http.StatusOK, subscription(`
			"customer": {"id": "cus_1", "object": "customer", "email": "anna@example.com", "metadata": {"purser_user": "anna", "crm": "1"}},
			"latest_invoice": {"id": "in_1", "object": "invoice", "status": "open", "subscription": "sub_1", "customer": "cus_1",
				"created": 1709251200, "lines": {"object": "list", "has_more": false, "data": []}},`))
		got, err := fake.client(t).FetchSubscription(t.Context(), "sub_1")
		if err != nil {
			t.Fatal(err)
		}
		same(t, "subscription", *got.Subscription, plain(nil))
		same(t, "customer", *got.Customer, billing.Customer{ID: "cus_1", Email: "anna@example.com", Metadata: map[string]string{"purser_user": "anna"}})
		same(t, "invoices", got.Invoices, []billing.Invoice{
			{ID: "in_1", Status: "open", SubscriptionID: "sub_1", CustomerID: "cus_1", CreatedAt: at(1709251200)},
		})
		asked := fake.asked()
		same(t, "calls", len(asked), 1)
		same(t, "expanded", []string{asked[0].query.Get("expand[0]"), asked[0].query.Get("expand[1]")}, []string{"customer", "latest_invoice"})
		same(t, "version", asked[0].header.Get("Stripe-Version"), "2023-10-16")
	})

	t.Run("E6_DeletedCustomerIsSaidToBe", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		fake.says("GET /v1/subscriptions/sub_1", http.StatusOK, subscription(`"customer": {"id": "cus_1", "object": "customer", "deleted": true},`))
		got, err := fake.client(t).FetchSubscription(t.Context(), "sub_1")
		if err != nil {
			t.Fatal(err)
		}
		same(t, "customer", *got.Customer, billing.Customer{ID: "cus_1", Deleted: true})
		same(t, "customer id", got.Subscription.CustomerID, "cus_1")
	})

	t.Run("AnIdIsNoPart", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		fake.says("GET /v1/subscriptions/sub_1", http.StatusOK, subscription(`"latest_invoice": "in_1",`))
		got, err := fake.client(t).FetchSubscription(t.Context(), "sub_1")
		if err != nil {
			t.Fatal(err)
		}
		if got.Customer != nil || got.Invoices != nil {
			t.Errorf("made %+v, %+v of ids", got.Customer, got.Invoices)
		}
	})

	t.Run("B2_ItemsBeyondTheEmbeddedTenAreListed", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		var all []string
		var want []billing.Item
		for i := range 20 {
			id := fmt.Sprintf("si_%02d", i)
			all = append(all, item(id, price("price_team", "month", 1, "licensed"), `"quantity": 2,`))
			want = append(want, seats(id, "price_team", 2))
		}
		fake.says("GET /v1/subscriptions/sub_1", http.StatusOK, subscription(items(true, all[:10]...)))
		fake.on("GET /v1/subscription_items", func(r request) (int, string) {
			from := 0
			if r.query.Get("starting_after") == "si_12" {
				from = 13
			}
			to := min(len(all), from+13) // a server may give less than was asked for
			return http.StatusOK, fmt.Sprintf(`{"object": "list", "has_more": %t, "data": [%s]}`, to < len(all), strings.Join(all[from:to], ","))
		})
		got, err := fake.client(t).FetchSubscription(t.Context(), "sub_1")
		if err != nil {
			t.Fatal(err)
		}
		same(t, "items", got.Subscription.Items, want)
		asked := fake.asked()[1]
		same(t, "asked for", []string{asked.query.Get("subscription"), asked.query.Get("limit")}, []string{"sub_1", "100"})
	})

	t.Run("E6_WhatCannotBeReadIsAnErrorWithoutTheBody", func(t *testing.T) {
		t.Parallel()
		monthly := price("price_secret", "month", 1, "licensed")
		for name, body := range map[string]string{
			"QuantityFloat":   subscription(items(false, item("si_1", monthly, `"quantity": 3.5,`))),
			"QuantityText":    subscription(items(false, item("si_1", monthly, `"quantity": "3",`))),
			"QuantityHuge":    subscription(items(false, item("si_1", monthly, `"quantity": 1e20,`))),
			"MetadataNumber":  subscription(`"metadata": {"price_secret": 3},`),
			"CreatedFloat":    subscription(`"created": 1.5,`),
			"ItemsIsAList":    subscription(`"items": ["price_secret"],`),
			"Null":            `null`,
			"AList":           `[{"id": "price_secret"}]`,
			"DeeplyNested":    strings.Repeat("[", 20000) + strings.Repeat("]", 20000),
			"NotJSON":         `<html>price_secret</html>`,
			"EndsInTheMiddle": `{"id": "price_secret`,
			"Nothing":         ``,
		} {
			fake := newStripe(t)
			fake.says("GET /v1/subscriptions/sub_1", http.StatusOK, body)
			_, err := fake.client(t).FetchSubscription(t.Context(), "sub_1")
			if err == nil {
				t.Errorf("%s: no error", name)
				continue
			}
			if errors.Is(err, billing.ErrStripeGone) || strings.Contains(err.Error(), "price_secret") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})

	t.Run("AnEmptyIdAsksNobody", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		for _, id := range []string{"", ".", ".."} {
			if _, err := fake.client(t).FetchSubscription(t.Context(), id); err == nil {
				t.Errorf("%q was fetched", id)
			}
		}
		same(t, "calls", fake.calls(), []string(nil))
	})

	t.Run("AnIdStaysInItsPlace", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		_, err := fake.client(t).FetchSubscription(t.Context(), "../customers?limit=1")
		if err == nil {
			t.Error("fetched something")
		}
		same(t, "calls", fake.calls(), []string{"GET /v1/subscriptions/../customers?limit=1"})
	})
}

func TestListSubscriptions(t *testing.T) {
	t.Parallel()
	fake := newStripe(t)
	rename := func(id, members string) string {
		return strings.Replace(subscription(members), `"sub_1"`, fmt.Sprintf("%q", id), 1)
	}
	fake.on("GET /v1/subscriptions", func(r request) (int, string) {
		switch r.query.Get("starting_after") {
		case "":
			return http.StatusOK, `{"has_more": true, "data": [` + rename("sub_8", `"customer": {"id": "cus_8", "object": "customer"},`) + `]}`
		case "sub_8":
			return http.StatusOK, `{"has_more": false, "data": [` + rename("sub_7", items(true)) + `]}`
		}
		return http.StatusBadRequest, fault("unexpected")
	})
	fake.says("GET /v1/subscription_items", http.StatusOK, `{"has_more": false, "data": [`+item("si_1", price("price_team", "month", 1, "licensed"), `"quantity": 2,`)+`]}`)
	client := fake.client(t)
	var ids []string
	err := client.ListSubscriptions(t.Context(), billing.ListIn{}, func(f billing.Fetched) error {
		ids = append(ids, f.Subscription.ID)
		switch f.Subscription.ID {
		case "sub_8":
			same(t, "customer", f.Customer, &billing.Customer{ID: "cus_8"})
		case "sub_7":
			same(t, "items", f.Subscription.Items, []billing.Item{seats("si_1", "price_team", 2)})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "order", ids, []string{"sub_8", "sub_7"})
	asked := fake.asked()[0].query
	same(t, "asked for", []string{asked.Get("status"), asked.Get("limit"), asked.Get("expand[0]")}, []string{"all", "100", "data.customer"})

	stop := errors.New("enough")
	if err := client.ListSubscriptions(t.Context(), billing.ListIn{}, func(billing.Fetched) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v, want the caller's own error", err)
	}
}

func TestListsThatDontGetOnAreErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer string
		calls  int
	}{
		"EmptyButMore": {`{"has_more": true, "data": []}`, 1},
		"TheSameAgain": {`{"has_more": true, "data": [` + subscription("") + `]}`, 2},
		"NoIdToGoOn":   {`{"has_more": true, "data": [{"object": "subscription"}]}`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newStripe(t)
			fake.says("GET /v1/subscriptions", http.StatusOK, c.answer)
			err := fake.client(t).ListSubscriptions(t.Context(), billing.ListIn{}, func(billing.Fetched) error { return nil })
			if err == nil {
				t.Error("no error")
			}
			same(t, "calls", len(fake.calls()), c.calls)
		})
	}
}
