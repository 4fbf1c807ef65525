package worker

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/teams"
)

func TestCustomers(t *testing.T) {
	t.Parallel()
	t.Run("B14_AnUnknownCustomersEventsAreKeptListedAndAppliedOnceItIsLinked", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		team := w.team("acme", "olga")
		w.start()
		customer := w.customer()
		sub := w.subscribe(customer, "team_monthly", 5)
		sub.seats(6)
		w.settled()
		list, err := billing.ListEvents(t.Context(), w.pool, billing.EventFilter{States: []billing.EventState{billing.EventUnmatched}})
		ok(t, err)
		if len(list) < 3 {
			t.Errorf("%d events are listed as unmatched", len(list))
		}
		for _, e := range list {
			same(t, "reason of "+e.Type, e.Reason, "customer "+customer+" is not linked to a user")
		}
		w.link(customer, "olga")
		w.settled()
		same(t, "events that still wait", w.count(`SELECT count(*) FROM events WHERE state = 'unmatched'`), 0)
		same(t, "B13: in the owner's only team", figures(w.read(team.BookID)), figures(seatsOf(6)))
		w.audit()
	})

	t.Run("B14_MetadataOfTheCustomerLinksIt_AlsoWhenItComesLater", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.start()
		customer := w.customer()
		w.subscribe(customer, "team_monthly", 2)
		w.settled()
		w.post("/v1/customers/"+customer, url.Values{"metadata[purser_user]": {"olga"}}, nil)
		w.settled()
		olga := w.user("olga")
		same(t, "B13: on the personal account", figures(w.read(olga.BookID)), figures(seatsOf(2)))
		same(t, "events that still wait", w.count(`SELECT count(*) FROM events WHERE state = 'unmatched'`), 0)
	})

	t.Run("B14_MetadataOfTheSubscriptionLinksItsCustomer", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.start()
		w.subscribe(w.customer(), "team_monthly", 2, "metadata[purser_user]", "olga", "metadata[purser_team]", "acme")
		w.settled()
		team, err := teams.GetTeam(t.Context(), w.pool, "acme")
		ok(t, err)
		same(t, "the team's owner", team.OwnerID, "olga")
		same(t, "B13: in the team that came into being", figures(w.read(team.BookID)), figures(seatsOf(2)))
	})

	t.Run("B14_ACustomerIsNeverTakenFromItsUser", func(t *testing.T) {
		t.Parallel()
		d, team := acme(t, 5)
		w := d.worker()
		work(t, w, d.event("customer.subscription.created", "sub_1", "cus_1"))
		d.fake.customers["cus_1"] = billing.Customer{ID: "cus_1", Metadata: map[string]string{billing.MetadataUser: "mallory"}}
		out := work(t, w, d.event("customer.updated", "cus_1", ""))
		same(t, "state", out.State, billing.EventIgnored)
		same(t, "reason", out.Reason, `the customer names user "mallory", and belongs to user "olga"`)
		same(t, "users", d.count(`SELECT count(*) FROM users`), 1)
		same(t, "B12", figures(d.read(team.BookID)), figures(seatsOf(5)))
	})

	t.Run("B14_ANameThatNoUserCanHaveLeavesItUnmatched", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t)
		d.fake.sell("sub_1", "cus_1", "team_monthly", 5, jan15)
		d.fake.change("sub_1", func(s *billing.Subscription) {
			s.Metadata = map[string]string{billing.MetadataUser: strings.Repeat("x", 201)}
		})
		out := work(t, d.worker(), d.event("customer.subscription.created", "sub_1", "cus_1"))
		same(t, "state", out.State, billing.EventUnmatched)
	})

	t.Run("E6_ADeletedCustomerIsRemembered_AndWhatItBoughtStays", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		team := w.team("acme", "olga")
		w.start()
		customer := w.customer("purser_user", "olga")
		w.subscribe(customer, "team_monthly", 5, "metadata[purser_team]", "acme")
		w.settled()
		w.advance(day)
		w.ask(http.MethodDelete, "/v1/customers/"+customer, nil, nil)
		w.settled()
		same(t, "remembered", w.count(`SELECT count(*) FROM customers WHERE deleted_at IS NOT NULL`), 1)
		same(t, "B6: until the month is over", w.read(team.BookID).Available, 5000)
		same(t, "events that wait or failed", w.count(`SELECT count(*) FROM events WHERE state NOT IN ('done', 'ignored')`), 0)
		w.audit()
	})

	t.Run("E6_EventsOfUnknownTypesAndShapesAreIgnoredWithAReason", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t)
		w := d.worker()
		for _, body := range []string{
			`{"id":"evt_a","object":"event","created":1768467600,"livemode":false,"type":"moon.landed","data":{"object":{"id":"x","object":"moon"}}}`,
			`{"id":"evt_b","object":"event","created":1768467600,"livemode":false,"type":"customer.subscription.updated","data":{"object":null}}`,
			`{"id":"evt_c","object":"event","created":1768467600,"livemode":false,"type":"customer.subscription.updated"}`,
			`{"id":"evt_d","object":"event","created":4102444800,"livemode":false,"type":"invoice.paid","data":{"object":{"id":"in_none","object":"invoice"}}}`,
			`{"id":"evt_e","object":"event","created":1768467600,"livemode":false,"type":"customer.updated","data":{"object":{"id":"cus_none","object":"customer"}}}`,
			`{"id":"evt_f","object":"event","created":1768467600,"livemode":false,"type":"invoice.upcoming","data":{"object":{"object":"invoice"}}}`,
		} {
			event, err := billing.ParseEvent([]byte(body))
			ok(t, err)
			event.Origin, event.ReceivedAt = billing.FromWebhook, d.now
			d.inTx(func(tx pgx.Tx) error { _, err := billing.RecordEvent(t.Context(), tx, event); return err })
			out := work(t, w, event.ID)
			if out.State != billing.EventIgnored || out.Reason == "" {
				t.Errorf("%s: %+v", body, out)
			}
		}
	})
}

