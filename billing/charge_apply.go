package billing

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
)

// ApplyCharge books what Stripe says of a charge of which money was given back, or that
// is disputed (R1 to R3). What it paid for should have been booked before, from the same
// fetch: what isn't known as paid yet waits (WaitingCharges).
//
// Every book in which something of it may lie is locked, in id order, before anything is
// decided; where that changed meanwhile it is ErrMoved. What an earlier ticket fetched is
// dropped when a later one was applied already (B3).
func ApplyCharge(ctx context.Context, tx pgx.Tx, c *Catalog, charge Charge, ticket int64, now func() time.Time) (Outcome, error) {
	place, err := findCharge(ctx, tx, charge)
	if err != nil {
		return Outcome{}, err
	}
	if place.purchase == nil && charge.Fetched.Subscription == nil {
		if id := charge.Metadata[MetadataPurchase]; id != "" {
			return Outcome{State: EventUnmatched, Reason: fmt.Sprintf("purchase %s is not known here", id)}, nil
		}
		return Outcome{State: EventIgnored, Reason: "it paid for nothing of ours"}, nil
	}
	if err := ledger.Lock(ctx, tx, place.books...); err != nil {
		return Outcome{}, fmt.Errorf("locking the books of charge %s: %w", charge.ID, err)
	}
	at := now()
	if applied, err := ApplyTicket(ctx, tx, charge.ID, ticket, at); err != nil || !applied {
		return Outcome{State: EventDone, Reason: "overtaken by a later fetch", Stale: true}, err
	}
	locked := place.books
	if place, err = findCharge(ctx, tx, charge); err != nil {
		return Outcome{}, err
	}
	if slices.ContainsFunc(place.books, func(book int64) bool { return !slices.Contains(locked, book) }) {
		return Outcome{}, ErrMoved
	}
	if place.state != chargeSettled {
		return waitForPlace(ctx, tx, charge, place, at)
	}
	return settleCharge(ctx, tx, c, charge, place, at)
}

// waitForPlace keeps a charge whose purchase isn't known as paid, or whose subscription
// lives nowhere yet. A sweep asks again.
func waitForPlace(ctx context.Context, tx pgx.Tx, charge Charge, place *chargePlace, at time.Time) (Outcome, error) {
	out := Outcome{State: EventDone, Reason: "waits: " + place.waits}
	if place.purchase == nil && place.sub.state != stateUnmapped {
		out.State = EventUnmatched
	}
	return out, place.kept.store(ctx, tx, charge, place, at)
}

func settleCharge(ctx context.Context, tx pgx.Tx, c *Catalog, charge Charge, place *chargePlace, at time.Time) (Outcome, error) {
	r, err := openRefunding(ctx, tx, c, charge, place, at)
	if err != nil {
		return Outcome{}, err
	}
	if place.purchase != nil {
		r.forPurchase(place.purchase, charge)
	} else {
		periods, sub, err := r.paidPeriods(ctx, tx, charge)
		if err != nil {
			return Outcome{}, err
		}
		if r.forInvoice(c, charge, sub, periods) {
			place.state, place.waits = chargeUngranted, "what it paid for isn't granted yet"
		}
	}
	if err := r.readOthers(ctx, tx); err != nil {
		return Outcome{}, err
	}
	if place.state == chargeSettled {
		err = r.settle()
	}
	if err == nil {
		err = r.settleBooks()
	}
	if err != nil {
		return Outcome{}, err
	}
	if err := Save(ctx, tx, r.states...); err != nil {
		return Outcome{}, err
	}
	out := r.outcome(charge, place)
	if place.kept.state == chargeUnplaced {
		if out.Reopen, err = reopenCharge(ctx, tx, charge); err != nil {
			return Outcome{}, err
		}
	}
	place.kept = keptCharge{roots: r.roots, settled: r.settled, clawbacks: r.clawbacks, paid: r.paid}
	return out, place.kept.store(ctx, tx, charge, place, at)
}

