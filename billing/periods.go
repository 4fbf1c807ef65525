package billing

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// PeriodSpan is when a period of a book begins and ends, its end not included.
type PeriodSpan struct{ Start, End time.Time }

// periodsMax is how many periods of a book are told: fifty years of months.
const periodsMax = 600

// ReadPeriods tells which periods a book has had since an instant, usually since its team
// was made: the current one first, then each one that came before. One ends where the next
// began, and is what CurrentPeriod said until then: so where a subscription came, or went,
// or gave way to another, what the earlier one had left of its time counts as the later
// one's. A subscription counts while it was in the book; without one there are calendar
// months (B4). It writes nothing; the transaction should be REPEATABLE READ.
func ReadPeriods(ctx context.Context, tx pgx.Tx, c *Catalog, book int64, since, at time.Time) ([]PeriodSpan, error) {
	state, err := ViewState(ctx, tx, c, at, book)
	if err != nil {
		return nil, err
	}
	if err := state.Settle(at); err != nil {
		return nil, fmt.Errorf("reading the periods of book %d: %w", book, err)
	}
	lives, err := readLives(ctx, tx, book)
	if err != nil {
		return nil, err
	}
	for _, l := range lives {
		l.join(state.Sub(l.facts.ID))
	}
	start, end, _ := state.CurrentPeriod(at)
	periods := []PeriodSpan{{start, end}}
	for start.After(since) && len(periods) < periodsMax {
		before := periodBefore(lives, start)
		periods = append(periods, PeriodSpan{before.start, before.end})
		start = before.start
	}
	return periods, nil
}

// life is what a subscription was to a book: its periods, and when it was there.
type life struct {
	facts   Subscription
	periods []*Period
	stays   []span
}

// join takes in the periods as they stand once all that is due is done. Those that were
// over long ago aren't in a state.
func (l *life) join(sub *Sub) {
	if sub == nil || len(sub.Periods) == 0 {
		return
	}
	old := l.periods[:0]
	for _, p := range l.periods {
		if p.Number < sub.Periods[0].Number {
			old = append(old, p)
		}
	}
	l.periods = append(old, sub.Periods...)
}

// runs gives the period that ran in the book at an instant, nil if none did, and whether
// the subscription had ended by then.
func (l *life) runs(at time.Time) (p *Period, ended bool) {
	here := false
	for _, stay := range l.stays {
		here = here || stay.contains(at)
	}
	if !here {
		return nil, false
	}
	p = (&Sub{Periods: l.periods}).current(at)
	if end := l.facts.endedAt(); p != nil && end != nil && !end.After(at) {
		if p.TurnedAt != nil && !p.TurnedAt.After(at) {
			return nil, true
		}
		return p, true
	}
	return p, false
}

// periodBefore is the period that ended at an instant, or was cut off there: the one that
// ran just before.
func periodBefore(lives []*life, end time.Time) span {
	at := end.Add(-time.Microsecond) // what the database tells apart
	var of *Period
	ofEnded := false
	for _, l := range lives {
		p, ended := l.runs(at)
		if p != nil && (of == nil || ofEnded && !ended) {
			of, ofEnded = p, ended
		}
	}
	if of != nil {
		return span{of.Start, end}
	}
	start, _ := CalendarMonth(at)
	return span{start, end}
}

// always is a stay that nobody saw begin, up to its end.
var always = span{time.Time{}, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}

// readLives reads the subscriptions that are in a book, or were, the oldest first, with all
// their periods. That one came to a team or left it was told there. Of a personal account,
// where nothing is told of that, those that are there now count for all their time.
func readLives(ctx context.Context, tx pgx.Tx, book int64) ([]*life, error) {
	stays, err := readStays(ctx, tx, book)
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(stays))
	for id := range stays {
		ids = append(ids, id)
	}
	rows, err := tx.Query(ctx, `
		SELECT id, facts, COALESCE(book_id = $1, false) FROM subscriptions
		WHERE book_id = $1 OR id = ANY($2) ORDER BY created_at, id`, book, ids)
	if err != nil {
		return nil, fmt.Errorf("reading the subscriptions of book %d: %w", book, err)
	}
	lives, subs, from := []*life{}, map[string]*Sub{}, map[string]int64{}
	var id string
	var facts Subscription
	var here bool
	_, err = pgx.ForEachRow(rows, []any{&id, &facts, &here}, func() error {
		if _, moved := stays[id]; here && !moved {
			stays[id] = []span{always}
		}
		lives = append(lives, &life{facts: facts, stays: stays[id]})
		subs[id], from[id] = &Sub{Facts: facts}, 0
		facts = Subscription{}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the subscriptions of book %d: %w", book, err)
	}
	if err := loadPeriodsFrom(ctx, tx, subs, from); err != nil {
		return nil, err
	}
	for _, l := range lives {
		l.periods = subs[l.facts.ID].Periods
	}
	return lives, nil
}

// readStays tells when the subscriptions that came to a team, or left it, were there.
func readStays(ctx context.Context, tx pgx.Tx, book int64) (map[string][]span, error) {
	rows, err := tx.Query(ctx, `
		SELECT data->>'subscription_id', kind = $2, at FROM notices WHERE book_id = $1 AND kind IN ($2, $3) ORDER BY id`,
		book, NoticeSubAssigned, NoticeSubRemoved)
	if err != nil {
		return nil, fmt.Errorf("reading which subscriptions came and went: %w", err)
	}
	stays := map[string][]span{}
	var id string
	var came bool
	var at time.Time
	_, err = pgx.ForEachRow(rows, []any{&id, &came, &at}, func() error {
		s := stays[id]
		switch {
		case came:
			s = append(s, span{at, always.end})
		case len(s) == 0: // it was placed there from the first
			s = append(s, span{always.start, at})
		default:
			s[len(s)-1].end = at
		}
		stays[id] = s
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading which subscriptions came and went: %w", err)
	}
	return stays, nil
}
