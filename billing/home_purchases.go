package billing

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
)

// caused tells whether a debt is for credits that were granted for the subscription. The
// lot that it is posted under may be one that stands in for those.
func (s *Sub) caused(debt ledger.DebtOf) bool {
	return s != nil && strings.HasPrefix(debt.Cause, "grant:"+s.Facts.ID+":")
}

// movePurchases lets purchases live where their credits go, also those of which nothing
// is left: what is refunded of them later is owed there (R1). They are those that
// certain customers paid, or all that live in the book.
func (m *moving) movePurchases(ctx context.Context, tx pgx.Tx) error {
	var payers []string
	if m.pays != nil {
		payers = append([]string{}, slices.Sorted(maps.Keys(m.pays))...)
	}
	_, err := tx.Exec(ctx, `
		UPDATE purchases SET home_book_id = $2
		WHERE (home_book_id = $1 OR book_id = $1 AND home_book_id IS NULL) AND state = 'paid'
		  AND ($3::text[] IS NULL OR customer_id = ANY($3))`, m.from.Book.ID, m.to.Book.ID, payers)
	if err != nil {
		return fmt.Errorf("moving purchases: %w", err)
	}
	return nil
}
