package billing

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
)

// Explanation says why a pool is what it is and what comes next (N2), in data and in
// sentences.
type Explanation struct {
	Pool      Pool              `json:"pool"`
	Why       Sayings           `json:"why"`
	TopUp     *TopUpExplanation `json:"auto_top_up"`
	Next      []Forecast        `json:"next"`
	Sentences []string          `json:"sentences"`
}

// Forecast is one thing that will happen by itself if nobody does anything before.
type Forecast struct {
	At       time.Time        `json:"at"`
	Kind     ledger.EntryKind `json:"kind"`
	Credits  int64            `json:"credits"`
	If       string           `json:"if,omitempty"` // what has to come true
	Sentence Saying           `json:"sentence"`
}

// Explain reads a book and explains it. The forecast isn't worked out by rules of its
// own: the book is settled, in memory, at the instants to come, by what will settle it
// then.
func Explain(ctx context.Context, tx pgx.Tx, c *Catalog, book int64, at time.Time) (*Explanation, error) {
	pool, err := ReadPool(ctx, tx, c, book, at)
	if err != nil {
		return nil, err
	}
	state, err := ViewState(ctx, tx, c, at, book)
	if err != nil {
		return nil, err
	}
	if err := state.Settle(at); err != nil {
		return nil, fmt.Errorf("explaining book %d: %w", book, err)
	}
	e := &Explanation{Pool: pool, Why: state.why(pool, at)}
	if e.Next, err = state.Forecast(at, ""); err != nil {
		return nil, err
	}
	if e.TopUp, err = explainTopUp(ctx, tx, book, pool.Available); err != nil {
		return nil, err
	}
	e.Sentences = Sentences(slices.Concat(e.Why, e.TopUp.Why), e.Next)
	return e, nil
}

// Sentences are all that an explanation says, in order.
func Sentences(why Sayings, next []Forecast) []string {
	all := why.Strings()
	for _, f := range next {
		all = append(all, f.Sentence.String())
	}
	return all
}

// why tells how the figures came about.
func (s *State) why(pool Pool, at time.Time) Sayings {
	said := Sayings{}
	if _, _, sub := s.CurrentPeriod(at); sub == nil {
		said.say("calendar", "There is no subscription, so the period is the calendar month until %s.", pool.PeriodEnd)
	} else {
		said.say("plan", "Plan %[2]q is %[3]s with %[1]d seats; the period runs from %[4]s to %[5]s.",
			pool.Seats, pool.Plan, pool.Status, pool.PeriodStart, pool.PeriodEnd)
		said = append(said, sub.current(at).why(pool.Status)...)
	}
	said.say("total", "The total of %d is what was used (%d), is held (%d), set aside for members (%d), frozen (%d) and free (%d).",
		pool.Total, pool.Used, pool.Held, pool.Allocated, pool.Frozen, pool.Available)
	if pool.Debt > 0 {
		said.say("debt", "%d credits are owed since a payment was taken back; what comes in pays them first.", pool.Debt)
	}
	if pool.Upcoming > 0 {
		said.say("upcoming", "%d more credits are granted but not usable yet.", pool.Upcoming)
	}
	return said
}

// why tells what was granted for a period.
func (p *Period) why(status Status) Sayings {
	said := Sayings{}
	switch {
	case p.GrantedAt == nil && p.Figures.Rules().GrantRule == GrantRulePaid:
		said.say("invoice_unpaid", "Nothing was granted for this period yet: its invoice is not known to be paid.")
	case p.GrantedAt == nil:
		said.say("status_grants_nothing", "Nothing was granted for this period yet: a subscription that is %s grants nothing new.", status)
	default:
		said.say("granted", "%d credits were granted for this period, %d of them taken back since.", p.Granted, p.TakenBack)
	}
	if p.Owed > 0 {
		said.say("owed", "%d credits of seats given up were spent or set aside already; more seats grant that much less.", p.Owed)
	}
	return said
}

