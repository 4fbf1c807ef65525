package web

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
	"purser/teams"
)

// overview is the first page: how a pool or a personal account stands.
type overview struct {
	Pool     billing.Pool
	Went     bar // where the credits went
	Came     bar // and where they came from
	Seats    *seats
	Grant    *billing.Forecast // the next one
	Rolls    int64             // what rolls over at the period's end
	Ends     []ending          // what expires when, the soonest first
	More     int64             // how many later ones aren't shown
	Warnings []warning
	Members  int64
	Disputed bool               // a payment for it is
	Teams    []teams.Membership // of an account
}

// seats are those of a team with a subscription that has any.
type seats struct{ Bought, Assigned, Reserved, Free int64 }

// ending is a lot that ends.
type ending struct {
	Source  string
	Credits int64
	At      *time.Time
	Held    int64
}

// warning is something that whoever manages credits should know.
type warning struct {
	Text   string
	Action string // what to do about it, and where
	Path   string
	Grave  bool
}

// endingsMax is how many endings the first page shows.
const endingsMax = 6

func (s *Server) registerOverview() {
	s.page(Root+"/teams/{team}", func(ctx context.Context, tx pgx.Tx, v *visit) (view, error) {
		if !v.Manages() {
			return s.mine(ctx, tx, v)
		}
		shown, err := teams.View(ctx, tx, s.cfg.Catalog, v.Team.ID, v.By, v.At)
		if err != nil {
			return view{}, err
		}
		o, err := s.overviewOf(ctx, tx, v, v.Team.BookID)
		if err != nil {
			return view{}, err
		}
		o.Members = int64(len(shown.Members))
		if n := shown.Seats; n.Bought+n.Assigned+n.Reserved > 0 {
			o.Seats = &seats{n.Bought, n.Assigned, n.Reserved, max(0, n.Bought-n.Assigned-n.Reserved)}
		}
		setting, err := teams.GetAutoTopUp(ctx, tx, v.Team.ID, "", v.By)
		if err != nil {
			return view{}, err
		}
		o.Warnings = v.warnings(o, setting)
		return view{"overview", v.Team.Name, o}, nil
	})
	s.page(Root+"/account", func(ctx context.Context, tx pgx.Tx, v *visit) (view, error) {
		o, err := s.overviewOf(ctx, tx, v, v.Person.BookID)
		if err != nil {
			return view{}, err
		}
		setting, err := teams.GetAutoTopUp(ctx, tx, "", v.By.User, v.By)
		if err != nil {
			return view{}, err
		}
		o.Warnings = v.warnings(o, setting)
		return view{"overview", v.T("account.title"), o}, nil
	})
	s.page(Root+"/teams/{team}/mine", s.mine)
}

func (s *Server) overviewOf(ctx context.Context, tx pgx.Tx, v *visit, book int64) (*overview, error) {
	e, err := billing.Explain(ctx, tx, s.cfg.Catalog, book, v.At)
	if err != nil {
		return nil, err
	}
	o := &overview{Pool: e.Pool}
	p := e.Pool
	o.Went = v.bar(part{"used", p.Used}, part{"held", p.Held}, part{"allocated", p.Allocated}, part{"frozen", p.Frozen}, part{"available", p.Available})
	o.Came = v.came(p)
	for _, f := range e.Next {
		switch {
		case f.Kind == ledger.KindGrant && o.Grant == nil:
			o.Grant = &f
		case f.Kind == ledger.KindRollover:
			o.Rolls += f.Credits
		}
	}
	o.Ends = endings(p.Lots)
	if o.Disputed, err = billing.HasOpenDispute(ctx, tx, book); err != nil {
		return nil, err
	}
	if len(o.Ends) > endingsMax {
		o.More, o.Ends = int64(len(o.Ends)-endingsMax), o.Ends[:endingsMax]
	}
	return o, nil
}

