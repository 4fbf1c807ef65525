package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"time"

	"purser/internal/localstripe"
	"purser/teams"
)

// story is what the demo tells. The figures beside each step are worked out by hand from
// the rules; the demo fails when purser's are others. What members do goes over the HTTP
// API, and the rest happens at Stripe.
var story = []chapter{
	{
		"subscribe", "Acme subscribes with 5 seats",
		"Olga makes a team; Ada, Ben and Cleo join it. Stripe: a customer, a subscription with quantity 5, its invoice paid.", subscribe,
		figures{Seats: 5, Monthly: 5000, Available: 5000},
	},
	{
		"add_seats", "Three seats are added in mid-month",
		"Stripe: quantity 5 → 8, billed on the next invoice. The pool doesn't wait for it.", seatsTo(8),
		figures{Seats: 8, Monthly: 8000, Available: 8000},
	},
	{
		"buy_pack", "A pack of 1,000 credits is bought",
		"Stripe: a Checkout session is opened and paid. Bought credits live for 12 months.", buyPack,
		figures{Seats: 8, Monthly: 8000, Purchased: 1000, Available: 9000},
	},
	{
		"hold", "Ada's agent holds 300 credits before it starts",
		"Nothing is used yet, but nobody else can have them.", holds(request{
			user: "ada", path: "/v1/teams/acme/holds", body: `{"user_id": "ada", "credits": 300, "memo": "agent run 7"}`, status: http.StatusCreated, left: 8700,
		}),
		figures{Seats: 8, Monthly: 8000, Purchased: 1000, Held: 300, Available: 8700},
	},
	{
		"capture", "It took 200: these are captured, 100 are released",
		"What ends first is drawn first: monthly credits before bought ones.", captures("ada", 200, 8800, "agent run 7"),
		figures{Seats: 8, Monthly: 8000, Purchased: 1000, Used: 200, Available: 8800},
	},
	{
		"spend", "Ben spends 3,000", "One entry, all or nothing.", asks(request{
			user: "ben", path: "/v1/teams/acme/spends", body: `{"user_id": "ben", "credits": 3000, "memo": "report", "reference": "report-42"}`,
			status: http.StatusCreated, left: 5800,
		}),
		figures{Seats: 8, Monthly: 8000, Purchased: 1000, Used: 3200, Available: 5800},
	},
	{
		"allocate", "1,500 are set aside for Cleo",
		"They stay the team's, but only Cleo can draw on them.", asks(request{
			user: "olga", path: "/v1/teams/acme/allocations", body: `{"user_id": "cleo", "credits": 1500, "reason": "for Cleo's project"}`,
			status: http.StatusCreated,
		}),
		figures{Seats: 8, Monthly: 8000, Purchased: 1000, Used: 3200, Allocated: 1500, Available: 4300},
	},
	{
		"month_turns", "The month turns",
		"Stripe: the renewal's invoice is paid an hour later. 4,800 were left; 8 seats × 500 = 4,000 roll over, 800 expire.", turnMonth,
		figures{Seats: 8, Monthly: 8000, Purchased: 1000, Rollover: 4000, Allocated: 1500, Available: 11500},
	},
	{
		"remove_seats", "Seats fall to 3",
		"Stripe: quantity 8 → 3. The five seats' credits of this month go back, as far as they are there.", seatsTo(3),
		figures{Seats: 3, Monthly: 3000, Purchased: 1000, Rollover: 4000, Allocated: 1500, Available: 6500},
	},
	{
		"replay", "Every event so far is delivered again, twice, in random order",
		"Stripe promises no order and no uniqueness. Nothing may change.", deliverAgain,
		figures{Seats: 3, Monthly: 3000, Purchased: 1000, Rollover: 4000, Allocated: 1500, Available: 6500, Silent: true},
	},
	{
		"invite", "Dora is invited, and joins",
		"Over the HTTP API: the answer carries the link for the mail. She may draw 1,000 a month from the pool.", invite,
		figures{Seats: 3, Monthly: 3000, Purchased: 1000, Rollover: 4000, Allocated: 1500, Available: 6500},
	},
	{
		"limit", "Dora spends 900, and 200 more are too many",
		"A refusal changes nothing. It names what stopped it, how much there is, and what would help.", asks(
			request{user: "dora", path: spends, body: `{"user_id": "dora", "credits": 900, "memo": "sketches 1 to 3"}`, status: http.StatusCreated, left: 100},
			request{user: "dora", path: spends, body: `{"user_id": "dora", "credits": 200, "memo": "sketch 4"}`, status: http.StatusPaymentRequired, code: "limit_reached", left: 100},
		),
		figures{Seats: 3, Monthly: 3000, Purchased: 1000, Rollover: 4000, Used: 900, Allocated: 1500, Available: 5600},
	},
	{
		"hold_and_capture", "Dora's last 100 are held; the job takes 60",
		"The 40 that come back count for her limit, too.", holdAndCapture,
		figures{Seats: 3, Monthly: 3000, Purchased: 1000, Rollover: 4000, Used: 960, Allocated: 1500, Available: 5540},
	},
	{
		"set_aside", "Olga looks what setting 300 aside would do, does so, and Dora spends 310",
		"One's own allocation pays first, then the pool within the limit.", asks(
			request{user: "olga", path: "/v1/teams/acme/allocations/preview", body: `{"user_id": "dora", "credits": 300, "reason": "for Dora's poster"}`, status: http.StatusOK},
			request{user: "olga", path: "/v1/teams/acme/allocations", body: `{"user_id": "dora", "credits": 300, "reason": "for Dora's poster"}`, status: http.StatusCreated},
			request{user: "dora", path: spends, body: `{"user_id": "dora", "credits": 310, "memo": "a poster"}`, status: http.StatusCreated, left: 30},
		),
		figures{Seats: 3, Monthly: 3000, Purchased: 1000, Rollover: 4000, Used: 1270, Allocated: 1500, Available: 5230},
	},
	{
		"personal", "Dora goes on with 50 credits of her own, and comes back",
		"What she pays herself is not the team's: its figures stay but for the last 10.", goPersonal,
		figures{Seats: 3, Monthly: 3000, Purchased: 1000, Rollover: 4000, Used: 1280, Allocated: 1500, Available: 5220},
	},
}

