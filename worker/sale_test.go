package worker

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/internal/localstripe"
)

// sale is a subscription at the local Stripe.
type sale struct {
	w        *world
	customer string
	id       string
	item     string
}

// customer makes a customer with a good card.
func (w *world) customer(metadata ...string) string {
	w.t.Helper()
	form := url.Values{"email": {"olga@acme.example"}}
	for i := 0; i < len(metadata); i += 2 {
		form.Set("metadata["+metadata[i]+"]", metadata[i+1])
	}
	var made struct{ ID string }
	w.post("/v1/customers", form, &made)
	customer := made.ID
	w.post("/v1/payment_methods/pm_card_visa/attach", url.Values{"customer": {customer}}, &made)
	w.post("/v1/customers/"+customer, url.Values{"invoice_settings[default_payment_method]": {made.ID}}, nil)
	return customer
}

// subscribe buys seats of a price. More may be pairs of a form's names and values.
func (w *world) subscribe(customer, lookupKey string, seats int, more ...string) *sale {
	w.t.Helper()
	form := url.Values{"customer": {customer}, "items[0][price]": {w.price(lookupKey)}, "items[0][quantity]": {fmt.Sprint(seats)}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	var sub struct {
		ID    string
		Items struct{ Data []struct{ ID string } }
	}
	w.post("/v1/subscriptions", form, &sub)
	return &sale{w: w, customer: customer, id: sub.ID, item: sub.Items.Data[0].ID}
}

func (w *world) price(lookupKey string) string {
	w.t.Helper()
	var list struct{ Data []struct{ ID string } }
	w.ask(http.MethodGet, "/v1/prices?lookup_keys[]="+url.QueryEscape(lookupKey), nil, &list)
	if len(list.Data) != 1 {
		w.t.Fatalf("%d prices with the lookup key %s", len(list.Data), lookupKey)
	}
	return list.Data[0].ID
}

func (s *sale) seats(n int) {
	s.w.t.Helper()
	s.w.post("/v1/subscription_items/"+s.item, url.Values{"quantity": {fmt.Sprint(n)}}, nil)
}

// plan switches the price by hand, as somebody would in the dashboard.
func (s *sale) plan(lookupKey string, seats int, more ...string) {
	s.w.t.Helper()
	form := url.Values{"price": {s.w.price(lookupKey)}, "quantity": {fmt.Sprint(seats)}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	s.w.post("/v1/subscription_items/"+s.item, form, nil)
}

func (s *sale) set(pairs ...string) {
	s.w.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	s.w.post("/v1/subscriptions/"+s.id, form, nil)
}

func (s *sale) cancel() {
	s.w.t.Helper()
	s.w.ask(http.MethodDelete, "/v1/subscriptions/"+s.id, nil, nil)
}

// advance moves Stripe's clock, which is everybody's.
func (w *world) advance(by time.Duration) { w.t.Helper(); w.advanceTo(w.stripe.Now().Add(by)) }

func (w *world) advanceTo(to time.Time) {
	w.t.Helper()
	ok(w.t, w.stripe.Advance(w.t.Context(), to))
}

// order writes a purchase and opens its page at Stripe, as the API does.
func (w *world) order(id string, book int64, customer string) billing.Purchase {
	w.t.Helper()
	w.begin(id, book, customer)
	pack, _ := w.catalog.Pack("pack_1000")
	session, err := w.api.CreateCheckout(w.t.Context(), billing.CheckoutIn{
		PurchaseID: id, CustomerID: customer, LookupKey: pack.Price.LookupKey, Quantity: 1,
		SuccessURL: "https://acme.example/thanks", CancelURL: "https://acme.example/credits",
	})
	ok(w.t, err)
	w.inTx(func(tx pgx.Tx) error { return billing.PurchaseOpened(w.t.Context(), tx, id, session) })
	return w.purchase(id)
}

func (w *world) begin(id string, book int64, customer string) billing.Purchase {
	w.t.Helper()
	return w.beginAt(id, book, customer, w.stripe.Now())
}

// beginAt writes a purchase before Stripe hears of it.
func (w *world) beginAt(id string, book int64, customer string, at time.Time) (p billing.Purchase) {
	w.t.Helper()
	pack, found := w.catalog.Pack("pack_1000")
	same(w.t, "the catalogue sells the pack", found, true)
	w.inTx(func(tx pgx.Tx) (err error) {
		p, err = billing.BeginPurchase(w.t.Context(), tx, pack, billing.Purchase{
			ID: id, BookID: book, UserID: "olga", CustomerID: customer, CreatedBy: "olga", CreatedAt: at,
		})
		return err
	})
	return p
}

func (w *world) purchase(id string) billing.Purchase {
	w.t.Helper()
	p, err := billing.GetPurchase(w.t.Context(), w.pool, id)
	ok(w.t, err)
	return p
}

func (w *world) pay(p billing.Purchase) {
	w.t.Helper()
	ok(w.t, w.stripe.PaySession(w.t.Context(), *p.SessionID, localstripe.Payment{}))
}

// buy orders a pack and pays for it.
func (w *world) buy(id string, book int64, customer string) {
	w.t.Helper()
	w.pay(w.order(id, book, customer))
}
