package billing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
)

// ApplyIn is what one fetch brought, with what the worker found out about its owner.
type ApplyIn struct {
	Fetched Fetched
	Ticket  int64            // taken before the fetch
	Now     func() time.Time // asked once the book is locked, so that its time never goes back
	Found   Location         // where it is kept (Find)

	// Where it may go; not needed once it has its place (Found.HasPlace).
	Owner Owner
	Named *Slot  // the team in the subscription's metadata
	Owned []Slot // the teams that the owner owns
}

// ErrMoved says that what was found out before a lock isn't so any more. Trying again
// finds it out anew.
var ErrMoved = errors.New("its place changed meanwhile")

// Apply books what Stripe says of a subscription and its invoices: under the lock of its
// book it stores the facts and settles what is due. What an earlier ticket fetched is
// dropped when a later one was applied already (B3).
func Apply(ctx context.Context, tx pgx.Tx, c *Catalog, in ApplyIn) (Outcome, error) {
	before, place, err := lockPlaces(ctx, tx, c, in)
	if err != nil {
		return Outcome{}, err
	}
	a := &applying{ApplyIn: in, before: before, place: place}
	if err := applyLocked(ctx, tx, c, in.Now(), a); err != nil {
		return Outcome{}, err
	}
	return a.out, nil
}

// Location is where and how a subscription is kept.
type Location struct {
	state  string // placed, unmapped, unmatched; "": not at all
	reason string
	kept   bool
	Slot
}

// HasPlace tells whether the subscription has its place for good, so that nobody need
// find out where it might go.
func (l Location) HasPlace() bool { return l.kept }

// unmappedReason is told of a subscription that buys nothing of ours (B2).
const unmappedReason = "no price of it is in the catalogue"

// next decides where a subscription is kept from now on. One that has a place stays
// there, whatever it buys. A new one without a price of ours is kept on the owner's
// personal account, where it takes nobody's place.
func (l Location) next(c *Catalog, sub *Subscription, place PlaceIn) Location {
	mapped := figure(c, sub.Items, nil).Mapped()
	switch {
	case l.kept && (mapped || sub.Status.Ended()):
		l.state, l.reason = statePlaced, ""
	case l.kept:
		l.state, l.reason = stateUnmapped, unmappedReason
	case mapped:
		return Location{state: statePlaced, kept: true, Slot: Place(place)}
	default:
		return Location{state: stateUnmapped, reason: unmappedReason, Slot: place.Personal}
	}
	return l
}

// overtaken is the outcome of a fetch that came too late: that of the later one.
func (l Location) overtaken() Outcome {
	out := Outcome{State: EventDone, Reason: "overtaken by a later fetch"}
	if l.state != statePlaced {
		out = l.waiting()
	}
	out.Stale = true
	return out
}

// waiting is the outcome of an event whose subscription can't be booked yet. Whatever
// books it in the end reopens the event.
func (l Location) waiting() Outcome {
	if l.state == stateUnmatched {
		return Outcome{State: EventUnmatched, Reason: l.reason}
	}
	return Outcome{State: EventUnmapped, Reason: l.reason}
}

// The states in which subscriptions are kept.
const (
	statePlaced    = "placed"
	stateUnmapped  = "unmapped"
	stateUnmatched = "unmatched"
)

// Find finds where a subscription is kept.
func Find(ctx context.Context, db DB, subID string) (Location, error) {
	found, err := findAll(ctx, db, []string{subID})
	return found[subID], err
}

