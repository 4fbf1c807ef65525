package api

import (
	"context"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/teams"
)

// Subscription is a subscription as Stripe last told of it, and where it has its place.
type Subscription struct {
	ID         string             `json:"id"`
	State      string             `json:"state" enum:"placed,unmatched,unmapped" doc:"unmatched: its customer is unknown; unmapped: no price of it is in the catalogue"`
	Reason     string             `json:"reason,omitempty"`
	Status     string             `json:"status" doc:"At Stripe"`
	TeamID     string             `json:"team_id,omitempty" doc:"Absent on a personal account"`
	UserID     string             `json:"user_id,omitempty" doc:"Its owner; absent while unmatched"`
	CustomerID string             `json:"customer_id"`
	Items      []SubscriptionItem `json:"items"`
	DueAt      *time.Time         `json:"due_at" doc:"When the clock alone changes something"`
	FetchedAt  time.Time          `json:"fetched_at"`
}

// SubscriptionItem is one item of a subscription.
type SubscriptionItem struct {
	PriceID   string `json:"price_id"`
	LookupKey string `json:"lookup_key,omitempty"`
	Quantity  int64  `json:"quantity"`
}

func viewSubscription(r billing.SubscriptionRow) Subscription {
	return Subscription{
		ID: r.ID, State: r.State, Reason: r.Reason, Status: string(r.Status), TeamID: r.TeamID, UserID: r.UserID, CustomerID: r.CustomerID,
		Items: mapped(r.Items, func(i billing.Item) SubscriptionItem {
			return SubscriptionItem{PriceID: i.PriceID, LookupKey: i.LookupKey, Quantity: i.Quantity}
		}),
		DueAt: utcOrNil(r.DueAt), FetchedAt: r.FetchedAt.UTC(),
	}
}

// Customer is a customer at Stripe and whose it is.
type Customer struct {
	ID        string     `json:"id"`
	UserID    string     `json:"user_id"`
	LinkedBy  string     `json:"linked_by"`
	LinkedAt  time.Time  `json:"linked_at"`
	DeletedAt *time.Time `json:"deleted_at" doc:"When Stripe deleted it"`
}

func viewCustomer(o billing.Owner) Customer {
	return Customer{ID: o.CustomerID, UserID: o.UserID, LinkedBy: o.LinkedBy, LinkedAt: o.LinkedAt.UTC(), DeletedAt: utcOrNil(o.DeletedAt)}
}

// LinkIn makes a user the owner of a customer.
type LinkIn struct {
	Writing
	CustomerID string `path:"customer" minLength:"1" maxLength:"255" pattern:"^[!-~]+$" doc:"At Stripe: cus_…"`
	Body       struct {
		UserID string `json:"user_id" minLength:"1" maxLength:"200" doc:"Made at this mention"`
	}
}

func (s *Server) registerSubscriptions() {
	type listIn struct {
		Reading
		Paging
		State  string `query:"state" enum:"placed,unmatched,unmapped"`
		TeamID string `query:"team_id" maxLength:"200"`
		UserID string `query:"user_id" maxLength:"200" doc:"Its owner; a user sees one's own"`
	}
	read(s, spec{
		id: "list-subscriptions", method: http.MethodGet, path: "/v1/subscriptions", tag: "Subscriptions", scopes: reads, summary: "List subscriptions, by id",
	}, func(ctx context.Context, tx pgx.Tx, c *call, in *listIn) (Page[Subscription], error) {
		after, err := in.after("subscriptions")
		if err != nil {
			return Page[Subscription]{}, err
		}
		if !c.by.Backend() {
			if in.UserID != "" && in.UserID != c.by.User {
				return Page[Subscription]{}, problem("backend_only", "a user sees one's own subscriptions")
			}
			in.UserID = c.by.User
		}
		rows, err := billing.ListSubscriptions(ctx, tx, billing.SubscriptionFilter{
			State: in.State, TeamID: in.TeamID, UserID: in.UserID, After: after, Limit: in.Limit + 1,
		})
		return page("subscriptions", in.Paging, rows, func(r billing.SubscriptionRow) string { return r.ID }, viewSubscription), err
	})
	read(s, spec{
		id: "get-subscription", method: http.MethodGet, path: "/v1/subscriptions/{subscription}", tag: "Subscriptions", scopes: reads,
		summary: "Get a subscription", refusals: []int{http.StatusNotFound},
	}, func(ctx context.Context, tx pgx.Tx, c *call, in *struct {
		Reading
		ID string `path:"subscription" minLength:"1" maxLength:"255"`
	},
	) (Subscription, error) {
		rows, err := billing.ListSubscriptions(ctx, tx, billing.SubscriptionFilter{ID: in.ID, UserID: c.by.User, Limit: 1})
		if err == nil && len(rows) == 0 {
			err = problem("subscription_not_found", "")
		}
		if err != nil {
			return Subscription{}, err
		}
		return viewSubscription(rows[0]), nil
	})
	s.registerCustomers()
}

func (s *Server) registerCustomers() {
	write(s, spec{
		id: "link-customer", method: http.MethodPut, path: "/v1/customers/{customer}", tag: "Subscriptions", scopes: operate,
		summary: "Make a user the owner of a Stripe customer", doc: "Events that waited for it are worked. A customer belongs to one user for good.",
	}, nowhere[LinkIn], func(ctx context.Context, tx pgx.Tx, c *call, in *LinkIn) (Customer, error) {
		if err := c.onlyBackend(); err != nil {
			return Customer{}, err
		}
		user, err := teams.EnsureUser(ctx, tx, in.Body.UserID, c.at)
		if err != nil {
			return Customer{}, err
		}
		events, err := billing.LinkCustomer(ctx, tx, in.CustomerID, user.ID, user.BookID, c.by.Name(), c.at)
		if err != nil {
			return Customer{}, err
		}
		owner, err := billing.CustomerOwner(ctx, tx, in.CustomerID)
		if err != nil {
			return Customer{}, err
		}
		return viewCustomer(owner), s.cfg.Stage(ctx, tx, events)
	})
	read(s, spec{
		id: "list-customers", method: http.MethodGet, path: "/v1/customers", tag: "Subscriptions", scopes: operate, summary: "List linked customers, by id",
	}, func(ctx context.Context, tx pgx.Tx, c *call, in *struct {
		Reading
		Paging
		UserID string `query:"user_id" maxLength:"200" doc:"Only this user's"`
	},
	) (Page[Customer], error) {
		after, err := in.after("customers")
		if err != nil {
			return Page[Customer]{}, err
		}
		if err := c.onlyBackend(); err != nil {
			return Page[Customer]{}, err
		}
		rows, err := billing.ListCustomers(ctx, tx, in.UserID, after, in.Limit+1)
		return page("customers", in.Paging, rows, func(o billing.Owner) string { return o.CustomerID }, viewCustomer), err
	})
}
