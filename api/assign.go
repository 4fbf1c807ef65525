package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/teams"
)

// Assignment is a subscription that came to a team or left it, with the credits on both
// sides afterwards.
type Assignment struct {
	Subscription Subscription `json:"subscription"`
	Pool         *Pool        `json:"pool,omitempty" doc:"The team's pool after it; absent to an owner of the subscription who is no member"`
	Account      Pool         `json:"account" doc:"The personal account of the subscription's owner after it"`
}

// AssignIn puts a subscription into a team.
type AssignIn struct {
	Writing
	TeamPath
	Body struct {
		SubscriptionID string `json:"subscription_id" minLength:"1" maxLength:"255" doc:"On the personal account of the team's owner; its plan allows teams"`
	}
}

func (s *Server) registerAssigning() {
	sp := spec{method: http.MethodPost, tag: "Subscriptions", scopes: manage, refusals: []int{http.StatusNotFound}}
	sp.id, sp.path, sp.summary = "assign-subscription", "/v1/teams/{team}/subscription/assign", "Put a subscription of the team's owner into the team"
	sp.doc = "Its credits come along, and all purchased ones of the owner's personal account; nothing is granted again."
	write(s, sp, teamPlace[AssignIn], func(ctx context.Context, tx pgx.Tx, c *call, in *AssignIn) (Assignment, error) {
		err := teams.AssignSubscription(ctx, tx, s.cfg.Catalog, in.TeamID, in.Body.SubscriptionID, c.by, c.at)
		if err != nil {
			return Assignment{}, err
		}
		return s.assignment(ctx, tx, c, in.TeamID, in.Body.SubscriptionID)
	})
	sp.id, sp.path, sp.summary = "unassign-subscription", "/v1/teams/{team}/subscription/unassign", "Take the team's subscription back to its owner's personal account"
	sp.doc = "Only the subscription's owner may, or the backend. What was granted for it and is unspent goes along, and what its owner bought or put in; " +
		"what is held follows once its hold has settled. What others put in stays. Members with a seat become personal."
	write(s, sp, teamPlace[teamWrite], func(ctx context.Context, tx pgx.Tx, c *call, in *teamWrite) (Assignment, error) {
		id, err := teams.UnassignSubscription(ctx, tx, s.cfg.Catalog, in.TeamID, c.by, c.at)
		if err != nil {
			return Assignment{}, err
		}
		return s.assignment(ctx, tx, c, in.TeamID, id)
	})
}

// assignment shows both sides of what was just done, in its transaction.
func (s *Server) assignment(ctx context.Context, tx pgx.Tx, c *call, teamID, subID string) (a Assignment, err error) {
	rows, err := billing.ListSubscriptions(ctx, tx, billing.SubscriptionFilter{ID: subID, Limit: 1})
	if err != nil {
		return a, err
	}
	if len(rows) == 0 {
		return a, problem("subscription_not_found", "")
	}
	a.Subscription = viewSubscription(rows[0])
	owner, err := teams.GetUser(ctx, tx, rows[0].UserID)
	if err != nil {
		return a, err
	}
	account, err := billing.ReadPool(ctx, tx, s.cfg.Catalog, owner.BookID, c.at)
	if err != nil {
		return a, err
	}
	a.Account = viewPool(account)
	pool, err := s.teamAccount(ctx, tx, c, teamID)
	var refusal *teams.Refusal
	if errors.As(err, &refusal) { // it was taken away by somebody who is no member
		return a, nil
	}
	if err != nil {
		return a, err
	}
	shown := viewPool(pool.pool)
	a.Pool = &shown
	return a, nil
}
