package stripeapi_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"purser/billing"
)

func line(id, members string) string {
	return fmt.Sprintf(`{"id": %q, "object": "line_item", "amount": 5000, "quantity": 5, "proration": false, "unit_amount_excluding_tax": "1000",
		"period": {"start": 1709251200, "end": 1711929600}, "price": {"id": "price_team", "object": "price", "lookup_key": "team"}, %s "type": "subscription"}`, id, members)
}

func lines(hasMore bool, each ...string) string {
	return fmt.Sprintf(`"lines": {"object": "list", "has_more": %t, "data": [%s]},`, hasMore, strings.Join(each, ","))
}

func invoice(members string) string {
	return `{"id": "in_1", "object": "invoice", "status": "paid", "billing_reason": "subscription_cycle", "created": 1709251200,
		"period_start": 1706745600, "period_end": 1706745600, "subscription": "sub_1", "customer": "cus_1",
		"status_transitions": {"paid_at": 1709254800, "finalized_at": 1709254800}, ` + members + ` "livemode": false}`
}

func month(id string) billing.InvoiceLine {
	return billing.InvoiceLine{
		ID: id, PriceID: "price_team", LookupKey: "team", Quantity: 5, Amount: 5000, From: at(1709251200), To: at(1711929600),
	}
}

func TestFetchInvoiceMaps(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		members string
		want    func(*billing.Invoice)
	}{
		"B7_TheLinesTellTheTime": {lines(false, line("il_1", "")), func(i *billing.Invoice) { i.Lines = []billing.InvoiceLine{month("il_1")} }},
		"ProrationsAndCredits": {
			lines(false, line("il_1", `"proration": true, "amount": -2500, "quantity": 3, "unit_amount_excluding_tax": null,`)),
			func(i *billing.Invoice) {
				l := month("il_1")
				l.Proration, l.Amount, l.Quantity = true, -2500, 3
				i.Lines = []billing.InvoiceLine{l}
			},
		},
		"E6_LineWithoutPricePeriodQuantity": {
			lines(false, `{"id": "il_1", "amount": 100, "price": null, "period": null, "quantity": null}`, "null"),
			func(i *billing.Invoice) { i.Lines = []billing.InvoiceLine{{ID: "il_1", Amount: 100}} },
		},
		"E6_LinesMissing": {"", nil},
		"E6_LinesNull":    {`"lines": null,`, nil},
		"Unpaid": {
			`"status": "open", "status_transitions": null, "status_transitions": {"paid_at": null},`,
			func(i *billing.Invoice) { i.Status, i.PaidAt = "open", nil },
		},
		"E6_TransitionsNull":      {`"status": "draft", "status_transitions": null,`, func(i *billing.Invoice) { i.Status, i.PaidAt = "draft", nil }},
		"B7_NothingToPay":         {`"total": 0, "amount_paid": 0,`, nil},
		"ManualOne":               {`"subscription": null, "billing_reason": "manual",`, func(i *billing.Invoice) { i.SubscriptionID, i.BillingReason = "", "manual" }},
		"E6_CustomerNull":         {`"customer": null,`, func(i *billing.Invoice) { i.CustomerID = "" }},
		"E6_UnknownBillingReason": {`"billing_reason": "astrology",`, func(i *billing.Invoice) { i.BillingReason = "astrology" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newStripe(t)
			fake.says("GET /v1/invoices/in_1", http.StatusOK, invoice(c.members))
			got, err := fake.client(t).FetchInvoice(t.Context(), "in_1")
			if err != nil {
				t.Fatal(err)
			}
			want := billing.Invoice{
				ID: "in_1", SubscriptionID: "sub_1", CustomerID: "cus_1", Status: "paid", BillingReason: "subscription_cycle",
				CreatedAt: at(1709251200), PaidAt: ptr(1709254800),
			}
			if c.want != nil {
				c.want(&want)
			}
			same(t, "invoices", got.Invoices, []billing.Invoice{want})
			if got.Subscription != nil || got.Customer != nil {
				t.Errorf("made %+v, %+v of ids", got.Subscription, got.Customer)
			}
		})
	}
}

func TestFetchInvoice(t *testing.T) {
	t.Parallel()

	t.Run("BringsSubscriptionWithItemsAndCustomerInOneCall", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		monthly := item("si_1", price("price_team", "month", 1, "licensed"), `"quantity": 5,`)
		fake.says("GET /v1/invoices/in_1", http.StatusOK, invoice(`"subscription": `+subscription(items(false, monthly))+`,
			"customer": {"id": "cus_1", "object": "customer", "email": null},`+lines(false, line("il_1", ""))))
		got, err := fake.client(t).FetchInvoice(t.Context(), "in_1")
		if err != nil {
			t.Fatal(err)
		}
		same(t, "subscription", *got.Subscription, plain(func(s *billing.Subscription) { s.Items = []billing.Item{seats("si_1", "price_team", 5)} }))
		same(t, "customer", *got.Customer, billing.Customer{ID: "cus_1"})
		same(t, "lines", got.Invoices[0].Lines, []billing.InvoiceLine{month("il_1")})
		same(t, "its subscription", got.Invoices[0].SubscriptionID, "sub_1")
		asked := fake.asked()
		same(t, "calls", len(asked), 1)
		same(t, "expanded", []string{asked[0].query.Get("expand[0]"), asked[0].query.Get("expand[1]")}, []string{"subscription", "customer"})
	})

	t.Run("LinesAndItemsBeyondTheEmbeddedOnesAreListed", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		monthly := price("price_team", "month", 1, "licensed")
		fake.says("GET /v1/invoices/in_1", http.StatusOK, invoice(`"subscription": `+subscription(items(true, item("si_1", monthly, `"quantity": 5,`)))+`,`+lines(true, line("il_1", ""))))
		fake.says("GET /v1/invoices/in_1/lines", http.StatusOK, `{"has_more": false, "data": [`+line("il_2", "")+`,`+line("il_1", "")+`]}`)
		fake.says("GET /v1/subscription_items", http.StatusOK, `{"has_more": false, "data": [`+item("si_1", monthly, `"quantity": 5,`)+`,`+item("si_2", monthly, `"quantity": 3,`)+`]}`)
		got, err := fake.client(t).FetchInvoice(t.Context(), "in_1")
		if err != nil {
			t.Fatal(err)
		}
		same(t, "lines", got.Invoices[0].Lines, []billing.InvoiceLine{month("il_2"), month("il_1")})
		same(t, "items", got.Subscription.Items, []billing.Item{seats("si_1", "price_team", 5), seats("si_2", "price_team", 3)})
	})

	t.Run("ADeletedDraftIsGone", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		fake.says("GET /v1/invoices/in_1", http.StatusOK, `{"id": "in_1", "object": "invoice", "deleted": true}`)
		if _, err := fake.client(t).FetchInvoice(t.Context(), "in_1"); !errors.Is(err, billing.ErrStripeGone) {
			t.Errorf("got %v", err)
		}
	})

	t.Run("ALostPageOfLinesIsNoShorterInvoice", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		fake.says("GET /v1/invoices/in_1", http.StatusOK, invoice(lines(true, line("il_1", ""))))
		fake.says("GET /v1/invoices/in_1/lines", http.StatusInternalServerError, fault(""))
		if got, err := fake.client(t).FetchInvoice(t.Context(), "in_1"); !errors.Is(err, billing.ErrStripeUnavailable) {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}
