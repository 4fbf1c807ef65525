package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/teams"
)

// booker fetches an object from Stripe and books what it says.
type booker struct{ *Worker }

// moves is how often what was found out about a subscription may change while its book
// is being locked before the job is left to be tried later.
const moves = 3

// fetchAndApply takes a ticket, fetches with no transaction open, and books in one
// transaction, in which settle runs last.
func (b *booker) fetchAndApply(ctx context.Context, target billing.Target, settle func(pgx.Tx, billing.Outcome) error) (billing.Outcome, error) {
	ticket, err := billing.TakeTicket(ctx, b.db)
	if err != nil {
		return billing.Outcome{}, err
	}
	return b.fetchWith(ctx, target, ticket, settle, nil)
}

// fetchWith fetches with a ticket and books: a subscription together with others, unless
// that is nil or refuses by errAlone; else in a transaction of its own.
func (b *booker) fetchWith(
	ctx context.Context, target billing.Target, ticket int64, settle func(pgx.Tx, billing.Outcome) error,
	together func(billing.ApplyIn) (billing.Outcome, error),
) (billing.Outcome, error) {
	got, err := b.fetch(ctx, target, ticket)
	if errors.Is(err, billing.ErrStripeGone) {
		gone := billing.Outcome{State: billing.EventIgnored, Reason: "Stripe has no such object (any more)"}
		return gone, b.inTx(ctx, func(tx pgx.Tx) error { return settle(tx, gone) })
	}
	if err != nil {
		return billing.Outcome{}, fmt.Errorf("fetching %s: %w", target.ID, err)
	}
	b.cfg.Between("fetched")
	out, err := billing.Outcome{}, errAlone
	if got.in != nil && together != nil {
		out, err = together(*got.in)
	}
	if errors.Is(err, errAlone) {
		out, err = b.apply(ctx, settle, got.apply)
	}
	if err != nil {
		return billing.Outcome{}, fmt.Errorf("booking %s: %w", target.ID, err)
	}
	b.cfg.Between("committed")
	b.tellCharge(ctx, out)
	return out, nil
}

// apply books in one transaction, and anew when what was found out before a lock changed
// meanwhile.
func (b *booker) apply(ctx context.Context, settle func(pgx.Tx, billing.Outcome) error, apply func(pgx.Tx) (billing.Outcome, error)) (out billing.Outcome, err error) {
	for range moves {
		err = b.inTx(ctx, func(tx pgx.Tx) error {
			if out, err = apply(tx); err != nil {
				return err
			}
			if err := settle(tx, out); err != nil {
				return err
			}
			b.cfg.Between("commit")
			return nil
		})
		if !errors.Is(err, billing.ErrMoved) {
			break
		}
	}
	return out, err
}

// fetched is what Stripe said.
type fetched struct {
	in    *billing.ApplyIn // of a subscription: it may be booked together with others
	apply func(pgx.Tx) (billing.Outcome, error)
}

// fetch asks Stripe and gives back what is to be booked in a transaction.
func (b *booker) fetch(ctx context.Context, target billing.Target, ticket int64) (got fetched, err error) {
	switch target.Kind {
	case billing.TargetSubscription, billing.TargetInvoice:
		return b.fetchSubscription(ctx, target, ticket)
	case billing.TargetCheckout:
		session, err := b.cfg.Stripe.FetchCheckoutSession(ctx, target.ID)
		got.apply = func(tx pgx.Tx) (billing.Outcome, error) {
			return billing.ApplyCheckout(ctx, tx, b.cfg.Catalog, session, ticket, b.cfg.Now)
		}
		return got, err
	case billing.TargetCharge:
		got.apply, err = b.fetchCharge(ctx, target.ID, ticket)
		return got, err
	case billing.TargetCustomer:
		customer, err := b.cfg.Stripe.FetchCustomer(ctx, target.ID)
		got.apply = func(tx pgx.Tx) (billing.Outcome, error) { return b.applyCustomer(ctx, tx, customer, ticket) }
		return got, err
	}
	return got, fmt.Errorf("no way to fetch %q", target.Kind)
}

