package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// benchTables are the tables of which a team has rows. A measurement writes to them
// directly, below all rules: on a database of its own, and audited afterwards.
var benchTables = []string{
	"books", "accounts", "lots", "lot_balances", "entries", "postings", "usage", "drawn", "users", "teams", "members", "customers",
	"subscriptions", "periods", "invoices", "notices", "stripe_objects",
}

// benchTemplate says how the teams' books are numbered.
type benchTemplate struct {
	first  int64 // the lowest book of the first team
	stride int64 // how many books each has
	book   int64 // that of the first team's pool
}

// bookOf is the book of the n-th team's pool.
func (t benchTemplate) bookOf(n int) int64 { return t.book + int64(n)*t.stride }

// benchTogether is how many teams are copied in one statement.
const benchTogether = 2_000

// clone makes all other teams in the image of the first, which is alone in the database:
// a hundred thousand made as products make them would take an hour.
func (b *bench) clone(ctx context.Context, book int64) error {
	b.template.book = book
	err := b.db.Pool.QueryRow(ctx, fmt.Sprintf(`SELECT min(id), max(id) - min(id) + 1 FROM %s`, benchTables[0])).Scan(&b.template.first, &b.template.stride)
	if err != nil {
		return fmt.Errorf("looking at the first team: %w", err)
	}
	// Two connections, since one would leave half of a small machine idle. Each table is
	// one's alone, so that its rows lie in the order of the teams.
	halves, err := b.halves(ctx)
	if err != nil {
		return err
	}
	g, copying := errgroup.WithContext(ctx)
	for _, tables := range halves {
		g.Go(func() error { return b.copyTables(copying, tables) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	_, err = b.db.Pool.Exec(ctx, `SELECT setval('books_id_seq', $1)`, b.template.first+int64(b.pools)*b.template.stride)
	if err != nil {
		return fmt.Errorf("numbering what comes next: %w", err)
	}
	_, err = b.db.Pool.Exec(ctx, `ANALYZE`)
	return err
}

// halves parts the tables into two groups of about as many rows.
func (b *bench) halves(ctx context.Context) (halves [2][]string, err error) {
	rows := map[string]int{}
	for _, table := range benchTables {
		var n int
		if err := b.db.Pool.QueryRow(ctx, fmt.Sprintf(`SELECT count(*) FROM %s`, table)).Scan(&n); err != nil {
			return halves, fmt.Errorf("looking at the first team: %w", err)
		}
		rows[table] = n
	}
	largest := slices.SortedStableFunc(slices.Values(benchTables), func(x, y string) int { return cmp.Compare(rows[y], rows[x]) })
	var sums [2]int
	for _, table := range largest {
		to := 0
		if sums[1] < sums[0] {
			to = 1
		}
		halves[to], sums[to] = append(halves[to], table), sums[to]+rows[table]
	}
	return halves, nil
}

// copyTables copies the first team's rows of some tables for all others.
func (b *bench) copyTables(ctx context.Context, tables []string) error {
	conn, err := b.db.Pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("opening a connection: %w", err)
	}
	defer conn.Release()
	// What is copied from one that was checked need not be checked again.
	if _, err := conn.Exec(ctx, `SET session_replication_role = replica; SET synchronous_commit = off`); err != nil {
		return fmt.Errorf("preparing to copy: %w", err)
	}
	var copies []string
	for _, table := range tables {
		sql, err := b.copyOf(ctx, conn.Conn(), table)
		if err != nil {
			return err
		}
		copies = append(copies, sql)
	}
	for from := 1; from < b.pools; from += benchTogether {
		b.say("making teams: %s of %s", thousands(int64(from)), thousands(int64(b.pools)))
		for _, sql := range copies {
			if _, err := conn.Exec(ctx, sql, from, min(from+benchTogether, b.pools)-1); err != nil {
				return fmt.Errorf("copying teams: %w", err)
			}
		}
	}
	if _, err := conn.Exec(ctx, `SET session_replication_role = origin; SET synchronous_commit = on`); err != nil {
		return fmt.Errorf("ending the copies: %w", err)
	}
	return nil
}

// copyOf puts a table's rows aside and gives the statement that copies them for the teams
// from $1 to $2.
func (b *bench) copyOf(ctx context.Context, conn *pgx.Conn, table string) (string, error) {
	if _, err := conn.Exec(ctx, fmt.Sprintf(`CREATE TEMP TABLE template_%s AS SELECT * FROM %s`, table, table)); err != nil {
		return "", fmt.Errorf("putting aside the first team: %w", err)
	}
	columns, err := columnsOf(ctx, conn, table)
	if err != nil {
		return "", err
	}
	var names, values []string
	for _, c := range columns {
		if c.Generated {
			continue
		}
		names, values = append(names, c.Name), append(values, c.shifted(table, "0", "n", b.template.stride))
	}
	return fmt.Sprintf(`INSERT INTO %s (%s) SELECT %s FROM template_%s, generate_series($1::bigint, $2::bigint) AS n`,
		table, strings.Join(names, ", "), strings.Join(values, ", "), table), nil
}

// benchColumn is a column of a table.
type benchColumn struct {
	Name      string
	Type      string
	Generated bool
	Key       bool // of the primary key
}

// shifted gives a column's value in another team: the one that is so many after the row's
// own, which is the given one. Both are SQL.
func (c benchColumn) shifted(table, own, by string, stride int64) string {
	tagged := func(text string) string {
		tag := func(n string) string { return `'x' || lpad((` + n + `)::text, 6, '0') || 'x'` }
		return fmt.Sprintf(`replace(%s, %s, %s)`, text, tag(own), tag(own+" + "+by))
	}
	switch {
	case strings.HasSuffix(c.Name, "book_id") || table == "books" && c.Name == "id":
		return fmt.Sprintf(`%s + (%s) * %d`, c.Name, by, stride)
	case c.Type == "text":
		return tagged(c.Name)
	case c.Type == "jsonb":
		return tagged(c.Name+"::text") + "::jsonb"
	}
	return c.Name
}

// columnsOf asks the database what columns a table has.
func columnsOf(ctx context.Context, conn *pgx.Conn, table string) ([]benchColumn, error) {
	rows, err := conn.Query(ctx, `
		SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type, a.attidentity = 'a' AS generated,
		       COALESCE(a.attnum = ANY (i.indkey), false) AS key
		FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
		WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`, table)
	if err != nil {
		return nil, fmt.Errorf("reading the columns of %s: %w", table, err)
	}
	columns, err := pgx.CollectRows(rows, pgx.RowToStructByName[benchColumn])
	if err != nil {
		return nil, fmt.Errorf("reading the columns of %s: %w", table, err)
	}
	return columns, nil
}
