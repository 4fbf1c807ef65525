package worker

import (
	"fmt"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/teams"
)

func TestWaiting(t *testing.T) {
	t.Parallel()
	t.Run("B14_EachEventOfAnUnknownCustomerIsListedWithAReason", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t)
		d.fake.sell("sub_1", "cus_1", "team_monthly", 5, jan15)
		w := d.worker()
		ids := []string{
			d.event("customer.subscription.created", "sub_1", "cus_1"), d.event("customer.subscription.updated", "sub_1", "cus_1"),
			d.event("invoice.paid", "in_sub_1_1", "cus_1"),
		}
		for _, id := range ids {
			out := work(t, w, id)
			same(t, "state", out.State, billing.EventUnmatched)
			same(t, "reason", out.Reason, "customer cus_1 is not linked to a user")
		}
		same(t, "listed", d.count(`SELECT count(*) FROM events WHERE state = 'unmatched' AND reason <> ''`), 3)
		same(t, "subscriptions kept", d.count(`SELECT count(*) FROM subscriptions WHERE state = 'unmatched'`), 1)
	})

	t.Run("B14_LinkingWhileAnEventIsBeingKeptUnmatchedLosesNothing", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t)
		d.fake.sell("sub_1", "cus_1", "team_monthly", 5, jan15)
		arrived, release := make(chan struct{}), make(chan struct{})
		var once sync.Once
		w := d.worker(func(c *Config) {
			c.Between = func(point string) {
				if point == "commit" {
					once.Do(func() { close(arrived); <-release })
				}
			}
		})
		done := inBackground(t, w, d.event("customer.subscription.created", "sub_1", "cus_1"))
		<-arrived
		linked := make(chan struct{})
		go func() {
			defer close(linked)
			d.linked("cus_1", "olga")
		}()
		// The link either waits for the event or is through before it.
		d.until("the link waits or is made", func() bool {
			select {
			case <-linked:
				return true
			default:
				return d.count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) > 0
			}
		})
		close(release)
		<-done
		<-linked
		drain(t, w)
		same(t, "events that still wait", d.count(`SELECT count(*) FROM events WHERE state <> 'done'`), 0)
		u := d.knownUser("olga")
		same(t, "B12", figures(d.read(u.BookID)), figures(seatsOf(5)))
	})

	t.Run("B14_ALinkReopensHoweverManyEventsWait", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t)
		d.exec(`
			WITH made AS (INSERT INTO event_ids (id, created_at) SELECT 'evt_many_' || n, $1 FROM generate_series(1, 1500) n RETURNING id)
			INSERT INTO events (id, created_at, received_at, type, object_kind, object_id, customer_id, origin, body, state, reason, settled_at)
			SELECT id, $1, $1, 'customer.subscription.updated', 'subscription', 'sub_1', 'cus_1', 'webhook', '', 'unmatched', 'x', $1 FROM made`, jan15)
		var reopened []billing.EventArgs
		d.inTx(func(tx pgx.Tx) (err error) {
			u, err := teams.EnsureUser(t.Context(), tx, "olga", d.now)
			if err != nil {
				return err
			}
			reopened, err = billing.LinkCustomer(t.Context(), tx, "cus_1", u.ID, u.BookID, "test", d.now)
			return err
		})
		same(t, "jobs", len(reopened), 1500)
		same(t, "events that still wait", d.count(`SELECT count(*) FROM events WHERE state = 'unmatched'`), 0)
	})

	t.Run("B2_AnUnknownPriceIsKeptAndListed_AndEachEventOfIt", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t)
		d.linked("cus_1", "olga")
		d.fake.sell("sub_1", "cus_1", "of_another_product", 5, jan15)
		w := d.worker()
		for _, id := range []string{d.event("customer.subscription.created", "sub_1", "cus_1"), d.event("customer.subscription.updated", "sub_1", "cus_1")} {
			same(t, "state", work(t, w, id).State, billing.EventUnmapped)
		}
		same(t, "subscriptions kept", d.count(`SELECT count(*) FROM subscriptions WHERE state = 'unmapped'`), 1)
	})

	t.Run("B2_APlacedSubscriptionThatSwitchesToAnUnknownPriceIsListed_AndKeepsItsPlace", func(t *testing.T) {
		t.Parallel()
		d, team := acme(t, 5)
		w := d.worker()
		work(t, w, d.event("customer.subscription.created", "sub_1", "cus_1"))
		d.fake.change("sub_1", func(s *billing.Subscription) { s.Items[0].PriceID, s.Items[0].LookupKey = "price_x", "unknown" })
		same(t, "state", work(t, w, d.event("customer.subscription.updated", "sub_1", "cus_1")).State, billing.EventUnmapped)
		same(t, "listed", d.count(`SELECT count(*) FROM subscriptions WHERE state = 'unmapped' AND team_id = 'acme' AND book_id = $1`, team.BookID), 1)
		d.fake.change("sub_1", func(s *billing.Subscription) {
			s.Items[0].PriceID, s.Items[0].LookupKey = "price_team_monthly", "team_monthly"
		})
		same(t, "state", work(t, w, d.event("customer.subscription.updated", "sub_1", "cus_1")).State, billing.EventDone)
		same(t, "placed again where it was", d.count(`SELECT count(*) FROM subscriptions WHERE state = 'placed' AND team_id = 'acme'`), 1)
		drain(t, w)
		same(t, "nothing waits any more", d.count(`SELECT count(*) FROM events WHERE state = 'unmapped'`), 0)
		same(t, "B12", figures(d.read(team.BookID)), figures(seatsOf(5)))
		d.audit()
	})

	t.Run("B2_OfThousandsOfUnknownPricesTheOneThatTheCatalogueLearnsIsFound", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t)
		d.exec(`
			INSERT INTO subscriptions (id, customer_id, status, state, book_id, facts, created_at, fetched_at)
			SELECT 'sub_' || n, 'cus_1', 'active', 'unmapped', 1,
			       jsonb_build_object('id', 'sub_' || n, 'items', jsonb_build_array(jsonb_build_object('price_id', 'price_' || n, 'lookup_key',
			           CASE n WHEN 2500 THEN 'team_monthly' ELSE '' END))), $1, $1
			FROM generate_series(1, 2500) n`, jan15)
		ids, err := billing.UnmappedNow(t.Context(), d.pool, d.catalog)
		ok(t, err)
		same(t, "found", fmt.Sprint(ids), "[sub_2500]")
	})
}

// knownUser gives a user of the desk.
func (d *desk) knownUser(id string) (u teams.User) {
	d.t.Helper()
	u, err := teams.GetUser(d.t.Context(), d.pool, id)
	ok(d.t, err)
	return u
}
