package ledger

import (
	"context"
	"fmt"
	"strconv"
)

// auditSettings hold until the transaction ends. Sums of millions of rows fit in the memory
// given; the database writes what doesn't to its own temporary files. Each statement is
// planned for what it is asked, and those over the history for several processes: how many
// there may be is the server's to say.
const auditSettings = `
	SELECT set_config(s.name, s.setting, true)
	FROM (VALUES ('jit', 'off'), ('work_mem', '64MB'), ('plan_cache_mode', 'force_custom_plan')) AS s (name, setting)
	WHERE $1::bool OR s.name <> 'work_mem'
	UNION ALL
	SELECT set_config(s.name, '0', true)
	FROM (VALUES ('parallel_setup_cost'), ('parallel_tuple_cost')) AS s (name)
	WHERE $1::bool`

// cuts looks how large the history is, says how to cut it, and prepares the transaction.
func (a *auditing) cuts(ctx context.Context) (entries, postings cut, err error) {
	var e, p int64
	err = a.each(ctx, `
		SELECT pg_relation_size('entries') / current_setting('block_size')::bigint,
		       pg_relation_size('postings') / current_setting('block_size')::bigint`, nil, []any{&e, &p}, func() error { return nil })
	if err != nil {
		return cut{}, cut{}, fmt.Errorf("measuring the history: %w", err)
	}
	entries, postings = cutOf(e), cutOf(p)
	var setting string
	isLarge := max(entries.parts, postings.parts) > 1
	if err := a.each(ctx, auditSettings, []any{isLarge}, []any{&setting}, func() error { return nil }); err != nil {
		return cut{}, cut{}, fmt.Errorf("preparing to audit: %w", err)
	}
	return entries, postings, nil
}

// history audits entries and postings, and gives the books in which these don't add up.
func (a *auditing) history(ctx context.Context, sql string) (unproved []int64, err error) {
	var d Difference
	err = a.each(ctx, sql, nil, []any{&d.Book, &d.Place, &d.What, &d.Want, &d.Got}, func() (err error) {
		switch {
		case d.What != "":
			return a.found(d)
		case d.Book != 0:
			unproved = append(unproved, d.Book)
			return nil
		}
		if a.sum.Entries, err = strconv.ParseInt(d.Want, 10, 64); err != nil {
			return err
		}
		a.sum.Postings, err = strconv.ParseInt(d.Got, 10, 64)
		return err
	})
	return unproved, err
}

// bookByRow names what is wrong with a book's entries and postings, which don't add up.
func (a *auditing) bookByRow(ctx context.Context, book int64) error {
	before := a.sum.Differences
	if err := a.differences(ctx, auditEntries, book, book); err != nil {
		return err
	}
	if a.sum.Differences > before {
		return nil
	}
	return a.found(Difference{
		Book: book, Place: "book", What: "each entry has its postings, and each posting its entry", Want: "equal sums", Got: "other sums",
	})
}
