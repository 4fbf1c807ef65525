package ledger

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"purser/internal/pgtest"
)

// Two errors may be opposite, so that a sum over both is as it was: of an entry and
// another, a lot and another, a holder, an account or a book and another. Each must be
// named all the same, in a ledger in which the audit looks up what it joins, in one in
// which it joins all and in one that it maps, read in one part and in several, and in one of very many books.
func TestAuditOfErrorsThatCancel(t *testing.T) {
	t.Parallel()
	for _, world := range []struct {
		name   string
		spend  int // beside, of a third book
		held   bool
		cut    int64
		many   bool
		mapped bool
	}{
		{"FewToJoin", 400, false, 3, false, false}, {"MuchToJoin", 0, true, 1, false, false},
		{"FewToMap", 0, true, 1, false, true}, {"MuchToMap", 400, false, 3, false, true}, {"ManyBooks", 0, true, 1, true, false},
	} {
		t.Run(world.name, func(t *testing.T) {
			t.Parallel()
			pool := pgtest.Pool(t)
			var books [2]int64
			commit(t, pool, func(tx pgx.Tx) {
				books = [2]int64{cancelling(t, tx, world.held), cancelling(t, tx, world.held)}
				spendMany(t, tx, world.spend)
			})
			cut := cut{blocks: 6, parts: int(world.cut)}
			commit(t, pool, func(tx pgx.Tx) {
				if found := auditCut(t, tx, cut, world.many, world.mapped); len(found) > 0 {
					t.Errorf("found %v where nothing is wrong", found)
				}
			})
			for _, c := range cancelled {
				t.Run("L9_Names/"+c.name, func(t *testing.T) {
					if c.held && !world.held {
						return // there is no hold to take part
					}
					tx, err := pool.Begin(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					defer func() { _ = tx.Rollback(t.Context()) }()
					corrupt(t, tx, strings.NewReplacer("BOOK", fmt.Sprint(books[0]), "OTHER", fmt.Sprint(books[1])).Replace(c.sql))
					found := auditCut(t, tx, cut, world.many, world.mapped)
					wantNamed(t, found, books, c.named)
					if other := auditCut(t, tx, cut, false, !world.mapped); !world.many && !slices.Equal(named(found), named(other)) {
						t.Errorf("found %v, and %v when read the other way", named(found), named(other))
					}
				})
			}
		})
	}
}

// wantNamed looks for sentences, which begin with 1 or 2 for the book, in what was found.
func wantNamed(t *testing.T, found []Difference, books [2]int64, named []string) {
	t.Helper()
	for _, want := range named {
		book := books[want[0]-'1']
		ok := slices.ContainsFunc(found, func(d Difference) bool {
			return d.Book == book && strings.HasPrefix(d.Place+": "+d.What, want[2:])
		})
		if !ok {
			t.Errorf("%q isn't among %v", want, found)
		}
	}
}

func auditCut(t *testing.T, tx pgx.Tx, c cut, isMany, mapped bool) (found []Difference) {
	t.Helper()
	a := auditing{reader: tx, isMany: isMany, mapped: mapped, report: func(d Difference) error {
		found = append(found, d)
		return nil
	}}
	if err := a.all(t.Context(), c, c); err != nil {
		t.Fatal(err)
	}
	return found
}

// cancelling makes a book in which two members spend from two lots and, one of them, from
// an allocation. Its entries are numbered; the lots are 2 and 4.
func cancelling(t *testing.T, tx pgx.Tx, held bool) int64 {
	id := create(t, tx, TeamBook)
	b := open(t, tx, day(1), Want{Book: id})
	pool := mainOf(t, b)
	by := func(key, holder string) Request {
		r := ask(key, day(1))
		r.Holder = holder
		return r
	}
	spend := func(holder string, from *Account, credits int64) {
		key := fmt.Sprintf("%s %d", holder, len(b.entries))
		must(t)(b.Spend(by(key, holder), SpendIn{Credits: credits, Payers: []Payer{From(from)}}))
	}
	b.SetWindow(day(0))
	must(t)(b.Grant(by("gift", ""), pool, bonus("gift", until(9)), 60))             // 1, lot 2
	must(t)(b.Grant(by("month", ""), pool, monthly("month", 1, until(31)), 10_000)) // 3, lot 4
	spend("ann", pool, 10)                                                          // 5 of the gift
	spend("bob", pool, 20)                                                          // 6
	spend("ann", pool, 40)                                                          // 7 of both, in two postings
	spend("bob", pool, 10)                                                          // 8 of the month
	ann := b.MakeAllocation("ann", day(1))
	must(t)(b.Move(by("allocate", ""), MoveIn{Kind: KindAllocation, From: pool, To: ann, Credits: 100})) // 9
	spend("ann", ann, 7)                                                                                 // 10
	spend("bob", pool, 7)                                                                                // 11
	if held {
		must(t)(b.Hold(by("hold", "bob"), HoldIn{Credits: 5, Payers: []Payer{From(pool)}, ExpiresAt: day(2)})) // 12
	}
	write(t, tx, b)
	return id
}

// spendMany makes a book of many spends from one lot, by two members.
func spendMany(t *testing.T, tx pgx.Tx, n int) {
	b := open(t, tx, day(1), Want{Book: create(t, tx, TeamBook)})
	b.SetWindow(day(0))
	pool := mainOf(t, b)
	must(t)(b.Grant(ask("month", day(1)), pool, monthly("month", 1, until(31)), 10_000))
	for i := range n {
		r := ask(fmt.Sprint("spend ", i), day(1))
		r.Holder = fmt.Sprint("member ", i%2)
		must(t)(b.Spend(r, SpendIn{Credits: 3, Payers: []Payer{From(pool)}}))
	}
	write(t, tx, b)
}

const (
	moves         = ": an entry moves what it says"
	strange       = ": an entry moves nothing in the way of another kind"
	orphan        = ": postings belong to an entry that exists"
	spentInWindow = ": usage is what was spent"
)

// cancelled are pairs of errors, with all that must be said of them.
var cancelled = []struct {
	name, sql string
	held      bool
	named     []string
}{
	{name: "CreditsOfTwoEntries", named: []string{"1 entry 5" + moves, "1 entry 6" + moves}, sql: `
		UPDATE entries SET credits = credits + CASE sequence WHEN 5 THEN 5 ELSE -5 END WHERE book_id = BOOK AND sequence IN (5, 6)`},
	{name: "CreditsOfEntriesOfTwoBooks", named: []string{"1 entry 5" + moves, "2 entry 5" + moves}, sql: `
		UPDATE entries SET credits = credits + CASE book_id WHEN BOOK THEN 5 ELSE -5 END WHERE sequence = 5 AND book_id IN (BOOK, OTHER)`},
	{name: "CreditsOfTwoPostings", named: []string{"1 entry 5" + moves, "1 entry 6" + moves, `1 usage of "ann"` + spentInWindow, `1 usage of "bob"` + spentInWindow}, sql: `
		UPDATE postings SET credits = 30 - credits WHERE book_id = BOOK AND entry IN (5, 6)`},
	{name: "PostingsOfTwoEntriesExchanged", named: []string{"1 entry 10" + moves, "1 entry 8" + moves}, sql: `
		UPDATE postings SET entry = 1000 + 18 - entry WHERE book_id = BOOK AND entry IN (8, 10);
		UPDATE postings SET entry = entry - 1000 WHERE entry > 1000`},
	{name: "PostingUnderAnotherEntry", named: []string{"1 entry 8" + moves, "1 entry 6" + moves}, sql: `
		UPDATE postings SET entry = 6, line = 2 WHERE book_id = BOOK AND entry = 8`},
	{name: "PostingUnderAnEntryOfTwo", named: []string{"1 entry 8" + moves, "1 entry 7" + moves}, sql: `
		UPDATE postings SET entry = 7, line = 3 WHERE book_id = BOOK AND entry = 8`},
	{name: "PostingUnderAHold", held: true, named: []string{"1 entry 8" + moves, "1 entry 12" + strange}, sql: `
		UPDATE postings SET entry = 12 WHERE book_id = BOOK AND entry = 8`},
	{name: "PostingUnderAGrant", named: []string{"1 entry 8" + moves, "1 entry 1" + strange}, sql: `
		UPDATE postings SET entry = 1, line = 2 WHERE book_id = BOOK AND entry = 8`},
	{name: "PostingUnderNoEntry", named: []string{"1 entry 8" + moves, "1 entry 77" + orphan}, sql: `
		UPDATE postings SET entry = 77 WHERE book_id = BOOK AND entry = 8`},
	{name: "GrantUnderNoEntry", named: []string{"1 entry 3" + moves, "1 entry 77" + orphan}, sql: `
		UPDATE postings SET entry = 77 WHERE book_id = BOOK AND entry = 3`},
	{name: "EntryGone", named: []string{"1 entry 9" + orphan}, sql: `
		DELETE FROM entries WHERE book_id = BOOK AND sequence = 9`},
	{name: "HalfOfASpendIsTheWhole", named: []string{"1 entry 7" + moves, "1 entry 8" + moves}, sql: `
		UPDATE entries SET credits = CASE sequence WHEN 7 THEN 30 ELSE 20 END WHERE book_id = BOOK AND sequence IN (7, 8)`},
	{name: "LotsOfTwoPostings", named: []string{`1 usage of "ann"` + spentInWindow, `1 usage of "bob"` + spentInWindow}, sql: `
		UPDATE postings SET lot_id = 6 - lot_id WHERE book_id = BOOK AND entry IN (5, 8)`},
	{name: "AccountsOfTwoPostings", named: []string{`1 usage of "ann"` + spentInWindow, `1 drawn by "ann" since 0001`, `1 drawn by "bob" since 2026`}, sql: `
		UPDATE postings SET from_account = 15 - from_account WHERE book_id = BOOK AND entry IN (10, 11)`},
	{name: "HoldersOfTwoEntries", named: []string{`1 usage of "ann"` + spentInWindow, `1 drawn by "bob" since 0001`}, sql: `
		UPDATE entries SET holder_id = CASE sequence WHEN 5 THEN 'bob' ELSE 'ann' END WHERE book_id = BOOK AND sequence IN (5, 6)`},
	{name: "UsageOfTwoClasses", named: []string{`1 usage of "ann"` + spentInWindow, `1 usage of "bob"` + spentInWindow}, sql: `
		UPDATE usage SET monthly = monthly + CASE holder_id WHEN 'ann' THEN 1 ELSE -1 END, bonus = bonus - CASE holder_id WHEN 'ann' THEN 1 ELSE -1 END
		WHERE book_id = BOOK`},
	{name: "BalancesOfTwoLots", named: []string{"1 lot 2 in account 7: what a lot has left", "1 lot 4 in account 7: what a lot has left"}, sql: `
		UPDATE lot_balances SET balance = balance + 3 - lot_id WHERE book_id = BOOK AND account_id = 7`},
	{name: "BalancesOfTwoBooks", named: []string{"1 account 2: its balance is the sum", "2 account 2: its balance is the sum"}, sql: `
		UPDATE accounts SET balance = balance + CASE book_id WHEN BOOK THEN 5 ELSE -5 END WHERE id = 2 AND book_id IN (BOOK, OTHER)`},
	{name: "SpendsBeforeTheWindow", named: []string{`1 usage of "ann"` + spentInWindow, `1 drawn by "ann" since 2026`}, sql: `
		UPDATE entries SET at = '2020-01-01' WHERE book_id = BOOK AND sequence = 5`},
}