func TestPlacing(t *testing.T) {
	t.Parallel()
	place := func(d *desk, sub string) string {
		var team, state string
		ok(d.t, d.pool.QueryRow(d.t.Context(), `SELECT team_id, state FROM subscriptions WHERE id = $1`, sub).Scan(&team, &state))
		return state + " " + team
	}
	arrive := func(d *desk, w *Worker, sub string, change ...func(*billing.Subscription)) {
		d.fake.sell(sub, "cus_1", "team_monthly", 2, d.now)
		for _, c := range change {
			d.fake.change(sub, c)
		}
		work(d.t, w, d.event("customer.subscription.created", sub, "cus_1"))
	}
	names := func(team string) func(*billing.Subscription) {
		return func(s *billing.Subscription) { s.Metadata = map[string]string{billing.MetadataTeam: team} }
	}
	ended := func(s *billing.Subscription) {
		at := s.CreatedAt.Add(day)
		s.Status, s.EndedAt = billing.StatusCanceled, &at
	}
	solo := func(s *billing.Subscription) { s.Items[0].PriceID, s.Items[0].LookupKey = "price_solo", "solo_monthly" }

	t.Run("B13_TheTeamInItsMetadataFirst", func(t *testing.T) {
		t.Parallel()
		d, _ := acme(t, 5)
		d.teamOf("beta", "olga")
		w := d.worker()
		arrive(d, w, "sub_2", names("beta"))
		same(t, "place", place(d, "sub_2"), "placed beta")
	})
	t.Run("B13_NotATeamThatHasOne_NorAnothersTeam", func(t *testing.T) {
		t.Parallel()
		d, _ := acme(t, 5)
		d.linked("cus_2", "pete")
		d.teamOf("petes", "pete")
		w := d.worker()
		arrive(d, w, "sub_2", names("acme"))
		same(t, "place", place(d, "sub_2"), "placed acme")
		arrive(d, w, "sub_3", names("acme"))
		same(t, "place", place(d, "sub_3"), "placed ")
		arrive(d, w, "sub_4", names("petes"))
		same(t, "place", place(d, "sub_4"), "placed ")
	})
	t.Run("B13_ThePlaceOfTheCustomersEndedOne", func(t *testing.T) {
		t.Parallel()
		d, _ := acme(t, 5)
		w := d.worker()
		arrive(d, w, "sub_2", names("acme"))
		d.teamOf("beta", "olga") // T2 has nothing to assign to it
		d.fake.change("sub_2", ended)
		work(t, w, d.event("customer.subscription.deleted", "sub_2", "cus_1"))
		arrive(d, w, "sub_3")
		same(t, "place", place(d, "sub_3"), "placed acme")
	})
	t.Run("B13_TheOwnersOnlyTeamWithoutOne_AlsoBesideOnesThatHave", func(t *testing.T) {
		t.Parallel()
		d, _ := acme(t, 5)
		w := d.worker()
		arrive(d, w, "sub_2")
		same(t, "place of the first", place(d, "sub_2"), "placed acme")
		d.teamOf("beta", "olga")
		arrive(d, w, "sub_3")
		same(t, "place of the second", place(d, "sub_3"), "placed beta")
		arrive(d, w, "sub_4")
		same(t, "place of the third", place(d, "sub_4"), "placed ")
		d.audit()
	})
	t.Run("B13_NoneOfSeveralFreeTeams_AndNoTeamForAPlanWithoutTeams", func(t *testing.T) {
		t.Parallel()
		d, _ := acme(t, 5)
		w := d.worker()
		arrive(d, w, "sub_2", solo)
		same(t, "place of a plan without teams", place(d, "sub_2"), "placed ")
		d.teamOf("beta", "olga")
		arrive(d, w, "sub_3")
		same(t, "place beside two free teams", place(d, "sub_3"), "placed ")
	})
	t.Run("B13_ManyAtOnceForOneFreeTeam", func(t *testing.T) {
		t.Parallel()
		d, _ := acme(t, 5)
		var done []<-chan billing.Outcome
		for _, sub := range []string{"sub_2", "sub_3", "sub_4", "sub_5", "sub_6", "sub_7"} {
			d.fake.sell(sub, "cus_1", "team_monthly", 2, d.now)
			done = append(done, inBackground(t, d.worker(), d.event("customer.subscription.created", sub, "cus_1")))
		}
		for _, one := range done {
			same(t, "state", (<-one).State, billing.EventDone)
		}
		same(t, "in the team", d.count(`SELECT count(*) FROM subscriptions WHERE team_id = 'acme'`), 1)
		same(t, "on the personal account", d.count(`SELECT count(*) FROM subscriptions WHERE team_id = ''`), 5)
		d.audit()
	})
}

