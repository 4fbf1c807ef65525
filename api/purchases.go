package api

import (
	"context"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/teams"
)

// PurchasesFilter chooses purchases.
type PurchasesFilter struct {
	Paging
	Format
	State     string    `query:"state" enum:"created,open,processing,paid,failed,expired" doc:"Only those in this state"`
	Kind      string    `query:"kind" enum:"checkout,auto" doc:"Only those of this kind"`
	CreatedBy string    `query:"created_by" maxLength:"200" doc:"Only those that this user, or backend, began"`
	From      time.Time `query:"from" doc:"Only those begun from this instant on"`
	To        time.Time `query:"to" doc:"Only those begun before this instant"`
}

var purchasesTable = table[billing.Purchase]{
	name: "purchases",
	head: []string{"id", "created_at", "paid_at", "kind", "pack", "credits", "amount", "currency", "state", "reason", "team_id", "user_id", "created_by", "packs", "attempt", "decline_code", "refunded", "taken_back", "dispute"},
	row: func(p billing.Purchase) []string {
		v := viewPurchase(p)
		amount := ""
		if v.Amount != nil {
			amount = strconv.FormatInt(*v.Amount, 10)
		}
		return plainCells([]string{
			v.ID, csvTime(&v.CreatedAt), csvTime(v.PaidAt), v.Kind, v.Pack, strconv.FormatInt(v.Credits, 10), amount, v.Currency, v.State,
			v.Reason, v.TeamID, v.UserID, v.CreatedBy, strconv.FormatInt(v.Packs, 10), strconv.Itoa(v.Attempt), v.Decline,
			strconv.FormatInt(v.Refunded, 10), strconv.FormatInt(v.TakenBack, 10), v.Dispute,
		})
	},
}

// purchasesOf is what a request for purchases asks; of says whose.
func (f PurchasesFilter) purchasesOf(of billing.PurchaseFilter) (source[billing.Purchase, Page[Purchase]], error) {
	src := source[billing.Purchase, Page[Purchase]]{limit: f.Limit}
	var err error
	if of.Before, err = f.after("purchases"); err != nil {
		return src, err
	}
	of.State, of.Kind, of.CreatedBy, of.From, of.To = f.State, f.Kind, f.CreatedBy, givenTime(f.From), givenTime(f.To)
	src.rows = func(ctx context.Context, tx pgx.Tx, last *billing.Purchase, limit int) ([]billing.Purchase, error) {
		next := of
		if next.Limit = limit; last != nil {
			next.Before = last.ID
		}
		return billing.ListPurchases(ctx, tx, next)
	}
	src.page = func(rows []billing.Purchase) Page[Purchase] {
		return page("purchases", f.Paging, rows, func(p billing.Purchase) string { return p.ID }, viewPurchase)
	}
	return src, nil
}

func (s *Server) registerPurchaseLists() {
	type teamPurchases struct {
		Reading
		TeamPath
		PurchasesFilter
	}
	listing(s, spec{
		id: "list-team-purchases", path: "/v1/teams/{team}/purchases", tag: "Purchases", summary: "List the packs bought for a team, the newest first",
		doc: "Also those that weren't paid in the end. Only whoever manages the team sees them.",
	}, purchasesTable, func(in *teamPurchases) Format { return in.Format },
		func(ctx context.Context, tx pgx.Tx, c *call, in *teamPurchases) (source[billing.Purchase, Page[Purchase]], error) {
			_, role, err := teams.Look(ctx, tx, in.TeamID, c.by)
			if err == nil && !role.Manages() {
				err = problem("role_forbids", "a member doesn't see what the team buys")
			}
			if err != nil {
				return source[billing.Purchase, Page[Purchase]]{}, err
			}
			return in.purchasesOf(billing.PurchaseFilter{TeamID: in.TeamID})
		})
	type userPurchases struct {
		Reading
		UserPath
		PurchasesFilter
	}
	listing(s, spec{
		id: "list-user-purchases", path: "/v1/users/{user}/purchases", tag: "Purchases",
		summary: "List the packs that a user bought for the personal account, the newest first", doc: "Also those that weren't paid in the end.",
	}, purchasesTable, func(in *userPurchases) Format { return in.Format },
		func(ctx context.Context, tx pgx.Tx, c *call, in *userPurchases) (source[billing.Purchase, Page[Purchase]], error) {
			if err := c.onlySelf(in.UserID); err != nil {
				return source[billing.Purchase, Page[Purchase]]{}, err
			}
			if _, err := teams.GetUser(ctx, tx, in.UserID); err != nil {
				return source[billing.Purchase, Page[Purchase]]{}, err
			}
			return in.purchasesOf(billing.PurchaseFilter{UserID: in.UserID})
		})
}
