package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"

	"purser/billing"
)

// fetchCharge fetches a charge, and books first that it was paid: a refund may be heard
// of before the payment. That needs transactions of its own; what comes in between of
// them and the charge's is worked again by the next attempt.
func (b *booker) fetchCharge(ctx context.Context, id string, ticket int64) (func(pgx.Tx) (billing.Outcome, error), error) {
	charge, err := b.cfg.Stripe.FetchCharge(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := b.bookPayment(ctx, charge, ticket); err != nil {
		return nil, fmt.Errorf("booking what it paid for: %w", err)
	}
	return func(tx pgx.Tx) (billing.Outcome, error) {
		return billing.ApplyCharge(ctx, tx, b.cfg.Catalog, charge, ticket, b.cfg.Now)
	}, nil
}

func (b *booker) bookPayment(ctx context.Context, charge billing.Charge, ticket int64) error {
	if charge.Fetched.Subscription != nil {
		_, err := b.apply(ctx, b.stageReopened(ctx), func(tx pgx.Tx) (billing.Outcome, error) {
			return b.applySubscription(ctx, tx, billing.ApplyIn{Fetched: charge.Fetched, Ticket: ticket, Now: b.cfg.Now})
		})
		return err
	}
	p, err := billing.UnpaidPurchase(ctx, b.db, charge)
	if err != nil || p == nil || p.SessionID == nil {
		return err
	}
	_, err = b.fetchAndApply(ctx, billing.Target{Kind: billing.TargetCheckout, ID: *p.SessionID}, b.stageReopened(ctx))
	return err
}

// stageReopened stages what a fetch lets be worked again, where no event is settled.
func (b *booker) stageReopened(ctx context.Context) func(pgx.Tx, billing.Outcome) error {
	return func(tx pgx.Tx, out billing.Outcome) error { return b.stage(ctx, tx, out.Reopen) }
}

// tellCharge tells the operator what a refund or a dispute did.
func (b *booker) tellCharge(ctx context.Context, out billing.Outcome) {
	c := out.Charge
	if c == nil {
		return
	}
	b.cfg.Logger.InfoContext(ctx, "charge settled", slog.String("charge", c.ChargeID), slog.String("purchase", c.PurchaseID),
		slog.String("subscription", c.SubscriptionID), slog.Int64("book", c.BookID), slog.Int64("refunded", c.Refunded),
		slog.Int64("lost", c.Lost), slog.String("currency", c.Currency), slog.Int64("taken_back", c.Taken),
		slog.Int64("owed", c.Owed), slog.Int64("given_back", c.GivenBack), slog.Int("lots_frozen", c.Frozen),
		slog.Int("lots_thawed", c.Thawed), slog.String("what", out.Reason))
}

// chargesMax is how many waiting charges one sweep asks about.
const chargesMax = 200

// sweepCharges asks Stripe again about refunds and disputes of what wasn't known as paid
// when they were heard of.
func (w *Worker) sweepCharges(ctx context.Context) (int, error) {
	waiting, err := billing.WaitingCharges(ctx, w.db, w.cfg.Now(), chargesMax)
	if err != nil {
		return 0, err
	}
	done := 0
	var failed error
	for _, id := range waiting {
		if _, err := w.book.fetchAndApply(ctx, billing.Target{Kind: billing.TargetCharge, ID: id}, w.book.stageReopened(ctx)); err != nil {
			failed = errors.Join(failed, fmt.Errorf("charge %s: %w", id, err))
			if errors.Is(err, billing.ErrStripeUnavailable) || ctx.Err() != nil {
				break
			}
			if err := billing.PutOffCharge(ctx, w.db, id, w.cfg.Now().Add(askAgainAfter)); err != nil {
				return done, errors.Join(failed, err)
			}
			continue
		}
		done++
	}
	return done, failed
}
