package billing

import (
	"context"
	"encoding/json"
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
	Ticket  int64 // taken before the fetch
	At      time.Time
	Owner   Owner
	Named   *Slot  // the team in the subscription's metadata
	Owned   []Slot // the teams that the owner owns
}

// location is where a subscription is kept now.
type location struct {
	state string
	Slot
}

// Apply books what Stripe says of a subscription and its invoices: under the lock of its
// book it stores the facts and settles what is due. What an earlier ticket fetched is
// dropped when a later one was applied already (B3).
func Apply(ctx context.Context, tx pgx.Tx, c *Catalog, in ApplyIn) (Outcome, error) {
	sub := in.Fetched.Subscription
	place := PlaceIn{
		Named: in.Named, Owned: in.Owned, Personal: Slot{BookID: in.Owner.BookID},
		Capable: teamCapable(c, sub),
	}
	var err error
	if place.Earlier, err = earlierPlace(ctx, tx, sub.CustomerID, sub.ID); err != nil {
		return Outcome{}, err
	}
	at, err := lockPlaces(ctx, tx, sub.ID, &place)
	if err != nil {
		return Outcome{}, err
	}
	fresh, err := applyInvoices(ctx, tx, in)
	if err != nil {
		return Outcome{}, err
	}
	applied, err := ApplyTicket(ctx, tx, sub.ID, in.Ticket, in.At)
	if err != nil {
		return Outcome{}, err
	}
	if !applied && !fresh {
		return Outcome{State: EventDone, Reason: "overtaken by a later fetch", Stale: true}, nil
	}
	slot, state, reason := at.Slot, "placed", ""
	if at.state != "placed" {
		slot, state, reason = settlePlace(c, sub, place)
	}
	if err := storeSubscription(ctx, tx, in, slot, state, reason, applied); err != nil {
		return Outcome{}, err
	}
	if state == "unmapped" {
		return Outcome{State: EventUnmapped, Reason: reason}, nil
	}
	return settleSubscription(ctx, tx, c, in, slot, at)
}

// settlePlace decides where a subscription goes that has no place yet. One without a
// price of ours is kept on the owner's personal account, where it takes nobody's place.
func settlePlace(c *Catalog, sub *Subscription, place PlaceIn) (Slot, string, string) {
	if !figure(c, sub.Items, nil).Mapped() {
		return place.Personal, "unmapped", "no price of it is in the catalogue"
	}
	return Place(place), "placed", ""
}

func teamCapable(c *Catalog, sub *Subscription) bool {
	plan, ok := c.Plan(figure(c, sub.Items, nil).Lead())
	return ok && plan.Teams
}

// lockPlaces locks every book that the subscription lives in or may go to, in id order,
// and then reads where it lives: what was read before the lock may have changed.
func lockPlaces(ctx context.Context, tx pgx.Tx, subID string, place *PlaceIn) (location, error) {
	before, err := locate(ctx, tx, subID)
	if err != nil {
		return location{}, err
	}
	books := place.books()
	if before.state == "placed" {
		books = []int64{before.BookID}
	}
	if err := ledger.Lock(ctx, tx, books...); err != nil {
		return location{}, fmt.Errorf("locking the books of %s: %w", subID, err)
	}
	now, err := locate(ctx, tx, subID)
	if err != nil {
		return location{}, err
	}
	if now.state == "placed" && !slices.Contains(books, now.BookID) {
		return location{}, ErrMoved
	}
	return now, place.readTaken(ctx, tx)
}

// ErrMoved says that a subscription was moved to another book meanwhile. Trying again
// finds it there.
var ErrMoved = errors.New("the subscription was moved meanwhile")

func locate(ctx context.Context, tx pgx.Tx, subID string) (location, error) {
	var at location
	err := tx.QueryRow(ctx, `
		SELECT state, COALESCE(book_id, 0), team_id FROM subscriptions WHERE id = $1`, subID).Scan(&at.state, &at.BookID, &at.TeamID)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return location{}, fmt.Errorf("finding subscription %s: %w", subID, err)
	}
	return at, nil
}

// applyInvoices stores the invoices that no later fetch has stored, and reports whether
// there was one.
func applyInvoices(ctx context.Context, tx pgx.Tx, in ApplyIn) (bool, error) {
	any := false
	for _, inv := range in.Fetched.Invoices {
		applied, err := ApplyTicket(ctx, tx, inv.ID, in.Ticket, in.At)
		if err != nil {
			return false, err
		}
		if !applied {
			continue
		}
		any = true
		facts, err := json.Marshal(inv)
		if err != nil {
			return false, fmt.Errorf("writing invoice %s: %w", inv.ID, err)
		}
		if _, err := tx.Exec(ctx, `
			INSERT INTO invoices (id, subscription_id, customer_id, status, facts, created_at, fetched_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (id) DO UPDATE SET subscription_id = EXCLUDED.subscription_id, customer_id = EXCLUDED.customer_id,
				status = EXCLUDED.status, facts = EXCLUDED.facts, fetched_at = EXCLUDED.fetched_at`,
			inv.ID, inv.SubscriptionID, inv.CustomerID, inv.Status, facts, inv.CreatedAt, in.At); err != nil {
			return false, fmt.Errorf("storing invoice %s: %w", inv.ID, err)
		}
	}
	return any, nil
}

