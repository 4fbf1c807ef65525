package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
	"purser/billing/stripeapi"
	"purser/teams"
)

// poolBuyCommand opens a page at Stripe on which somebody can buy a pack (P1).
type poolBuyCommand struct {
	Account   accountFlags  `embed:""`
	Pack      string        `required:"" placeholder:"NAME" help:"The pack, by its name in the catalogue."`
	ReturnURL string        `name:"return-url" env:"PURSER_RETURN_URL" placeholder:"URL" help:"Where Stripe leads the buyer afterwards: a page of your product."`
	By        string        `default:"operator" placeholder:"NAME" help:"Who buys."`
	Show      showFlags     `embed:""`
	Stripe    stripeFlags   `embed:""`
	Catalog   catalogFlags  `embed:""`
	Database  databaseFlags `embed:""`
}

// Run writes the purchase, opens the page and prints its address.
func (c *poolBuyCommand) Run(ctx context.Context, p *program) error {
	if err := errors.Join(c.Account.check(), c.check()); err != nil {
		return err
	}
	catalog, err := c.Catalog.load()
	if err != nil {
		return err
	}
	if _, ok := catalog.Pack(c.Pack); !ok {
		return usage("no pack %q in the catalogue; there are: %s", c.Pack, strings.Join(packNames(catalog), ", "))
	}
	stripe, err := c.Stripe.client(p, p.logger())
	if err != nil {
		return err
	}
	defer stripe.Close()
	return c.Database.use(ctx, p, func(db *pgxpool.Pool) error {
		purchase, err := c.buy(ctx, p, db, catalog, stripe)
		if err != nil {
			return fmt.Errorf("buying %s: %w", c.Pack, err)
		}
		if c.Show.JSON {
			return printJSON(p.out, map[string]any{
				"purchase_id": purchase.ID, "url": purchase.URL, "credits": purchase.Credits, "state": purchase.State,
			})
		}
		_, err = fmt.Fprintln(p.out, purchase.URL)
		return err
	})
}

func (c *poolBuyCommand) check() error {
	var wrong []string
	if c.ReturnURL == "" {
		wrong = append(wrong, "set PURSER_RETURN_URL (where Stripe leads the buyer afterwards: a page of your product)")
	}
	return wrongSettings(c.Stripe.check(), wrong)
}

func (c *poolBuyCommand) buy(ctx context.Context, p *program, db *pgxpool.Pool, catalog *billing.Catalog, stripe *stripeapi.Client) (billing.Purchase, error) {
	purchase, err := sellPack(ctx, db, stripe, catalog, teams.BuyIn{TeamID: c.Account.Team, UserID: c.Account.User, Pack: c.Pack, As: c.By},
		checkoutPages{Success: c.ReturnURL, Cancel: c.ReturnURL}, p.now())
	var refused *stripeapi.Error
	if errors.As(err, &refused) && refused.Status == 400 {
		lost := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			return billing.PurchaseLost(ctx, tx, purchase.ID, "Stripe refused to open a page: "+refused.Error())
		})
		return purchase, errors.Join(err, lost)
	}
	return purchase, err
}

func packNames(c *billing.Catalog) []string {
	names := make([]string, len(c.Packs))
	for i, pack := range c.Packs {
		names[i] = pack.Name
	}
	return names
}
