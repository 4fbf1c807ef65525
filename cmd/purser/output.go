package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// listFlags say which page of a list to show and how.
type listFlags struct {
	JSON  bool   `name:"json" help:"Print JSON."`
	Limit int    `default:"50" help:"How many to show, 1 to 500."`
	After string `placeholder:"ID" help:"Show what comes after this one in the list."`
}

const limitMax = 500

func (f listFlags) check() error {
	if f.Limit < 1 || f.Limit > limitMax {
		return usage("--limit must be between 1 and %d, not %d", limitMax, f.Limit)
	}
	return nil
}

// showFlags say how to show one thing.
type showFlags struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// page is a list as it is printed. Lists are asked for one row more than is shown, which
// tells whether there is more.
type page[T any] struct {
	Items []T    `json:"items"`
	More  bool   `json:"more"`
	Next  string `json:"next,omitempty"` // what to give --after for the next page
}

func paged[T any](rows []T, limit int, id func(T) string) page[T] {
	pg := page[T]{Items: rows}
	if pg.Items == nil {
		pg.Items = []T{}
	}
	if len(rows) > limit {
		pg.Items, pg.More = rows[:limit], true
		pg.Next = id(rows[limit-1])
	}
	return pg
}

// print writes the page as a table with a row for each item, or as JSON.
func (pg page[T]) print(p *program, asJSON bool, head []string, row func(T) []string) error {
	if asJSON {
		return printJSON(p.out, pg)
	}
	if len(pg.Items) == 0 {
		_, err := fmt.Fprintln(p.out, "none")
		return err
	}
	rows := make([][]string, len(pg.Items))
	for i, item := range pg.Items {
		rows[i] = row(item)
	}
	if err := printTable(p.out, head, rows); err != nil {
		return err
	}
	if pg.More {
		_, err := fmt.Fprintf(p.out, "there are more: --after %s\n", plain(pg.Next))
		return err
	}
	return nil
}

func printTable(w io.Writer, head []string, rows [][]string) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	write := func(cells []string) {
		clean := make([]string, len(cells))
		for i, c := range cells {
			clean[i] = plain(c)
		}
		_, _ = fmt.Fprintln(table, strings.TrimRight(strings.Join(clean, "\t"), "\t"))
	}
	if len(head) > 0 {
		write(head)
	}
	for _, r := range rows {
		write(r)
	}
	return table.Flush()
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// printThing writes one thing as lines of name and value, or as JSON.
func printThing(p *program, asJSON bool, v any, lines [][]string) error {
	if asJSON {
		return printJSON(p.out, v)
	}
	return printTable(p.out, nil, lines)
}

// stamp writes an instant as everything here does: in UTC.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func stampOr(t *time.Time, none string) string {
	if t == nil {
		return none
	}
	return stamp(*t)
}

// plain takes out of a text what could move a terminal's cursor or break a table: names
// and reasons come from outside.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
			return '\uFFFD'
		}
		return r
	}, text)
}

// terminal tells whether somebody watches.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
