package billing

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"purser/ledger"
)

// live does the deeds in a new story, settling at each and, with a wait, in between.
func live(t *rapid.T, plans []Plan, life []deed, wait time.Duration) *story {
	s := tell(t, plans...).subscribes("2024-01-01", item("team_month", 0))
	last := life[0].at
	most := map[int64]int64{}
	for _, d := range life {
		for at := last.Add(wait); wait > 0 && at.Before(d.at); at = at.Add(wait) {
			s.at(at)
			s.holdsGood(t, most)
		}
		if d.name != "hear" {
			s.at(d.at)
		}
		d.do(s)
		s.at(d.at)
		s.holdsGood(t, most)
		last = d.at
	}
	return s
}

// holdsGood checks what must be true at any time. The most that each period's target
// ever was is kept in most.
func (s *story) holdsGood(t *rapid.T, most map[int64]int64) {
	var granted, taken int64
	for i, p := range s.sub.Periods {
		most[p.Number] = max(most[p.Number], p.Target)
		net := p.Granted - p.TakenBack
		switch {
		case p.Target < 0 || p.Owed < 0 || p.Granted < 0 || p.TakenBack < 0 || p.Rolled < 0 || net < 0 || s.sub.Owed < 0:
			t.Fatalf("a figure is negative: %+v", *p)
		case p.End.Before(p.Start) || p.FullEnd.Before(p.End):
			t.Fatalf("period %d ends before it begins: %s..%s (%s)", p.Number, p.Start, p.End, p.FullEnd)
		case i > 0 && p.Start.Before(s.sub.Periods[i-1].End):
			t.Fatalf("period %d overlaps: %s..%s after %s", p.Number, p.Start, p.End, s.sub.Periods[i-1].End)
		case net > most[p.Number]:
			t.Fatalf("period %d was granted %d net, though its target was never above %d", p.Number, net, most[p.Number])
		case p.TurnedAt == nil && net > p.Target+p.Owed && !slices.ContainsFunc(p.Figures.Plans, func(f PlanFigures) bool { return f.Proration }):
			t.Fatalf("period %d was granted %d net: more than T %d and O %d say", p.Number, net, p.Target, p.Owed)
		case p.GrantedAt == nil && p.Granted != 0:
			t.Fatalf("period %d: %d credits without a grant", p.Number, p.Granted)
		}
		granted, taken = granted+p.Granted, taken+p.TakenBack
	}
	if g, b := s.posted(ledger.KindGrant), s.posted(ledger.KindTakeBack); g != granted || b != taken {
		t.Fatalf("posted %d and took back %d, but the periods say %d and %d", g, b, granted, taken)
	}
	for _, p := range s.state.Book.Portions() {
		if _, turned := s.state.turnedPeriod(p.Lot); turned != nil && p.Free() > 0 {
			t.Fatalf("%d credits are free in lot %s, whose period has turned", p.Free(), p.Lot.Origin)
		}
	}
}

func (s *story) told() []string {
	lines := s.lots()
	for _, p := range s.sub.Periods {
		lines = append(lines, fmt.Sprintf("period %d %s..%s T %d O %d granted %d taken %d rolled %d turned %v", p.Number, shortly(p.Start), shortly(p.End),
			p.Target, p.Owed, p.Granted, p.TakenBack, p.Rolled, p.TurnedAt != nil))
	}
	return append(lines, fmt.Sprint("owed ", s.sub.Owed, " ", s.sub.customerOwed.now))
}

func TestWalk(t *testing.T) {
	life := func(t *rapid.T, prompt bool) []deed {
		return (&world{t: t, prompt: prompt}).lives(rapid.IntRange(1, 20).Draw(t, "deeds"))
	}
	wait := func(t *rapid.T) time.Duration {
		return time.Duration(rapid.IntRange(60, 1000).Draw(t, "wait")) * time.Hour
	}
	t.Run("B8_SettlingInBetweenChangesNothing", rapid.MakeCheck(func(t *rapid.T) {
		plans, life := plans(t), life(t, true)
		seldom, often := live(t, plans, life, 0).told(), live(t, plans, life, wait(t)).told()
		if !slices.Equal(seldom, often) {
			t.Fatalf("settled seldom:\n\t%s\nsettled often:\n\t%s", strings.Join(seldom, "\n\t"), strings.Join(often, "\n\t"))
		}
	}))
	t.Run("B8_RenewalsHeardOfLateCostNobodyACredit", rapid.MakeCheck(func(t *rapid.T) {
		plans := plans(t)
		for i := range plans {
			plans[i].GrantRule = GrantRulePaid
		}
		w := &world{t: t, prompt: true}
		w.begin()
		w.hears()
		for range rapid.IntRange(1, 6).Draw(t, "waits") {
			days := rapid.SampledFrom([]int{30, 9, 2, 40, 70, 20}).Draw(t, "days")
			w.passes(time.Duration(days*24+w.draw("hours", 0, 24)) * time.Hour)
		}
		w.hears()
		prompt := live(t, plans, w.life, 0).told()
		late := live(t, plans, []deed{w.life[0], w.life[len(w.life)-1]}, 0).told()
		if !slices.Equal(prompt, late) {
			t.Fatalf("heard promptly:\n\t%s\nheard late:\n\t%s", strings.Join(prompt, "\n\t"), strings.Join(late, "\n\t"))
		}
	}))
	t.Run("B8_NothingFallsDueBeforeItWasSaidTo", rapid.MakeCheck(func(t *rapid.T) {
		s := tell(t, plans(t)...).subscribes("2024-01-01", item("team_month", 0))
		for _, d := range life(t, true) {
			s.at(d.at)
			d.do(s)
			s.at(d.at)
			due := d.at.AddDate(2, 0, 0)
			for _, at := range []*time.Time{s.state.nextDue(s.sub), s.state.Book.NextDue()} {
				if at != nil {
					due = earlier(due, *at)
				}
			}
			if !due.After(d.at) {
				t.Fatalf("at %s something is due at %s", d.at, due)
			}
			before := s.told()
			if after := s.at(due.Add(-1)).told(); !slices.Equal(before, after) {
				t.Fatalf("at %s nothing was due before %s, but then\n\t%s\nbecame\n\t%s", d.at, due, strings.Join(before, "\n\t"), strings.Join(after, "\n\t"))
			}
		}
	}))
	t.Run("B10_WhateverIsHeardHoweverLateNothingIsMinted", rapid.MakeCheck(func(t *rapid.T) {
		live(t, plans(t), life(t, false), wait(t))
	}))
}
