package teams

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
)

// AccessAnswer answers both questions about a member (T4): which features, and which
// credits.
type AccessAnswer struct {
	Member    Member
	Features  []string
	Plan      string // whose features they are; "": of no subscription
	OfTeam    bool   // the features are the team plan's, not the member's own
	Personal  bool   // the member's own credits pay
	Available int64  // what the member could draw now
	Limit     *LimitState
	Refused   *Refusal // why any spend would be refused now, if one would
}

// Ask answers for one member. Members may ask about themselves, those who manage the team
// about all. The transaction should be REPEATABLE READ; nothing is written.
func Ask(ctx context.Context, tx pgx.Tx, c *billing.Catalog, teamID, userID string, by Actor, at instant) (*AccessAnswer, error) {
	view, err := viewRoom(ctx, tx, c, teamID, by, at)
	if err != nil {
		return nil, err
	}
	m, err := GetMember(ctx, tx, teamID, userID)
	if err != nil {
		return nil, err
	}
	if !view.sees(userID) {
		return nil, refuse(Forbidden, "role_forbids", "a %s may not see another member's access", view.role)
	}
	user, err := GetUser(ctx, tx, userID)
	if err != nil {
		return nil, err
	}
	own, err := viewOf(ctx, tx, c, user.BookID, at)
	if err != nil {
		return nil, err
	}
	start, end, _ := view.state.CurrentPeriod(at)
	all, err := ledger.DrawnSince(ctx, tx, view.state.Book, start)
	if err != nil {
		return nil, err
	}
	drawn := Drawn{Window: all[userID].Window, Total: all[userID].Total}
	p := pay(view.team, m, view.state.Book, own.Book, drawn, end)
	a := &AccessAnswer{Member: m, Personal: p.personal, Available: p.available(at), Limit: limitState(m.Limit(), drawn, end)}
	rules := (&room{state: own}).plan(at)
	if a.OfTeam = m.Access == SeatAccess; a.OfTeam {
		rules = view.plan(at)
	}
	a.Features, a.Plan = rules.features, rules.name
	a.Refused = refusedNow(view.team, user, p, m, at)
	return a, nil
}

// refusedNow tells why a spend of one credit would be refused, if it would.
func refusedNow(team Team, user User, p payment, m Member, at instant) *Refusal {
	d := desk{users: map[string]*User{user.ID: &user}}
	var refusal *Refusal
	if errors.As(d.suspended(&team, user.ID), &refusal) {
		return refusal
	}
	if team.ClosedAt != nil {
		return errTeamClosed()
	}
	if p.available(at) < 1 {
		return p.short(team, 1, at, m.Access != PersonalAccess)
	}
	return nil
}

// viewRoom shows a room without a lock, to somebody with a role in it.
func viewRoom(ctx context.Context, tx pgx.Tx, c *billing.Catalog, teamID string, by Actor, at instant) (*room, error) {
	team, err := GetTeam(ctx, tx, teamID)
	if errors.Is(err, ErrTeamUnknown) {
		return nil, errTeamUnknown(teamID)
	}
	if err != nil {
		return nil, err
	}
	state, err := viewOf(ctx, tx, c, team.BookID, at)
	if err != nil {
		return nil, err
	}
	r := &room{team: team, state: state}
	return r, r.findRole(ctx, tx, by)
}

// viewOf settles a book in memory, to be looked at.
func viewOf(ctx context.Context, tx pgx.Tx, c *billing.Catalog, book int64, at instant) (*billing.State, error) {
	state, err := billing.ViewState(ctx, tx, c, at, book)
	if err != nil {
		return nil, err
	}
	return state, state.Settle(at)
}
