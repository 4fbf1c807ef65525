package billing

import (
	"context"
	"fmt"
	"slices"

	"purser/ledger"
)

// freeze freezes all that is left of what the charge paid for, wherever it lies, while a
// dispute is open, and thaws it when none is any more (R2). Of a year's invoice and one for
// a change in one of its months, each freezes what it paid for and no more. Lots of which
// nothing is left are frozen, too: what comes back to them is disputed like the rest.
func (r *refunding) freeze() error {
	for _, s := range r.states {
		for _, lot := range lotsOf(s.Book, r.roots) {
			frozen := r.disputed || slices.Contains(r.beside, lot.RootOrigin)
			if lot.Frozen == frozen {
				continue
			}
			if err := r.setFrozen(s.Book, lot, frozen); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *refunding) setFrozen(b *ledger.Book, lot *ledger.Lot, frozen bool) error {
	what, memo := "thaw", "no dispute is open any more"
	if frozen {
		what, memo = "freeze", "disputed"
		r.told.Frozen++
	} else {
		r.told.Thawed++
	}
	_, err := b.SetFrozen(r.request(fmt.Sprintf("%s:%s:%d:%d", what, r.charge, lot.ID, b.NextNumber()), memo), lot, frozen)
	return err
}

// HasOpenDispute tells whether money that was paid for a book is disputed: for a pack that
// lives there, or for a subscription. No automatic top-up then (R2). An inquiry is no
// dispute.
func HasOpenDispute(ctx context.Context, db DB, book int64) (bool, error) {
	var open bool
	err := db.QueryRow(ctx, `
		SELECT EXISTS (
			SELECT FROM charges c
			LEFT JOIN purchases p ON p.id = c.purchase_id
			LEFT JOIN subscriptions s ON s.id = c.subscription_id
			WHERE c.dispute_open AND COALESCE(p.home_book_id, p.book_id, s.book_id) = $1)`, book).Scan(&open)
	if err != nil {
		return false, fmt.Errorf("looking for open disputes of book %d: %w", book, err)
	}
	return open, nil
}
