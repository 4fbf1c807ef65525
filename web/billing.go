package web

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/teams"
)

// billingPage is what a team or an account pays for, and how it gets more.
type billingPage struct {
	Pool       billing.Pool
	Portal     bool // the user may open Stripe's billing portal for what is subscribed to
	Unassign   bool // the user owns the team's subscription
	Assignable []billing.SubscriptionRow
	Subs       []billing.SubscriptionRow // of an account: the user's, wherever they are
	Packs      []billing.Pack
	TopUp      billing.AutoTopUp
	Helps      []string           // what would let it go on
	Attempts   []billing.Purchase // its last ones (P5)
	Pays       bool               // the user says with what it is paid
	Currency   bool               // the catalogue doesn't say what a pack is paid in
	Purchases  []billing.Purchase
	Older      string
}

func (s *Server) registerBilling() {
	team, account := manages(s.billing), showing(s.billing)
	for root, page := range map[string]showing{Root + "/teams/{team}": team, Root + "/account": account} {
		s.page(root+"/billing", page)
		s.registerPortal(root, page)
		s.registerCheckout(root, page)
		s.registerDocuments(root)
		s.registerCards(root, page)
		s.registerTopUp(root, page)
	}
	s.registerAssign(team)
}

// ofPlace names whose billing it is: the team, or the user of a personal account.
func (v *visit) ofPlace() (teamID, userID string) {
	if v.Team != nil {
		return v.Team.ID, ""
	}
	return "", v.By.User
}

func (s *Server) billing(ctx context.Context, tx pgx.Tx, v *visit) (view, error) {
	v.here = v.Path("billing")
	p := &billingPage{}
	book := v.Person.BookID
	if v.Team != nil {
		book = v.Team.BookID
	}
	var err error
	if p.Pool, err = billing.ReadPool(ctx, tx, s.cfg.Catalog, book, v.At); err != nil {
		return view{}, err
	}
	if err := s.subscribed(ctx, tx, v, p); err != nil {
		return view{}, err
	}
	rules := s.cfg.Catalog.WithoutSubscription.TopUp
	if plan, ok := s.cfg.Catalog.Plan(p.Pool.Plan); ok {
		rules = plan.TopUp
	}
	p.Packs = slices.DeleteFunc(slices.Clone(s.cfg.Catalog.Packs), func(pack billing.Pack) bool { return !rules.AllowsPack(pack.Name) })
	p.Currency = slices.ContainsFunc(p.Packs, func(pack billing.Pack) bool { return pack.Price.Currency == "" })
	if err := v.toppedUp(ctx, tx, p); err != nil {
		return view{}, err
	}
	return view{"billing", v.T("billing.title"), p}, s.bought(ctx, tx, v, p)
}

// toppedUp reads the automatic top-up and its last attempts.
func (v *visit) toppedUp(ctx context.Context, tx pgx.Tx, p *billingPage) (err error) {
	teamID, userID := v.ofPlace()
	if p.TopUp, err = teams.GetAutoTopUp(ctx, tx, teamID, userID, v.By); err != nil {
		return err
	}
	if p.TopUp.On {
		p.Helps = v.helps(p.TopUp.Helps())
	}
	// Who may, teams decides; the page only asks whether to offer it.
	var no *teams.Refusal
	_, err = teams.PayingCustomer(ctx, tx, teamID, userID, v.By)
	if err != nil && !errors.As(err, &no) {
		return err
	}
	p.Pays = err == nil && p.TopUp.Pack != ""
	p.Attempts, err = billing.ListPurchases(ctx, tx, billing.PurchaseFilter{TeamID: teamID, UserID: userID, Kind: billing.PurchaseAuto, Limit: attemptsShown})
	return err
}

// attemptsShown is a series of attempts and what was before it.
const attemptsShown = 5

// subscribed finds out what is subscribed to, and what the user may do about it.
func (s *Server) subscribed(ctx context.Context, tx pgx.Tx, v *visit, p *billingPage) error {
	own, err := billing.ListSubscriptions(ctx, tx, billing.SubscriptionFilter{UserID: v.By.User, Limit: listMax})
	if err != nil {
		return err
	}
	own = slices.DeleteFunc(own, func(r billing.SubscriptionRow) bool { return r.Status.Ended() })
	if v.Team == nil {
		p.Subs, p.Portal = own, true
		return nil
	}
	// Who may, teams decides; the page only asks whether to offer it.
	var no *teams.Refusal
	_, err = teams.TeamPortal(ctx, tx, v.Team.ID, billing.PortalFront, v.By)
	if err != nil && !errors.As(err, &no) {
		return err
	}
	p.Portal = err == nil
	for _, sub := range own {
		switch {
		case sub.TeamID == v.Team.ID:
			p.Unassign = true
		case sub.TeamID == "" && v.Role == teams.Owner && p.Pool.Plan == "":
			p.Assignable = append(p.Assignable, sub)
		}
	}
	return nil
}

// listMax bounds what is listed beside what a page is about.
const listMax = 100

// bought lists purchases, and the attempts of the automatic top-up among them (P5).
func (s *Server) bought(ctx context.Context, tx pgx.Tx, v *visit, p *billingPage) error {
	teamID, userID := v.ofPlace()
	list, err := billing.ListPurchases(ctx, tx, billing.PurchaseFilter{TeamID: teamID, UserID: userID, Before: v.Was("before", ""), Limit: purchasesMax + 1})
	if err != nil {
		return err
	}
	if len(list) > purchasesMax {
		list = list[:purchasesMax]
		p.Older = v.Query("before", list[purchasesMax-1].ID)
	}
	p.Purchases = list
	return nil
}

const purchasesMax = 20

// Payable tells whether somebody may still pay a purchase on its page.
func (v *visit) Payable(p billing.Purchase) bool {
	return p.URL != "" && (p.State == billing.PurchaseOpen || p.State == billing.PurchaseProcessing && p.Reason == billing.TopUpAuthenticate)
}

// Outcome is why a purchase isn't paid, as far as anybody knows; "" if there is nothing to say.
func (v *visit) Outcome(p billing.Purchase) string {
	switch {
	case p.DeclineCode != "":
		return v.Decline(p.DeclineCode)
	case p.Reason != "":
		return v.Word("reason", p.Reason)
	}
	return ""
}

// Pack is a pack's title.
func (v *visit) Pack(name string) string {
	if pack, ok := v.s.cfg.Catalog.Pack(name); ok && pack.Title != "" {
		return pack.Title
	}
	return name
}

// Bought is what an item of a subscription buys: its plan, by the name that a team's page gives it. What no
// plan of the catalogue has is known only by how Stripe calls its price.
func (v *visit) Bought(i billing.Item) string {
	if plan, ok := v.s.cfg.Catalog.PlanOf(i.PriceID, i.LookupKey); ok {
		return plan.Name
	}
	return cmp.Or(i.LookupKey, i.PriceID)
}