// findAll finds where subscriptions are kept. One that isn't kept at all is missing.
func findAll(ctx context.Context, db DB, ids []string) (map[string]Location, error) {
	rows, err := db.Query(ctx, `
		SELECT id, state, reason, state = 'placed' OR EXISTS (SELECT FROM periods WHERE subscription_id = s.id), COALESCE(book_id, 0), team_id
		FROM subscriptions s WHERE id = ANY($1)`, ids)
	if err != nil {
		return nil, fmt.Errorf("finding %s: %w", subscriptionsOf(ids), err)
	}
	found := map[string]Location{}
	var id string
	var l Location
	_, err = pgx.ForEachRow(rows, []any{&id, &l.state, &l.reason, &l.kept, &l.BookID, &l.TeamID}, func() error {
		found[id] = l
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("finding %s: %w", subscriptionsOf(ids), err)
	}
	return found, nil
}

// subscriptionsOf tells in an error which are meant.
func subscriptionsOf(ids []string) string {
	if len(ids) == 1 {
		return "subscription " + ids[0]
	}
	return fmt.Sprintf("%d subscriptions", len(ids))
}

// lockPlaces locks the book that the subscription lives in or would go to, and then
// reads again where it lives or may go: what was read before the lock may have changed.
func lockPlaces(ctx context.Context, tx pgx.Tx, c *Catalog, in ApplyIn) (Location, PlaceIn, error) {
	sub := in.Fetched.Subscription
	place := PlaceIn{Named: in.Named, Owned: in.Owned, Personal: Slot{BookID: in.Owner.BookID}, Capable: teamCapable(c, sub)}
	books := []int64{in.Found.BookID}
	if !in.Found.kept {
		if err := place.read(ctx, tx, sub); err != nil {
			return Location{}, PlaceIn{}, err
		}
		books = []int64{place.Personal.BookID, Place(place).BookID}
	}
	if err := ledger.Lock(ctx, tx, books...); err != nil {
		return Location{}, PlaceIn{}, fmt.Errorf("locking the books of %s: %w", sub.ID, err)
	}
	now, err := Find(ctx, tx, sub.ID)
	if err != nil {
		return Location{}, PlaceIn{}, err
	}
	if now.kept {
		if !slices.Contains(books, now.BookID) {
			return Location{}, PlaceIn{}, ErrMoved
		}
		return now, place, nil
	}
	if err := place.read(ctx, tx, sub); err != nil {
		return Location{}, PlaceIn{}, err
	}
	if !slices.Contains(books, Place(place).BookID) {
		return Location{}, PlaceIn{}, ErrMoved
	}
	return now, place, nil
}

func teamCapable(c *Catalog, sub *Subscription) bool {
	plan, ok := c.Plan(figure(c, sub.Items, nil).Lead())
	return ok && plan.Teams
}

// lateMoney tells the operator of an invoice that was paid after its subscription had
// ended: it brings no credits (B6), so somebody may want to give the money back.
func lateMoney(f Fetched) string {
	end := f.Subscription.endedAt()
	if end == nil {
		return ""
	}
	for _, inv := range f.Invoices {
		if inv.Status == "paid" && inv.PaidAt != nil && inv.PaidAt.After(*end) {
			return fmt.Sprintf("invoice %s was paid after the subscription had ended: no credits", inv.ID)
		}
	}
	return ""
}

// KeepUnmatched keeps a subscription whose customer belongs to nobody yet, so that it is
// listed for the operator (B14). If the customer was linked meanwhile it is ErrMoved.
func KeepUnmatched(ctx context.Context, tx pgx.Tx, in ApplyIn) (Outcome, error) {
	sub := in.Fetched.Subscription
	// Whoever links the customer reopens what is kept, and so must see this.
	if err := lockCustomer(ctx, tx, sub.CustomerID); err != nil {
		return Outcome{}, err
	}
	if _, err := CustomerOwner(ctx, tx, sub.CustomerID); !errors.Is(err, ErrCustomerUnknown) {
		return Outcome{}, errors.Join(err, ErrMoved)
	}
	at := in.Now()
	kept := Location{state: stateUnmatched, reason: fmt.Sprintf("customer %s is not linked to a user", sub.CustomerID)}
	a := &applying{ApplyIn: in, after: kept}
	if err := applyTickets(ctx, tx, at, a); err != nil {
		return Outcome{}, err
	}
	if len(a.fresh) > 0 {
		if err := storeFacts(ctx, tx, at, a); err != nil {
			return Outcome{}, err
		}
	}
	return Outcome{State: EventUnmatched, Reason: kept.reason, Stale: len(a.fresh) == 0}, nil
}
