package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
	"purser/teams"
)

// charged is a desk where olga bought a pack of 1,000 for 10.00 for her team, and pays for
// its subscription of 5 seats.
type charged struct {
	*desk
	team     teams.Team
	personal int64
	w        *Worker
}

func newCharged(t *testing.T) *charged {
	t.Helper()
	d, team := acme(t, 5)
	c := &charged{desk: d, team: team, w: d.worker()}
	c.inTx(func(tx pgx.Tx) error {
		u, err := teams.EnsureUser(t.Context(), tx, "olga", d.now)
		c.personal = u.BookID
		return err
	})
	work(t, c.w, d.event("customer.subscription.created", "sub_1", "cus_1"))
	c.buys("top_1", team.BookID)
	return c
}

// buys lets a pack be paid, and makes its charge at the fake.
func (c *charged) buys(id string, book int64) {
	c.t.Helper()
	c.open(id, book)
	s := c.fake.sessions["cs_"+id]
	s.Status, s.PaymentStatus, s.PaidAt, s.Amount, s.Currency, s.PaymentIntentID = "complete", "paid", c.now, 1000, "usd", "pi_"+id
	c.fake.sessions["cs_"+id] = s
	c.fake.charges["ch_"+id] = billing.Charge{ID: "ch_" + id, PaymentIntentID: "pi_" + id, CustomerID: "cus_1", Amount: 1000, Currency: "usd", CreatedAt: c.now}
	work(c.t, c.w, c.event("checkout.session.completed", "cs_"+id, "cus_1"))
}

// change changes a charge at the fake.
func (f *fake) changeCharge(id string, do func(*billing.Charge)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.charges[id]
	do(&c)
	f.charges[id] = c
}

func refunds(amounts ...int64) func(*billing.Charge) {
	return func(c *billing.Charge) {
		c.Refunds = nil
		for i, n := range amounts {
			c.Refunds = append(c.Refunds, billing.Refund{ID: fmt.Sprint("re_", i), Amount: n, Status: "succeeded"})
		}
	}
}

func disputed(status string) func(*billing.Charge) {
	return func(c *billing.Charge) {
		c.Disputes = []billing.Dispute{{ID: "dp_1", Amount: c.Amount, Status: status}}
	}
}

// chargeEvent puts an event of a charge into the inbox.
func (c *charged) chargeEvent(charge string) string {
	c.t.Helper()
	c.n++
	event, err := billing.ParseEvent(fmt.Appendf(nil, `{"id":"evt_%04d","object":"event","api_version":"2023-10-16","created":%d,"livemode":false,
		"type":"charge.refund.updated","data":{"object":{"id":"re_1","object":"refund","charge":%q}}}`, c.n, c.now.Unix(), charge))
	ok(c.t, err)
	event.Origin, event.ReceivedAt = billing.FromWebhook, c.now
	c.inTx(func(tx pgx.Tx) error {
		_, err := billing.RecordEvent(c.t.Context(), tx, event)
		return err
	})
	return event.ID
}

// hears lets an event of a charge be worked.
func (c *charged) hears(charge string, change func(*billing.Charge)) billing.Outcome {
	c.t.Helper()
	c.fake.changeCharge(charge, change)
	return work(c.t, c.w, c.chargeEvent(charge))
}

func (c *charged) look(book int64) string {
	c.t.Helper()
	p := c.read(book)
	return fmt.Sprintf("available %d, allocated %d, frozen %d, debt %d", p.Available, p.Allocated, p.Frozen, p.Debt)
}

func (c *charged) unassign() {
	c.t.Helper()
	c.inTx(func(tx pgx.Tx) error {
		_, err := teams.UnassignSubscription(c.t.Context(), tx, c.catalog, "acme", teams.Actor{User: "olga"}, c.now)
		return err
	})
}

func (c *charged) assign() {
	c.t.Helper()
	c.inTx(func(tx pgx.Tx) error {
		return teams.AssignSubscription(c.t.Context(), tx, c.catalog, "acme", "sub_1", teams.Actor{User: "olga"}, c.now)
	})
}

