package billing

import (
	"slices"
	"time"

	"purser/ledger"
)

// AutoTopUp is what somebody switched on for a pool or a personal account (P2), and where
// it stands (P5).
type AutoTopUp struct {
	BookID          int64     `db:"book_id"`
	TeamID          string    `db:"team_id"`
	UserID          string    `db:"user_id"` // of a personal account
	On              bool      `db:"is_on"`
	Threshold       int64     `db:"threshold"`
	Pack            string    `db:"pack"`
	CreditsMax      int64     `db:"credits_max"` // in a calendar month
	AmountMax       int64     `db:"amount_max"`  // in a calendar month, in the currency's smallest unit
	Currency        string    `db:"currency"`
	PaymentMethodID string    `db:"payment_method_id"` // "": the customer's default
	ChangedBy       string    `db:"changed_by"`
	ChangedAt       time.Time `db:"changed_at"`

	State     string     `db:"state"`
	Reason    string     `db:"reason"`
	InFlight  *string    `db:"in_flight"`  // the purchase under way
	Declines  int        `db:"declines"`   // in a row
	SeriesAt  *time.Time `db:"series_at"`  // when the first of them was tried
	TriedWith string     `db:"tried_with"` // the payment method that was declined last
	CheckAt   *time.Time `db:"check_at"`   // when to decide next; nil: when credits run low
}

// The states of an automatic top-up.
const (
	TopUpOff       = "off"
	TopUpReady     = "ready"           // there are credits enough
	TopUpBuying    = "buying"          // a purchase is in flight
	TopUpAction    = "action_required" // it waits for somebody to authenticate
	TopUpRetrying  = "retrying"        // the last one was declined; the next comes later
	TopUpWaiting   = "waiting"         // something has to change first
	TopUpCapped    = "capped"          // what it may buy this month is bought
	TopUpSuspended = "suspended"       // until the card is changed, or it is switched on again
)

// Why an automatic top-up is in its state.
const (
	TopUpDispute      = "dispute_open"
	TopUpPastDue      = "subscription_past_due"
	TopUpUnpaid       = "subscription_unpaid"
	TopUpNotAllowed   = "plan_forbids"  // the plan has no automatic top-ups
	TopUpPackUnsold   = "pack_not_sold" // the plan doesn't sell the pack, or the catalogue has none of that name
	TopUpNoCustomer   = "no_customer"   // there is nobody at Stripe who could pay
	TopUpPriceUnknown = "price_unknown" // Stripe has no such price, or it isn't for one payment
	TopUpCurrency     = "currency_changed"
	TopUpCapCredits   = "credits_cap"
	TopUpCapAmount    = "amount_cap"
	TopUpDeclines     = "declined"     // four times in a row
	TopUpHardDecline  = "hard_decline" // the bank says never to try this card again
	TopUpRefused      = "refused"      // by Stripe: no payment method, say
	TopUpVoided       = "voided"       // somebody voided its invoice at Stripe
	TopUpAuthenticate = "authentication_required"
	TopUpTeamClosed   = "team_closed"
)

// topUpDelays say when the second, third and fourth attempt of a series is made, counted
// from its first (P3). After as many declines as there are attempts it is suspended.
var topUpDelays = []time.Duration{time.Hour, 6 * time.Hour, 24 * time.Hour}

// topUpWaits is how often what it waits for is looked at again.
const topUpWaits = time.Hour

// TopUpIn is everything that decides whether to buy, at one instant.
type TopUpIn struct {
	At        time.Time
	Setting   AutoTopUp
	Available int64
	Debt      int64

	Status   Status // of the subscription that lives there; "": none
	Disputed bool   // a dispute is open
	Rules    TopUpRules
	Pack     *Pack      // nil: the catalogue has none of that name
	Price    *PackPrice // nil: Stripe has no such price
	Customer string     // who would pay; "": nobody
	Month    TopUpMonth
}

// PackPrice is what one pack costs.
type PackPrice struct {
	ID       string
	Amount   int64
	Currency string
}

// TopUpMonth is what was bought automatically in a calendar month: attempts that may
// still succeed, and what was paid in it (P3).
type TopUpMonth struct {
	Credits int64 `db:"credits"`
	Amount  int64 `db:"amount"`
}

// TopUpDecision is what to do now.
type TopUpDecision struct {
	State   string // TopUpBuying: buy
	Reason  string
	Packs   int64      // to buy
	CheckAt *time.Time // when to decide again; nil: when credits run low
}

// DecideTopUp decides whether to buy credits, and how many packs. One purchase closes the
// whole gap, as far as the caps allow (P2).
func DecideTopUp(in TopUpIn) TopUpDecision {
	s := in.Setting
	switch {
	case s.InFlight != nil:
		return TopUpDecision{State: s.State, Reason: s.Reason}
	case !s.On:
		return TopUpDecision{State: TopUpOff}
	case s.State == TopUpSuspended:
		return TopUpDecision{State: TopUpSuspended, Reason: s.Reason}
	case in.Available > s.Threshold:
		return TopUpDecision{State: TopUpReady}
	}
	if at := s.retryAt(); at != nil && in.At.Before(*at) {
		return TopUpDecision{State: TopUpRetrying, Reason: s.Reason, CheckAt: at}
	}
	if reason := in.hindrance(); reason != "" {
		return TopUpDecision{State: TopUpWaiting, Reason: reason, CheckAt: askAgain(in.At, topUpWaits)}
	}
	packs, cap := in.packs()
	if packs < 1 {
		_, next := CalendarMonth(in.At)
		return TopUpDecision{State: TopUpCapped, Reason: cap, CheckAt: &next}
	}
	return TopUpDecision{State: TopUpBuying, Packs: packs}
}