// Forecast settles a settled state at the end of the current period, as if its renewal
// were paid, and tells what that did; and names the ends of lots that lie beyond. With a
// holder it tells only what concerns that member's allocation and holds. The state is
// spent afterwards.
func (s *State) Forecast(at time.Time, holder string) ([]Forecast, error) {
	before := len(s.Book.Entries())
	condition := s.assumePaid(at)
	_, end, _ := s.CurrentPeriod(at)
	if err := s.Settle(end); err != nil {
		return nil, fmt.Errorf("forecasting book %d: %w", s.Book.ID, err)
	}
	next := []Forecast{}
	for _, e := range s.Book.Entries()[before:] {
		f := Forecast{At: e.At, Kind: e.Kind, Credits: s.concerning(e, holder)}
		if e.Kind == ledger.KindGrant {
			f.If = condition
		}
		if !f.tell() || f.Credits == 0 {
			continue
		}
		same := slices.IndexFunc(next, func(g Forecast) bool { return g.Kind == f.Kind && g.At.Equal(f.At) && f.Kind != ledger.KindHoldExpiry })
		if same < 0 {
			next = append(next, f)
			continue
		}
		next[same].Credits += f.Credits // of several lots
		next[same].tell()
	}
	next = append(next, s.laterEnds(end, holder)...)
	slices.SortStableFunc(next, func(a, b Forecast) int { return a.At.Compare(b.At) })
	return next, nil
}

// concerning is how many credits of an entry are a holder's: all of them without one.
func (s *State) concerning(e *ledger.Entry, holder string) int64 {
	if holder == "" || e.Kind == ledger.KindHoldExpiry && e.Holder == holder {
		return e.Credits
	}
	var credits int64
	if allocation, ok := s.Book.AllocationOf(holder); ok {
		for _, p := range e.Postings {
			if p.From == allocation.ID {
				credits += p.Credits
			}
		}
	}
	return credits
}

// laterEnds names the ends of lots that no turn ends, as far as they lie beyond an
// instant.
func (s *State) laterEnds(after time.Time, holder string) []Forecast {
	left := map[*ledger.Lot]int64{}
	var lots []*ledger.Lot
	for _, p := range s.Book.Portions() {
		lot := p.Lot
		if lot.ExpiresAt == nil || !lot.ExpiresAt.After(after) || lot.Series != "" || holder != "" && p.Account.Holder != holder {
			continue
		}
		if left[lot] == 0 {
			lots = append(lots, lot)
		}
		left[lot] += p.Balance
	}
	ends := make([]Forecast, len(lots))
	for i, lot := range lots {
		ends[i] = Forecast{
			At: *lot.ExpiresAt, Kind: ledger.KindExpiry, Credits: left[lot],
			Sentence: NewSaying("next.lot_expiry", "On %[2]s what is then left of %[1]d %[3]s credits expires.", left[lot], *lot.ExpiresAt, lot.Class()),
		}
	}
	return ends
}

// renewalPaid is the one condition that a forecast has.
const renewalPaid = "the renewal is paid"

// assumePaid lets the coming period of each subscription count as paid, in memory, and
// says that this was assumed.
func (s *State) assumePaid(at time.Time) string {
	condition := ""
	for _, sub := range s.Subs {
		p := sub.current(at)
		if p == nil || len(sub.Facts.Items) == 0 || sub.Facts.Status != StatusActive {
			continue
		}
		for _, item := range sub.Facts.Items {
			sub.Paid = append(sub.Paid, PaidLine{
				PriceID: item.PriceID, LookupKey: item.LookupKey, Quantity: item.Quantity, From: p.End, To: AddMonths(p.End, 13),
			})
		}
		condition = renewalPaid
	}
	return condition
}

// tell says it in a sentence, if it is something to be told.
func (f *Forecast) tell() bool {
	say := func(code, english string) bool {
		f.Sentence = NewSaying(code, english, f.Credits, f.At)
		return true
	}
	switch f.Kind {
	case ledger.KindGrant:
		if f.If != "" {
			return say("next.grant_if_paid", "On %[2]s %[1]d credits are granted, if the renewal is paid.")
		}
		return say("next.grant", "On %[2]s %[1]d credits are granted.")
	case ledger.KindRollover:
		return say("next.rollover", "On %[2]s %[1]d credits roll over, if nobody uses them before.")
	case ledger.KindExpiry:
		return say("next.expiry", "On %[2]s %[1]d credits expire, if nobody uses them before.")
	case ledger.KindHoldExpiry:
		return say("next.hold_expiry", "On %[2]s a hold of %[1]d credits ends by itself.")
	}
	return false
}
