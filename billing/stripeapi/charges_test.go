package stripeapi_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	sdk "github.com/stripe/stripe-go/v76"

	"purser/billing"
	"purser/internal/localstripe"
)

func charge(members string) string {
	return `{"id": "ch_1", "object": "charge", "amount": 5000, "amount_captured": 5000, "amount_refunded": 1200, "currency": "eur", "created": 1709251200,
		"customer": "cus_1", "invoice": null, "payment_intent": "pi_1", "disputed": false, "metadata": {"crm": "7"}, ` + members + ` "livemode": false}`
}

func listed(each ...string) string {
	return `{"object": "list", "has_more": false, "data": [` + strings.Join(each, ",") + `]}`
}

func refund(id, status string, amount int) string {
	return fmt.Sprintf(`{"id": %q, "object": "refund", "amount": %d, "status": %q, "charge": "ch_1"}`, id, amount, status)
}

func dispute(id, status string, amount int) string {
	return fmt.Sprintf(`{"id": %q, "object": "dispute", "amount": %d, "status": %q, "charge": "ch_1"}`, id, amount, status)
}

func TestFetchChargeMaps(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		members string
		want    func(*billing.Charge)
	}{
		"R1_RefundsOfEveryStatus": {"", nil},
		"P1_OurMetadataOfTheChargeOrOfItsPayment": {
			`"metadata": {"purser_purchase": "top_1"}, "payment_intent": {"id": "pi_1", "object": "payment_intent", "metadata": {"purser_purchase": "top_2", "purser_team": "acme"}},`,
			func(c *billing.Charge) {
				c.Metadata = map[string]string{billing.MetadataPurchase: "top_1", billing.MetadataTeam: "acme"}
			},
		},
		"P2_OurMetadataOfItsInvoice": {
			`"invoice": ` + strings.Replace(invoice(`"subscription": null, "metadata": {"purser_purchase": "top_3"},`), `"subscription": "sub_1",`, "", 1) + `,`,
			func(c *billing.Charge) {
				c.InvoiceID, c.Metadata = "in_1", map[string]string{billing.MetadataPurchase: "top_3"}
				paid := at(1709254800)
				c.Fetched.Invoices = []billing.Invoice{{
					ID: "in_1", CustomerID: "cus_1", Status: "paid", BillingReason: "subscription_cycle", CreatedAt: at(1709251200), PaidAt: &paid,
				}}
			},
		},
		"R3_ALineAtWhatItCost": {
			`"invoice": ` + invoice(lines(false,
				line("il_1", `"discount_amounts": [{"amount": 1000}, {"amount": 500}], "tax_amounts": [{"amount": 700, "inclusive": false}, {"amount": 40, "inclusive": true}],`))) + `,`,
			func(c *billing.Charge) {
				paid := at(1709254800)
				c.InvoiceID = "in_1"
				l := month("il_1")
				l.Amount = 4200
				c.Fetched.Invoices = []billing.Invoice{{
					ID: "in_1", SubscriptionID: "sub_1", CustomerID: "cus_1", Status: "paid", BillingReason: "subscription_cycle", CreatedAt: at(1709251200),
					PaidAt: &paid, Lines: []billing.InvoiceLine{l},
				}}
				c.Lines = []billing.InvoiceLine{l}
			},
		},
		"R2_DisputesWhereItWasDisputed": {`"disputed": true,`, func(c *billing.Charge) {
			c.Disputes = []billing.Dispute{{ID: "dp_2", Amount: 5000, Status: "needs_response"}, {ID: "dp_1", Amount: 300, Status: "warning_closed"}}
		}},
		"E6_WithoutCustomerAndPayment": {`"customer": null, "payment_intent": null, "metadata": null,`, func(c *billing.Charge) {
			c.CustomerID, c.PaymentIntentID = "", ""
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newStripe(t)
			fake.says("GET /v1/charges/ch_1", http.StatusOK, charge(c.members))
			fake.says("GET /v1/refunds", http.StatusOK, listed(refund("re_3", "pending", 200), refund("re_2", "failed", 900), refund("re_1", "succeeded", 1000)))
			fake.says("GET /v1/disputes", http.StatusOK, listed(dispute("dp_2", "needs_response", 5000), dispute("dp_1", "warning_closed", 300)))
			got, err := fake.client(t).FetchCharge(t.Context(), "ch_1")
			if err != nil {
				t.Fatal(err)
			}
			want := billing.Charge{
				ID: "ch_1", PaymentIntentID: "pi_1", CustomerID: "cus_1", Amount: 5000, Currency: "eur", CreatedAt: at(1709251200),
				Refunds: []billing.Refund{{ID: "re_3", Amount: 200, Status: "pending"}, {ID: "re_2", Amount: 900, Status: "failed"}, {ID: "re_1", Amount: 1000, Status: "succeeded"}},
			}
			if c.want != nil {
				c.want(&want)
			}
			same(t, "charge", got, want)
		})
	}
	t.Run("ALostListIsNoChargeWithoutRefunds", func(t *testing.T) {
		t.Parallel()
		for _, missing := range []string{"GET /v1/refunds", "GET /v1/disputes"} {
			fake := newStripe(t)
			fake.says("GET /v1/charges/ch_1", http.StatusOK, charge(`"disputed": true,`))
			fake.says("GET /v1/refunds", http.StatusOK, listed())
			fake.says("GET /v1/disputes", http.StatusOK, listed())
			fake.says(missing, http.StatusInternalServerError, fault(""))
			if got, err := fake.client(t).FetchCharge(t.Context(), "ch_1"); !errors.Is(err, billing.ErrStripeUnavailable) {
				t.Errorf("got %+v, %v", got, err)
			}
		}
	})
}

func TestChargesOfTheLocalStripe(t *testing.T) {
	t.Parallel()
	w := openWorld(t)
	team := w.price(func(p *sdk.PriceParams) { p.LookupKey = sdk.String("team_monthly") })
	customer := w.payer()
	sub := w.subscribe(customer, licensed(team, 5))
	charges := w.api.Charges.List(&sdk.ChargeListParams{Customer: sdk.String(customer)})
	same(t, "a charge", charges.Next(), true)
	id := charges.Charge().ID
	fetch := func() billing.Charge {
		t.Helper()
		c, err := w.ours.FetchCharge(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := fetch()
	same(t, "its subscription", c.Fetched.Subscription.ID, sub.ID)
	same(t, "its customer", c.Fetched.Customer.ID, customer)
	w.wantPaidMonth(c.Fetched.Invoices[0], team, 5, day1, day1.AddDate(0, 1, 0))
	same(t, "R3: what its lines cost", c.Lines[0].Amount, int64(5000))
	same(t, "amount", c.Amount, int64(5000))

	first := must(w.api.Refunds.New(&sdk.RefundParams{Charge: sdk.String(id), Amount: sdk.Int64(1200)}))(t)
	must(w.api.Refunds.New(&sdk.RefundParams{Charge: sdk.String(id), Amount: sdk.Int64(300)}))(t)
	if err := w.FailRefund(first.ID); err != nil {
		t.Fatal(err)
	}
	states := map[string]int64{}
	for _, r := range fetch().Refunds {
		states[r.Status] += r.Amount
	}
	same(t, "refunds", states, map[string]int64{"failed": 1200, "succeeded": 300})
	dp, err := w.OpenDispute(id, localstripe.Dispute{Inquiry: true, Amount: 700})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "disputes", fetch().Disputes, []billing.Dispute{{ID: dp, Amount: 700, Status: "warning_needs_response"}})
}
