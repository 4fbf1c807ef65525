package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/teams"
)

// PortalSession is a short-lived page of Stripe's on which a customer looks after what was
// subscribed to.
type PortalSession struct {
	URL            string `json:"url" doc:"Lead the customer there at once: whoever has the address may use it, for minutes only"`
	CustomerID     string `json:"customer_id"`
	SubscriptionID string `json:"subscription_id,omitempty"`
}

// PortalBody says where the portal leads.
type PortalBody struct {
	ReturnURL string `json:"return_url" minLength:"1" maxLength:"2000" doc:"Where the portal leads back to: a page of your product"`
	Flow      string `json:"flow,omitempty" enum:"seats,cancel,payment_method" doc:"seats: straight to changing the quantity, which Stripe allows of subscriptions to one product; left out: the portal's front page"`
}

// flows are the pages of the portal by our names for them.
var flows = map[string]billing.PortalFlow{
	"": billing.PortalFront, "seats": billing.PortalUpdate, "cancel": billing.PortalCancel, "payment_method": billing.PortalPaymentMethod,
}

// TeamPortalIn opens the portal for a team's subscription.
type TeamPortalIn struct {
	Writing
	TeamPath
	Body PortalBody
}

// UserPortalIn opens the portal for a user.
type UserPortalIn struct {
	Writing
	UserPath
	Body struct {
		PortalBody
		SubscriptionID string `json:"subscription_id,omitempty" maxLength:"255" doc:"Of several, the one that is meant; it may be assigned to a team"`
	}
}

// leading registers the way to the portal. It is a write like others, but Stripe is asked
// between two transactions: one that finds out who may and where to, and one that
// remembers the answer. Stripe's key follows from ours, so that a repeated request leads
// to one session, whatever came between.
func leading[I any](s *Server, sp spec, at place[I], body func(*I) *PortalBody, who func(context.Context, pgx.Tx, *call, *I, billing.PortalFlow) (billing.PortalIn, error)) {
	sp.method, sp.tag, sp.scopes, sp.status, sp.secret = http.MethodPost, "Subscriptions", manage, http.StatusCreated, true
	sp.summary = "Open Stripe's billing portal"
	sp.refusals = []int{http.StatusNotFound, http.StatusConflict, http.StatusBadGateway}
	huma.Register(s.huma, sp.operation(), func(ctx context.Context, in *I) (*written[PortalSession], error) {
		c := callOf(ctx)
		p := &portal{Server: s, c: c, body: body(in)}
		p.place = func(ctx context.Context, db billing.DB) (int64, error) { return at(ctx, db, in) }
		p.who = func(ctx context.Context, tx pgx.Tx) (billing.PortalIn, error) {
			return who(ctx, tx, c, in, flows[p.body.Flow])
		}
		p.once = &once{Server: s, c: c, sp: &sp, place: p.place, do: func(context.Context, pgx.Tx) ([]byte, error) { return encode(p.session) }}
		raw, replayed, err := p.run(ctx)
		if err != nil {
			return nil, fail(c, err)
		}
		return wrote[PortalSession](sp.status, raw, replayed), nil
	})
}

// portal is one session under way.
type portal struct {
	*Server
	c       *call
	body    *PortalBody
	place   func(context.Context, billing.DB) (int64, error)
	who     func(context.Context, pgx.Tx) (billing.PortalIn, error)
	once    *once
	session PortalSession
}

func (p *portal) run(ctx context.Context) (raw []byte, replayed bool, err error) {
	if !isPage(p.body.ReturnURL) {
		return nil, false, wrongPlace("body.return_url", "must be the address of a page")
	}
	raw, reused := p.once.first(ctx)
	if raw != nil {
		return raw, true, nil
	}
	if reused != nil && !isRefusal(reused) {
		return nil, false, reused
	}
	var ask billing.PortalIn
	err = p.look(ctx, func(tx pgx.Tx) (err error) {
		if ask, err = p.who(ctx, tx); err != nil {
			return err
		}
		ask.Key, err = p.stripeKey(ctx, tx)
		return err
	})
	switch {
	case err != nil && (reused == nil || before(err)):
		return nil, false, err
	case reused != nil:
		return nil, false, reused
	}
	ask.ReturnURL = p.body.ReturnURL
	address, err := p.cfg.Stripe.CreatePortalSession(ctx, ask)
	if err != nil {
		return nil, false, stripeProblem(fmt.Errorf("opening the billing portal: %w", err))
	}
	p.session = PortalSession{URL: address, CustomerID: ask.CustomerID, SubscriptionID: ask.SubscriptionID}
	return p.once.run(ctx)
}

// stripeKey is the request's key as Stripe gets it: another one for another request, book
// or user.
func (p *portal) stripeKey(ctx context.Context, tx pgx.Tx) (string, error) {
	book, err := p.place(ctx, tx)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(append([]byte(strconv.FormatInt(book, 10)+" "+p.c.key+" "), p.c.hash...))
	return "portal-" + hex.EncodeToString(sum[:]), nil
}

// isPage tells whether it is the address of a page that somebody can be led to.
func isPage(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http")
}

func (s *Server) registerPortal() {
	leading(s, spec{
		id: "open-team-portal", path: "/v1/teams/{team}/billing-portal-sessions",
		doc: "Only the owner of the team's subscription may, member or not, or the backend.",
	}, teamPlace[TeamPortalIn], func(in *TeamPortalIn) *PortalBody { return &in.Body },
		func(ctx context.Context, tx pgx.Tx, c *call, in *TeamPortalIn, flow billing.PortalFlow) (billing.PortalIn, error) {
			return teams.TeamPortal(ctx, tx, in.TeamID, flow, c.by)
		})
	leading(s, spec{
		id: "open-user-portal", path: "/v1/users/{user}/billing-portal-sessions",
		doc: "A user opens one's own. It leads to the named subscription, else to the one on the personal account, else to the user's customer.",
	}, userPlace[UserPortalIn], func(in *UserPortalIn) *PortalBody { return &in.Body.PortalBody },
		func(ctx context.Context, tx pgx.Tx, c *call, in *UserPortalIn, flow billing.PortalFlow) (billing.PortalIn, error) {
			if err := c.onlySelf(in.UserID); err != nil {
				return billing.PortalIn{}, err
			}
			return teams.UserPortal(ctx, tx, in.UserID, in.Body.SubscriptionID, flow)
		})
}
