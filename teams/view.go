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
	Features    []string    // of the team's plan, or nil: the member's own count
	AllocatedIn int64       // free in the allocation
	HeldIn      int64       // held in the allocation
	Used        int64       // by the member, from pool and allocation, since the period's start
	Held        int64       // by the member, from pool and allocation
	Available   int64       // what the member could draw now
	Limit       *LimitState // nil: none
	Personal    bool        // the member's own credits pay
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
	used := map[string]int64{}
	for _, u := range usage {
		used[u.Holder] = u.Total()
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

func (r *room) memberView(m Member, rules planRules, used int64, drawn ledger.FromMain, at instant) MemberView {
	v := MemberView{Member: m, Used: used, Personal: m.Access == PersonalAccess}
	if m.Access == SeatAccess {
		v.Features = rules.features
	}
	_, end, _ := r.state.CurrentPeriod(at)
	v.Limit = limitState(m.Limit(), Drawn{Window: drawn.Window, Total: drawn.Total}, end)
	if allocation, ok := r.state.Book.AllocationOf(m.UserID); ok {
		v.AllocatedIn, v.HeldIn = allocation.Available(at), allocation.Held
	}
	if !v.Personal {
		p := pay(r.team, m, r.state.Book, nil, Drawn{Window: drawn.Window, Total: drawn.Total}, end)
		v.Available = p.available(at)
	}
	return v
}
