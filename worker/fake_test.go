package worker

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/internal/pgtest"
	"purser/teams"
)

// fake is a Stripe in memory, for tests in which it matters what happens at which
// moment. What a fetch brings is settled when it begins; a gate may then hold it.
type fake struct {
	billing.Stripe // nil: nobody asks it for anything else
	mu             sync.Mutex
	subs           map[string]billing.Subscription
	invoices       map[string][]billing.Invoice // by subscription, the latest last
	customers      map[string]billing.Customer
	sessions       map[string]billing.CheckoutSession
	charges        map[string]billing.Charge
	bodies         [][]byte // of the event list, the oldest first
	fetches        map[string]int
	fail           error
	gate           func(id string)
}

func newFake() *fake {
	return &fake{
		subs: map[string]billing.Subscription{}, invoices: map[string][]billing.Invoice{}, customers: map[string]billing.Customer{},
		sessions: map[string]billing.CheckoutSession{}, charges: map[string]billing.Charge{}, fetches: map[string]int{},
	}
}

var _ billing.Stripe = (*fake)(nil)

// look reads under the lock, counts the fetch, and then waits at the gate.
func look[T any](f *fake, id string, read func() (T, bool)) (T, error) {
	f.mu.Lock()
	f.fetches[id]++
	found, there := read()
	gate, fail := f.gate, f.fail
	f.mu.Unlock()
	if gate != nil {
		gate(id)
	}
	if fail != nil {
		return found, fail
	}
	if !there {
		return found, fmt.Errorf("fetching %s: %w", id, billing.ErrStripeGone)
	}
	return found, nil
}

func (f *fake) FetchSubscription(_ context.Context, id string) (billing.Fetched, error) {
	return look(f, id, func() (billing.Fetched, bool) {
		s, there := f.subs[id]
		fetched := billing.Fetched{Subscription: &s}
		if list := f.invoices[id]; len(list) > 0 {
			fetched.Invoices = list[len(list)-1:]
		}
		if c, known := f.customers[s.CustomerID]; known {
			fetched.Customer = &c
		}
		return fetched, there
	})
}

func (f *fake) FetchInvoice(_ context.Context, id string) (billing.Fetched, error) {
	return look(f, id, func() (billing.Fetched, bool) {
		for sub, list := range f.invoices {
			for _, i := range list {
				if i.ID == id && sub == "" {
					return billing.Fetched{Invoices: []billing.Invoice{i}}, true
				}
				if i.ID == id {
					s := f.subs[sub]
					return billing.Fetched{Subscription: &s, Invoices: []billing.Invoice{i}}, true
				}
			}
		}
		return billing.Fetched{}, false
	})
}

func (f *fake) FetchCustomer(_ context.Context, id string) (billing.Customer, error) {
	return look(f, id, func() (billing.Customer, bool) { c, there := f.customers[id]; return c, there })
}

func (f *fake) FetchCheckoutSession(_ context.Context, id string) (billing.CheckoutSession, error) {
	return look(f, id, func() (billing.CheckoutSession, bool) { s, there := f.sessions[id]; return s, there })
}

func (f *fake) CreatePortalSession(context.Context, billing.PortalIn) (string, error) {
	return "", fmt.Errorf("the worker opens no portal")
}

func (f *fake) FetchCharge(_ context.Context, id string) (billing.Charge, error) {
	return look(f, id, func() (billing.Charge, bool) { c, there := f.charges[id]; return c, there })
}

func (f *fake) CreateCheckout(_ context.Context, in billing.CheckoutIn) (billing.CheckoutSession, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := billing.CheckoutSession{
		ID: "cs_" + in.PurchaseID, Mode: "payment", Status: "open", PaymentStatus: "unpaid", CustomerID: in.CustomerID,
		Metadata: map[string]string{billing.MetadataPurchase: in.PurchaseID},
	}
	f.sessions[s.ID] = s
	return s, f.fail
}

func (f *fake) EventsSince(_ context.Context, _ time.Time, each func(body []byte) error) error {
	for _, b := range f.bodies {
		if err := each(b); err != nil {
			return err
		}
	}
	return f.fail
}

// change changes a subscription at the fake.
func (f *fake) change(id string, do func(*billing.Subscription)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.subs[id]
	s.Metadata = maps.Clone(s.Metadata)
	items := append([]billing.Item{}, s.Items...)
	s.Items = items
	do(&s)
	f.subs[id] = s
}