// reopenCharge reopens the events that waited for the charge's subscription to have a
// place: those of disputes and refunds name no customer by whom they would be found.
func reopenCharge(ctx context.Context, tx pgx.Tx, charge Charge) ([]EventArgs, error) {
	objects := []string{charge.ID}
	for _, r := range charge.Refunds {
		objects = append(objects, r.ID)
	}
	for _, d := range charge.Disputes {
		objects = append(objects, d.ID)
	}
	var all []EventArgs
	for _, id := range objects {
		some, err := ReopenEvents(ctx, tx, EventFilter{ObjectID: id, States: []EventState{EventUnmatched}})
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// openRefunding loads the locked books and settles what is due in them.
func openRefunding(ctx context.Context, tx pgx.Tx, c *Catalog, charge Charge, place *chargePlace, at time.Time) (*refunding, error) {
	wants := make([]ledger.Want, len(place.books))
	for i, book := range place.books {
		wants[i] = ledger.Want{Book: book, Origins: place.origins[book]}
		for _, taken := range place.kept.clawbacks {
			if taken.BookID == book {
				wants[i].Undo = append(wants[i].Undo, taken.Entry)
			}
		}
	}
	states, err := OpenStates(ctx, tx, c, at, wants...)
	if err != nil {
		return nil, err
	}
	r := &refunding{
		charge: charge.ID, at: at, states: states, roots: slices.Clone(place.kept.roots), disputed: charge.disputed(),
		gone: charge.refunded() + charge.lost(), settled: place.kept.settled, clawbacks: place.kept.clawbacks,
	}
	r.home = r.state(place.home)
	return r, r.settleBooks()
}

func (r *refunding) settleBooks() error {
	for _, s := range r.states {
		if err := s.Settle(r.at); err != nil {
			return err
		}
	}
	return nil
}

// forPurchase says what a purchase brought (R1).
func (r *refunding) forPurchase(p *Purchase, charge Charge) {
	r.root = topUpKey(p.ID)
	r.roots = []string{r.root}
	r.whole, r.cost, r.purchased = p.Credits, charge.Amount, true
	if p.Amount != nil {
		r.cost = *p.Amount
	}
}

// paidPeriods gives the periods that an invoice paid for as they stand after settling.
// Old ones aren't loaded with their book.
func (r *refunding) paidPeriods(ctx context.Context, tx pgx.Tx, charge Charge) ([]*Period, *Sub, error) {
	sub := r.home.Sub(charge.Fetched.Subscription.ID)
	if sub == nil {
		return nil, nil, ErrMoved
	}
	periods, err := loadPeriods(ctx, tx, sub.Facts.ID, paidSpan(charge.Lines))
	if err != nil {
		return nil, nil, err
	}
	periods = slices.DeleteFunc(periods, func(p *Period) bool { return len(sub.Periods) > 0 && p.Number >= sub.Periods[0].Number })
	return append(periods, sub.Periods...), sub, nil
}

// outcome says what came of the charge, to the inbox and to the operator's log.
func (r *refunding) outcome(charge Charge, place *chargePlace) Outcome {
	out := Outcome{State: EventDone, Books: place.books, Charge: &r.told}
	r.told.ChargeID, r.told.BookID = charge.ID, place.home
	r.told.Refunded, r.told.Lost, r.told.Currency = charge.refunded(), charge.lost(), charge.Currency
	if place.purchase != nil {
		r.told.PurchaseID = place.purchase.ID
	} else {
		r.told.SubscriptionID = charge.Fetched.Subscription.ID
	}
	out.Reason = r.told.String()
	if place.waits != "" {
		out.Reason = "waits: " + place.waits
	}
	return out
}

// String says in words what was done.
func (o ChargeOutcome) String() string {
	var did []string
	say := func(n int64, format string, args ...any) {
		if n > 0 {
			did = append(did, fmt.Sprintf(format, args...))
		}
	}
	say(o.Taken-o.Owed, "took %d credits back", o.Taken-o.Owed)
	say(o.Owed, "%d credits are owed", o.Owed)
	say(o.GivenBack, "gave %d credits back", o.GivenBack)
	say(int64(o.Frozen), "froze %d lots", o.Frozen)
	say(int64(o.Thawed), "thawed %d lots", o.Thawed)
	if len(did) == 0 {
		return "nothing new"
	}
	return strings.Join(did, ", ")
}
