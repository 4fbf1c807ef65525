package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"purser/billing"
	"purser/teams"
)

// topUpWorker decides one book's automatic top-up, and buys.
type topUpWorker struct {
	river.WorkerDefaults[billing.TopUpArgs]
	w *Worker
}

func (t *topUpWorker) NextRetry(job *river.Job[billing.TopUpArgs]) time.Time {
	return job.AttemptedAt.Add(retryAfter(job.JobRow))
}

func (t *topUpWorker) Work(ctx context.Context, job *river.Job[billing.TopUpArgs]) error {
	return t.w.TopUp(ctx, job.Args.BookID)
}

// stageTopUps stages the decision of automatic top-ups whose credits ran low. What is
// dropped while its like runs, the sweep finds within a minute.
func stageTopUps(ctx context.Context, client *river.Client[pgx.Tx], tx pgx.Tx, books []int64) error {
	if len(books) == 0 {
		return nil
	}
	many := make([]river.InsertManyParams, len(books))
	for i, book := range books {
		many[i] = river.InsertManyParams{
			Args:       billing.TopUpArgs{BookID: book},
			InsertOpts: &river.InsertOpts{Queue: queueEvents, MaxAttempts: 3, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: unended}},
		}
	}
	if _, err := client.InsertManyTx(ctx, tx, many); err != nil {
		return fmt.Errorf("staging automatic top-ups: %w", err)
	}
	return nil
}

// topUpsMax is how many automatic top-ups one sweep decides.
const topUpsMax = 200

// SweepTopUps decides every automatic top-up whose time has come: credits ran low without
// a job, a retry is due, a cap's month is over, or what it waited for may have changed.
func (w *Worker) SweepTopUps(ctx context.Context) (int, error) {
	due, err := billing.DueTopUps(ctx, w.db, w.cfg.Now(), topUpsMax)
	if err != nil {
		return 0, err
	}
	done := 0
	var failed error
	for _, book := range due {
		err := w.TopUp(ctx, book)
		if err == nil {
			done++
			continue
		}
		failed = errors.Join(failed, fmt.Errorf("automatic top-up of book %d: %w", book, err))
		if errors.Is(err, billing.ErrStripeUnavailable) || ctx.Err() != nil {
			break
		}
		if err := billing.PutOffTopUp(ctx, w.db, book, w.cfg.Now().Add(askAgainAfter)); err != nil {
			return done, errors.Join(failed, err)
		}
	}
	return done, failed
}

// TopUp decides whether to buy credits for a book, and buys them. The purchase is committed
// before Stripe is asked for money.
func (w *Worker) TopUp(ctx context.Context, book int64) error {
	prices, err := w.packPrices(ctx, book)
	if err != nil {
		return err
	}
	var purchase *billing.Purchase
	err = w.inTx(ctx, func(tx pgx.Tx) (err error) {
		purchase, err = billing.BeginTopUp(ctx, tx, w.cfg.Catalog, billing.BeginTopUpIn{
			BookID: book, PurchaseID: w.cfg.NewID("top"), Now: w.cfg.Now, Prices: prices, Payer: teams.PayerOf,
		})
		return err
	})
	if errors.Is(err, billing.ErrNoAutoTopUp) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("deciding whether to buy: %w", err)
	}
	if purchase == nil {
		return nil
	}
	w.cfg.Between("topup begun")
	w.cfg.Logger.InfoContext(ctx, "automatic top-up begun", slog.String("purchase", purchase.ID), slog.Int64("book", book),
		slog.Int64("credits", purchase.Credits), slog.Int("attempt", purchase.Attempt))
	return w.settleTopUp(ctx, *purchase)
}

// packPrices fetches what the pack of a book's automatic top-up costs, before anything is
// locked.
func (w *Worker) packPrices(ctx context.Context, book int64) (map[string]billing.PackPrice, error) {
	setting, err := billing.GetAutoTopUp(ctx, w.db, book)
	if errors.Is(err, billing.ErrNoAutoTopUp) || err == nil && !setting.On {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	pack, ok := w.cfg.Catalog.Pack(setting.Pack)
	if !ok {
		return nil, nil
	}
	price, err := w.cfg.Stripe.FetchPackPrice(ctx, pack.Price)
	if errors.Is(err, billing.ErrStripeGone) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("fetching the price of %s: %w", pack.Name, err)
	}
	return map[string]billing.PackPrice{pack.Name: price}, nil
}

// topUpSteps bounds what is asked of Stripe for one purchase at a time: pay, void, and look
// what became of it, each once more if an event's fetch comes in between.
const topUpSteps = 6

