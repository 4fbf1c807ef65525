package worker

import (
	"flag"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"purser/billing"
	"purser/internal/localstripe"
	"purser/teams"
)

// topUpLives is how many lives the walk takes, and lifeSteps how long they are, unless
// -rapid.checks and -rapid.steps ask for more.
const (
	topUpLives = "5"
	lifeSteps  = "15"
)

// TestAutoTopUpWalk lives random lives of a pool that tops itself up: members spend, cards
// are good or bad or want somebody to authenticate, caps and thresholds change, Stripe has
// its troubles, and time passes. After every step: never two purchases in flight, never more
// in a calendar month than the caps that were set in it, credits for what was paid and for
// nothing else, and no charge without a purchase.
func TestAutoTopUpWalk(t *testing.T) {
	h := newTopped(t)
	for name, short := range map[string]string{"rapid.checks": topUpLives, "rapid.steps": lifeSteps} {
		if f := flag.Lookup(name); f.Value.String() == f.DefValue {
			ok(t, flag.Set(name, short))
			t.Cleanup(func() { _ = flag.Set(name, f.DefValue) })
		}
	}
	life := 0
	rapid.Check(t, func(rt *rapid.T) {
		life++
		l := h.newLife(rt, fmt.Sprint("team", life))
		rt.Repeat(map[string]func(*rapid.T){
			"": l.check, "spend": l.spends, "passes": l.passes, "card": l.changesCard, "set": l.sets, "trouble": l.troubles, "pays": l.pays,
		})
		l.ends()
	})
}

// topUpLife is one team's life in the walk.
type topUpLife struct {
	*topped
	rt      *rapid.T
	setting teams.TopUpSetting
	caps    map[string]int64 // the highest cap in credits of each calendar month
	keys    int
	bad     bool // the card declines
}

func (h *topped) newLife(rt *rapid.T, id string) *topUpLife {
	own := *h
	l := &topUpLife{topped: &own, rt: rt, caps: map[string]int64{}}
	owner := id + "-owner"
	l.team = h.world.team(id, owner)
	l.customer = h.world.customer("purser_user", owner)
	h.link(l.customer, owner)
	l.card = l.defaultCard()
	l.setting = teams.TopUpSetting{TeamID: id, On: true, Threshold: 500, Pack: "pack_1000", CreditsMax: 5000, AmountMax: 10_000_000}
	l.store()
	l.settled()
	return l
}

func (l *topUpLife) store() {
	l.inTx(func(tx pgx.Tx) error {
		_, err := teams.SetAutoTopUp(l.t.Context(), tx, l.catalog, l.setting, l.stripe.Now())
		return err
	})
	l.note()
}

// note remembers the highest cap that counted in this month.
func (l *topUpLife) note() {
	month := l.stripe.Now().Format("2006-01")
	l.caps[month] = max(l.caps[month], l.setting.CreditsMax)
}

func (l *topUpLife) spends(rt *rapid.T) {
	available := l.read(l.team.BookID).Available
	if available == 0 {
		rt.Skip("there is nothing to spend")
	}
	l.keys++
	l.spend(l.team.BookID, fmt.Sprint("spend", l.keys), rapid.Int64Range(1, available).Draw(rt, "credits"))
}

func (l *topUpLife) passes(rt *rapid.T) {
	for range rapid.IntRange(1, 4).Draw(rt, "times") {
		l.advance(rapid.SampledFrom([]time.Duration{time.Minute, 20 * time.Minute, time.Hour, 7 * time.Hour, 25 * time.Hour, 9 * day}).Draw(rt, "for"))
		l.note()
		// Sweeps may fail while Stripe has troubles: the next ones come by.
		_, _ = l.worker.SweepPurchases(l.t.Context())
		_, _ = l.worker.SweepTopUps(l.t.Context())
		l.settled()
	}
}

func (l *topUpLife) changesCard(rt *rapid.T) {
	behaves := rapid.SampledFrom([]string{
		"pm_card_visa", "pm_card_visa", "pm_card_chargeDeclined", "pm_card_visa_chargeDeclinedLostCard", "pm_card_authenticationRequired",
	}).Draw(rt, "behaves")
	l.bad = behaves != "pm_card_visa"
	if rapid.Bool().Draw(rt, "another card") {
		var made struct{ ID string }
		l.post("/v1/payment_methods/pm_card_mastercard/attach", url.Values{"customer": {l.customer}}, &made)
		l.post("/v1/customers/"+l.customer, url.Values{"invoice_settings[default_payment_method]": {made.ID}}, nil)
		l.card = made.ID
	}
	l.behaves(behaves)
	l.settled()
}