// fetchSubscription fetches a subscription, or an invoice with its subscription.
func (b *booker) fetchSubscription(ctx context.Context, target billing.Target, ticket int64) (got fetched, err error) {
	fetch := b.cfg.Stripe.FetchSubscription
	if target.Kind == billing.TargetInvoice {
		fetch = b.cfg.Stripe.FetchInvoice
	}
	said, err := fetch(ctx, target.ID)
	if err != nil {
		return got, err
	}
	in := billing.ApplyIn{Fetched: said, Ticket: ticket, Now: b.cfg.Now}
	switch {
	case said.Subscription != nil:
		got.in = &in
	case said.TopUp != nil:
		got.apply = func(tx pgx.Tx) (billing.Outcome, error) {
			out, _, err := billing.ApplyTopUp(ctx, tx, b.cfg.Catalog, *said.TopUp, ticket, b.cfg.Now)
			return out, err
		}
		return got, nil
	}
	got.apply = func(tx pgx.Tx) (billing.Outcome, error) { return b.applySubscription(ctx, tx, in) }
	return got, nil
}

// applySubscription finds out whose subscription it is and where it may go, unless it has
// its place, and books it.
func (b *booker) applySubscription(ctx context.Context, tx pgx.Tx, in billing.ApplyIn) (billing.Outcome, error) {
	if in.Fetched.Subscription == nil {
		return noteInvoice(ctx, tx, in.Fetched)
	}
	found, err := billing.Find(ctx, tx, in.Fetched.Subscription.ID)
	if err != nil {
		return billing.Outcome{}, err
	}
	in.Found = found
	var linked []billing.EventArgs
	if !found.HasPlace() {
		linked, err = b.findPlaces(ctx, tx, &in)
		if errors.Is(err, billing.ErrCustomerUnknown) {
			return billing.KeepUnmatched(ctx, tx, in)
		}
		if err != nil {
			return billing.Outcome{}, err
		}
	}
	out, err := billing.Apply(ctx, tx, b.cfg.Catalog, in)
	if err != nil {
		return billing.Outcome{}, err
	}
	out.Reopen = append(out.Reopen, linked...)
	return out, b.followSubscription(ctx, tx, out, b.cfg.Now())
}

// noteInvoice keeps the invoice of a purchase on Stripe's page. No other invoice without a
// subscription is ours.
func noteInvoice(ctx context.Context, tx pgx.Tx, said billing.Fetched) (billing.Outcome, error) {
	for _, inv := range said.Invoices {
		if noted, err := billing.NoteInvoice(ctx, tx, inv); noted || err != nil {
			return billing.Outcome{State: billing.EventDone, Reason: "the invoice of a purchase"}, err
		}
	}
	return billing.Outcome{State: billing.EventIgnored, Reason: "not an invoice of a subscription"}, nil
}

// followSubscription lets the team's seat assignments follow what was bought, in the same
// transaction.
func (b *booker) followSubscription(ctx context.Context, tx pgx.Tx, out billing.Outcome, at time.Time) error {
	if out.Team == "" {
		return nil
	}
	fell, err := teams.FollowSubscription(ctx, tx, b.cfg.Catalog, out.Team, out.Seats, out.Placed, at)
	if err != nil {
		return fmt.Errorf("following the seats of team %q: %w", out.Team, err)
	}
	if len(fell) > 0 {
		b.cfg.Logger.WarnContext(ctx, "members lost their seats", slog.String("team", out.Team), slog.Any("members", fell))
	}
	return nil
}

// findPlaces finds the subscription's owner and the teams that it may go to. It gives
// back the events that waited for the owner.
func (b *booker) findPlaces(ctx context.Context, tx pgx.Tx, in *billing.ApplyIn) ([]billing.EventArgs, error) {
	owner, linked, err := b.owner(ctx, tx, *in)
	if err != nil {
		return nil, err
	}
	in.Owner = owner
	if in.Named, err = b.namedTeam(ctx, tx, *in); err != nil {
		return nil, err
	}
	in.Owned, err = teams.SlotsOf(ctx, tx, owner.UserID)
	return linked, err
}

// owner finds the user who owns the customer, or links the one that the metadata of the
// subscription or of the customer names (B14).
func (b *booker) owner(ctx context.Context, tx pgx.Tx, in billing.ApplyIn) (billing.Owner, []billing.EventArgs, error) {
	sub := in.Fetched.Subscription
	owner, err := billing.CustomerOwner(ctx, tx, sub.CustomerID)
	if !errors.Is(err, billing.ErrCustomerUnknown) {
		return owner, nil, err
	}
	named := sub.Metadata[billing.MetadataUser]
	if named == "" && in.Fetched.Customer != nil {
		named = in.Fetched.Customer.Metadata[billing.MetadataUser]
	}
	if named == "" || sub.CustomerID == "" {
		return billing.Owner{}, nil, err
	}
	linked, err := b.link(ctx, tx, sub.CustomerID, named)
	if err != nil {
		return billing.Owner{}, nil, err
	}
	owner, err = billing.CustomerOwner(ctx, tx, sub.CustomerID)
	return owner, linked, err
}