func (c *charged) spends(book, credits int64) {
	c.t.Helper()
	c.n++
	c.moveAt(book, ledger.Want{Book: book}, c.now, func(b *ledger.Book, at time.Time) (*ledger.Entry, error) {
		main, _ := b.Account(ledger.Main)
		return b.Spend(ledger.Request{Key: fmt.Sprint("spend_", c.n), Actor: "olga", Holder: "olga", At: at},
			ledger.SpendIn{Credits: credits, Payers: []ledger.Payer{ledger.From(main)}})
	})
}

func TestRefundsWhereItLies(t *testing.T) {
	t.Parallel()

	t.Run("T13_UnassignedRefundedAndFailed", func(t *testing.T) {
		t.Parallel()
		c := newCharged(t)
		c.spends(c.team.BookID, 5600) // all of the month, and 600 of the pack
		c.unassign()
		same(t, "T13", c.look(c.personal), "available 400, allocated 0, frozen 0, debt 0")
		out := c.hears("ch_top_1", refunds(700))
		same(t, "reason", out.Reason, "took 400 credits back, 300 credits are owed")
		same(t, "R1: owed where it lives now", c.look(c.personal), "available 0, allocated 0, frozen 0, debt 300")
		same(t, "and not there", c.look(c.team.BookID), "available 0, allocated 0, frozen 0, debt 0")
		c.assign()
		same(t, "T13: debt follows", c.look(c.team.BookID), "available 0, allocated 0, frozen 0, debt 300")
		c.hears("ch_top_1", refunds(200))
		same(t, "failed in part", c.look(c.team.BookID), "available 200, allocated 0, frozen 0, debt 0")
		c.hears("ch_top_1", refunds())
		same(t, "failed", c.look(c.team.BookID), "available 400, allocated 0, frozen 0, debt 0")
		c.audit()
	})

	t.Run("T13_APackAllSpentBeforeItsSubscriptionLeft", func(t *testing.T) {
		t.Parallel()
		c := newCharged(t)
		c.spends(c.team.BookID, 6000)
		c.unassign()
		c.hears("ch_top_1", refunds(1000))
		same(t, "R1", c.look(c.personal), "available 0, allocated 0, frozen 0, debt 1000")
		c.buys("top_2", c.personal)
		same(t, "what enters pays", c.look(c.personal), "available 0, allocated 0, frozen 0, debt 0")
		c.hears("ch_top_1", refunds())
		same(t, "failed", c.look(c.personal), "available 1000, allocated 0, frozen 0, debt 0")
		c.audit()
	})

	t.Run("R1_WhatWasContributedAndAllocated", func(t *testing.T) {
		t.Parallel()
		c := newCharged(t)
		c.buys("top_2", c.personal)
		move := func(in teams.MoveIn) {
			t.Helper()
			c.n++
			in.TeamID, in.By, in.Key = "acme", teams.Actor{User: "olga"}, fmt.Sprint("move_", c.n)
			c.inTx(func(tx pgx.Tx) error {
				_, err := teams.Move(t.Context(), tx, c.catalog, in, c.now)
				return err
			})
		}
		move(teams.MoveIn{From: teams.Place{Kind: teams.PlacePersonal, User: "olga"}, To: teams.Place{Kind: teams.PlacePool}, Credits: 600})
		move(teams.MoveIn{From: teams.Place{Kind: teams.PlacePool}, To: teams.Place{Kind: teams.PlaceMember, User: "olga"}, Credits: 5100})
		same(t, "before", c.look(c.team.BookID), "available 1500, allocated 5100, frozen 0, debt 0")
		c.hears("ch_top_2", disputed("needs_response"))
		same(t, "R2", c.look(c.personal), "available 0, allocated 0, frozen 400, debt 0")
		same(t, "R2: there, too", c.look(c.team.BookID), "available 900, allocated 5100, frozen 600, debt 0")
		same(t, "R2: open here", c.hasOpenDispute(c.personal), true)
		same(t, "R2: and not there", c.hasOpenDispute(c.team.BookID), false)
		c.hears("ch_top_2", disputed("won"))
		same(t, "won", c.look(c.team.BookID), "available 1500, allocated 5100, frozen 0, debt 0")
		c.hears("ch_top_2", refunds(1000))
		same(t, "R1", c.look(c.personal), "available 0, allocated 0, frozen 0, debt 0")
		same(t, "R1: there, too", c.look(c.team.BookID), "available 900, allocated 5100, frozen 0, debt 0")
		c.hears("ch_top_2", refunds(500))
		same(t, "failed in part", c.look(c.personal)+c.look(c.team.BookID),
			"available 0, allocated 0, frozen 0, debt 0available 1400, allocated 5100, frozen 0, debt 0")
		c.hears("ch_top_2", refunds())
		same(t, "failed", c.look(c.personal), "available 400, allocated 0, frozen 0, debt 0")
		same(t, "failed: there, too", c.look(c.team.BookID), "available 1500, allocated 5100, frozen 0, debt 0")
		c.audit()
	})

	t.Run("B3_AnEarlierFetchThatArrivesLateIsDropped", func(t *testing.T) {
		t.Parallel()
		c := newCharged(t)
		c.fake.changeCharge("ch_top_1", refunds(300))
		gate := c.fake.holdNext("ch_top_1")
		first := inBackground(t, c.w, c.chargeEvent("ch_top_1"))
		<-gate.arrived
		other := c.worker()
		c.fake.changeCharge("ch_top_1", refunds(300, 500))
		work(t, other, c.chargeEvent("ch_top_1"))
		same(t, "the later", c.look(c.team.BookID), "available 5200, allocated 0, frozen 0, debt 0")
		close(gate.release)
		same(t, "the earlier", (<-first).Stale, true)
		same(t, "the later one's still", c.look(c.team.BookID), "available 5200, allocated 0, frozen 0, debt 0")
		c.audit()
	})

	t.Run("B3_ABurstNeedsFewFetches", func(t *testing.T) {
		t.Parallel()
		c := newCharged(t)
		c.fake.changeCharge("ch_top_1", refunds(300))
		var events []string
		for range 20 {
			events = append(events, c.chargeEvent("ch_top_1"))
		}
		for _, id := range events {
			work(t, c.w, id)
		}
		same(t, "fetches", c.fake.fetched("ch_top_1"), 1)
		same(t, "R1", c.look(c.team.BookID), "available 5700, allocated 0, frozen 0, debt 0")
	})

	t.Run("R2_EachMonthOfADisputedYearIsFrozenAsItIsGranted", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t)
		d.linked("cus_1", "olga")
		team := d.teamOf("acme", "olga")
		d.fake.sell("sub_1", "cus_1", "team_yearly", 2, jan15)
		year := jan15.AddDate(1, 0, 0)
		d.fake.change("sub_1", func(s *billing.Subscription) { s.Items[0].Interval, s.PeriodEnd = "year", year })
		d.fake.invoices["sub_1"][0].Lines[0].To = year
		c := &charged{desk: d, team: team, w: d.worker()}
		work(t, c.w, d.event("customer.subscription.created", "sub_1", "cus_1"))
		fetched, err := d.fake.FetchInvoice(t.Context(), "in_sub_1_1")
		ok(t, err)
		lines := fetched.Invoices[0].Lines
		d.fake.charges["ch_1"] = billing.Charge{
			ID: "ch_1", CustomerID: "cus_1", InvoiceID: "in_sub_1_1", Amount: 1, Currency: "usd", CreatedAt: jan15, Fetched: fetched, Lines: lines,
		}
		c.hears("ch_1", disputed("needs_response"))
		same(t, "R2", c.look(team.BookID), "available 0, allocated 0, frozen 2000, debt 0")
		d.now = jan15.AddDate(0, 1, 2)
		settle(t, c.w)
		same(t, "a month later", c.look(team.BookID), "available 2000, allocated 0, frozen 2000, debt 0")
		n, err := c.w.SweepPurchases(t.Context())
		ok(t, err)
		same(t, "looked at", n, 1)
		same(t, "R2: swept", c.look(team.BookID), "available 0, allocated 0, frozen 4000, debt 0")
		n, err = c.w.SweepPurchases(t.Context())
		ok(t, err)
		same(t, "looked at again", n, 0)
		c.hears("ch_1", disputed("won"))
		same(t, "won", c.look(team.BookID), "available 3000, allocated 0, frozen 0, debt 0") // 1,000 roll by the plan's cap
		c.audit()
	})

	t.Run("R3_WhatIsNotGrantedYetWaits", func(t *testing.T) {
		t.Parallel()
		d, team := acme(t, 5)
		d.now = jan15.Add(-time.Hour) // our clock is far behind Stripe's
		c := &charged{desk: d, team: team, w: d.worker()}
		work(t, c.w, d.event("customer.subscription.created", "sub_1", "cus_1"))
		fetched, err := d.fake.FetchInvoice(t.Context(), "in_sub_1_1")
		ok(t, err)
		d.fake.charges["ch_1"] = billing.Charge{
			ID: "ch_1", CustomerID: "cus_1", InvoiceID: "in_sub_1_1", Amount: 1, CreatedAt: jan15, Fetched: fetched, Lines: fetched.Invoices[0].Lines,
		}
		out := c.hears("ch_1", refunds(1))
		same(t, "reason", out.Reason, "waits: what it paid for isn't granted yet")
		d.now = jan15.Add(time.Hour)
		settle(t, c.w)
		_, err = c.w.SweepPurchases(t.Context())
		ok(t, err)
		same(t, "R3", c.look(team.BookID), "available 0, allocated 0, frozen 0, debt 0")
		same(t, "waits", c.count(`SELECT count(*) FROM charges WHERE state <> 'settled'`), 0)
		c.audit()
	})

	t.Run("ANoticeTellsOfTheDebt", func(t *testing.T) {
		t.Parallel()
		c := newCharged(t)
		c.spends(c.team.BookID, 5700)
		c.hears("ch_top_1", refunds(1000))
		same(t, "N1", c.count(`SELECT count(*) FROM notices WHERE kind = 'debt' AND book_id = $1 AND (data->>'credits')::bigint = 700`, c.team.BookID), 1)
	})
}