func (l *topUpLife) sets(rt *rapid.T) {
	l.setting.On = rapid.IntRange(0, 4).Draw(rt, "on") > 0
	l.setting.Threshold = rapid.Int64Range(0, 3000).Draw(rt, "threshold")
	l.setting.CreditsMax = rapid.Int64Range(1000, 9000).Draw(rt, "cap")
	l.store()
}

func (l *topUpLife) troubles(rt *rapid.T) {
	l.stripe.Disturb(localstripe.Trouble{
		Method: "POST", Path: rapid.SampledFrom([]string{"/v1/invoices", "/v1/invoiceitems", "/v1/invoices/"}).Draw(rt, "path"),
		Status: rapid.SampledFrom([]int{0, 500, 429}).Draw(rt, "status"), After: rapid.Bool().Draw(rt, "after"),
		Times: rapid.IntRange(1, 3).Draw(rt, "times"),
	})
}

// pays has somebody authenticate the payment that waits for it.
func (l *topUpLife) pays(rt *rapid.T) {
	s := l.stands()
	if s.State != billing.TopUpAction {
		rt.Skip("nothing waits to be authenticated")
	}
	l.behaves("pm_card_visa")
	l.payHosted(l.purchase(*s.InFlight).URL)
	l.settled()
}

func (l *topUpLife) stands() billing.AutoTopUp {
	s, err := billing.GetAutoTopUp(l.t.Context(), l.pool, l.team.BookID)
	ok(l.t, err)
	return s
}

// check holds what must be so after every step.
func (l *topUpLife) check(rt *rapid.T) {
	var inFlight, paid, posted int64
	ok(l.t, l.pool.QueryRow(l.t.Context(), `
		SELECT count(*) FILTER (WHERE state IN ('created', 'open', 'processing')), COALESCE(sum(credits) FILTER (WHERE state = 'paid'), 0)::bigint,
		       (SELECT COALESCE(sum(credits), 0)::bigint FROM entries WHERE book_id = $1 AND kind = 'grant' AND key LIKE 'topup:%')
		FROM purchases WHERE book_id = $1`, l.team.BookID).Scan(&inFlight, &paid, &posted))
	if inFlight > 1 {
		rt.Fatalf("P2: %d purchases in flight", inFlight)
	}
	if paid != posted {
		rt.Fatalf("P4: paid for %d credits, posted %d", paid, posted)
	}
	rows, err := l.pool.Query(l.t.Context(), `
		SELECT to_char(paid_at AT TIME ZONE 'UTC', 'YYYY-MM'), sum(credits)::bigint FROM purchases
		WHERE book_id = $1 AND state = 'paid' GROUP BY 1`, l.team.BookID)
	ok(l.t, err)
	defer rows.Close()
	for rows.Next() {
		var month string
		var credits int64
		ok(l.t, rows.Scan(&month, &credits))
		if credits > l.caps[month] {
			rt.Fatalf("P3: %d credits bought in %s, and the cap was never above %d", credits, month, l.caps[month])
		}
	}
	ok(l.t, rows.Err())
}

// ends lets all trouble end and a day pass, and holds that Stripe and purser agree to the
// payment, and that an automatic top-up in good order has done its work.
func (l *topUpLife) ends() {
	l.stripe.Soothe()
	l.behaves("pm_card_visa")
	l.setting.On, l.setting.Threshold, l.setting.CreditsMax = true, 0, 1_000_000
	l.store()
	for range 10 {
		l.advance(3 * time.Hour)
		l.sweep()
	}
	l.check(l.rt)
	paid := l.count(`SELECT count(*) FROM purchases WHERE book_id = $1 AND state = 'paid'`, l.team.BookID)
	if n := l.charged(); int64(n) != paid {
		l.rt.Fatalf("P4: %d charges for %d paid purchases", n, paid)
	}
	if s := l.stands(); s.State != billing.TopUpReady || l.read(l.team.BookID).Available == 0 {
		l.rt.Fatalf("P2: with a good card it stands at %+v", s)
	}
	l.audit()
}
