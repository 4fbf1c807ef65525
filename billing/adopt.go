package billing

import (
	"reflect"
	"time"

	"purser/ledger"
)

// adopt takes in what Stripe changed of the latest period: it was cut short, its end
// moved, its trial ended early or was extended.
func (s *State) adopt(sub *Sub) error {
	s.dropGuesses(sub)
	s.refreshFigures(sub)
	p := sub.last()
	if p.TurnedAt != nil || p.CutAt != nil {
		return nil
	}
	if p.Trial {
		s.adoptTrial(sub, p)
		return nil
	}
	if cut := s.cutInstant(sub, p); cut != nil {
		return s.cut(sub, p, *cut)
	}
	s.moveEnd(sub, p)
	return nil
}

// dropGuesses forgets periods that the clock opened after one that Stripe, as we hear
// now, had cut short.
func (s *State) dropGuesses(sub *Sub) {
	for len(sub.Periods) > 1 {
		last, prior := sub.last(), sub.Periods[len(sub.Periods)-2]
		if last.GrantedAt != nil || last.TurnedAt != nil || prior.TurnedAt != nil || prior.CutAt != nil ||
			prior.Trial || s.cutInstant(sub, prior) == nil {
			return
		}
		sub.Periods = sub.Periods[:len(sub.Periods)-1]
		sub.dirty = true
	}
}

// refreshFigures keeps the periods that are not granted yet at today's catalogue.
func (s *State) refreshFigures(sub *Sub) {
	for _, p := range sub.Periods {
		if p.GrantedAt == nil && p.TurnedAt == nil {
			if f := figure(s.Catalog, sub.Facts.Items, nil); !reflect.DeepEqual(f, p.Figures) {
				p.Figures, p.dirty = f, true
			}
		}
	}
}

// adoptTrial follows a trial's end. A trial is never cut: one that ends early just
// ends, one that is extended keeps its lot (B4).
func (s *State) adoptTrial(sub *Sub, p *Period) {
	end := p.End
	switch f := &sub.Facts; {
	case f.Status == StatusTrialing && f.TrialEnd != nil:
		end = *f.TrialEnd
	case f.endedAt() != nil && f.endedAt().Before(end):
		end = later(*f.endedAt(), p.Start)
	case f.Status != StatusTrialing && f.PeriodStart.After(p.Start) && f.PeriodStart.Before(end):
		end = f.PeriodStart
	}
	if !end.Equal(p.End) && !end.Before(p.Start) {
		p.End, p.FullEnd, p.dirty = end, end, true
	}
}

// cutInstant tells where a period was cut short (B11): where Stripe's own period begins
// in its middle, or where the subscription ended with money given back.
func (s *State) cutInstant(sub *Sub, p *Period) *time.Time {
	f := &sub.Facts
	if p.Start.Before(f.PeriodStart) && f.PeriodStart.Before(p.End) {
		return &f.PeriodStart
	}
	if end := f.endedAt(); end != nil && p.span().contains(*end) && s.catalogued(sub, p) && sub.moneyBack(s.Catalog, p, *end) {
		return end
	}
	return nil
}

func (s *State) catalogued(sub *Sub, p *Period) bool { return p.Figures.Mapped() && !p.Trial }

// moveEnd follows an end that Stripe moved without beginning a new period.
func (s *State) moveEnd(sub *Sub, p *Period) {
	m, trial := sub.Facts.month(p.Start)
	if trial || sub.Facts.Status.Ended() || m.end.Equal(p.End) || !m.end.After(p.Start) {
		return
	}
	own := m.start.Equal(p.Start) && sub.Facts.PeriodStart.Equal(p.Start) && sub.Facts.monthly()
	if p.GrantedAt == nil || own {
		p.End, p.FullEnd, p.dirty = m.end, m.end, true
	}
}

// cut ends a period early. Its target becomes the part that has elapsed, settled at
// once from what is unspent and unheld of its lot, wherever it lies; only what was
// spent or is held remains owed. A period that isn't granted yet remembers the cut.
func (s *State) cut(sub *Sub, p *Period, at time.Time) error {
	p.CutAt, p.End, p.dirty = &at, at, true
	if p.GrantedAt == nil {
		return nil
	}
	target := p.elapsed(p.Target)
	p.Owed += p.Target - target
	p.Target = target
	taken, err := s.takeBack(sub, p, s.Book.Take, p.Owed, at, "the period was cut short")
	p.Owed -= taken
	return err
}

// takeBack takes up to so many credits of the period's lot, where choose finds them.
func (s *State) takeBack(sub *Sub, p *Period, choose func(*ledger.Lot, int64) []ledger.Draw, credits int64, at time.Time, memo string) (int64, error) {
	lot, ok := s.Book.Lot(p.LotOrigin)
	if !ok || credits == 0 {
		return 0, nil
	}
	draws := choose(lot, credits)
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