// link makes a customer the user's whom Stripe's metadata names. An id that can't be a
// user's leaves the customer unknown, and its events listed.
func (b *booker) link(ctx context.Context, tx pgx.Tx, customerID, userID string) ([]billing.EventArgs, error) {
	user, err := teams.EnsureUser(ctx, tx, userID, b.cfg.Now())
	var bad *teams.FieldError
	if errors.As(err, &bad) {
		return nil, fmt.Errorf("customer %s names the user in metadata, who %w: %w", customerID, bad, billing.ErrCustomerUnknown)
	}
	if err != nil {
		return nil, err
	}
	return billing.LinkCustomer(ctx, tx, customerID, user.ID, user.BookID, "metadata", b.cfg.Now())
}

// namedTeam gives the team that the subscription's metadata names, which comes into
// being at this mention. An id that can't be a team's names none.
func (b *booker) namedTeam(ctx context.Context, tx pgx.Tx, in billing.ApplyIn) (*billing.Slot, error) {
	name := in.Fetched.Subscription.Metadata[billing.MetadataTeam]
	if name == "" || in.Fetched.Subscription.Status.Ended() {
		return nil, nil
	}
	team, err := teams.EnsureTeam(ctx, tx, name, in.Owner.UserID, in.Now())
	var bad *teams.FieldError
	if errors.As(err, &bad) {
		b.cfg.Logger.WarnContext(ctx, "the metadata names a team that can't be", "subscription", in.Fetched.Subscription.ID, "rule", bad.Error())
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if team.ClosedAt != nil {
		b.cfg.Logger.WarnContext(ctx, "the metadata names a team that is closed", "subscription", in.Fetched.Subscription.ID, "team", name)
		return nil, nil
	}
	if team.OwnerID != in.Owner.UserID {
		b.cfg.Logger.WarnContext(ctx, "the metadata names a team of another owner", "subscription", in.Fetched.Subscription.ID, "team", name)
		return nil, nil
	}
	return &billing.Slot{TeamID: team.ID, BookID: team.BookID}, nil
}

// applyCustomer links a customer to the user whom its metadata names, and remembers that
// it was deleted.
func (b *booker) applyCustomer(ctx context.Context, tx pgx.Tx, customer billing.Customer, ticket int64) (billing.Outcome, error) {
	if applied, err := billing.ApplyTicket(ctx, tx, customer.ID, ticket, b.cfg.Now()); err != nil || !applied {
		return billing.Outcome{State: billing.EventDone, Reason: "overtaken by a later fetch", Stale: true}, err
	}
	if customer.Deleted {
		return billing.Outcome{State: billing.EventDone}, billing.MarkCustomerDeleted(ctx, tx, customer.ID, b.cfg.Now())
	}
	// Another card is another chance for what was declined with the last one (P3).
	changed, err := billing.CardChanged(ctx, tx, customer.ID, customer.PaymentMethodID, b.cfg.Now())
	if err != nil {
		return billing.Outcome{}, err
	}
	if err := stageTopUps(ctx, b.client, tx, changed); err != nil {
		return billing.Outcome{}, err
	}
	named := customer.Metadata[billing.MetadataUser]
	if named == "" {
		return billing.Outcome{State: billing.EventIgnored, Reason: "the customer names no user"}, nil
	}
	owner, err := billing.CustomerOwner(ctx, tx, customer.ID)
	switch {
	case err == nil && owner.UserID == named:
		return billing.Outcome{State: billing.EventDone}, nil
	case err == nil:
		return billing.Outcome{State: billing.EventIgnored, Reason: fmt.Sprintf("the customer names user %q, and belongs to user %q", named, owner.UserID)}, nil
	case !errors.Is(err, billing.ErrCustomerUnknown):
		return billing.Outcome{}, err
	}
	reopened, err := b.link(ctx, tx, customer.ID, named)
	if errors.Is(err, billing.ErrCustomerUnknown) {
		return billing.Outcome{State: billing.EventIgnored, Reason: err.Error()}, nil
	}
	return billing.Outcome{State: billing.EventDone, Reopen: reopened}, err
}
