package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// benchBare writes what a turn wrote, for other teams, as rows that are there already: the
// same rows into the same tables with the same indexes, in transactions of as many teams,
// with nobody deciding anything.
type benchBare struct {
	bench *bench
	teams int // that turned; as many after them are written
	chunk int // teams in one transaction
	pace  *benchPace

	statements []string // for one chunk, which is $1
	rows       int64
}

// prepare puts aside what the turn made and changed, as it is to be for the others: rows
// that a transaction since the given one wrote.
func (w *benchBare) prepare(ctx context.Context, since int64) error {
	conn, err := w.bench.db.Pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("opening a connection: %w", err)
	}
	defer conn.Release()
	for _, table := range benchTables {
		w.bench.say("putting aside what the turn wrote: %s", table)
		if err := w.prepareTable(ctx, conn.Conn(), table, since); err != nil {
			return fmt.Errorf("putting aside what the turn wrote: %s: %w", table, err)
		}
	}
	return nil
}

// teamOf is the number of the team that a row belongs to, as SQL.
func (w *benchBare) teamOf(table string, columns []benchColumn) string {
	for _, c := range columns {
		if c.Name == "book_id" || table == "books" && c.Name == "id" {
			return fmt.Sprintf("(%s - %d) / %d", c.Name, w.bench.template.first, w.bench.template.stride)
		}
	}
	for _, c := range columns {
		if c.Key && c.Type == "text" {
			return `substring(` + c.Name + ` from 'x(\d{6})x')::bigint`
		}
	}
	return "NULL::bigint"
}

func (w *benchBare) prepareTable(ctx context.Context, conn *pgx.Conn, table string, since int64) error {
	all, err := columnsOf(ctx, conn, table)
	if err != nil {
		return err
	}
	team := w.teamOf(table, all)
	var names, values, keys, set []string
	generated := false
	for _, c := range all {
		if c.Generated {
			generated = true // numbered by the table itself: what the turn wrote is all new
			continue
		}
		names = append(names, c.Name)
		values = append(values, c.shifted(table, team, fmt.Sprint(w.teams), w.bench.template.stride)+" AS "+c.Name)
		if c.Key {
			keys = append(keys, "o."+c.Name+" = s."+c.Name)
		} else {
			set = append(set, c.Name+" = s."+c.Name)
		}
	}
	list, on := strings.Join(names, ", "), strings.Join(keys, " AND ")
	// CASE, so that the team is looked for only in rows that the turn wrote.
	shifted := fmt.Sprintf(`(SELECT %s / %d AS chunk, %s FROM %s WHERE CASE WHEN age(xmin) <= age('%d'::xid) THEN %s BETWEEN 0 AND %d END) s`,
		team, w.chunk, strings.Join(values, ", "), table, since, team, w.teams-1)
	fresh := "true"
	if !generated {
		fresh = fmt.Sprintf("NOT EXISTS (SELECT FROM %s o WHERE %s)", table, on)
	}
	made := fmt.Sprintf(`SELECT s.* FROM %s WHERE %s`, shifted, fresh)
	err = w.putAside(ctx, conn, "made_"+table, made, fmt.Sprintf(`INSERT INTO %s (%s) SELECT %s FROM made_%s WHERE chunk = $1`, table, list, list, table))
	if err != nil || generated {
		return err
	}
	changed := fmt.Sprintf(`SELECT s.* FROM %s JOIN %s o ON %s WHERE (s.%s) IS DISTINCT FROM (o.%s)`, shifted, table, on,
		strings.Join(names, ", s."), strings.Join(names, ", o."))
	return w.putAside(ctx, conn, "changed_"+table, changed,
		fmt.Sprintf(`UPDATE %s o SET %s FROM changed_%s s WHERE s.chunk = $1 AND %s`, table, strings.Join(set, ", "), table, on))
}

// putAside keeps some rows by chunk, with the statement that writes those of a chunk.
func (w *benchBare) putAside(ctx context.Context, conn *pgx.Conn, name, rows, write string) error {
	tag, err := conn.Exec(ctx, fmt.Sprintf(`CREATE UNLOGGED TABLE %s AS %s`, name, rows))
	if err != nil || tag.RowsAffected() == 0 {
		return err
	}
	w.rows += tag.RowsAffected()
	w.statements = append(w.statements, write)
	_, err = conn.Exec(ctx, fmt.Sprintf(`CREATE INDEX ON %s (chunk)`, name))
	return err
}

// write writes all of it, chunk by chunk.
func (w *benchBare) write(ctx context.Context) error {
	w.pace.start("writing the same rows", w.chunk, w.teams)
	for chunk := range (w.teams + w.chunk - 1) / w.chunk {
		_ = w.pace.now()
		err := pgx.BeginFunc(ctx, w.bench.db.Pool, func(tx pgx.Tx) error {
			var batch pgx.Batch
			for _, sql := range w.statements {
				batch.Queue(sql, chunk)
			}
			return tx.SendBatch(ctx, &batch).Close()
		})
		if err != nil {
			return fmt.Errorf("writing the same rows: %w", err)
		}
	}
	_ = w.pace.now()
	return nil
}