const spends = "/v1/teams/acme/spends"

func invite(ctx context.Context, t *telling) error {
	return t.join(ctx, "dora", `{"email": "dora@acme.example", "limit": {"kind": "period", "credits": 1000}}`)
}

func holdAndCapture(ctx context.Context, t *telling) error {
	hold := request{user: "dora", path: "/v1/teams/acme/holds", body: `{"user_id": "dora", "credits": 100, "memo": "sketch 4"}`, status: http.StatusCreated}
	if err := holds(hold)(ctx, t); err != nil {
		return err
	}
	return captures("dora", 60, 40, "sketch 4")(ctx, t)
}

// goPersonal is the way of a member who is out of the team's credits, and back.
func goPersonal(ctx context.Context, t *telling) error {
	return asks(
		request{user: "dora", path: "/v1/teams/acme/members/dora/go-personal", status: http.StatusOK},
		request{user: "dora", path: spends, body: `{"user_id": "dora", "credits": 50, "memo": "a card for a friend"}`, status: http.StatusPaymentRequired, code: "personal_account_empty"},
		request{path: "/v1/users/dora/bonus", body: `{"credits": 50, "memo": "a present from the product"}`, status: http.StatusCreated},
		request{user: "dora", path: spends, body: `{"user_id": "dora", "credits": 50, "memo": "a card for a friend"}`, status: http.StatusCreated},
		request{user: "dora", path: "/v1/teams/acme/members/dora/go-back", status: http.StatusOK},
		request{user: "dora", path: spends, body: `{"user_id": "dora", "credits": 10, "memo": "a correction"}`, status: http.StatusCreated, left: 20},
	)(ctx, t)
}

func subscribe(ctx context.Context, t *telling) error {
	if err := t.gather(ctx); err != nil {
		return err
	}
	var made struct{ ID string }
	if err := t.post(ctx, "/v1/customers", url.Values{
		"email": {"olga@acme.example"}, "name": {"Acme"}, "metadata[purser_user]": {"olga"},
	}, &made); err != nil {
		return err
	}
	t.customer = made.ID
	if err := t.post(ctx, "/v1/payment_methods/pm_card_visa/attach", url.Values{"customer": {t.customer}}, &made); err != nil {
		return err
	}
	if err := t.post(ctx, "/v1/customers/"+t.customer, url.Values{"invoice_settings[default_payment_method]": {made.ID}}, nil); err != nil {
		return err
	}
	price, err := t.price(ctx, "team_monthly")
	if err != nil {
		return err
	}
	var sub struct {
		ID    string
		Items struct{ Data []struct{ ID string } }
	}
	err = t.post(ctx, "/v1/subscriptions", url.Values{
		"customer": {t.customer}, "items[0][price]": {price}, "items[0][quantity]": {"5"}, "metadata[purser_team]": {"acme"},
	}, &sub)
	if err != nil {
		return err
	}
	t.subscription, t.item = sub.ID, sub.Items.Data[0].ID
	return nil
}

