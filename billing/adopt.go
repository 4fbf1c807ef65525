package billing

import (
	"time"

	"purser/ledger"
)

// adopt takes in what Stripe changed of the latest period: it was cut short, its end
// moved, its trial ended early or was extended.
func (s *State) adopt(sub *Sub) error {
	p := sub.last()
	switch cut := s.cutInstant(sub, p); {
	case !p.open():
		return nil
	case p.Trial && p.GrantedAt != nil:
		p.moveTo(span{p.Start, trialEnd(&sub.Facts, p)}, true)
	case cut != nil:
		return s.cut(sub, p, *cut)
	case !sub.Facts.Status.Ended():
		sub.moveEnd(p)
	}
	return nil
}

// dropGuesses forgets periods that the clock opened after one that ended earlier, as we
// hear now: Stripe had cut it short, or it was a trial that ended early.
func (s *State) dropGuesses(sub *Sub) {
	for len(sub.Periods) > 1 {
		last, prior := sub.last(), sub.Periods[len(sub.Periods)-2]
		if last.GrantedAt != nil || !last.open() {
			return
		}
		switch {
		case prior.Trial && trialEnd(&sub.Facts, prior).Before(prior.End):
			// Nothing rolls out of a trial, so its turn may have run.
			prior.moveTo(span{prior.Start, trialEnd(&sub.Facts, prior)}, true)
		case prior.Trial && (sub.Facts.Status == StatusPaused || sub.Facts.begins().After(prior.End)):
			// It was paused when its trial ended.
		case prior.open() && s.cutInstant(sub, prior) != nil:
		default:
			return
		}
		sub.Periods = sub.Periods[:len(sub.Periods)-1]
		sub.dirty = true
	}
}

// trialEnd is where a trial ends by what Stripe says now. A trial is never cut: one that
// ends early just ends, one that is extended keeps its lot (B4).
func trialEnd(f *Subscription, p *Period) time.Time {
	end := p.End
	if f.TrialEnd != nil && (f.Status == StatusTrialing || f.TrialEnd.Before(end)) {
		end = *f.TrialEnd
	}
	if f.Status != StatusTrialing && p.span().inside(f.PeriodStart) {
		end = earlier(end, f.PeriodStart)
	}
	if ended := f.endedAt(); ended != nil {
		end = earlier(end, *ended)
	}
	return later(end, p.Start)
}

// cutInstant tells where a period was cut short (B11): where Stripe's own period begins
// in its middle, where the anchor was reset to meanwhile, or where the subscription
// ended with money given back (B6).
func (s *State) cutInstant(sub *Sub, p *Period) *time.Time {
	f := &sub.Facts
	switch end := f.endedAt(); {
	case p.Trial:
		return nil
	case p.span().inside(f.Anchor) && !f.Anchor.After(f.PeriodStart):
		return &f.Anchor
	case p.span().inside(f.PeriodStart):
		return &f.PeriodStart
	case end != nil && end.Before(p.End) && p.Figures.Mapped() && sub.moneyBack(s.Catalog, p, *end):
		start := later(*end, p.Start)
		return &start
	}
	return nil
}

// moveEnd follows an end that Stripe moved without beginning a new period. Months of a
// longer period that were granted stay as they are.
func (s *Sub) moveEnd(p *Period) {
	f := &s.Facts
	m, trial := f.month(p.Start)
	sameStart := f.monthly() && f.PeriodStart.Equal(p.Start) && f.own().contains(p.Start)
	if m.end.After(p.Start) && (p.GrantedAt == nil || sameStart) {
		p.moveTo(m, trial)
	}
}

// cut ends a period early. Its target becomes the part that has elapsed, and the rest is
// taken at once from what is unspent and unheld of its lot, wherever it lies; only what
// was spent or is held remains owed. A period that isn't granted yet remembers the
// target that it was cut to. While the subscription isn't in good standing nothing is
// taken before its time (B6): the turn takes it.
func (s *State) cut(sub *Sub, p *Period, at time.Time) error {
	whole := p.Target
	p.Target = part(whole, at.Sub(p.Start), p.End.Sub(p.Start), false)
	p.CutAt, p.End, p.dirty = &at, at, true
	if p.GrantedAt == nil {
		return nil
	}
	p.Owed += whole - p.Target
	if lapses(sub.Facts.Status) {
		return nil
	}
	return s.takeOwed(sub, p, at, "the period was cut short")
}

// takeOwed takes what a period owes from what is left of its lot, wherever it lies: the
// main account first, then the allocations in the order in which they were made.
func (s *State) takeOwed(sub *Sub, p *Period, at time.Time, memo string) error {
	taken, err := s.takeBack(sub, p, s.lotOf(sub, p), p.Owed, at, memo)
	p.Owed -= taken
	return err
}

// lotOf gives what is left of a period's own lot. It may be several lots of one lineage,
// when an assignment carried it from book to book (T13).
func (s *State) lotOf(sub *Sub, p *Period) []*ledger.Portion {
	var left []*ledger.Portion
	for _, portion := range s.Book.Portions() {
		l := portion.Lot
		if l.Series == sub.Facts.ID && l.Step == p.Number && l.Source != ledger.Rollover {
			left = append(left, portion)
		}
	}
	return left
}

// takeBack takes up to so many credits from what is free of the portions, in their order.
func (s *State) takeBack(sub *Sub, p *Period, from []*ledger.Portion, credits int64, at time.Time, memo string) (int64, error) {
	draws := []ledger.Draw{}
	for _, portion := range from {
		if n := min(portion.Free(), credits); n > 0 {
			draws = append(draws, ledger.Draw{Portion: portion, Credits: n})
			credits -= n
		}
	}
	if len(draws) == 0 {
		return 0, nil
	}
	p.TakeBacks++
	_, err := s.Book.TakeBack(ledger.Request{Key: takeBackKey(sub, p), Actor: actor, At: at, Memo: memo}, draws)
	if err != nil {
		return 0, err
	}
	taken := ledger.Sum(draws)
	p.TakenBack += taken
	p.dirty = true
	return taken, nil
}
