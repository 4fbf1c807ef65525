package worker

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/internal/localstripe"
	"purser/teams"
)

// unheard is a Stripe whose events never arrive.
var unheard = localstripe.Faults{Drop: []string{"*"}}

// reconcile compares with Stripe, and gives each difference in a line.
func (w *world) reconcile(in ReconcileIn, change ...func(*Config)) (Reconciled, []string) {
	w.t.Helper()
	var lines []string
	sum, err := w.worker(change...).Reconcile(w.t.Context(), in, func(d billing.Difference) error {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s: %q, at Stripe %q %s", d.Kind, d.TeamID+d.UserID, d.Here, d.Stripe, d.Result)))
		return nil
	})
	ok(w.t, err)
	slices.Sort(lines)
	return sum, lines
}

// agrees holds that nothing differs from Stripe any more, and that the ledger is right.
func (w *world) agrees(waiting int) {
	w.t.Helper()
	sum, lines := w.reconcile(ReconcileIn{})
	if sum.Differences != 0 || sum.Waiting != waiting {
		w.t.Errorf("%d differences are left, and %d wait, not %d:\n%s", sum.Differences, sum.Waiting, waiting, strings.Join(lines, "\n"))
	}
	w.audit()
}

// everything is a fingerprint of all rows of the database.
func (w *world) everything() string {
	w.t.Helper()
	rows, err := w.pool.Query(w.t.Context(), `SELECT relname FROM pg_stat_user_tables WHERE schemaname = 'public' ORDER BY relname`)
	ok(w.t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	ok(w.t, err)
	var all []string
	for _, table := range tables {
		var print string
		name := pgx.Identifier{table}.Sanitize()
		ok(w.t, w.pool.QueryRow(w.t.Context(), `SELECT md5(COALESCE(string_agg(t::text, ',' ORDER BY t::text), '')) FROM `+name+` t`).Scan(&print))
		all = append(all, table+" "+print)
	}
	return strings.Join(all, "\n")
}

// poolOf reads the pool of a team or a user who may have come into being unheard.
func (w *world) poolOf(id string) billing.Pool {
	w.t.Helper()
	if user, err := teams.GetUser(w.t.Context(), w.pool, id); err == nil {
		return w.read(user.BookID)
	}
	team, err := teams.GetTeam(w.t.Context(), w.pool, id)
	ok(w.t, err)
	return w.read(team.BookID)
}

// business is a business that ran before purser did: subscriptions in every state there
// is, by the team that each is meant for, with the pool that it ought to have.
type business struct {
	*world
	want map[string]string
	n    int
}

func (b *business) sell(lookupKey string, seats int, want billing.Pool, more ...string) *sale {
	b.t.Helper()
	b.n++
	team := fmt.Sprintf("team%02d", b.n)
	want.Seats = int64(seats)
	b.want[team] = figures(want)
	if want.Seats == 0 {
		delete(b.want, team)
	}
	return b.subscribe(b.customer("purser_user", fmt.Sprintf("user%02d", b.n)), lookupKey, seats, append(more, "metadata[purser_team]", team)...)
}

func (b *business) wants(team string, want billing.Pool) { b.want[team] = figures(want) }

func (b *business) last() string { return fmt.Sprintf("team%02d", b.n) }

// monthly is what a month of so many credits looks like, untouched.
func monthly(credits int64) billing.Pool {
	return billing.Pool{Total: credits, Monthly: credits, Available: credits}
}

// openBusiness makes thirty subscriptions in three months, of which purser heard nothing.
func openBusiness(t *testing.T) *business {
	t.Helper()
	b := &business{world: newWorld(t), want: map[string]string{}}
	b.stripe.SetDelivery(unheard)
	ok(t, b.stripe.SetDunning(localstripe.Dunning{Retries: []time.Duration{3 * day, 5 * day}, Then: "unpaid"}))
	for seats := 1; seats <= 8; seats++ {
		b.sell("team_monthly", seats, monthly(int64(seats)*1000))
	}
	for seats := 1; seats <= 4; seats++ {
		b.sell("team_yearly", seats, monthly(int64(seats)*1000))
	}
	upgraded := b.sell("business_yearly", 2, monthly(0))
	b.wants(b.last(), billing.Pool{Seats: 6, Total: 12000, Monthly: 12000, Available: 12000})
	over := b.sell("team_monthly", 3, billing.Pool{})
	delete(b.want, b.last())
	pastDue := b.sell("team_monthly", 4, billing.Pool{})
	unpaid := b.sell("business_monthly", 3, billing.Pool{})
	b.advance(20 * day)
	over.cancel()
	upgraded.set("items[0][id]", upgraded.item, "items[0][quantity]", "6", "proration_behavior", "always_invoice")
	b.badCard(unpaid)
	b.advanceTo(jan15.AddDate(0, 2, 20))
	b.badCard(pastDue)
	b.advanceTo(jan15.AddDate(0, 3, 2))
	b.thisMonth()
	return b
}

// thisMonth makes those that are in their first month.
func (b *business) thisMonth() {
	for seats := 1; seats <= 5; seats++ {
		b.sell("business_monthly", seats, monthly(int64(seats)*2000))
	}
	b.sell("team_monthly", 7, billing.Pool{Total: 700, Bonus: 700, Available: 700}, "trial_period_days", "14")
	b.sell("team_monthly", 3, monthly(3000)).set("cancel_at_period_end", "true")
	b.sell("team_monthly", 4, monthly(4000)).seats(9)
	b.wants(b.last(), billing.Pool{Seats: 9, Total: 9000, Monthly: 9000, Available: 9000})
	b.sell("team_monthly", 2, monthly(0)).plan("business_monthly", 2)
	b.wants(b.last(), billing.Pool{Seats: 2, Total: 4000, Monthly: 4000, Available: 4000})
	b.sell("team_monthly", 2, billing.Pool{}, "payment_behavior", "default_incomplete")
	b.wants(b.last(), billing.Pool{})
	canceled := b.sell("team_monthly", 6, billing.Pool{})
	// What has ended takes no team's place: its paid month lies with its owner.
	delete(b.want, b.last())
	b.want["user27"] = figures(monthly(6000))
	b.sell("team_monthly", 5, monthly(5000), "items[1][price]", b.addOn(), "items[1][quantity]", "40")
	b.sell("team_monthly", 5, billing.Pool{}, "collection_method", "send_invoice", "days_until_due", "30")
	b.sell("team_yearly", 5, monthly(5000))
	b.advance(2 * time.Hour)
	canceled.cancel()
}

// badCard lets a subscription's card be refused from now on.
func (b *business) badCard(s *sale) {
	b.t.Helper()
	var methods struct{ Data []struct{ ID string } }
	b.ask(http.MethodGet, "/v1/payment_methods?customer="+s.customer, nil, &methods)
	ok(b.t, b.stripe.SetCard(methods.Data[0].ID, "pm_card_chargeCustomerFail"))
}

// addOn is a price by the month that the catalogue doesn't know.
func (w *world) addOn() string {
	w.t.Helper()
	var made struct{ ID string }
	w.post("/v1/prices", url.Values{
		"product_data[name]": {"Storage"}, "currency": {"usd"}, "unit_amount": {"100"}, "recurring[interval]": {"month"},
	}, &made)
	return made.ID
}

func TestReconcile_E3_FirstStartBesideARunningBusiness(t *testing.T) {
	t.Parallel()
	b := openBusiness(t)
	same(t, "subscriptions at Stripe", b.n, 30)
	before := b.everything()
	sum, lines := b.reconcile(ReconcileIn{})
	same(t, "subscriptions listed", sum.Subscriptions, 30)
	same(t, "differences: all but the one that was over long ago", sum.Differences, 29)
	for _, line := range lines {
		if !strings.HasPrefix(line, "unknown team") || strings.HasPrefix(line, "unknown team14") {
			t.Errorf("found %s", line)
		}
	}
	same(t, "what was written", b.everything(), before)

	sum, lines = b.reconcile(ReconcileIn{Apply: true})
	if sum.Differences != 29 || sum.Mended != 29 || sum.Waiting != 0 {
		t.Errorf("it came to %+v\n%s", sum, strings.Join(lines, "\n"))
	}
	for team, want := range b.want {
		if got := figures(b.poolOf(team)); got != want {
			t.Errorf("%s has\n%s\nand should have\n%s", team, got, want)
		}
	}
	same(t, "customers linked by metadata", b.count(`SELECT count(*) FROM customers WHERE linked_by = 'metadata'`), 29)
	b.agrees(0)
}
