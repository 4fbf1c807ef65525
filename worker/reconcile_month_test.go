package worker

import (
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/internal/localstripe"
	"purser/teams"
)

// month is a month at the local Stripe in which everything happens to five teams.
// Purser hears how it began; what it hears of the rest, and when, is for daily to say,
// which is called every day.
func month(t *testing.T, rest localstripe.Faults, daily func(*world)) *world {
	t.Helper()
	w := newWorld(t)
	_, stop := w.start()
	sales := map[string]*sale{}
	for i, name := range []string{"ada", "ben", "cleo", "dan", "eve"} {
		team := w.team(name+"s", name)
		customer := w.customer("purser_user", name)
		sales[name] = w.subscribe(customer, "team_monthly", 3+i, "metadata[purser_team]", name+"s")
		w.settled()
		w.spend(team.BookID, "spend", int64(100*(i+1)))
	}
	stop()
	w.stripe.SetDelivery(rest)
	w.advance(4 * day)
	sales["ada"].seats(8)
	sales["ben"].plan("business_monthly", 4)
	sales["cleo"].cancel()
	sales["dan"].set("cancel_at_period_end", "true")
	w.buy("top_1", w.poolBook("adas"), sales["ada"].customer)
	paid := w.charge(sales["ada"].customer)
	(&business{world: w}).badCard(sales["eve"])
	for end := jan15.AddDate(0, 1, 2); w.stripe.Now().Before(end); daily(w) {
		w.advance(day)
	}
	w.void(sales["eve"])
	w.refund(paid, 300)
	return w
}

func ofTeams(w *world) string {
	var all []string
	for _, team := range []string{"adas", "bens", "cleos", "dans", "eves"} {
		pool := w.poolOf(team)
		all = append(all, team, figures(pool), seriesOf(pool))
	}
	return strings.Join(all, "\n")
}

func nothing(*world) {}

// hearAll works all that Stripe has to tell now, in the order in which it happened.
func (w *world) hearAll() {
	w.t.Helper()
	worker := w.worker()
	ok(w.t, w.api.EventsSince(w.t.Context(), jan15.Add(-day), func(body []byte) error {
		event, err := billing.ParseEvent(body)
		if err != nil {
			return err
		}
		event.Origin, event.ReceivedAt = billing.FromSweep, w.stripe.Now()
		recorded := false
		w.inTx(func(tx pgx.Tx) error {
			recorded, err = billing.RecordEvent(w.t.Context(), tx, event)
			return err
		})
		if recorded {
			work(w.t, worker, event.ID)
		}
		return nil
	}))
	drain(w.t, worker)
}

// void has nobody pay the latest invoice of a subscription any more.
func (w *world) void(s *sale) {
	w.t.Helper()
	var sub struct {
		Latest string `json:"latest_invoice"`
		Status string
	}
	w.ask(http.MethodGet, "/v1/subscriptions/"+s.id, nil, &sub)
	same(w.t, "the subscription whose invoice is to be voided", sub.Status, "past_due")
	w.post("/v1/invoices/"+sub.Latest+"/void", nil, nil)
}

func (w *world) poolBook(team string) int64 {
	w.t.Helper()
	found, err := teams.GetTeam(w.t.Context(), w.pool, team)
	ok(w.t, err)
	return found.BookID
}

func TestReconcile_E3_NothingButTheNightlyComparison(t *testing.T) {
	t.Parallel()
	heard := month(t, localstripe.Faults{}, func(w *world) {
		w.flush()
		drain(t, w.worker())
	})
	heard.flush()
	drain(t, heard.worker())
	heard.agrees(0)
	nightly := func(w *world) {
		_, err := w.worker().ReconcileDue(t.Context())
		ok(t, err)
	}
	deaf := month(t, unheard, nightly)
	nightly(deaf)
	same(t, "the teams", ofTeams(deaf), ofTeams(heard))
	deaf.agrees(0)
}

func TestReconcile_E3_AllThatWasNeverHeard(t *testing.T) {
	t.Parallel()
	late, deaf := month(t, unheard, nothing), month(t, unheard, nothing)
	before := deaf.everything()
	_, lines := deaf.reconcile(ReconcileIn{})
	same(t, "what was written", deaf.everything(), before)
	found := strings.Join(lines, "\n")
	for _, want := range []string{
		`seats adasada: "3", at Stripe "8"`, `plan bensben: "team_monthly", at Stripe "business_monthly"`,
		`status cleoscleo: "active", at Stripe "canceled"`, `status dansdan: "active", at Stripe "canceled"`,
		`period adasada: "2026-01-15T09:00:00Z to 2026-02-15T09:00:00Z", at Stripe "2026-02-15T09:00:00Z to 2026-03-15T09:00:00Z"`,
		`invoice adasada: "", at Stripe "paid"`, `invoice bensben: "", at Stripe "paid"`, `refund olga: "0 given back", at Stripe "300 given back"`,
		`top_up olga: "open", at Stripe "` + *deaf.purchase("top_1").SessionID + ` paid 1000 usd"`,
	} {
		if !strings.Contains(found, want) {
			t.Errorf("it doesn't tell of %s, but of\n%s", want, found)
		}
	}
	sum, mended := deaf.reconcile(ReconcileIn{Apply: true})
	same(t, "mended", sum.Mended, len(lines))
	for i, line := range mended {
		same(t, "what is mended is what was found", line, lines[i]+" mended")
	}
	deaf.agrees(0)

	late.hearAll()
	same(t, "the teams", ofTeams(deaf), ofTeams(late))
	late.agrees(0)
}
