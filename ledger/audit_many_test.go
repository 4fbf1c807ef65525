package ledger

import (
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"purser/internal/pgtest"
)

// auditOfMany audits as if there were very many books.
func auditOfMany(t *testing.T, tx pgx.Tx) (found []Difference, sum Summary) {
	t.Helper()
	a := auditing{reader: tx, isMany: true, report: func(d Difference) error {
		found = append(found, d)
		return nil
	}}
	if err := a.all(t.Context(), cut{parts: 1}, cut{parts: 1}); err != nil {
		t.Fatal(err)
	}
	return found, a.sum
}

// named are the differences in order, each once.
func named(found []Difference) (names []string) {
	for _, d := range found {
		names = append(names, fmt.Sprintf("%d %s: %s", d.Book, d.Place, d.What))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// What is proved of the whole ledger isn't where anything of what it stands for is wrong;
// of most of these nothing else is, so that only that part of the proof can tell.
func TestProofOfManyBooks(t *testing.T) {
	t.Parallel()
	pool := pgtest.Pool(t)
	var book int64
	commit(t, pool, func(tx pgx.Tx) { book = cancelling(t, tx, true) })
	for _, c := range []struct{ name, sql string }{
		{"ALotHasLessThanIsHeld", `
			UPDATE lot_balances SET held = balance + 1 WHERE account_id = 7 AND lot_id = 4;
			UPDATE accounts SET held = (SELECT sum(held) FROM lot_balances WHERE account_id = 7) WHERE id = 7;
			UPDATE hold_draws SET credits = (SELECT held FROM accounts WHERE id = 7)`},
		{"AnAccountHasMoreThanNoDebt", `
			UPDATE accounts SET balance = balance + CASE id WHEN 5 THEN 1 ELSE -1 END WHERE id IN (1, 5);
			INSERT INTO debts (book_id, id, cause, lot_id, credits, paid) SELECT id, 1, 'gift', 2, 1, 2 FROM books`},
		{"AnAccountTakesBackLessThanNothing", `
			UPDATE accounts SET balance = balance - 1 WHERE id = 3; INSERT INTO lot_balances (book_id, lot_id, account_id, balance, is_open) SELECT id, 2, 3, -1, false FROM books;
			UPDATE accounts SET balance = balance + 1 WHERE id = 1; UPDATE lot_balances SET balance = balance + 1 WHERE account_id = 1 AND lot_id = 2`},
		{"ALotIsMarkedOpen", `UPDATE lot_balances SET is_open = true WHERE account_id = 2 AND lot_id = 2`},
		{"TheHashIsGone", `UPDATE entries SET request_hash = '' WHERE sequence = 5`},
		{"ASpendUndoes", `UPDATE entries SET undoes = 1 WHERE sequence = 5`},
		{"AKeyIsTheLedgersOwn", `UPDATE entries SET key = 'ledger:peer:1:1' WHERE sequence = 5`},
		{"AnOwnAccountIsGone", `DELETE FROM accounts WHERE id = 6`},
		{"AFreezeHasCredits", `UPDATE entries SET kind = 'freeze', lot_id = 2 WHERE sequence = 12`},
		{"CreditsGoANewWay", `UPDATE postings SET to_account = 3 WHERE entry = 5`},
		{"WhatIsHeldOfALotIsAnothers", `UPDATE hold_draws SET lot_id = 6 - lot_id`},
		{"WhatIsOwedIsNot", `INSERT INTO debts (book_id, id, cause, lot_id, credits, paid) SELECT id, 1, 'gift', 2, 2, 1 FROM books`},
		{"GrantedIsOtherThanBrought", `UPDATE lots SET granted = granted + 1 WHERE id = 2`},
	} {
		t.Run("L9_Refuses/"+c.name, func(t *testing.T) {
			tx, err := pool.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tx.Rollback(t.Context()) }()
			a := auditing{reader: tx}
			if is, err := a.proved(t.Context()); err != nil || !is {
				t.Fatalf("proved before: %v, %v", is, err)
			}
			corrupt(t, tx, c.sql)
			if is, err := a.proved(t.Context()); err != nil || is {
				t.Errorf("proved: %v, %v", is, err)
			}
			books, err := a.unproved(t.Context(), []string{auditUnprovedOfMany}, 1, book)
			if err != nil || !slices.Equal(books, []int64{book}) {
				t.Errorf("unproved are %v, %v", books, err)
			}
		})
	}
}
