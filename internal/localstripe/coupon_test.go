package localstripe

import (
	"slices"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"
)

func (w *world) coupon(in *stripe.CouponParams) *stripe.Coupon {
	w.t.Helper()
	return must(w.api.Coupons.New(in))(w.t)
}

func TestCoupon(t *testing.T) {
	t.Run("OnceTakesAPartOfTheFirstInvoiceOnly", func(t *testing.T) {
		w := open(t)
		k := w.coupon(&stripe.CouponParams{PercentOff: stripe.Float64(25), Duration: stripe.String("once")})
		sub := w.subscribe(w.payer("pm_card_visa"), w.plan(1000, "month", 1), 4, func(in *stripe.SubscriptionParams) { in.Coupon = stripe.String(k.ID) })
		inv := w.inv(sub.LatestInvoice.ID)
		same(t, "subtotal", inv.Subtotal, 4000)
		same(t, "total", inv.Total, 3000)
		same(t, "paid", inv.AmountPaid, 3000)
		same(t, "off", inv.TotalDiscountAmounts[0].Amount, 1000)
		same(t, "off the line", inv.Lines.Data[0].DiscountAmounts[0].Amount, 1000)
		same(t, "line amount", inv.Lines.Data[0].Amount, 4000)
		w.advance(newYear.AddDate(0, 1, 0).Add(time.Hour))
		same(t, "next", w.inv(w.sub(sub.ID).LatestInvoice.ID).AmountPaid, 4000)
	})

	t.Run("AllOfItNeedsNoPayment", func(t *testing.T) {
		w := open(t)
		k := w.coupon(&stripe.CouponParams{PercentOff: stripe.Float64(100), Duration: stripe.String("forever")})
		u := must(w.api.Customers.New(&stripe.CustomerParams{Coupon: stripe.String(k.ID)}))(t)
		same(t, "discount", u.Discount.Coupon.ID, k.ID)
		sub := w.subscribe(u, w.plan(1000, "month", 1), 4)
		same(t, "status", sub.Status, stripe.SubscriptionStatusActive)
		inv := w.inv(sub.LatestInvoice.ID)
		same(t, "paid", inv.Paid, true)
		same(t, "due", inv.AmountDue, 0)
		if inv.PaymentIntent != nil {
			t.Error("there is a payment")
		}
	})

	t.Run("RepeatingEndsAndProrationsCarryIt", func(t *testing.T) {
		w := open(t)
		k := w.coupon(&stripe.CouponParams{PercentOff: stripe.Float64(50), Duration: stripe.String("repeating"), DurationInMonths: stripe.Int64(2)})
		sub := w.subscribe(w.payer("pm_card_visa"), w.plan(3100, "month", 1), 4, func(in *stripe.SubscriptionParams) { in.Coupon = stripe.String(k.ID) })
		w.advance(midMonth)
		same(t, "prorated", w.inv(w.setSeats(sub, 6, alwaysInvoice).LatestInvoice.ID).Total, 2*1600/2)
		w.advance(newYear.AddDate(0, 1, 0).Add(time.Hour))
		same(t, "second month", w.inv(w.sub(sub.ID).LatestInvoice.ID).Total, 6*3100/2)
		w.advance(newYear.AddDate(0, 2, 0).Add(time.Hour))
		same(t, "third month", w.inv(w.sub(sub.ID).LatestInvoice.ID).Total, 6*3100)
	})

	t.Run("AnAmountOffACheckout", func(t *testing.T) {
		w := open(t)
		k := w.coupon(&stripe.CouponParams{AmountOff: stripe.Int64(300), Currency: stripe.String("usd"), Duration: stripe.String("once")})
		cs := w.checkout(func(in *stripe.CheckoutSessionParams) {
			in.Discounts = []*stripe.CheckoutSessionDiscountParams{{Coupon: stripe.String(k.ID)}}
		})
		same(t, "subtotal", cs.AmountSubtotal, 1800)
		same(t, "total", cs.AmountTotal, 1500)
		same(t, "off", cs.TotalDetails.AmountDiscount, 300)
	})

	t.Run("ComesAndGoesWithEvents", func(t *testing.T) {
		w := open(t)
		k := w.coupon(&stripe.CouponParams{PercentOff: stripe.Float64(50), Duration: stripe.String("forever")})
		sub := w.subscribe(w.payer("pm_card_visa"), w.plan(1000, "month", 1), 4)
		mark := w.lastEvent()
		must(w.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{Coupon: stripe.String(k.ID)}))(t)
		must(w.api.Subscriptions.DeleteDiscount(sub.ID, nil))(t)
		got := w.kinds(mark)
		same(t, "created", slices.Contains(got, "customer.discount.created"), true)
		same(t, "deleted", slices.Contains(got, "customer.discount.deleted"), true)
		if w.sub(sub.ID).Discount != nil {
			t.Error("the discount is still there")
		}
	})
}
