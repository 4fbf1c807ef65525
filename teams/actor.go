package teams

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
)

// Actor is who asks. Without a user it is the product's backend itself, whom no role
// limits; with one, that user's role in the team decides.
type Actor struct {
	User string
	As   string // without a user: who is written down; "": backend
}

// Name is how the actor is written into history.
func (a Actor) Name() string {
	switch {
	case a.User != "":
		return a.User
	case a.As != "":
		return a.As
	}
	return "backend"
}

// Backend tells whether the backend itself asks.
func (a Actor) Backend() bool { return a.User == "" }

// room is one team opened under its lock, for something other than spending.
type room struct {
	team   Team
	state  *billing.State
	role   Role // of whoever asks; the backend is as an owner
	member *Member

	suspended bool // whoever asks is
}

// openRoom locks a team's book, loads it, settles it, and finds out what role the actor
// has. To somebody who is no member the team doesn't exist.
func openRoom(ctx context.Context, tx pgx.Tx, c *billing.Catalog, teamID string, by Actor, at instant) (*room, error) {
	r, err := enterRoom(ctx, tx, c, teamID, at, ledger.Want{})
	if err != nil {
		return nil, err
	}
	return r, r.findRole(ctx, tx, by)
}

// enterRoom is openRoom before anybody's role is asked for.
func enterRoom(ctx context.Context, tx pgx.Tx, c *billing.Catalog, teamID string, at instant, want ledger.Want) (*room, error) {
	team, err := GetTeam(ctx, tx, teamID)
	if errors.Is(err, ErrTeamUnknown) {
		return nil, errTeamUnknown(teamID)
	}
	if err != nil {
		return nil, err
	}
	want.Book = team.BookID
	state, err := billing.OpenState(ctx, tx, c, at, want)
	if err != nil {
		return nil, err
	}
	if err := state.Settle(at); err != nil {
		return nil, err
	}
	// What was read before the lock only told what to lock.
	team, err = GetTeam(ctx, tx, teamID)
	return &room{team: team, state: state}, err
}

func errTeamUnknown(id string) *Refusal {
	return refuse(NotFound, "team_not_found", "there is no team %q", id)
}

func errTeamClosed() *Refusal { return refuse(Conflict, "team_closed", "the team is closed") }

func errUserUnknown(id string) *Refusal {
	return refuse(NotFound, "user_not_found", "there is no user %q", id)
}

func (r *room) findRole(ctx context.Context, db billing.DB, by Actor) error {
	if by.Backend() {
		r.role = Owner
		return nil
	}
	m, err := GetMember(ctx, db, r.team.ID, by.User)
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return errTeamUnknown(r.team.ID)
	}
	if err != nil {
		return err
	}
	user, err := GetUser(ctx, db, by.User)
	r.role, r.member, r.suspended = m.Role, &m, user.SuspendedAt != nil
	return err
}

// may refuses in S4's order: suspended or closed, then the role.
func (r *room) may(allowed bool, what string) error {
	switch {
	case r.team.SuspendedAt != nil:
		return refuse(Suspended, "team_suspended", "the team is suspended")
	case r.suspended:
		return refuse(Suspended, "user_suspended", "the user is suspended")
	case !allowed:
		return refuse(Forbidden, "role_forbids", "a %s may not %s", r.role, what)
	case r.team.ClosedAt != nil:
		return errTeamClosed()
	}
	return nil
}

// plan gives the rules that the team lives by: its subscription's plan, or what the
// catalogue says of teams without one.
func (r *room) plan(at instant) planRules {
	sub := r.state.Leading(at)
	if sub == nil {
		w := r.state.Catalog.WithoutSubscription
		return planRules{teams: w.Teams, membersMax: w.MembersMax, features: w.Features}
	}
	plan, ok := r.state.Catalog.Plan(sub.Lead(r.state.Catalog))
	if !ok {
		return planRules{teams: true, membersMax: billing.MembersMaxLimit, seats: sub.SeatsBought(r.state.Catalog)}
	}
	return planRules{name: plan.Name, teams: plan.Teams, membersMax: plan.MembersMax, features: plan.Features, seats: sub.SeatsBought(r.state.Catalog)}
}

type planRules struct {
	name       string
	teams      bool
	membersMax int
	features   []string
	seats      int64
}

// Look gives a team as somebody may see it, with the role that one has in it. To somebody
// who is no member the team doesn't exist.
func Look(ctx context.Context, db billing.DB, teamID string, by Actor) (Team, Role, error) {
	team, err := GetTeam(ctx, db, teamID)
	if errors.Is(err, ErrTeamUnknown) {
		return Team{}, NoRole, errTeamUnknown(teamID)
	}
	if err != nil {
		return Team{}, NoRole, err
	}
	r := &room{team: team}
	err = r.findRole(ctx, db, by)
	return team, r.role, err
}
