package worker

import (
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/internal/localstripe"
	"purser/teams"
)

func (l *life) changesSeats() {
	if l.sub == nil {
		return
	}
	l.asks("POST", "/v1/subscription_items/"+l.sub.item, "quantity", fmt.Sprint(1+l.chance.IntN(9)),
		"proration_behavior", pick(l, []string{"create_prorations", "always_invoice", "none"}))
}

func (l *life) switches() {
	if l.sub == nil {
		return
	}
	price := pick(l, []string{"team_monthly", "business_monthly", "team_yearly", "business_yearly"})
	l.note("switches to %s", price)
	l.asks("POST", "/v1/subscription_items/"+l.sub.item, "price", l.price(price), "quantity", fmt.Sprint(1+l.chance.IntN(6)),
		"proration_behavior", pick(l, []string{"create_prorations", "always_invoice", "none"}))
}

func (l *life) cancels() {
	if l.sub == nil {
		return
	}
	switch l.chance.IntN(4) {
	case 0:
		l.asks(http.MethodDelete, "/v1/subscriptions/"+l.sub.id)
	case 1:
		l.asks(http.MethodDelete, "/v1/subscriptions/"+l.sub.id, "prorate", "true", "invoice_now", "true")
	case 2:
		l.asks("POST", "/v1/subscriptions/"+l.sub.id, "cancel_at_period_end", "true")
	default:
		l.asks("POST", "/v1/subscriptions/"+l.sub.id, "cancel_at_period_end", "false")
	}
}

func (l *life) changesCard() {
	if l.card == "" {
		var made struct {
			Settings struct {
				Card string `json:"default_payment_method"`
			} `json:"invoice_settings"`
		}
		l.ask(http.MethodGet, "/v1/customers/"+l.customer, nil, &made)
		l.card = made.Settings.Card
	}
	behaves := pick(l, []string{"pm_card_visa", "pm_card_visa", "pm_card_chargeDeclined"})
	l.note("the card is %s", behaves)
	ok(l.t, l.stripe.SetCard(l.card, behaves))
}

func (l *life) paysInvoice() {
	if l.sub != nil {
		l.asks("POST", "/v1/invoices/"+l.invoice(l.sub)+"/pay")
	}
}

func (l *life) packs() {
	l.orders++
	id, book := fmt.Sprint("top_", l.orders), pick(l, []int64{l.team.BookID, l.personal})
	l.note("buys %s for %d", id, book)
	order := l.order(id, book, l.customer)
	l.note("pays: %v", l.stripe.PaySession(l.t.Context(), *order.SessionID, localstripe.Payment{}))
}

// aCharge gives any charge of the customer's that succeeded.
func (l *life) aCharge() (id string, amount int64) {
	var list struct {
		Data []struct {
			ID     string
			Amount int64
			Paid   bool
		}
	}
	l.ask(http.MethodGet, "/v1/charges?limit=100&customer="+l.customer, nil, &list)
	for range 10 {
		if len(list.Data) == 0 {
			break
		}
		if c := pick(l, list.Data); c.Paid {
			return c.ID, c.Amount
		}
	}
	return "", 0
}

func (l *life) refundsSome() {
	charge, amount := l.aCharge()
	if charge == "" {
		return
	}
	n := amount
	if l.chance.IntN(2) == 0 {
		n = 1 + l.chance.Int64N(amount)
	}
	if !l.asks("POST", "/v1/refunds", "charge", charge, "amount", fmt.Sprint(n)) {
		return
	}
	var list struct{ Data []struct{ ID string } }
	l.ask(http.MethodGet, "/v1/refunds?charge="+charge, nil, &list)
	l.refunds = append(l.refunds, list.Data[0].ID)
}

func (l *life) failsRefund() {
	if id, any := taken(l, &l.refunds); any {
		l.note("refund %s fails: %v", id, l.stripe.FailRefund(id))
	}
}

func (l *life) disputesSome() {
	charge, amount := l.aCharge()
	if charge == "" {
		return
	}
	how := localstripe.Dispute{Inquiry: l.chance.IntN(5) == 0}
	if l.chance.IntN(2) == 0 {
		how.Amount = 1 + l.chance.Int64N(amount)
	}
	id, err := l.stripe.OpenDispute(charge, how)
	l.note("dispute of %s: %s %v", charge, id, err)
	if err == nil {
		l.disputes = append(l.disputes, id)
	}
}

