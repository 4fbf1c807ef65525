package migrations_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/internal/pgtest"
	"purser/migrations"
)

// bookOf gives the column by which a table is distributed, or nothing.
func bookOf(table string) string {
	for _, t := range migrations.ByBook() {
		if t.Name == table {
			return t.Book
		}
	}
	return ""
}

// astray tells what keeps the tables, as the catalogue has them, from being distributed.
func astray(t *testing.T, tx pgx.Tx) (wrong []string) {
	t.Helper()
	each(t, tx, `
		SELECT c.relname, i.relname, a.attname
		FROM pg_index x
		JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
		LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.indkey[0]
		WHERE x.indisunique AND c.relnamespace = 'public'::regnamespace
		ORDER BY 1, 2`, func(row []string) {
		if book := bookOf(row[0]); book != "" && row[2] != book {
			wrong = append(wrong, fmt.Sprintf("the key %s of %s begins with %q, not with the book", row[1], row[0], row[2]))
		}
	})
	order := map[string]int{}
	for n, table := range migrations.ByBook() {
		order[table.Name] = n
	}
	each(t, tx, `
		SELECT f.conname, c.relname, r.relname, a.attname, b.attname
		FROM pg_constraint f
		JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class r ON r.oid = f.confrelid
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = f.conkey[1]
		JOIN pg_attribute b ON b.attrelid = r.oid AND b.attnum = f.confkey[1]
		WHERE f.contype = 'f' AND f.connamespace = 'public'::regnamespace
		ORDER BY 1`, func(row []string) {
		from, to := bookOf(row[1]), bookOf(row[2])
		undone := slices.Contains(migrations.Undone(), migrations.Reference{Table: row[1], Constraint: row[0]})
		switch {
		case from == "" && to == "" || undone && from == "" && to != "":
		case from == "" || to == "":
			wrong = append(wrong, fmt.Sprintf("%s refers from %s to %s, of which one alone is distributed", row[0], row[1], row[2]))
		case row[3] != from || row[4] != to:
			wrong = append(wrong, fmt.Sprintf("%s refers from %s to %s across books", row[0], row[1], row[2]))
		case order[row[1]] < order[row[2]]:
			wrong = append(wrong, fmt.Sprintf("%s is distributed before %s, to which it refers", row[1], row[2]))
		}
	})
	return wrong
}

