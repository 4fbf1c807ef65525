package localstripe

import (
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"
)

func (w *world) meteredPrice(aggregate string) *stripe.Price {
	w.t.Helper()
	return must(w.api.Prices.New(&stripe.PriceParams{
		Currency: stripe.String("usd"), UnitAmount: stripe.Int64(100), ProductData: &stripe.PriceProductDataParams{Name: stripe.String("Calls")},
		Recurring: &stripe.PriceRecurringParams{
			Interval: stripe.String("month"), UsageType: stripe.String("metered"), AggregateUsage: stripe.String(aggregate),
		},
	}))(w.t)
}

func (w *world) metered(aggregate string) (*stripe.Subscription, string) {
	w.t.Helper()
	sub := must(w.api.Subscriptions.New(&stripe.SubscriptionParams{
		Customer: stripe.String(w.payer("pm_card_visa").ID), Items: []*stripe.SubscriptionItemsParams{{Price: stripe.String(w.meteredPrice(aggregate).ID)}},
	}))(w.t)
	return sub, sub.Items.Data[0].ID
}

// use reports usage at an instant; the empty action is Stripe's default.
func (w *world) use(item, action string, at time.Time, quantity int64) *stripe.UsageRecord {
	w.t.Helper()
	in := &stripe.UsageRecordParams{SubscriptionItem: stripe.String(item), Quantity: stripe.Int64(quantity), Timestamp: stripe.Int64(at.Unix())}
	if action != "" {
		in.Action = stripe.String(action)
	}
	return must(w.api.UsageRecords.New(in))(w.t)
}

func TestUsage(t *testing.T) {
	noon, next := newYear.Add(time.Hour), newYear.Add(time.Hour+time.Second)

	t.Run("OneInstantHasOneRecordThatIsAddedToOrReplaced", func(t *testing.T) {
		w := open(t)
		sub, item := w.metered("sum")
		other, otherItem := w.metered("sum")
		w.advance(newYear.Add(2 * time.Hour))
		first := w.use(item, "", noon, 3)
		same(t, "begun", first.Quantity, 3)
		elsewhere := w.use(otherItem, "", noon, 50)
		same(t, "another item has its own", elsewhere.ID == first.ID, false)
		again := w.use(item, "increment", noon, 4)
		same(t, "the same record", again.ID, first.ID)
		same(t, "added up", again.Quantity, 7)
		later := w.use(item, "set", next, 10)
		same(t, "another instant has its own", later.ID == first.ID, false)
		replaced := w.use(item, "set", noon, 5)
		same(t, "still the same record", replaced.ID, first.ID)
		same(t, "replaced", replaced.Quantity, 5)

		w.advance(newYear.AddDate(0, 1, 0).Add(2 * time.Hour))
		same(t, "billed", w.inv(w.sub(sub.ID).LatestInvoice.ID).Total, (5+10)*100)
		same(t, "the other's bill", w.inv(w.sub(other.ID).LatestInvoice.ID).Total, 50*100)
	})

	t.Run("ThePriceSaysHowRecordsBecomeOneFigure", func(t *testing.T) {
		for aggregate, want := range map[string]int64{"sum": 7 + 2, "max": 7, "last_during_period": 2, "last_ever": 2} {
			w := open(t)
			sub, item := w.metered(aggregate)
			w.advance(newYear.Add(2 * time.Hour))
			w.use(item, "", next, 2) // reported first, used last
			w.use(item, "", noon, 3)
			w.use(item, "", noon, 4)
			w.advance(newYear.AddDate(0, 1, 0).Add(2 * time.Hour))
			same(t, aggregate, w.inv(w.sub(sub.ID).LatestInvoice.ID).Total, want*100)
		}
	})

	t.Run("TheUpcomingInvoiceForetellsIt", func(t *testing.T) {
		w := open(t)
		sub, item := w.metered("sum")
		w.advance(newYear.Add(2 * time.Hour))
		w.use(item, "", noon, 8)
		seen := must(w.api.Invoices.Upcoming(&stripe.InvoiceUpcomingParams{Subscription: stripe.String(sub.ID)}))(t)
		same(t, "foretold", seen.Total, 800)
	})
}
