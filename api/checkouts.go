package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/teams"
)

// Purchase is a pack that somebody is buying or has bought.
type Purchase struct {
	ID        string     `json:"id"`
	TeamID    string     `json:"team_id,omitempty" doc:"Absent of a personal account"`
	UserID    string     `json:"user_id" doc:"Whose customer pays"`
	Kind      string     `json:"kind" enum:"checkout,auto" doc:"checkout: somebody pays on a page at Stripe; auto: an automatic top-up"`
	Pack      string     `json:"pack"`
	Packs     int64      `json:"packs" doc:"How many of the pack"`
	Credits   int64      `json:"credits"`
	Amount    *int64     `json:"amount" doc:"What Stripe charges, in the currency's smallest unit; null: not known yet"`
	Currency  string     `json:"currency,omitempty"`
	State     string     `json:"state" enum:"created,open,processing,paid,failed,expired" doc:"paid: the credits are there"`
	Reason    string     `json:"reason,omitempty" doc:"Why it is in that state"`
	Attempt   int        `json:"attempt,omitempty" doc:"Of an automatic top-up: which in a row of attempts, from 1; the fourth decline suspends"`
	Decline   string     `json:"decline_code,omitempty" doc:"Of an automatic top-up: why the bank declined, in Stripe's words"`
	URL       string     `json:"url,omitempty" doc:"The page at Stripe on which it can be paid: to buy, or to authenticate an automatic payment"`
	Refunded  int64      `json:"refunded" doc:"Of the amount: what was given back, or lost in a dispute"`
	TakenBack int64      `json:"taken_back" doc:"Of the credits: what was taken back for that, wherever they went"`
	Dispute   string     `json:"dispute,omitempty" doc:"The latest dispute's status, in Stripe's words"`
	CreatedBy string     `json:"created_by"`
	CreatedAt time.Time  `json:"created_at"`
	PaidAt    *time.Time `json:"paid_at"`
}

func viewPurchase(p billing.Purchase) Purchase {
	return Purchase{
		ID: p.ID, TeamID: p.TeamID, UserID: p.UserID, Kind: p.Kind, Pack: p.Pack, Packs: p.Packs, Credits: p.Credits, Amount: p.Amount,
		Currency: p.Currency, State: p.State, Reason: p.Reason, Attempt: p.Attempt, Decline: p.DeclineCode, URL: p.URL,
		Refunded: p.Refunded, TakenBack: p.TakenBack, Dispute: p.Dispute,
		CreatedBy: p.CreatedBy, CreatedAt: p.CreatedAt.UTC(), PaidAt: utcOrNil(p.PaidAt),
	}
}

// CheckoutBody says what is bought.
type CheckoutBody struct {
	Pack       string `json:"pack" minLength:"1" maxLength:"200" doc:"The pack's name in the catalogue"`
	SuccessURL string `json:"success_url" minLength:"1" maxLength:"2000" doc:"Where Stripe leads the buyer afterwards: a page of your product"`
	CancelURL  string `json:"cancel_url" minLength:"1" maxLength:"2000" doc:"Where Stripe leads who doesn't buy"`
}

func (b CheckoutBody) check() error {
	for name, text := range map[string]string{"success_url": b.SuccessURL, "cancel_url": b.CancelURL} {
		if !isPage(text) {
			return wrongPlace("body."+name, "must be the address of a page")
		}
	}
	return nil
}

// TeamCheckoutIn buys a pack for a team's pool.
type TeamCheckoutIn struct {
	Writing
	TeamPath
	Body CheckoutBody
}

// UserCheckoutIn buys a pack for a personal account.
type UserCheckoutIn struct {
	Writing
	UserPath
	Body CheckoutBody
}

// selling registers the sale of packs for one kind of account.
func selling[I any](s *Server, sp spec, at place[I], ask func(*I) (teams.BuyIn, CheckoutBody)) {
	sp.method, sp.tag, sp.scopes, sp.status = http.MethodPost, "Purchases", manage, http.StatusCreated
	sp.summary = "Open a page at Stripe on which a pack can be bought"
	sp.doc = "The credits come once it is paid, and last as long as the pack says."
	sp.refusals = []int{http.StatusNotFound, http.StatusConflict, http.StatusBadGateway}
	huma.Register(s.huma, sp.operation(), func(ctx context.Context, in *I) (*written[Purchase], error) {
		c := callOf(ctx)
		buy, body := ask(in)
		buy.By = c.by
		sale := &sale{
			Server: s, c: c, sp: &sp, buy: buy, body: body,
			place: func(ctx context.Context, db billing.DB) (int64, error) { return at(ctx, db, in) },
		}
		raw, replayed, err := sale.run(ctx)
		if err != nil {
			return nil, fail(c, err)
		}
		return wrote[Purchase](sp.status, raw, replayed), nil
	})
}

// sale is one purchase under way: our row first, then Stripe, then the answer (P1). No
// transaction is open while Stripe is asked. A repeated key goes on where the first
// request stopped, with the same purchase, and so with the same page.
type sale struct {
	*Server
	c     *call
	sp    *spec
	buy   teams.BuyIn
	body  CheckoutBody
	place func(context.Context, billing.DB) (int64, error)
}

