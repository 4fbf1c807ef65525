package main

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/internal/localstripe"
	"purser/ledger"
	"purser/teams"
)

// story is what the demo tells. The figures beside each step are worked out by hand from
// the rules; the demo fails when purser's are others.
var story = []chapter{
	{
		"subscribe", "Acme subscribes with 5 seats",
		"Stripe: a customer, a subscription with quantity 5, its first invoice paid.", subscribe,
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
		"Nothing is used yet, but nobody else can have them.", holdCredits,
		figures{Seats: 8, Monthly: 8000, Purchased: 1000, Held: 300, Available: 8700},
	},
	{
		"capture", "It took 200: these are captured, 100 are released",
		"What ends first is drawn first: monthly credits before bought ones.", captureCredits,
		figures{Seats: 8, Monthly: 8000, Purchased: 1000, Used: 200, Available: 8800},
	},
	{
		"spend", "Ben spends 3,000", "One entry, all or nothing.", spendCredits,
		figures{Seats: 8, Monthly: 8000, Purchased: 1000, Used: 3200, Available: 5800},
	},
	{
		"allocate", "1,500 are set aside for Cleo",
		"They stay the team's, but only Cleo can draw on them.", allocateCredits,
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
}

func subscribe(ctx context.Context, t *telling) error {
	err := pgx.BeginFunc(ctx, t.db.Pool, func(tx pgx.Tx) (err error) {
		t.team, err = teams.CreateTeam(ctx, tx, t.catalog, teams.TeamIn{ID: "acme", OwnerID: "olga", Name: "Acme"}, t.stripe.Now())
		return err
	})
	if err != nil {
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
	p, err := sellPack(ctx, t.db.Pool, t.api, t.catalog, teams.BuyIn{TeamID: t.team.ID, Pack: "pack_1000", As: "olga"},
		checkoutPages{Success: "https://acme.example/thanks", Cancel: "https://acme.example/credits"}, t.stripe.Now())
	if err != nil {
		return err
	}
	if err := t.stripe.PaySession(ctx, *p.SessionID, localstripe.Payment{}); err != nil {
		return fmt.Errorf("paying: %w", err)
	}
	return nil
}

func holdCredits(ctx context.Context, t *telling) error {
	return t.move(ctx, t.team, ledger.Want{}, func(b *ledger.Book, at time.Time) error {
		pool, _ := b.Account(ledger.Main)
		e, err := b.Hold(ledger.Request{Key: "demo-hold", Actor: "ada", Holder: "ada", At: at, Memo: "agent run 7"},
			ledger.HoldIn{Credits: 300, Payers: []ledger.Payer{ledger.From(pool)}, ExpiresAt: at.Add(15 * time.Minute)})
		if err == nil {
			t.hold = e.Sequence
		}
		return err
	})
}

func captureCredits(ctx context.Context, t *telling) error {
	return t.move(ctx, t.team, ledger.Want{Holds: []int64{t.hold}}, func(b *ledger.Book, at time.Time) error {
		_, err := b.Capture(ledger.Request{Key: "demo-capture", Actor: "ada", At: at, Memo: "agent run 7"}, t.hold, 200)
		return err
	})
}

func spendCredits(ctx context.Context, t *telling) error {
	return t.move(ctx, t.team, ledger.Want{}, func(b *ledger.Book, at time.Time) error {
		pool, _ := b.Account(ledger.Main)
		_, err := b.Spend(ledger.Request{Key: "demo-spend", Actor: "ben", Holder: "ben", At: at, Memo: "report", Reference: "report-42"},
			ledger.SpendIn{Credits: 3000, Payers: []ledger.Payer{ledger.From(pool)}})
		return err
	})
}

func allocateCredits(ctx context.Context, t *telling) error {
	return t.move(ctx, t.team, ledger.Want{}, func(b *ledger.Book, at time.Time) error {
		pool, _ := b.Account(ledger.Main)
		_, err := b.Move(ledger.Request{Key: "demo-allocate", Actor: "olga", Holder: "cleo", At: at, Memo: "for Cleo's project"},
			ledger.MoveIn{Kind: ledger.KindAllocation, From: pool, To: b.MakeAllocation("cleo", at), Credits: 1500})
		return err
	})
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
