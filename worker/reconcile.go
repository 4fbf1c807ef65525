package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"purser/billing"
	"purser/teams"
)

// ReconcileIn says what is compared with Stripe, and whether it is mended.
type ReconcileIn struct {
	TeamID string // only what is of this team
	UserID string // only what this user's customers have
	Apply  bool
	Since  time.Time // only purchases and reversals of then or later; zero: all
	// Progress is called again and again with what is being done and how many were done.
	Progress func(doing string, done int)
}

// Reconciled says what was compared, and what came of it.
type Reconciled struct {
	Subscriptions int `json:"subscriptions"` // that Stripe listed, as in the next three
	Invoices      int `json:"invoices"`
	TopUps        int `json:"top_ups"`   // of ours
	Reversals     int `json:"reversals"` // refunds and disputes
	Differences   int `json:"differences"`
	Mended        int `json:"mended"`
	Left          int `json:"left"`
	Waiting       int `json:"waiting"` // unmatched and unmapped ones, also those just taken in
}

// Reconcile compares every subscription, every paid top-up and what was given back with
// Stripe (E3), also what was never heard of, and tells of each difference. Where asked to
// it mends them, by the same functions that events use.
//
// It compares everything first, from lists, which cost a call for a hundred objects, and
// then mends what differs, one by one. What was mended doesn't differ any more, so to go
// on after being stopped is to begin again.
func (w *Worker) Reconcile(ctx context.Context, in ReconcileIn, tell func(billing.Difference) error) (Reconciled, error) {
	r := &reconciler{
		Worker: w, in: in, scope: billing.ReconcileScope{TeamID: in.TeamID, UserID: in.UserID}, begun: w.cfg.Now(),
		seen: map[string]bool{}, paid: map[string]bool{}, repairs: map[string]*repair{}, fresh: map[string]billing.Subscription{},
	}
	if in.Progress == nil {
		r.in.Progress = func(string, int) {}
	}
	if err := r.findCustomers(ctx); err != nil {
		return r.sum, err
	}
	for _, compare := range []func(context.Context) error{r.subscriptions, r.gone, r.invoices, r.sessions, r.paidHere, r.reversals} {
		if err := compare(ctx); err != nil {
			return r.sum, err
		}
	}
	return r.sum, r.mend(ctx, tell)
}

// reconciler is one comparison.
type reconciler struct {
	*Worker
	in        ReconcileIn
	scope     billing.ReconcileScope
	customers []string // of the scope; "" alone: everybody
	begun     time.Time
	asked     time.Time // when the page that is being looked at was asked for

	seen    map[string]bool                 // subscriptions that Stripe listed
	fresh   map[string]billing.Subscription // those to be taken in
	since   time.Time                       // since when invoices matter
	paid    map[string]bool                 // purchases that Stripe says are paid
	repairs map[string]*repair              // by the object that is mended
	sum     Reconciled
	telling sync.Mutex
}

// repair is what differs of one object, and what is fetched to mend it.
type repair struct {
	found    []billing.Difference
	customer string
	created  time.Time
	targets  []repairTarget // none: it isn't for a program to decide
}

type repairTarget struct {
	billing.Target
	created time.Time
}

// findCustomers finds whose objects are asked for where not all are.
func (r *reconciler) findCustomers(ctx context.Context) error {
	r.customers = []string{""}
	user := r.in.UserID
	var ids []string
	if r.in.TeamID != "" {
		team, err := teams.GetTeam(ctx, r.db, r.in.TeamID)
		if err != nil {
			return err
		}
		user = team.OwnerID
		subs, err := billing.ListSubscriptions(ctx, r.db, billing.SubscriptionFilter{TeamID: r.in.TeamID, Limit: customersMax})
		if err != nil {
			return err
		}
		for _, s := range subs {
			ids = append(ids, s.CustomerID)
		}
	}
	if user == "" {
		return nil
	}
	if _, err := teams.GetUser(ctx, r.db, user); err != nil {
		return err
	}
	owned, err := billing.Customers(ctx, r.db, user)
	if err != nil {
		return err
	}
	for _, c := range owned {
		ids = append(ids, c.CustomerID)
	}
	slices.Sort(ids)
	r.customers = slices.Compact(ids)
	return nil
}

// customersMax bounds how many subscriptions of one team are looked at to find who pays.
const customersMax = 1000

// reconcilePage is how many objects are looked up here at a time: as many as Stripe
// lists at once, so that what is kept is read right after Stripe was asked.
const reconcilePage = 100

