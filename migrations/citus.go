package migrations

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Refusals of Distribute.
var (
	ErrNoCitus = errors.New("this database doesn't have the extension citus: install it on every node, add it to shared_preload_libraries, " +
		"run CREATE EXTENSION citus and SELECT citus_add_node(…) for each worker, and try again")
	ErrLedgerInUse = errors.New("this ledger has books already, and this version can't spend from a distributed one: " +
		"distribute the ledger of a new database")
)

// Table is a table with the column that says which book a row belongs to.
type Table struct{ Name, Book string }

// ByBook gives the tables that Distribute spreads over the nodes, each before those that
// refer to it: the ledger, all of a book on one node. All others stay where they are,
// River's too: they are small beside it, or find their rows by other things than a book.
func ByBook() []Table {
	return []Table{
		{"books", "id"}, {"accounts", "book_id"}, {"lots", "book_id"}, {"lot_balances", "book_id"}, {"entries", "book_id"},
		{"postings", "book_id"}, {"holds", "book_id"}, {"hold_draws", "book_id"}, {"debts", "book_id"}, {"usage", "book_id"},
		{"drawn", "book_id"},
	}
}

// Reference is a foreign key of a table that isn't distributed, into one that is.
type Reference struct{ Table, Constraint string }

// Undone gives the foreign keys that Distribute takes away, as no database enforces them
// between a table on one node and one on many. What they hold is held by the book's lock:
// a book is never deleted.
func Undone() []Reference {
	return []Reference{{"held_back", "held_back_book_id_fkey"}}
}

// Rekeyed gives the statements that put foreign keys back where one database asks once for
// all rows of a statement (00015_checks.sql): on a node such a trigger would look for the
// rows of one shard among all.
func Rekeyed() (statements []string) {
	for _, table := range []string{"entries", "postings", "holds", "hold_draws"} {
		statements = append(statements, fmt.Sprintf(`DROP TRIGGER %[1]s_belong ON %[1]s`, table))
	}
	for _, key := range []struct{ table, columns, of, keys string }{
		{"entries", "book_id", "books", "id"},
		{"postings", "book_id, entry", "entries", "book_id, sequence"},
		{"postings", "book_id, lot_id", "lots", "book_id, id"},
		{"holds", "book_id, id", "entries", "book_id, sequence"},
		{"hold_draws", "book_id, hold_id", "holds", "book_id, id"},
	} {
		statements = append(statements, fmt.Sprintf(`ALTER TABLE %s ADD FOREIGN KEY (%s) REFERENCES %s (%s)`, key.table, key.columns, key.of, key.keys))
	}
	return statements
}

// DistributeSQL gives the statements that distribute the ledger, in their order.
func DistributeSQL() []string {
	statements := []string{
		// Tables that refer to each other are changed on one connection a node.
		`SET LOCAL citus.multi_shard_modify_mode = 'sequential'`,
		// The triggers that stay refuse changes and do nothing else: that is right on any node.
		`SET LOCAL citus.enable_unsafe_triggers = on`,
	}
	for _, r := range Undone() {
		statements = append(statements, fmt.Sprintf(`ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s`, r.Table, r.Constraint))
	}
	statements = append(statements, Rekeyed()...)
	first := ByBook()[0]
	for _, t := range ByBook() {
		with := first.Name
		if t == first {
			with = "none"
		}
		statements = append(statements, fmt.Sprintf(`SELECT create_distributed_table('%s', '%s', colocate_with => '%s')`, t.Name, t.Book, with))
	}
	return statements
}

// Distribute spreads the ledger over the nodes of a Citus cluster by book, in one
// transaction, and reports whether it did: a ledger that is distributed is left as it is.
// The database has to be at this binary's version and the ledger to be empty.
func Distribute(ctx context.Context, pool *pgxpool.Pool) (done bool, err error) {
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(lockKey)); err != nil {
			return fmt.Errorf("taking the migration lock: %w", err)
		}
		if already, err := mayDistribute(ctx, tx); err != nil || already {
			return err
		}
		for _, sql := range DistributeSQL() {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return fmt.Errorf("%s: %w", sql, err)
			}
		}
		done = true
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("distributing the ledger: %w", err)
	}
	return done, nil
}

func mayDistribute(ctx context.Context, tx pgx.Tx) (already bool, err error) {
	books := ByBook()[0].Name
	var citus, used bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus')`).Scan(&citus); err != nil {
		return false, fmt.Errorf("looking for the extension: %w", err)
	}
	if !citus {
		return false, ErrNoCitus
	}
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_dist_partition WHERE logicalrelid = to_regclass($1))`, books).Scan(&already)
	if err != nil || already {
		return already, err
	}
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM `+books+`)`).Scan(&used); err != nil {
		return false, fmt.Errorf("looking for books: %w", err)
	}
	if used {
		return false, ErrLedgerInUse
	}
	return false, nil
}
