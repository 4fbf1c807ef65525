package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
	"purser/billing/stripeapi"
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
	pack, ok := catalog.Pack(c.Pack)
	if !ok {
		return usage("no pack %q in the catalogue; there are: %s", c.Pack, strings.Join(packNames(catalog), ", "))
	}
	stripe, err := c.Stripe.client(p, p.logger())
	if err != nil {
		return err
	}
	defer stripe.Close()
	return c.Database.use(ctx, p, func(db *pgxpool.Pool) error {
		purchase, err := c.buy(ctx, p, db, catalog, pack, stripe)
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

func (c *poolBuyCommand) buy(ctx context.Context, p *program, db *pgxpool.Pool, catalog *billing.Catalog, pack *billing.Pack, stripe *stripeapi.Client) (billing.Purchase, error) {
	at := p.now()
	purchase := billing.Purchase{ID: newID("top"), CreatedBy: c.By, CreatedAt: at}
	err := readOnly(ctx, db, func(tx pgx.Tx) error {
		owner, err := c.Account.find(ctx, tx)
		if err != nil {
			return err
		}
		purchase.BookID, purchase.TeamID, purchase.UserID = owner.book, owner.teamID, owner.userID
		if err := mayBuy(ctx, tx, catalog, owner, pack, at); err != nil {
			return err
		}
		purchase.CustomerID, err = payer(ctx, tx, owner)
		return err
	})
	if err != nil {
		return purchase, err
	}
	purchase, err = sellPack(ctx, db, stripe, pack, purchase, checkoutPages{Success: c.ReturnURL, Cancel: c.ReturnURL})
	var refused *stripeapi.Error
	if errors.As(err, &refused) && refused.Status == 400 {
		lost := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			return billing.PurchaseLost(ctx, tx, purchase.ID, "Stripe refused to open a page: "+refused.Error())
		})
		return purchase, errors.Join(err, lost)
	}
	return purchase, err
}

// mayBuy refuses a pack that the plan doesn't sell.
func mayBuy(ctx context.Context, tx pgx.Tx, catalog *billing.Catalog, owner holder, pack *billing.Pack, at time.Time) error {
	pool, err := billing.ReadPool(ctx, tx, catalog, owner.book, at)
	if err != nil {
		return err
	}
	rules := catalog.WithoutSubscription.TopUp
	if plan, ok := catalog.Plan(pool.Plan); ok {
		rules = plan.TopUp
	}
	if rules.AllowsPack(pack.Name) {
		return nil
	}
	if pool.Plan == "" {
		return fmt.Errorf("the catalogue doesn't sell %s to those without a subscription", pack.Name)
	}
	return fmt.Errorf("plan %s doesn't sell %s", pool.Plan, pack.Name)
}

// payer chooses the customer who pays: the owner's, and that of the subscription if
// there are several. Without one Stripe makes one.
func payer(ctx context.Context, tx pgx.Tx, owner holder) (string, error) {
	subs, err := billing.ListSubscriptions(ctx, tx, billing.SubscriptionFilter{State: "placed", UserID: owner.userID, Limit: ofUserMax})
	if err != nil {
		return "", err
	}
	for _, s := range subs {
		if s.TeamID == owner.teamID && !s.Status.Ended() {
			return s.CustomerID, nil
		}
	}
	customers, err := billing.Customers(ctx, tx, owner.userID)
	if err != nil {
		return "", err
	}
	for _, c := range customers {
		if c.DeletedAt == nil {
			return c.CustomerID, nil
		}
	}
	return "", nil
}

func packNames(c *billing.Catalog) []string {
	names := make([]string, len(c.Packs))
	for i, pack := range c.Packs {
		names[i] = pack.Name
	}
	return names
}