// retryAt is when the next attempt of a series may be made.
func (s AutoTopUp) retryAt() *time.Time {
	if s.Declines == 0 || s.SeriesAt == nil {
		return nil
	}
	at := s.SeriesAt.Add(topUpDelays[min(s.Declines, len(topUpDelays))-1])
	return &at
}

// hindrance says what has to change before anything may be bought.
func (in TopUpIn) hindrance() string {
	switch {
	case in.Disputed:
		return TopUpDispute
	case in.Status == StatusPastDue:
		return TopUpPastDue
	case in.Status == StatusUnpaid:
		return TopUpUnpaid
	case !in.Rules.Auto:
		return TopUpNotAllowed
	case in.Pack == nil || !in.Rules.AllowsPack(in.Pack.Name):
		return TopUpPackUnsold
	case in.Customer == "":
		return TopUpNoCustomer
	case in.Price == nil:
		return TopUpPriceUnknown
	case in.Price.Currency != in.Setting.Currency:
		return TopUpCurrency
	}
	return ""
}

// packs is how many packs bring what is available above the threshold, no more than the
// caps allow. Debt counts into the gap, since what comes in pays it first. If there is
// no room for any, it says which cap is full.
func (in TopUpIn) packs() (n int64, cap string) {
	gap := in.Setting.Threshold + in.Debt - in.Available
	n = min(gap/in.Pack.Credits+1, ledger.CreditsMax/in.Pack.Credits)
	if most := int64(in.Rules.CountMax); most > 0 {
		n = min(n, most)
	}
	credits := lower(in.Setting.CreditsMax, in.Rules.AutoCreditsPerMonthMax) - in.Month.Credits
	amount := lower(in.Setting.AmountMax, in.Rules.AutoAmountPerMonthMax) - in.Month.Amount
	if credits < in.Pack.Credits {
		return 0, TopUpCapCredits
	}
	if amount < in.Price.Amount {
		return 0, TopUpCapAmount
	}
	n = min(n, credits/in.Pack.Credits)
	if in.Price.Amount > 0 {
		n = min(n, amount/in.Price.Amount)
	}
	return n, ""
}

// lower is the lower of a cap and the plan's, if it has one.
func lower(chosen, plans int64) int64 {
	if plans > 0 {
		return min(chosen, plans)
	}
	return chosen
}

// hardDeclines are the bank's words for never trying a card again: an attempt more only
// costs reputation.
var hardDeclines = []string{
	"lost_card", "stolen_card", "pickup_card", "incorrect_number", "invalid_account", "restricted_card", "fraudulent", "merchant_blacklist",
	"revocation_of_authorization", "revocation_of_all_authorizations", "stop_payment_order", "highest_risk_level", "transaction_not_allowed",
}

// HardDecline tells whether a decline is for good.
func HardDecline(code string) bool { return slices.Contains(hardDeclines, code) }

// next takes over a decision.
func (s AutoTopUp) next(d TopUpDecision) AutoTopUp {
	s.State, s.Reason, s.CheckAt = d.State, d.Reason, d.CheckAt
	return s
}

// bought is what becomes of it when a purchase was paid: whether it was enough is decided
// at once.
func (s AutoTopUp) bought(at time.Time) AutoTopUp {
	s.InFlight, s.Declines, s.SeriesAt, s.TriedWith = nil, 0, nil, ""
	return s.again(at)
}

// again has it decide anew.
func (s AutoTopUp) again(at time.Time) AutoTopUp {
	s.State, s.Reason, s.CheckAt = TopUpReady, "", &at
	if !s.On {
		s.State, s.CheckAt = TopUpOff, nil
	}
	return s
}

// declined is what becomes of it when a purchase was declined: four in a row suspend it,
// a hard one at once (P3).
func (s AutoTopUp) declined(p Purchase, code, paymentMethod string, at time.Time) AutoTopUp {
	s.InFlight, s.TriedWith = nil, paymentMethod
	if s.Declines == 0 {
		s.SeriesAt = &p.CreatedAt
	}
	s.Declines = min(s.Declines+1, len(topUpDelays)+1)
	switch {
	case HardDecline(code):
		return s.suspended(TopUpHardDecline)
	case s.Declines > len(topUpDelays):
		return s.suspended(TopUpDeclines)
	case !s.On:
		return s.again(at)
	}
	s.State, s.Reason, s.CheckAt = TopUpRetrying, TopUpDeclines, s.retryAt()
	return s
}

// suspended is how it stands until somebody does something about it.
func (s AutoTopUp) suspended(reason string) AutoTopUp {
	s.InFlight = nil
	if !s.On {
		s.State, s.Reason, s.CheckAt = TopUpOff, "", nil
		return s
	}
	s.State, s.Reason, s.CheckAt = TopUpSuspended, reason, nil
	return s
}

// resumed is how it stands once somebody changed the card or switched it on again.
func (s AutoTopUp) resumed(at time.Time) AutoTopUp {
	s.Declines, s.SeriesAt, s.TriedWith = 0, nil, ""
	if s.InFlight != nil {
		return s
	}
	return s.again(at)
}
