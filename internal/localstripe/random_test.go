package localstripe

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/client"
	"pgregory.net/rapid"
)

// life is a random life of a few subscriptions, checked after each step.
type life struct {
	*Server
	api    *client.API
	users  []string
	plans  []string
	subs   []string
	errors int
}

// Twenty-five lives take a moment; -rapid.checks asks for more.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "25"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// TestAnyLife does at random what people and clocks do, and holds the books against each other.
func TestAnyLife(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, err := Start(Config{Start: newYear, Seed: 3})
		if err != nil {
			rt.Fatal(err)
		}
		defer func() {
			if err := s.Close(); err != nil {
				rt.Error(err)
			}
		}()
		l := &life{Server: s, api: plainSDK(s)}
		l.begin(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"subscribe": l.subscribe, "seats": l.seats, "plan": l.plan, "cancel": l.cancel, "card": l.card, "pay": l.pay,
			"void": l.void, "advance": l.advanceClock, "trial": l.trial, "": l.check,
		})
	})
}

func plainSDK(s *Server) *client.API {
	backend := stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
		URL: stripe.String(s.URL()), MaxNetworkRetries: stripe.Int64(0), LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull},
	})
	return client.New(s.Key(), &stripe.Backends{API: backend})
}

func (l *life) begin(t *rapid.T) {
	for i, interval := range []string{"month", "month", "year"} {
		p, err := l.api.Prices.New(&stripe.PriceParams{
			Currency: stripe.String("usd"), UnitAmount: stripe.Int64(int64(997 * (i + 1))),
			ProductData: &stripe.PriceProductDataParams{Name: stripe.String("Plan")}, Recurring: &stripe.PriceRecurringParams{Interval: stripe.String(interval)},
		})
		l.fine(t, err)
		l.plans = append(l.plans, p.ID)
	}
	for range 2 {
		u, err := l.api.Customers.New(&stripe.CustomerParams{PaymentMethod: stripe.String("pm_card_visa"), InvoiceSettings: &stripe.CustomerInvoiceSettingsParams{DefaultPaymentMethod: stripe.String("pm_card_visa")}})
		l.fine(t, err)
		l.users = append(l.users, u.ID)
	}
}

// fine lets refusals pass, of which there are many by design, and nothing else.
func (l *life) fine(t *rapid.T, err error) {
	if err == nil {
		return
	}
	var refused *stripe.Error
	if !errors.As(err, &refused) || refused.HTTPStatusCode >= 500 {
		t.Fatal(err)
	}
	l.errors++
}

func (l *life) one(t *rapid.T) *stripe.Subscription {
	if len(l.subs) == 0 {
		t.Skip("no subscription yet")
	}
	sub, err := l.api.Subscriptions.Get(rapid.SampledFrom(l.subs).Draw(t, "subscription"), nil)
	l.fine(t, err)
	return sub
}

var proration = rapid.SampledFrom([]string{"create_prorations", "always_invoice", "none"})

var paymentBehavior = rapid.SampledFrom([]string{"allow_incomplete", "pending_if_incomplete", "error_if_incomplete"})

func (l *life) subscribe(t *rapid.T) {
	in := &stripe.SubscriptionParams{
		Customer: stripe.String(rapid.SampledFrom(l.users).Draw(t, "customer")),
		Items: []*stripe.SubscriptionItemsParams{{
			Price: stripe.String(rapid.SampledFrom(l.plans).Draw(t, "plan")), Quantity: stripe.Int64(rapid.Int64Range(1, 9).Draw(t, "seats")),
		}},
	}
	if rapid.Bool().Draw(t, "trial") {
		in.TrialPeriodDays = stripe.Int64(rapid.Int64Range(1, 20).Draw(t, "days"))
	}
	sub, err := l.api.Subscriptions.New(in)
	l.fine(t, err)
	if err == nil {
		l.subs = append(l.subs, sub.ID)
	}
}

func (l *life) seats(t *rapid.T) {
	sub := l.one(t)
	_, err := l.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{
		ProrationBehavior: stripe.String(proration.Draw(t, "proration")), PaymentBehavior: stripe.String(paymentBehavior.Draw(t, "payment")),
		Items: []*stripe.SubscriptionItemsParams{{ID: stripe.String(sub.Items.Data[0].ID), Quantity: stripe.Int64(rapid.Int64Range(0, 9).Draw(t, "seats"))}},
	})
	l.fine(t, err)
}

func (l *life) plan(t *rapid.T) {
	sub := l.one(t)
	_, err := l.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{
		ProrationBehavior: stripe.String(proration.Draw(t, "proration")),
		Items:             []*stripe.SubscriptionItemsParams{{ID: stripe.String(sub.Items.Data[0].ID), Price: stripe.String(rapid.SampledFrom(l.plans).Draw(t, "plan"))}},
	})
	l.fine(t, err)
}

func (l *life) trial(t *rapid.T) {
	_, err := l.api.Subscriptions.Update(l.one(t).ID, &stripe.SubscriptionParams{TrialEndNow: stripe.Bool(true)})
	l.fine(t, err)
}

func (l *life) cancel(t *rapid.T) {
	sub := l.one(t)
	var err error
	switch rapid.IntRange(0, 3).Draw(t, "how") {
	case 0:
		_, err = l.api.Subscriptions.Cancel(sub.ID, &stripe.SubscriptionCancelParams{Prorate: stripe.Bool(true), InvoiceNow: stripe.Bool(rapid.Bool().Draw(t, "invoice"))})
	case 1:
		_, err = l.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{CancelAt: stripe.Int64(l.Now().Unix() + rapid.Int64Range(1, 60*86400).Draw(t, "in"))})
	default:
		_, err = l.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{CancelAtPeriodEnd: stripe.Bool(rapid.Bool().Draw(t, "at end"))})
	}
	l.fine(t, err)
}

