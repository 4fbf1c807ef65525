package teams

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"purser/billing"
)

// AssignSubscription puts one of the owner's personal subscriptions into the team (T13):
// its credits and the account's bought ones come along. The team's owner takes a seat if
// there is one. Only the subscription's owner may, who must own the team.
func AssignSubscription(ctx context.Context, tx pgx.Tx, c *billing.Catalog, teamID, subID string, by Actor, at instant) error {
	team, owner, err := ownTeam(ctx, tx, teamID, by)
	if err != nil {
		return err
	}
	slot := billing.Slot{TeamID: team.ID, BookID: team.BookID}
	if err := billing.Assign(ctx, tx, c, subID, owner.BookID, slot, by.Name(), at); err != nil {
		return asSubscriptionRefusal(err)
	}
	return seatOwner(ctx, tx, c, team.ID, at)
}

// UnassignSubscription takes the team's subscription back to its owner's personal
// account: of whoever owns the subscription, which need not be the team's owner any
// more, and who alone may ask for it (T1). Members with a seat become personal; the
// others keep drawing on what stays.
func UnassignSubscription(ctx context.Context, tx pgx.Tx, c *billing.Catalog, teamID string, by Actor, at instant) (string, error) {
	team, err := GetTeam(ctx, tx, teamID)
	if errors.Is(err, ErrTeamUnknown) {
		return "", errTeamUnknown(teamID)
	}
	if err != nil {
		return "", err
	}
	owner, err := mayUnassign(ctx, tx, team, by)
	if err != nil {
		return "", asSubscriptionRefusal(err)
	}
	slot := billing.Slot{TeamID: team.ID, BookID: team.BookID}
	id, err := billing.Unassign(ctx, tx, c, slot, owner.UserID, owner.BookID, by.Name(), at)
	if err != nil {
		return "", asSubscriptionRefusal(err)
	}
	return id, team.giveSeatsUp(ctx, tx, at)
}

// mayUnassign lets only the owner of the subscription pass, member or not, and the backend.
func mayUnassign(ctx context.Context, tx pgx.Tx, team Team, by Actor) (billing.Owner, error) {
	owner, unassigned := billing.AssignedOwner(ctx, tx, team.ID)
	if unassigned != nil && !errors.Is(unassigned, billing.ErrNotAssigned) {
		return billing.Owner{}, unassigned
	}
	r := &room{team: team}
	if unassigned != nil || by.User != owner.UserID {
		if err := r.findRole(ctx, tx, by); err != nil {
			return billing.Owner{}, err
		}
	}
	allowed := by.Backend() || unassigned == nil && by.User == owner.UserID || unassigned != nil && r.role == Owner
	if err := r.may(allowed, "unassign another's subscription"); err != nil {
		return billing.Owner{}, err
	}
	return owner, unassigned
}

// giveSeatsUp makes members with a seat personal, and invitations that reserve one credits.
func (t Team) giveSeatsUp(ctx context.Context, tx pgx.Tx, at instant) error {
	list, err := readRoster(ctx, tx, t.ID, at)
	if err != nil {
		return err
	}
	return t.takeSeats(ctx, tx, list.reserving(), list.seated(), byUnassigned, at)
}

// ownTeam gives a team to its owner, or to the backend, and refuses everybody else.
func ownTeam(ctx context.Context, tx pgx.Tx, teamID string, by Actor) (Team, User, error) {
	team, err := GetTeam(ctx, tx, teamID)
	if errors.Is(err, ErrTeamUnknown) {
		return Team{}, User{}, errTeamUnknown(teamID)
	}
	if err != nil {
		return Team{}, User{}, err
	}
	r := &room{team: team}
	if err := r.findRole(ctx, tx, by); err != nil {
		return Team{}, User{}, err
	}
	if err := r.may(r.role == Owner, "assign a subscription"); err != nil {
		return Team{}, User{}, err
	}
	owner, err := GetUser(ctx, tx, team.OwnerID)
	return team, owner, err
}

// seatOwner lets the team's owner take a seat on assignment, if one is free (T4).
func seatOwner(ctx context.Context, tx pgx.Tx, c *billing.Catalog, teamID string, at instant) error {
	r, err := openRoom(ctx, tx, c, teamID, Actor{}, at)
	if err != nil {
		return err
	}
	if r.team.ClosedAt != nil { // since somebody looked, without the lock
		return errTeamClosed()
	}
	list, err := readRoster(ctx, tx, teamID, at)
	if err != nil {
		return err
	}
	owner := list.find(r.team.OwnerID)
	if owner == nil || owner.SeatAt != nil || list.seats(r.plan(at).seats).free() < 1 {
		return nil
	}
	before := *owner
	owner.give(SeatAccess, at)
	if err := storeMember(ctx, tx, *owner); err != nil {
		return err
	}
	return billing.Tell(ctx, tx, r.team.changed(before, *owner, byPurser, at)...)
}

func asSubscriptionRefusal(err error) error {
	switch {
	case errors.Is(err, billing.ErrNotAssigned):
		return refuse(Conflict, "no_subscription", "the team has no subscription")
	case errors.Is(err, billing.ErrTeamTaken):
		return refuse(Conflict, "subscription_present", "the team has a subscription already")
	case errors.Is(err, billing.ErrNotUnassigned):
		return refuse(NotFound, "subscription_not_found", "there is no such subscription on the owner's personal account")
	case errors.Is(err, billing.ErrPlanNoTeams):
		return refuse(Rule, "plan_without_teams", "the subscription's plan doesn't allow teams")
	}
	return err
}
