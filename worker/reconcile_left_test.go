package worker

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"purser/billing"
	"purser/teams"
)

func TestReconcile_B14_AnUnmatchedCustomerWaits_UntilTheMetadataSaysWhose(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stripe.SetDelivery(unheard)
	customer := w.customer()
	w.subscribe(customer, "team_monthly", 5, "metadata[purser_team]", "acme")
	sum, lines := w.reconcile(ReconcileIn{})
	same(t, "differences", sum.Differences, 1)
	same(t, "found", lines[0], `unknown acme: "", at Stripe "active, 5 × team_monthly, 2026-01-15T09:00:00Z to 2026-02-15T09:00:00Z"`)
	sum, lines = w.reconcile(ReconcileIn{Apply: true})
	same(t, "left", sum.Left, 0)
	same(t, "waiting", sum.Waiting, 1)
	same(t, "found", lines[0], `unknown acme: "", at Stripe "active, 5 × team_monthly, 2026-01-15T09:00:00Z to 2026-02-15T09:00:00Z" waits`)
	w.agrees(1)
	_, lines = w.reconcile(ReconcileIn{})
	same(t, "waits", lines[0], `unmatched : "active", at Stripe "active"`)

	w.post("/v1/customers/"+customer, url.Values{"metadata[purser_user]": {"olga"}}, nil)
	_, lines = w.reconcile(ReconcileIn{Apply: true})
	same(t, "found", lines[0], `customer : "nobody's", at Stripe "user olga" mended`)
	same(t, "B12", figures(w.poolOf("acme")), figures(fiveSeats))
	w.agrees(0)
}

func TestReconcile_B14_OneWhoIsLinkedByHandIsTakenIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stripe.SetDelivery(unheard)
	customer := w.customer()
	w.subscribe(customer, "team_monthly", 5, "metadata[purser_team]", "acme")
	w.reconcile(ReconcileIn{Apply: true})
	w.link(customer, "olga")
	_, lines := w.reconcile(ReconcileIn{Apply: true})
	same(t, "found", lines[0], `customer olga: "not taken in", at Stripe "of a customer who is linked" mended`)
	same(t, "B12", figures(w.poolOf("acme")), figures(fiveSeats))
	w.agrees(0)
}

func TestReconcile_B2_AnUnknownPriceWaits_UntilTheCatalogueHasIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stripe.SetDelivery(unheard)
	w.subscribe(w.customer("purser_user", "olga"), "team_monthly", 5, "metadata[purser_team]", "acme", "items[0][price]", w.addOn())
	sum, lines := w.reconcile(ReconcileIn{Apply: true})
	if sum.Left != 0 || sum.Waiting != 1 || !strings.HasSuffix(lines[0], " waits") {
		t.Errorf("%+v\n%s", sum, lines)
	}
	w.agrees(1)
	var price string
	ok(t, w.pool.QueryRow(t.Context(), `SELECT facts->'items'->0->>'price_id' FROM subscriptions WHERE state = 'unmapped'`).Scan(&price))
	known := *w.catalog
	known.Plans = slices.Clone(known.Plans)
	known.Plans[0].Prices = append(slices.Clone(known.Plans[0].Prices), billing.Price{ID: price})
	w.catalog = &known
	_, lines = w.reconcile(ReconcileIn{Apply: true})
	same(t, "found", lines[0], fmt.Sprintf("plan olga: %q, at Stripe %q mended", "no price of it was known", price))
	w.agrees(0)
}

func TestReconcile_E6_ADeletedCustomerKeepsWhatWasPaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, stop := w.start()
	team := w.team("acme", "olga")
	sub := w.subscribe(w.customer("purser_user", "olga"), "team_monthly", 5, "metadata[purser_team]", "acme")
	w.settled()
	stop()
	w.stripe.SetDelivery(unheard)
	w.advance(day)
	w.ask(http.MethodDelete, "/v1/customers/"+sub.customer, nil, nil)
	_, lines := w.reconcile(ReconcileIn{Apply: true})
	if !slices.Contains(lines, `customer acmeolga: "customer `+sub.customer+`", at Stripe "deleted" mended`) ||
		!slices.Contains(lines, `status acmeolga: "active", at Stripe "canceled" mended`) {
		t.Errorf("found\n%s", strings.Join(lines, "\n"))
	}
	same(t, "marked deleted", w.count(`SELECT count(*) FROM customers WHERE deleted_at IS NOT NULL`), 1)
	same(t, "left until the month is over", w.read(team.BookID).Available, 5000)
	w.agrees(0)
}

func TestReconcile_E6_ADeletedCustomerWhomNobodyKnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stripe.SetDelivery(unheard)
	sub := w.subscribe(w.customer("purser_user", "olga"), "team_monthly", 5)
	w.advance(day)
	w.ask(http.MethodDelete, "/v1/customers/"+sub.customer, nil, nil)
	sum, _ := w.reconcile(ReconcileIn{Apply: true})
	same(t, "left", sum.Left, 0)
	w.agrees(0)
}

