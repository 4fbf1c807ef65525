package ledger

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"purser/internal/pgtest"
)

func TestAudit(t *testing.T) {
	t.Parallel()
	pool := pgtest.Pool(t)
	commit(t, pool, func(tx pgx.Tx) { tell(t, tx) })

	t.Run("L9_FindsNothingWhereNothingIsWrong", func(t *testing.T) {
		commit(t, pool, func(tx pgx.Tx) {
			sum := wantSound(t, tx)
			if sum != (Summary{Books: 2, Accounts: 15, Lots: 8, Entries: 41, Postings: 36, Holds: 5, Debts: 3}) {
				t.Errorf("counted %+v", sum)
			}
			if found, many := auditOfMany(t, tx); many != sum {
				t.Errorf("of many books counted %+v and found %v", many, found)
			}
		})
	})
	for _, c := range corruptions {
		t.Run("L9_Names/"+strings.ReplaceAll(c.what, " ", "_")+"/"+c.name, func(t *testing.T) {
			tx, err := pool.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tx.Rollback(t.Context()) }()
			corrupt(t, tx, c.sql)
			found, _ := audit(t, tx)
			if !slices.ContainsFunc(found, func(d Difference) bool { return d.What == c.what && strings.HasPrefix(d.Place, c.place) }) {
				t.Errorf("not found at %q; found %v", c.place, found)
			}
			// However many books there are, and however it is read, the same is found.
			if got, want := named(auditCut(t, tx, cut{parts: 1}, false, true)), named(found); !slices.Equal(got, want) {
				t.Errorf("by the map found %v, without %v", got, want)
			}
			many, _ := auditOfMany(t, tx)
			if got, want := named(many), named(found); !slices.Equal(got, want) {
				t.Errorf("of many books found %v, of few %v", got, want)
			}
		})
	}
	t.Run("StopsWhenItsReportFails", func(t *testing.T) {
		tx, err := pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback(t.Context()) }()
		corrupt(t, tx, `UPDATE accounts SET balance = balance + 1 WHERE id = 2`)
		enough := errors.New("enough")
		sum, err := Audit(t.Context(), tx, func(Difference) error { return enough })
		if !errors.Is(err, enough) || sum.Differences != 1 {
			t.Errorf("got %v after %d differences, want to stop at the first", err, sum.Differences)
		}
	})
}

// corrupt changes what the database wouldn't let anybody change: without triggers,
// foreign keys or CHECKs.
func corrupt(t *testing.T, tx pgx.Tx, sql string) {
	t.Helper()
	rows, err := tx.Query(t.Context(), `
		SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) FROM pg_constraint
		WHERE contype = 'c' AND conrelid::regclass::text = ANY ($1)`,
		[]string{"books", "accounts", "lots", "lot_balances", "entries", "postings", "holds", "hold_draws", "debts", "usage"})
	if err != nil {
		t.Fatal(err)
	}
	drops, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	drops = append(drops, `ALTER TABLE entries DROP CONSTRAINT entries_book_id_key_key`, `SET LOCAL session_replication_role = replica`)
	for _, s := range append(drops, sql) {
		tag, err := tx.Exec(t.Context(), s)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		if s == sql && tag.RowsAffected() == 0 {
			t.Fatalf("changed nothing: %s", s)
		}
	}
}

