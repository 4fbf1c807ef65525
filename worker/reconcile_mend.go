package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"purser/billing"
)

// mendTogether is how many customers' differences are mended at once. Stripe takes a
// few tenths of a second to answer, and the pace lets many more calls through than one
// after the other would make.
const mendTogether = 8

// mend tells of every difference, the oldest object first, after mending it where that
// is asked for. What is of one customer is mended one after the other, in the order in
// which it came about, so that places are given as events would have given them.
func (r *reconciler) mend(ctx context.Context, tell func(billing.Difference) error) error {
	groups := r.groups()
	if !r.in.Apply {
		for _, group := range groups {
			for _, to := range group {
				if err := r.tell(to, tell); err != nil {
					return err
				}
			}
		}
		return nil
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	queue := make(chan []*repair)
	var working sync.WaitGroup
	for range mendTogether {
		working.Go(func() {
			for group := range queue {
				for _, to := range group {
					if ctx.Err() != nil {
						break
					}
					err := r.mendOne(ctx, to)
					if err == nil {
						err = r.tell(to, tell)
					}
					if err != nil {
						stop(err)
					}
				}
			}
		})
	}
	for _, group := range groups {
		queue <- group
	}
	close(queue)
	working.Wait()
	return context.Cause(ctx)
}

// groups gives the repairs by customer.
func (r *reconciler) groups() [][]*repair {
	of := map[string][]*repair{}
	for _, to := range r.repairs {
		of[to.customer] = append(of[to.customer], to)
	}
	var groups [][]*repair
	for _, group := range of {
		slices.SortFunc(group, func(a, b *repair) int {
			return cmp.Or(a.rank()-b.rank(), a.created.Compare(b.created), strings.Compare(a.found[0].ObjectID, b.found[0].ObjectID))
		})
		groups = append(groups, group)
	}
	slices.SortFunc(groups, func(a, b []*repair) int {
		return cmp.Or(a[0].created.Compare(b[0].created), strings.Compare(a[0].found[0].ObjectID, b[0].found[0].ObjectID))
	})
	return groups
}

// rank puts what brought something before what took it back.
func (to *repair) rank() int {
	if kind := to.found[0].Kind; kind == billing.DiffersRefund || kind == billing.DiffersDispute {
		return 1
	}
	return 0
}

// tell tells of the differences of one object and counts them.
func (r *reconciler) tell(to *repair, tell func(billing.Difference) error) error {
	r.telling.Lock()
	defer r.telling.Unlock()
	for _, d := range to.found {
		if !d.Waits() {
			r.sum.Differences++
		}
		switch {
		case d.Waits() || d.Result == billing.ResultWaits:
			r.sum.Waiting++
		case d.Result == billing.ResultMended:
			r.sum.Mended++
		default:
			r.sum.Left++
		}
		if err := tell(d); err != nil {
			return err
		}
	}
	if r.in.Apply {
		r.in.Progress(fmt.Sprintf("mending, of %d", len(r.repairs)), r.sum.Differences)
	}
	return nil
}

// mendOne fetches and books what differs of one object, and notes what came of it. An
// error is one that would meet all others too.
func (r *reconciler) mendOne(ctx context.Context, to *repair) error {
	slices.SortStableFunc(to.targets, func(a, b repairTarget) int { return a.created.Compare(b.created) })
	result, reason := billing.ResultLeft, ""
	for _, target := range r.needed(to) {
		out, err := r.book.fetchAndApply(ctx, target.Target, r.book.stageReopened(ctx))
		switch {
		case errors.Is(err, billing.ErrStripeUnavailable) || ctx.Err() != nil:
			return err
		case err != nil:
			r.cfg.Logger.WarnContext(ctx, "a difference can't be mended", slog.String("object", target.ID), slog.Any("error", err))
			to.conclude(billing.ResultFailed, err.Error())
			return nil
		}
		result, reason = resultOf(out)
	}
	to.conclude(result, reason)
	return nil
}

// needed leaves the subscription itself out where an invoice of it is fetched, which
// brings it along.
func (r *reconciler) needed(to *repair) []repairTarget {
	if !slices.ContainsFunc(to.targets, func(t repairTarget) bool { return t.Kind == billing.TargetInvoice }) {
		return to.targets
	}
	return slices.DeleteFunc(slices.Clone(to.targets), func(t repairTarget) bool { return t.Kind == billing.TargetSubscription })
}

func resultOf(out billing.Outcome) (result, reason string) {
	switch out.State {
	case billing.EventUnmatched, billing.EventUnmapped:
		return billing.ResultWaits, out.Reason
	case billing.EventIgnored:
		return billing.ResultLeft, out.Reason
	}
	return billing.ResultMended, ""
}

func (to *repair) conclude(result, reason string) {
	for i := range to.found {
		if to.found[i].Waits() {
			continue
		}
		to.found[i].Result = result
		if reason != "" {
			to.found[i].Reason = reason
		}
	}
}

// reconciledSince is how far back the schedule looks at purchases and refunds: Stripe
// keeps events for 30 days, so that what is older was looked at before.
const reconciledSince = 35 * 24 * time.Hour

// ReconcileDue mends whatever differs from Stripe, a line of the log each, and reports
// how many differences were mended.
func (w *Worker) ReconcileDue(ctx context.Context) (int, error) {
	sum, err := w.Reconcile(ctx, ReconcileIn{Apply: true, Since: w.cfg.Now().Add(-reconciledSince)}, func(d billing.Difference) error {
		if d.Waits() {
			return nil // it is listed
		}
		w.cfg.Logger.WarnContext(ctx, "differed from Stripe", slog.String("kind", string(d.Kind)), slog.String("object", d.ObjectID),
			slog.String("subscription", d.SubscriptionID), slog.String("customer", d.CustomerID), slog.String("team", d.TeamID), slog.String("user", d.UserID),
			slog.String("here", d.Here), slog.String("stripe", d.Stripe), slog.String("result", d.Result), slog.String("reason", d.Reason))
		return nil
	})
	return sum.Mended, err
}
