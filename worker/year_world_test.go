package worker

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
	"purser/teams"
)

// year is a shop through which a year of a team's life passes.
type year struct {
	*shop
	t    *testing.T
	card string
	sub  *sale
	n    int

	chance   *rand.Rand // nil: everything is heard, once and when it happens
	last     string     // the last event whose delivery was decided on
	late     []string   // events to be told with the next ones
	sweeps   bool       // this month; else everything is compared
	compares bool       // every month

	steps, told, dropped, twice int
	found, mended               int // by sweeping and by comparing
	started                     time.Time
}

// newYear is a team of three, before anything is bought. With a seed one event in five is
// never delivered, one in five twice, and all of them out of order and some late.
func newYear(t *testing.T, seed uint64) *year {
	t.Helper()
	y := &year{shop: newShop(t), t: t, sweeps: true, started: time.Now()}
	if seed != 0 {
		y.chance, y.compares = rand.New(rand.NewPCG(seed, 12)), seed%2 == 0
		y.stripe.SetDelivery(unheard)
	}
	y.link(y.customer, "olga")
	var made struct {
		Invoice_settings struct{ Default_payment_method string } //nolint:revive // as Stripe spells them
	}
	y.ask(http.MethodGet, "/v1/customers/"+y.customer, nil, &made)
	y.card = made.Invoice_settings.Default_payment_method
	for _, user := range []string{"ada", "ben", "cleo"} {
		hash := sha256.Sum256([]byte(user))
		y.inTx(func(tx pgx.Tx) error {
			if _, err := teams.Invite(t.Context(), tx, y.catalog, teams.InviteIn{
				ID: "inv_" + user, TeamID: "acme", Email: user + "@acme.example", Role: teams.Plain, Access: teams.CreditsAccess, Limit: teams.Limit{Kind: teams.LimitNone}, TokenHash: hash[:],
			}, y.stripe.Now()); err != nil {
				return err
			}
			_, err := teams.Accept(t.Context(), tx, y.catalog, hash[:], user, y.stripe.Now())
			return err
		})
	}
	// What Stripe does by itself is told at the moment at which it happens.
	y.stripe.OnAdvance(func(time.Time) { y.hears() })
	return y
}

// hears has delivered what a step brought, works it, and lets the sweeps come by that ask
// for nothing but what is kept here.
func (y *year) hears() {
	y.t.Helper()
	if y.chance != nil {
		y.disturb()
	}
	y.flush()
	for range 3 {
		drain(y.t, y.worker)
		for _, sweep := range []func() (int, error){
			func() (int, error) { return y.worker.SettleDue(y.t.Context()) },
			func() (int, error) { return y.worker.SweepPurchases(y.t.Context()) },
			func() (int, error) { return y.worker.SweepTopUps(y.t.Context()) },
		} {
			_, err := sweep()
			ok(y.t, err)
		}
		if y.chance == nil {
			y.flush()
		}
	}
}

// disturb decides of each new event how it is delivered: never, twice, late; and in any
// order.
func (y *year) disturb() {
	y.t.Helper()
	now, twice := y.late, []string{}
	y.late = nil
	for _, id := range y.fresh() {
		y.told++
		switch fate := y.chance.IntN(10); {
		case fate < 2:
			y.dropped++
		case fate < 4:
			y.twice++
			now, twice = append(now, id), append(twice, id)
		case fate < 6:
			y.late = append(y.late, id)
		default:
			now = append(now, id)
		}
	}
	for _, ids := range [][]string{now, twice} {
		if len(ids) > 0 {
			y.stripe.Resend(1, y.chance.Uint64()|1, ids...)
		}
	}
}

// fresh lists the events that Stripe made since it was asked last.
func (y *year) fresh() (ids []string) {
	y.t.Helper()
	for {
		form := url.Values{"limit": {"100"}}
		if y.last != "" {
			form.Set("ending_before", y.last)
		}
		var list struct {
			Data     []struct{ ID string }
			Has_more bool //nolint:revive // as Stripe spells it
		}
		y.ask(http.MethodGet, "/v1/events?"+form.Encode(), nil, &list)
		for _, e := range slices.Backward(list.Data) {
			ids = append(ids, e.ID)
		}
		if len(list.Data) > 0 {
			y.last = list.Data[0].ID
		}
		if !list.Has_more || len(list.Data) == 0 {
			return ids
		}
	}
}

// catchesUp finds what was never delivered: by sweeping Stripe's event list in one month,
// and by comparing everything with Stripe in the next, or in every one.
func (y *year) catchesUp() {
	y.t.Helper()
	_, err := y.worker.MakePartitions(y.t.Context())
	ok(y.t, err)
	if y.chance == nil {
		return
	}
	if y.sweeps && !y.compares {
		n, err := y.worker.SweepEvents(y.t.Context())
		ok(y.t, err)
		y.found += n
	} else {
		sum, lines := y.reconcile(ReconcileIn{Apply: true})
		if sum.Left != 0 {
			y.t.Errorf("%d differences are left: %v", sum.Left, lines)
		}
		y.mended += sum.Mended
	}
	y.hears()
}

// is holds the pool after a step, and the whole ledger.
func (y *year) is(when string, want billing.Pool) {
	y.t.Helper()
	y.hears()
	y.catchesUp()
	want.Total = want.Monthly + want.Purchased + want.Rollover + want.Bonus
	want.Available = want.Total - want.Used - want.Held - want.Allocated - want.Frozen
	got := y.read(y.team.BookID)
	same(y.t, when, y.words(got), y.words(want))
	y.steps++
	same(y.t, when+": events that wait or failed", y.count(`SELECT count(*) FROM events WHERE state NOT IN ('done', 'ignored')`), 0)
	y.audit()
	if y.t.Failed() {
		y.t.Fatalf("it stops at %s", when)
	}
}

