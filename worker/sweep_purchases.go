package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
)

// purchasesMax is how many purchases one sweep asks about, and askAgainAfter when one is
// asked about again for which Stripe had no useful answer.
const (
	purchasesMax  = 200
	askAgainAfter = time.Hour
)

// SweepPurchases asks Stripe about purchases that no event told of, and about refunds and
// disputes of what wasn't known as paid when they came.
func (w *Worker) SweepPurchases(ctx context.Context) (int, error) {
	done, err := w.sweepUnpaid(ctx)
	if errors.Is(err, billing.ErrStripeUnavailable) || ctx.Err() != nil {
		return done, err
	}
	settled, failed := w.sweepCharges(ctx)
	return done + settled, errors.Join(err, failed)
}

// sweepUnpaid asks about purchases. One that fails is put off, so that it doesn't stand
// before the others for ever; when Stripe can't be reached at all, the rest waits for the
// next tick.
func (w *Worker) sweepUnpaid(ctx context.Context) (int, error) {
	due, err := billing.DuePurchases(ctx, w.db, w.cfg.Now(), purchasesMax)
	if err != nil {
		return 0, err
	}
	done := 0
	var failed error
	for _, p := range due {
		err := w.askAbout(ctx, p)
		if err == nil {
			done++
			continue
		}
		failed = errors.Join(failed, fmt.Errorf("purchase %s: %w", p.ID, err))
		if errors.Is(err, billing.ErrStripeUnavailable) || ctx.Err() != nil {
			break
		}
		if err := billing.PutOffPurchase(ctx, w.db, p.ID, w.cfg.Now().Add(askAgainAfter)); err != nil {
			return done, errors.Join(failed, err)
		}
	}
	return done, failed
}

// askAbout settles one purchase by what Stripe says. One without a session was written
// just before we stopped: nobody got a page to pay on. Should Stripe have made the
// session after all, the event of its payment still settles the purchase by its id.
func (w *Worker) askAbout(ctx context.Context, p billing.Purchase) error {
	if p.Kind == billing.PurchaseAuto {
		return w.settleTopUp(ctx, p)
	}
	if p.SessionID == nil {
		return w.inTx(ctx, func(tx pgx.Tx) error {
			return billing.PurchaseLost(ctx, tx, p.ID, "Stripe was never heard to open it, so nobody got a page to pay on")
		})
	}
	_, err := w.book.fetchAndApply(ctx, billing.Target{Kind: billing.TargetCheckout, ID: *p.SessionID},
		func(tx pgx.Tx, out billing.Outcome) error {
			if out.State == billing.EventIgnored {
				return billing.PurchaseLost(ctx, tx, p.ID, out.Reason)
			}
			return w.stage(ctx, tx, out.Reopen)
		})
	return err
}
