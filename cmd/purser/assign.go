package main

import (
	"context"

	"purser/api"
	"purser/billing"
	"purser/teams"
)

// subscriptionsAssignCommand puts a subscription of the team's owner into the team (T13).
type subscriptionsAssignCommand struct {
	Team         string   `arg:"" help:"The team's id."`
	Subscription string   `arg:"" help:"The subscription, on the personal account of the team's owner: sub_…"`
	Act          actFlags `embed:"" json:"-"`
}

// Run assigns.
func (c *subscriptionsAssignCommand) Run(ctx context.Context, p *program) error {
	return c.Act.act(ctx, p, deed{doing: "assigning the subscription", command: c, team: c.Team, do: func(ctx context.Context, a *acting) (any, bool, error) {
		if err := teams.AssignSubscription(ctx, a.tx, a.catalog, c.Team, c.Subscription, a.by, a.at); err != nil {
			return nil, false, err
		}
		v, err := a.subscription(ctx, c.Subscription)
		return v, false, err
	}})
}

// subscriptionsUnassignCommand takes a team's subscription back to its owner.
type subscriptionsUnassignCommand struct {
	Team string   `arg:"" help:"The team's id."`
	Act  actFlags `embed:"" json:"-"`
}

// Run unassigns.
func (c *subscriptionsUnassignCommand) Run(ctx context.Context, p *program) error {
	return c.Act.act(ctx, p, deed{doing: "unassigning the subscription", command: c, team: c.Team, do: func(ctx context.Context, a *acting) (any, bool, error) {
		id, err := teams.UnassignSubscription(ctx, a.tx, a.catalog, c.Team, a.by, a.at)
		if err != nil {
			return nil, false, err
		}
		v, err := a.subscription(ctx, id)
		return v, false, err
	}})
}

func (a *acting) subscription(ctx context.Context, id string) (any, error) {
	rows, err := billing.ListSubscriptions(ctx, a.tx, billing.SubscriptionFilter{ID: id, Limit: 1})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return api.ShowSubscription(rows[0]), nil
}
