package billing

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"purser/ledger"
)

// has compares all that is left, lot by lot in draw order: source, where it lies, from
// when until when, as in "monthly: pool 2800 (200 held), ann 1000; 2025-01-01..2025-02-02".
func (s *story) has(want ...string) *story {
	s.t.Helper()
	if got := s.lots(); !slices.Equal(got, want) {
		s.t.Fatalf("lots:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
	return s
}

func (s *story) lots() []string {
	var order []*ledger.Lot
	where := map[*ledger.Lot][]string{}
	for _, p := range s.state.Book.Portions() {
		name := "pool"
		if p.Account.Kind == ledger.Allocation {
			name = p.Account.Holder
		}
		text := fmt.Sprintf("%s %d", name, p.Balance)
		if p.Held > 0 {
			text += fmt.Sprintf(" (%d held)", p.Held)
		}
		if where[p.Lot] == nil {
			order = append(order, p.Lot)
		}
		where[p.Lot] = append(where[p.Lot], text)
	}
	slices.SortStableFunc(order, func(a, b *ledger.Lot) int {
		return cmp.Or(a.ExpiresAt.Compare(*b.ExpiresAt), a.EffectiveAt.Compare(b.EffectiveAt), cmp.Compare(a.ID, b.ID))
	})
	lines := []string{}
	for _, l := range order {
		line := fmt.Sprintf("%s: %s; %s..%s", l.Source, strings.Join(where[l], ", "), shortly(l.EffectiveAt), shortly(*l.ExpiresAt))
		if l.Frozen {
			line += " frozen"
		}
		lines = append(lines, line)
	}
	return lines
}

func shortly(t time.Time) string {
	return strings.TrimSuffix(t.Format("2006-01-02 15:04"), " 00:00")
}

// remembers compares a period: "T 3000 O 2200 granted 8000 taken 2800".
func (s *story) remembers(number int64, want string) *story {
	s.t.Helper()
	p := s.sub.period(number)
	if p == nil {
		s.t.Fatalf("there is no period %d", number)
	}
	if got := fmt.Sprintf("T %d O %d granted %d taken %d", p.Target, p.Owed, p.Granted, p.TakenBack); got != want {
		s.t.Fatalf("period %d: %s, want %s", number, got, want)
	}
	return s
}

// spans compares when the periods begin and end.
func (s *story) spans(want ...string) *story {
	s.t.Helper()
	got := []string{}
	for _, p := range s.sub.Periods {
		text := shortly(p.Start) + ".." + shortly(p.End)
		if p.Trial {
			text += " trial"
		}
		if p.CutAt != nil {
			text += " cut"
		}
		if p.GrantedAt == nil {
			text += " ungranted"
		}
		got = append(got, text)
	}
	if !slices.Equal(got, want) {
		s.t.Fatalf("periods:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
	return s
}

// granted gives the keys of the grants so far.
func (s *story) grantKeys() []string {
	keys := []string{}
	for _, e := range s.state.Book.Entries() {
		if e.Kind == ledger.KindGrant && e.Actor == actor {
			keys = append(keys, fmt.Sprintf("%s %d", e.Key, e.Credits))
		}
	}
	return keys
}

// posted adds up what was posted of a kind.
func (s *story) posted(kind ledger.EntryKind) int64 {
	var sum int64
	for _, e := range s.state.Book.Entries() {
		if e.Kind == kind {
			sum += e.Credits
		}
	}
	return sum
}
