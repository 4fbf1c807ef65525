package main

import (
	"context"
	"encoding/base32"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
	"purser/teams"
)

// newID makes an id that carries its kind and sorts by time.
func newID(kind string) string {
	id := uuid.Must(uuid.NewV7())
	return kind + "_" + strings.ToLower(crockford.EncodeToString(id[:]))
}

var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// checkoutPages are where Stripe sends the buyer afterwards.
type checkoutPages struct{ Success, Cancel string }

// sellPack opens a Checkout session for a pack: our row first, then Stripe, then the
// session's id into our row (P1). No transaction is open while Stripe is asked.
func sellPack(ctx context.Context, db *pgxpool.Pool, stripe billing.Stripe, c *billing.Catalog, in teams.BuyIn, pages checkoutPages, at time.Time) (billing.Purchase, error) {
	in.PurchaseID = newID("top")
	var p billing.Purchase
	err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) (err error) {
		p, err = teams.Buy(ctx, tx, c, in, at)
		return err
	})
	if err != nil {
		return p, err
	}
	pack, _ := c.Pack(p.Pack)
	session, err := stripe.CreateCheckout(ctx, billing.CheckoutIn{
		PurchaseID: p.ID, CustomerID: p.CustomerID, PriceID: pack.Price.ID, LookupKey: pack.Price.LookupKey, Quantity: 1,
		SuccessURL: pages.Success, CancelURL: pages.Cancel, Metadata: map[string]string{billing.MetadataPurchase: p.ID},
	})
	if err != nil {
		return p, fmt.Errorf("opening a checkout session: %w", err)
	}
	err = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error { return billing.PurchaseOpened(ctx, tx, p.ID, session) })
	if err != nil {
		return p, err
	}
	return billing.GetPurchase(ctx, db, p.ID)
}
