package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/jackc/pgx/v5"

	"purser/billing"
)

// Plan is a plan of the catalogue.
type Plan struct {
	Name           string   `json:"name"`
	Title          string   `json:"title"`
	Prices         []Price  `json:"prices"`
	Counting       string   `json:"counting" enum:"per_seat,per_subscription"`
	MonthlyCredits int64    `json:"monthly_credits"`
	TrialCredits   int64    `json:"trial_credits"`
	Features       []string `json:"features"`
	Teams          bool     `json:"teams" doc:"Whether a team may live on it"`
	MembersMax     int      `json:"members_max" doc:"The owner and invitations included"`
	Packs          []string `json:"packs" doc:"Names of the packs that may be bought on it"`
}

// Price is a price at Stripe.
type Price struct {
	ID            string `json:"id,omitempty" doc:"At Stripe; or its lookup key"`
	LookupKey     string `json:"lookup_key,omitempty"`
	Interval      string `json:"interval,omitempty" enum:"month,year"`
	IntervalCount int    `json:"interval_count,omitempty"`
	UnitAmount    int64  `json:"unit_amount,omitempty" doc:"In the currency's smallest unit; absent where the catalogue doesn't say"`
	Currency      string `json:"currency,omitempty"`
}

// Pack is an amount of credits for sale.
type Pack struct {
	Name         string `json:"name"`
	Title        string `json:"title"`
	Price        Price  `json:"price"`
	Credits      int64  `json:"credits"`
	ExpiryMonths int    `json:"expiry_months" doc:"Counted from the payment; 0: they never end"`
}

// Plans are all plans, and what is allowed without a subscription.
type Plans struct {
	Items               []Plan       `json:"items"`
	WithoutSubscription WithoutPlans `json:"without_subscription"`
}

// WithoutPlans is what users and teams without a subscription may do.
type WithoutPlans struct {
	Features   []string `json:"features"`
	Teams      bool     `json:"teams"`
	MembersMax int      `json:"members_max"`
	Packs      []string `json:"packs"`
}

// Packs are all packs.
type Packs struct {
	Items []Pack `json:"items"`
}

func viewPrice(p billing.Price) Price { return Price(p) }

func viewPack(p billing.Pack) Pack {
	return Pack{Name: p.Name, Title: p.Title, Price: viewPrice(p.Price), Credits: p.Credits, ExpiryMonths: p.ExpiryMonths}
}

func texts(list []string) []string { return append([]string{}, list...) }

func (s *Server) packsOf(r billing.TopUpRules) []string {
	names := mapped(s.cfg.Catalog.Packs, func(p billing.Pack) string { return p.Name })
	return slices.DeleteFunc(names, func(name string) bool { return !r.AllowsPack(name) })
}

func (s *Server) registerCatalog() {
	read(s, spec{
		id: "list-plans", method: http.MethodGet, path: "/v1/plans", tag: "Catalogue", scopes: reads, summary: "List the plans",
	}, func(context.Context, pgx.Tx, *call, *Reading) (Plans, error) {
		without := s.cfg.Catalog.WithoutSubscription
		return Plans{
			Items: mapped(s.cfg.Catalog.Plans, func(p billing.Plan) Plan {
				return Plan{
					Name: p.Name, Title: p.Title, Prices: mapped(p.Prices, viewPrice), Counting: string(p.Counting),
					MonthlyCredits: p.MonthlyCredits, TrialCredits: p.TrialCredits, Features: texts(p.Features), Teams: p.Teams,
					MembersMax: p.MembersMax, Packs: s.packsOf(p.TopUp),
				}
			}),
			WithoutSubscription: WithoutPlans{
				Features: texts(without.Features), Teams: without.Teams, MembersMax: without.MembersMax, Packs: s.packsOf(without.TopUp),
			},
		}, nil
	})
	read(s, spec{
		id: "list-packs", method: http.MethodGet, path: "/v1/packs", tag: "Catalogue", scopes: reads, summary: "List the packs of credits",
	}, func(context.Context, pgx.Tx, *call, *Reading) (Packs, error) {
		return Packs{Items: mapped(s.cfg.Catalog.Packs, viewPack)}, nil
	})
}
