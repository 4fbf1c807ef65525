package localstripe

import (
	"slices"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v76"
)

func TestSearch(t *testing.T) {
	w := open(t)
	make := func(name, email, team string) string {
		return must(w.api.Customers.New(&stripe.CustomerParams{
			Name: stripe.String(name), Email: stripe.String(email), Metadata: map[string]string{"team": team},
		}))(t).ID
	}
	ada, bob, eve := make("Ada", "ada@example.com", "red"), make("Bob", "bob@example.com", "red"), make("Eve O'Neil", "eve@example.org", "blue")
	gone := make("Gone", "gone@example.com", "red")
	must(w.api.Customers.Del(gone, nil))(t)
	for query, want := range map[string][]string{
		`email:"ada@example.com"`: {ada}, `email:'ADA@example.com'`: {ada}, `name~"o"`: {eve, bob}, `metadata["team"]:"red"`: {bob, ada},
		`metadata['team']:'red' AND name:'Bob'`: {bob}, `metadata["team"]:"red" -name:"Bob"`: {ada}, `name:"Ada" OR name:"Bob"`: {bob, ada},
		`created>=1735732800`: {eve, bob, ada}, `created>1735732800`: nil, `phone:null`: {eve, bob, ada}, `name:"Eve O'Neil"`: {eve},
	} {
		list := w.api.Customers.Search(&stripe.CustomerSearchParams{SearchParams: stripe.SearchParams{Query: query}})
		var got []string
		for list.Next() {
			got = append(got, list.Customer().ID)
		}
		if list.Err() != nil || !slices.Equal(got, want) {
			t.Errorf("%s finds %v (%v), want %v", query, got, list.Err(), want)
		}
	}
	for _, query := range []string{`email`, `email:`, `colour:"red"`, `name:"a" AND email:"b" OR phone:"c"`, strings.Repeat(`name:"a" `, 11), ` `} {
		list := w.api.Customers.Search(&stripe.CustomerSearchParams{SearchParams: stripe.SearchParams{Query: query}})
		same(t, query, list.Next(), false)
		same(t, query, stripeError(t, list.Err()).HTTPStatusCode, 400)
	}
	in := &stripe.CustomerSearchParams{SearchParams: stripe.SearchParams{Query: `metadata["team"]:"red"`, Limit: stripe.Int64(1), Single: true}}
	first := w.api.Customers.Search(in)
	same(t, "a page of one", first.Next(), true)
	same(t, "and more", first.Meta().HasMore, true)
	in.Page = first.Meta().NextPage
	second := w.api.Customers.Search(in)
	same(t, "the next", second.Next(), true)
	same(t, "another", second.Customer().ID == first.Customer().ID, false)
}

func TestTestClockLimits(t *testing.T) {
	w := open(t)
	clock := must(w.api.TestHelpersTestClocks.New(&stripe.TestHelpersTestClockParams{FrozenTime: stripe.Int64(newYear.Unix())}))(t)
	customer := func() (*stripe.Customer, error) {
		return w.api.Customers.New(&stripe.CustomerParams{TestClock: stripe.String(clock.ID)})
	}
	u := must(customer())(t)
	for range 2 {
		must(customer())(t)
	}
	_, err := customer()
	same(t, "a fourth customer", stripeError(t, err).HTTPStatusCode, 400)
	w.giveCard(u.ID, "pm_card_visa")
	p := w.plan(1000, "month", 1)
	for range 3 {
		w.subscribe(u, p, 1)
	}
	_, err = w.api.Subscriptions.New(&stripe.SubscriptionParams{Customer: stripe.String(u.ID), Items: []*stripe.SubscriptionItemsParams{{Price: stripe.String(p.ID)}}})
	same(t, "a fourth subscription", stripeError(t, err).HTTPStatusCode, 400)
	_, err = w.api.TestHelpersTestClocks.Advance(clock.ID, &stripe.TestHelpersTestClockAdvanceParams{FrozenTime: stripe.Int64(newYear.AddDate(0, 2, 1).Unix())})
	same(t, "more than two months", stripeError(t, err).HTTPStatusCode, 400)
	must(w.api.TestHelpersTestClocks.Advance(clock.ID, &stripe.TestHelpersTestClockAdvanceParams{FrozenTime: stripe.Int64(newYear.AddDate(0, 2, 0).Unix())}))(t)
	if err := w.happens("test_helpers.test_clock.ready"); err != nil {
		t.Fatal(err)
	}

	all := w.api.Invoices.List(&stripe.InvoiceListParams{})
	same(t, "not among all invoices", all.Next(), false)
	mine := w.api.Invoices.List(&stripe.InvoiceListParams{Customer: stripe.String(u.ID)})
	same(t, "but among the customer's", mine.Next(), true)
	payments := w.api.PaymentIntents.List(&stripe.PaymentIntentListParams{})
	same(t, "not among all payments", payments.Next(), false)
	charges := w.api.Charges.List(&stripe.ChargeListParams{})
	same(t, "not among all charges", charges.Next(), false)
	subs := w.api.Subscriptions.List(&stripe.SubscriptionListParams{TestClock: stripe.String(clock.ID)})
	same(t, "by its clock", subs.Next(), true)
}
