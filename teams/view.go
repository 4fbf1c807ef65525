package teams

import (
	"context"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
)

// MemberView is a member with the figures of T14, for the current period.
type MemberView struct {
	Member
	Features   []string   // of the team's plan, or nil: the member's own count
	Allocation Allocation // in the current period

	Used      int64       // by the member, from pool and allocation, since the period's start
	Held      int64       // by the member, from pool and allocation
	Available int64       // what the member could draw now
	Limit     *LimitState // nil: none
	Personal  bool        // the member's own credits pay
}

// Allocation is a member's allocation in the current period. All is what it had when the
// period began and what was moved there since, less what left it unspent. So, as in B12,
// All is Used, Held, Frozen and Remaining together.
type Allocation struct {
	All       int64
	Used      int64 // of the allocation since the period's start, less what was given back of it
	Held      int64 // by open holds, also of frozen credits
	Frozen    int64 // disputed, and unheld
	Remaining int64
}

// allocationOf adds up a holder's allocation in a settled book.
func allocationOf(b *ledger.Book, holder string, used int64, at instant) Allocation {
	a := Allocation{Used: used}
	if account, ok := b.AllocationOf(holder); ok {
		a.Held, a.Remaining, a.Frozen = account.Held, account.Available(at), account.Frozen()
	}
	a.All = a.Used + a.Held + a.Frozen + a.Remaining
	return a
}

// TeamView is a team with its pool (B12) and its members (T14).
type TeamView struct {
	Team     Team
	Role     Role // of whoever asks
	Pool     billing.Pool
	Plan     string
	Features []string
	Teams    bool
	Max      int
	Seats    struct{ Bought, Assigned, Reserved int64 }
	Members  []MemberView
	Usage    []ledger.Usage // by holder, those who left included; of a plain member one's own
}

// View shows a team as it stands: what is due counts as done. A plain member sees the
// pool and their own row. The transaction should be REPEATABLE READ; nothing is written.
func View(ctx context.Context, tx pgx.Tx, c *billing.Catalog, teamID string, by Actor, at instant) (*TeamView, error) {
	r, err := viewRoom(ctx, tx, c, teamID, by, at)
	if err != nil {
		return nil, err
	}
	state := r.state
	start, _, _ := state.CurrentPeriod(at)
	usage, err := ledger.UsageSince(ctx, tx, state.Book, start)
	if err != nil {
		return nil, err
	}
	list, err := readRoster(ctx, tx, teamID, at)
	if err != nil {
		return nil, err
	}
	drawn, err := ledger.DrawnSince(ctx, tx, state.Book, start)
	if err != nil {
		return nil, err
	}
	held, err := ledger.HeldBy(ctx, tx, state.Book.ID, at)
	if err != nil {
		return nil, err
	}
	return r.view(list, usage, drawn, held, at), nil
}

func (r *room) view(list *roster, usage []ledger.Usage, drawn map[string]ledger.FromMain, held map[string]int64, at instant) *TeamView {
	rules := r.plan(at)
	v := &TeamView{
		Team: r.team, Role: r.role, Pool: billing.Summarize(r.state, usage, at), Plan: rules.name, Features: rules.features,
		Teams: rules.teams, Max: rules.membersMax,
	}
	s := list.seats(rules.seats)
	v.Seats.Bought, v.Seats.Assigned, v.Seats.Reserved = s.Bought, s.Assigned, s.Reserved
	if r.role.Manages() { // who sees everybody; a team may be large
		v.Usage, v.Members = make([]ledger.Usage, 0, len(usage)), make([]MemberView, 0, len(list.members))
	}
	used := make(map[string]ledger.Usage, len(usage))
	for _, u := range usage {
		used[u.Holder] = u
		if r.sees(u.Holder) {
			v.Usage = append(v.Usage, u)
		}
	}
	for _, m := range list.members {
		if r.sees(m.UserID) {
			row := r.memberView(m, rules, used[m.UserID], drawn[m.UserID], at)
			row.Held = held[m.UserID]
			v.Members = append(v.Members, row)
		}
	}
	return v
}

// sees tells whether whoever asks may see a member's figures.
func (r *room) sees(userID string) bool {
	return r.role.Manages() || r.member != nil && r.member.UserID == userID
}

func (r *room) memberView(m Member, rules planRules, used ledger.Usage, drawn ledger.FromMain, at instant) MemberView {
	v := MemberView{
		Member: m, Used: used.Total(), Personal: m.Access == PersonalAccess, Allocation: allocationOf(r.state.Book, m.UserID, used.Allocation, at),
	}
	if m.Access == SeatAccess {
		v.Features = rules.features
	}
	_, end, _ := r.state.CurrentPeriod(at)
	v.Limit = limitState(m.Limit(), Drawn{Window: drawn.Window, Total: drawn.Total}, end)
	if !v.Personal {
		p := pay(r.team, m, r.state.Book, nil, Drawn{Window: drawn.Window, Total: drawn.Total}, end)
		v.Available = p.available(at)
	}
	return v
}
