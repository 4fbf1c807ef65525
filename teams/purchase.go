package teams

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
)

// payersMax bounds the subscriptions of one owner that are looked at to find who pays.
const payersMax = 1000

// BuyIn asks for a pack to be bought, for a team's pool or a user's personal account.
type BuyIn struct {
	PurchaseID string
	TeamID     string // "": for the user's personal account
	UserID     string // of a personal account
	By         Actor
	As         string // who is written down as the buyer; "": By
	Pack       string
}

// Buy writes the purchase before anybody asks Stripe for a page to pay on (P1). Admins buy
// for their team, which pays with its owner's customer; users for themselves.
func Buy(ctx context.Context, tx pgx.Tx, c *billing.Catalog, in BuyIn, at instant) (billing.Purchase, error) {
	if in.As == "" {
		in.As = in.By.Name()
	}
	p := billing.Purchase{ID: in.PurchaseID, TeamID: in.TeamID, UserID: in.UserID, CreatedBy: in.As, CreatedAt: at}
	if err := in.allow(ctx, tx, &p); err != nil {
		return p, err
	}
	pack, ok := c.Pack(in.Pack)
	if !ok {
		return p, refuse(NotFound, "pack_not_found", "the catalogue has no pack %q", in.Pack)
	}
	state, err := viewOf(ctx, tx, c, p.BookID, at)
	if err != nil {
		return p, err
	}
	rules, by := c.WithoutSubscription.TopUp, "without a subscription the catalogue"
	if plan, ok := c.Plan((&room{state: state}).plan(at).name); ok {
		rules, by = plan.TopUp, "plan "+plan.Name
	}
	if !rules.AllowsPack(pack.Name) {
		return p, refuse(Rule, "pack_not_sold", "%s doesn't sell %s", by, pack.Name)
	}
	if p.CustomerID, err = payer(ctx, tx, p.UserID, p.TeamID); err != nil {
		return p, err
	}
	return billing.BeginPurchase(ctx, tx, pack, p)
}

// allow finds the account and its owner, and refuses those who may not buy for it.
func (in BuyIn) allow(ctx context.Context, tx pgx.Tx, p *billing.Purchase) error {
	at, err := findPlace(ctx, tx, in.TeamID, in.UserID, in.By)
	if err == nil && at.room != nil {
		// Looked at again under the team's lock: one that closes redirects the purchases that
		// it sees.
		if err := ledger.Lock(ctx, tx, at.book); err != nil {
			return err
		}
		at, err = findPlace(ctx, tx, in.TeamID, in.UserID, in.By)
	}
	if err != nil {
		return err
	}
	p.BookID, p.UserID = at.book, at.owner
	return at.may("buy credits for the team")
}

// payer chooses the owner's customer who pays: that of the place's subscription, if there
// are several. Without one Stripe makes one.
func payer(ctx context.Context, db billing.DB, ownerID, teamID string) (string, error) {
	subs, err := billing.ListSubscriptions(ctx, db, billing.SubscriptionFilter{State: "placed", UserID: ownerID, Limit: payersMax})
	if err != nil {
		return "", err
	}
	for _, s := range subs {
		if s.TeamID == teamID && !s.Status.Ended() {
			return s.CustomerID, nil
		}
	}
	customers, err := billing.Customers(ctx, db, ownerID)
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

// MaySeePurchase refuses those who may not see a purchase: of a team those who don't
// manage it, of a personal account everybody else.
func MaySeePurchase(ctx context.Context, db billing.DB, p billing.Purchase, by Actor) error {
	unknown := refuse(NotFound, "purchase_not_found", "there is no purchase %q", p.ID)
	if by.Backend() || p.TeamID == "" && p.UserID == by.User {
		return nil
	}
	if p.TeamID == "" {
		return unknown
	}
	_, role, err := Look(ctx, db, p.TeamID, by)
	var refusal *Refusal
	if errors.As(err, &refusal) || err == nil && !role.Manages() {
		return unknown
	}
	return err
}
