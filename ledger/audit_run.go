package ledger

import (
	"context"
	"fmt"
	"strconv"
)

// auditSettings hold until the transaction ends. Each statement is planned for the books
// that it is asked about. Over a large history, sums of millions of rows fit in the memory
// given; the database writes what doesn't to temporary files of its own.
const auditSettings = `
	SELECT set_config(s.name, s.setting, true)
	FROM (VALUES ('jit', 'off'), ('plan_cache_mode', 'force_custom_plan'), ('work_mem', '16MB')) AS s (name, setting)
	WHERE $1::bool OR s.name <> 'work_mem'`

// auditProcesses says what the planner is to think that starting a process costs, and
// handing a row from one to another; how many there may be is the server's to say.
const auditProcesses = `SELECT set_config('parallel_setup_cost', $1, true), set_config('parallel_tuple_cost', $2, true)`

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
	err = a.each(ctx, auditIsMany, []any{manyBooks, manySequence, manyBooksWhatever}, []any{&a.isMany}, func() error { return nil })
	if err != nil {
		return cut{}, cut{}, fmt.Errorf("measuring the ledger: %w", err)
	}
	if !a.isMany {
		err = a.each(ctx, auditIsMapped, []any{auditMapMax}, []any{&a.mapped}, func() error { return nil })
		if err != nil {
			return cut{}, cut{}, fmt.Errorf("looking what spends drew on: %w", err)
		}
	}
	var setting string
	isLarge := a.isMany || entries.parts > 1 || postings.parts > 1
	if err := a.each(ctx, auditSettings, []any{isLarge}, []any{&setting}, func() error { return nil }); err != nil {
		return cut{}, cut{}, fmt.Errorf("preparing to audit: %w", err)
	}
	return entries, postings, nil
}

// inProcesses lets the planner take as many processes for something as it may get: it
// thinks that entries and postings add up to far more rows than they do.
func (a *auditing) inProcesses(ctx context.Context, do func() error) func() error {
	set := func(setup, tuple string) error {
		return a.each(ctx, auditProcesses, []any{setup, tuple}, []any{nil, nil}, func() error { return nil })
	}
	return func() error {
		var setup, tuple string
		err := a.each(ctx, `SELECT current_setting('parallel_setup_cost'), current_setting('parallel_tuple_cost')`, nil, []any{&setup, &tuple},
			func() error { return nil })
		if err == nil {
			err = set("0", "0")
		}
		if err == nil {
			err = do()
		}
		if err == nil {
			err = set(setup, tuple)
		}
		return err
	}
}

// history audits entries and postings, and gives the books in which these don't add up.
func (a *auditing) history(ctx context.Context, entries, postings cut) (unproved []int64, err error) {
	if !a.mapped {
		return a.historyBy(ctx, auditHistory(entries, postings, readByWay), nil)
	}
	posted, err := a.posted(ctx, postings)
	if err != nil {
		return nil, fmt.Errorf("mapping the postings: %w", err)
	}
	entries.parts = min(entries.parts, auditMapParts)
	err = a.planned(ctx, "force_generic_plan", "off")
	if err == nil {
		unproved, err = a.historyBy(ctx, auditHistory(entries, postings, readByMap), posted)
	}
	if err == nil {
		err = a.planned(ctx, "force_custom_plan", "on")
	}
	return unproved, err
}

// historyBy reads the history by one statement.
func (a *auditing) historyBy(ctx context.Context, sql string, args []any) (unproved []int64, err error) {
	var d Difference
	err = a.each(ctx, sql, args, []any{&d.Book, &d.Place, &d.What, &d.Want, &d.Got}, func() (err error) {
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