func (f *fake) seats(id string, n int64) {
	f.change(id, func(s *billing.Subscription) { s.Items[0].Quantity = n })
}

func (f *fake) fetched(id string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fetches[id]
}

// sell makes a subscription by the month whose first invoice is paid.
func (f *fake) sell(id, customer, lookupKey string, seats int64, from time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	to := billing.AddMonths(from, 1)
	f.subs[id] = billing.Subscription{
		ID: id, CustomerID: customer, Status: billing.StatusActive, PeriodStart: from, PeriodEnd: to, Anchor: from, CreatedAt: from,
		Items: []billing.Item{{ID: "si_" + id, PriceID: "price_" + lookupKey, LookupKey: lookupKey, Interval: "month", IntervalCount: 1, Quantity: seats}},
	}
	f.invoices[id] = append(f.invoices[id], billing.Invoice{
		ID: "in_" + id + "_1", SubscriptionID: id, CustomerID: customer, Status: "paid", CreatedAt: from, PaidAt: &from,
		Lines: []billing.InvoiceLine{{ID: "il_1", PriceID: "price_" + lookupKey, LookupKey: lookupKey, Quantity: seats, Amount: 1, From: from, To: to}},
	})
}

// desk is a database and a clock beside a fake Stripe.
type desk struct {
	*world
	fake *fake
	now  time.Time
	n    int
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	d := &desk{world: &world{t: t, catalog: billing.DemoCatalog()}, fake: newFake(), now: jan15}
	d.url = pgtest.URL(t)
	d.pool = connect(t, d.url)
	_, err := billing.EnsureEventPartitions(t.Context(), d.pool, jan15, 3)
	ok(t, err)
	return d
}

func (d *desk) worker(change ...func(*Config)) *Worker {
	return d.world.worker(append([]func(*Config){d.asFake}, change...)...)
}

func (d *desk) start(change ...func(*Config)) (*Worker, func()) {
	return d.world.start(append([]func(*Config){d.asFake}, change...)...)
}

func (d *desk) asFake(c *Config) { c.Stripe, c.Now = d.fake, func() time.Time { return d.now } }

// event puts an event into the inbox, without a job, and gives its id.
func (d *desk) event(kind, object, customer string) string {
	d.t.Helper()
	event := d.makeEvent(kind, object, customer)
	d.inTx(func(tx pgx.Tx) error {
		recorded, err := billing.RecordEvent(d.t.Context(), tx, event)
		same(d.t, "recorded", recorded, true)
		return err
	})
	return event.ID
}

func (d *desk) makeEvent(kind, object, customer string) billing.Event {
	d.n++
	event, err := billing.ParseEvent(d.body(fmt.Sprintf("evt_%04d", d.n), kind, object, customer))
	ok(d.t, err)
	event.Origin, event.ReceivedAt = billing.FromWebhook, d.now
	return event
}

func (d *desk) body(id, kind, object, customer string) []byte {
	what := "subscription"
	switch {
	case len(kind) > 7 && kind[:8] == "invoice.":
		what = "invoice"
	case len(kind) > 16 && kind[:17] == "checkout.session.":
		what = "checkout.session"
	case kind == "customer.created" || kind == "customer.updated" || kind == "customer.deleted":
		what = "customer"
	}
	return fmt.Appendf(nil, `{"id":%q,"object":"event","api_version":"2023-10-16","created":%d,"livemode":false,"type":%q,
		"data":{"object":{"id":%q,"object":%q,"customer":%q}}}`, id, d.now.Unix(), kind, object, what, customer)
}

// linked makes a user whose customer it is.
func (d *desk) linked(customer, user string) (u teams.User) {
	d.t.Helper()
	d.inTx(func(tx pgx.Tx) (err error) {
		if u, err = teams.EnsureUser(d.t.Context(), tx, user, d.now); err != nil {
			return err
		}
		_, err = billing.LinkCustomer(d.t.Context(), tx, customer, u.ID, u.BookID, "test", d.now)
		return err
	})
	return u
}

func (d *desk) read(book int64) billing.Pool { return d.readAt(book, d.now) }

func (d *desk) teamOf(id, owner string) (team teams.Team) {
	d.t.Helper()
	d.inTx(func(tx pgx.Tx) (err error) {
		team, err = teams.CreateTeam(d.t.Context(), tx, d.catalog, teams.TeamIn{ID: id, OwnerID: owner, Name: id}, d.now)
		return err
	})
	return team
}