func TestRefundsRace(t *testing.T) {
	t.Parallel()
	t.Run("L7_RefundsSpendsAndMovesBetweenBooksAtOnce", func(t *testing.T) {
		t.Parallel()
		c := newCharged(t)
		for _, id := range []string{"top_2", "top_3"} {
			c.buys(id, c.team.BookID)
		}
		workers := []*Worker{c.worker(), c.worker(), c.worker()}
		ctx := t.Context()
		var all sync.WaitGroup
		for i := range 30 {
			charge := fmt.Sprint("ch_top_", i%3+1)
			c.fake.changeCharge(charge, refunds(int64(100*(i/3))))
			event, err := billing.GetEvent(ctx, c.pool, c.chargeEvent(charge))
			ok(t, err)
			all.Go(func() { retry(t, func() error { return workOnce(ctx, workers[i%3], event) }) })
		}
		for i := range 6 {
			all.Go(func() {
				retry(t, func() error {
					return pgx.BeginFunc(ctx, c.pool, func(tx pgx.Tx) error {
						if i%2 == 0 {
							_, err := teams.UnassignSubscription(ctx, tx, c.catalog, "acme", teams.Actor{User: "olga"}, c.now)
							return err
						}
						return teams.AssignSubscription(ctx, tx, c.catalog, "acme", "sub_1", teams.Actor{User: "olga"}, c.now)
					})
				})
			})
		}
		all.Wait()
		// Whatever came when: the last word is that 900 of 1,000 are gone of each.
		for i := range 3 {
			work(t, c.w, c.chargeEvent(fmt.Sprint("ch_top_", i+1)))
		}
		same(t, "taken back", c.count(`SELECT sum(taken_back)::bigint FROM purchases`), 2700)
		team, personal := c.read(c.team.BookID), c.read(c.personal)
		same(t, "what is left", team.Available+personal.Available-team.Debt-personal.Debt, 5300)
		c.audit()
	})
}

func workOnce(ctx context.Context, w *Worker, event billing.Event) error {
	_, err := w.workEvent(ctx, event)
	return err
}

// retry tries again what others were in the way of, as the queue or a client would. A
// refusal is an answer.
func retry(t *testing.T, do func() error) {
	for range 100 {
		err := do()
		var refused *teams.Refusal
		switch {
		case err == nil, errors.As(err, &refused):
			return
		case !errors.Is(err, billing.ErrMoved):
			t.Error(err)
			return
		}
	}
	t.Error("it moves for ever")
}