func each(t *testing.T, tx pgx.Tx, sql string, do func(row []string)) {
	t.Helper()
	rows, err := tx.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (struct{}, error) {
		values, err := row.Values()
		texts := make([]string, len(values))
		for i, v := range values {
			if v != nil {
				texts[i] = fmt.Sprint(v)
			}
		}
		do(texts)
		return struct{}{}, err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestDistribute(t *testing.T) {
	t.Parallel()

	t.Run("EveryKeyLeadsWithTheBookAndNoReferenceCrossesBooks", func(t *testing.T) {
		t.Parallel()
		tx := pgtest.Tx(t)
		for _, what := range astray(t, tx) {
			t.Error(what)
		}
		for _, table := range migrations.ByBook() {
			var there bool
			err := tx.QueryRow(t.Context(), `SELECT EXISTS (
				SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass($1) AND attname = $2 AND attnotnull AND atttypid = 'bigint'::regtype)`,
				table.Name, table.Book).Scan(&there)
			if err != nil || !there {
				t.Errorf("%s has no column %s to be distributed by: %v", table.Name, table.Book, err)
			}
		}
		for _, r := range migrations.Undone() {
			var there bool
			err := tx.QueryRow(t.Context(), `SELECT EXISTS (SELECT 1 FROM pg_constraint WHERE conrelid = to_regclass($1) AND conname = $2)`,
				r.Table, r.Constraint).Scan(&there)
			if err != nil || !there {
				t.Errorf("there is no %s of %s to take away: %v", r.Constraint, r.Table, err)
			}
		}
	})

	t.Run("AMigrationThatBreaksThisIsFound", func(t *testing.T) {
		t.Parallel()
		for sql, want := range map[string]string{
			`CREATE UNIQUE INDEX ON entries (key)`:                                                    "begins with \"key\"",
			`CREATE UNIQUE INDEX ON entries ((sequence % 2), book_id)`:                                "begins with \"\"",
			`CREATE UNIQUE INDEX ON lots (root_origin, book_id)`:                                      "begins with \"root_origin\"",
			`CREATE TABLE stamps (book_id bigint REFERENCES books (id))`:                              "from stamps to books",
			`ALTER TABLE lots ADD COLUMN team_id text REFERENCES teams (id)`:                          "from lots to teams",
			`ALTER TABLE lots ADD FOREIGN KEY (parent_book_id, parent_lot_id) REFERENCES lots`:        "across books",
			`ALTER TABLE lots ADD FOREIGN KEY (book_id, created_entry) REFERENCES entries NOT VALID`:  "lots is distributed before entries",
			`ALTER TABLE debts DROP CONSTRAINT debts_pkey; ALTER TABLE debts ADD PRIMARY KEY (cause)`: "begins with \"cause\"",
		} {
			t.Run(strings.ReplaceAll(sql, " ", "_"), func(t *testing.T) {
				tx := pgtest.Tx(t)
				if _, err := tx.Exec(t.Context(), sql); err != nil {
					t.Fatal(err)
				}
				if wrong := astray(t, tx); len(wrong) != 1 || !strings.Contains(wrong[0], want) {
					t.Errorf("found %q, want one with %s", wrong, want)
				}
			})
		}
	})

	t.Run("IsRefusedWithoutTheExtension", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Pool(t)
		if done, err := migrations.Distribute(t.Context(), pool); done || !errors.Is(err, migrations.ErrNoCitus) {
			t.Errorf("distributed %t, %v", done, err)
		}
	})

	t.Run("OnACluster", func(t *testing.T) {
		t.Parallel()
		dsn := os.Getenv("TEST_CITUS_DSN")
		if dsn == "" {
			t.Skip("TEST_CITUS_DSN names no cluster: what Citus itself says isn't asked here")
		}
		onCluster(t, dsn)
	})
}

// empty drops whatever is ours: the extension may have put its own things beside it.
const empty = `
	DO $$
	DECLARE drops text;
	BEGIN
		FOR drops IN
			SELECT 'DROP TABLE ' || c.oid::regclass || ' CASCADE' FROM pg_class c
			WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
			  AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = c.oid AND deptype = 'e')
			UNION ALL
			SELECT 'DROP SEQUENCE IF EXISTS ' || c.oid::regclass || ' CASCADE' FROM pg_class c
			WHERE relnamespace = 'public'::regnamespace AND relkind = 'S'
			  AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = c.oid AND deptype IN ('e', 'a', 'i'))
			UNION ALL
			SELECT 'DROP ROUTINE ' || p.oid::regprocedure || ' CASCADE' FROM pg_proc p
			WHERE pronamespace = 'public'::regnamespace AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = p.oid AND deptype = 'e')
			UNION ALL
			SELECT 'DROP TYPE ' || t.oid::regtype || ' CASCADE' FROM pg_type t
			WHERE typnamespace = 'public'::regnamespace AND typtype = 'e'
		LOOP
			EXECUTE drops;
		END LOOP;
	END $$`

// onCluster distributes the ledger over the cluster whose coordinator the address names.
// Everything in that database is dropped, before and after.
func onCluster(t *testing.T, dsn string) {
	pool, err := pgxpool.New(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	exec := func(sql string, args ...any) (err error) {
		_, err = pool.Exec(context.WithoutCancel(t.Context()), sql, args...)
		return err
	}
	must := func(sql string, args ...any) {
		t.Helper()
		if err := exec(sql, args...); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	must(empty)
	t.Cleanup(func() { _ = exec(empty) }) // the next run does so first
	up(t, pool)

	must(`INSERT INTO books (kind, created_at) VALUES ('team', now())`)
	if done, err := migrations.Distribute(t.Context(), pool); done || !errors.Is(err, migrations.ErrLedgerInUse) {
		t.Errorf("a ledger in use: distributed %t, %v", done, err)
	}
	must(`SET session_replication_role = replica; DELETE FROM books; RESET session_replication_role`) // books are never removed otherwise
	for _, want := range []bool{true, false} {
		if done, err := migrations.Distribute(t.Context(), pool); done != want || err != nil {
			t.Fatalf("distributed %t, want %t, %v", done, want, err)
		}
	}
	if status := check(t, pool); !status.Current() {
		t.Errorf("after it: %+v", status)
	}
	count := func(sql string) (n int) {
		t.Helper()
		if err := pool.QueryRow(t.Context(), sql).Scan(&n); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		return n
	}
	if n := count(`SELECT count(*) FROM citus_tables WHERE citus_table_type = 'distributed'`); n != len(migrations.ByBook()) {
		t.Errorf("%d tables are distributed", n)
	}
	if n := count(`SELECT count(DISTINCT colocation_id) FROM citus_tables`); n != 1 {
		t.Errorf("the tables of a book lie in %d groups", n)
	}
	if n := count(`SELECT count(*) FROM citus_tables WHERE table_name::text LIKE 'river%'`); n != 0 {
		t.Errorf("%d tables of River are distributed", n)
	}
	for book := 1; book <= 40; book++ {
		must(`INSERT INTO books (id, kind, created_at) VALUES ($1, 'team', now())`, book)
		must(`INSERT INTO lots (book_id, id, source, origin, granted, effective_at, first_granted_at, root_origin, created_entry)
			VALUES ($1, 1, 'bonus', 'o', 5, now(), now(), 'o', 1)`, book)
		must(`INSERT INTO entries (book_id, sequence, kind, key, request_hash, actor, at, credits) VALUES ($1, 1, 'grant', 'k', '', 'a', now(), 5)`, book)
		must(`INSERT INTO postings (book_id, entry, line, lot_id, from_account, to_account, credits) VALUES ($1, 1, 1, 1, 1, 7, 5)`, book)
		must(`SELECT id FROM books WHERE id = $1 FOR UPDATE`, book)
	}
	if n := count(`SELECT count(DISTINCT shardid) FROM citus_shards WHERE table_name = 'entries'::regclass AND shard_size > 0`); n < 2 {
		t.Errorf("the entries of 40 books lie in %d shards", n)
	}
	for sql, code := range map[string]string{
		// What docs/scaling.md says doesn't run yet.
		`SELECT id FROM books WHERE id = ANY('{3,4,5,6}') ORDER BY id FOR UPDATE`:             "0A000",
		`SELECT id FROM books WHERE id = ANY('{3,4,5,6}') ORDER BY id FOR UPDATE SKIP LOCKED`: "0A000",
		`WITH RECURSIVE walk AS (SELECT 3::bigint AS id UNION SELECT b.id FROM walk w
			CROSS JOIN LATERAL (SELECT id FROM books WHERE id = w.id + 1) b) SELECT id FROM walk`: "0A000",

		`INSERT INTO entries (book_id, sequence, kind, key, request_hash, actor, at, credits) VALUES (7, 2, 'grant', 'k', '', 'a', now(), 5)`: "23505",
		`INSERT INTO postings (book_id, entry, line, lot_id, from_account, to_account, credits) VALUES (7, 2, 1, 1, 1, 7, 5)`:                 "23503",
		`INSERT INTO postings (book_id, entry, line, lot_id, from_account, to_account, credits) VALUES (7, 1, 2, 1, 1, 7, 0)`:                 "23514",
		`UPDATE entries SET credits = 6 WHERE book_id = 7`:                                                                                    "23001",
		`DELETE FROM postings WHERE book_id = 7`:                                                                                              "23001",
		`DELETE FROM postings`:                                                                                                                "23001",
		`TRUNCATE postings`:                                                                                                                   "23001",
	} {
		var pg *pgconn.PgError
		if err := exec(sql); !errors.As(err, &pg) || pg.Code != code {
			t.Errorf("%s: %v, want %s", sql, err, code)
		}
	}
	if n := count(`SELECT count(*) FROM entries e JOIN postings p ON p.book_id = e.book_id AND p.entry = e.sequence`); n != 40 {
		t.Errorf("%d postings are found by their entries", n)
	}
}
