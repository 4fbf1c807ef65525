package main

import (
	"context"

	"purser/api"
	"purser/billing"
	"purser/teams"
)

// topUpShowCommand shows an automatic top-up.
type topUpShowCommand struct {
	Account accountFlags `embed:""`
	By      byFlags      `embed:""`
}

// Run shows it.
func (c *topUpShowCommand) Run(ctx context.Context, p *program) error {
	if err := c.Account.check(); err != nil {
		return err
	}
	return c.By.look(ctx, p, "looking at the automatic top-up", func(ctx context.Context, a *acting) (any, error) {
		setting, err := teams.GetAutoTopUp(ctx, a.tx, c.Account.Team, c.Account.User, a.by)
		return api.ShowAutoTopUp(setting), err
	})
}

// topUpSetCommand switches an automatic top-up on, or changes it (P2).
type topUpSetCommand struct {
	Account       accountFlags `embed:""`
	Threshold     *int64       `placeholder:"CREDITS" help:"Buy when this many credits or fewer are available. Default: as it is, at first 0."`
	Pack          *string      `placeholder:"NAME" help:"What to buy, by its name in the catalogue, as many as bring what is available above the threshold. Needed at first."`
	CreditsMax    *int64       `placeholder:"CREDITS" help:"The most that may be bought in a calendar month. Needed at first."`
	AmountMax     *int64       `placeholder:"AMOUNT" help:"The most that may be spent in a calendar month, in the currency's smallest unit. Needed at first."`
	Currency      *string      `placeholder:"CODE" help:"What the pack is paid in. Needed only if the catalogue doesn't say."`
	PaymentMethod *string      `placeholder:"ID" help:"What to pay with, at Stripe: pm_…. Default: what pays the subscription, or the customer's default."`
	Act           actFlags     `embed:"" json:"-"`
}

// Run switches it on with what is given; what isn't stays as it is.
func (c *topUpSetCommand) Run(ctx context.Context, p *program) error {
	if err := c.Account.check(); err != nil {
		return err
	}
	return c.Account.setTopUp(ctx, p, c.Act, c, "setting the automatic top-up", func(s *billing.AutoTopUp) error {
		if s.Pack == "" && (c.Pack == nil || c.CreditsMax == nil || c.AmountMax == nil) {
			return usage("nothing is set yet: give --pack, --credits-max and --amount-max")
		}
		if c.Pack != nil && *c.Pack != s.Pack {
			s.Currency = "" // that of the new pack
		}
		s.On = true
		given(&s.Threshold, c.Threshold)
		given(&s.Pack, c.Pack)
		given(&s.CreditsMax, c.CreditsMax)
		given(&s.AmountMax, c.AmountMax)
		given(&s.Currency, c.Currency)
		given(&s.PaymentMethodID, c.PaymentMethod)
		return nil
	})
}

// topUpOffCommand switches an automatic top-up off.
type topUpOffCommand struct {
	Account accountFlags `embed:""`
	Act     actFlags     `embed:"" json:"-"`
}

// Run switches it off and keeps what was chosen.
func (c *topUpOffCommand) Run(ctx context.Context, p *program) error {
	if err := c.Account.check(); err != nil {
		return err
	}
	return c.Account.setTopUp(ctx, p, c.Act, c, "switching the automatic top-up off", func(s *billing.AutoTopUp) error {
		if s.Pack == "" {
			return billing.ErrNoAutoTopUp
		}
		s.On = false
		return nil
	})
}

// setTopUp changes what was chosen, once.
func (f accountFlags) setTopUp(ctx context.Context, p *program, act actFlags, command any, doing string, change func(*billing.AutoTopUp) error) error {
	return act.act(ctx, p, deed{doing: doing, command: command, team: f.Team, do: func(ctx context.Context, a *acting) (any, bool, error) {
		s, err := f.changeTopUp(ctx, a, change)
		return api.ShowAutoTopUp(s), false, err
	}})
}

func (f accountFlags) changeTopUp(ctx context.Context, a *acting, change func(*billing.AutoTopUp) error) (billing.AutoTopUp, error) {
	s, err := teams.GetAutoTopUp(ctx, a.tx, f.Team, f.User, a.by)
	if err != nil {
		return s, err
	}
	if err := change(&s); err != nil {
		return s, err
	}
	return teams.SetAutoTopUp(ctx, a.tx, a.catalog, teams.TopUpSetting{
		TeamID: f.Team, UserID: f.User, By: a.by, On: s.On, Threshold: s.Threshold, Pack: s.Pack, CreditsMax: s.CreditsMax,
		AmountMax: s.AmountMax, Currency: s.Currency, PaymentMethodID: s.PaymentMethodID,
	}, a.at)
}

func given[T any](field *T, to *T) {
	if to != nil {
		*field = *to
	}
}