// paidLinesMax bounds what a subscription remembers of paid lines: years of them.
const paidLinesMax = 200

// paidLines gathers the lines of the subscription's paid invoices, the newest last.
func paidLines(ctx context.Context, tx pgx.Tx, subID string) ([]PaidLine, error) {
	rows, err := tx.Query(ctx, `
		SELECT facts FROM invoices WHERE subscription_id = $1 AND status = 'paid' ORDER BY created_at DESC, id DESC LIMIT 100`, subID)
	if err != nil {
		return nil, fmt.Errorf("reading paid invoices of %s: %w", subID, err)
	}
	invoices, err := pgx.CollectRows(rows, pgx.RowTo[Invoice])
	if err != nil {
		return nil, fmt.Errorf("reading paid invoices of %s: %w", subID, err)
	}
	lines := []PaidLine{}
	for i := len(invoices) - 1; i >= 0; i-- {
		for _, l := range invoices[i].Lines {
			if l.PriceID != "" {
				lines = append(lines, PaidLine{
					InvoiceID: invoices[i].ID, PriceID: l.PriceID, LookupKey: l.LookupKey, Quantity: l.Quantity,
					Amount: l.Amount, Proration: l.Proration, From: l.From, To: l.To,
				})
			}
		}
	}
	return lines[max(0, len(lines)-paidLinesMax):], nil
}

// storeSubscription writes the facts, unless a later fetch brought newer ones and only
// an invoice is new.
func storeSubscription(ctx context.Context, tx pgx.Tx, in ApplyIn, slot Slot, state, reason string, applied bool) error {
	sub := in.Fetched.Subscription
	lines, err := paidLines(ctx, tx, sub.ID)
	if err != nil {
		return err
	}
	paid, err := json.Marshal(lines)
	if err != nil {
		return fmt.Errorf("writing what was paid: %w", err)
	}
	if !applied {
		_, err := tx.Exec(ctx, `UPDATE subscriptions SET paid = $2 WHERE id = $1`, sub.ID, paid)
		if err != nil {
			return fmt.Errorf("storing what was paid for %s: %w", sub.ID, err)
		}
		return nil
	}
	facts, err := json.Marshal(sub)
	if err != nil {
		return fmt.Errorf("writing subscription %s: %w", sub.ID, err)
	}
	var book *int64
	if slot.BookID != 0 {
		book = &slot.BookID
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO subscriptions (id, customer_id, status, state, reason, book_id, team_id, facts, paid, created_at, fetched_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (id) DO UPDATE SET customer_id = EXCLUDED.customer_id, status = EXCLUDED.status, state = EXCLUDED.state,
			reason = EXCLUDED.reason, book_id = EXCLUDED.book_id, team_id = EXCLUDED.team_id, facts = EXCLUDED.facts,
			paid = EXCLUDED.paid, fetched_at = EXCLUDED.fetched_at`,
		sub.ID, sub.CustomerID, sub.Status, state, reason, book, slot.TeamID, facts, paid, sub.CreatedAt, in.At)
	if err != nil {
		return fmt.Errorf("storing subscription %s: %w", sub.ID, err)
	}
	return nil
}

func settleSubscription(ctx context.Context, tx pgx.Tx, c *Catalog, in ApplyIn, slot Slot, before location) (Outcome, error) {
	state, err := OpenState(ctx, tx, c, in.At, ledger.Want{Book: slot.BookID})
	if err != nil {
		return Outcome{}, err
	}
	if err := state.Settle(in.At); err != nil {
		return Outcome{}, err
	}
	if err := Save(ctx, tx, state); err != nil {
		return Outcome{}, err
	}
	out := Outcome{State: EventDone, Reason: lateMoney(in.Fetched), Books: []int64{slot.BookID}}
	if before.state != "placed" {
		// It has a place for the first time: what waited for that can be applied.
		out.Reopen, err = ReopenEvents(ctx, tx, EventFilter{
			Customer: in.Fetched.Subscription.CustomerID, States: []EventState{EventUnmatched, EventUnmapped},
		})
	}
	return out, err
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
// listed for the operator (B14).
func KeepUnmatched(ctx context.Context, tx pgx.Tx, in ApplyIn) (Outcome, error) {
	sub := in.Fetched.Subscription
	at, err := locate(ctx, tx, sub.ID)
	if err != nil {
		return Outcome{}, err
	}
	reason := fmt.Sprintf("customer %s is not linked to a user", sub.CustomerID)
	if at.state == "" || at.state == "unmatched" {
		fresh, err := applyInvoices(ctx, tx, in)
		if err != nil {
			return Outcome{}, err
		}
		applied, err := ApplyTicket(ctx, tx, sub.ID, in.Ticket, in.At)
		if err != nil {
			return Outcome{}, err
		}
		if applied || fresh {
			if err := storeSubscription(ctx, tx, in, Slot{}, "unmatched", reason, applied); err != nil {
				return Outcome{}, err
			}
		}
	}
	return Outcome{State: EventUnmatched, Reason: reason}, nil
}