// saleKeys begin the keys under which a request's purchase is remembered before it has an
// answer. No client's key has a blank in it.
const saleKeys = "checkout "

func (s *sale) run(ctx context.Context) (raw []byte, replayed bool, err error) {
	if err := s.body.check(); err != nil {
		return nil, false, err
	}
	var opened billing.CheckoutSession
	var id string
	finish := &once{Server: s.Server, c: s.c, sp: s.sp, place: s.place, do: func(ctx context.Context, tx pgx.Tx) ([]byte, error) {
		if err := billing.PurchaseOpened(ctx, tx, id, opened); err != nil {
			return nil, err
		}
		p, err := billing.GetPurchase(ctx, tx, id)
		if err != nil {
			return nil, err
		}
		return encode(viewPurchase(p))
	}}
	raw, reused := finish.first(ctx)
	if raw != nil {
		return raw, true, nil
	}
	if reused != nil && !isRefusal(reused) {
		return nil, false, reused
	}
	p, err := s.begin(ctx, reused)
	if err != nil {
		return nil, false, err
	}
	if id = p.ID; p.State == billing.PurchaseFailed {
		return nil, false, problem("purchase_failed", p.Reason)
	}
	if opened, err = s.open(ctx, p); err != nil {
		return nil, false, err
	}
	return finish.run(ctx)
}

// begin writes the purchase, or finds the one that the first request wrote.
func (s *sale) begin(ctx context.Context, reused error) (p billing.Purchase, err error) {
	before := *s.c
	before.key = saleKeys + s.c.key
	o := &once{Server: s.Server, c: &before, sp: s.sp, place: s.place, do: func(ctx context.Context, tx pgx.Tx) ([]byte, error) {
		buy := s.buy
		buy.PurchaseID = s.cfg.NewID("top")
		p, err := teams.Buy(ctx, tx, s.cfg.Catalog, buy, s.c.at)
		if err != nil {
			return nil, err
		}
		return encode(p.ID)
	}}
	if reused != nil {
		// Only to learn whether something is refused that comes before that.
		_, err := o.attempt(ctx, reused)
		return p, err
	}
	raw, _, err := o.run(ctx)
	if err != nil {
		return p, err
	}
	var id string
	if err := json.Unmarshal(raw, &id); err != nil {
		return p, fmt.Errorf("reading the purchase's id: %w", err)
	}
	return billing.GetPurchase(ctx, s.cfg.Pool, id)
}

// open asks Stripe for the page, with the purchase's id as the idempotency key.
func (s *sale) open(ctx context.Context, p billing.Purchase) (billing.CheckoutSession, error) {
	pack, ok := s.cfg.Catalog.Pack(p.Pack)
	if !ok {
		return billing.CheckoutSession{}, problem("pack_not_found", "")
	}
	session, err := s.cfg.Stripe.CreateCheckout(ctx, billing.CheckoutIn{
		PurchaseID: p.ID, CustomerID: p.CustomerID, PriceID: pack.Price.ID, LookupKey: pack.Price.LookupKey, Quantity: 1,
		SuccessURL: s.body.SuccessURL, CancelURL: s.body.CancelURL, Metadata: map[string]string{billing.MetadataPurchase: p.ID},
	})
	if err != nil {
		return session, stripeProblem(fmt.Errorf("opening a checkout session: %w", err))
	}
	return session, nil
}

// stripeProblem is what went wrong at Stripe: away, or a refusal that the operator has to
// look into.
func stripeProblem(err error) error {
	if p := problemOf(err); p.Code != "internal" && p.Code != "database_away" {
		return err
	}
	p := problem("stripe_refused", "")
	p.cause = err
	return p
}

func (s *Server) registerPurchases() {
	selling(s, spec{id: "create-team-checkout", path: "/v1/teams/{team}/checkouts"}, teamPlace[TeamCheckoutIn],
		func(in *TeamCheckoutIn) (teams.BuyIn, CheckoutBody) {
			return teams.BuyIn{TeamID: in.TeamID, Pack: in.Body.Pack}, in.Body
		})
	selling(s, spec{id: "create-user-checkout", path: "/v1/users/{user}/checkouts"}, userPlace[UserCheckoutIn],
		func(in *UserCheckoutIn) (teams.BuyIn, CheckoutBody) {
			return teams.BuyIn{UserID: in.UserID, Pack: in.Body.Pack}, in.Body
		})
	s.registerPurchaseLists()
	read(s, spec{
		id: "get-purchase", method: http.MethodGet, path: "/v1/purchases/{purchase}", tag: "Purchases", scopes: reads,
		summary: "Get a purchase", refusals: []int{http.StatusNotFound},
	}, func(ctx context.Context, tx pgx.Tx, c *call, in *struct {
		Reading
		ID string `path:"purchase" maxLength:"100"`
	},
	) (Purchase, error) {
		p, err := billing.GetPurchase(ctx, tx, in.ID)
		if err != nil {
			return Purchase{}, err
		}
		return viewPurchase(p), teams.MaySeePurchase(ctx, tx, p, c.by)
	})
}
