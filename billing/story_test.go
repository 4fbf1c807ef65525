package billing

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"purser/ledger"
)

// A story is one subscription in one book, told in literal instants. Every act settles
// first, as every write does.
type story struct {
	t     listener
	state *State
	sub   *Sub
	holds map[string]int64
	n     int
}

// A listener is a test, a benchmark or a check of many stories.
type listener interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// tell begins a story with the plans given: a team's book that knows no subscription.
func tell(t listener, plans ...Plan) *story {
	return &story{
		t:     t,
		state: &State{Book: ledger.Blank(1, ledger.TeamBook, day("2025-01-01")), Catalog: &Catalog{Plans: plans}},
		holds: map[string]int64{},
	}
}

// plan is a plan of 1,000 credits a seat with the catalogue's defaults.
func plan(name string, change ...func(*Plan)) Plan {
	p := Plan{
		Name: name, MonthlyCredits: 1000, TrialCredits: 100, Counting: CountingPerSeat, Teams: true,
		Prices: []Price{
			{ID: name + "_month", Interval: IntervalMonth, IntervalCount: 1},
			{ID: name + "_quarter", Interval: IntervalMonth, IntervalCount: 3},
			{ID: name + "_year", Interval: IntervalYear, IntervalCount: 1},
		},
		Rollover: Rollover{Mode: RolloverNone}, SeatDecrease: SeatDecreaseImmediate, Increase: IncreaseAtOnce,
		GrantRule: GrantRulePaid, RenewalGrace: 24 * time.Hour,
	}
	for _, c := range change {
		c(&p)
	}
	return p
}

func credits(n int64) func(*Plan)       { return func(p *Plan) { p.MonthlyCredits = n } }
func proration(p *Plan)                 { p.Proration = true }
func nextPeriod(p *Plan)                { p.SeatDecrease = SeatDecreaseNextPeriod }
func increasePaid(p *Plan)              { p.Increase = IncreasePaid }
func periodStart(p *Plan)               { p.GrantRule = GrantRulePeriodStart }
func baseFee(p *Plan)                   { p.Counting = CountingPerSubscription }
func rollover(r Rollover) func(*Plan)   { return func(p *Plan) { p.Rollover = r } }
func grace(d time.Duration) func(*Plan) { return func(p *Plan) { p.RenewalGrace = d } }

// day reads an instant: a date, or a date with a time.
func day(s string) time.Time {
	for _, layout := range []string{"2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t
		}
	}
	panic("not an instant: " + s)
}

func ptr[T any](v T) *T { return &v }

// item buys so many of a price, such as "team_month".
func item(price string, quantity int64) Item {
	i := Item{ID: "si_" + price, PriceID: price, Quantity: quantity, Interval: IntervalMonth, IntervalCount: 1}
	switch {
	case strings.HasSuffix(price, "_year"):
		i.Interval = IntervalYear
	case strings.HasSuffix(price, "_quarter"):
		i.IntervalCount = 3
	}
	return i
}

// subscribes begins a subscription, active from start on, with Stripe's own period.
func (s *story) subscribes(start string, items ...Item) *story {
	s.t.Helper()
	s.sub = &Sub{State: "placed", customerOwed: &customerOwed{}}
	s.sub.Facts = Subscription{
		ID: "sub_1", CustomerID: "cus_1", Status: StatusActive, Items: items, Anchor: day(start), CreatedAt: day(start),
	}
	s.own(start)
	s.state.Subs = append(s.state.Subs, s.sub)
	return s
}

// own lets Stripe's own period begin at start.
func (s *story) own(start string) *story {
	f := &s.sub.Facts
	f.PeriodStart = day(start)
	months := 1
	if len(f.Items) > 0 {
		months = max(f.Items[0].IntervalCount, 1)
		if f.Items[0].Interval == IntervalYear {
			months *= 12
		}
	}
	n := 1
	for f.PeriodEnd = AddMonths(f.Anchor, months); !f.PeriodEnd.After(f.PeriodStart); n++ {
		f.PeriodEnd = AddMonths(f.Anchor, months*(n+1))
	}
	return s
}

// switches puts other items on the subscription. Another interval resets the anchor.
func (s *story) switches(at string, items ...Item) *story {
	f := &s.sub.Facts
	reset := f.Items[0].Interval != items[0].Interval || f.Items[0].IntervalCount != items[0].IntervalCount
	f.Items = items
	if reset {
		f.Anchor = day(at)
		s.own(at)
	}
	return s.on(at)
}

// trials turns the new subscription into one that begins with a trial.
func (s *story) trials(start, end string) *story {
	f := &s.sub.Facts
	f.Status, f.TrialStart, f.TrialEnd = StatusTrialing, ptr(day(start)), ptr(day(end))
	f.PeriodStart, f.PeriodEnd, f.Anchor = day(start), day(end), day(end)
	return s
}

func (s *story) is(status Status) *story {
	s.sub.Facts.Status = status
	return s
}

