package worker

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
)

// BenchmarkEvents takes events of many subscriptions through inbox and queue, each of them
// a change of seats that has to be fetched and booked, against a Stripe that answers at
// once.
func BenchmarkEvents(b *testing.B) {
	const subs = 200
	d := newDesk(b)
	w := d.worker()
	for i := range subs {
		customer, id := fmt.Sprint("cus_", i), fmt.Sprint("sub_", i)
		d.linked(customer, fmt.Sprint("user_", i))
		d.fake.sell(id, customer, "team_monthly", 5, jan15)
		work(b, w, d.event("customer.subscription.created", id, customer))
	}
	stage, err := NewStager(d.pool, quiet())
	ok(b, err)
	d.fake.gate = func(id string) {
		d.fake.change(id, func(s *billing.Subscription) { s.Items[0].Quantity = 11 - s.Items[0].Quantity })
	}
	_, stop := d.start(func(c *Config) { c.EventWorkers = 20 })
	b.ResetTimer()
	begun := time.Now()
	// In rounds, since what is there before a fetch needs none of its own.
	for staged := 0; staged < b.N; staged += subs {
		d.inTx(func(tx pgx.Tx) error {
			var args []billing.EventArgs
			for i := range min(subs, b.N-staged) {
				event := d.makeEvent("customer.subscription.updated", fmt.Sprint("sub_", i), fmt.Sprint("cus_", i))
				if _, err := billing.RecordEvent(b.Context(), tx, event); err != nil {
					return err
				}
				args = append(args, event.Args())
			}
			return stage.Events(b.Context(), tx, args)
		})
		d.until("all is worked", func() bool { return d.count(`SELECT count(*) FROM events WHERE state = 'received'`) == 0 })
	}
	b.ReportMetric(float64(b.N)/time.Since(begun).Seconds(), "events/s")
	b.StopTimer()
	stop()
	d.audit()
}

// BenchmarkSettleDue turns the month of a thousand books.
func BenchmarkSettleDue(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		d := years(b, 1000)
		w := d.worker()
		b.StartTimer()
		begun := time.Now()
		same(b, "books settled", settle(b, w), 1000)
		b.ReportMetric(1000/time.Since(begun).Seconds(), "books/s")
	}
}