// endings puts lots of one source that end at one instant together.
func endings(lots []billing.LotView) []ending {
	var ends []ending
	for _, l := range lots {
		if l.Remaining == 0 {
			continue
		}
		i := slices.IndexFunc(ends, func(e ending) bool {
			return e.Source == l.Source && (e.At == nil) == (l.ExpiresAt == nil) && (e.At == nil || e.At.Equal(*l.ExpiresAt))
		})
		if i < 0 {
			i = len(ends)
			ends = append(ends, ending{Source: l.Source, At: l.ExpiresAt})
		}
		ends[i].Credits += l.Remaining
		ends[i].Held += l.Held
	}
	slices.SortStableFunc(ends, func(a, b ending) int {
		switch {
		case a.At == nil || b.At == nil:
			return compareNil(a.At == nil, b.At == nil)
		}
		return a.At.Compare(*b.At)
	})
	return ends
}

// compareNil puts what never ends last.
func compareNil(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// warnings says what is the matter, if something is.
func (v *visit) warnings(o *overview, topUp billing.AutoTopUp) []warning {
	var said []warning
	p := o.Pool
	say := func(grave bool, key, below string, args ...any) {
		w := warning{Text: v.T("warning."+key, args...), Grave: grave}
		if below != "" {
			w.Action, w.Path = v.T("warning."+key+".action"), v.Path(below)
		}
		said = append(said, w)
	}
	if v.Team != nil && v.Team.SuspendedAt != nil {
		say(true, "suspended", "")
	}
	if v.Team == nil && v.Person.SuspendedAt != nil {
		say(true, "suspended_user", "")
	}
	if v.Team != nil && v.Team.ClosedAt != nil {
		say(true, "closed", "")
	}
	if key := "status." + string(p.Status); v.Has("warning." + key) {
		say(true, key, "billing")
	}
	if p.Debt > 0 {
		say(true, "debt", "explain", p.Debt)
	}
	switch {
	case p.Frozen > 0:
		say(true, "frozen", "explain", p.Frozen)
	case o.Disputed: // what it paid for is used already
		say(true, "dispute", "billing")
	}
	if n := o.Seats; n != nil && n.Assigned+n.Reserved > n.Bought {
		say(true, "seats", "members", n.Assigned+n.Reserved-n.Bought)
	}
	switch percent := p.Low(); {
	case p.Available == 0 && p.Total > 0:
		say(true, "empty", "billing")
	case p.Total == 0 && (v.Team == nil || v.Team.ClosedAt == nil):
		say(false, "none", "billing")
	case percent > 0:
		say(false, "low", "billing", p.Available)
	}
	if key := "top_up." + topUp.State; topUp.On && v.Has("warning."+key) {
		say(topUp.State == billing.TopUpSuspended || topUp.State == billing.TopUpAction, key, "billing", v.Word("reason", topUp.Reason))
	}
	return said
}

// came is where a pool's credits came from.
func (v *visit) came(p billing.Pool) bar {
	return v.bar(part{"monthly", p.Monthly}, part{"rollover", p.Rollover}, part{"purchased", p.Purchased}, part{"bonus", p.Bonus}, part{"contributed", p.Contributed})
}

// part is a part of a whole, by the name that its text and its colour have.
type part struct {
	Name    string
	Credits int64
}

// bar is a whole drawn as one bar of its parts.
type bar struct {
	Total int64
	Parts []segment
}

// Long tells whether its numbers need more room than others.
func (b bar) Long() bool { return b.Total >= 100_000_000 }

// segment is a part as it is drawn: from where to where, in thousandths of the bar.
type segment struct {
	part
	Text     string
	X, Width int64
}

// barWidth is how long a bar is, in the units that it is drawn in.
const barWidth = 1000

func (v *visit) bar(parts ...part) bar {
	b := bar{}
	for _, p := range parts {
		b.Total += p.Credits
	}
	var until int64
	for _, p := range parts {
		from := until
		until += p.Credits
		seg := segment{part: p, Text: v.T("part." + p.Name)}
		if b.Total > 0 {
			// In thousandths of a total of up to 10^18 nothing overflows this way round.
			seg.X = scaled(from, b.Total)
			seg.Width = scaled(until, b.Total) - seg.X
		}
		b.Parts = append(b.Parts, seg)
	}
	return b
}

// scaled is what part of a bar so much of the whole takes.
func scaled(part, whole int64) int64 {
	return int64(float64(part) / float64(whole) * barWidth)
}