func (s *story) seats(n int64) *story {
	s.sub.Facts.Items = slices.Clone(s.sub.Facts.Items)
	s.sub.Facts.Items[0].Quantity = n
	return s
}

// renews moves Stripe's own period on, to where it begins at start.
func (s *story) renews(start string) *story { return s.own(start) }

// pays pays the invoice of Stripe's own period, for what is bought now.
func (s *story) pays() *story {
	f := &s.sub.Facts
	for _, i := range f.Items {
		s.paysLine(PaidLine{PriceID: i.PriceID, Quantity: i.Quantity, Amount: 100 * i.Quantity, From: f.PeriodStart, To: f.PeriodEnd})
	}
	return s
}

func (s *story) paysLine(l PaidLine) *story {
	s.sub.Paid = append(s.sub.Paid, l)
	return s
}

// cancels ends the subscription at that instant.
func (s *story) cancels(at string) *story {
	f := &s.sub.Facts
	f.Status, f.EndedAt = StatusCanceled, ptr(day(at))
	return s
}

// on settles at an instant, twice: the second time must change nothing.
func (s *story) on(at string) *story {
	s.t.Helper()
	return s.at(day(at))
}

func (s *story) at(at time.Time) *story {
	s.t.Helper()
	s.settles(at)
	before := len(s.state.Book.Entries())
	s.settles(at)
	if after := s.state.Book.Entries(); len(after) != before {
		s.t.Fatalf("settling at %s a second time posted %s %s", stamp(at), after[before].Kind, after[before].Key)
	}
	return s
}

// settles checks that what a settling changed is marked to be written.
func (s *story) settles(at time.Time) {
	s.t.Helper()
	subs, periods := map[*Sub]Sub{}, map[*Period]Period{}
	for _, sub := range s.state.Subs {
		sub.dirty = false
		subs[sub] = *sub
		for _, p := range sub.Periods {
			p.dirty = false
			periods[p] = *p
		}
	}
	if err := s.state.Settle(at); err != nil {
		s.t.Fatalf("settling at %s: %v", stamp(at), err)
	}
	for _, sub := range s.state.Subs {
		if before := subs[sub]; !sub.dirty && (before.Owed != sub.Owed || len(before.Periods) > len(sub.Periods)) {
			s.t.Fatalf("settling at %s changed %s and would not write it", stamp(at), sub.Facts.ID)
		}
		for _, p := range sub.Periods {
			if before, old := periods[p]; !p.dirty && (!old || !reflect.DeepEqual(before, *p)) {
				s.t.Fatalf("settling at %s changed period %d and would not write it: %+v, now %+v", stamp(at), p.Number, before, *p)
			}
		}
	}
}

func (s *story) request(at string) ledger.Request {
	s.n++
	return ledger.Request{Key: fmt.Sprintf("act:%d", s.n), Actor: "ann", At: day(at), Holder: "ann"}
}

func (s *story) pool() *ledger.Account {
	a, _ := s.state.Book.Account(ledger.Main)
	return a
}

func (s *story) must(e *ledger.Entry, err error) *ledger.Entry {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}

func (s *story) spends(at string, n int64) *story {
	s.t.Helper()
	s.on(at)
	s.must(s.state.Book.Spend(s.request(at), ledger.SpendIn{Credits: n, Payers: []ledger.Payer{ledger.From(s.pool())}}))
	return s
}

func (s *story) holdsBack(at, name string, n int64, until string) *story {
	s.t.Helper()
	s.on(at)
	e := s.must(s.state.Book.Hold(s.request(at), ledger.HoldIn{
		Credits: n, Payers: []ledger.Payer{ledger.From(s.pool())}, ExpiresAt: day(until),
	}))
	s.holds[name] = e.Sequence
	return s
}

func (s *story) releases(at, name string) *story {
	s.t.Helper()
	s.on(at)
	s.must(s.state.Book.Release(s.request(at), s.holds[name]))
	return s.on(at)
}

func (s *story) allocates(at, member string, n int64) *story {
	s.t.Helper()
	s.on(at)
	to := s.state.Book.MakeAllocation(member, day(at))
	s.must(s.state.Book.Move(s.request(at), ledger.MoveIn{Kind: ledger.KindAllocation, From: s.pool(), To: to, Credits: n}))
	return s
}

// gives puts a lot into the pool that belongs to no subscription.
func (s *story) gives(at string, source ledger.Source, n int64, until string) *story {
	s.t.Helper()
	s.on(at)
	s.must(s.state.Book.Grant(s.request(at), s.pool(), ledger.LotIn{
		Source: source, Origin: fmt.Sprintf("gift:%d", s.n), EffectiveAt: day(at), ExpiresAt: ptr(day(until)),
	}, n))
	return s
}

func (s *story) freezes(at string, source ledger.Source, frozen bool) *story {
	s.t.Helper()
	s.on(at)
	for _, p := range s.state.Book.Portions() {
		if p.Lot.Source == source && p.Lot.Frozen != frozen {
			s.must(s.state.Book.SetFrozen(s.request(at), p.Lot, frozen))
		}
	}
	return s.on(at)
}
