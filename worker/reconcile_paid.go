package worker

import (
	"context"
	"time"

	"purser/billing"
)

// invoices compares the invoices that may matter to what is kept, and those that pay
// automatic top-ups.
func (r *reconciler) invoices(ctx context.Context) error {
	since, err := billing.InvoicesSince(ctx, r.db, r.begun)
	if err != nil {
		return err
	}
	topUps, err := billing.TopUpsSince(ctx, r.db, r.begun)
	if err != nil {
		return err
	}
	if topUps.Before(r.in.Since) {
		topUps = r.in.Since
	}
	for _, other := range []time.Time{r.since, topUps} {
		if !other.IsZero() && other.Before(since) {
			since = other
		}
	}
	return paged(ctx, r, since.Add(-time.Hour), r.cfg.Stripe.ListInvoices, func(ctx context.Context, page []billing.Fetched) error {
		var ofSubs []billing.Invoice
		var ofTopUps []billing.PaidAtStripe
		for _, f := range page {
			r.sum.Invoices++
			switch {
			case f.Invoices[0].SubscriptionID != "":
				ofSubs = append(ofSubs, f.Invoices[0])
			case f.TopUp != nil:
				ofTopUps = append(ofTopUps, billing.OfTopUp(*f.TopUp))
			}
		}
		r.in.Progress("comparing invoices", r.sum.Invoices)
		if err := r.compareInvoices(ctx, ofSubs); err != nil {
			return err
		}
		return r.comparePaid(ctx, ofTopUps)
	})
}

func (r *reconciler) compareInvoices(ctx context.Context, page []billing.Invoice) error {
	ids, subIDs := make([]string, len(page)), make([]string, len(page))
	for i, inv := range page {
		ids[i], subIDs[i] = inv.ID, inv.SubscriptionID
	}
	kept, err := billing.KeptInvoices(ctx, r.db, ids)
	if err != nil {
		return err
	}
	subs, err := billing.KeptSubscriptions(ctx, r.db, subIDs)
	if err != nil {
		return err
	}
	for _, inv := range page {
		target := billing.Target{Kind: billing.TargetInvoice, ID: inv.ID}
		sub := subs[inv.SubscriptionID]
		if sub == nil {
			// What a subscription that is to be taken in has paid since its current period
			// began is taken in with it.
			if new, there := r.fresh[inv.SubscriptionID]; there && inv.Status == "paid" && mayGrant(new, inv) {
				r.repairs[inv.SubscriptionID].add(inv.CreatedAt, target)
			}
			continue
		}
		if here := kept[inv.ID]; here != nil && r.newer(here.FetchedAt) || r.in.TeamID != "" && sub.TeamID != r.in.TeamID {
			continue
		}
		if d, differs := billing.InvoiceDifference(inv, sub, kept[inv.ID]); differs {
			r.found(d, inv.SubscriptionID, inv.CreatedAt, target)
		}
	}
	return nil
}

func mayGrant(sub billing.Subscription, inv billing.Invoice) bool {
	return (&billing.KeptSubscription{First: sub.PeriodStart}).MayGrant(inv)
}

// sessions compares what was paid on pages at Stripe.
func (r *reconciler) sessions(ctx context.Context) error {
	looked := 0
	return paged(ctx, r, r.in.Since, r.cfg.Stripe.ListCheckoutSessions, func(ctx context.Context, page []billing.CheckoutSession) error {
		var ours []billing.PaidAtStripe
		for _, s := range page {
			if p, is := billing.OfSession(s); is {
				ours = append(ours, p)
			}
		}
		looked += len(page)
		r.in.Progress("comparing purchases", looked)
		return r.comparePaid(ctx, ours)
	})
}

func (r *reconciler) comparePaid(ctx context.Context, page []billing.PaidAtStripe) error {
	ids := make([]string, len(page))
	for i, p := range page {
		ids[i] = p.PurchaseID
	}
	kept, err := billing.KeptPurchases(ctx, r.db, ids)
	if err != nil {
		return err
	}
	for _, p := range page {
		r.sum.TopUps++
		if p.Paid {
			r.paid[p.PurchaseID] = true
		}
		here := kept[p.PurchaseID]
		switch {
		case here == nil && r.in.TeamID != "",
			here != nil && r.in.TeamID != "" && here.TeamID != r.in.TeamID,
			here != nil && here.PostedAt != nil && r.newer(*here.PostedAt):
			continue
		}
		d, differs := billing.TopUpDifference(p, here)
		switch {
		case !differs:
		case here == nil || !p.Paid:
			r.found(d, p.PurchaseID, r.begun)
		default:
			r.found(d, p.PurchaseID, here.CreatedAt, p.Target)
		}
	}
	return nil
}

// paidHere looks for purchases that count as paid and of which Stripe listed no payment.
func (r *reconciler) paidHere(ctx context.Context) error {
	after := ""
	for {
		page, err := billing.PaidPurchases(ctx, r.db, r.scope, r.in.Since, r.begun, after, reconcilePage)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, p := range page {
			after = p.ID
			if !r.paid[p.ID] && r.repairs[p.ID] == nil {
				r.found(billing.PaidHereOnly(p), p.ID, p.CreatedAt)
			}
		}
	}
}

// reversals compares refunds and disputes.
func (r *reconciler) reversals(ctx context.Context) error {
	return paged(ctx, r, r.in.Since, r.cfg.Stripe.ListReversals, func(ctx context.Context, page []billing.Reversal) error {
		r.sum.Reversals += len(page)
		r.in.Progress("comparing refunds and disputes", r.sum.Reversals)
		kept, err := billing.KeptCharges(ctx, r.db, page)
		if err != nil {
			return err
		}
		ids := make([]string, len(page))
		for i, there := range page {
			ids[i] = there.Invoice.SubscriptionID
		}
		subs, err := billing.KeptSubscriptions(ctx, r.db, ids)
		if err != nil {
			return err
		}
		for i, there := range page {
			r.compareReversal(there, kept[i], subs[there.Invoice.SubscriptionID])
		}
		return nil
	})
}

func (r *reconciler) compareReversal(there billing.Reversal, here billing.KeptCharge, sub *billing.KeptSubscription) {
	switch new, toTakeIn := r.fresh[there.Invoice.SubscriptionID]; {
	case here.Ours:
	case sub != nil:
		here.Ours, here.TeamID, here.UserID = sub.MayGrant(there.Invoice), sub.TeamID, sub.UserID
	case toTakeIn:
		here.Ours = mayGrant(new, there.Invoice)
	}
	if here.FetchedAt != nil && r.newer(*here.FetchedAt) || r.in.TeamID != "" && here.TeamID != r.in.TeamID {
		return
	}
	d, differs := billing.ReversalDifference(there, here)
	if !differs {
		return
	}
	// Several refunds of one charge are one difference.
	if known := r.repairs[there.ChargeID]; known != nil && d.Kind == billing.DiffersRefund {
		for _, f := range known.found {
			if f.Kind == d.Kind {
				return
			}
		}
	}
	r.found(d, there.ChargeID, there.CreatedAt, billing.Target{Kind: billing.TargetCharge, ID: there.ChargeID})
}