// corruptions are the ways in which the figures of the story can be wrong: what an
// audit must say, where, and the change that it must find.
var corruptions = []struct{ what, name, place, sql string }{
	{"its balance is the sum of its postings", "Account", "account 7",
		`UPDATE accounts SET balance = balance + 1 WHERE id = 7`},
	{"its balance is the sum of its postings", "PostingGone", "account 2",
		`DELETE FROM postings WHERE (book_id, entry) IN (SELECT book_id, sequence FROM entries WHERE key = 'next month')`},
	{"its balance is what its lots have left there", "Account", "account 3",
		`UPDATE accounts SET balance = balance + 1 WHERE id = 3`},
	{"what a lot has left is the sum of its postings", "Balance", "lot",
		`UPDATE lot_balances SET balance = balance + 1 WHERE account_id = 7 AND is_open`},
	{"what a lot has left is the sum of its postings", "RowGone", "lot",
		`DELETE FROM lot_balances WHERE account_id = 2`},
	{"what a lot has left is the sum of its postings", "RowTooMany", "lot",
		`INSERT INTO lot_balances (book_id, lot_id, account_id, balance, is_open) SELECT book_id, id, 77, 5, true FROM lots LIMIT 1`},
	{"granted is what its postings brought in", "Granted", "lot",
		`UPDATE lots SET granted = granted - 1 WHERE origin = 'month 1'`},
	{"postings name accounts that exist", "AccountGone", "account 8",
		`DELETE FROM accounts WHERE id = 8`},
	{"postings name lots that exist", "LotGone", "lot",
		`DELETE FROM lots WHERE origin = 'thanks'`},
	{"what a lot has held is what open holds keep of it", "Held", "lot",
		`UPDATE lot_balances SET held = held - 1 WHERE held > 0`},
	{"what a lot has held is what open holds keep of it", "DrawGone", "lot",
		`DELETE FROM hold_draws WHERE (book_id, hold_id) IN (SELECT book_id, id FROM holds WHERE state = 'open')`},
	{"what an account has held is what open holds keep of it", "Held", "account 8",
		`UPDATE accounts SET held = held + 1 WHERE id = 8`},
	{"no balance is below zero, nor below what is held", "BelowZero", "account 7",
		`UPDATE accounts SET balance = -1 WHERE id = 7`},
	{"no balance is below zero, nor below what is held", "BelowHeld", "account 8",
		`UPDATE accounts SET held = balance + 1 WHERE id = 8`},
	{"no balance is below zero, nor below what is held", "DebtAboveZero", "account 5",
		`UPDATE accounts SET balance = 1 WHERE id = 5`},
	{"no lot has less than nothing left, nor less than is held", "BelowZero", "lot",
		`UPDATE lot_balances SET balance = -1 WHERE account_id = 7`},
	{"a lot is marked open while something is left", "Closed", "lot",
		`UPDATE lot_balances SET is_open = false WHERE account_id = 7 AND balance > 0`},
	{"an entry moves what it says, in the way of its kind", "Credits", "entry",
		`UPDATE entries SET credits = credits + 1 WHERE kind = 'spend'`},
	{"an entry moves what it says, in the way of its kind", "Kind", "entry",
		`UPDATE entries SET kind = 'take_back' WHERE kind = 'expiry'`},
	{"an entry moves nothing in the way of another kind", "HoldThatPosts", "entry",
		`UPDATE entries SET kind = 'hold' WHERE kind = 'grant'`},
	{"a rollover leaves the clearing account as it was", "HalfGone", "entry",
		`DELETE FROM postings WHERE from_account = 6 AND (book_id, entry) IN (SELECT book_id, sequence FROM entries WHERE kind = 'rollover')`},
	{"an entry keeps the hash of its request", "HashGone", "entry",
		`UPDATE entries SET request_hash = '' WHERE key = 'hold'`},
	{"an entry undoes another if its kind does so", "Undoes", "entry",
		`UPDATE entries SET undoes = NULL WHERE kind = 'capture'`},
	{"a key of the ledger's own says what its entry is", "Peer", "entry",
		`UPDATE entries SET key = 'ledger:peer:1:1' WHERE kind = 'contribution_in'`},
	{"a key of the ledger's own says what its entry is", "Taken", "entry",
		`UPDATE entries SET key = 'ledger:expiry:1:99999' WHERE kind = 'take_back'`},
	{"a key of the ledger's own says what its entry is", "HoldExpiry", "entry",
		`UPDATE entries SET key = 'forgotten by hand' WHERE kind = 'hold_expiry'`},
	{"a key has one entry", "Twice", "key spend",
		`UPDATE entries SET key = 'spend' WHERE key = 'capture'`},
	{"an entry undoes one that its kind can undo", "Reversal", "entry",
		`UPDATE entries SET undoes = 1 WHERE kind = 'reversal'`},
	{"an entry undoes one that its kind can undo", "Gone", "entry",
		`DELETE FROM entries WHERE kind = 'clawback'`},
	{"no more is given back than was taken", "Reversal", "entry",
		`UPDATE postings SET credits = credits + 700 WHERE from_account = 2`},
	{"what is given back goes where it was taken", "Account", "entry",
		`UPDATE postings SET to_account = 77 WHERE from_account = 2`},
	{"both halves of a move are there and point at each other", "HalfGone", "entry",
		`DELETE FROM entries WHERE kind = 'assignment_in'`},
	{"both halves of a move are there and point at each other", "Amount", "entry",
		`UPDATE entries SET credits = credits + 1 WHERE kind = 'debt_in'`},
	{"both halves of a move are there and point at each other", "Elsewhere", "entry",
		`UPDATE entries SET peer_sequence = 1 WHERE kind = 'spend_elsewhere'`},
	{"both halves of a move are there and point at each other", "Unlinked", "entry",
		`UPDATE entries SET peer_book_id = NULL, peer_sequence = NULL WHERE kind = 'contribution'`},
	{"what arrives is what left, lot by lot", "Lot", "entry",
		`UPDATE lots SET parent_lot_id = parent_lot_id + 1 WHERE contributor <> ''`},
	{"a hold is as its entry says", "End", "hold",
		`UPDATE holds SET expires_at = expires_at + interval '1 hour' WHERE state = 'open'`},
	{"a hold keeps what it says", "Draw", "hold",
		`UPDATE hold_draws SET credits = credits + 1`},
	{"a hold was settled as its state says", "OpenAgain", "hold",
		`UPDATE holds SET state = 'open', settled_at = NULL, captured = 0 WHERE state = 'captured'`},
	{"a hold was settled as its state says", "Captured", "hold",
		`UPDATE holds SET captured = captured - 1 WHERE state = 'captured'`},
	{"a hold was settled as its state says", "NeverSettled", "hold",
		`UPDATE holds SET state = 'released', settled_at = held_at WHERE state = 'open'`},
	{"a hold's entry has its hold", "HoldGone", "entry",
		`DELETE FROM holds WHERE state = 'released'`},
	{"a capture uses what its hold kept", "MoreOfALot", "entry",
		`UPDATE postings SET credits = credits + 400 WHERE (book_id, entry) IN (SELECT book_id, sequence FROM entries WHERE kind = 'capture')`},
	{"a hold keeps credits of lots and accounts that exist", "Lot", "hold",
		`UPDATE hold_draws SET lot_id = 99999`},
	{"its balance is the sum of its postings", "PostingOfNoEntry", "account 7",
		`INSERT INTO postings SELECT book_id, 99999, 1, lot_id, from_account, to_account, credits FROM postings WHERE to_account = 7 LIMIT 1`},
	{"a hold's entry has its hold", "Renumbered", "entry",
		`UPDATE holds SET id = 99999 WHERE state = 'open'`},
	{"what is kept belongs to a hold", "HoldGone", "hold 99999",
		`INSERT INTO hold_draws SELECT book_id, 99999, 1, lot_id, account_id, credits FROM hold_draws LIMIT 1`},
	{"the debt account is what is still owed", "Paid", "account 5",
		`UPDATE debts SET paid = 0 WHERE paid > 0`},
	{"a debt is what its entry could not find", "Cause", "debt",
		`UPDATE debts SET cause = 'nobody'`},
	{"a debt is what its entry could not find", "Gone", "debt",
		`DELETE FROM debts WHERE paid < credits`},
	{"a lot was made by an entry that makes lots", "Entry", "lot",
		`UPDATE lots SET created_entry = 99999 WHERE origin = 'gift'`},
	{"a lot keeps the lineage of the lot it came from", "Root", "lot",
		`UPDATE lots SET root_origin = 'nowhere' WHERE source = 'rollover'`},
	{"a lot keeps the lineage of the lot it came from", "Source", "lot",
		`UPDATE lots SET source = 'bonus' WHERE contributor <> '' AND source = 'purchase'`},
	{"a lot keeps the lineage of the lot it came from", "ParentGone", "lot",
		`UPDATE lots SET parent_lot_id = 99999 WHERE parent_lot_id IS NOT NULL`},
	{"a lot is frozen if its last freeze or thaw says so", "Frozen", "lot",
		`UPDATE lots SET frozen = true WHERE origin = 'pack 1'`},
	{"a redated lot ends when its last redate says", "End", "lot",
		`UPDATE lots SET expires_at = NULL WHERE origin = 'month 1'`},
	{"a freeze, thaw or redate names a lot that exists", "Lot", "entry",
		`UPDATE entries SET lot_id = 99999 WHERE kind = 'freeze'`},
	{"it has counted as far as its entries and lots", "Sequence", "book",
		`UPDATE books SET sequence = 3`},
	{"it has its own accounts and a main one", "Clearing", "book",
		`DELETE FROM accounts WHERE id = 6`},
	{"it falls due no later than what it holds", "Never", "book",
		`UPDATE books SET due_at = NULL WHERE kind = 'team'`},
	{"it falls due no later than what it holds", "Late", "book",
		`UPDATE books SET due_at = '2027-01-01' WHERE kind = 'user'`},
	{"usage is what was spent since the window began, less what was reversed of it", "Usage", "usage",
		`UPDATE usage SET rollover = rollover + 1`},
	{"usage is what was spent since the window began, less what was reversed of it", "RowGone", "usage",
		`DELETE FROM usage`},
	{"what was drawn is what was spent or is held of the main account, less what came back", "Window", "drawn",
		`UPDATE drawn SET credits = credits - 1 WHERE window_start > '2000-01-01'`},
	{"what was drawn is what was spent or is held of the main account, less what came back", "Gone", "drawn",
		`DELETE FROM drawn WHERE window_start < '2000-01-01'`},
}
