package worker

import (
	"fmt"
	"testing"

	"purser/billing"
)

// TestPaidLong holds that what was paid for a year counts for all of it, however many
// invoices came after it.
func TestPaidLong(t *testing.T) {
	t.Parallel()
	t.Run("B7_AYearIsCoveredHoweverOftenItsSeatsChange", func(t *testing.T) {
		t.Parallel()
		d, team := acme(t, 3)
		w := d.worker()
		d.fake.yearly("sub_1")
		work(t, w, d.event("customer.subscription.created", "sub_1", "cus_1"))
		same(t, "January", figures(d.read(team.BookID)), figures(seatsOf(3)))

		// Each change is billed at once, by an invoice of its own.
		year := d.fake.invoices["sub_1"][0].Lines[0]
		d.now = jan15.AddDate(0, 0, 20)
		for i := range 3 {
			at := d.now
			change := year
			change.Proration, change.From = true, at
			d.fake.invoices["sub_1"] = append(d.fake.invoices["sub_1"], billing.Invoice{
				ID: fmt.Sprint("in_change_", i), SubscriptionID: "sub_1", CustomerID: "cus_1", Status: "paid", CreatedAt: at, PaidAt: &at,
				Lines: []billing.InvoiceLine{change, change},
			})
			work(t, w, d.event("invoice.paid", fmt.Sprint("in_change_", i), "cus_1"))
			if i == 0 {
				d.exec(`
					INSERT INTO invoices (id, subscription_id, customer_id, status, facts, created_at, fetched_at)
					SELECT 'in_before_' || n, subscription_id, customer_id, status, facts || jsonb_build_object('id', 'in_before_' || n),
					       created_at - n * interval '1 minute', fetched_at
					FROM invoices, generate_series(1, 300) n WHERE id = 'in_change_0'`)
			}
		}
		d.now = jan15.AddDate(0, 1, 1)
		settle(t, w)
		same(t, "February", figures(d.read(team.BookID)),
			figures(billing.Pool{Seats: 3, Total: 4500, Monthly: 3000, Rollover: 1500, Available: 4500}))
		d.audit()
	})
}
