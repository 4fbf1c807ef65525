package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/ledger"
)

// auditCommand proves the ledger (L9).
type auditCommand struct {
	JSON     bool          `name:"json" help:"Print a JSON object a line: each difference, then the summary."`
	Database databaseFlags `embed:""`
}

// Run audits one snapshot of the whole database, while others go on writing.
func (c *auditCommand) Run(ctx context.Context, p *program) error {
	return c.Database.use(ctx, p, func(db *pgxpool.Pool) error {
		var sum ledger.Summary
		err := readOnly(ctx, db, func(tx pgx.Tx) (err error) {
			q := &auditProgress{tx: tx}
			if terminal(p.err) {
				q.to = p.err
			}
			sum, err = ledger.Audit(ctx, q, func(d ledger.Difference) error { return c.difference(p.out, d) })
			q.done()
			return err
		})
		if err != nil {
			return err
		}
		if err := c.summary(p.out, sum); err != nil {
			return err
		}
		if sum.Differences > 0 {
			return errFound
		}
		return nil
	})
}

// differenceLine is a difference as JSON.
type differenceLine struct {
	Book  int64  `json:"book"`
	Place string `json:"place"`
	What  string `json:"what"`
	Want  string `json:"want"`
	Got   string `json:"got"`
}

func (c *auditCommand) difference(w io.Writer, d ledger.Difference) error {
	if c.JSON {
		return json.NewEncoder(w).Encode(map[string]differenceLine{"difference": differenceLine(d)})
	}
	_, err := fmt.Fprintln(w, plain(d.String()))
	return err
}

func (c *auditCommand) summary(w io.Writer, s ledger.Summary) error {
	if c.JSON {
		return json.NewEncoder(w).Encode(map[string]map[string]int64{"audit": {
			"books": s.Books, "accounts": s.Accounts, "lots": s.Lots, "entries": s.Entries, "postings": s.Postings,
			"holds": s.Holds, "debts": s.Debts, "differences": s.Differences,
		}})
	}
	_, err := fmt.Fprintf(w, "audited: %s, %s, %s, %s, %s, %s, %s\naudit: %s\n",
		count(s.Books, "book", "books"), count(s.Accounts, "account", "accounts"), count(s.Lots, "lot", "lots"),
		count(s.Entries, "entry", "entries"), count(s.Postings, "posting", "postings"), count(s.Holds, "hold", "holds"),
		count(s.Debts, "debt", "debts"), count(s.Differences, "difference", "differences"))
	return err
}

// auditProgress passes the audit's queries on and shows what they are about, the whole
// history or some books: an audit of a large ledger takes minutes.
type auditProgress struct {
	tx    pgx.Tx
	to    io.Writer // nil: nobody watches
	shown string
}

// Query implements what ledger.Audit reads with.
func (a *auditProgress) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	text := a.shown
	if text == "" {
		text = "auditing entries and postings" // which come first, all at once
	}
	if len(args) == 2 {
		first, ofBooks := args[0].(int64)
		last, _ := args[1].(int64)
		switch {
		case !ofBooks:
		case last == math.MaxInt64:
			text = fmt.Sprintf("auditing books %d and up", max(first, 1))
		default:
			text = fmt.Sprintf("auditing books %d to %d", max(first, 1), last)
		}
	}
	if a.to != nil && text != a.shown {
		_, _ = fmt.Fprintf(a.to, "\r\x1b[K%s", text)
		a.shown = text
	}
	return a.tx.Query(ctx, sql, args...)
}

func (a *auditProgress) done() {
	if a.shown != "" {
		_, _ = fmt.Fprint(a.to, "\r\x1b[K")
	}
}