// settleTopUp takes an automatic purchase as far as it gets: to its credits, to a decline
// whose invoice nobody can pay any more, or to somebody who has to authenticate. It may be
// stopped anywhere and taken up again.
func (w *Worker) settleTopUp(ctx context.Context, p billing.Purchase) error {
	next := billing.TopUpPay
	if p.InvoiceID != nil {
		next = billing.TopUpDone // only look
	}
	for range topUpSteps {
		ticket, err := billing.TakeTicket(ctx, w.db)
		if err != nil {
			return err
		}
		invoice, err := w.askForTopUp(ctx, &p, next)
		if err != nil {
			return w.endTopUp(ctx, p, err)
		}
		w.cfg.Between("topup asked")
		var out billing.Outcome
		err = w.inTx(ctx, func(tx pgx.Tx) (err error) {
			out, next, err = billing.ApplyTopUp(ctx, tx, w.cfg.Catalog, invoice, ticket, w.cfg.Now)
			if err != nil {
				return err
			}
			w.cfg.Between("topup commit")
			return w.stage(ctx, tx, out.Reopen)
		})
		if err != nil {
			return fmt.Errorf("booking %s: %w", invoice.ID, err)
		}
		w.cfg.Logger.InfoContext(ctx, "automatic top-up", slog.String("purchase", p.ID), slog.String("invoice", invoice.ID),
			slog.String("status", invoice.Status), slog.String("decline", invoice.DeclineCode), slog.String("next", string(next)))
		w.cfg.Between("topup applied")
		// An event's fetch knew later things, but an event only notes what is to be done next:
		// look again, and do it.
		if next == billing.TopUpDone && !out.Stale {
			return nil
		}
	}
	return nil
}

// askForTopUp asks Stripe for the next step, and what the invoice looks like after it.
func (w *Worker) askForTopUp(ctx context.Context, p *billing.Purchase, next billing.TopUpNext) (billing.TopUpInvoice, error) {
	switch {
	case next == billing.TopUpVoid:
		if err := w.cfg.Stripe.VoidTopUp(ctx, p.ID, *p.InvoiceID); err != nil {
			return billing.TopUpInvoice{}, err
		}
	case next == billing.TopUpDone:
	case p.InvoiceID == nil && !w.cfg.Now().Before(p.CreatedAt.Add(billing.TopUpKeysLive)):
		// Too late to repeat the step: Stripe may have forgotten its key.
		found, err := w.cfg.Stripe.FindTopUp(ctx, p.ID, p.CustomerID, p.CreatedAt.Add(-time.Hour))
		if err == nil {
			p.InvoiceID = &found.ID
		}
		return found, err
	default:
		return w.payTopUp(ctx, p)
	}
	return w.cfg.Stripe.FetchTopUp(ctx, *p.InvoiceID)
}

func (w *Worker) payTopUp(ctx context.Context, p *billing.Purchase) (billing.TopUpInvoice, error) {
	charge := billing.TopUpCharge{
		PurchaseID: p.ID, CustomerID: p.CustomerID, PaymentMethodID: p.PaymentMethodID, PriceID: p.PriceID, Packs: p.Packs, Currency: p.Currency,
	}
	if p.InvoiceID != nil {
		charge.InvoiceID = *p.InvoiceID
	}
	return w.cfg.Stripe.PayTopUp(ctx, charge, func(invoiceID string) error {
		p.InvoiceID = &invoiceID
		w.cfg.Between("topup invoiced")
		return billing.TopUpInvoiced(ctx, w.db, p.ID, invoiceID)
	})
}

// endTopUp ends a purchase that Stripe won't even try, or of which it knows nothing. What
// Stripe would make of it otherwise is unknown, and is asked again later.
func (w *Worker) endTopUp(ctx context.Context, p billing.Purchase, cause error) error {
	refused := errors.Is(cause, billing.ErrStripeRefused)
	if !refused && !errors.Is(cause, billing.ErrStripeGone) {
		return cause
	}
	if p.InvoiceID != nil {
		// Its event would tell that somebody else voided it, before we have said why.
		leave, err := w.turns.take(ctx, *p.InvoiceID)
		if err != nil {
			return errors.Join(cause, err)
		}
		defer leave()
		if err := w.cfg.Stripe.VoidTopUp(ctx, p.ID, *p.InvoiceID); err != nil && !errors.Is(err, billing.ErrStripeGone) {
			return errors.Join(cause, err)
		}
	}
	var triedWith string
	if customer, err := w.cfg.Stripe.FetchCustomer(ctx, p.CustomerID); err == nil {
		triedWith = customer.PaymentMethodID
	}
	w.cfg.Logger.WarnContext(ctx, "automatic top-up refused by Stripe", slog.String("purchase", p.ID), slog.Any("error", cause))
	return w.inTx(ctx, func(tx pgx.Tx) error {
		return billing.LoseTopUp(ctx, tx, p.ID, cause.Error(), refused, triedWith, w.cfg.Now)
	})
}