func (l *life) endsDispute() {
	if id, any := taken(l, &l.disputes); any {
		how := pick(l, []string{"won", "lost"})
		l.note("dispute %s %s: %v", id, how, l.stripe.CloseDispute(id, how))
	}
}

// pauses stops and resumes the collection of invoices, which changes no status.
func (l *life) pauses() {
	if l.sub == nil {
		return
	}
	behavior := pick(l, []string{"void", "mark_uncollectible", "keep_as_draft", ""})
	if behavior == "" {
		l.asks("POST", "/v1/subscriptions/"+l.sub.id, "pause_collection", "")
		return
	}
	l.asks("POST", "/v1/subscriptions/"+l.sub.id, "pause_collection[behavior]", behavior)
}

// another buys one more subscription, of a plan for one person.
func (l *life) another() {
	if l.others < 2 {
		l.others++
		l.note("subscribes solo too")
		l.subscribe(l.customer, "solo_monthly", 1)
	}
}

// switchesOn lets the pool, or the owner's own account, top itself up.
func (l *life) switchesOn() {
	in := teams.TopUpSetting{
		On: l.chance.IntN(3) > 0, Threshold: l.credits(), Pack: "pack_1000", CreditsMax: 4000, AmountMax: 1_000_000, TeamID: l.team.ID,
	}
	if l.chance.IntN(3) == 0 {
		in.TeamID, in.UserID = "", "olga"
	}
	l.tries(fmt.Sprintf("automatic top-up %v at %d", in.On, in.Threshold), func(tx pgx.Tx) error {
		_, err := teams.SetAutoTopUp(l.t.Context(), tx, l.catalog, in, l.stripe.Now())
		return err
	})
}

// closes ends the team, and begins with another of a like name.
func (l *life) closes() {
	if l.chance.IntN(3) > 0 {
		return
	}
	by := teams.Actor{User: "olga"}
	if !l.tries("closes "+l.team.ID, func(tx pgx.Tx) error {
		told, err := teams.PreviewClose(l.t.Context(), tx, l.catalog, l.team.ID, by, l.stripe.Now())
		if err != nil {
			return err
		}
		_, err = teams.Close(l.t.Context(), tx, l.catalog, teams.CloseIn{TeamID: l.team.ID, By: by, Expires: told.Credits.Ends}, l.stripe.Now())
		return err
	}) {
		return
	}
	l.n++
	l.team = l.world.team(fmt.Sprint("acme", l.n), "olga")
	for _, user := range crew[1:] {
		l.joins(user)
	}
}

func (l *life) leaves() {
	l.tries("unassigns", func(tx pgx.Tx) error {
		_, err := teams.UnassignSubscription(l.t.Context(), tx, l.catalog, l.team.ID, teams.Actor{User: "olga"}, l.stripe.Now())
		return err
	})
}

func (l *life) returns() {
	if l.sub != nil {
		l.tries("assigns", func(tx pgx.Tx) error {
			return teams.AssignSubscription(l.t.Context(), tx, l.catalog, l.team.ID, l.sub.id, teams.Actor{User: "olga"}, l.stripe.Now())
		})
	}
}

// posts changes how events come: at once and in order, or held back and out of order.
func (l *life) posts() {
	if l.chance.IntN(2) == 0 {
		l.stripe.SetDelivery(localstripe.Faults{Hold: []string{pick(l, []string{"customer.subscription*", "invoice*", "charge*", "checkout*"})}, Duplicate: 2})
		l.note("events are held back")
		return
	}
	l.stripe.SetDelivery(localstripe.Faults{})
	l.note("%d events come late, %d again", l.stripe.Release(l.chance.Uint64()|1), l.stripe.Resend(1, l.chance.Uint64()|1))
}

func (l *life) passes() {
	by := pick(l, []time.Duration{20 * time.Minute, 2 * time.Hour, 23 * time.Hour, 3 * day, 9 * day, 20 * day, 33 * day})
	l.late = l.chance.IntN(4) == 0
	l.note("%s pass, late %v", by, l.late)
	l.advance(by)
	l.late = false
}