func (l *life) card(t *rapid.T) {
	user := rapid.SampledFrom(l.users).Draw(t, "customer")
	u, err := l.api.Customers.Get(user, nil)
	l.fine(t, err)
	card := rapid.SampledFrom([]string{"pm_card_visa", "pm_card_chargeCustomerFail", "pm_card_visa_chargeDeclinedLostCard", "pm_card_authenticationRequired"}).Draw(t, "card")
	if err := l.SetCard(u.InvoiceSettings.DefaultPaymentMethod.ID, card); err != nil {
		t.Fatal(err)
	}
}

func (l *life) openInvoice(t *rapid.T) string {
	list := l.api.Invoices.List(&stripe.InvoiceListParams{Status: stripe.String("open")})
	if !list.Next() {
		t.Skip("no open invoice")
	}
	return list.Invoice().ID
}

func (l *life) pay(t *rapid.T) {
	_, err := l.api.Invoices.Pay(l.openInvoice(t), &stripe.InvoicePayParams{PaidOutOfBand: stripe.Bool(rapid.Bool().Draw(t, "out of band"))})
	l.fine(t, err)
}

func (l *life) void(t *rapid.T) {
	_, err := l.api.Invoices.VoidInvoice(l.openInvoice(t), nil)
	l.fine(t, err)
}

func (l *life) advanceClock(t *rapid.T) {
	by := time.Duration(rapid.Int64Range(1, 40*24).Draw(t, "hours")) * time.Hour
	if err := l.Advance(t.Context(), l.Now().Add(by)); err != nil {
		t.Fatal(err)
	}
}

// check holds money, periods and events against each other.
func (l *life) check(t *rapid.T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.checkMoney(t)
	l.checkPeriods(t)
	l.checkTold(t)
}

func (l *life) checkMoney(t *rapid.T) {
	charged, paid := map[string]int64{}, map[string]int64{}
	for _, h := range l.charges.order {
		if h.status == "succeeded" {
			charged[h.intent.customer] += h.amount
		}
	}
	balance := map[string]int64{}
	for _, inv := range l.invoices.order {
		if inv.status == "paid" && !inv.outOfBand {
			paid[inv.customer.id] += inv.paidAmount
		}
		if inv.finalizedAt == 0 {
			continue
		}
		balance[inv.customer.id] += *inv.endingBalance - inv.startingBalance
		if got := inv.total() + inv.startingBalance - *inv.endingBalance; got != inv.due() {
			t.Fatalf("invoice %s: total %d, balance %d to %d, due %d", inv.id, inv.total(), inv.startingBalance, *inv.endingBalance, inv.due())
		}
	}
	for _, u := range l.customers.order {
		if charged[u.id] != paid[u.id] {
			t.Fatalf("%s was charged %d for invoices of %d", u.id, charged[u.id], paid[u.id])
		}
		if balance[u.id] != u.balance {
			t.Fatalf("%s has a balance of %d, its invoices say %d", u.id, u.balance, balance[u.id])
		}
	}
}

func (l *life) checkPeriods(t *rapid.T) {
	now := l.clock.now
	for _, sub := range l.subscriptions.order {
		if sub.over() || sub.status == "incomplete" || sub.status == "paused" {
			continue
		}
		if sub.periodStart > now || sub.periodEnd <= now {
			t.Fatalf("%s (%s) is in %s to %s at %s", sub.id, sub.status, stamp(sub.periodStart), stamp(sub.periodEnd), stamp(now))
		}
		if sub.cancelAtPeriodEnd && sub.cancelAt != sub.periodEnd {
			t.Fatalf("%s ends at %s, its period at %s", sub.id, stamp(sub.cancelAt), stamp(sub.periodEnd))
		}
		if (sub.status == "trialing") != (sub.trialEnd > now) {
			t.Fatalf("%s is %s until %s at %s", sub.id, sub.status, stamp(sub.trialEnd), stamp(now))
		}
	}
}

// checkTold: whoever listened to all events knows everything as it is.
func (l *life) checkTold(t *rapid.T) {
	told := map[any]obj{}
	for _, e := range l.events.order {
		if id := e.object["id"]; id != nil {
			told[id] = e.object
		}
	}
	hold := func(id string, now obj) {
		was := told[id]
		for name := range now {
			if !reflect.DeepEqual(now[name], was[name]) {
				t.Fatalf("%s: %s is %v, but the last event told %v", id, name, now[name], was[name])
			}
		}
	}
	for _, sub := range l.subscriptions.order {
		hold(sub.id, sub.render(l.Server))
	}
	for _, inv := range l.invoices.order {
		if inv.status != "draft" { // a draft's amount_due follows the customer's balance
			hold(inv.id, inv.render(l.Server))
		}
	}
	for _, pi := range l.intents.order {
		hold(pi.id, pi.render(l.Server))
	}
	for _, u := range l.customers.order {
		if now := u.render(l.Server); !reflect.DeepEqual(fmt.Sprint(now["balance"], now["delinquent"]), fmt.Sprint(told[u.id]["balance"], told[u.id]["delinquent"])) {
			t.Fatalf("%s: balance and delinquency were not told", u.id)
		}
	}
}