func TestMapping(t *testing.T) {
	t.Parallel()
	t.Run("B2_AnUnmappedSubscriptionIsAppliedOnceTheCatalogueKnowsItsPrice", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		team := w.team("acme", "olga")
		var price struct{ ID string }
		w.post("/v1/prices", url.Values{
			"product_data[name]": {"New"}, "lookup_key": {"new_monthly"}, "currency": {"usd"}, "unit_amount": {"700"},
			"recurring[interval]": {"month"},
		}, &price)
		_, stop := w.start()
		w.subscribe(w.customer("purser_user", "olga"), "new_monthly", 3, "metadata[purser_team]", "acme")
		w.settled()
		stop()
		rows, err := billing.ListSubscriptions(t.Context(), w.pool, billing.SubscriptionFilter{State: "unmapped", Limit: 10})
		ok(t, err)
		if len(rows) != 1 || rows[0].Reason != "no price of it is in the catalogue" {
			t.Errorf("listed as unmapped: %+v", rows)
		}
		learned, err := billing.ParseCatalog("plans.yaml", []byte("plans:\n  - {name: new, prices: [{lookup_key: new_monthly}], monthly_credits: 10}\n"))
		ok(t, err)
		w.catalog = learned
		again, _ := w.start()
		_, err = again.SweepUnmapped(t.Context())
		ok(t, err)
		w.until("it is placed", func() bool { return w.count(`SELECT count(*) FROM subscriptions WHERE state = 'placed'`) == 1 })
		w.settled()
		same(t, "B12", figures(w.read(team.BookID)), figures(billing.Pool{Seats: 3, Total: 30, Monthly: 30, Available: 30}))
		same(t, "events that still wait", w.count(`SELECT count(*) FROM events WHERE state = 'unmapped'`), 0)
		w.audit()
	})
}

func TestSweepUnmapped(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.linked("cus_1", "olga")
	d.fake.sell("sub_1", "cus_1", "new_monthly", 5, jan15)
	work(t, d.worker(), d.event("customer.subscription.created", "sub_1", "cus_1"))
	learned, err := billing.ParseCatalog("plans.yaml", []byte("plans:\n  - {name: new, prices: [{lookup_key: new_monthly}], monthly_credits: 10}\n"))
	ok(t, err)
	d.catalog = learned
	w := d.worker()
	for i, want := range []int{1, 0} {
		n, err := w.SweepUnmapped(t.Context())
		ok(t, err)
		same(t, fmt.Sprintf("refreshes staged by sweep %d, nothing being worked", i+1), n, want)
	}
}
