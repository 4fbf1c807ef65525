package main

import (
	"context"
	"time"

	"purser/api"
	"purser/ledger"
	"purser/teams"
)

// usageCommand tells what members used.
type usageCommand struct {
	Team string    `arg:"" help:"The team's id."`
	Days bool      `help:"By day and member instead of by member."`
	From time.Time `placeholder:"TIME" help:"With --days: from this instant on. Default: the period's start."`
	To   time.Time `placeholder:"TIME" help:"With --days: before this instant. Default: until now."`
	By   byFlags   `embed:""`
}

// dayUsage is what a member used on one day, in UTC.
type dayUsage struct {
	Day      string `json:"day"`
	UserID   string `json:"user_id"`
	Spent    int64  `json:"spent"`
	Reversed int64  `json:"reversed"`
	Used     int64  `json:"used"`
}

// Run tells of the current period, unless another time is asked for.
func (c *usageCommand) Run(ctx context.Context, p *program) error {
	if c.Days {
		return list(ctx, p, c.By, []string{"day", "user_id", "spent", "reversed", "used"}, c.days)
	}
	if !c.From.IsZero() || !c.To.IsZero() {
		return usage("--from and --to go with --days")
	}
	fields := []string{"user_id", "used", "monthly", "purchased", "rollover", "bonus", "contributed"}
	return list(ctx, p, c.By, fields, func(ctx context.Context, a *acting) (page[api.MemberUsage], error) {
		view, err := teams.View(ctx, a.tx, a.catalog, c.Team, a.by, a.at)
		if err != nil {
			return page[api.MemberUsage]{}, err
		}
		return page[api.MemberUsage]{Items: mapped(view.Usage, api.ShowUsage)}, nil
	})
}

func (c *usageCommand) days(ctx context.Context, a *acting) (rows page[dayUsage], err error) {
	view, err := teams.View(ctx, a.tx, a.catalog, c.Team, a.by, a.at)
	if err != nil {
		return rows, err
	}
	from, to := c.From, c.To
	if from.IsZero() {
		from = view.Pool.PeriodStart
	}
	if to.IsZero() {
		to = a.at.Add(time.Microsecond) // what counts now is in it
	}
	list, err := ledger.UsageByDay(ctx, a.tx, view.Team.BookID, from, to)
	rows.Items = []dayUsage{}
	for _, u := range list {
		if view.Role.Manages() || u.Holder == a.by.User {
			rows.Items = append(rows.Items, dayUsage{u.Day.UTC().Format(time.DateOnly), u.Holder, u.Spent, u.Reversed, u.Spent - u.Reversed})
		}
	}
	return rows, err
}
