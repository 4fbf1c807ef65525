package billing

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"purser/ledger"
)

// world is a Stripe of one subscription: it renews, sends invoices that are paid soon,
// late or never, and changes what somebody changes. The story hears of it or does not.
type world struct {
	t      *rapid.T
	prompt bool // the story hears of everything at once
	life   []deed
	now    time.Time
	facts  Subscription
	paid   []PaidLine
	open   []openInvoice
}

type openInvoice struct {
	lines []PaidLine
	payAt time.Time // zero: never
}

// deed is something done at an instant, so that it can be done again in another story.
type deed struct {
	at   time.Time
	name string
	do   func(*story)
}

func (w *world) draw(name string, low, high int) int {
	return rapid.IntRange(low, high).Draw(w.t, name)
}

func (w *world) begin() {
	w.now = day("2024-01-28").Add(time.Duration(w.draw("start", 0, 4*24*60)) * time.Minute)
	w.facts = Subscription{
		ID: "sub_1", CustomerID: "cus_1", Status: StatusActive, Anchor: w.now, CreatedAt: w.now,
		Items: []Item{item(rapid.SampledFrom([]string{"team_month", "team_year", "team_quarter"}).Draw(w.t, "price"), int64(w.draw("seats", 0, 9)))},
	}
	w.renewAt(w.now)
	if w.draw("trial", 0, 3) == 0 {
		end := w.now.Add(14 * 24 * time.Hour)
		w.open = nil
		f := &w.facts
		f.Status, f.TrialStart, f.TrialEnd, f.Anchor, f.PeriodEnd = StatusTrialing, ptr(w.now), &end, end, end
	}
}

// renewAt begins Stripe's own period and sends its invoice.
func (w *world) renewAt(start time.Time) {
	f := &w.facts
	months := max(f.Items[0].IntervalCount, 1)
	if f.Items[0].Interval == IntervalYear {
		months = 12
	}
	n := 1
	f.PeriodStart = start
	for f.PeriodEnd = AddMonths(f.Anchor, months); !f.PeriodEnd.After(start); n++ {
		f.PeriodEnd = AddMonths(f.Anchor, months*(n+1))
	}
	var lines []PaidLine
	for _, i := range f.Items {
		lines = append(lines, PaidLine{PriceID: i.PriceID, Quantity: i.Quantity, Amount: i.Quantity * 10, From: f.PeriodStart, To: f.PeriodEnd})
	}
	w.invoice(start, lines...)
}

func (w *world) invoice(at time.Time, lines ...PaidLine) {
	inv := openInvoice{lines: lines}
	switch w.draw("payment", 0, 9) {
	case 0: // never
	case 1:
		days := rapid.SampledFrom([]int{40, 20, 1, 2, 29}).Draw(w.t, "late")
		inv.payAt = at.Add(time.Duration(days) * 24 * time.Hour)
	default:
		inv.payAt = at.Add(time.Duration(w.draw("soon", 0, 90)) * time.Minute)
	}
	w.open = append(w.open, inv)
}

// passes lets time pass at Stripe, from one thing that happens to the next.
func (w *world) passes(d time.Duration) {
	until := w.now.Add(d)
	for {
		next := until
		for _, at := range w.coming() {
			if at.After(w.now) && at.Before(next) {
				next = at
			}
		}
		w.now = next
		w.happens()
		if w.prompt {
			w.hears()
		}
		if !next.Before(until) {
			return
		}
	}
}

func (w *world) coming() []time.Time {
	at := []time.Time{w.facts.PeriodEnd}
	for _, inv := range w.open {
		at = append(at, inv.payAt, inv.lines[0].From.Add(time.Hour))
	}
	return at
}

// happens renews, cancels and pays what is due.
func (w *world) happens() {
	f := &w.facts
	for !f.Status.Ended() && !f.PeriodEnd.After(w.now) {
		if f.CancelAtPeriodEnd {
			f.Status, f.EndedAt = StatusCanceled, ptr(f.PeriodEnd)
			break
		}
		if f.Status == StatusTrialing {
			f.Status = StatusActive
		}
		w.renewAt(f.PeriodEnd)
	}
	owing := false
	w.open = slices.DeleteFunc(w.open, func(inv openInvoice) bool {
		if inv.payAt.IsZero() || inv.payAt.After(w.now) || f.Status.Ended() {
			owing = owing || !inv.lines[0].From.Add(time.Hour).After(w.now)
			return false
		}
		for _, l := range inv.lines {
			l.PaidAt = &inv.payAt
			w.paid = append(w.paid, l)
		}
		return true
	})
	switch {
	case f.Status.Ended() || f.Status == StatusTrialing:
	case owing:
		f.Status = StatusPastDue
	default:
		f.Status = StatusActive
	}
}

