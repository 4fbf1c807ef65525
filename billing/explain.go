package billing

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
)

// Explanation says why a pool is what it is and what comes next (N2), in data and in
// sentences.
type Explanation struct {
	Pool      Pool       `json:"pool"`
	Why       []string   `json:"why"`
	Next      []Forecast `json:"next"`
	Sentences []string   `json:"sentences"`
}

// Forecast is one thing that will happen by itself if nobody does anything before.
type Forecast struct {
	At       time.Time        `json:"at"`
	Kind     ledger.EntryKind `json:"kind"`
	Credits  int64            `json:"credits"`
	If       string           `json:"if,omitempty"` // what has to come true
	Sentence string           `json:"sentence"`
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
	if e.Next, err = state.forecast(pool, at); err != nil {
		return nil, fmt.Errorf("forecasting book %d: %w", book, err)
	}
	e.Sentences = slices.Clone(e.Why)
	for _, f := range e.Next {
		e.Sentences = append(e.Sentences, f.Sentence)
	}
	return e, nil
}

// why tells how the figures came about.
func (s *State) why(pool Pool, at time.Time) []string {
	said := []string{}
	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	_, _, sub := s.CurrentPeriod(at)
	if sub == nil {
		say("There is no subscription, so the period is the calendar month until %s.", dayOf(pool.PeriodEnd))
	} else {
		p := sub.current(at)
		say("Plan %q is %s with %d seats; the period runs from %s to %s.", pool.Plan, pool.Status, pool.Seats, dayOf(pool.PeriodStart), dayOf(pool.PeriodEnd))
		switch {
		case p.GrantedAt == nil && p.Figures.Rules().GrantRule == GrantRulePaid:
			say("Nothing was granted for this period yet: its invoice is not known to be paid.")
		case p.GrantedAt == nil:
			say("Nothing was granted for this period yet: a subscription that is %s grants nothing new.", pool.Status)
		default:
			say("%d credits were granted for this period, %d of them taken back since.", p.Granted, p.TakenBack)
		}
		if p.Owed > 0 {
			say("%d credits of seats given up were spent or set aside already; more seats grant that much less.", p.Owed)
		}
	}
	say("The total of %d is what was used (%d), is held (%d), set aside for members (%d), frozen (%d) and free (%d).",
		pool.Total, pool.Used, pool.Held, pool.Allocated, pool.Frozen, pool.Available)
	if pool.Debt > 0 {
		say("%d credits are owed since a payment was taken back; what comes in pays them first.", pool.Debt)
	}
	if pool.Upcoming > 0 {
		say("%d more credits are granted but not usable yet.", pool.Upcoming)
	}
	return said
}

// forecast settles the state at the end of the current period, as if its renewal were
// paid, and tells what that did; and names the ends of lots that lie beyond.
func (s *State) forecast(pool Pool, at time.Time) ([]Forecast, error) {
	before := len(s.Book.Entries())
	condition := s.assumePaid(at)
	if err := s.Settle(pool.PeriodEnd); err != nil {
		return nil, err
	}
	next := []Forecast{}
	for _, e := range s.Book.Entries()[before:] {
		if sentence := foretell(e); sentence != "" {
			f := Forecast{At: e.At, Kind: e.Kind, Credits: e.Credits, Sentence: sentence}
			if e.Kind == ledger.KindGrant && condition != "" {
				f.If = condition
				f.Sentence = strings.TrimSuffix(sentence, ".") + ", if " + condition + "."
			}
			next = append(next, f)
		}
	}
	for _, lot := range lotViews(s.Book) {
		if lot.ExpiresAt != nil && lot.ExpiresAt.After(pool.PeriodEnd) && lot.Source == string(ledger.ClassPurchased) {
			next = append(next, Forecast{
				At: *lot.ExpiresAt, Kind: ledger.KindExpiry, Credits: lot.Remaining,
				Sentence: fmt.Sprintf("On %s what is then left of %d bought credits expires.", dayOf(*lot.ExpiresAt), lot.Remaining),
			})
		}
	}
	slices.SortStableFunc(next, func(a, b Forecast) int { return a.At.Compare(b.At) })
	return next, nil
}

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
		condition = "the renewal is paid"
	}
	return condition
}

func foretell(e *ledger.Entry) string {
	switch e.Kind {
	case ledger.KindGrant:
		return fmt.Sprintf("On %s %d credits are granted.", dayOf(e.At), e.Credits)
	case ledger.KindRollover:
		return fmt.Sprintf("On %s %d credits roll over, if nobody uses them before.", dayOf(e.At), e.Credits)
	case ledger.KindExpiry:
		return fmt.Sprintf("On %s %d credits expire, if nobody uses them before.", dayOf(e.At), e.Credits)
	case ledger.KindHoldExpiry:
		return fmt.Sprintf("On %s a hold of %d credits ends by itself.", dayOf(e.At), e.Credits)
	}
	return ""
}

func dayOf(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