func TestReconcile_E3_TheKeyOfAnotherAccountEndsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, stop := w.start()
	team := w.team("acme", "olga")
	customer := w.customer("purser_user", "olga")
	w.subscribe(customer, "team_monthly", 5, "metadata[purser_team]", "acme")
	w.settled()
	w.buy("top_1", team.BookID, customer)
	w.settled()
	stop()
	other := newWorld(t)
	before := w.everything()
	sum, lines := w.reconcile(ReconcileIn{Apply: true}, func(c *Config) { c.Stripe = other.api })
	same(t, "found", strings.Join(lines, "\n"), `gone acmeolga: "active", at Stripe "" left`+"\n"+`top_up olga: "paid", at Stripe "" left`)
	same(t, "left", sum.Left, 2)
	same(t, "what was written", w.everything(), before)
	w.audit()
}

func TestReconcile_P4_APaymentForAPurchaseThatIsNotKnownIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stripe.SetDelivery(unheard)
	user := w.user("olga")
	w.buy("top_1", user.BookID, w.customer("purser_user", "olga"))
	w.exec(`DELETE FROM purchases`)
	sum, lines := w.reconcile(ReconcileIn{Apply: true})
	same(t, "left", sum.Left, 1)
	if len(lines) != 1 || !strings.HasPrefix(lines[0], `top_up : "", at Stripe "cs_`) || !strings.HasSuffix(lines[0], `paid 1000 usd" left`) {
		t.Errorf("found %s", lines)
	}
	w.audit()
}

func TestReconcile_E3_OneThatFailsHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	b := openBusiness(t)
	b.exec(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not this one'; END $$`)
	b.exec(`CREATE TRIGGER refuse BEFORE INSERT ON subscriptions FOR EACH ROW WHEN (NEW.facts->'items'->0->>'quantity' = '8') EXECUTE FUNCTION refuse()`)
	sum, lines := b.reconcile(ReconcileIn{Apply: true})
	same(t, "mended", sum.Mended, 28)
	same(t, "left", sum.Left, 1)
	same(t, "failed", strings.Count(strings.Join(lines, "\n"), " failed"), 1)
	b.exec(`DROP TRIGGER refuse ON subscriptions`)
	sum, _ = b.reconcile(ReconcileIn{Apply: true})
	same(t, "mended then", sum.Mended, 1)
	b.agrees(0)
}

func TestReconcile_E3_OnlyATeamOrAUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stripe.SetDelivery(unheard)
	customers := map[string]string{}
	for _, user := range []string{"olga", "ben"} {
		customers[user] = w.customer("purser_user", user)
		w.link(customers[user], user)
		w.team(user+"s", user)
		w.subscribe(customers[user], "team_monthly", 5, "metadata[purser_team]", user+"s")
	}
	w.subscribe(customers["olga"], "solo_monthly", 1, "metadata[purser_team]", "elsewhere")
	for _, c := range []struct {
		in    ReconcileIn
		found int
	}{{ReconcileIn{TeamID: "olgas"}, 1}, {ReconcileIn{UserID: "olga"}, 2}, {ReconcileIn{UserID: "ben"}, 1}, {ReconcileIn{}, 3}} {
		sum, lines := w.reconcile(c.in)
		if sum.Differences != c.found {
			t.Errorf("%+v found %d and should find %d:\n%s", c.in, sum.Differences, c.found, strings.Join(lines, "\n"))
		}
	}
	sum, _ := w.reconcile(ReconcileIn{TeamID: "olgas", Apply: true})
	same(t, "mended", sum.Mended, 1)
	same(t, "kept", w.count(`SELECT count(*) FROM subscriptions`), 1)
	same(t, "B12", figures(w.poolOf("olgas")), figures(fiveSeats))
	_, err := w.worker().Reconcile(t.Context(), ReconcileIn{TeamID: "nobodys"}, nil)
	if !errors.Is(err, teams.ErrTeamUnknown) {
		t.Errorf("a team that isn't there: %v", err)
	}
	w.audit()
}

func TestReconcile_E3_AnAutomaticTopUpThatWasPaidUnheard(t *testing.T) {
	t.Parallel()
	h := newTopped(t)
	h.behaves("pm_card_authenticationRequired")
	h.set()
	h.sweep()
	h.stripe.SetDelivery(unheard)
	h.payHosted(h.purchases()[0].URL)
	same(t, "available, unheard", h.read(h.team.BookID).Available, 0)
	_, lines := h.reconcile(ReconcileIn{Apply: true})
	same(t, "found", strings.Join(lines, "\n"),
		`top_up acmeolga: "open", at Stripe "`+*h.purchases()[0].InvoiceID+` paid 1000 usd" mended`)
	h.wants("reconciled", "ready", 1000, "paid 1000")
	h.agrees(0)
}