// paged gathers what Stripe lists for the customers and hands it on by the page.
func paged[T any](ctx context.Context, r *reconciler, since time.Time, list func(context.Context, billing.ListIn, func(T) error) error, do func(context.Context, []T) error) error {
	for _, customer := range r.customers {
		page := make([]T, 0, reconcilePage)
		r.asked = r.cfg.Now()
		err := list(ctx, billing.ListIn{CustomerID: customer, Since: since}, func(one T) error {
			page = append(page, one)
			if len(page) < reconcilePage {
				return nil
			}
			err := do(ctx, page)
			page, r.asked = page[:0], r.cfg.Now()
			return err
		})
		if err == nil && len(page) > 0 {
			err = do(ctx, page)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// found notes a difference under the object whose mending mends it.
func (r *reconciler) found(d billing.Difference, key string, created time.Time, targets ...billing.Target) {
	to := r.repairs[key]
	if to == nil {
		to = &repair{customer: d.CustomerID, created: created}
		r.repairs[key] = to
	}
	to.found = append(to.found, d)
	to.add(created, targets...)
}

func (to *repair) add(created time.Time, targets ...billing.Target) {
	for _, t := range targets {
		if !slices.ContainsFunc(to.targets, func(has repairTarget) bool { return has.Target == t }) {
			to.targets = append(to.targets, repairTarget{t, created})
		}
	}
}

// newer tells whether what is kept was fetched after the page was asked for, so that the
// page is the one that is out of date.
func (r *reconciler) newer(fetched time.Time) bool { return fetched.After(r.asked) }

// subscriptions compares those that Stripe lists.
func (r *reconciler) subscriptions(ctx context.Context) error {
	return paged(ctx, r, time.Time{}, r.cfg.Stripe.ListSubscriptions, func(ctx context.Context, page []billing.Fetched) error {
		ids := make([]string, len(page))
		for i, f := range page {
			ids[i] = f.Subscription.ID
		}
		kept, err := billing.KeptSubscriptions(ctx, r.db, ids)
		if err != nil {
			return err
		}
		for _, there := range page {
			r.sum.Subscriptions++
			r.seen[there.Subscription.ID] = true
			r.compare(there, kept[there.Subscription.ID])
		}
		r.in.Progress("comparing subscriptions", r.sum.Subscriptions)
		return nil
	})
}

func (r *reconciler) compare(there billing.Fetched, here *billing.KeptSubscription) {
	sub := there.Subscription
	if !r.inTeam(there, here) {
		return
	}
	if here != nil && r.newer(here.FetchedAt) {
		return
	}
	found := billing.SubscriptionDifferences(r.cfg.Catalog, there, here, r.begun)
	if (len(found) > 0 || !sub.Status.Ended()) && (r.since.IsZero() || sub.PeriodStart.Before(r.since)) {
		r.since = sub.PeriodStart
	}
	for _, d := range found {
		target := billing.Target{Kind: billing.TargetSubscription, ID: sub.ID}
		switch {
		case d.Kind == billing.DiffersUnknown:
			r.fresh[sub.ID] = *sub
		case d.Kind == billing.DiffersCustomer && there.Customer != nil && there.Customer.Deleted:
			target = billing.Target{Kind: billing.TargetCustomer, ID: sub.CustomerID}
		}
		if d.Waits() {
			r.found(d, sub.ID, sub.CreatedAt)
			continue
		}
		r.found(d, sub.ID, sub.CreatedAt, target)
	}
}

// inTeam tells whether a subscription is of the team that is asked for. A new one may be
// meant for it unless it names another.
func (r *reconciler) inTeam(there billing.Fetched, here *billing.KeptSubscription) bool {
	if r.in.TeamID == "" {
		return true
	}
	if here != nil {
		return here.TeamID == r.in.TeamID
	}
	named := there.Subscription.Metadata[billing.MetadataTeam]
	return named == "" || named == r.in.TeamID
}

// goneMax is how many subscriptions that Stripe didn't list are asked for one by one.
// With the wrong account's key there are as many as are kept.
const goneMax = 100

// gone looks for subscriptions that run here and weren't listed. One that exists after
// all was made while the list was read, or belongs to a test clock.
func (r *reconciler) gone(ctx context.Context) error {
	after, missing := "", 0
	for {
		kept, err := billing.RunningSubscriptions(ctx, r.db, r.scope, after, reconcilePage)
		if err != nil || len(kept) == 0 {
			return err
		}
		for id, here := range kept {
			after = max(after, id)
			if r.seen[id] || r.newer(here.FetchedAt) {
				continue
			}
			if missing++; missing <= goneMax {
				there, err := r.cfg.Stripe.FetchSubscription(ctx, id)
				if err == nil {
					r.compare(there, here)
					continue
				}
				if !errors.Is(err, billing.ErrStripeGone) {
					return fmt.Errorf("asking for %s, which wasn't listed: %w", id, err)
				}
			}
			r.found(billing.Gone(id, here), id, here.Facts.CreatedAt)
		}
	}
}