// gather makes the team, with three members who may all draw on its pool.
func (t *telling) gather(ctx context.Context) error {
	if _, err := t.ask(ctx, request{user: "olga", path: "/v1/teams", body: `{"id": "acme", "owner_id": "olga", "name": "Acme"}`, status: http.StatusCreated}); err != nil {
		return err
	}
	for _, user := range []string{"ada", "ben", "cleo"} {
		if err := t.join(ctx, user, fmt.Sprintf(`{"email": "%s@acme.example"}`, user)); err != nil {
			return err
		}
	}
	t.calls = nil // the story tells of an invitation later
	team, err := teams.GetTeam(ctx, t.db.Pool, "acme")
	t.team = team
	return err
}

// join lets somebody into the team: the invitation's answer carries the link for the mail,
// and the backend says who followed it.
func (t *telling) join(ctx context.Context, user, invitation string) error {
	sent, err := t.ask(ctx, request{user: "olga", path: "/v1/teams/acme/invitations", body: invitation, status: http.StatusCreated})
	if err != nil {
		return err
	}
	_, err = t.ask(ctx, request{
		path: "/v1/invitations/accept", body: fmt.Sprintf(`{"token": %q, "user_id": %q}`, sent.Token, user), status: http.StatusCreated,
	})
	return err
}

func (s *stage) price(ctx context.Context, lookupKey string) (string, error) {
	var list struct{ Data []struct{ ID string } }
	if err := s.get(ctx, "/v1/prices?lookup_keys[]="+url.QueryEscape(lookupKey), &list); err != nil {
		return "", err
	}
	if len(list.Data) == 0 {
		return "", fmt.Errorf("no price with the lookup key %q", lookupKey)
	}
	return list.Data[0].ID, nil
}

func seatsTo(n int) func(context.Context, *telling) error {
	return func(ctx context.Context, t *telling) error {
		if err := t.until(ctx, t.stripe.Now().Add(4*24*time.Hour)); err != nil {
			return err
		}
		return t.post(ctx, "/v1/subscription_items/"+t.item, url.Values{"quantity": {fmt.Sprint(n)}}, nil)
	}
}

func buyPack(ctx context.Context, t *telling) error {
	a, err := t.ask(ctx, request{
		user: "olga", path: "/v1/teams/acme/checkouts", status: http.StatusCreated,
		body: `{"pack": "pack_1000", "success_url": "https://app.acme.example/thanks", "cancel_url": "https://app.acme.example/credits"}`,
	})
	if err != nil {
		return err
	}
	return t.payPage(ctx, a.URL)
}

// payPage pays on one of Stripe's pages.
func (s *stage) payPage(ctx context.Context, page string) error {
	u, err := url.Parse(page)
	if err != nil {
		return fmt.Errorf("reading the page's address: %w", err)
	}
	if err := s.stripe.PaySession(ctx, path.Base(u.Path), localstripe.Payment{}); err != nil {
		return fmt.Errorf("paying: %w", err)
	}
	return nil
}

// holds makes a hold and remembers it.
func holds(r request) func(context.Context, *telling) error {
	return func(ctx context.Context, t *telling) error {
		a, err := t.ask(ctx, r)
		t.hold = a.ID
		return err
	}
}

// captures uses so much of the hold that was made last.
func captures(user string, credits, left int64, memo string) func(context.Context, *telling) error {
	return func(ctx context.Context, t *telling) error {
		_, err := t.ask(ctx, request{
			user: user, path: "/v1/teams/acme/holds/" + t.hold + "/capture", body: fmt.Sprintf(`{"credits": %d, "memo": %q}`, credits, memo),
			status: http.StatusCreated, left: left,
		})
		return err
	}
}

// turnMonth moves the clock over the period's end and past the hour after which Stripe
// finalises and collects the renewal's invoice.
func turnMonth(ctx context.Context, t *telling) error {
	_, end, err := t.period(ctx)
	if err != nil {
		return err
	}
	return t.until(ctx, end.Add(2*time.Hour))
}

func (t *telling) period(ctx context.Context) (start, end time.Time, err error) {
	pool, err := t.pool(ctx, t.team.BookID)
	return pool.PeriodStart, pool.PeriodEnd, err
}

func deliverAgain(_ context.Context, t *telling) error {
	t.stripe.Resend(2, 20260115)
	return nil
}