// changes does something at Stripe.
func (w *world) changes() {
	f := &w.facts
	if f.Status.Ended() {
		return
	}
	f.Items = slices.Clone(f.Items)
	switch w.draw("change", 0, 9) {
	case 0, 1, 2, 3, 4:
		before := f.Items[0].Quantity
		f.Items[0].Quantity = int64(w.draw("seats", 0, 9))
		w.invoice(w.now, PaidLine{PriceID: f.Items[0].PriceID, Quantity: before, Amount: -before, Proration: true, From: w.now, To: f.PeriodEnd},
			PaidLine{PriceID: f.Items[0].PriceID, Quantity: f.Items[0].Quantity, Amount: f.Items[0].Quantity, Proration: true, From: w.now, To: f.PeriodEnd})
	case 5, 6:
		to := item(rapid.SampledFrom([]string{"team_month", "team_year", "business_month", "business_year"}).Draw(w.t, "to"), f.Items[0].Quantity)
		reset := to.Interval != f.Items[0].Interval || to.IntervalCount != f.Items[0].IntervalCount
		f.Items[0] = to
		if reset && f.Status != StatusTrialing {
			w.now = w.now.Truncate(time.Second)
			f.Anchor = w.now
			w.renewAt(w.now)
		}
	case 7:
		f.CancelAtPeriodEnd = !f.CancelAtPeriodEnd
	case 8:
		if w.draw("really", 0, 3) == 0 {
			f.Status, f.EndedAt = StatusCanceled, ptr(w.now)
			if w.draw("money back", 0, 1) == 1 {
				w.paid = append(w.paid, PaidLine{
					PriceID: f.Items[0].PriceID, Quantity: f.Items[0].Quantity, Amount: -10, Proration: true, From: w.now, To: f.PeriodEnd, PaidAt: ptr(w.now),
				})
			}
		}
	case 9:
		if f.Status == StatusTrialing {
			end := w.now.Add(time.Duration(w.draw("trial", 0, 20)) * 24 * time.Hour).Truncate(time.Second).Add(time.Second)
			f.TrialEnd, f.PeriodEnd, f.Anchor = &end, end, end
		}
	}
}

// acts does something in the team.
func (w *world) acts() deed {
	n := int64(w.draw("credits", 1, 9000))
	name := fmt.Sprint("m", w.draw("member", 1, 3))
	until := w.now.Add(time.Duration(w.draw("hold", 1, 1440)) * time.Minute)
	at := w.now
	available := func(s *story) int64 { return min(n, s.pool().Available(at)) }
	request := func(s *story) ledger.Request { return s.request(at.Format("2006-01-02 15:04:05")) }
	kind := rapid.SampledFrom([]string{"spend", "hold", "allocate", "release", "freeze"}).Draw(w.t, "act")
	return deed{at, kind, func(s *story) {
		switch n := available(s); {
		case kind == "spend" && n > 0:
			s.must(s.state.Book.Spend(request(s), ledger.SpendIn{Credits: n, Payers: []ledger.Payer{ledger.From(s.pool())}}))
		case kind == "hold" && n > 0:
			e := s.must(s.state.Book.Hold(request(s), ledger.HoldIn{Credits: n, Payers: []ledger.Payer{ledger.From(s.pool())}, ExpiresAt: until}))
			s.holds[fmt.Sprint(len(s.holds))] = e.Sequence
		case kind == "allocate" && n > 0:
			to := s.state.Book.MakeAllocation(name, at)
			s.must(s.state.Book.Move(request(s), ledger.MoveIn{Kind: ledger.KindAllocation, From: s.pool(), To: to, Credits: n}))
		case kind == "release" && len(s.holds) > 0:
			if h, ok := s.state.Book.HoldOf(s.holds[fmt.Sprint(len(s.holds)-1)]); ok && h.Status == ledger.HoldOpen {
				s.must(s.state.Book.Release(request(s), h.ID))
			}
		case kind == "freeze":
			if left := s.state.Book.Portions(); len(left) > 0 {
				lot := left[len(left)/2].Lot
				s.must(s.state.Book.SetFrozen(request(s), lot, !lot.Frozen))
			}
		}
	}}
}

// hears tells the story what Stripe says now.
func (w *world) hears() {
	facts, paid := w.facts, slices.Clone(w.paid)
	w.life = append(w.life, deed{w.now, "hear", func(s *story) { s.sub.Facts, s.sub.Paid = facts, paid }})
}

// lives draws a life of some deeds.
func (w *world) lives(deeds int) []deed {
	w.begin()
	w.hears()
	for range deeds {
		days := rapid.SampledFrom([]int{9, 0, 1, 3, 18, 33, 70}).Draw(w.t, "days")
		w.passes(time.Duration(days*1440+w.draw("minutes", 0, 1440)) * time.Minute)
		switch w.draw("deed", 0, 3) {
		case 0:
			w.changes()
			w.hears()
		case 1:
			w.changes()
			if w.prompt {
				w.hears()
			}
		case 2:
			w.hears()
		default:
			w.life = append(w.life, w.acts())
		}
	}
	w.passes(time.Minute)
	w.hears()
	return w.life
}

func plans(t *rapid.T) []Plan {
	rules := func(p *Plan) {
		p.Rollover = rapid.SampledFrom([]Rollover{
			{Mode: RolloverNone}, {Mode: RolloverAll}, {Mode: RolloverAll, MaxAgeTurns: 2}, {Mode: RolloverCap, CapPerSeat: 300},
			{Mode: RolloverPercent, Percent: 33, MaxAgeTurns: 3},
		}).Draw(t, "rollover")
		p.SeatDecrease = rapid.SampledFrom([]string{SeatDecreaseImmediate, SeatDecreaseNextPeriod}).Draw(t, "decrease")
		p.Proration = rapid.Bool().Draw(t, "proration")
		p.Increase = rapid.SampledFrom([]string{IncreaseAtOnce, IncreasePaid}).Draw(t, "increase")
		p.GrantRule = rapid.SampledFrom([]string{GrantRulePaid, GrantRulePeriodStart}).Draw(t, "grant")
		p.RenewalGrace = rapid.SampledFrom([]time.Duration{0, 24 * time.Hour, 27 * 24 * time.Hour}).Draw(t, "grace")
	}
	return []Plan{plan("business", credits(2000), rules), plan("team", rules)}
}