func (y *year) words(p billing.Pool) string {
	return fmt.Sprintf("%s, allocated %d, frozen %d, debt %d", figures(p), p.Allocated, p.Frozen, p.Debt)
}

// month goes to a month's renewal and two hours on, when its invoice was tried.
func (y *year) month(renewal time.Time, sweeps bool) {
	y.t.Helper()
	y.sweeps = sweeps
	y.advanceTo(renewal.Add(2 * time.Hour))
}

func (y *year) key(of string) string { y.n++; return fmt.Sprintf("%s_%d", of, y.n) }

// does is what a member, or the backend for a member, does with credits.
func (y *year) does(op teams.Op, user string, credits int64, change ...func(*teams.SpendIn)) ledger.EntryRef {
	y.t.Helper()
	in := teams.SpendIn{Op: op, TeamID: "acme", UserID: user, Credits: credits, Key: y.key(string(op)), Hash: []byte{1}}
	for _, c := range change {
		c(&in)
	}
	var entry ledger.EntryRef
	y.inTx(func(tx pgx.Tx) error {
		out, err := teams.Spend(y.t.Context(), tx, y.catalog, in, y.stripe.Now())
		if err != nil {
			return fmt.Errorf("%s of %d by %s: %w", op, credits, user, err)
		}
		entry = out.Answer.Entry
		return nil
	})
	return entry
}

func (y *year) spends(user string, credits int64) ledger.EntryRef {
	y.t.Helper()
	return y.does(teams.OpSpend, user, credits)
}

func of(entry ledger.EntryRef) func(*teams.SpendIn) {
	return func(in *teams.SpendIn) { in.Of = entry }
}

// refused holds that a member can't spend so much.
func (y *year) refused(user string, credits int64, code string) {
	y.t.Helper()
	err := pgx.BeginFunc(y.t.Context(), y.pool, func(tx pgx.Tx) error {
		_, err := teams.Spend(y.t.Context(), tx, y.catalog, teams.SpendIn{
			Op: teams.OpSpend, TeamID: "acme", UserID: user, Credits: credits, Key: y.key("refused"), Hash: []byte{1},
		}, y.stripe.Now())
		return err
	})
	var refusal *teams.Refusal
	if !errors.As(err, &refusal) || refusal.Code != code {
		y.t.Errorf("T7: %d for %s: %v, and should be refused with %s", credits, user, err, code)
	}
}

func (y *year) moves(from, to teams.Place, credits int64) {
	y.t.Helper()
	y.inTx(func(tx pgx.Tx) error {
		_, err := teams.Move(y.t.Context(), tx, y.catalog, teams.MoveIn{
			TeamID: "acme", By: teams.Actor{User: "olga"}, From: from, To: to, Credits: credits, Key: y.key("move"), Hash: []byte{1},
		}, y.stripe.Now())
		return err
	})
}

var thePool = teams.Place{Kind: teams.PlacePool}

func member(user string) teams.Place { return teams.Place{Kind: teams.PlaceMember, User: user} }

// portal presses a button of the billing portal.
func (y *year) portal(pairs ...string) {
	y.t.Helper()
	var session struct{ URL string }
	y.post("/v1/billing_portal/sessions", url.Values{"customer": {y.customer}, "return_url": {"https://acme.example"}}, &session)
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	here, err := url.Parse(session.URL)
	ok(y.t, err)
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.PostForm(y.stripe.URL()+here.Path+"/subscriptions/"+y.sub.id, form)
	ok(y.t, err)
	defer res.Body.Close()
	same(y.t, "the portal's answer", res.StatusCode, http.StatusSeeOther)
}

// autoTopUp switches the automatic top-up on, at 500 credits or fewer, or off.
func (y *year) autoTopUp(on bool) {
	y.t.Helper()
	y.inTx(func(tx pgx.Tx) error {
		_, err := teams.SetAutoTopUp(y.t.Context(), tx, y.catalog, teams.TopUpSetting{
			TeamID: "acme", On: on, Threshold: 500, Pack: "pack_1000", CreditsMax: 3000, AmountMax: 3000,
		}, y.stripe.Now())
		return err
	})
}

// automatic gives the automatic purchases, the oldest first.
func (y *year) automatic() (list []billing.Purchase) {
	y.t.Helper()
	rows, err := y.pool.Query(y.t.Context(), `SELECT id FROM purchases WHERE kind = 'auto' ORDER BY created_at`)
	ok(y.t, err)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	ok(y.t, err)
	for _, id := range ids {
		list = append(list, y.purchase(id))
	}
	return list
}

// chargeOf gives the charge of an invoice.
func (y *year) chargeOf(invoice string) string {
	y.t.Helper()
	var inv struct{ Charge string }
	y.ask(http.MethodGet, "/v1/invoices/"+invoice, nil, &inv)
	return inv.Charge
}

// authenticates pays on an invoice's page, as somebody who is there.
func (y *year) authenticates(page string) {
	y.t.Helper()
	res, err := http.PostForm(page, url.Values{"authenticated": {"true"}})
	ok(y.t, err)
	defer res.Body.Close()
	if res.StatusCode >= http.StatusBadRequest {
		y.t.Fatalf("paying at %s: %s", page, res.Status)
	}
}

func (y *year) cardBehaves(as string) { y.t.Helper(); ok(y.t, y.stripe.SetCard(y.card, as)) }
