package teams

import (
	"context"
	"errors"
	"slices"

	"purser/billing"
)

// TeamPortal says which customer's billing portal opens for a team's subscription (E5):
// to whoever owns the subscription, member or not, and to the backend. That a team is
// suspended stops its spends, not its bills.
func TeamPortal(ctx context.Context, db billing.DB, teamID string, flow billing.PortalFlow, by Actor) (billing.PortalIn, error) {
	team, err := GetTeam(ctx, db, teamID)
	if errors.Is(err, ErrTeamUnknown) {
		return billing.PortalIn{}, errTeamUnknown(teamID)
	}
	if err != nil {
		return billing.PortalIn{}, err
	}
	owner, unassigned := billing.AssignedOwner(ctx, db, team.ID)
	if unassigned != nil && !errors.Is(unassigned, billing.ErrNotAssigned) {
		return billing.PortalIn{}, unassigned
	}
	if unassigned != nil || by.User != owner.UserID {
		r := &room{team: team}
		if err := r.findRole(ctx, db, by); err != nil {
			return billing.PortalIn{}, err
		}
		if !by.Backend() && (unassigned == nil || r.role != Owner) {
			return billing.PortalIn{}, refuse(Forbidden, "role_forbids", "a %s may not manage another's subscription", r.role)
		}
	}
	if unassigned != nil {
		return billing.PortalIn{}, asSubscriptionRefusal(unassigned)
	}
	subs, err := billing.ListSubscriptions(ctx, db, billing.SubscriptionFilter{TeamID: team.ID, UserID: owner.UserID, Limit: payersMax})
	if err != nil {
		return billing.PortalIn{}, err
	}
	return portalOf(ctx, db, slices.DeleteFunc(subs, func(s billing.SubscriptionRow) bool { return s.Status.Ended() }), "", flow)
}

// UserPortal says which customer's billing portal opens for a user: that of the named
// subscription, wherever it is assigned; else that of the one on the personal account;
// else the user's.
func UserPortal(ctx context.Context, db billing.DB, userID, subID string, flow billing.PortalFlow) (billing.PortalIn, error) {
	user, err := GetUser(ctx, db, userID)
	if err != nil {
		return billing.PortalIn{}, err
	}
	subs, err := billing.ListSubscriptions(ctx, db, billing.SubscriptionFilter{ID: subID, UserID: user.ID, Limit: payersMax})
	if err != nil {
		return billing.PortalIn{}, err
	}
	if subID != "" && len(subs) == 0 {
		return billing.PortalIn{}, refuse(NotFound, "subscription_not_found", "%q has no subscription %q", userID, subID)
	}
	customer, err := payer(ctx, db, user.ID, "")
	if err != nil {
		return billing.PortalIn{}, err
	}
	if subID != "" {
		customer = subs[0].CustomerID // of an ended one too: there are bills to look at
	}
	return portalOf(ctx, db, slices.DeleteFunc(subs, func(s billing.SubscriptionRow) bool {
		return s.Status.Ended() || subID == "" && s.TeamID != ""
	}), customer, flow)
}

// portalOf leads to the subscription that is meant, or, where the page needs none, to the
// customer.
func portalOf(ctx context.Context, db billing.DB, subs []billing.SubscriptionRow, customer string, flow billing.PortalFlow) (billing.PortalIn, error) {
	in := billing.PortalIn{CustomerID: customer, Flow: flow}
	needed := flow == billing.PortalUpdate || flow == billing.PortalCancel
	switch {
	case needed && len(subs) == 0:
		return in, refuse(Conflict, "no_subscription", "there is no subscription that goes on")
	case needed && len(subs) > 1:
		return in, refuseField("subscription_unnamed", "subscription_id", "there are %d subscriptions; say which", len(subs))
	case len(subs) > 0:
		in.CustomerID, in.SubscriptionID = subs[0].CustomerID, subs[0].ID
	case customer == "":
		return in, refuse(NotFound, "customer_not_found", "the user has no customer at Stripe")
	}
	owner, err := billing.CustomerOwner(ctx, db, in.CustomerID)
	if err == nil && owner.DeletedAt != nil {
		return in, refuse(NotFound, "customer_not_found", "the customer was deleted at Stripe")
	}
	return in, err
}
